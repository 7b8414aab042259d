// The entries of one CRL as an index is built from: read several times over, a
// few hundred at a time, none of them kept.
#ifndef INKAN_CACHE_CRL_ENTRIES_H_
#define INKAN_CACHE_CRL_ENTRIES_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "cache/revocation_entry.h"

namespace inkan {

// What follows a serial must be readable memory too: short ones are read as one
// word.
inline constexpr size_t kSerialGuardBytes = 8;

struct IndexEntry {
  // DER INTEGER contents, 1 to kSerialBytesMax octets, and kSerialGuardBytes
  // more of whatever else.
  const uint8_t* serial = nullptr;
  size_t serial_size = 0;
  Revocation revocation;
};

// One thread at a time.
class CrlEntries {
 public:
  virtual ~CrlEntries() = default;

  // Puts the next entries into the front of `out`; 0 at the end. Serials stay
  // where they are until the next call. An error ends the build.
  virtual absl::StatusOr<size_t> Read(absl::Span<IndexEntry> out) = 0;
  // Starts again. What is read then must be the same.
  virtual absl::Status Rewind() = 0;
};

}  // namespace inkan

#endif  // INKAN_CACHE_CRL_ENTRIES_H_
