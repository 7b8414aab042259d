#include "cache/pem.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>

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

absl::StatusOr<MemoryBlock> PemToDer(Bytes text, std::string_view label) {
  constexpr size_t kPieceBytes = size_t{1} << 20;
  const std::string begin = absl::StrCat(
      "-----BEGIN ", absl::string_view(label.data(), label.size()), "-----");
  const std::string end = absl::StrCat(
      "-----END ", absl::string_view(label.data(), label.size()), "-----");
  const std::string_view all = AsText(text);
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
  absl::StatusOr<MemoryBlock> der =
      MemoryBlock::Allocate((last - first) / 4 * 3 + 64);
  if (!der.ok()) return der;
  const std::unique_ptr<EVP_ENCODE_CTX, ContextDeleter> context(
      EVP_ENCODE_CTX_new());
  if (context == nullptr) return absl::ResourceExhaustedError("no memory");
  EVP_DecodeInit(context.get());
  size_t filled = 0;
  int got = 0;
  for (size_t at = first; at < last; at += kPieceBytes) {
    const int piece = static_cast<int>(std::min(kPieceBytes, last - at));
    if (EVP_DecodeUpdate(context.get(), der->data() + filled, &got,
                         text.data() + at, piece) < 0) {
      return refused;
    }
    filled += static_cast<size_t>(got);
  }
  if (EVP_DecodeFinal(context.get(), der->data() + filled, &got) != 1 ||
      filled + static_cast<size_t>(got) == 0) {
    return refused;
  }
  der->Shrink(filled + static_cast<size_t>(got));
  return der;
}

}  // namespace inkan
