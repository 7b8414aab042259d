// Waiting for what another thread does, however slow the machine.
//
//   EXPECT_TRUE(Happens([&] { return server->port() != 0; }));
#ifndef INKAN_TESTS_SERVER_HAPPENS_H_
#define INKAN_TESTS_SERVER_HAPPENS_H_

#include <functional>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace inkan::testing {

// What is waited for happens within this, or the test fails.
inline constexpr absl::Duration kPatience = absl::Seconds(60);

// Polls; false if it did not come true in time.
inline bool Happens(const std::function<bool()>& condition) {
  const absl::Time end = absl::Now() + kPatience;
  while (!condition()) {
    if (absl::Now() > end) return false;
    absl::SleepFor(absl::Milliseconds(1));
  }
  return true;
}

}  // namespace inkan::testing

#endif  // INKAN_TESTS_SERVER_HAPPENS_H_
