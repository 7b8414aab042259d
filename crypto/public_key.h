// SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) as a view: what kind of key,
// and its numbers where they lie in the certificate.
//
// Parsing decides form only. Whether a key is strong enough is a matter of
// policy and asked with CheckKeyStrength, so that a weak key is told apart from
// a malformed one.
#ifndef INKAN_CRYPTO_PUBLIC_KEY_H_
#define INKAN_CRYPTO_PUBLIC_KEY_H_

#include <cstddef>
#include <cstdint>

#include "crypto/bytes.h"
#include "crypto/fault.h"

namespace inkan {

// Bounds on what is verified at all. 2048: NIST SP 800-131A Rev. 2 and
// CRYPTREC. 4096: the largest size class of the kernels; larger keys are a
// work-factor attack on a server and JPKI has none. Exponents fit 64 bits (SP
// 800-56B asks for at most 256, but no certificate authority issues above 2^32
// + 1).
inline constexpr size_t kRsaModulusBitsMin = 2048;
inline constexpr size_t kRsaModulusBitsMax = 4096;

enum class KeyKind : uint8_t { kUnsupported, kRsa, kEcP256, kEcP384 };

struct PublicKey {
  KeyKind kind = KeyKind::kUnsupported;
  // The whole SubjectPublicKeyInfo element.
  Bytes spki;
  // The contents of the subjectPublicKey bit string; for EC the uncompressed
  // point.
  Bytes key_bits;
  // RSA: big-endian without leading zero octets (empty if zero); bit length.
  Bytes rsa_modulus;
  size_t rsa_modulus_bits = 0;
  // RSA: the exponent, or 0 if it does not fit 64 bits.
  uint64_t rsa_exponent = 0;
};

// Reads a whole SubjectPublicKeyInfo element. A key of a kind we do not know is
// no fault: kind is kUnsupported. Faults: not DER, RSAPublicKey not a SEQUENCE
// of two positive INTEGERs in shortest form, trailing octets, EC point not
// uncompressed or not of the curve's size.
Fault ParsePublicKey(Bytes spki, PublicKey* key);

// Refuses what policy refuses: unsupported kinds, modulus shorter than
// `rsa_modulus_bits_min` or longer than kRsaModulusBitsMax, even modulus,
// exponent 1 or even or beyond 64 bits, an EC point that is not on its curve.
Fault CheckKeyStrength(const PublicKey& key,
                       size_t rsa_modulus_bits_min = kRsaModulusBitsMin);

}  // namespace inkan

#endif  // INKAN_CRYPTO_PUBLIC_KEY_H_
