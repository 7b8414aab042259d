// The two encodings of a digest that RSA signatures carry (RFC 8017 section 9).
// Private to crypto/.
#ifndef INKAN_CRYPTO_RSA_PADDING_H_
#define INKAN_CRYPTO_RSA_PADDING_H_

#include <cstddef>
#include <cstdint>

#include "crypto/bytes.h"
#include "crypto/digest.h"

namespace inkan {

enum class Pkcs1Match : uint8_t {
  kSame,
  // The same in every octet but those of the digest.
  kOtherDigest,
  kDifferent,
};

// EMSA-PKCS1-v1_5: compares a recovered encoding with the one that `digest`
// must have (section 8.2.2: build and compare, never parse).
// REQUIRES: digest.size() == DigestSize(hash) > 0.
Pkcs1Match MatchPkcs1(Bytes encoding, HashAlgorithm hash, Bytes digest);

// EMSA-PSS-VERIFY, section 9.1.2, with MGF1 of the same hash. `encoding` is as
// long as the modulus; em_bits is the modulus's bits less one, and where that
// makes the encoding one octet shorter the first octet must be zero (section
// 8.1.2 step 2c).
// REQUIRES: digest.size() == DigestSize(hash) > 0.
bool PssMatches(Bytes encoding, size_t em_bits, HashAlgorithm hash,
                size_t salt_bytes, Bytes digest);

}  // namespace inkan

#endif  // INKAN_CRYPTO_RSA_PADDING_H_
