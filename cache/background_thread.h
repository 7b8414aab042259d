// What a thread does first that must never be in a request's way.
#ifndef INKAN_CACHE_BACKGROUND_THREAD_H_
#define INKAN_CACHE_BACKGROUND_THREAD_H_

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

namespace inkan {

// Against a busy thread of ordinary niceness it gets about a tenth of a core:
// requests hardly feel it, and it still comes to its end when every core is
// busy for hours, which a SCHED_IDLE thread might not.
inline constexpr int kBackgroundNice = 10;

// Makes the calling thread one of low priority, and deaf to SIGPIPE, which
// libraries raise that write to sockets.
inline void BecomeBackgroundThread() {
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)),
              kBackgroundNice);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

}  // namespace inkan

#endif  // INKAN_CACHE_BACKGROUND_THREAD_H_
