// Digests of a message that comes in pieces, and of two such messages that are
// nearly the same bytes.
//
//   OverlappingDigests digests(whole, inner, HashAlgorithm::kSha384);
//   while (reading on) digests.AdvanceTo(position);   // bytes still in cache
//   digests.Finish(sha256_of_whole, digest_of_inner);
//
// Made for CRLs: the digest of the whole file and that of its to-be-signed
// part, both over gigabytes, in the same pass that parses them. Two SHA-256 are
// computed side by side where that is faster.
//
// One thread per object. The messages are the caller's.
#ifndef INKAN_CRYPTO_DIGEST_STREAM_H_
#define INKAN_CRYPTO_DIGEST_STREAM_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "crypto/bytes.h"
#include "crypto/digest.h"

namespace inkan {

class OverlappingDigests {
 public:
  // REQUIRES: `inner` lies in `whole`; DigestSize(algorithm) > 0.
  OverlappingDigests(Bytes whole, Bytes inner, HashAlgorithm algorithm);
  OverlappingDigests(const OverlappingDigests&) = delete;
  OverlappingDigests& operator=(const OverlappingDigests&) = delete;
  ~OverlappingDigests();

  // Hashes what lies before `end`, a position in `whole`, and was not hashed.
  void AdvanceTo(const uint8_t* end);
  // Hashes the rest. `inner_digest` has room for DigestSize(algorithm) octets.
  void Finish(uint8_t* whole_sha256, uint8_t* inner_digest);

 private:
  struct Stream;

  const Bytes whole_;
  const std::unique_ptr<Stream> outer_;
  const std::unique_ptr<Stream> inner_;
};

}  // namespace inkan

#endif  // INKAN_CRYPTO_DIGEST_STREAM_H_
