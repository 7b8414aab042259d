// The table of functions that a digest kernel is: what digest.cc calls and each
// digest_<kernel>.cc file provides. Private to crypto/. The same rule as in
// rsa_kernels.h holds for what a kernel file may include.
#ifndef INKAN_CRYPTO_DIGEST_KERNELS_H_
#define INKAN_CRYPTO_DIGEST_KERNELS_H_

#include <cstddef>
#include <cstdint>

namespace inkan {

constexpr size_t kSha256BlockBytes = 64;

// A message on its way through SHA-256.
struct Sha256Stream {
  uint32_t state[8];
  // Whole blocks still to be taken in.
  const uint8_t* next;
  size_t blocks;
};

// The most streams any kernel takes side by side.
constexpr size_t kSha256StreamsMax = 16;

struct DigestKernel {
  const char* name;
  size_t streams_max;
  // Takes `blocks` blocks of each of 1 to streams_max streams.
  // REQUIRES: every stream has that many.
  void (*sha256)(Sha256Stream* const* streams, size_t count, size_t blocks);
};

// Defined in builds for x86-64, which also define INKAN_HAVE_X86_KERNELS.
extern const DigestKernel kDigestShaNiKernel;
extern const DigestKernel kDigestAvx512Kernel;

}  // namespace inkan

#endif  // INKAN_CRYPTO_DIGEST_KERNELS_H_
