#include "bench/load/call_loop.h"

#include <grpc/support/time.h>

namespace inkan::load {
namespace {

gpr_timespec DeadlineOf(Clock::time_point due) {
  if (due == Clock::time_point::max()) {
    return gpr_inf_future(GPR_CLOCK_MONOTONIC);
  }
  const auto left =
      std::chrono::duration_cast<std::chrono::nanoseconds>(due - Clock::now());
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(left.count(), GPR_TIMESPAN));
}

}  // namespace

bool CallLoop::RunUntil(Clock::time_point due) {
  do {
    void* tag = nullptr;
    bool ok = false;
    switch (queue_.AsyncNext(
        &tag, &ok,
        busy_ ? gpr_inf_past(GPR_CLOCK_MONOTONIC) : DeadlineOf(due))) {
      case grpc::CompletionQueue::SHUTDOWN:
        return false;
      case grpc::CompletionQueue::GOT_EVENT:
        static_cast<Completion*>(tag)->Run();
        break;
      case grpc::CompletionQueue::TIMEOUT:
        break;
    }
  } while (Clock::now() < due);
  return true;
}

}  // namespace inkan::load
