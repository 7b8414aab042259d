// The index of revoked serials, against OpenSSL's and at its own limits.
#include "cache/crl_index.h"

#include <openssl/x509.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "crypto/der.h"
#include "tests/support/lab_world.h"

namespace inkan {
namespace {

using std::string_literals::operator""s;
using testing_world::CrlFor;
using testing_world::KeyOf;
using testing_world::Read;
using testing_world::Revoked;

Revocation At(int64_t time, uint8_t reason = 0) { return {time, reason}; }

CrlIndex IndexOf(
    const std::vector<std::pair<std::string, Revocation>>& entries) {
  CrlIndexBuilder builder;
  for (const auto& [serial, revocation] : entries) {
    builder.Add(AsBytes(serial), revocation);
  }
  auto index = std::move(builder).Build();
  EXPECT_TRUE(index.ok()) << index.status();
  return index.ok() ? *index : CrlIndex();
}

// Serials of every size and sign that DER can write, near each power of two.
std::vector<std::string> TellingSerials() {
  std::set<std::string> serials = {"\x00"s, "\xff"s};
  for (size_t size = 1; size <= kSerialBytesMax; ++size) {
    for (const int first : {0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff}) {
      for (const int rest : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
        std::string serial(size, static_cast<char>(rest));
        serial[0] = static_cast<char>(first);
        const std::string der = "\x02"s + static_cast<char>(size) + serial;
        Bytes contents;
        if (DerReader(AsBytes(der)).ReadInteger(&contents)) {
          serials.insert(serial);
        }
      }
    }
  }
  return {serials.begin(), serials.end()};
}

TEST(CrlIndex, FindsWhatIsListedAndNothingElse) {
  const std::vector<std::string> serials = TellingSerials();
  ASSERT_GT(serials.size(), 300U);
  for (const size_t kept : {0U, 1U}) {
    std::vector<std::pair<std::string, Revocation>> entries;
    for (size_t i = kept; i < serials.size(); i += 2) {
      entries.emplace_back(serials[i], At(1000 + static_cast<int64_t>(i), 3));
    }
    const CrlIndex index = IndexOf(entries);
    EXPECT_EQ(index.size(), entries.size());
    for (size_t i = 0; i < serials.size(); ++i) {
      SCOPED_TRACE(testing::PrintToString(serials[i]));
      Revocation found;
      ASSERT_EQ(index.Find(AsBytes(serials[i]), &found), i % 2 == kept);
      if (i % 2 != kept) continue;
      EXPECT_EQ(found.revoked_at, 1000 + static_cast<int64_t>(i));
      EXPECT_EQ(found.reason, 3);
      EXPECT_FALSE(found.has_invalidity_date);
    }
  }
}

TEST(CrlIndex, SerialsBeyondTheLimitAreNeverFound) {
  const CrlIndex index = IndexOf({{std::string(kSerialBytesMax, 'x'), At(1)}});
  Revocation found;
  EXPECT_TRUE(index.Find(AsBytes(std::string(kSerialBytesMax, 'x')), &found));
  const std::string longer(kSerialBytesMax + 1, 'x');
  EXPECT_FALSE(index.Find(AsBytes(longer), &found));
  EXPECT_FALSE(index.Find(Bytes(), &found));
  EXPECT_FALSE(CrlIndex().Find(AsBytes("\x01"s), &found));
}

TEST(CrlIndex, DatesFartherApartThan136YearsAreKeptExactly) {
  const CrlIndex index = IndexOf({{"\x01"s, At(kTimeMin)},
                                  {"\x02"s, At(0)},
                                  {"\x03"s, At(kTimeMin + UINT32_MAX)},
                                  {"\x04"s, At(kTimeMin + UINT32_MAX + 1)},
                                  {"\x05"s, At(kTimeMax)}});
  const auto at = [&](const std::string& serial) {
    Revocation found;
    EXPECT_TRUE(index.Find(AsBytes(serial), &found));
    return found.revoked_at;
  };
  EXPECT_EQ(at("\x01"), kTimeMin);
  EXPECT_EQ(at("\x02"), 0);
  EXPECT_EQ(at("\x03"), kTimeMin + UINT32_MAX);
  EXPECT_EQ(at("\x04"), kTimeMin + UINT32_MAX + 1);
  EXPECT_EQ(at("\x05"), kTimeMax);
}

TEST(CrlIndex, InvalidityDatesStayWithTheirEntries) {
  std::vector<std::pair<std::string, Revocation>> entries;
  for (uint8_t i = 1; i < 100; ++i) {
    Revocation revocation = At(1000, 1);
    revocation.has_invalidity_date = i % 3 == 0;
    revocation.invalidity_date = i;
    entries.emplace_back(std::string(1 + i % 12, static_cast<char>(i)),
                         revocation);
  }
  const CrlIndex index = IndexOf(entries);
  for (const auto& [serial, revocation] : entries) {
    Revocation found;
    ASSERT_TRUE(index.Find(AsBytes(serial), &found));
    EXPECT_EQ(found.has_invalidity_date, revocation.has_invalidity_date);
    EXPECT_EQ(found.EffectiveAt(), revocation.EffectiveAt());
  }
}

TEST(CrlIndex, OfTwoEntriesForOneSerialTheStricterReadingCounts) {
  const Revocation early = At(10, 4);
  const Revocation late = At(20, 1);
  const Revocation removed = At(5, crl_reason::kRemoveFromCrl);
  const Revocation held = At(10, crl_reason::kCertificateHold);
  for (const std::string& serial : {"\x01"s, std::string(12, 'x')}) {
    const auto kept = [&](const Revocation& a, const Revocation& b) {
      const CrlIndex index = IndexOf({{serial, a}, {serial, b}});
      EXPECT_EQ(index.size(), 1U);
      Revocation found;
      EXPECT_TRUE(index.Find(AsBytes(serial), &found));
      return std::pair(found.revoked_at, found.reason);
    };
    EXPECT_EQ(kept(early, late), std::pair(int64_t{10}, uint8_t{1}));
    EXPECT_EQ(kept(late, early), std::pair(int64_t{10}, uint8_t{1}));
    EXPECT_EQ(kept(removed, late), std::pair(int64_t{20}, uint8_t{1}));
    EXPECT_EQ(kept(late, removed), std::pair(int64_t{20}, uint8_t{1}));
    EXPECT_EQ(kept(held, early), std::pair(int64_t{10}, uint8_t{4}));
    EXPECT_EQ(kept(early, held), std::pair(int64_t{10}, uint8_t{4}));
  }
}

TEST(CrlIndex, AgreesWithOpenSslOnEverySerial) {
  lab::CrlBuilder builder = CrlFor("");
  const std::vector<std::string> serials = TellingSerials();
  for (size_t i = 0; i < serials.size(); i += 2) {
    lab::CrlEntry entry = Revoked(1, lab::UtcSeconds(2025, 1, 1));
    entry.serial = serials[i];
    builder.revoke(entry);
  }
  builder.entries(5000, [](uint64_t i, lab::CrlEntry* entry) {
    *entry = Revoked(1000 + i * 3, lab::UtcSeconds(2025, 1, 1));
  });
  const std::string der = builder.Sign(KeyOf("ca"));
  const auto data = Read(der);
  ASSERT_NE(data, nullptr);
  const auto* p = reinterpret_cast<const unsigned char*>(der.data());
  const std::unique_ptr<X509_CRL, void (*)(X509_CRL*)> crl(
      d2i_X509_CRL(nullptr, &p, static_cast<long>(der.size())), X509_CRL_free);
  ASSERT_NE(crl, nullptr);
  const auto openssl_finds = [&](const std::string& contents) {
    const std::string element =
        "\x02"s + static_cast<char>(contents.size()) + contents;
    const auto* q = reinterpret_cast<const unsigned char*>(element.data());
    const std::unique_ptr<ASN1_INTEGER, void (*)(ASN1_INTEGER*)> serial(
        d2i_ASN1_INTEGER(nullptr, &q, static_cast<long>(element.size())),
        ASN1_INTEGER_free);
    X509_REVOKED* entry = nullptr;
    return X509_CRL_get0_by_serial(crl.get(), &entry, serial.get()) == 1;
  };
  std::vector<std::string> asked = serials;
  for (uint64_t i = 990; i < 16'010; ++i) {
    asked.push_back(lab::SerialContents(i));
  }
  for (const std::string& serial : asked) {
    Revocation found;
    EXPECT_EQ(data->index.Find(AsBytes(serial), &found), openssl_finds(serial))
        << testing::PrintToString(serial);
  }
}

}  // namespace
}  // namespace inkan
