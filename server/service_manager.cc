#include "server/service_manager.h"

#include <systemd/sd-daemon.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"

namespace inkan {

void NotifyManager(const std::string& state) {
  sd_notify(/*unset_environment=*/0, state.c_str());
}

void NotifyReloading() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  NotifyManager(absl::StrCat(
      "RELOADING=1\nMONOTONIC_USEC=",
      std::chrono::duration_cast<std::chrono::microseconds>(now).count()));
}

Watchdog::Watchdog(Pulses pulses) : pulses_(std::move(pulses)) {
  uint64_t microseconds = 0;
  if (sd_watchdog_enabled(/*unset_environment=*/0, &microseconds) <= 0) return;
  // systemd asks for twice as often as it would act; four times leaves room
  // for a pulse that was just missed.
  interval_ = absl::Microseconds(static_cast<int64_t>(microseconds)) / 4;
  thread_ = std::thread([this] { Run(); });
}

Watchdog::~Watchdog() {
  {
    MutexLock lock(&mutex_);
    ending_ = true;
    ending_changed_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
}

void Watchdog::Run() {
  std::vector<uint64_t> seen = pulses_();
  std::vector<int> still(seen.size(), 0);  // rounds without a beat
  while (true) {
    const std::vector<uint64_t> now = pulses_();
    bool alive = true;
    for (size_t i = 0; i < now.size(); ++i) {
      still[i] = now[i] == seen[i] ? still[i] + 1 : 0;
      alive = alive && still[i] <= 2;
    }
    seen = now;
    if (alive) NotifyManager("WATCHDOG=1");
    MutexLock lock(&mutex_);
    if (!ending_) {
      ending_changed_.WaitFor(&mutex_, absl::ToChronoMilliseconds(interval_));
    }
    if (ending_) return;
  }
}

}  // namespace inkan
