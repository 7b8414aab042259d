// The calls that are open and wait for their client, so that a drain can end
// them, and no more than so many are.
//
// A client may be silent for as long as it likes while there is room. Once
// there is none, calls that have been silent for long make room for new ones,
// and then whoever holds the most, one silent for ten seconds, for those who
// hold less; or whoever opens all there may be would keep everybody else out.
//
// Thread safety: every method from any thread. Ownership: calls are their own;
// each is removed before it goes.
#ifndef INKAN_SERVER_OPEN_CALLS_H_
#define INKAN_SERVER_OPEN_CALLS_H_

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/node_hash_map.h"
#include "cache/mutex.h"
#include "server/steady_clock.h"

namespace inkan {

class OpenCall {
 public:
  // These are called with the set's lock held, so that the call lives: they
  // must not add or remove calls.

  // Takes nothing more from the client.
  virtual void BeginDrain() = 0;
  // Since when nothing but the client's silence keeps the call open (NowNs);
  // kNeverNs: something else does.
  virtual int64_t idle_since_ns() const { return kNeverNs; }
  // Ends it, unless it is idle no more: then false.
  virtual bool EndIdle() { return false; }

 protected:
  ~OpenCall() = default;
};

class OpenCalls {
 public:
  enum class Entry : uint8_t { kOpen, kFull, kDraining };

  // No more than `calls_max`; those idle for `idle_ns_max` make room.
  explicit OpenCalls(size_t calls_max = SIZE_MAX, int64_t idle_ns_max = 0)
      : calls_max_(calls_max), idle_ns_max_(idle_ns_max) {}

  // Keeps the call only if kOpen. `holder`: who has it, of all that share.
  Entry Add(OpenCall* call, const std::string& holder = "")
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(OpenCall* call) ABSL_LOCKS_EXCLUDED(mutex_);
  // Begins the drain of every call; none is added any more.
  void BeginDrain() ABSL_LOCKS_EXCLUDED(mutex_);
  size_t count() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Holder {
    std::string name;
    absl::flat_hash_set<OpenCall*> calls;
  };

  void EndIdleOnes() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndOneOfTheLargest(const std::string& newcomer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Insert(OpenCall* call, const std::string& holder)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Erase(OpenCall* call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t calls_max_;
  const int64_t idle_ns_max_;
  mutable Mutex mutex_;
  // No call has been idle for long enough before this.
  int64_t next_look_ns_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<OpenCall*, Holder*> calls_ ABSL_GUARDED_BY(mutex_);
  // Those with a call, by name and by how many.
  absl::node_hash_map<std::string, Holder> holders_ ABSL_GUARDED_BY(mutex_);
  std::set<std::pair<size_t, Holder*>> by_count_ ABSL_GUARDED_BY(mutex_);
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace inkan

#endif  // INKAN_SERVER_OPEN_CALLS_H_
