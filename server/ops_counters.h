// Requests to the operations port, counted by path and code.
// Thread-safe. One lock: it is asked a few times a minute.
#ifndef INKAN_SERVER_OPS_COUNTERS_H_
#define INKAN_SERVER_OPS_COUNTERS_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "cache/mutex.h"

namespace inkan {

class OpsCounters {
 public:
  // By path and status code.
  using Requests = std::map<std::pair<std::string, int>, uint64_t>;

  // REQUIRES: a path there is, or "other", so that labels are bounded.
  void Answered(const std::string& path, int code) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    ++requests_[{path, code}];
  }
  void Dropped() { dropped_.fetch_add(1, std::memory_order_relaxed); }

  Requests requests() const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return requests_;
  }
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  mutable Mutex mutex_;
  Requests requests_ ABSL_GUARDED_BY(mutex_);
  std::atomic<uint64_t> dropped_{0};
};

}  // namespace inkan

#endif  // INKAN_SERVER_OPS_COUNTERS_H_
