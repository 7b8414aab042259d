// Look-ups in our index against OpenSSL's: a million random probes over CRLs of
// every make, and every CRL of PKITS, indirect ones by issuer.
#include <gmock/gmock.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <memory>
#include <ostream>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "bench/lab/big_crl.h"
#include "bench/lab/crl_builder.h"
#include "cache/crl_data.h"
#include "crypto/name.h"
#include "tests/support/conformance.h"

namespace inkan {
namespace {

using CrlPtr = std::unique_ptr<X509_CRL, void (*)(X509_CRL*)>;

constexpr uint64_t kEntries = 40'000;
constexpr size_t kProbesPerCrl = 200'000;
const int64_t kNow = lab::UtcSeconds(2026, 3, 15);

// Of the PKITS CRLs those that we refuse: a signature that is not of whole
// octets, DSA, and critical extensions that nobody knows.
const std::vector<std::string> kRefusedOfPkits = {
    "BadCRLSignatureCACRL.crl", "DSACACRL.crl",
    "DSAParametersInheritedCACRL.crl", "UnknownCRLEntryExtensionCACRL.crl",
    "UnknownCRLExtensionCACRL.crl"};
// And how many there are besides.
constexpr size_t kCrlsOfPkits = 168;
// With entries for more issuers than their own.
constexpr size_t kIndirectOfPkits = 1;
// Serials that any CRL lists, and their neighbours.
constexpr size_t kSerialsOfPkits = 20;
// Found, by issuer and serial.
constexpr size_t kEntriesOfPkits = 38;

const lab::PrivateKey& Key() {
  static const lab::PrivateKey* const key =
      new lab::PrivateKey(lab::PrivateKey::RsaFromSeed("crl-index"));
  return *key;
}

CrlPtr ParseByOpenSsl(const std::string& der) {
  const auto* p = reinterpret_cast<const unsigned char*>(der.data());
  return {d2i_X509_CRL(nullptr, &p, static_cast<long>(der.size())),
          X509_CRL_free};
}

// OpenSSL's answer: whether it is listed, and when it was revoked.
bool FindByOpenSsl(X509_CRL* crl, const std::string& contents, time_t* when) {
  const std::string element =
      std::string("\x02") + static_cast<char>(contents.size()) + contents;
  const auto* p = reinterpret_cast<const unsigned char*>(element.data());
  const std::unique_ptr<ASN1_INTEGER, void (*)(ASN1_INTEGER*)> serial(
      d2i_ASN1_INTEGER(nullptr, &p, static_cast<long>(element.size())),
      ASN1_INTEGER_free);
  X509_REVOKED* entry = nullptr;
  // 2: listed as removeFromCRL.
  if (X509_CRL_get0_by_serial(crl, &entry, serial.get()) == 0) return false;
  tm parts = {};
  ASN1_TIME_to_tm(X509_REVOKED_get0_revocationDate(entry), &parts);
  *when = timegm(&parts);
  return true;
}

std::string Contents(std::string octets) {
  octets.insert(0, 1, '\0');
  size_t start = 0;
  while (start + 1 < octets.size() && octets[start] == 0 &&
         (octets[start + 1] & 0x80) == 0) {
    ++start;
  }
  return octets.substr(start);
}

std::string RandomSerial(std::mt19937_64* dice, size_t octets) {
  std::string serial;
  while (serial.size() < octets) serial += static_cast<char>((*dice)());
  return Contents(serial);
}

// Asks both about listed serials, their neighbours and others.
void Compare(const std::vector<lab::CrlEntry>& entries) {
  lab::CrlBuilder builder;
  for (const lab::CrlEntry& entry : entries) builder.revoke(entry);
  const std::string der = builder.Sign(Key());
  const auto crl = ReadCrl(AsBytes(der), "");
  ASSERT_TRUE(crl.ok()) << crl.status();
  const CrlPtr theirs = ParseByOpenSsl(der);
  ASSERT_NE(theirs, nullptr);
  std::multiset<std::string> serials;
  for (const lab::CrlEntry& entry : entries) serials.insert(entry.serial);
  std::mt19937_64 dice(1);
  size_t hits = 0;
  for (size_t i = 0; i < kProbesPerCrl; ++i) {
    std::string serial = entries[dice() % entries.size()].serial;
    switch (i % 4) {
      case 0:
        break;
      case 1:  // near one
        serial.back() = static_cast<char>(serial.back() + 1 + dice() % 8);
        break;
      case 2:
        serial[serial.size() / 2] = static_cast<char>(dice());
        serial = Contents(serial);
        break;
      default:
        serial = RandomSerial(&dice, 1 + dice() % 20);
    }
    Revocation found;
    time_t when = 0;
    const bool ours = (*crl)->index.Find(AsBytes(serial), &found);
    ASSERT_EQ(ours, FindByOpenSsl(theirs.get(), serial, &when))
        << testing::PrintToString(serial);
    if (!ours) continue;
    ++hits;
    if (serials.count(serial) == 1) {
      ASSERT_EQ(found.revoked_at, when);
    }
  }
  EXPECT_GT(hits, kProbesPerCrl / 4 - 1);
  EXPECT_LT(hits, kProbesPerCrl);
}

std::vector<lab::CrlEntry> BigCrl(bool random) {
  lab::BigCrlOptions options;
  options.entries = kEntries;
  options.random_serials = random;
  options.now = kNow;
  lab::BigCrlEntries deal(options);
  std::vector<lab::CrlEntry> entries(kEntries);
  for (uint64_t i = 0; i < kEntries; ++i) deal.Fill(i, &entries[i]);
  return entries;
}

TEST(CrlIndexAgainstOpenSsl, ACountersSerials) { Compare(BigCrl(false)); }

TEST(CrlIndexAgainstOpenSsl, RandomSerials) { Compare(BigCrl(true)); }

TEST(CrlIndexAgainstOpenSsl, ACountersSerialsInNoOrder) {
  std::vector<lab::CrlEntry> entries = BigCrl(false);
  std::shuffle(entries.begin(), entries.end(), std::mt19937_64(2));
  Compare(entries);
}

TEST(CrlIndexAgainstOpenSsl, SerialsOfAllLengths) {
  std::vector<lab::CrlEntry> entries = BigCrl(false);
  std::mt19937_64 dice(3);
  for (size_t i = 0; i < entries.size(); i += 2) {
    entries[i].serial = RandomSerial(&dice, 3 + dice() % 18);
  }
  std::shuffle(entries.begin(), entries.end(), dice);
  Compare(entries);
}

TEST(CrlIndexAgainstOpenSsl, SerialsListedSeveralTimes) {
  std::vector<lab::CrlEntry> entries = BigCrl(false);
  const std::vector<lab::CrlEntry> random = BigCrl(true);
  entries.resize(kEntries / 4);
  entries.insert(entries.end(), random.begin(), random.begin() + kEntries / 4);
  std::mt19937_64 dice(4);
  for (size_t i = kEntries / 2; i < kEntries; ++i) {
    lab::CrlEntry again = entries[dice() % (kEntries / 2)];
    again.revoked_at += 1000;
    entries.push_back(again);
  }
  std::shuffle(entries.begin(), entries.end(), dice);
  Compare(entries);
}

// Name elements of all issuers that a CRL has entries for.
std::set<std::string> IssuersIn(X509_CRL* crl) {
  std::set<std::string> issuers;
  const auto add = [&issuers](const X509_NAME* name) {
    unsigned char* der = nullptr;
    const int size = i2d_X509_NAME(name, &der);
    ASSERT_GT(size, 0);
    issuers.emplace(reinterpret_cast<const char*>(der),
                    static_cast<size_t>(size));
    OPENSSL_free(der);
  };
  add(X509_CRL_get_issuer(crl));
  const STACK_OF(X509_REVOKED)* entries = X509_CRL_get_REVOKED(crl);
  for (int i = 0; i < sk_X509_REVOKED_num(entries); ++i) {
    const std::unique_ptr<GENERAL_NAMES, void (*)(GENERAL_NAMES*)> names(
        static_cast<GENERAL_NAMES*>(
            X509_REVOKED_get_ext_d2i(sk_X509_REVOKED_value(entries, i),
                                     NID_certificate_issuer, nullptr, nullptr)),
        GENERAL_NAMES_free);
    for (int j = 0; names && j < sk_GENERAL_NAME_num(names.get()); ++j) {
      const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), j);
      if (name->type == GEN_DIRNAME) add(name->d.directoryName);
    }
  }
  return issuers;
}

// What a CRL says of the certificate of this issuer and serial number.
struct Said {
  bool listed = false;
  int64_t revoked_at = 0;
  int reason = 0;

  friend bool operator==(const Said&, const Said&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Said& said) {
    return out << said.listed << " " << said.revoked_at << " " << said.reason;
  }
};

Said SaidByOpenSsl(X509_CRL* crl, const std::string& issuer,
                   const std::string& serial) {
  const std::unique_ptr<X509, void (*)(X509*)> certificate(X509_new(),
                                                           X509_free);
  const auto* p = reinterpret_cast<const unsigned char*>(issuer.data());
  const std::unique_ptr<X509_NAME, void (*)(X509_NAME*)> name(
      d2i_X509_NAME(nullptr, &p, static_cast<long>(issuer.size())),
      X509_NAME_free);
  X509_set_issuer_name(certificate.get(), name.get());
  const std::string element =
      std::string("\x02") + static_cast<char>(serial.size()) + serial;
  p = reinterpret_cast<const unsigned char*>(element.data());
  const std::unique_ptr<ASN1_INTEGER, void (*)(ASN1_INTEGER*)> number(
      d2i_ASN1_INTEGER(nullptr, &p, static_cast<long>(element.size())),
      ASN1_INTEGER_free);
  X509_set_serialNumber(certificate.get(), number.get());
  X509_REVOKED* entry = nullptr;
  Said said;
  said.listed = X509_CRL_get0_by_cert(crl, &entry, certificate.get()) != 0;
  if (!said.listed) return said;
  tm parts = {};
  ASN1_TIME_to_tm(X509_REVOKED_get0_revocationDate(entry), &parts);
  said.revoked_at = timegm(&parts);
  const std::unique_ptr<ASN1_ENUMERATED, void (*)(ASN1_ENUMERATED*)> reason(
      static_cast<ASN1_ENUMERATED*>(
          X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, nullptr, nullptr)),
      ASN1_ENUMERATED_free);
  if (reason) said.reason = static_cast<int>(ASN1_ENUMERATED_get(reason.get()));
  return said;
}

Said SaidByUs(const CrlData& crl, const std::string& issuer,
              const std::string& serial) {
  const std::string canonical = CanonicalName(AsBytes(issuer));
  const CrlIndex* index = &crl.index;
  if (canonical != crl.canonical_issuer) {
    const auto other = crl.indirect.find(canonical);
    if (other == crl.indirect.end()) return {};
    index = &other->second;
  }
  Revocation found;
  if (!index->Find(AsBytes(serial), &found)) return {};
  return {true, found.revoked_at, found.reason};
}

// Every CRL is asked about every serial that any of them lists and its
// neighbour, from every issuer that it speaks for.
TEST(CrlIndexAgainstOpenSsl, EveryCrlOfPkits) {
  INKAN_CONFORMANCE(dir);
  struct Both {
    std::string path;
    std::shared_ptr<const CrlData> ours;
    CrlPtr theirs;
  };
  std::vector<Both> crls;
  std::vector<std::string> refused;
  std::set<std::string> serials;
  for (const std::string& path : ListFiles(dir + "/pkits/crls")) {
    const std::string der = ReadFile(path);
    CrlPtr theirs = ParseByOpenSsl(der);
    ASSERT_NE(theirs, nullptr) << path;
    const STACK_OF(X509_REVOKED)* entries = X509_CRL_get_REVOKED(theirs.get());
    for (int i = 0; i < sk_X509_REVOKED_num(entries); ++i) {
      const ASN1_INTEGER* number =
          X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(entries, i));
      unsigned char* element = nullptr;
      const int size = i2d_ASN1_INTEGER(number, &element);
      ASSERT_GT(size, 2);
      std::string serial(reinterpret_cast<const char*>(element) + 2,
                         static_cast<size_t>(size) - 2);
      OPENSSL_free(element);
      serials.insert(serial);
      serial.back() = static_cast<char>(serial.back() ^ 1);
      serials.insert(serial);
    }
    const auto ours = ReadCrl(AsBytes(der), path);
    if (!ours.ok()) {
      refused.push_back(path.substr(path.rfind('/') + 1));
      continue;
    }
    crls.push_back({path, *ours, std::move(theirs)});
  }
  EXPECT_THAT(refused, testing::UnorderedElementsAreArray(kRefusedOfPkits));
  size_t indirect = 0;
  size_t hits = 0;
  for (const Both& crl : crls) {
    const std::set<std::string> issuers = IssuersIn(crl.theirs.get());
    if (issuers.size() > 1) ++indirect;
    for (const std::string& issuer : issuers) {
      for (const std::string& serial : serials) {
        const Said said = SaidByUs(*crl.ours, issuer, serial);
        ASSERT_EQ(said, SaidByOpenSsl(crl.theirs.get(), issuer, serial))
            << crl.path << " " << testing::PrintToString(serial);
        if (said.listed) ++hits;
      }
    }
  }
  EXPECT_EQ(crls.size(), kCrlsOfPkits);
  EXPECT_EQ(indirect, kIndirectOfPkits);
  EXPECT_EQ(serials.size(), kSerialsOfPkits);
  EXPECT_EQ(hits, kEntriesOfPkits);
}

}  // namespace
}  // namespace inkan
