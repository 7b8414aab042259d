// A clock that never goes back.
#ifndef INKAN_SERVER_STEADY_CLOCK_H_
#define INKAN_SERVER_STEADY_CLOCK_H_

#include <chrono>
#include <cstdint>
#include <limits>

namespace inkan {

// Nanoseconds since some moment before the process started.
inline int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// A moment that does not come.
inline constexpr int64_t kNeverNs = std::numeric_limits<int64_t>::max();

}  // namespace inkan

#endif  // INKAN_SERVER_STEADY_CLOCK_H_
