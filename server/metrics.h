// Everything the server counts, under one roof: workers, calls, requests to the
// operations port. What it knows anyway (queue, CRLs, snapshot) is asked where
// it lives when somebody looks: see server/metrics_collector.h.
//
//   Metrics metrics;
//   WorkerMetrics* mine = metrics.AddWorker();     // each worker, once
//   WorkerTotals totals = metrics.SumOfWorkers();  // a scrape
//
// Thread safety: every method from any thread. Ownership: what AddWorker gives
// lives as long as this.
#ifndef INKAN_SERVER_METRICS_H_
#define INKAN_SERVER_METRICS_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "cache/mutex.h"
#include "server/metrics_rpc.h"
#include "server/metrics_totals.h"
#include "server/metrics_worker.h"

namespace inkan {

class Metrics {
 public:
  WorkerMetrics* AddWorker() ABSL_LOCKS_EXCLUDED(mutex_);
  WorkerTotals SumOfWorkers() const ABSL_LOCKS_EXCLUDED(mutex_);
  size_t workers() const ABSL_LOCKS_EXCLUDED(mutex_);
  // How long the worker that has been at one batch the longest has been at it.
  int64_t LongestBatchNs() const ABSL_LOCKS_EXCLUDED(mutex_);
  // By the slots of WorkerTotals::verdicts.
  std::vector<std::string> profile_names() const { return slots_.names(); }

  RpcMetrics& rpc() { return rpc_; }
  const RpcMetrics& rpc() const { return rpc_; }

 private:
  ProfileSlots slots_;
  RpcMetrics rpc_;
  mutable Mutex mutex_;
  std::vector<std::unique_ptr<WorkerMetrics>> workers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace inkan

#endif  // INKAN_SERVER_METRICS_H_
