// What a thread does that must never be in a request's way: showing pages,
// and fetching and building CRLs, for which nobody waits.
//
//   BecomeBackgroundThread();          // first
//   GiveWayAtOnce();                   // where nobody waits for its work
//   while (..) {
//     ..                               // a few milliseconds of work
//     KeepBackgroundPace();
//   }
//
// Niceness alone is not enough: since Linux 6.6 the scheduler leaves a running
// thread its slice of some milliseconds, whoever wakes up meanwhile. A
// SCHED_IDLE thread gives way at once; but beside busy ones it gets next to
// nothing of a core, and might not come to its end on a day when all cores are
// busy for hours. So such a thread is SCHED_IDLE, and each time it was starved
// for three seconds an ordinary one of low priority for 0.3. Where the system
// does not let it come back from SCHED_IDLE (without CAP_SYS_NICE that takes
// RLIMIT_NICE, LimitNICE= of a systemd unit) it has its niceness alone.
#ifndef INKAN_CACHE_BACKGROUND_THREAD_H_
#define INKAN_CACHE_BACKGROUND_THREAD_H_

#include <functional>

namespace inkan {

// Against a busy thread of ordinary niceness it gets about a tenth of a core:
// it comes to its end whatever the others do.
inline constexpr int kBackgroundNice = 10;

// Makes the calling thread one of low priority, unless it is one already, and
// deaf to SIGPIPE, which libraries raise that write to sockets. errno if the
// system refuses the niceness (a filter of system calls may), 0 otherwise.
int BecomeBackgroundThread();

// Makes the calling background thread SCHED_IDLE, if it can be, and makes
// KeepBackgroundPace look after it.
void GiveWayAtOnce();

// Looks every three seconds whether the calling thread was starved, and changes
// its policy if need be. Call it every few milliseconds of work, where no lock
// is held that a request may need. Does nothing on other threads.
void KeepBackgroundPace();

// Does `work` on a background thread that gives way at once, and waits for it:
// for threads that must stay what they are.
void DoInBackground(const std::function<void()>& work);

// Why background threads of this process cannot be SCHED_IDLE for a time: an
// errno, or 0 if they can. Found once. Thread-safe.
int WhyNoIdleThreads();

// What KeepBackgroundPace asks, for tests: of a thread that ran, and waited for
// a core, so long since the last look.
bool IsStarved(double ran_seconds, double waited_seconds);

}  // namespace inkan

#endif  // INKAN_CACHE_BACKGROUND_THREAD_H_
