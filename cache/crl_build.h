// Builds a CrlIndex from the entries of a CRL.
//
// The entries are read several times over and never kept: once for statistics,
// from which the codings are chosen, then once for each group of serials of
// like size if they are in order. If they are not, serials that lie close
// together are sorted range by range, and others scattered straight to their
// places in the index, which takes two readings. So hostile input, too, costs a
// bounded number of readings (kReadingsMax) and n log n work.
//
// Memory: the index, as large as it is before entries for one serial are put
// together, and kBuildBufferBytes. Errors: those of the entries;
// kInvalidArgument if there are more than kIndexEntriesMax; kResourceExhausted
// if there is no memory.
#ifndef INKAN_CACHE_CRL_BUILD_H_
#define INKAN_CACHE_CRL_BUILD_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "cache/crl_entries.h"
#include "cache/crl_index.h"

namespace inkan {

// A CRL of 4 GiB, the largest that four octets of length allow, holds 2^32 / 20
// of the shortest entries.
inline constexpr uint64_t kIndexEntriesMax = uint64_t{1} << 28;

// 15 MiB of statistics about days and seconds, and either 40 MiB for sorting a
// range or 32 MiB of cursors for scattering.
inline constexpr size_t kBuildBufferBytes = size_t{56} << 20;
inline constexpr size_t kSortBufferBytes = size_t{40} << 20;
// Of 16 octets each.
inline constexpr size_t kSortedEntriesMax = kSortBufferBytes / 16;

// Ranges into which serials out of order are sorted; where more were needed
// they are scattered instead.
inline constexpr uint64_t kSortedRangesMax = 8;
// Statistics; for each of three groups at most a histogram, the ranges, and
// after these went wrong a histogram and the scattering.
inline constexpr uint64_t kReadingsMax = 1 + 3 * (1 + kSortedRangesMax + 2);

// `sorted_max` is how many entries may lie in one range. Tests take fewer, so
// that they have many ranges.
absl::StatusOr<CrlIndex> BuildCrlIndex(CrlEntries* entries,
                                       size_t sorted_max = kSortedEntriesMax);

}  // namespace inkan

#endif  // INKAN_CACHE_CRL_BUILD_H_
