// Look-ups in our index against OpenSSL's X509_CRL_get0_by_serial: a million
// random probes over CRLs of every make, and every CRL of PKITS.
#include <openssl/x509.h>

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "bench/lab/big_crl.h"
#include "bench/lab/crl_builder.h"
#include "cache/crl_data.h"
#include "tests/support/conformance.h"

namespace inkan {
namespace {

using CrlPtr = std::unique_ptr<X509_CRL, void (*)(X509_CRL*)>;

constexpr uint64_t kEntries = 40'000;
constexpr size_t kProbesPerCrl = 200'000;
const int64_t kNow = lab::UtcSeconds(2026, 3, 15);

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

TEST(CrlIndexAgainstOpenSsl, EveryCrlOfPkits) {
  INKAN_CONFORMANCE(dir);
  size_t compared = 0;
  std::vector<std::string> serials;
  for (const std::string& path : ListFiles(dir + "/pkits/crls")) {
    const std::string der = ReadFile(path);
    const auto crl = ReadCrl(AsBytes(der), path);
    const CrlPtr theirs = ParseByOpenSsl(der);
    if (!crl.ok() || theirs == nullptr) continue;
    ++compared;
    // Every listed serial, its neighbours, and all that any CRL lists.
    Crl view;
    ASSERT_TRUE(ParseCrl(AsBytes(der), &view).ok());
    CrlEntryReader reader(view);
    CrlEntry entry;
    while (reader.Next(&entry)) {
      std::string serial(AsText(entry.serial));
      serials.push_back(serial);
      serial.back() = static_cast<char>(serial.back() ^ 1);
      serials.push_back(serial);
    }
    if ((*crl)->scope.indirect) continue;  // OpenSSL asks by issuer, too
    for (const std::string& serial : serials) {
      Revocation found;
      time_t when = 0;
      const bool ours = (*crl)->index.Find(AsBytes(serial), &found);
      ASSERT_EQ(ours, FindByOpenSsl(theirs.get(), serial, &when)) << path;
      if (ours) {
        EXPECT_EQ(found.revoked_at, when) << path;
      }
    }
  }
  EXPECT_GT(compared, 150U);
  EXPECT_GT(serials.size(), 50U);
}

}  // namespace
}  // namespace inkan
