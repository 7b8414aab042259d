// A certificate revocation list (RFC 5280 section 5) as a view over its DER
// bytes, and a reader that walks its entries without storing any.
//
//   Crl crl;
//   Fault fault = ParseCrl(der, &crl);
//   CrlEntryReader entries(crl);
//   CrlEntry entry;
//   while (entries.Next(&entry)) ...;
//   if (!entries.fault().ok()) refuse;
//
// Allocates nothing. Every Bytes points into `der`. Thread safety: a view is
// immutable, an entry reader belongs to one thread.
#ifndef INKAN_CRYPTO_CRL_H_
#define INKAN_CRYPTO_CRL_H_

#include <cstdint>

#include "crypto/bytes.h"
#include "crypto/der.h"
#include "crypto/fault.h"
#include "crypto/signature.h"

namespace inkan {

// ReasonFlags as ReadNamedBits numbers them (RFC 5280 section 4.2.1.13); bit 0
// is unused.
inline constexpr uint16_t kAllReasons = 0x01fe;

// DistributionPointName (RFC 5280 section 4.2.1.13).
struct DistributionPointName {
  Bytes full_names;     // GeneralNames contents; empty if absent
  Bytes relative_name;  // RelativeDistinguishedName contents; empty if absent

  bool present() const { return !full_names.empty() || !relative_name.empty(); }
};

// Reads the contents of the [0] tag that holds a DistributionPointName.
bool ParseDistributionPointName(Bytes contents, DistributionPointName* name);

// DistributionPoints in one extension, GeneralNames in the fullName of one, and
// in its cRLIssuer: each is looked up before the certificate's signature is
// verified. PKITS has at most two of each, JPKI one.
inline constexpr int kDistributionPointsMax = 64;
inline constexpr int kPointNamesMax = 16;
inline constexpr int kPointCrlIssuersMax = 4;

// One DistributionPoint of cRLDistributionPoints or freshestCRL.
struct DistributionPoint {
  DistributionPointName name;
  uint16_t reasons = kAllReasons;
  bool has_reasons = false;
  Bytes crl_issuer;  // GeneralNames contents; empty if absent
};

// Reads the next DistributionPoint; false if it is malformed, names neither a
// point nor a cRLIssuer, or has more names than the bounds allow.
bool ReadDistributionPoint(DerReader* points, DistributionPoint* point);

// Whether `contents` is 1 to kDistributionPointsMax well-formed
// DistributionPoints.
bool AreWellFormedDistributionPoints(Bytes contents);

// issuingDistributionPoint (section 5.2.5).
struct CrlScope {
  bool present = false;
  DistributionPointName name;
  bool only_user_certs = false;
  bool only_ca_certs = false;
  bool only_attribute_certs = false;
  bool indirect = false;
  bool has_some_reasons = false;
  uint16_t some_reasons = kAllReasons;
};

struct Crl {
  Bytes der;
  Bytes tbs;
  int version = 1;
  SignatureAlgorithm signature_algorithm;
  Bytes signature;
  Bytes issuer;
  int64_t this_update = 0;
  bool has_next_update = false;
  int64_t next_update = 0;
  Bytes entries;  // revokedCertificates contents; empty if absent

  Bytes authority_key_id;  // keyIdentifier alone
  Bytes crl_number;        // INTEGER contents
  Bytes base_crl_number;   // deltaCRLIndicator; empty: a complete CRL
  CrlScope scope;
  Bytes freshest_crl;
  bool has_expired_certs_on_crl = false;
  int64_t expired_certs_on_crl = 0;
  Bytes unknown_critical_extension;
};

Fault ParseCrl(Bytes der, Crl* crl);

struct CrlEntry {
  Bytes serial;  // INTEGER contents
  int64_t revoked_at = 0;
  uint8_t reason = 0;
  bool has_invalidity_date = false;
  int64_t invalidity_date = 0;
  // certificateIssuer (section 5.3.3), GeneralNames contents: new from this
  // entry on; empty if the entry has none.
  Bytes certificate_issuer;
};

class CrlEntryReader {
 public:
  explicit CrlEntryReader(const Crl& crl)
      : entries_(crl.entries), version_(crl.version) {}

  // False at the end or at the first malformed entry; see fault(). Unknown
  // critical entry extensions are faults.
  bool Next(CrlEntry* entry);
  const Fault& fault() const { return fault_; }
  // Where the next entry starts.
  const uint8_t* position() const { return entries_.rest().data(); }

 private:
  // An entry in the one form that nearly all have, read without a loop: false,
  // and nothing read, if it is of another form or at fault in any way.
  bool NextUsual(CrlEntry* entry);
  bool ReadExtensions(Bytes contents, CrlEntry* entry);

  DerReader entries_;
  int version_;
  Fault fault_;
};

}  // namespace inkan

#endif  // INKAN_CRYPTO_CRL_H_
