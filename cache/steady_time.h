// Time by the clock that nobody sets, for waits and deadlines: no step of the
// wall clock ends one early or makes it last for ever.
#ifndef INKAN_CACHE_STEADY_TIME_H_
#define INKAN_CACHE_STEADY_TIME_H_

#include <chrono>

#include "absl/time/time.h"

namespace inkan {

// Since some moment before the process started.
inline absl::Duration SteadyNow() {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace inkan

#endif  // INKAN_CACHE_STEADY_TIME_H_
