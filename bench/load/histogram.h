// Latencies, from nanoseconds to centuries, within 0.8 %: a log-linear
// histogram.
//
//   histogram.Record(latency_ns, filings);
//   uint64_t p99 = histogram.Quantile(0.99);
//
// Values below 128 have a bucket each; above, every power of two is split into
// 128 buckets of equal width. 58 KiB, no allocation after construction. One
// thread, or the caller's lock.
#ifndef INKAN_BENCH_LOAD_HISTOGRAM_H_
#define INKAN_BENCH_LOAD_HISTOGRAM_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace inkan::load {

class Histogram {
 public:
  Histogram();

  void Record(uint64_t value, uint64_t times = 1);
  void Merge(const Histogram& other);

  uint64_t count() const { return count_; }
  uint64_t max() const { return max_; }
  // The value that at least the share `quantile` of all records do not exceed,
  // rounded up to the end of its bucket but never beyond max(); 0 when empty.
  uint64_t Quantile(double quantile) const;

 private:
  static size_t BucketOf(uint64_t value);
  static uint64_t LastValueOf(size_t bucket);

  std::vector<uint64_t> buckets_;
  uint64_t count_ = 0;
  uint64_t max_ = 0;
};

}  // namespace inkan::load

#endif  // INKAN_BENCH_LOAD_HISTOGRAM_H_
