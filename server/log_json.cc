#include "server/log_json.h"

#include <cstddef>
#include <cstdint>

namespace inkan {
namespace {

// Octets of the UTF-8 character that `text` begins with; 0 if there is none.
size_t CharacterLength(std::string_view text) {
  const auto octet = [&](size_t i) {
    return i < text.size() ? static_cast<uint8_t>(text[i]) : uint8_t{0};
  };
  const auto follows = [&](size_t i) { return (octet(i) & 0xc0) == 0x80; };
  const uint8_t first = octet(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    // No overlong forms and no surrogates.
    if (first == 0xe0 && octet(1) < 0xa0) return 0;
    if (first == 0xed && octet(1) > 0x9f) return 0;
    return follows(1) && follows(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    // Nothing above U+10FFFF.
    if (first == 0xf0 && octet(1) < 0x90) return 0;
    if (first == 0xf4 && octet(1) > 0x8f) return 0;
    return follows(1) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

void AppendJsonEscaped(std::string_view text, std::string* out) {
  constexpr char kDigits[] = "0123456789abcdef";
  while (!text.empty()) {
    const auto octet = static_cast<uint8_t>(text.front());
    const size_t length = CharacterLength(text);
    if (length == 0) {
      *out += "\\ufffd";
      text.remove_prefix(1);
      continue;
    }
    if (octet == '"' || octet == '\\') {
      out->push_back('\\');
      out->push_back(text.front());
    } else if (octet < 0x20 || octet == 0x7f) {
      *out += "\\u00";
      out->push_back(kDigits[octet >> 4]);
      out->push_back(kDigits[octet & 15]);
    } else {
      out->append(text.substr(0, length));
    }
    text.remove_prefix(length);
  }
}

}  // namespace inkan
