// Reads the configuration again when asked (SIGHUP, the Reload call) and has it
// applied, on a thread of its own: reading large CRLs takes seconds and must
// hold up neither gRPC's threads nor a signal.
//
// All or nothing: whoever applies it changes nothing if it returns an error.
//
// Thread safety: every method from any thread.
#ifndef INKAN_SERVER_RELOADER_H_
#define INKAN_SERVER_RELOADER_H_

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "cache/mutex.h"
#include "server/config.h"

namespace inkan {

class Reloader {
 public:
  using Done = std::function<void(const absl::Status&)>;

  using Apply = std::function<absl::Status(Config)>;

  Reloader(std::string config_path, Apply apply);
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
  const Apply apply_;

  Mutex mutex_;
  CondVar asked_;
  std::vector<Done> waiting_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_RELOADER_H_
