// Object identifiers as text and back.
#include "crypto/oid.h"

#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace inkan {
namespace {

using std::string_literals::operator""s;

TEST(Oid, TextAndContentsAgree) {
  const struct {
    const char* text;
    std::string contents;
  } kCases[] = {
      {"2.5.29.15", "\x55\x1d\x0f"s},
      {"0.0", "\x00"s},
      {"0.39", "\x27"s},
      {"1.0", "\x28"s},
      {"1.39", "\x4f"s},
      {"2.0", "\x50"s},
      {"2.47", "\x7f"s},
      {"2.48", "\x81\x00"s},
      {"2.999.3", "\x88\x37\x03"s},
      {"1.2.392.200149.8.5.1.1.20",
       "\x2a\x83\x08\x8c\x9b\x55\x08\x05\x01\x01\x14"s},
      {"1.2.840.113549.1.1.11", "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"s},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.text);
    EXPECT_EQ(OidToText(AsBytes(c.contents)), c.text);
    ASSERT_TRUE(OidFromText(c.text).has_value());
    EXPECT_EQ(*OidFromText(c.text), c.contents);
  }
}

TEST(Oid, TextThatIsNoneIsRefused) {
  for (const char* text :
       {"", "1", ".", "1.", ".1", "1..2", "3.1", "0.40", "1.40", "1.2.",
        "1.2.x", "1.-2", "01.2", "1.02", " 1.2", "1.2 ", "1.2.3+4",
        "1.2.12345678901234567890"}) {
    EXPECT_FALSE(OidFromText(text).has_value()) << text;
  }
}

TEST(Oid, ArcsAbove64BitsAreWrittenOut) {
  // 2.25.<2^128 - 1>, a UUID's arc: 19 octets of 7 bits, the first with 2.
  std::string uuid = "\x69\x83"s;
  uuid.append(17, '\xff');
  uuid.push_back('\x7f');
  EXPECT_EQ(OidToText(AsBytes(uuid)),
            "2.25.340282366920938463463374607431768211455");
  // 2.<2^70 - 1 - 80>: the two first arcs share the big one.
  std::string first(9, '\xff');
  first.push_back('\x7f');
  EXPECT_EQ(OidToText(AsBytes(first)), "2.1180591620717411303343");
}

TEST(Oid, AHugeOneIsNotWrittenOutAndCostsNoTime) {
  std::string huge(1 << 20, '\xff');
  huge.push_back('\x01');
  const absl::Time start = absl::Now();
  EXPECT_EQ(OidToText(AsBytes(huge)), "an OBJECT IDENTIFIER of 1048577 octets");
  EXPECT_EQ(OidDisplay(AsBytes(huge)), OidToText(AsBytes(huge)));
  EXPECT_LT(absl::Now() - start, absl::Seconds(1));
}

TEST(Oid, TheOnesPeopleMeetHaveNames) {
  const auto display = [](const char* dotted) {
    return OidDisplay(AsBytes(*OidFromText(dotted)));
  };
  EXPECT_EQ(display("1.2.392.200149.8.5.1.1.20"),
            "JPKI digital signature certificate policy "
            "(1.2.392.200149.8.5.1.1.20)");
  EXPECT_EQ(display("1.2.392.200149.8.5.5.4"),
            "JPKI date of birth (1.2.392.200149.8.5.5.4)");
  EXPECT_EQ(display("1.2.3.4"), "1.2.3.4");
}

}  // namespace
}  // namespace inkan
