// The two forms of a segment, being written. Private to the building of an
// index.
#ifndef INKAN_CACHE_CRL_BUILD_PARTS_H_
#define INKAN_CACHE_CRL_BUILD_PARTS_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cache/crl_build_plan.h"
#include "cache/crl_entries.h"
#include "cache/crl_index_format.h"
#include "cache/crl_index_view.h"

namespace inkan {

// A date and reason as they are kept: equal values decode alike.
struct Payload {
  uint64_t code = 0;
  unsigned symbol = 0;
};

// Turns dates and reasons into payloads and back, and keeps the exceptions.
class PayloadCoder {
 public:
  // `view` holds the header and the tables of the image being made.
  PayloadCoder(const EntryStatistics& statistics, CrlIndexView* view,
               uint8_t* exceptions);

  Payload Encode(const Revocation& revocation);
  Revocation Decode(const Payload& payload) const;
  // What two entries for one serial come to. An exception's place is taken
  // over.
  Payload Merge(const Payload& a, const Payload& b);
  uint64_t exceptions() const { return exceptions_used_; }
  void set_exceptions(uint64_t count) { exceptions_used_ = count; }
  const crl_format::ImageHeader& header() const { return view_->header; }
  const crl_format::DateCoding& dates() const { return view_->dates; }

 private:
  Payload EncodeException(const Revocation& revocation);
  void WriteException(uint64_t i, const Revocation& revocation);

  const EntryStatistics& statistics_;
  CrlIndexView* const view_;
  uint8_t* const exceptions_;
  const uint64_t exceptions_max_;
  uint64_t exceptions_used_ = 0;
  std::array<uint8_t, crl_format::kSymbolsMax> symbol_of_ = {};
};

// Reads all entries once more. A template, because the call is made for each.
template <typename Use>
absl::Status ForEachEntry(CrlEntries* entries, const Use& use) {
  constexpr size_t kAtOnce = 256;
  IndexEntry buffer[kAtOnce];
  if (absl::Status status = entries->Rewind(); !status.ok()) return status;
  for (;;) {
    absl::StatusOr<size_t> count = entries->Read(absl::MakeSpan(buffer));
    if (!count.ok()) return count.status();
    if (*count == 0) return absl::OkStatus();
    for (size_t i = 0; i < *count; ++i) use(buffer[i]);
  }
}

// Room in the image for one segment, zero at first.
struct SegmentRoom {
  uint8_t* image = nullptr;
  uint64_t offset = 0;
  uint64_t size = 0;
};

// Octets to keep free for a segment, in either form.
uint64_t BlocksRoom(const SegmentStatistics& statistics);
uint64_t RecordsRoom(const SegmentStatistics& statistics,
                     const crl_format::ImageHeader& header);

// Whether the numbers of a segment lie close enough together for blocks.
bool CanBeBlocks(const SegmentStatistics& statistics);

// Both fill in `header` and leave the end of what they used in *end. Blocks
// answer false if the numbers are too unevenly spread, or out of order and too
// many for ranges of `sorted_max`; the room is then as it was.
absl::StatusOr<bool> BuildBlocks(CrlEntries* entries, size_t segment,
                                 const SegmentStatistics& statistics,
                                 size_t sorted_max, PayloadCoder* coder,
                                 SegmentRoom room,
                                 crl_format::SegmentHeader* header,
                                 uint64_t* end);
absl::Status BuildRecords(CrlEntries* entries, size_t segment,
                          const SegmentStatistics& statistics,
                          PayloadCoder* coder, SegmentRoom room,
                          crl_format::SegmentHeader* header, uint64_t* end);

}  // namespace inkan

#endif  // INKAN_CACHE_CRL_BUILD_PARTS_H_
