// What is known about the revocation of one certificate, as of a time T.
//
// The cases are drawn up in docs/ARCHITECTURE.md, "Revocation at time T".
#ifndef INKAN_CACHE_REVOCATION_H_
#define INKAN_CACHE_REVOCATION_H_

#include <cstdint>

#include "cache/crl_index.h"

namespace inkan {

struct CrlData;

enum class RevocationStatus : uint8_t {
  kUnknown,       // nothing at hand speaks about it at T
  kGood,          // on no CRL that covers it
  kRevoked,       // at or before T
  kOnHold,        // certificateHold at T; counts as revoked
  kRevokedLater,  // after T; good at T
  kNotChecked,    // the profile does not ask
};

constexpr bool IsGood(RevocationStatus status) {
  return status == RevocationStatus::kGood ||
         status == RevocationStatus::kRevokedLater ||
         status == RevocationStatus::kNotChecked;
}

struct RevocationEvidence {
  RevocationStatus status = RevocationStatus::kUnknown;
  // The entry; only meaningful if has_entry.
  bool has_entry = false;
  Revocation entry;
  // The CRL that decided, or that came nearest to; null if there is none. Owned
  // by the snapshot, as are the next two.
  const CrlData* crl = nullptr;
  // Where a delta was read over a complete CRL, both: what is known rests on
  // the two together. Else null.
  const CrlData* complete = nullptr;
  const CrlData* delta = nullptr;
  // Why, in a few static words: "stale: nextUpdate passed".
  const char* reason = "";
};

}  // namespace inkan

#endif  // INKAN_CACHE_REVOCATION_H_
