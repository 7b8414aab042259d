// Threads for which nobody waits give way, and still come to their end.
#include "cache/background_thread.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "absl/time/time.h"
#include "cache/steady_time.h"

namespace inkan {
namespace {

TEST(IsStarved, WhoWaitsThirtyTimesAsLongAsItRuns) {
  EXPECT_FALSE(IsStarved(0.5, 0));
  EXPECT_FALSE(IsStarved(0.1, 2.9));
  EXPECT_FALSE(IsStarved(0.06, 1.79));
  EXPECT_TRUE(IsStarved(0.06, 1.81));
  EXPECT_TRUE(IsStarved(0, 3));
  // It slept, for there was nothing to do.
  EXPECT_FALSE(IsStarved(0.0001, 1));
}

int Niceness() {
  return getpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)));
}

TEST(BackgroundThread, WorkIsDoneOnAThreadOfItsOwn) {
  const int policy = sched_getscheduler(0);
  const int niceness = Niceness();
  int there_policy = -1;
  int there_niceness = -1;
  DoInBackground([&] {
    there_policy = sched_getscheduler(0);
    there_niceness = Niceness();
  });
  EXPECT_EQ(there_policy, WhyNoIdleThreads() == 0 ? SCHED_IDLE : policy);
  EXPECT_EQ(there_niceness, std::max(niceness, kBackgroundNice));
  EXPECT_EQ(sched_getscheduler(0), policy);
  EXPECT_EQ(Niceness(), niceness);
}

TEST(BackgroundThread, PagesAndOthersKeepTheirPolicy) {
  std::thread([] {
    const int policy = sched_getscheduler(0);
    BecomeBackgroundThread();
    KeepBackgroundPace();
    EXPECT_EQ(sched_getscheduler(0), policy);
  }).join();
}

void StayOn(int cpu) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
}

TEST(BackgroundThread, OneThatStarvesIsAnOrdinaryThreadForAWhile) {
  if (const int why = WhyNoIdleThreads(); why != 0) {
    GTEST_SKIP() << "the system has no way back from SCHED_IDLE: "
                 << std::strerror(why) << " (RLIMIT_NICE would allow it)";
  }
  if (Niceness() >= kBackgroundNice) {
    GTEST_SKIP() << "everything here has a low priority";
  }
  const int cpu = sched_getcpu();
  std::atomic<bool> done = false;
  std::thread busy([&] {
    StayOn(cpu);
    while (!done) continue;
  });
  std::thread starving([&] {
    StayOn(cpu);
    BecomeBackgroundThread();
    GiveWayAtOnce();
    EXPECT_EQ(sched_getscheduler(0), SCHED_IDLE);
    const absl::Duration end = SteadyNow() + absl::Seconds(60);
    while (sched_getscheduler(0) == SCHED_IDLE && SteadyNow() < end) {
      KeepBackgroundPace();
    }
    EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
    // However busy the other is.
    while (sched_getscheduler(0) == SCHED_OTHER && SteadyNow() < end) {
      KeepBackgroundPace();
    }
    EXPECT_EQ(sched_getscheduler(0), SCHED_IDLE);
    done = true;
  });
  starving.join();
  busy.join();
}

}  // namespace
}  // namespace inkan
