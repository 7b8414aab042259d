#include "server/metrics.h"

#include <algorithm>

namespace inkan {

WorkerMetrics* Metrics::AddWorker() {
  MutexLock lock(&mutex_);
  return workers_.emplace_back(std::make_unique<WorkerMetrics>(&slots_)).get();
}

WorkerTotals Metrics::SumOfWorkers() const {
  WorkerTotals totals;
  totals.verdicts.resize(ProfileSlots::kSlots);
  MutexLock lock(&mutex_);
  for (const auto& worker : workers_) worker->AddTo(&totals);
  return totals;
}

size_t Metrics::workers() const {
  MutexLock lock(&mutex_);
  return workers_.size();
}

int64_t Metrics::LongestBatchNs() const {
  int64_t longest = 0;
  const int64_t now = NowNs();
  MutexLock lock(&mutex_);
  for (const auto& worker : workers_) {
    const int64_t since = worker->busy_since_ns();
    if (since != 0) longest = std::max(longest, now - since);
  }
  return longest;
}

}  // namespace inkan
