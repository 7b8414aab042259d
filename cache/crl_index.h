// One immutable set of revoked serial numbers: serial -> when, why.
//
//   CrlIndexBuilder builder;
//   for (each entry) builder.Add(serial, revocation);
//   CrlIndex index = std::move(builder).Build();
//   Revocation revocation;
//   if (index.Find(serial, &revocation)) ...
//
// Exact: no false positive, no false negative. Serials are compared as the DER
// INTEGER contents they are, 1 to kSerialBytesMax octets, sign included. Thread
// safety: an index is immutable; Find may be called from any thread at once.
// Layout: see docs/ARCHITECTURE.md, "The CRL index".
#ifndef INKAN_CACHE_CRL_INDEX_H_
#define INKAN_CACHE_CRL_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "crypto/bytes.h"

namespace inkan {

// RFC 5280 section 4.1.2.2 allows 20 octets; one more is the sign octet that
// CAs which fill all 160 bits need, and PKITS uses such serials.
inline constexpr size_t kSerialBytesMax = 21;

// CRLReason values of RFC 5280 section 5.3.1.
namespace crl_reason {
inline constexpr uint8_t kUnspecified = 0;
inline constexpr uint8_t kKeyCompromise = 1;
inline constexpr uint8_t kCertificateHold = 6;
inline constexpr uint8_t kRemoveFromCrl = 8;
}  // namespace crl_reason

struct Revocation {
  int64_t revoked_at = 0;  // revocationDate, seconds since 1970
  uint8_t reason = crl_reason::kUnspecified;
  bool has_invalidity_date = false;
  int64_t invalidity_date = 0;

  // The earliest instant the entry is held to speak for: invalidityDate counts
  // when the key was compromised then.
  int64_t EffectiveAt() const {
    return has_invalidity_date && reason == crl_reason::kKeyCompromise &&
                   invalidity_date < revoked_at
               ? invalidity_date
               : revoked_at;
  }
};

class CrlIndex {
 public:
  CrlIndex() = default;

  bool Find(Bytes serial, Revocation* revocation) const;
  size_t size() const { return size_; }
  size_t memory_bytes() const;

 private:
  friend class CrlIndexBuilder;

  // 16 octets an entry with a serial of up to 8 octets. Dates are seconds since
  // `epoch_`, which leaves 136 years.
  struct Entry {
    uint64_t serial;
    uint32_t revoked_after_epoch;
    uint32_t
        reason_and_extra;  // reason in the low octet, 1 + index into extras_
  };
  struct WideEntry {
    uint8_t size;
    uint8_t serial[kSerialBytesMax];
    uint16_t reason;
    uint32_t extra;
    int64_t revoked_at;
  };

  static void Fill(const CrlIndex& index, int64_t revoked_at, uint32_t reason,
                   uint32_t extra, Revocation* revocation);

  size_t size_ = 0;
  int64_t epoch_ = 0;
  std::vector<Entry> entries_;   // sorted by serial
  std::vector<WideEntry> wide_;  // sorted by size, then octets
  std::vector<int64_t> extras_;  // invalidity dates
};

// Collects entries in any order. For a serial listed twice the first entry with
// the earliest effective date is kept, and removeFromCRL only if it is all
// there is: CRLs must not list one twice, and the stricter reading can only
// refuse more.
class CrlIndexBuilder {
 public:
  // REQUIRES: 1 <= serial.size() <= kSerialBytesMax.
  void Add(Bytes serial, const Revocation& revocation);
  void Reserve(size_t entries) { items_.reserve(entries); }
  CrlIndex Build() &&;

 private:
  struct Item {
    uint8_t size;
    uint8_t serial[kSerialBytesMax];
    Revocation revocation;
  };
  std::vector<Item> items_;
};

}  // namespace inkan

#endif  // INKAN_CACHE_CRL_INDEX_H_
