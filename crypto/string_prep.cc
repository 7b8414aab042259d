#include "crypto/string_prep.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <vector>

#include "crypto/der.h"

namespace inkan {
namespace {

void AppendUtf8(uint32_t code_point, std::string* out) {
  const auto put = [out](uint32_t octet) {
    out->push_back(static_cast<char>(octet));
  };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xc0 | code_point >> 6);
    put(0x80 | (code_point & 0x3f));
  } else if (code_point < 0x10000) {
    put(0xe0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3f));
    put(0x80 | (code_point & 0x3f));
  } else {
    put(0xf0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3f));
    put(0x80 | (code_point >> 6 & 0x3f));
    put(0x80 | (code_point & 0x3f));
  }
}

// Fixed-width big-endian characters; false if a unit is no code point.
bool WideToUtf8(Bytes value, size_t width, std::string* out) {
  if (value.size() % width != 0) return false;
  for (size_t i = 0; i < value.size(); i += width) {
    uint32_t unit = 0;
    for (size_t j = 0; j < width; ++j) unit = unit << 8 | value[i + j];
    if (unit > 0x10ffff || (unit >= 0xd800 && unit < 0xe000)) return false;
    AppendUtf8(unit, out);
  }
  return true;
}

bool IsAsciiSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

struct Range {
  uint32_t first;
  uint32_t last;
};

// Section 2.2, "mapped to nothing": soft hyphens, joiners, variation selectors,
// controls without a meaning in text, and zero width space.
constexpr Range kMappedToNothing[] = {
    {0x0000, 0x0008},   {0x000e, 0x001f},   {0x007f, 0x0084},
    {0x0086, 0x009f},   {0x00ad, 0x00ad},   {0x034f, 0x034f},
    {0x06dd, 0x06dd},   {0x070f, 0x070f},   {0x1806, 0x1806},
    {0x180b, 0x180e},   {0x200b, 0x200f},   {0x202a, 0x202e},
    {0x2060, 0x2063},   {0x206a, 0x206f},   {0xfe00, 0xfe0f},
    {0xfeff, 0xfeff},   {0xfff9, 0xfffc},   {0x1d173, 0x1d17a},
    {0xe0001, 0xe0001}, {0xe0020, 0xe007f},
};

bool IsMappedToNothing(uint32_t c) {
  for (const Range& range : kMappedToNothing) {
    if (c >= range.first && c <= range.last) return true;
  }
  return false;
}

utf8proc_category_t CategoryOf(uint32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

// Section 2.2, "mapped to SPACE": controls that separate, and every character
// with the property Separator.
bool IsMappedToSpace(uint32_t c) {
  if ((c >= 0x09 && c <= 0x0d) || c == 0x85) return true;
  const utf8proc_category_t category = CategoryOf(c);
  return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL ||
         category == UTF8PROC_CATEGORY_ZP;
}

bool IsCombining(uint32_t c) {
  const utf8proc_category_t category = CategoryOf(c);
  return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC ||
         category == UTF8PROC_CATEGORY_ME;
}

// Section 2.4: unassigned (the non-characters among them), private use,
// surrogates, and the replacement character.
bool IsProhibited(uint32_t c) {
  const utf8proc_category_t category = CategoryOf(c);
  return category == UTF8PROC_CATEGORY_CN || category == UTF8PROC_CATEGORY_CO ||
         category == UTF8PROC_CATEGORY_CS || c == 0xfffd;
}

// The next code point of well-formed UTF-8.
uint32_t NextCodePoint(std::string_view* text) {
  utf8proc_int32_t c = -1;
  const utf8proc_ssize_t size =
      utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text->data()),
                       static_cast<utf8proc_ssize_t>(text->size()), &c);
  text->remove_prefix(size < 1 ? text->size() : static_cast<size_t>(size));
  return c < 0 ? 0xfffd : static_cast<uint32_t>(c);
}

std::string Map(std::string_view text) {
  std::string mapped;
  while (!text.empty()) {
    const uint32_t c = NextCodePoint(&text);
    if (IsMappedToNothing(c)) continue;
    AppendUtf8(IsMappedToSpace(c) ? ' ' : c, &mapped);
  }
  return mapped;
}

constexpr auto kFormKcFolded = static_cast<utf8proc_option_t>(
    UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD);

// The folded characters of `text`, taken apart; false if the library refuses
// one.
bool Decompose(std::string_view text,
               std::vector<utf8proc_int32_t>* characters) {
  // U+FDFA comes to 18, the most of any.
  utf8proc_int32_t parts[32];
  int boundary_class = UTF8PROC_BOUNDCLASS_START;
  while (!text.empty()) {
    const utf8proc_ssize_t count = utf8proc_decompose_char(
        static_cast<utf8proc_int32_t>(NextCodePoint(&text)), parts,
        std::ssize(parts), kFormKcFolded, &boundary_class);
    if (count < 0 || count > std::ssize(parts)) return false;
    characters->insert(characters->end(), parts, parts + count);
  }
  return true;
}

// Unicode's canonical ordering: each run of combining characters by class, as
// utf8proc_decompose does it too, but not in the square of the run's length.
void OrderMarks(std::vector<utf8proc_int32_t>* characters) {
  const auto class_of = [](utf8proc_int32_t c) {
    return utf8proc_get_property(c)->combining_class;
  };
  const auto is_mark = [&](utf8proc_int32_t c) { return class_of(c) != 0; };
  const auto end = characters->end();
  for (auto it = characters->begin(); it != end;) {
    const auto run = std::find_if(it, end, is_mark);
    it = std::find_if_not(run, end, is_mark);
    std::stable_sort(run, it, [&](utf8proc_int32_t a, utf8proc_int32_t b) {
      return class_of(a) < class_of(b);
    });
  }
}

// Case folded and in form KC; false if the library refuses the text.
bool FoldAndNormalise(std::string* text) {
  std::vector<utf8proc_int32_t> characters;
  if (!Decompose(*text, &characters)) return false;
  OrderMarks(&characters);
  const auto count = static_cast<utf8proc_ssize_t>(characters.size());
  characters.push_back(0);  // room for a NUL
  // Composes, and writes UTF-8 over the characters.
  const utf8proc_ssize_t size =
      utf8proc_reencode(characters.data(), count, kFormKcFolded);
  if (size < 0) return false;
  text->assign(reinterpret_cast<const char*>(characters.data()),
               static_cast<size_t>(size));
  return true;
}

// Section 2.4, and 2.6.1: a space is one that no combining character follows.
bool CompressSpaces(std::string_view text, std::string* out) {
  bool first = true;
  bool pending_space = false;
  while (!text.empty()) {
    uint32_t c = NextCodePoint(&text);
    if (IsProhibited(c) || (first && IsCombining(c))) return false;
    first = false;
    if (c == ' ') {
      std::string_view rest = text;
      if (rest.empty() || !IsCombining(NextCodePoint(&rest))) {
        pending_space = true;
        continue;
      }
    }
    if (pending_space && !out->empty()) out->push_back(' ');
    pending_space = false;
    AppendUtf8(c, out);
  }
  return true;
}

template <typename Word>
Word LoadWord(const char* at) {
  Word word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

// Whether an octet is beyond ASCII. The last word overlaps the one before, so
// that no text of four octets or more is looked at one by one.
bool HasHighBit(std::string_view text) {
  constexpr uint64_t kHighBits = 0x8080808080808080;
  const char* p = text.data();
  const size_t size = text.size();
  uint64_t bits = 0;
  if (size >= 8) {
    for (size_t i = 0; i + 8 <= size; i += 8) bits |= LoadWord<uint64_t>(p + i);
    bits |= LoadWord<uint64_t>(p + size - 8);
  } else if (size >= 4) {
    bits = LoadWord<uint32_t>(p) | LoadWord<uint32_t>(p + size - 4);
  } else {
    for (const char c : text) bits |= static_cast<uint8_t>(c);
  }
  return (bits & kHighBits) != 0;
}

}  // namespace

size_t Utf8SequenceLength(std::string_view text) {
  const auto lead = static_cast<uint8_t>(text[0]);
  const size_t length = lead < 0x80                   ? 1
                        : lead >= 0xc2 && lead < 0xe0 ? 2
                        : lead >= 0xe0 && lead < 0xf0 ? 3
                        : lead >= 0xf0 && lead < 0xf5 ? 4
                                                      : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((static_cast<uint8_t>(text[i]) & 0xc0) != 0x80) return 0;
  }
  if (length < 3) return length;
  const auto second = static_cast<uint8_t>(text[1]);
  const bool overlong =
      (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  const bool outside =
      (lead == 0xed && second >= 0xa0) || (lead == 0xf4 && second >= 0x90);
  return overlong || outside ? 0 : length;
}

bool IsUtf8(std::string_view text) {
  if (!HasHighBit(text)) return true;
  while (!text.empty()) {
    if (static_cast<uint8_t>(text[0]) < 0x80) {
      text.remove_prefix(1);
      continue;
    }
    const size_t length = Utf8SequenceLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool IsPlainStringType(uint8_t tag) {
  return tag == der::kUtf8String || tag == der::kPrintableString ||
         tag == der::kIa5String || tag == der::kNumericString ||
         tag == der::kVisibleString;
}

bool StringToUtf8(uint8_t tag, Bytes value, std::string* out) {
  if (IsPlainStringType(tag)) {
    out->append(AsText(value));
    return true;
  }
  switch (tag) {
    case der::kTeletexString:
      for (const uint8_t octet : value) AppendUtf8(octet, out);
      return true;
    case der::kBmpString:
      return WideToUtf8(value, 2, out);
    case der::kUniversalString:
      return WideToUtf8(value, 4, out);
    default:
      return false;
  }
}

bool IsSimpleText(std::string_view text) {
  for (const char c : text) {
    const bool printable = c >= ' ' && c <= '~';
    if (!printable && !IsAsciiSpace(c)) return false;
  }
  return true;
}

std::string_view UnicodeVersion() { return utf8proc_unicode_version(); }

bool PrepareText(std::string_view text, std::string* prepared) {
  if (!IsUtf8(text)) return false;
  std::string mapped = Map(text);
  // Folding can undo the normal form and the other way round; the second time
  // settles it (Unicode's NFKC_Casefold is defined as this).
  for (int i = 0; i < 2; ++i) {
    if (!FoldAndNormalise(&mapped)) return false;
  }
  // Normalising can make spaces (of U+FC5E, say) and nothing else that is
  // mapped.
  return CompressSpaces(mapped, prepared);
}

}  // namespace inkan
