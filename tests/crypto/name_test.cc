// Names: RFC 5280 section 7.1 comparison, RFC 4514 text.
#include "crypto/name.h"

#include <string>
#include <vector>

#include "bench/lab/der_writer.h"
#include "bench/lab/name.h"
#include "gtest/gtest.h"

namespace inkan {
namespace {

using lab::Name;
using std::string_literals::operator""s;

std::string Cn(std::string value, uint8_t tag = der::kUtf8String) {
  return Name({{"CN", std::move(value), tag}}).Encode();
}

// An attribute of a type that RFC 5280 does not define.
std::string Other(std::string value, uint8_t tag = der::kUtf8String) {
  return Name({{"1.2.3.4", std::move(value), tag}}).Encode();
}

struct NamePair {
  const char* what;
  std::string a;
  std::string b;
  bool same;
};

std::vector<NamePair> Pairs() {
  constexpr uint8_t kUtf8 = der::kUtf8String;
  return {
      {"equal", Cn("JPKI"), Cn("JPKI"), true},
      {"case", Cn("JpKi"), Cn("jPkI"), true},
      {"string type", Cn("JPKI"), Cn("JPKI", der::kPrintableString), true},
      {"IA5String", Cn("JPKI"), Cn("JPKI", der::kIa5String), true},
      {"outer spaces", Cn("  JPKI "), Cn("JPKI"), true},
      {"inner spaces", Cn("a  b\t c"), Cn("a b c"), true},
      {"a space or none", Cn("a b"), Cn("ab"), false},
      {"only spaces", Cn("   "), Cn(""), true},
      {"BMPString", Cn("a\xc3\xa9"), Cn("\0a\0\xe9"s, der::kBmpString), true},
      {"UniversalString", Cn("a"), Cn("\0\0\0a"s, der::kUniversalString), true},
      {"TeletexString", Cn("\xc3\xa9"), Cn("\xe9", der::kTeletexString), true},
      {"Japanese", Cn("\xe6\x97\xa5"), Cn("\xe6\x97\xa6"), false},
      {"case beyond ASCII", Cn("\xc3\x89"), Cn("\xc3\xa9"), true},
      {"composed or not", Cn("e\xcc\x81"), Cn("\xc3\xa9"), true},
      {"fullwidth", Cn("\xef\xbc\xaa\xef\xbc\xb0"), Cn("jp"), true},
      {"ideographic space", Cn("\xe5\xb1\xb1\xe3\x80\x80\xe7\x94\xb0"),
       Cn(" \xe5\xb1\xb1  \xe7\x94\xb0"), true},
      {"TeletexString case", Cn("\xc3\xa9"), Cn("\xc9", der::kTeletexString),
       true},
      {"BMPString, fullwidth", Cn("a"), Cn("\xff\x21"s, der::kBmpString), true},
      {"UniversalString, fullwidth", Cn("A"),
       Cn("\0\0\xff\x41"s, der::kUniversalString), true},
      {"a soft hyphen", Cn("JP\xc2\xadKI"), Cn("JPKI"), true},
      {"a control character", Cn("JP\x01KI"), Cn("jpki"), true},
      {"private use, the same octets", Cn("\xee\x80\x80"), Cn("\xee\x80\x80"),
       true},
      {"private use, another case", Cn("\xee\x80\x80"s + "a"),
       Cn("\xee\x80\x80"s + "A"), false},
      {"private use, another type", Cn("\xee\x80\x80"),
       Cn("\xe0\x00"s, der::kBmpString), false},
      {"a prefix", Cn("JPKI"), Cn("JPKI2"), false},
      {"an embedded NUL", Cn("a"), Cn("a\0b"s), false},
      {"attribute type", Name({{"O", "x", kUtf8}}).Encode(),
       Name({{"OU", "x", kUtf8}}).Encode(), false},
      {"not a string", Other("a"), Other("a", der::kOctetString), false},
      {"an unknown tag", Other("a"), Other("a", 0x40), false},
      {"one RDN more", Cn("a"), Name({{"CN", "a"}, {"CN", "a"}}).Encode(),
       false},
      {"order of RDNs", Name({{"O", "a"}, {"CN", "b"}}).Encode(),
       Name({{"CN", "b"}, {"O", "a"}}).Encode(), false},
      {"one RDN or two",
       Name().AddMultiValued({{"O", "a"}, {"CN", "b"}}).Encode(),
       Name({{"O", "a"}, {"CN", "b"}}).Encode(), false},
      {"order within an RDN",
       Name().AddMultiValued({{"O", "a"}, {"CN", "b"}}).Encode(),
       Name().AddMultiValued({{"CN", "B"}, {"O", "A"}}).Encode(), true},
      {"values swapped within an RDN",
       Name().AddMultiValued({{"O", "a"}, {"CN", "b"}}).Encode(),
       Name().AddMultiValued({{"CN", "a"}, {"O", "b"}}).Encode(), false},
      {"empty and empty", Name().Encode(), Name().Encode(), true},
      {"empty and not", Name().Encode(), Cn(""), false},
  };
}

TEST(Name, IsComparedByTheRulesOfRfc5280) {
  for (const NamePair& pair : Pairs()) {
    SCOPED_TRACE(pair.what);
    ASSERT_TRUE(IsWellFormedName(AsBytes(pair.a)));
    ASSERT_TRUE(IsWellFormedName(AsBytes(pair.b)));
    EXPECT_EQ(SameName(AsBytes(pair.a), AsBytes(pair.b)), pair.same);
    EXPECT_EQ(SameName(AsBytes(pair.b), AsBytes(pair.a)), pair.same);
  }
}

TEST(Name, CanonicalFormsAreEqualExactlyWhereNamesAreTheSame) {
  std::vector<std::string> names;
  for (const NamePair& pair : Pairs()) {
    names.push_back(pair.a);
    names.push_back(pair.b);
  }
  for (const std::string& a : names) {
    for (const std::string& b : names) {
      EXPECT_EQ(SameName(AsBytes(a), AsBytes(b)),
                CanonicalName(AsBytes(a)) == CanonicalName(AsBytes(b)))
          << NameToText(AsBytes(a)) << " | " << NameToText(AsBytes(b));
    }
  }
}

TEST(Name, ACanonicalFormIsAPrefixOfThoseInItsSubtree) {
  const auto under = [](const Name& name, const Name& base) {
    const std::string canonical = CanonicalName(AsBytes(name.Encode()));
    return canonical.starts_with(CanonicalName(AsBytes(base.Encode())));
  };
  const Name base = {{"C", "JP"}, {"O", "Inkan"}};
  EXPECT_TRUE(under({{"C", "jp"}, {"O", " INKAN"}}, base));
  EXPECT_TRUE(under({{"C", "JP"}, {"O", "inkan"}, {"CN", "a"}}, base));
  EXPECT_TRUE(under({{"C", "JP"}}, Name()));
  EXPECT_FALSE(under({{"C", "JP"}}, base));
  EXPECT_FALSE(under({{"C", "JP"}, {"O", "Inkan2"}}, base));
  EXPECT_FALSE(under({{"O", "Inkan"}, {"C", "JP"}}, base));
  EXPECT_FALSE(under(
      Name({{"C", "JP"}}).AddMultiValued({{"O", "Inkan"}, {"CN", "a"}}), base));
}

TEST(Name, MalformedOnesAreToldApart) {
  const std::string good = Name({{"C", "JP"}, {"CN", "a"}}).Encode();
  EXPECT_TRUE(IsWellFormedName(AsBytes(good)));
  EXPECT_FALSE(IsEmptyName(AsBytes(good)));
  EXPECT_TRUE(IsWellFormedName(AsBytes("\x30\x00"s)));
  EXPECT_TRUE(IsEmptyName(AsBytes("\x30\x00"s)));
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(IsWellFormedName(AsBytes(good).first(size))) << size;
  }
  EXPECT_FALSE(IsWellFormedName(AsBytes(good + "\0"s)));
  EXPECT_FALSE(IsWellFormedName(AsBytes("\x30\x02\x31\x00"s)));  // empty RDN
  EXPECT_FALSE(IsWellFormedName(AsBytes("\x30\x04\x31\x02\x30\x00"s)));
}

TEST(Name, AValueConsistsOfCharactersOfItsStringType) {
  const auto is_well_formed = [](std::string value, uint8_t tag) {
    const Name name = {{"CN", std::move(value), tag}};
    return IsWellFormedName(AsBytes(name.Encode()));
  };
  constexpr uint8_t kUtf8 = 0x0c;
  constexpr uint8_t kUniversal = 0x1c;
  constexpr uint8_t kBmp = 0x1e;
  EXPECT_TRUE(is_well_formed("\xe5\xb1\xb1", kUtf8));
  EXPECT_FALSE(is_well_formed("\xe5\xb1", kUtf8));          // cut off
  EXPECT_FALSE(is_well_formed("Tes\xf4", kUtf8));           // lead octet alone
  EXPECT_FALSE(is_well_formed("\xc0\xaf", kUtf8));          // overlong
  EXPECT_FALSE(is_well_formed("\xed\xa0\x80", kUtf8));      // surrogate
  EXPECT_FALSE(is_well_formed("\xf4\x90\x80\x80", kUtf8));  // past U+10FFFF
  EXPECT_TRUE(is_well_formed("\x5c\x71", kBmp));
  EXPECT_FALSE(is_well_formed("\x5c", kBmp));
  EXPECT_TRUE(is_well_formed("\0\0\x5c\x71"s, kUniversal));
  EXPECT_FALSE(is_well_formed("\0\x5c\x71"s, kUniversal));
  // Wherever it stands, though octets are looked at eight at a time.
  for (size_t at = 0; at < 20; ++at) {
    std::string text(20, 'a');
    EXPECT_TRUE(is_well_formed(text, kUtf8));
    text[at] = '\xff';
    EXPECT_FALSE(is_well_formed(text, kUtf8)) << at;
    text = std::string(at, 'a') + "\xe5\xb1\xb1" + std::string(20 - at, 'a');
    EXPECT_TRUE(is_well_formed(text, kUtf8)) << at;
  }
}

// Names are compared before any signature is verified, so what a stranger may
// have normalised is bounded.
TEST(Name, ATextBeyondAsciiHasAtMost1024OctetsInUtf8) {
  const auto is_well_formed = [](const std::string& value, uint8_t tag,
                                 const char* type = "CN") {
    const Name name = {{type, value, tag}};
    return IsWellFormedName(AsBytes(name.Encode()));
  };
  const auto times = [](size_t count, const std::string& character) {
    std::string text;
    while (count-- > 0) text += character;
    return text;
  };
  const std::string yama = "\xe5\xb1\xb1";
  EXPECT_EQ(kPreparedTextBytesMax, 1024U);
  const std::string at = times(341, yama) + "a";
  for (const char* type : {"CN", "2.5.4.16", "1.2.3.4"}) {
    for (const uint8_t tag :
         {der::kUtf8String, der::kPrintableString, der::kIa5String,
          der::kNumericString, der::kVisibleString}) {
      EXPECT_TRUE(is_well_formed(at, tag, type)) << type << " " << +tag;
      EXPECT_FALSE(is_well_formed(at + "a", tag, type)) << type << " " << +tag;
      EXPECT_FALSE(is_well_formed(std::string(1024, 'a') + "\x01", tag, type));
      EXPECT_TRUE(is_well_formed(std::string(30'000, 'a'), tag, type));
      EXPECT_TRUE(is_well_formed(std::string(30'000, ' '), tag, type));
    }
    // What counts is the length of the text, however it is written.
    EXPECT_TRUE(is_well_formed(times(341, "\x5c\x71"), der::kBmpString, type));
    EXPECT_FALSE(is_well_formed(times(342, "\x5c\x71"), der::kBmpString, type));
    EXPECT_TRUE(is_well_formed(times(30'000, "\0a"s), der::kBmpString, type));
    EXPECT_TRUE(
        is_well_formed(times(256, "\0\1\xf4\0"s), der::kUniversalString, type));
    EXPECT_FALSE(
        is_well_formed(times(257, "\0\1\xf4\0"s), der::kUniversalString, type));
    EXPECT_TRUE(is_well_formed(times(512, "\xe9"), der::kTeletexString, type));
    EXPECT_FALSE(is_well_formed(times(513, "\xe9"), der::kTeletexString, type));
  }
  // Each value by itself, in whatever RDN; and all of them together.
  const auto sized = [&](size_t rdns, const std::string& text) {
    Name name = {{"O", at}, {"O", at}, {"O", at}, {"CN", text}};
    const std::string whole = name.Encode();
    return Name({{"O", at}, {"O", at}, {"O", at}, {"CN", text}})
        .Add("OU", std::string(rdns - (whole.size() - 4) - 17, 'a'))
        .Encode();
  };
  EXPECT_EQ(kPreparedNameBytesMax, 4096U);
  EXPECT_EQ(sized(4096, yama).size(), 4096U + 4);
  EXPECT_TRUE(IsWellFormedName(AsBytes(sized(4096, yama))));
  EXPECT_FALSE(IsWellFormedName(AsBytes(sized(4097, yama))));
  const std::string most(20'000, 'a');
  EXPECT_TRUE(
      IsWellFormedName(AsBytes(Name({{"O", most}, {"CN", "b"}}).Encode())));
  EXPECT_FALSE(
      IsWellFormedName(AsBytes(Name({{"O", most}, {"CN", yama}}).Encode())));
  EXPECT_TRUE(IsWellFormedName(AsBytes(
      Name({{"CN", at}}).AddMultiValued({{"O", at}, {"OU", at}}).Encode())));
  EXPECT_FALSE(IsWellFormedName(
      AsBytes(Name({{"C", "JP"}})
                  .AddMultiValued({{"O", at}, {"OU", at + "a"}})
                  .Encode())));
  // No string, and so compared as it is.
  EXPECT_TRUE(is_well_formed(std::string(30'000, '\xff'), der::kOctetString,
                             "1.2.3.4"));
  // Marks that normalising would put in order one by one.
  EXPECT_FALSE(is_well_formed(
      times(16'000, "\xcc\x81") + times(16'000, "\xcc\x96"), der::kUtf8String));
}

TEST(Name, WhatRfc5280DefinesAsAStringIsOne) {
  constexpr uint8_t kStrings[] = {der::kUtf8String,    der::kPrintableString,
                                  der::kIa5String,     der::kNumericString,
                                  der::kVisibleString, der::kTeletexString};
  constexpr uint8_t kOthers[] = {der::kBoolean,
                                 der::kInteger,
                                 der::kBitString,
                                 der::kOctetString,
                                 der::kOid,
                                 der::kUtcTime,
                                 der::kSequence,
                                 der::kSet,
                                 der::Context(3),
                                 0x1b,
                                 0x53,
                                 0xc8};
  for (const char* type :
       {"2.5.4.3", "2.5.4.4", "2.5.4.5", "2.5.4.6", "2.5.4.7", "2.5.4.8",
        "2.5.4.10", "2.5.4.11", "2.5.4.12", "2.5.4.41", "2.5.4.42", "2.5.4.43",
        "2.5.4.44", "2.5.4.46", "2.5.4.65", "0.9.2342.19200300.100.1.25",
        "1.2.840.113549.1.9.1"}) {
    for (const uint8_t tag : kStrings) {
      const std::string name = Name({{type, "JP", tag}}).Encode();
      EXPECT_TRUE(IsWellFormedName(AsBytes(name))) << type << " " << +tag;
    }
    for (const uint8_t tag : kOthers) {
      const std::string name = Name({{type, "JP", tag}}).Encode();
      EXPECT_FALSE(IsWellFormedName(AsBytes(name))) << type << " " << +tag;
    }
  }
  // x500UniqueIdentifier is a BIT STRING, postalAddress a SEQUENCE.
  for (const char* type : {"2.5.4.45", "2.5.4.16", "1.2.3.4"}) {
    for (const uint8_t tag : kOthers) {
      const std::string name = Name({{type, "JP", tag}}).Encode();
      EXPECT_TRUE(IsWellFormedName(AsBytes(name))) << type << " " << +tag;
    }
  }
}

TEST(Name, AnRdnByItselfIsHeldToTheSameRules) {
  const auto is_well_formed = [](const std::vector<lab::Attribute>& rdn) {
    const std::string set = lab::EncodeRdn(rdn);
    DerReader reader(AsBytes(set));
    Bytes contents;
    EXPECT_TRUE(reader.Read(der::kSet, &contents));
    return IsWellFormedRdn(contents);
  };
  EXPECT_TRUE(is_well_formed({{"CN", "a"}, {"O", "b"}}));
  EXPECT_FALSE(is_well_formed({}));
  EXPECT_FALSE(is_well_formed({{"CN", "\xff"}}));
  EXPECT_FALSE(is_well_formed(std::vector<lab::Attribute>(17, {"CN", "a"})));
  EXPECT_FALSE(IsWellFormedRdn(AsBytes("\x30\x00"s)));
}

TEST(Name, AnRdnHasAtMostSixteenAttributes) {
  std::vector<lab::Attribute> attributes;
  for (int i = 0; i < 16; ++i) {
    attributes.push_back({"CN", std::to_string(i)});
  }
  EXPECT_TRUE(
      IsWellFormedName(AsBytes(Name().AddMultiValued(attributes).Encode())));
  attributes.push_back({"CN", "16"});
  EXPECT_FALSE(
      IsWellFormedName(AsBytes(Name().AddMultiValued(attributes).Encode())));
}

TEST(Name, ARelativeNameIsPutAtTheEnd) {
  const std::string base = Name({{"C", "JP"}}).Encode();
  const std::string rdn = lab::EncodeRdn({{"CN", "Kyoto"}});
  DerReader reader(AsBytes(rdn));
  Bytes contents;
  ASSERT_TRUE(reader.Read(der::kSet, &contents));
  EXPECT_EQ(NameWithRdn(AsBytes(base), contents),
            Name({{"C", "JP"}, {"CN", "Kyoto"}}).Encode());
  EXPECT_EQ(NameWithRdn(AsBytes(base), AsBytes("\x30\x00"s)), "");
  EXPECT_EQ(NameWithRdn(AsBytes(base), Bytes()), "");
}

TEST(Name, IsWrittenByRfc4514) {
  const struct {
    Name name;
    const char* text;
  } kCases[] = {
      {Name(), ""},
      {{{"C", "JP"}, {"O", "JPKI"}, {"CN", "x"}}, "CN=x,O=JPKI,C=JP"},
      {{{"CN", "a,b+c\"d\\e<f>g;h"}}, "CN=a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h"},
      {{{"CN", " a "}}, "CN=\\ a\\ "},
      {{{"CN", "#a#"}}, "CN=\\#a#"},
      {{{"CN", "a\n\x7f"}}, "CN=a\\0A\\7F"},
      {{{"CN", "\0"s}}, "CN=\\00"},
      {{{"CN", "\xe6\x97\xa5\xe6\x9c\xac"}}, "CN=\xe6\x97\xa5\xe6\x9c\xac"},
      {{{"CN", "\xff\xc3"}}, "CN=\\FF\\C3"},
      {{{"CN", "\xed\xa0\x80"}}, "CN=\\ED\\A0\\80"},  // a surrogate
      {{{"CN", "\xc0\xaf"}}, "CN=\\C0\\AF"},          // over-long
      {Name().AddMultiValued({{"CN", "a"}, {"O", "b"}}), "CN=a+O=b"},
      {{{"1.2.3.4", "hi", der::kUtf8String}}, "1.2.3.4=#0C026869"},
      {{{"CN", "ab", der::kOctetString}}, "2.5.4.3=#04026162"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(NameToText(AsBytes(c.name.Encode())), c.text);
  }
  std::string text = "issuer: ";
  AppendNameText(AsBytes(Name({{"C", "JP"}, {"CN", "x"}}).Encode()), &text);
  EXPECT_EQ(text, "issuer: CN=x,C=JP");
  const std::string longer =
      NameToText(AsBytes(Name({{"1.2.3.4", std::string(200, 'a')}}).Encode()));
  EXPECT_TRUE(longer.starts_with("1.2.3.4=#0C81C861")) << longer;
}

}  // namespace
}  // namespace inkan
