// CPS pointers and user notices, read for people.
#include "crypto/policy_qualifier.h"

#include <string>
#include <vector>

#include "bench/lab/der_writer.h"
#include "crypto/der.h"
#include "gtest/gtest.h"

namespace inkan {
namespace {

using std::string_literals::operator""s;

// A short element.
std::string E(uint8_t tag, const std::string& contents) {
  return std::string{static_cast<char>(tag),
                     static_cast<char>(contents.size())} +
         contents;
}

const std::string kCps = "\x06\x08\x2b\x06\x01\x05\x05\x07\x02\x01";
const std::string kNotice = "\x06\x08\x2b\x06\x01\x05\x05\x07\x02\x02";

std::string Cps(const std::string& uri) { return E(0x30, kCps + E(0x16, uri)); }

TEST(PolicyQualifier, PointersAndNoticesAreRead) {
  const std::string reference =
      E(0x30, E(0x0c, "Lab") + E(0x30, E(0x02, "\x01") + E(0x02, "\x07")));
  const std::string notice =
      E(0x30, kNotice + E(0x30, reference + E(0x1e, "\x5c\x71\0a"s)));
  const std::string text = Cps("http://cps.example") + notice;
  const auto qualifiers = ReadPolicyQualifiers(AsBytes(text));
  ASSERT_EQ(qualifiers.size(), 2U);
  EXPECT_EQ(qualifiers[0].cps_uri, "http://cps.example");
  EXPECT_EQ(qualifiers[1].cps_uri, "");
  EXPECT_EQ(qualifiers[1].notice_organization, "Lab");
  EXPECT_EQ(qualifiers[1].notice_numbers, (std::vector<uint64_t>{1, 7}));
  EXPECT_EQ(qualifiers[1].notice_text, "\xe5\xb1\xb1"s + "a");
}

TEST(PolicyQualifier, WhatIsMalformedOrUnknownIsLeftOut) {
  const std::string unknown = E(0x30, E(0x06, "\x2a\x03") + E(0x16, "x"));
  const std::string number = E(0x30, kCps + E(0x02, "\x01"));
  const std::string surplus = E(0x30, kCps + E(0x16, "x") + E(0x16, "y"));
  const std::string empty_notice = E(0x30, kNotice + E(0x30, ""));
  const auto qualifiers = ReadPolicyQualifiers(
      AsBytes(unknown + number + surplus + empty_notice + Cps("u")));
  ASSERT_EQ(qualifiers.size(), 2U);
  EXPECT_EQ(qualifiers[0].notice_text, "");
  EXPECT_EQ(qualifiers[1].cps_uri, "u");
  EXPECT_TRUE(ReadPolicyQualifiers(AsBytes("\xff")).empty());
  EXPECT_TRUE(IsKnownPolicyQualifier(AsBytes(kCps.substr(2))));
  EXPECT_TRUE(IsKnownPolicyQualifier(AsBytes(kNotice.substr(2))));
  EXPECT_FALSE(IsKnownPolicyQualifier(AsBytes("\x2a\x03")));
}

TEST(PolicyQualifier, OctetsThatAreNoCharactersAreWrittenOut) {
  const std::string text = Cps("a\xff\xc3\xa9"s);
  EXPECT_EQ(ReadPolicyQualifiers(AsBytes(text))[0].cps_uri, "a\\xff\xc3\xa9");
}

TEST(PolicyQualifier, AtMostSixteenAreRead) {
  std::string text;
  for (size_t i = 0; i < kPolicyQualifiersMax; ++i) text += Cps("u");
  EXPECT_EQ(ReadPolicyQualifiers(AsBytes(text)).size(), kPolicyQualifiersMax);
  text += Cps("u");
  EXPECT_EQ(ReadPolicyQualifiers(AsBytes(text)).size(), kPolicyQualifiersMax);
  std::string numbers;
  for (size_t i = 0; i <= kNoticeNumbersMax; ++i) numbers += E(0x02, "\x01");
  const std::string reference = E(0x30, E(0x0c, "L") + E(0x30, numbers));
  const std::string notice = E(0x30, kNotice + E(0x30, reference));
  EXPECT_EQ(ReadPolicyQualifiers(AsBytes(notice))[0].notice_numbers.size(),
            kNoticeNumbersMax);
}

}  // namespace
}  // namespace inkan
