// What one worker counts: verdicts by profile and outcome, waits, batch sizes,
// and how the RSA kernel's lanes were filled.
//
//   WorkerMetrics metrics(&slots);           // one a worker
//   metrics.BatchBegun();
//   metrics.BatchDone(snapshot, record);
//   metrics.AddTo(&totals);                  // any thread: a scrape
//
// Cost: two clock reads a batch, and for each filing an addition to a counter
// that only one thread at a time writes. No locks, and no allocation once a
// profile's name has been seen.
//
// Thread safety: BatchBegun and BatchDone of a batch on one thread, of all
// batches one after the other; AddTo, busy_since_ns and batches from any
// thread. A scrape may see a batch half counted.
#ifndef INKAN_SERVER_METRICS_WORKER_H_
#define INKAN_SERVER_METRICS_WORKER_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "cache/mutex.h"
#include "cache/snapshot.h"
#include "crypto/rsa.h"
#include "server/lane.h"
#include "server/metrics_totals.h"
#include "server/steady_clock.h"
#include "server/verdict_record.h"

namespace inkan {

// Profiles that have been configured since the start, numbered. Slot 0 is
// "unknown": what callers ask for and nobody configured, and profiles past the
// last slot, which nobody has. Thread-safe.
class ProfileSlots {
 public:
  // Enough for every purpose an agency may have, at 30 KB a worker.
  static constexpr size_t kSlots = 256;
  static constexpr char kUnknown[] = "unknown";

  ProfileSlots() { names_.emplace_back(kUnknown); }
  // REQUIRES: a configured name, or the labels would not be bounded.
  size_t SlotOf(std::string_view name) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<std::string> names() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable Mutex mutex_;
  std::vector<std::string> names_ ABSL_GUARDED_BY(mutex_);
};

// A counter that one thread at a time writes.
class OwnCounter {
 public:
  void Add(uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n,
                 std::memory_order_relaxed);
  }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Aligned so that no two workers write to one cache line.
class alignas(64) WorkerMetrics {
 public:
  explicit WorkerMetrics(ProfileSlots* slots) : slots_(slots) {}

  void BatchBegun(int64_t at_ns = NowNs());
  void BatchDone(const Snapshot& snapshot, const BatchRecord& record);
  // The batch was not judged after all.
  void BatchDropped();

  void AddTo(WorkerTotals* totals) const;
  // When the batch in work was begun, by NowNs; 0: none is.
  int64_t busy_since_ns() const {
    return busy_since_.load(std::memory_order_relaxed);
  }

 private:
  size_t SlotOf(const Snapshot& snapshot, std::string_view profile);
  void CountRsa();

  ProfileSlots* const slots_;
  // The worker's own memory of slots. Only configured names are kept.
  std::map<std::string, size_t, std::less<>> known_;
  std::string last_profile_;
  size_t last_slot_ = 0;
  RsaCounts rsa_before_;

  std::atomic<int64_t> busy_since_{0};
  OwnCounter busy_ns_;
  struct Wait {
    std::array<OwnCounter, kSecondsBuckets> counts;
    OwnCounter sum;
  };
  std::array<Wait, kLanes> waits_;
  std::array<OwnCounter, kBatchBuckets> batch_;
  OwnCounter batch_sum_;
  std::array<OwnCounter, 9> rsa_groups_;
  OwnCounter rsa_alone_;
  std::array<std::array<OwnCounter, kOutcomeCount>, ProfileSlots::kSlots>
      verdicts_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_METRICS_WORKER_H_
