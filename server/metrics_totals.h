// Sums of what workers and calls counted, as plain numbers: what a scrape or a
// status page works from. Differences of two say what happened between them.
//
// Plain values; thread safety is that of any struct.
#ifndef INKAN_SERVER_METRICS_TOTALS_H_
#define INKAN_SERVER_METRICS_TOTALS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "crypto/verdict.h"
#include "server/lane.h"

namespace inkan {

#define INKAN_COUNT_ONE(name, indication, sub_indication) +1
inline constexpr size_t kOutcomeCount = 0 INKAN_OUTCOMES(INKAN_COUNT_ONE);
#undef INKAN_COUNT_ONE

// Upper bounds of histogram buckets; one more bucket holds what is above. From
// half the time of a lone filing to the deadlines callers set.
inline constexpr int64_t kSecondsBoundsNs[] = {
    50'000,        100'000,       250'000,     500'000,       1'000'000,
    2'500'000,     5'000'000,     10'000'000,  25'000'000,    50'000'000,
    100'000'000,   250'000'000,   500'000'000, 1'000'000'000, 2'500'000'000,
    5'000'000'000, 10'000'000'000};
// A lone filing, the eight lanes of the RSA kernel, the default cap of 512, and
// the largest cap there may be.
inline constexpr int64_t kBatchBounds[] = {
    1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384, 65536};
inline constexpr size_t kSecondsBuckets = std::size(kSecondsBoundsNs) + 1;
inline constexpr size_t kBatchBuckets = std::size(kBatchBounds) + 1;

template <size_t kBuckets>
struct HistogramTotals {
  std::array<uint64_t, kBuckets> counts{};
  uint64_t sum = 0;  // nanoseconds, or filings

  uint64_t count() const {
    uint64_t all = 0;
    for (const uint64_t n : counts) all += n;
    return all;
  }
  HistogramTotals& operator+=(const HistogramTotals& other) {
    for (size_t i = 0; i < kBuckets; ++i) counts[i] += other.counts[i];
    sum += other.sum;
    return *this;
  }
  HistogramTotals& operator-=(const HistogramTotals& other) {
    for (size_t i = 0; i < kBuckets; ++i) counts[i] -= other.counts[i];
    sum -= other.sum;
    return *this;
  }
};

using SecondsHistogram = HistogramTotals<kSecondsBuckets>;
using BatchHistogram = HistogramTotals<kBatchBuckets>;

// The index of the bucket that `value` belongs in.
inline size_t BucketOf(absl::Span<const int64_t> bounds, int64_t value) {
  size_t i = 0;
  while (i < bounds.size() && value > bounds[i]) ++i;
  return i;
}

// The value below which `share` (0 to 1) of what was counted lies, taken to be
// spread evenly in its bucket; 0 if nothing was counted, the last bound if it
// lies above.
template <size_t kBuckets>
double Quantile(const HistogramTotals<kBuckets>& histogram,
                absl::Span<const int64_t> bounds, double share) {
  const auto all = static_cast<double>(histogram.count());
  if (all == 0) return 0;
  double below = 0;
  for (size_t i = 0; i < bounds.size(); ++i) {
    const auto here = static_cast<double>(histogram.counts[i]);
    if (here > 0 && below + here >= share * all) {
      const double low = i == 0 ? 0 : static_cast<double>(bounds[i - 1]);
      const double high = static_cast<double>(bounds[i]);
      return low + (high - low) * (share * all - below) / here;
    }
    below += here;
  }
  return static_cast<double>(bounds.back());
}

// What all workers did.
struct WorkerTotals {
  // By profile slot (see ProfileSlots), then by Outcome.
  std::vector<std::array<uint64_t, kOutcomeCount>> verdicts;
  std::array<SecondsHistogram, kLanes> waits;  // by Lane
  BatchHistogram batch;
  uint64_t busy_ns = 0;
  // [n]: runs of the RSA kernel with n lanes filled; [0] is not used.
  std::array<uint64_t, 9> rsa_groups{};
  // Operations too few for the kernel's lanes, in another one.
  uint64_t rsa_alone = 0;

  uint64_t filings() const {
    uint64_t all = 0;
    for (const auto& profile : verdicts) {
      for (const uint64_t n : profile) all += n;
    }
    return all;
  }
};

}  // namespace inkan

#endif  // INKAN_SERVER_METRICS_TOTALS_H_
