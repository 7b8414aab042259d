// Syncs the audit log's file to the disk on a thread of its own, so that nobody
// who writes waits for the disk.
//
//   AuditSyncer syncer([](const absl::Status& status) { .. });
//   std::thread thread([&] { syncer.Run(); });
//   syncer.Ask(descriptor, path);          // takes the descriptor
//   ... syncer.since_ns() ...              // a disk that hangs is seen by this
//   syncer.End(); thread.join();
//
// Thread safety: every method from any thread; Run on one. Ownership: it closes
// the descriptors it is given.
#ifndef INKAN_SERVER_AUDIT_SYNCER_H_
#define INKAN_SERVER_AUDIT_SYNCER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "cache/mutex.h"

namespace inkan {

class AuditSyncer {
 public:
  using Done = std::function<void(const absl::Status&)>;

  // `done` is told of each sync, on Run's thread. `before` is called ahead of
  // each there; may be null.
  AuditSyncer(Done done, std::function<void()> before)
      : done_(std::move(done)), before_(std::move(before)) {}
  ~AuditSyncer();
  AuditSyncer(const AuditSyncer&) = delete;
  AuditSyncer& operator=(const AuditSyncer&) = delete;

  // Soon syncs the file.
  void Ask(int descriptor, std::string path) ABSL_LOCKS_EXCLUDED(mutex_);
  // Until End, and everything asked for before is synced.
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  void End() ABSL_LOCKS_EXCLUDED(mutex_);

  // Since when it is at the sync it does now, by NowNs; 0: there is none.
  int64_t since_ns() const { return since_ns_.load(std::memory_order_relaxed); }

 private:
  struct Job {
    int descriptor = -1;
    std::string path;
  };

  const Done done_;
  const std::function<void()> before_;
  std::atomic<int64_t> since_ns_{0};
  Mutex mutex_;
  CondVar asked_;
  std::vector<Job> jobs_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace inkan

#endif  // INKAN_SERVER_AUDIT_SYNCER_H_
