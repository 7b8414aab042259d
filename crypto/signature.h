// Signature verification: RSASSA-PKCS1-v1_5 and RSASSA-PSS (RFC 8017), ECDSA
// (FIPS 186-4, by OpenSSL), many at a time over digests already computed.
//
//   std::vector<SignatureJob> jobs = ...;
//   VerifyBatch(absl::MakeSpan(jobs));
//   if (jobs[0].result == SignatureResult::kValid) ...
//
// A job's result starts as kNotVerified and only a complete check makes it
// kValid. Thread safety: any thread at once. Memory is the caller's.
#ifndef INKAN_CRYPTO_SIGNATURE_H_
#define INKAN_CRYPTO_SIGNATURE_H_

#include <cstdint>

#include "crypto/bytes.h"
#include "crypto/digest.h"
#include "crypto/fault.h"
#include "crypto/public_key.h"
#include "crypto/rsa.h"

namespace inkan {

enum class SignatureScheme : uint8_t { kUnknown, kRsaPkcs1, kRsaPss, kEcdsa };

// A scheme with its parameters.
struct SignatureAlgorithm {
  SignatureScheme scheme = SignatureScheme::kUnknown;
  HashAlgorithm hash = HashAlgorithm::kNone;
  // PSS only: salt length in octets. MGF1 always uses `hash`.
  uint16_t pss_salt_bytes = 0;

  friend bool operator==(const SignatureAlgorithm&,
                         const SignatureAlgorithm&) = default;
};

// Reads a whole AlgorithmIdentifier element as certificates and CRLs carry it
// (RFC 3279, 4055, 5758, 8017). An algorithm we do not know is no fault: scheme
// is kUnknown. Faults: not DER, or wrong parameters for an algorithm we know
// (PKCS#1: NULL, or absent, which RFC 4055 section 5 tells receivers to accept;
// ECDSA: absent; PSS: present, MGF1 with the same hash, trailerField 1).
Fault ParseSignatureAlgorithm(Bytes algorithm_identifier,
                              SignatureAlgorithm* algorithm);

// Refuses what policy refuses whatever the key: unknown schemes, SHA-1, MD5.
Fault CheckAlgorithmStrength(const SignatureAlgorithm& algorithm);

enum class SignatureResult : uint8_t {
  kNotVerified,  // not looked at yet
  kValid,
  kHashMismatch,  // PKCS#1 only: a well-formed signature by this key, over
                  // another digest
  kInvalid,       // not a signature by this key
  kRefused,       // key or algorithm refused before any arithmetic; see fault
};

struct SignatureJob {
  const PublicKey* key = nullptr;
  const RsaPreparedKey* prepared = nullptr;  // optional, of the same key
  SignatureAlgorithm algorithm;
  Bytes digest;
  Bytes signature;
  SignatureResult result = SignatureResult::kNotVerified;
  // Why, when the result is kRefused, or kInvalid for a reason of form.
  Fault fault;
};

void VerifyBatch(absl::Span<SignatureJob> jobs);

}  // namespace inkan

#endif  // INKAN_CRYPTO_SIGNATURE_H_
