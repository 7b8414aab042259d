// The calls that are open and wait for their client, so that a drain can end
// them, and no more than so many are.
//
// Thread safety: every method from any thread. Ownership: calls are their own;
// each is removed before it goes.
#ifndef INKAN_SERVER_OPEN_CALLS_H_
#define INKAN_SERVER_OPEN_CALLS_H_

#include <cstddef>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "cache/mutex.h"

namespace inkan {

class OpenCall {
 public:
  // Takes nothing more from the client. Called with the set's lock held, so
  // that the call lives: it must not add or remove calls.
  virtual void BeginDrain() = 0;

 protected:
  ~OpenCall() = default;
};

class OpenCalls {
 public:
  enum class Entry : uint8_t { kOpen, kFull, kDraining };

  // Keeps the call only if kOpen.
  Entry Add(OpenCall* call, size_t calls_max) ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(OpenCall* call) ABSL_LOCKS_EXCLUDED(mutex_);
  // Begins the drain of every call; none is added any more.
  void BeginDrain() ABSL_LOCKS_EXCLUDED(mutex_);
  size_t count() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable Mutex mutex_;
  absl::flat_hash_set<OpenCall*> calls_ ABSL_GUARDED_BY(mutex_);
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace inkan

#endif  // INKAN_SERVER_OPEN_CALLS_H_
