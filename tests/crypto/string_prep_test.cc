// RFC 4518 section 2, step by step.
#include "crypto/string_prep.h"

#include <utf8proc.h>

#include <cstdlib>
#include <iterator>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace inkan {
namespace {

using std::string_literals::operator""s;

// Nothing for what is prohibited.
std::optional<std::string> Prepared(const std::string& text) {
  std::string prepared;
  if (!PrepareText(text, &prepared)) return std::nullopt;
  return prepared;
}

TEST(StringPrep, CharactersMapFoldAndNormalise) {
  const struct {
    const char* what;
    std::string text;
    std::string prepared;
  } kCases[] = {
      {"ASCII case", "JpKi", "jpki"},
      {"case beyond ASCII", "\xc3\x89t\xc3\xa9", "\xc3\xa9t\xc3\xa9"},
      {"sharp s", "Stra\xc3\x9f"s + "e", "strasse"},
      {"Greek final sigma", "\xce\xa3\xcf\x82", "\xcf\x83\xcf\x83"},
      {"combining accents compose", "E\xcc\x81", "\xc3\xa9"},
      {"fullwidth letters", "\xef\xbc\xaa\xef\xbc\xb0", "jp"},
      {"halfwidth katakana", "\xef\xbd\xb6\xef\xbe\x9e", "\xe3\x82\xac"},
      {"ideographs stay", "\xe5\xb1\xb1\xe7\x94\xb0",
       "\xe5\xb1\xb1\xe7\x94\xb0"},
      {"a ligature", "\xef\xac\x81n", "fin"},
      {"trade mark", "\xe2\x84\xa2", "tm"},
      {"ideographic space", " \xe5\xb1\xb1\xe3\x80\x80 \xe7\x94\xb0 ",
       "\xe5\xb1\xb1 \xe7\x94\xb0"},
      {"no-break space, next line", "\xc2\xa0"s + "a\xc2\x85"s + "b", "a b"},
      {"tab, line feed", "\ta\n\n b\r", "a b"},
      {"soft hyphen, joiner, variation selector",
       "a\xc2\xad"s + "b\xe2\x80\x8d"s + "c\xef\xb8\x8f", "abc"},
      {"zero width space is none", "a\xe2\x80\x8b"s + "b", "ab"},
      {"control characters", "a\0\x01\x7f"s + "b\xc2\x9f", "ab"},
      {"a space under an accent counts", "a  \xcc\x81", "a  \xcc\x81"},
      {"nothing", "", ""},
      {"nothing that counts", " \xe2\x80\x8b ", ""},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.what);
    const auto prepared = Prepared(c.text);
    ASSERT_TRUE(prepared.has_value());
    EXPECT_EQ(*prepared, c.prepared);
    EXPECT_EQ(Prepared(*prepared), c.prepared) << "not settled";
  }
}

TEST(StringPrep, ProhibitedCharactersAreTold) {
  const struct {
    const char* what;
    std::string text;
  } kCases[] = {
      {"private use", "a\xee\x80\x80"},
      {"private use, plane 15", "a\xf3\xb0\x80\x80"},
      {"a noncharacter", "a\xef\xb7\x90"},
      {"U+FFFF", "a\xef\xbf\xbf"},
      {"the replacement character", "a\xef\xbf\xbd"},
      {"unassigned", "a\xcd\xb8"},  // U+0378
      {"a combining character first", "\xcc\x81"s + "a"},
      {"not UTF-8", "a\xff"},
      {"a surrogate", "a\xed\xa0\x80"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(Prepared(c.text), std::nullopt) << c.what;
  }
}

// Folding and normalising, as many times as one likes, come to the same: else
// two spellings of one name could differ by how often they were prepared.
TEST(StringPrep, PreparingTwiceChangesNothing) {
  for (uint32_t c = 0x20; c < 0x20000; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;
    const std::string wide = {0, static_cast<char>(c >> 16),
                              static_cast<char>(c >> 8), static_cast<char>(c)};
    std::string text = "a";
    ASSERT_TRUE(StringToUtf8(0x1c, AsBytes(wide), &text));
    const auto once = Prepared(text);
    if (!once.has_value()) continue;
    const auto twice = Prepared(*once);
    ASSERT_TRUE(twice.has_value()) << std::hex << c;
    ASSERT_EQ(*twice, *once) << std::hex << c;
  }
}

TEST(StringPrep, SimpleTextIsToldFromTheRest) {
  EXPECT_TRUE(IsSimpleText("JPKI for digital signature ~\t"));
  EXPECT_TRUE(IsSimpleText(""));
  EXPECT_FALSE(IsSimpleText("a\x7f"));
  EXPECT_FALSE(IsSimpleText("a\0"s));
  EXPECT_FALSE(IsSimpleText("\xc3\xa9"));
}

TEST(StringPrep, LongAsciiRunsDoNotHideBrokenUtf8) {
  for (size_t i = 0; i < 40; ++i) {
    std::string text(40, 'a');
    EXPECT_TRUE(IsUtf8(text));
    text[i] = '\xff';
    EXPECT_FALSE(IsUtf8(text)) << i;
  }
}

// Case folded and in form KC, as the library does it for a whole text.
std::string Mapped(const std::string& text) {
  utf8proc_uint8_t* result = nullptr;
  const utf8proc_ssize_t size = utf8proc_map(
      reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
      static_cast<utf8proc_ssize_t>(text.size()), &result,
      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE |
                                     UTF8PROC_COMPAT | UTF8PROC_CASEFOLD));
  EXPECT_GE(size, 0);
  std::string mapped(reinterpret_cast<const char*>(result),
                     size < 0 ? 0 : static_cast<size_t>(size));
  std::free(result);
  return mapped;
}

TEST(StringPrep, MarksComeInTheOrderOfTheLibrary) {
  // Marks of many classes, some that come apart, letters that compose with
  // them, and Hangul, which composes by rule.
  const char* const kParts[] = {"a",
                                "E",
                                "\xc3\x89",
                                "\xcc\x81",
                                "\xcc\x96",
                                "\xcc\xa7",
                                "\xcd\x84",
                                "\xcd\x85",
                                "\xd6\xb0",
                                "\xd9\x8b",
                                "\xe0\xbd\xb3",
                                "\xe3\x82\x99",
                                "\xe1\x84\x80",
                                "\xe1\x85\xa1",
                                "\xe1\x86\xa8",
                                "\xef\xb7\xba",
                                "\xe1\xbe\xb7",
                                "\xe3\x82\xab",
                                "\xf0\x9d\x85\xa5"};
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string text = "x";
    for (size_t n = random() % 12; n > 0; --n) {
      text += kParts[random() % std::size(kParts)];
    }
    // U+FDFA has spaces in it, which are compressed afterwards.
    std::string mapped = Mapped(Mapped(text));
    EXPECT_EQ(Prepared(text), Prepared(mapped));
    if (mapped.find(' ') == std::string::npos) {
      EXPECT_EQ(Prepared(text), mapped) << testing::PrintToString(text);
    }
  }
}

// Put in order by exchanging neighbours, as the library does, this takes an
// hour.
TEST(StringPrep, AnyNumberOfMarksIsPutInOrder) {
  constexpr int kCount = 300'000;
  std::string text = "x";
  std::string ordered = "x";
  for (int i = 0; i < kCount; ++i) text += "\xcc\x81";  // class 230
  for (int i = 0; i < kCount; ++i) text += "\xcc\x96";  // class 220
  for (int i = 0; i < kCount; ++i) ordered += "\xcc\x96";
  for (int i = 0; i < kCount; ++i) ordered += "\xcc\x81";
  EXPECT_TRUE(Prepared(text) == ordered);
}

}  // namespace
}  // namespace inkan
