// What a thread does first that must never be in a request's way.
//
//   if (const int error = BecomeBackgroundThread(); error != 0) ..
#ifndef INKAN_CACHE_BACKGROUND_THREAD_H_
#define INKAN_CACHE_BACKGROUND_THREAD_H_

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace inkan {

// Against a busy thread of ordinary niceness it gets about a tenth of a core:
// requests hardly feel it, and it still comes to its end when every core is
// busy for hours, which a SCHED_IDLE thread might not.
inline constexpr int kBackgroundNice = 10;

// Makes the calling thread one of low priority, unless it is one already, and
// deaf to SIGPIPE, which libraries raise that write to sockets. errno if the
// system refuses the priority (a filter of system calls may), 0 otherwise.
inline int BecomeBackgroundThread() {
  const auto self = static_cast<id_t>(syscall(SYS_gettid));
  int error = 0;
  if (getpriority(PRIO_PROCESS, self) < kBackgroundNice &&
      setpriority(PRIO_PROCESS, self, kBackgroundNice) != 0) {
    error = errno;
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return error;
}

}  // namespace inkan

#endif  // INKAN_CACHE_BACKGROUND_THREAD_H_
