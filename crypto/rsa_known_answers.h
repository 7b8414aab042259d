// The test a kernel must pass before it is trusted: fixed operations in every
// size class and every lane, against fixed answers. Private to crypto/.
#ifndef INKAN_CRYPTO_RSA_KNOWN_ANSWERS_H_
#define INKAN_CRYPTO_RSA_KNOWN_ANSWERS_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "crypto/rsa_kernels.h"

namespace inkan {

// The operations: lane by lane numbers that look random but are the same every
// time. Lane 0 has modulus 2^bits - 1 and signature 2^bits - 2, the most that
// any carry can be asked to bear.
struct RsaKnownInput {
  std::array<uint8_t, 512> modulus;
  std::array<uint8_t, 512> signature;
};
RsaKnownInput MakeRsaKnownInput(size_t size_class, size_t lane);

// SHA-256 over all results of a size class, lane after lane, first with
// exponent 65537, then with 7, each with keys not prepared, then prepared; so
// many operations in each call of the kernel.
std::array<uint8_t, 32> DigestRsaKnownAnswers(const RsaKernel& kernel,
                                              size_t size_class,
                                              size_t at_a_time);

// Worked out with OpenSSL's BIGNUM.
extern const std::array<uint8_t, 32> kRsaKnownAnswers[kRsaSizeClasses];

bool RsaKernelKnowsAnswers(const RsaKernel& kernel);

}  // namespace inkan

#endif  // INKAN_CRYPTO_RSA_KNOWN_ANSWERS_H_
