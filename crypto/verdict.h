// The outcomes a judgement can have, in the order that decides which one is
// reported, and the names of the checks that lead to them.
//
// One X-macro list each, so that enum, names and protocol mapping cannot drift
// apart. Terms: ETSI EN 319 102-1 section 5.1.3.
#ifndef INKAN_CRYPTO_VERDICT_H_
#define INKAN_CRYPTO_VERDICT_H_

#include <cstdint>
#include <string_view>

namespace inkan {

// V(enumerator, indication, sub-indication). Order is rank: where several hold,
// the one listed first is reported. The first is what a default-made verdict
// says, so that a verdict nobody filled in never passes.
#define INKAN_OUTCOMES(V)                                                 \
  V(kGeneric, INDETERMINATE, GENERIC)                                     \
  V(kFormatFailure, TOTAL_FAILED, FORMAT_FAILURE)                         \
  V(kSignedDataNotFound, INDETERMINATE, SIGNED_DATA_NOT_FOUND)            \
  V(kCryptoConstraintsFailure, INDETERMINATE, CRYPTO_CONSTRAINTS_FAILURE) \
  V(kSigConstraintsFailure, INDETERMINATE, SIG_CONSTRAINTS_FAILURE)       \
  V(kNoCertificateChainFound, INDETERMINATE, NO_CERTIFICATE_CHAIN_FOUND)  \
  V(kCertificateChainGeneralFailure, INDETERMINATE,                       \
    CERTIFICATE_CHAIN_GENERAL_FAILURE)                                    \
  V(kChainConstraintsFailure, INDETERMINATE, CHAIN_CONSTRAINTS_FAILURE)   \
  V(kNotYetValid, TOTAL_FAILED, NOT_YET_VALID)                            \
  V(kExpired, TOTAL_FAILED, EXPIRED)                                      \
  V(kRevoked, TOTAL_FAILED, REVOKED)                                      \
  V(kTryLater, INDETERMINATE, TRY_LATER)                                  \
  V(kSigCryptoFailure, TOTAL_FAILED, SIG_CRYPTO_FAILURE)                  \
  V(kHashFailure, TOTAL_FAILED, HASH_FAILURE)                             \
  V(kPassed, TOTAL_PASSED, UNSPECIFIED)

enum class Outcome : uint8_t {
#define INKAN_ENUMERATOR(name, indication, sub_indication) name,
  INKAN_OUTCOMES(INKAN_ENUMERATOR)
#undef INKAN_ENUMERATOR
};

// The one of two that is reported.
constexpr Outcome Worse(Outcome a, Outcome b) { return a < b ? a : b; }

// Sub-indication in the standard's spelling; "TOTAL_PASSED" for kPassed.
std::string_view OutcomeName(Outcome outcome);

// V(enumerator, name, where the rule stands). Order is the order of checking.
#define INKAN_CHECKS(V)                                                      \
  V(kFilingFormat, "filing_format", "inkan.v1.Filing")                       \
  V(kCertificateFormat, "certificate_format", "RFC 5280 4.1")                \
  V(kAlgorithmStrength, "algorithm_strength", "profile; NIST SP 800-131A")   \
  V(kFilingAlgorithm, "filing_algorithm", "profile filing_algorithms")       \
  V(kChain, "chain", "RFC 5280 6.1")                                         \
  V(kCertificateSignature, "certificate_signature", "RFC 5280 6.1.3 (a)(1)") \
  V(kBasicConstraints, "basic_constraints", "RFC 5280 6.1.4 (k)")            \
  V(kPathLength, "path_length", "RFC 5280 6.1.4 (l)-(m)")                    \
  V(kKeyUsage, "key_usage", "RFC 5280 6.1.4 (n), profile")                   \
  V(kExtendedKeyUsage, "extended_key_usage", "RFC 5280 4.2.1.12, profile")   \
  V(kCriticalExtensions, "critical_extensions",                              \
    "RFC 5280 6.1.4 (o), 6.1.5 (f)")                                         \
  V(kNameConstraints, "name_constraints", "RFC 5280 6.1.3 (b)-(c)")          \
  V(kPolicies, "certificate_policies", "RFC 5280 6.1.3 (d)-(f), 6.1.5 (g)")  \
  V(kValidity, "validity", "RFC 5280 6.1.3 (a)(2)")                          \
  V(kRevocation, "revocation", "RFC 5280 6.1.3 (a)(3), 6.3")                 \
  V(kFilingSignature, "filing_signature", "RFC 8017 8.1.2, 8.2.2; FIPS 186-4")

enum class CheckId : uint8_t {
#define INKAN_ENUMERATOR(id, name, rule) id,
  INKAN_CHECKS(INKAN_ENUMERATOR)
#undef INKAN_ENUMERATOR
};

std::string_view CheckName(CheckId check);
std::string_view CheckRule(CheckId check);

enum class CheckResult : uint8_t { kPassed, kFailed, kIndeterminate, kSkipped };

}  // namespace inkan

#endif  // INKAN_CRYPTO_VERDICT_H_
