// The quick way through CRL entries of the usual form reads what the thorough
// way reads, and passes everything else on to it. Digests of overlapping
// messages are those of each alone.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

#include "crypto/crl.h"
#include "crypto/digest.h"
#include "crypto/digest_stream.h"

namespace inkan {
namespace {

using std::string_literals::operator""s;

struct Outcome {
  bool read = false;
  std::string fault;
  std::string serial;
  int64_t revoked_at = 0;
  int reason = 0;
  bool has_invalidity_date = false;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// The first entry of `entries`.
Outcome First(const std::string& entries, int version) {
  Crl crl;
  crl.version = version;
  crl.entries = AsBytes(entries);
  CrlEntryReader reader(crl);
  CrlEntry entry;
  Outcome outcome;
  outcome.read = reader.Next(&entry);
  if (!reader.fault().ok()) {
    outcome.fault = reader.fault().field + ": "s + reader.fault().problem;
  }
  if (!outcome.read) return outcome;
  outcome.serial = std::string(AsText(entry.serial));
  outcome.revoked_at = entry.revoked_at;
  outcome.reason = entry.reason;
  outcome.has_invalidity_date = entry.has_invalidity_date;
  return outcome;
}

std::string Element(char tag, const std::string& contents) {
  return tag + std::string(1, static_cast<char>(contents.size())) + contents;
}

std::string Entry(const std::string& serial, const std::string& time,
                  const std::string& extensions) {
  return Element(0x30,
                 Element(0x02, serial) + Element(0x17, time) + extensions);
}

const std::string kReason(
    "\x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01\x04", 14);

// Only the thorough way is taken where the input ends soon.
void ExpectBothWaysAgree(const std::string& entry) {
  for (const int version : {1, 2}) {
    const Outcome thorough = First(entry, version);
    // What follows begins another entry.
    const Outcome quick = First(entry + std::string(200, '0'), version);
    // An entry that claims more octets than there are is read with those.
    if (!thorough.read && static_cast<uint8_t>(entry[1]) + 2U > entry.size()) {
      continue;
    }
    EXPECT_EQ(thorough, quick) << testing::PrintToString(entry);
  }
}

TEST(CrlEntries, BothWaysAgreeOnEveryChangeOfAnOctet) {
  for (const std::string& entry :
       {Entry("\x11", "250203040506Z", ""),
        Entry("\x05\xf5\xe1\x00"s, "991231235959Z", kReason),
        Entry("\x00\xff"s + std::string(19, 'x'), "000229000000Z", kReason)}) {
    ASSERT_TRUE(First(entry, 2).read);
    for (size_t i = 0; i < entry.size(); ++i) {
      for (int octet = 0; octet < 256; ++octet) {
        std::string changed = entry;
        changed[i] = static_cast<char>(octet);
        ExpectBothWaysAgree(changed);
      }
    }
  }
}

TEST(CrlEntries, BothWaysAgreeOnEveryDay) {
  for (int year = 0; year < 100; ++year) {
    for (int month = 0; month <= 13; ++month) {
      for (int day = 0; day <= 32; day += day == 1 ? 27 : 1) {
        char time[80];
        std::snprintf(time, sizeof(time), "%02d%02d%02d%02d%02d%02dZ", year,
                      month, day, day % 25, month * 5, 60 - day);
        ExpectBothWaysAgree(Entry("\x11", time, ""));
      }
    }
  }
}

TEST(OverlappingDigests, AreThoseOfEachMessageAlone) {
  std::string text(3000, '\0');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 31);
  const Bytes all = AsBytes(text);
  for (const HashAlgorithm algorithm :
       {HashAlgorithm::kSha256, HashAlgorithm::kSha384,
        HashAlgorithm::kSha512}) {
    for (const size_t size : {0, 1, 55, 56, 64, 119, 128, 1000, 3000}) {
      for (const size_t start : {0, 4, 63, 64, 200}) {
        for (const size_t step : {1, 64, 100, 5000}) {
          const Bytes whole = all.subspan(0, size);
          const Bytes inner = start > size
                                  ? whole.subspan(size)
                                  : whole.subspan(start, (size - start) / 2);
          OverlappingDigests digests(whole, inner, algorithm);
          for (size_t i = 0; i < size; i += step) {
            digests.AdvanceTo(whole.data() + i);
          }
          uint8_t whole_digest[32];
          uint8_t inner_digest[kDigestBytesMax];
          digests.Finish(whole_digest, inner_digest);
          uint8_t expected[kDigestBytesMax];
          const DigestJob jobs[] = {{HashAlgorithm::kSha256, whole, expected}};
          DigestBatch(jobs);
          ASSERT_TRUE(SameBytes(Bytes(whole_digest), Bytes(expected, 32)));
          const DigestJob inner_jobs[] = {{algorithm, inner, expected}};
          DigestBatch(inner_jobs);
          ASSERT_TRUE(SameBytes(Bytes(inner_digest, DigestSize(algorithm)),
                                Bytes(expected, DigestSize(algorithm))));
        }
      }
    }
  }
}

}  // namespace
}  // namespace inkan
