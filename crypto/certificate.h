// An X.509 certificate (RFC 5280 section 4) as a view over its DER bytes.
//
//   Certificate certificate;
//   Fault fault = ParseCertificate(der, &certificate);
//
// Parsing is strict and complete for everything a path decision rests on, and
// allocates nothing. Every Bytes points into `der`, which must outlive the
// view. Thread safety: a parsed view is immutable.
#ifndef INKAN_CRYPTO_CERTIFICATE_H_
#define INKAN_CRYPTO_CERTIFICATE_H_

#include <cstdint>

#include "crypto/bytes.h"
#include "crypto/fault.h"
#include "crypto/public_key.h"
#include "crypto/signature.h"

namespace inkan {

// Extensions in one certificate. PKITS has at most 11, JPKI 8; the bound keeps
// the duplicate check cheap.
inline constexpr int kExtensionsMax = 32;

// Bits of keyUsage as ReadNamedBits numbers them (RFC 5280 section 4.2.1.3).
namespace key_usage {
inline constexpr uint16_t kDigitalSignature = 1U << 0;
inline constexpr uint16_t kNonRepudiation = 1U << 1;
inline constexpr uint16_t kKeyEncipherment = 1U << 2;
inline constexpr uint16_t kDataEncipherment = 1U << 3;
inline constexpr uint16_t kKeyAgreement = 1U << 4;
inline constexpr uint16_t kKeyCertSign = 1U << 5;
inline constexpr uint16_t kCrlSign = 1U << 6;
}  // namespace key_usage

// Seconds since 1970-01-01T00:00:00Z, both ends included.
struct Validity {
  int64_t not_before = 0;
  int64_t not_after = 0;
};

// An extension we read elsewhere: its value's contents, empty if absent. None
// of these can be present and empty.
struct Certificate {
  Bytes der;        // the whole certificate
  Bytes tbs;        // tbsCertificate element: the signed bytes
  int version = 1;  // 1, 2 or 3
  Bytes serial;     // INTEGER contents
  Bytes issuer;     // Name element
  Bytes subject;    // Name element
  Validity validity;
  PublicKey key;
  SignatureAlgorithm signature_algorithm;
  Bytes signature;

  bool has_basic_constraints = false;
  bool is_ca = false;
  int path_length = -1;  // pathLenConstraint; -1: none
  bool has_key_usage = false;
  uint16_t key_usage = 0;
  Bytes subject_key_id;
  Bytes authority_key_id;  // keyIdentifier alone
  Bytes policies;          // SEQUENCE OF PolicyInformation
  Bytes policy_mappings;   // SEQUENCE OF SEQUENCE { OID, OID }
  // policyConstraints and inhibitAnyPolicy; -1: absent.
  int require_explicit_policy = -1;
  int inhibit_policy_mapping = -1;
  int inhibit_any_policy = -1;
  Bytes permitted_subtrees;  // GeneralSubtrees contents
  Bytes excluded_subtrees;
  Bytes subject_alt_names;   // GeneralNames contents
  Bytes extended_key_usage;  // SEQUENCE OF OID contents
  bool extended_key_usage_critical = false;
  Bytes crl_distribution_points;  // SEQUENCE OF DistributionPoint contents
  Bytes freshest_crl;             // the same
  // The first critical extension this code does not process, or policy
  // qualifier in a critical certificatePolicies; an OID, empty if none.
  Bytes unknown_critical_extension;

  bool self_issued = false;  // subject and issuer are the same name
};

// Faults name the field and what is wrong with it. `certificate` is only
// meaningful if the result is ok().
Fault ParseCertificate(Bytes der, Certificate* certificate);

}  // namespace inkan

#endif  // INKAN_CRYPTO_CERTIFICATE_H_
