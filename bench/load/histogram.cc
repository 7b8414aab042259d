#include "bench/load/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace inkan::load {
namespace {

// 128 sub-buckets a power of two.
constexpr unsigned kSubBits = 7;
constexpr size_t kSubBuckets = size_t{1} << kSubBits;
constexpr size_t kBuckets = (64 - kSubBits - 1) * kSubBuckets + 2 * kSubBuckets;

}  // namespace

Histogram::Histogram() : buckets_(kBuckets, 0) {}

size_t Histogram::BucketOf(uint64_t value) {
  const auto width = static_cast<unsigned>(std::bit_width(value));
  const unsigned shift = width > kSubBits + 1 ? width - kSubBits - 1 : 0;
  return shift * kSubBuckets + static_cast<size_t>(value >> shift);
}

uint64_t Histogram::LastValueOf(size_t bucket) {
  if (bucket < 2 * kSubBuckets) return bucket;
  const size_t shift = bucket / kSubBuckets - 1;
  const uint64_t first = bucket - shift * kSubBuckets;
  return (first << shift) + ((uint64_t{1} << shift) - 1);
}

void Histogram::Record(uint64_t value, uint64_t times) {
  buckets_[BucketOf(value)] += times;
  count_ += times;
  max_ = std::max(max_, value);
}

void Histogram::Merge(const Histogram& other) {
  for (size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

uint64_t Histogram::Quantile(double quantile) const {
  if (count_ == 0) return 0;
  const auto rank = std::clamp<uint64_t>(
      static_cast<uint64_t>(std::ceil(quantile * static_cast<double>(count_))),
      1, count_);
  uint64_t seen = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= rank) return std::min(LastValueOf(i), max_);
  }
  return max_;
}

}  // namespace inkan::load
