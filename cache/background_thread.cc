#include "cache/background_thread.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "cache/steady_time.h"

namespace inkan {
namespace {

// Between two looks at whether a thread starves.
constexpr double kLookSeconds = 3;
// Starved: it waits thirty times as long as it runs. An ordinary thread of
// kBackgroundNice waits ten times as long beside one that is always busy.
constexpr double kStarved = 30;
// How long it is an ordinary thread then: requests wait some milliseconds more
// for a tenth of the time at most, and a CRL that takes a second comes to its
// end within two minutes. Not until there is room again: beside requests that
// leave half a core there always is, and never seems so.
constexpr double kOrdinarySeconds = 0.3;

// The calling thread's.
int Policy() {
  const int policy = sched_getscheduler(0);
  return policy < 0 ? SCHED_OTHER : policy;
}

// What the scheduler has counted for a thread (Documentation/scheduler/
// sched-stats in the kernel's sources), in nanoseconds.
struct Counted {
  uint64_t ran = 0;
  uint64_t waited = 0;
};

// The calling thread's pace.
class Pace {
 public:
  Pace() = default;
  Pace(const Pace&) = delete;
  Pace& operator=(const Pace&) = delete;
  ~Pace() {
    if (fd_ >= 0) close(fd_);
  }

  void Start() {
    if (fd_ < 0)
      fd_ = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    const std::optional<Counted> now = Count();
    if (!now.has_value()) return;  // who cannot see it starve must not risk it
    last_ = *now;
    looked_at_ = SteadySeconds();
    if (!idle_) ordinary_ = Policy();
    SetIdle(true);
  }

  void Look() {
    if (fd_ < 0) return;
    const double now = SteadySeconds();
    if (now - looked_at_ < (idle_ ? kLookSeconds : kOrdinarySeconds)) return;
    looked_at_ = now;
    const std::optional<Counted> counted = Count();
    if (!counted.has_value()) return;
    const double ran = static_cast<double>(counted->ran - last_.ran) / 1e9;
    const double waited =
        static_cast<double>(counted->waited - last_.waited) / 1e9;
    last_ = *counted;
    SetIdle(!idle_ || !IsStarved(ran, waited));
  }

 private:
  static double SteadySeconds() { return absl::ToDoubleSeconds(SteadyNow()); }

  std::optional<Counted> Count() const {
    char text[96];
    const ssize_t size = pread(fd_, text, sizeof text, 0);
    if (size <= 0) return std::nullopt;
    const std::vector<std::string> fields =
        absl::StrSplit(absl::string_view(text, static_cast<size_t>(size)), ' ');
    Counted counted;
    if (fields.size() < 2 || !absl::SimpleAtoi(fields[0], &counted.ran) ||
        !absl::SimpleAtoi(fields[1], &counted.waited)) {
      return std::nullopt;
    }
    return counted;
  }

  void SetIdle(bool idle) {
    if (idle == idle_) return;
    const sched_param none{};
    if (sched_setscheduler(0, idle ? SCHED_IDLE : ordinary_, &none) == 0) {
      idle_ = idle;
    }
  }

  int fd_ = -1;
  Counted last_;
  double looked_at_ = 0;
  int ordinary_ = SCHED_OTHER;  // the policy of the others
  bool idle_ = false;
};

thread_local Pace pace;

int LowerPriority() {
  const auto self = static_cast<id_t>(syscall(SYS_gettid));
  if (getpriority(PRIO_PROCESS, self) < kBackgroundNice &&
      setpriority(PRIO_PROCESS, self, kBackgroundNice) != 0) {
    return errno;
  }
  return 0;
}

// On a thread of its own, for there may be no way back.
int TryIdle() {
  if (const int error = LowerPriority(); error != 0) return error;
  const sched_param none{};
  const int ordinary = Policy();
  if (sched_setscheduler(0, SCHED_IDLE, &none) != 0) return errno;
  return sched_setscheduler(0, ordinary, &none) != 0 ? errno : 0;
}

}  // namespace

int WhyNoIdleThreads() {
  static const int kWhy = [] {
    int error = 0;
    std::thread([&error] { error = TryIdle(); }).join();
    return error;
  }();
  return kWhy;
}

int BecomeBackgroundThread() {
  const int error = LowerPriority();
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return error;
}

void GiveWayAtOnce() {
  if (WhyNoIdleThreads() == 0) pace.Start();
}

void KeepBackgroundPace() { pace.Look(); }

void DoInBackground(const std::function<void()>& work) {
  std::thread([&work] {
    BecomeBackgroundThread();
    GiveWayAtOnce();
    work();
  }).join();
}

bool IsStarved(double ran_seconds, double waited_seconds) {
  // A thread that mostly slept was not starved, however little it ran.
  return waited_seconds > kLookSeconds / 2 &&
         waited_seconds > kStarved * ran_seconds;
}

}  // namespace inkan
