// What a CRL says about one serial number.
#ifndef INKAN_CACHE_REVOCATION_ENTRY_H_
#define INKAN_CACHE_REVOCATION_ENTRY_H_

#include <cstddef>
#include <cstdint>

namespace inkan {

// RFC 5280 section 4.1.2.2 allows 20 octets; one more is the sign octet that
// CAs which fill all 160 bits need, and PKITS uses such serials.
inline constexpr size_t kSerialBytesMax = 21;

// CRLReason values of RFC 5280 section 5.3.1.
namespace crl_reason {
inline constexpr uint8_t kUnspecified = 0;
inline constexpr uint8_t kKeyCompromise = 1;
inline constexpr uint8_t kCaCompromise = 2;
inline constexpr uint8_t kCertificateHold = 6;
inline constexpr uint8_t kRemoveFromCrl = 8;
inline constexpr uint8_t kAaCompromise = 10;
inline constexpr uint8_t kMax = 10;

// Whether it says that a private key was not its owner's alone any more: of an
// end entity, of a CA, of an attribute authority.
constexpr bool IsCompromise(uint8_t reason) {
  return reason == kKeyCompromise || reason == kCaCompromise ||
         reason == kAaCompromise;
}
}  // namespace crl_reason

struct Revocation {
  int64_t revoked_at = 0;  // revocationDate, seconds since 1970
  uint8_t reason = crl_reason::kUnspecified;
  bool has_invalidity_date = false;
  int64_t invalidity_date = 0;

  // The earliest instant the entry is held to speak for: invalidityDate counts
  // when a key was compromised then (RFC 5280 section 5.3.2).
  int64_t EffectiveAt() const {
    return has_invalidity_date && crl_reason::IsCompromise(reason) &&
                   invalidity_date < revoked_at
               ? invalidity_date
               : revoked_at;
  }

  friend bool operator==(const Revocation&, const Revocation&) = default;
};

// What two entries for one serial number come to. CRLs must not list one twice,
// and this reading can only refuse more: a final revocation goes before a hold,
// which can be lifted, and counts from the earliest date that either speaks
// for; removeFromCRL stands only if nothing else does. In whatever order
// several are merged, the result is the same.
Revocation Merge(const Revocation& a, const Revocation& b);

}  // namespace inkan

#endif  // INKAN_CACHE_REVOCATION_ENTRY_H_
