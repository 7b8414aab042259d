#include "server/open_calls.h"

namespace inkan {

OpenCalls::Entry OpenCalls::Add(OpenCall* call, size_t calls_max) {
  MutexLock lock(&mutex_);
  if (draining_) return Entry::kDraining;
  if (calls_.size() >= calls_max) return Entry::kFull;
  calls_.insert(call);
  return Entry::kOpen;
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
