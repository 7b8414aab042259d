// SHA-2 of many messages.
//
//   DigestJob jobs[] = {{HashAlgorithm::kSha256, tbs, out}};
//   DigestBatch(absl::MakeSpan(jobs));
//
// Thread safety: every function may be called from any thread at once. Memory
// is the caller's. No errors: every message has a digest.
#ifndef INKAN_CRYPTO_DIGEST_H_
#define INKAN_CRYPTO_DIGEST_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "crypto/bytes.h"

namespace inkan {

// SHA-1 and MD5 are named so that they can be refused by name; they have no
// implementation here.
enum class HashAlgorithm : uint8_t {
  kNone,
  kMd5,
  kSha1,
  kSha256,
  kSha384,
  kSha512
};

inline constexpr size_t kDigestBytesMax = 64;

// 32, 48 or 64; 0 for algorithms this module does not compute.
size_t DigestSize(HashAlgorithm algorithm);

struct DigestJob {
  HashAlgorithm algorithm = HashAlgorithm::kSha256;
  Bytes message;
  // Room for DigestSize(algorithm) octets.
  uint8_t* digest = nullptr;
};

// Hashes all messages. Jobs of unlike algorithm or length may be mixed.
// REQUIRES: every algorithm has DigestSize > 0.
void DigestBatch(absl::Span<const DigestJob> jobs);

std::array<uint8_t, 32> Sha256(Bytes message);

}  // namespace inkan

#endif  // INKAN_CRYPTO_DIGEST_H_
