// One immutable set of revoked serial numbers: serial -> when, why.
//
//   auto index = BuildCrlIndex(&entries);        // cache/crl_build.h
//   Revocation revocation;
//   if (index->Find(serial, &revocation)) ...
//
// Exact: no false positive, no false negative, whatever the distribution of
// serials and dates. Serials are compared as the DER INTEGER contents they are,
// 1 to kSerialBytesMax octets, sign included.
//
// The layout is an image without pointers (cache/crl_index_format.h; drawn in
// docs/ARCHITECTURE.md, "The CRL index"): built in memory, or mapped from a
// file. A look-up of a serial that is not there touches one or two cache lines
// beyond the directory, of one that is two or three; Prefetch asks for them
// ahead, so that a caller with many serials waits for memory once.
//
// Thread safety: an index is immutable; any thread at once. Copies share the
// image. No errors: whatever FromImage has let through is safe to look into.
#ifndef INKAN_CACHE_CRL_INDEX_H_
#define INKAN_CACHE_CRL_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "cache/memory_block.h"
#include "cache/revocation_entry.h"
#include "crypto/bytes.h"

namespace inkan {

struct CrlIndexView;

class CrlIndex {
 public:
  // Nothing is revoked.
  CrlIndex() = default;

  // Takes over an image that lies at `image` in `memory`. Every offset and
  // width in it is checked, so that no look-up can leave it: kDataLoss if one
  // is wrong.
  static absl::StatusOr<CrlIndex> FromImage(
      std::shared_ptr<const MemoryBlock> memory, Bytes image);

  bool Find(Bytes serial, Revocation* revocation) const;
  // Starts to bring what Find will need into the cache.
  void Prefetch(Bytes serial) const;
  // Find for many: found[i] tells of serials[i]. As fast as memory allows with
  // a few dozen at a time.
  void FindBatch(absl::Span<const Bytes> serials,
                 absl::Span<Revocation> revocations,
                 absl::Span<bool> found) const;

  // Every entry, in no order that matters; serials as DER INTEGER contents.
  void ForEach(
      const std::function<void(Bytes serial, const Revocation&)>& use) const;

  size_t size() const;
  // Of memory, ours or the page cache's.
  size_t memory_bytes() const;
  Bytes image() const { return image_; }
  // The codings that were chosen, for people: one line for each.
  std::vector<std::string> Describe() const;

 private:
  std::shared_ptr<const MemoryBlock> memory_;
  Bytes image_;
  std::shared_ptr<const CrlIndexView> view_;
};

// Collects entries in any order, for indexes of a modest size: an entry takes
// 48 octets until Build. For a serial listed twice see Merge.
class CrlIndexBuilder {
 public:
  // REQUIRES: 1 <= serial.size() <= kSerialBytesMax.
  void Add(Bytes serial, const Revocation& revocation);
  size_t size() const { return items_.size(); }
  absl::StatusOr<CrlIndex> Build() &&;

 private:
  struct Item {
    uint8_t size;
    uint8_t serial[kSerialBytesMax];
    Revocation revocation;
  };
  class Entries;

  std::vector<Item> items_;
};

}  // namespace inkan

#endif  // INKAN_CACHE_CRL_INDEX_H_
