// The DER reader against encodings at and past every rule it enforces.
#include "crypto/der.h"

#include <string>
#include <string_view>
#include <vector>

#include "bench/lab/calendar.h"
#include "bench/lab/der_writer.h"
#include "gtest/gtest.h"

namespace inkan {
namespace {

using std::string_literals::operator""s;

// One element of `tag` with `length` octets written as the length.
std::string WithLength(uint8_t tag, std::string_view length,
                       size_t contents_size) {
  std::string der(1, static_cast<char>(tag));
  der.append(length);
  der.append(contents_size, 'x');
  return der;
}

bool ReadsWhole(uint8_t tag, const std::string& der) {
  DerReader reader(AsBytes(der));
  Bytes contents;
  return reader.Read(tag, &contents) && reader.empty();
}

TEST(DerReader, TakesOnlyTheShortestDefiniteLength) {
  const struct {
    std::string length;
    size_t size;
    bool valid;
  } kCases[] = {
      {"\x00"s, 0, true},
      {"\x7f"s, 127, true},
      {"\x81\x80"s, 128, true},
      {"\x81\xff"s, 255, true},
      {"\x82\x01\x00"s, 256, true},
      {"\x83\x01\x00\x00"s, 65536, true},
      {"\x84\x01\x00\x00\x00"s, 1 << 24, true},
      {"\x80"s, 2, false},                      // indefinite
      {"\x81\x7f"s, 127, false},                // fits the short form
      {"\x81\x00"s, 0, false},                  //
      {"\x82\x00\x80"s, 128, false},            // leading zero
      {"\x83\x00\x01\x00"s, 256, false},        //
      {"\x85\x00\x00\x00\x00\x05"s, 5, false},  // five octets of length
      {"\x88\xff\xff\xff\xff\xff\xff\xff\xff"s, 5, false},
      {"\x84\xff\xff\xff\xff"s, 5, false},  // beyond the input
      {"\xff"s, 200, false},                // reserved
      {"\x06"s, 5, false},                  // one octet short
      {"\x82\x01"s, 0, false},              // length itself cut off
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(testing::PrintToString(c.length));
    EXPECT_EQ(ReadsWhole(der::kOctetString,
                         WithLength(der::kOctetString, c.length, c.size)),
              c.valid);
  }
}

TEST(DerReader, RefusesTagNumbersThatNeedMoreThanOneOctet) {
  for (const int tag : {0x1f, 0x3f, 0x5f, 0x9f, 0xbf, 0xff}) {
    EXPECT_FALSE(ReadsWhole(static_cast<uint8_t>(tag),
                            WithLength(static_cast<uint8_t>(tag), "\x01", 1)));
  }
}

TEST(DerReader, LeavesReaderAndOutputAsTheyWereWhenItRefuses) {
  const std::string bad = "\x01\x01\x02\x04\x00"s;  // BOOLEAN 02, OCTET STRING
  DerReader reader(AsBytes(bad));
  bool boolean = true;
  uint64_t number = 7;
  int64_t time = 8;
  uint16_t bits = 9;
  Bytes bytes = AsBytes("untouched");
  EXPECT_FALSE(reader.ReadBoolean(&boolean));
  EXPECT_FALSE(reader.ReadUint64(&number));
  EXPECT_FALSE(reader.ReadTime(&time));
  EXPECT_FALSE(reader.ReadNamedBits(der::kBitString, &bits));
  EXPECT_FALSE(reader.ReadOid(&bytes));
  EXPECT_FALSE(reader.ReadInteger(&bytes));
  EXPECT_FALSE(reader.ReadOctetAlignedBitString(&bytes));
  EXPECT_FALSE(reader.Read(der::kSequence, &bytes));
  EXPECT_TRUE(boolean);
  EXPECT_EQ(number, 7U);
  EXPECT_EQ(time, 8);
  EXPECT_EQ(bits, 9);
  EXPECT_EQ(AsText(bytes), "untouched");
  EXPECT_EQ(reader.rest().size(), bad.size());
}

TEST(DerReader, ReadsBooleansOfTwoValuesOnly) {
  for (int value = 0; value < 256; ++value) {
    const std::string der = "\x01\x01"s + static_cast<char>(value);
    DerReader reader(AsBytes(der));
    bool result = value == 0;
    EXPECT_EQ(reader.ReadBoolean(&result), value == 0 || value == 255);
    if (value == 0 || value == 255) {
      EXPECT_EQ(result, value == 255);
    }
  }
  bool none;
  const std::string empty = "\x01\x00"s;
  EXPECT_FALSE(DerReader(AsBytes(empty)).ReadBoolean(&none));
}

TEST(DerReader, ReadsIntegersInShortestFormOnly) {
  const struct {
    std::string contents;
    bool integer;
    bool fits;  // as an unsigned 64-bit number
    uint64_t value;
  } kCases[] = {
      {""s, false, false, 0},
      {"\x00"s, true, true, 0},
      {"\x7f"s, true, true, 127},
      {"\x80"s, true, false, 0},  // -128
      {"\xff"s, true, false, 0},  // -1
      {"\x00\x80"s, true, true, 128},
      {"\x00\x7f"s, false, false, 0},  // padded
      {"\xff\x80"s, false, false, 0},  // padded negative
      {"\xff\x7f"s, true, false, 0},   // -129
      {"\x00\xff\xff\xff\xff\xff\xff\xff\xff"s, true, true, UINT64_MAX},
      {"\x01\x00\x00\x00\x00\x00\x00\x00\x00"s, true, false, 0},  // 2^64
      {"\x7f\xff\xff\xff\xff\xff\xff\xff"s, true, true, INT64_MAX},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(testing::PrintToString(c.contents));
    const std::string der = lab::DerElement(der::kInteger, c.contents);
    Bytes contents;
    uint64_t value = 0;
    EXPECT_EQ(DerReader(AsBytes(der)).ReadInteger(&contents), c.integer);
    EXPECT_EQ(DerReader(AsBytes(der)).ReadUint64(&value), c.fits);
    EXPECT_EQ(AsText(contents), c.integer ? c.contents : "");
    EXPECT_EQ(value, c.value);
  }
}

TEST(DerReader, ReadsNamedBitsWithoutTrailingZeros) {
  const struct {
    std::string contents;
    bool valid;
    uint16_t bits;
  } kCases[] = {
      {"\x00"s, true, 0},
      {"\x07\x80"s, true, 1},
      {"\x06\xc0"s, true, 3},
      {"\x01\x06"s, true, 0x60},
      {"\x07\x00\x80"s, true, 0x100},
      {"\x00\xff\xff"s, true, 0xffff},
      {""s, false, 0},
      {"\x01"s, false, 0},      // bits of nothing
      {"\x08\x80"s, false, 0},  // 8 unused bits
      {"\x06\x80"s, false, 0},  // last bit is 0
      {"\x07\xc0"s, false, 0},  // an unused bit is 1
      {"\x00\x00"s, false, 0},
      {"\x00\xff\xff\x01"s, false, 0},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(testing::PrintToString(c.contents));
    const std::string der = lab::DerElement(der::kBitString, c.contents);
    uint16_t bits = 0;
    EXPECT_EQ(DerReader(AsBytes(der)).ReadNamedBits(der::kBitString, &bits),
              c.valid);
    EXPECT_EQ(bits, c.bits);
  }
}

TEST(DerReader, ReadsOidsWhoseEveryArcIsShortest) {
  const struct {
    std::string contents;
    bool valid;
  } kCases[] = {
      {"\x55\x1d\x0f"s, true},     {"\x2a\x86\x48"s, true}, {""s, false},
      {"\x2a\x86"s, false},         // the last arc has no end
      {"\x80\x01"s, false},         // first arc padded
      {"\x2a\x80\x01"s, false},     // inner arc padded
      {"\x2a\x81\x80\x01"s, true},  // 0x80 inside an arc is no padding
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(testing::PrintToString(c.contents));
    const std::string der = lab::DerElement(der::kOid, c.contents);
    Bytes oid;
    EXPECT_EQ(DerReader(AsBytes(der)).ReadOid(&oid), c.valid);
  }
}

TEST(DerReader, ReadsTimesInTheOneFormOfRfc5280) {
  constexpr uint8_t kUtc = der::kUtcTime;
  constexpr uint8_t kGeneralized = der::kGeneralizedTime;
  const struct {
    uint8_t tag;
    const char* text;
    bool valid;
    int64_t seconds;
  } kCases[] = {
      {kUtc, "500101000000Z", true, lab::UtcSeconds(1950, 1, 1)},
      {kUtc, "491231235959Z", true, lab::UtcSeconds(2049, 12, 31, 23, 59, 59)},
      {kUtc, "700101000000Z", true, 0},
      {kUtc, "000229000000Z", true, lab::UtcSeconds(2000, 2, 29)},
      {kUtc, "230229000000Z", false, 0},
      {kUtc, "160630235960Z", false, 0},  // a leap second
      {kUtc, "1606302359Z", false, 0},
      {kUtc, "160630235959", false, 0},
      {kUtc, "160630235959+0900", false, 0},
      {kUtc, "161301000000Z", false, 0},
      {kUtc, "160001000000Z", false, 0},
      {kUtc, "160100000000Z", false, 0},
      {kUtc, "160431000000Z", false, 0},
      {kUtc, "160401240000Z", false, 0},
      {kUtc, "160401006000Z", false, 0},
      {kUtc, "16040100000:Z", false, 0},
      {kUtc, "-60401000000Z", false, 0},
      {kUtc, "20160401000000Z", false, 0},
      {kGeneralized, "20500101000000Z", true, lab::UtcSeconds(2050, 1, 1)},
      {kGeneralized, "19491231235959Z", true,
       lab::UtcSeconds(1949, 12, 31, 23, 59, 59)},
      {kGeneralized, "00000101000000Z", true, kTimeMin},
      {kGeneralized, "99991231235959Z", true, kTimeMax},
      {kGeneralized, "19000229000000Z", false, 0},
      {kGeneralized, "20000229000000Z", true, lab::UtcSeconds(2000, 2, 29)},
      {kGeneralized, "20240229235959Z", true,
       lab::UtcSeconds(2024, 2, 29, 23, 59, 59)},
      {kGeneralized, "20250229000000Z", false, 0},
      {kGeneralized, "20161231235960Z", false, 0},
      {kGeneralized, "20160101000000.5Z", false, 0},
      {kGeneralized, "201601010000Z", false, 0},
      {kGeneralized, "20160101000000", false, 0},
      {kGeneralized, "160101000000Z", false, 0},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.text);
    const std::string der = lab::DerElement(c.tag, c.text);
    int64_t seconds = 0;
    EXPECT_EQ(DerReader(AsBytes(der)).ReadTime(&seconds), c.valid);
    EXPECT_EQ(seconds, c.seconds);
    EXPECT_EQ(DerReader(AsBytes(der)).ReadGeneralizedTime(&seconds),
              c.valid && c.tag == kGeneralized);
  }
}

TEST(DerReader, CountsEveryDayOfFourCenturies) {
  int64_t expected = lab::UtcSeconds(1800, 1, 1);
  for (lab::Date day = {1800, 1, 1}; day.year < 2200;
       day = lab::AddDays(day, 1), expected += 86400) {
    char text[32];
    snprintf(text, sizeof(text), "%04d%02d%02d000000Z", day.year, day.month,
             day.day);
    const std::string der = lab::DerElement(der::kGeneralizedTime, text);
    int64_t seconds = 0;
    ASSERT_TRUE(DerReader(AsBytes(der)).ReadTime(&seconds)) << text;
    ASSERT_EQ(seconds, expected) << text;
  }
}

TEST(DerReader, GoesDownAnyDepthWithoutRecursion) {
  std::string der;
  for (int depth = 0; depth < 10'000; ++depth) {
    der = lab::DerHeader(der::kSequence, der.size()) + der;
  }
  Bytes contents = AsBytes(der);
  int depth = 0;
  while (!contents.empty()) {
    DerReader reader(contents);
    ASSERT_TRUE(reader.Read(der::kSequence, &contents));
    ASSERT_TRUE(reader.empty());
    ++depth;
  }
  EXPECT_EQ(depth, 10'000);
}

}  // namespace
}  // namespace inkan
