// Views over bytes that someone else owns.
//
// Everything in crypto/ takes and returns Bytes. A Bytes never owns: whoever
// made it keeps the bytes alive and unchanged for as long as the view, or
// anything parsed from it, is in use.
#ifndef INKAN_CRYPTO_BYTES_H_
#define INKAN_CRYPTO_BYTES_H_

#include <cstdint>
#include <cstring>
#include <string_view>

#include "absl/types/span.h"

namespace inkan {

using Bytes = absl::Span<const uint8_t>;

inline Bytes AsBytes(std::string_view text) {
  return Bytes(reinterpret_cast<const uint8_t*>(text.data()), text.size());
}

inline std::string_view AsText(Bytes bytes) {
  return std::string_view(reinterpret_cast<const char*>(bytes.data()),
                          bytes.size());
}

inline bool SameBytes(Bytes a, Bytes b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace inkan

#endif  // INKAN_CRYPTO_BYTES_H_
