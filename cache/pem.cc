#include "cache/pem.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace inkan {
namespace {

struct ContextDeleter {
  void operator()(EVP_ENCODE_CTX* context) const {
    EVP_ENCODE_CTX_free(context);
  }
};

}  // namespace

bool LooksLikePem(Bytes contents) {
  constexpr std::string_view kStart = "-----BEGIN ";
  return AsText(contents).substr(0, kStart.size()) == kStart;
}

absl::StatusOr<MemoryBlock> PemToDer(MemoryBlock text, std::string_view label) {
  constexpr size_t kPieceBytes = size_t{64} << 10;
  const std::string begin = absl::StrCat(
      "-----BEGIN ", absl::string_view(label.data(), label.size()), "-----");
  const std::string end = absl::StrCat(
      "-----END ", absl::string_view(label.data(), label.size()), "-----");
  const std::string_view all = AsText(text.bytes());
  const absl::Status refused = absl::InvalidArgumentError(
      absl::StrCat("PEM without a well-formed ",
                   absl::string_view(label.data(), label.size()), " block"));
  const size_t start = all.find(begin);
  if (start == std::string_view::npos) return refused;
  const size_t first = start + begin.size();
  const size_t last = all.find(end, first);
  if (last == std::string_view::npos) return refused;
  // Headers (RFC 1421), which an encrypted block has, are no base64; the
  // decoder would take their "-" for the end.
  const std::string_view body = all.substr(first, last - first);
  if (body.find('-') != std::string_view::npos ||
      body.find(':') != std::string_view::npos) {
    return refused;
  }
  const std::unique_ptr<EVP_ENCODE_CTX, ContextDeleter> context(
      EVP_ENCODE_CTX_new());
  if (context == nullptr) return absl::ResourceExhaustedError("no memory");
  EVP_DecodeInit(context.get());
  // What is written are three octets for four that were read, so it never
  // catches up with the text that is left; the piece at hand is a copy.
  std::vector<uint8_t> piece(kPieceBytes);
  size_t filled = 0;
  int got = 0;
  for (size_t at = first; at < last; at += kPieceBytes) {
    const size_t size = std::min(kPieceBytes, last - at);
    std::memcpy(piece.data(), text.data() + at, size);
    if (EVP_DecodeUpdate(context.get(), text.data() + filled, &got,
                         piece.data(), static_cast<int>(size)) < 0) {
      return refused;
    }
    filled += static_cast<size_t>(got);
  }
  if (EVP_DecodeFinal(context.get(), text.data() + filled, &got) != 1 ||
      filled + static_cast<size_t>(got) == 0) {
    return refused;
  }
  text.Shrink(filled + static_cast<size_t>(got));
  return text;
}

}  // namespace inkan
