// Reads the configuration again when asked (SIGHUP, the Reload call) and hands
// its profiles and CRL sources to the keeper, on a thread of its own: reading
// large CRLs takes seconds and must hold up neither gRPC's threads nor a
// signal.
//
// Only what a snapshot is made of is reloaded; listeners, limits and worker
// threads keep the values of the start. On any error the old snapshot stays.
//
// Thread safety: every method from any thread. Ownership: the keeper must
// outlive it.
#ifndef INKAN_SERVER_RELOADER_H_
#define INKAN_SERVER_RELOADER_H_

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "cache/mutex.h"
#include "cache/snapshot_keeper.h"

namespace inkan {

class Reloader {
 public:
  using Done = std::function<void(const absl::Status&)>;

  Reloader(std::string config_path, SnapshotKeeper* keeper);
  // Finishes what has been asked for.
  ~Reloader();
  Reloader(const Reloader&) = delete;
  Reloader& operator=(const Reloader&) = delete;

  // Starts a reload, or, if one is under way, one more after it that serves all
  // who asked meanwhile. `done` is called on the reloader's thread.
  void Reload(Done done) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string config_path_;
  SnapshotKeeper* const keeper_;

  Mutex mutex_;
  CondVar asked_;
  std::vector<Done> waiting_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_RELOADER_H_
