// Keeps health in step with the freshness of each profile's CRLs, which changes
// by time alone as well as when a CRL arrives.
//
//   Readiness readiness(&keeper, audit, alive, &health);
//
// It has looked once when the constructor returns.
//
// A profile's freshness policy (cache/profile.h) says when it is ready; health
// names it "inkan.v1.VerificationService/NAME". While an audit log that must be
// written cannot be, no filing is taken. While `alive` says no, which is when a
// worker hangs, "inkan.v1.OperationsService" is NOT_SERVING, so that whoever
// asks that for liveness restarts the process. Looked at every half second.
//
// Thread safety: a thread of its own, joined by the destructor. Ownership:
// keeper, audit log (may be null) and health must outlive it.
#ifndef INKAN_SERVER_READINESS_H_
#define INKAN_SERVER_READINESS_H_

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "cache/mutex.h"
#include "cache/snapshot_keeper.h"
#include "server/audit_log.h"
#include "server/health.h"

namespace inkan {

class Readiness {
 public:
  using Alive = std::function<bool()>;

  Readiness(const SnapshotKeeper* keeper, const AuditLog* audit, Alive alive,
            HealthState* health);
  ~Readiness();
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;

 private:
  void Look();
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  const SnapshotKeeper* const keeper_;
  const AuditLog* const audit_;
  const Alive alive_;
  HealthState* const health_;
  Mutex mutex_;
  CondVar wake_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_READINESS_H_
