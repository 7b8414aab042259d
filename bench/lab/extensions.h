// The extensions of RFC 5280 for certificates, CRLs and CRL entries, as values
// that a builder takes.
//
//   builder.add(extension::KeyUsage(kDigitalSignature | kNonRepudiation));
//   builder.add(extension::CertificatePolicies({"1.2.3"}).MakeCritical());
//   builder.add({"1.2.3.4", true, "\x05\x00"});  // any extension, raw
//
// Criticality starts as RFC 5280 recommends. Values; any thread.
#ifndef INKAN_BENCH_LAB_EXTENSIONS_H_
#define INKAN_BENCH_LAB_EXTENSIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/lab/name.h"

namespace inkan::lab {

struct Extension {
  std::string oid;
  bool critical = false;
  std::string value;  // the contents of extnValue

  Extension MakeCritical(bool on = true) && {
    critical = on;
    return std::move(*this);
  }
  Extension MakeCritical(bool on = true) const& { return {oid, on, value}; }
  // The Extension element; DEFAULT FALSE is left out.
  std::string Encode() const;
};

// SEQUENCE OF Extension.
std::string EncodeExtensions(const std::vector<Extension>& extensions);

// keyUsage bits (RFC 5280 section 4.2.1.3).
inline constexpr uint16_t kDigitalSignature = 1U << 0U;
inline constexpr uint16_t kNonRepudiation = 1U << 1U;
inline constexpr uint16_t kKeyEncipherment = 1U << 2U;
inline constexpr uint16_t kDataEncipherment = 1U << 3U;
inline constexpr uint16_t kKeyAgreement = 1U << 4U;
inline constexpr uint16_t kKeyCertSign = 1U << 5U;
inline constexpr uint16_t kCrlSign = 1U << 6U;
inline constexpr uint16_t kEncipherOnly = 1U << 7U;
inline constexpr uint16_t kDecipherOnly = 1U << 8U;

// ReasonFlags of distribution points (section 4.2.1.13).
inline constexpr uint16_t kReasonKeyCompromise = 1U << 1U;
inline constexpr uint16_t kReasonCaCompromise = 1U << 2U;
inline constexpr uint16_t kReasonAffiliationChanged = 1U << 3U;
inline constexpr uint16_t kReasonSuperseded = 1U << 4U;
inline constexpr uint16_t kReasonCessationOfOperation = 1U << 5U;
inline constexpr uint16_t kReasonCertificateHold = 1U << 6U;
inline constexpr uint16_t kReasonPrivilegeWithdrawn = 1U << 7U;
inline constexpr uint16_t kReasonAaCompromise = 1U << 8U;

// CRLReason of an entry (section 5.3.1).
enum class Reason : uint8_t {
  kUnspecified = 0,
  kKeyCompromise = 1,
  kCaCompromise = 2,
  kAffiliationChanged = 3,
  kSuperseded = 4,
  kCessationOfOperation = 5,
  kCertificateHold = 6,
  kRemoveFromCrl = 8,
  kPrivilegeWithdrawn = 9,
  kAaCompromise = 10,
};

// One DistributionPoint; empty parts are left out.
struct DistributionPoint {
  std::vector<std::string> full_name;    // GeneralName elements
  std::vector<Attribute> relative_name;  // nameRelativeToCRLIssuer
  std::optional<uint16_t> reasons;
  std::vector<std::string> crl_issuer;  // GeneralName elements
};

// issuingDistributionPoint of a CRL (section 5.2.5).
struct IssuingDistributionPointFields {
  std::vector<std::string> full_name;
  std::vector<Attribute> relative_name;
  bool only_user_certificates = false;
  bool only_ca_certificates = false;
  std::optional<uint16_t> only_some_reasons;
  bool indirect = false;
  bool only_attribute_certificates = false;
};

// One PolicyInformation. A qualifier goes in as a CPS URI, or raw.
struct Policy {
  Policy(std::string oid_in) : oid(std::move(oid_in)) {}  // NOLINT: implicit
  Policy(const char* oid_in) : oid(oid_in) {}             // NOLINT: implicit
  Policy(std::string oid_in, std::string cps_uri_in)
      : oid(std::move(oid_in)), cps_uri(std::move(cps_uri_in)) {}

  std::string oid;
  std::string cps_uri;
  std::string raw_qualifiers;  // PolicyQualifierInfo elements
};

inline constexpr char kAnyPolicy[] = "2.5.29.32.0";

// One GeneralSubtree of name constraints; minimum and maximum are not for RFC
// 5280 but can be written.
struct Subtree {
  Subtree(std::string base_in)
      : base(std::move(base_in)) {}  // NOLINT: implicit

  std::string base;  // a GeneralName element
  uint64_t minimum = 0;
  std::optional<uint64_t> maximum;
};

namespace extension {

// Certificates.
Extension KeyUsage(uint16_t bits);
Extension BasicConstraints(bool ca, std::optional<uint64_t> path_length = {});
Extension CertificatePolicies(const std::vector<Policy>& policies);
Extension PolicyMappings(
    const std::vector<std::pair<std::string, std::string>>& mappings);
Extension PolicyConstraints(std::optional<uint64_t> require_explicit_policy,
                            std::optional<uint64_t> inhibit_policy_mapping);
Extension InhibitAnyPolicy(uint64_t skip_certificates);
Extension NameConstraints(const std::vector<Subtree>& permitted,
                          const std::vector<Subtree>& excluded);
Extension SubjectAltName(const std::vector<std::string>& names);
Extension IssuerAltName(const std::vector<std::string>& names);
Extension ExtendedKeyUsage(const std::vector<std::string>& oids);
Extension CrlDistributionPoints(const std::vector<DistributionPoint>& points);
Extension FreshestCrl(const std::vector<DistributionPoint>& points);
Extension SubjectKeyIdentifier(std::string_view key_identifier);
// issuer and serial go in together or not at all; serial as INTEGER contents.
Extension AuthorityKeyIdentifier(std::string_view key_identifier,
                                 const std::vector<std::string>& issuer = {},
                                 std::string_view serial = {});
// Pairs of access method OID and GeneralName element.
Extension AuthorityInfoAccess(
    const std::vector<std::pair<std::string, std::string>>& descriptions);
Extension PrivateKeyUsagePeriod(int64_t not_before, int64_t not_after);

// CRLs.
Extension CrlNumber(uint64_t number);
// CRLNumber of any size, as INTEGER contents.
Extension CrlNumberContents(std::string_view contents);
Extension DeltaCrlIndicator(uint64_t base_number);
Extension IssuingDistributionPoint(
    const IssuingDistributionPointFields& fields);
Extension ExpiredCertsOnCrl(int64_t since);

// CRL entries.
Extension ReasonCode(Reason reason);
Extension InvalidityDate(int64_t date);
Extension CertificateIssuer(const std::vector<std::string>& names);

}  // namespace extension

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_EXTENSIONS_H_
