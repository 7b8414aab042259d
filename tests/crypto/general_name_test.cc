// GeneralName: RFC 5280 section 4.2.1.6.
#include "crypto/general_name.h"

#include <string>

#include "bench/lab/der_writer.h"
#include "bench/lab/name.h"
#include "gtest/gtest.h"

namespace inkan {
namespace {

using lab::DerElement;
using std::string_literals::operator""s;

bool IsWellFormed(const std::string& general_name) {
  return AreWellFormedGeneralNames(AsBytes(general_name));
}

std::string PartyName(const std::string& contents) {
  return DerElement(der::ContextConstructed(5), contents);
}

TEST(GeneralName, EveryFormIsRead) {
  const std::string text = DerElement(der::kUtf8String, "a");
  const std::string assigner = DerElement(der::ContextConstructed(0), text);
  const std::string party = DerElement(der::ContextConstructed(1), text);
  const struct {
    GeneralNameKind kind;
    std::string der;
  } kCases[] = {
      {GeneralNameKind::kOtherName, lab::OtherNameUtf8("1.2.3", "a")},
      {GeneralNameKind::kRfc822Name, lab::EmailName("a@example.jp")},
      {GeneralNameKind::kDnsName, lab::DnsName("example.jp")},
      {GeneralNameKind::kX400Address,
       DerElement(der::ContextConstructed(3), "")},
      {GeneralNameKind::kDirectoryName, lab::DirectoryName({{"C", "JP"}})},
      {GeneralNameKind::kEdiPartyName, PartyName(party)},
      {GeneralNameKind::kEdiPartyName, PartyName(assigner + party)},
      {GeneralNameKind::kUri, lab::UriName("http://example.jp/")},
      {GeneralNameKind::kIpAddress, lab::IpName("\x7f\0\0\x01"s)},
      {GeneralNameKind::kRegisteredId, lab::RegisteredIdName("1.2.840.1")},
  };
  for (const auto& c : kCases) {
    DerReader reader(AsBytes(c.der));
    GeneralName name;
    ASSERT_TRUE(ReadGeneralName(&reader, &name)) << static_cast<int>(c.kind);
    EXPECT_TRUE(reader.empty());
    EXPECT_EQ(name.kind, c.kind);
  }
}

TEST(GeneralName, MalformedOnesAreRefused) {
  EXPECT_FALSE(IsWellFormed(""));
  EXPECT_FALSE(IsWellFormed(lab::EmailName("a\x80")));
  EXPECT_FALSE(IsWellFormed(DerElement(der::Context(9), "a")));
  EXPECT_FALSE(IsWellFormed(DerElement(der::kIa5String, "a")));
  EXPECT_FALSE(IsWellFormed(DerElement(der::ContextConstructed(1), "")));
  EXPECT_FALSE(IsWellFormed(DerElement(der::Context(4), "\x30\0"s)));
  // A country that is no string.
  EXPECT_FALSE(IsWellFormed(lab::DirectoryName({{"C", "JP", 0xc8}})));
}

TEST(GeneralName, AnEdiPartyNameHasAParty) {
  const auto wrap = [](unsigned n, const std::string& contents) {
    return DerElement(der::ContextConstructed(n), contents);
  };
  const std::string text = DerElement(der::kUtf8String, "a");
  const std::string number = DerElement(der::kInteger, "\x01");
  EXPECT_TRUE(IsWellFormed(PartyName(wrap(1, text))));
  for (const std::string& contents :
       {""s, text, wrap(0, text), wrap(1, text) + wrap(0, text),
        wrap(1, text) + wrap(1, text), wrap(1, ""), wrap(1, number),
        wrap(1, text + text), wrap(0, number) + wrap(1, text),
        // A directoryName under the wrong number.
        lab::Name({{"C", "JP"}}).Encode()}) {
    EXPECT_FALSE(IsWellFormed(PartyName(contents)));
  }
}

TEST(GeneralName, ARegisteredIdIsAnOid) {
  const auto is_well_formed = [](const std::string& contents) {
    return IsWellFormed(DerElement(der::Context(8), contents));
  };
  EXPECT_TRUE(is_well_formed("\x2a"));
  EXPECT_TRUE(is_well_formed("\x2a\x86\x48\x01"));
  EXPECT_TRUE(is_well_formed("\x2a\x81\x80\x01"));
  EXPECT_FALSE(is_well_formed(""));
  EXPECT_FALSE(is_well_formed("\x2a\x86"));      // the last arc is cut off
  EXPECT_FALSE(is_well_formed("\x80\x2a"));      // a leading zero
  EXPECT_FALSE(is_well_formed("\x2a\x80\x01"));  // in the second
}

}  // namespace
}  // namespace inkan
