// The last minute, second by second, for the status page: a ring of samples
// that a thread takes once a second.
//
// Thread safety: every method from any thread. Ownership: the view's parts must
// outlive it.
#ifndef INKAN_SERVER_STATUSZ_SAMPLER_H_
#define INKAN_SERVER_STATUSZ_SAMPLER_H_

#include <cstdint>
#include <deque>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "cache/mutex.h"
#include "server/metrics_totals.h"
#include "server/ops_view.h"

namespace inkan {

// What happened in one interval.
struct StatusSample {
  double seconds = 1;
  uint64_t filings = 0;
  uint64_t rejects = 0;
  uint64_t busy_ns = 0;
  SecondsHistogram calls;  // handling times of verification calls
  // Of the messages of streams, whose calls last for as long as their clients
  // like: how long each waited for a worker.
  SecondsHistogram stream_waits;
  uint64_t waiting = 0;  // at its end
};

class StatusSampler {
 public:
  static constexpr size_t kSamples = 60;

  explicit StatusSampler(const OpsView& view);
  ~StatusSampler();
  StatusSampler(const StatusSampler&) = delete;
  StatusSampler& operator=(const StatusSampler&) = delete;

  // Oldest first, kSamples at most.
  std::vector<StatusSample> samples() const ABSL_LOCKS_EXCLUDED(mutex_);
  // When the snapshot in force was first seen, to the second.
  absl::Time snapshot_since() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Sums since the start.
  struct Mark {
    int64_t at_ns = 0;
    uint64_t filings = 0;
    uint64_t rejects = 0;
    uint64_t busy_ns = 0;
    SecondsHistogram calls;
    SecondsHistogram stream_waits;
  };
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  Mark MakeMark() const;
  void TakeSample() ABSL_LOCKS_EXCLUDED(mutex_);
  void SeeSnapshot() ABSL_LOCKS_EXCLUDED(mutex_);

  const OpsView view_;
  Mark last_;  // the thread's own, once it runs

  mutable Mutex mutex_;
  CondVar wake_;
  std::deque<StatusSample> ring_ ABSL_GUARDED_BY(mutex_);
  uint64_t generation_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time snapshot_since_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

// The handling times of VerificationService's calls, all methods together.
SecondsHistogram VerificationCalls(const Metrics& metrics);
// Filings refused or dropped unjudged.
uint64_t RejectsOf(const BatcherCounters& counters);

}  // namespace inkan

#endif  // INKAN_SERVER_STATUSZ_SAMPLER_H_
