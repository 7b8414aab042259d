#include "server/open_calls.h"

#include <algorithm>

namespace inkan {

OpenCalls::Entry OpenCalls::Add(OpenCall* call) {
  MutexLock lock(&mutex_);
  if (draining_) return Entry::kDraining;
  if (calls_.size() >= calls_max_) EndIdleOnes();
  if (calls_.size() >= calls_max_) return Entry::kFull;
  calls_.insert(call);
  return Entry::kOpen;
}

// All of them at once, and no look before there can be another: whoever is
// refused over and over must not make us look at every call each time.
void OpenCalls::EndIdleOnes() {
  const int64_t now_ns = NowNs();
  if (now_ns < next_look_ns_) return;
  int64_t longest = now_ns;
  absl::erase_if(calls_, [&](OpenCall* call) {
    const int64_t since = call->idle_since_ns();
    if (since <= now_ns - idle_ns_max_ && call->EndIdle()) return true;
    longest = std::min(longest, std::max(since, now_ns - idle_ns_max_));
    return false;
  });
  next_look_ns_ = longest + idle_ns_max_;
}

size_t OpenCalls::count() const {
  MutexLock lock(&mutex_);
  return calls_.size();
}

void OpenCalls::Remove(OpenCall* call) {
  MutexLock lock(&mutex_);
  calls_.erase(call);
}

void OpenCalls::BeginDrain() {
  MutexLock lock(&mutex_);
  draining_ = true;
  for (OpenCall* call : calls_) call->BeginDrain();
}

}  // namespace inkan
