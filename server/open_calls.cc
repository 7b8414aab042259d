#include "server/open_calls.h"

#include <algorithm>

namespace inkan {
namespace {

// How many calls of one holder are looked at to find a silent one: those who
// open calls to keep others out let most of them be silent.
constexpr int kLooksMax = 64;

// A call silent for less may be sending its next message, of which nothing is
// known before all of it is there: the largest (message_bytes_max, 64 MiB by
// default) takes five seconds over 100 Mbit/s, and as much time again is
// left for a busy line. Who holds the most to keep others out gains little by
// speaking this often on all of them.
constexpr int64_t kSilenceMinNs = 10'000'000'000;

}  // namespace

OpenCalls::Entry OpenCalls::Add(OpenCall* call, const std::string& holder) {
  MutexLock lock(&mutex_);
  if (draining_) return Entry::kDraining;
  if (calls_.size() >= calls_max_) EndIdleOnes();
  if (calls_.size() >= calls_max_) EndOneOfTheLargest(holder);
  if (calls_.size() >= calls_max_) return Entry::kFull;
  Insert(call, holder);
  return Entry::kOpen;
}

// All of them at once, and no look before there can be another: whoever is
// refused over and over must not make us look at every call each time.
void OpenCalls::EndIdleOnes() {
  const int64_t now_ns = NowNs();
  if (now_ns < next_look_ns_) return;
  int64_t longest = now_ns;
  std::vector<OpenCall*> ended;
  for (const auto& [call, holder] : calls_) {
    const int64_t since = call->idle_since_ns();
    if (since <= now_ns - idle_ns_max_ && call->EndIdle()) {
      ended.push_back(call);
    } else {
      longest = std::min(longest, std::max(since, now_ns - idle_ns_max_));
    }
  }
  for (OpenCall* call : ended) Erase(call);
  next_look_ns_ = longest + idle_ns_max_;
}

// It ends where all have equal shares: nobody pushes out who has no more.
void OpenCalls::EndOneOfTheLargest(const std::string& newcomer) {
  const auto own = holders_.find(newcomer);
  const size_t own_count = own == holders_.end() ? 0 : own->second.calls.size();
  const auto [count, largest] = *by_count_.rbegin();
  if (count <= own_count + 1) return;
  OpenCall* longest = nullptr;
  int64_t longest_since = NowNs() - kSilenceMinNs + 1;
  int looks = 0;
  for (OpenCall* call : largest->calls) {
    if (++looks > kLooksMax) break;
    const int64_t since = call->idle_since_ns();
    if (since < longest_since) {
      longest_since = since;
      longest = call;
    }
  }
  if (longest != nullptr && longest->EndIdle()) Erase(longest);
}

void OpenCalls::Insert(OpenCall* call, const std::string& name) {
  Holder& holder = holders_[name];
  if (holder.calls.empty()) {
    holder.name = name;
  } else {
    by_count_.erase({holder.calls.size(), &holder});
  }
  holder.calls.insert(call);
  by_count_.insert({holder.calls.size(), &holder});
  calls_[call] = &holder;
}

void OpenCalls::Erase(OpenCall* call) {
  const auto found = calls_.find(call);
  if (found == calls_.end()) return;
  Holder& holder = *found->second;
  calls_.erase(found);
  by_count_.erase({holder.calls.size(), &holder});
  holder.calls.erase(call);
  if (holder.calls.empty()) {
    holders_.erase(holders_.find(holder.name));
  } else {
    by_count_.insert({holder.calls.size(), &holder});
  }
}

size_t OpenCalls::count() const {
  MutexLock lock(&mutex_);
  return calls_.size();
}

void OpenCalls::Remove(OpenCall* call) {
  MutexLock lock(&mutex_);
  Erase(call);
}

void OpenCalls::BeginDrain() {
  MutexLock lock(&mutex_);
  draining_ = true;
  for (const auto& [call, holder] : calls_) call->BeginDrain();
}

}  // namespace inkan
