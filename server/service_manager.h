// What systemd wants to hear of a service of Type=notify, and its watchdog.
// Without systemd (NOTIFY_SOCKET is not set) everything here does nothing.
//
//   NotifyManager("READY=1");
//   Watchdog watchdog([&] { return batcher.pulses(); });
//
// The watchdog is fed only while every worker gets anywhere: a server that
// cannot judge is restarted, even if its other threads are well.
//
// Thread safety: every function from any thread.
#ifndef INKAN_SERVER_SERVICE_MANAGER_H_
#define INKAN_SERVER_SERVICE_MANAGER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "cache/mutex.h"

namespace inkan {

// Sends sd_notify(3) assignments, one a line.
void NotifyManager(const std::string& state);
// RELOADING=1 with the time systemd wants beside it; follow it with READY=1.
void NotifyReloading();

class Watchdog {
 public:
  // Numbers that grow while their owners get anywhere, at least once a second.
  using Pulses = std::function<std::vector<uint64_t>()>;

  // Feeds the watchdog systemd asks for (WATCHDOG_USEC), if it does.
  explicit Watchdog(Pulses pulses);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  const Pulses pulses_;
  absl::Duration interval_;
  Mutex mutex_;
  CondVar ending_changed_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_SERVICE_MANAGER_H_
