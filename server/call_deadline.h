// A call's deadline on the clock that nobody sets.
//
// On the wire a deadline is a span (grpc-timeout), which gRPC adds to the
// monotonic clock when the call comes in. ServerContext::deadline() makes a
// time of day of it, and a step of the clock would then make waiting calls
// late, or keep dead ones alive.
//
// Thread safety: free functions without state.
#ifndef INKAN_SERVER_CALL_DEADLINE_H_
#define INKAN_SERVER_CALL_DEADLINE_H_

#include <grpc/support/time.h>
#include <grpcpp/server_context.h>

#include <cstdint>

#include "server/steady_clock.h"

namespace inkan {

// By NowNs; kNeverNs for one that is infinite, or centuries away.
inline int64_t SteadyNsOf(gpr_timespec time) {
  time = gpr_convert_clock_type(time, GPR_CLOCK_MONOTONIC);
  constexpr int64_t kSecond = 1'000'000'000;
  if (time.tv_sec >= kNeverNs / kSecond) return kNeverNs;
  if (time.tv_sec <= 0) return 0;
  return time.tv_sec * kSecond + time.tv_nsec;
}

inline int64_t DeadlineNs(const grpc::CallbackServerContext& call) {
  return SteadyNsOf(call.raw_deadline());
}

}  // namespace inkan

#endif  // INKAN_SERVER_CALL_DEADLINE_H_
