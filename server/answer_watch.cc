#include "server/answer_watch.h"

#include <grpc/support/alloc.h>

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "server/steady_clock.h"

namespace inkan {
namespace {

// An answer is late by an eighth of its time at most, or by a second.
std::chrono::milliseconds TickOf(int64_t at_most_ns) {
  return std::chrono::milliseconds(
      std::clamp<int64_t>(at_most_ns / 8'000'000, 20, 1000));
}

}  // namespace

AnswerWatch::AnswerWatch(absl::Duration at_most)
    : at_most_ns_(absl::ToInt64Nanoseconds(at_most)),
      message_(absl::StrCat("the client did not take the answer within ",
                            absl::ToInt64Seconds(at_most),
                            " s (limits.unread_answer_seconds_max)")) {
  thread_ = std::thread([this] { Run(); });
}

AnswerWatch::~AnswerWatch() {
  {
    MutexLock lock(&wake_mutex_);
    ending_ = true;
    wake_.SignalAll();
  }
  thread_.join();
}

AnswerWatch::Shard& AnswerWatch::ShardOf(const Entry* entry) {
  // Calls lie some kilobytes apart.
  return shards_[(reinterpret_cast<uintptr_t>(entry) >> 9U) % kShards];
}

void AnswerWatch::Begin(Entry* entry, grpc_call* call) {
  Shard& shard = ShardOf(entry);
  MutexLock lock(&shard.mutex);
  entry->call_ = call;
  entry->since_ns_ = NowNs();
  entry->previous_ = shard.back;
  entry->next_ = nullptr;
  (shard.back == nullptr ? shard.front : shard.back->next_) = entry;
  shard.back = entry;
  ++shard.size;
}

void AnswerWatch::Unlink(Shard* shard, Entry* entry) {
  (entry->previous_ == nullptr ? shard->front : entry->previous_->next_) =
      entry->next_;
  (entry->next_ == nullptr ? shard->back : entry->next_->previous_) =
      entry->previous_;
  entry->call_ = nullptr;
  --shard->size;
}

void AnswerWatch::End(Entry* entry) {
  Shard& shard = ShardOf(entry);
  MutexLock lock(&shard.mutex);
  if (entry->call_ != nullptr) Unlink(&shard, entry);
}

size_t AnswerWatch::under_way() const {
  size_t all = 0;
  for (const Shard& shard : shards_) {
    MutexLock lock(&shard.mutex);
    all += shard.size;
  }
  return all;
}

std::vector<std::string> AnswerWatch::PeersOfBefore(int64_t ns) const {
  std::vector<std::string> peers;
  for (const Shard& shard : shards_) {
    MutexLock lock(&shard.mutex);
    for (const Entry* entry = shard.front;
         entry != nullptr && entry->since_ns_ < ns; entry = entry->next_) {
      char* peer = grpc_call_get_peer(entry->call_);
      peers.emplace_back(peer);
      gpr_free(peer);
    }
  }
  return peers;
}

void AnswerWatch::EndLateOnes() {
  std::vector<grpc_call*> late;
  const int64_t begun_before = NowNs() - at_most_ns_;
  for (Shard& shard : shards_) {
    MutexLock lock(&shard.mutex);
    while (shard.front != nullptr && shard.front->since_ns_ <= begun_before) {
      // Kept alive beyond the lock: ending a call may call its reactor, which
      // takes it.
      grpc_call_ref(shard.front->call_);
      late.push_back(shard.front->call_);
      Unlink(&shard, shard.front);
    }
  }
  for (grpc_call* call : late) {
    grpc_call_cancel_with_status(call, GRPC_STATUS_DEADLINE_EXCEEDED,
                                 message_.c_str(), nullptr);
    grpc_call_unref(call);
    ended_.fetch_add(1, std::memory_order_relaxed);
  }
}

void AnswerWatch::Run() {
  const std::chrono::milliseconds tick = TickOf(at_most_ns_);
  while (true) {
    {
      MutexLock lock(&wake_mutex_);
      if (!ending_) wake_.WaitFor(&wake_mutex_, tick);
      if (ending_) return;
    }
    EndLateOnes();
  }
}

}  // namespace inkan
