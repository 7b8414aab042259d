// Ends calls whose answer their client does not take.
//
//   AnswerWatch watch(absl::Seconds(120));
//   watch.Begin(&entry, context->c_call());   // just before it goes to gRPC
//   watch.End(&entry);                        // gRPC has let go of it
//
// HTTP/2's flow control lets a client keep an answer, and the filings it is
// about, in our memory for as long as it likes to. An answer that gRPC could
// not hand to the transport in time ends its call with DEADLINE_EXCEEDED, which
// frees both. (A client that does not even read its socket is TCP's: see
// ConnectionAcceptor.)
//
// Cost: two short locks and a clock read an answer. The locks are sharded, and
// needed because a call must not be ended while it is being destroyed.
//
// Thread safety: every method from any thread. Ownership: entries belong to
// their calls; the watch must outlive them.
#ifndef INKAN_SERVER_ANSWER_WATCH_H_
#define INKAN_SERVER_ANSWER_WATCH_H_

#include <grpc/grpc.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "cache/mutex.h"

namespace inkan {

class AnswerWatch {
 public:
  // An answer on its way; a part of its call.
  class Entry {
   private:
    friend class AnswerWatch;
    // Guarded by the mutex of the entry's shard.
    Entry* previous_ = nullptr;
    Entry* next_ = nullptr;
    grpc_call* call_ = nullptr;  // null: not watched
    int64_t since_ns_ = 0;
  };

  explicit AnswerWatch(absl::Duration at_most);
  ~AnswerWatch();
  AnswerWatch(const AnswerWatch&) = delete;
  AnswerWatch& operator=(const AnswerWatch&) = delete;

  // REQUIRES: the entry is not watched, and the call lives until End.
  void Begin(Entry* entry, grpc_call* call);
  // Nothing happens if it is not watched.
  void End(Entry* entry);

  // Calls ended because their answer was not taken.
  uint64_t ended() const { return ended_.load(std::memory_order_relaxed); }
  // Answers that gRPC has and the transport has not.
  size_t under_way() const;
  // Whose they are that were begun before that moment (NowNs), as gRPC names
  // peers; those of one peer each.
  std::vector<std::string> PeersOfBefore(int64_t ns) const;

 private:
  // All wait for equally long, so the first is always the first to be late.
  struct alignas(64) Shard {
    mutable Mutex mutex;
    Entry* front ABSL_GUARDED_BY(mutex) = nullptr;
    Entry* back ABSL_GUARDED_BY(mutex) = nullptr;
    size_t size ABSL_GUARDED_BY(mutex) = 0;
  };
  // More than there are workers on most machines.
  static constexpr size_t kShards = 16;

  Shard& ShardOf(const Entry* entry);
  static void Unlink(Shard* shard, Entry* entry)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard->mutex);
  void Run() ABSL_LOCKS_EXCLUDED(wake_mutex_);
  void EndLateOnes();

  const int64_t at_most_ns_;
  const std::string message_;
  std::array<Shard, kShards> shards_;
  std::atomic<uint64_t> ended_{0};

  Mutex wake_mutex_;
  CondVar wake_;
  bool ending_ ABSL_GUARDED_BY(wake_mutex_) = false;
  std::thread thread_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_ANSWER_WATCH_H_
