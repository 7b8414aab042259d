// ECDSA verification (FIPS 186-4 section 6.4) on P-256 and P-384, through
// OpenSSL. Private to crypto/.
#ifndef INKAN_CRYPTO_ECDSA_H_
#define INKAN_CRYPTO_ECDSA_H_

#include "crypto/bytes.h"
#include "crypto/fault.h"
#include "crypto/public_key.h"

namespace inkan {

// Whether `signature`, a DER Ecdsa-Sig-Value (RFC 3279 section 2.2.3), is one
// over `digest` by `key`. When it is not for a reason of form, `fault` says
// which. Thread safety: any thread at once.
// REQUIRES: key.kind is an EC kind.
bool VerifyEcdsa(const PublicKey& key, Bytes digest, Bytes signature,
                 Fault* fault);

// Whether the key's point lies on its curve, and so is a public key at all (SEC
// 1 section 3.2.2.1). A few microseconds.
// REQUIRES: an EC key as ParsePublicKey reads it.
bool IsPointOnCurve(const PublicKey& key);

}  // namespace inkan

#endif  // INKAN_CRYPTO_ECDSA_H_
