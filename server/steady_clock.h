// A clock that never goes back.
#ifndef INKAN_SERVER_STEADY_CLOCK_H_
#define INKAN_SERVER_STEADY_CLOCK_H_

#include <chrono>
#include <cstdint>

namespace inkan {

// Nanoseconds since some moment before the process started.
inline int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace inkan

#endif  // INKAN_SERVER_STEADY_CLOCK_H_
