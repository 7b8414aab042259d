#include "bench/load/pacer.h"

#include <sys/prctl.h>

#include <algorithm>
#include <optional>

#include "bench/load/arrivals.h"

namespace inkan::load {
namespace {

// How long a full set of connections is left alone, and how long a slow pace
// may sleep without looking whether it should stop.
constexpr std::chrono::microseconds kFullWait{100};
constexpr std::chrono::milliseconds kNap{50};
// How long after the end messages that were due before it may still leave, if
// there is room at once: the pacer itself may have been kept from running.
constexpr std::chrono::seconds kGrace{2};

}  // namespace

Pacer::Pacer(const LoadOptions& options, const Connections& connections,
             CallLoop* loop, JobSource* source, Clock::time_point start)
    : connections_(connections), loop_(loop), source_(source) {
  thread_ = std::thread([this, options, start] { Run(options, start); });
}

void Pacer::Join() {
  if (thread_.joinable()) thread_.join();
}

void Pacer::WaitUntil(Clock::time_point time) {
  if (loop_->busy()) {
    loop_->RunUntil(time);
  } else {
    std::this_thread::sleep_until(time);
  }
}

// False if the run was stopped meanwhile.
bool Pacer::SleepUntil(Clock::time_point due) {
  while (!source_->exhausted()) {
    const Clock::time_point now = Clock::now();
    // A busy loop is asked however late it is, or answers would wait for as
    // long as messages are overdue.
    if (now < due || loop_->busy()) {
      WaitUntil(std::min<Clock::time_point>(due, now + kNap));
    }
    if (now >= due || Clock::now() >= due) return true;
  }
  return false;
}

// False if no connection had room before the run's end, or now.
bool Pacer::Send(const Job& job) {
  do {
    for (size_t i = 0; i < connections_.size(); ++i) {
      next_connection_ = (next_connection_ + 1) % connections_.size();
      if (connections_[next_connection_]->TrySubmit(job)) {
        const Clock::duration lag = Clock::now() - job.intended;
        lag_max_ = std::max(lag_max_.load(), lag.count());
        return true;
      }
    }
    WaitUntil(Clock::now() + kFullWait);
  } while (!source_->exhausted() && Clock::now() < source_->end());
  return false;
}

void Pacer::Run(const LoadOptions& options, Clock::time_point start) {
  // The default of 50 us would be charged to the server as latency.
  prctl(PR_SET_TIMERSLACK, 1);
  const Clock::time_point give_up = source_->end() == Clock::time_point::max()
                                        ? source_->end()
                                        : source_->end() + kGrace;
  ArrivalClock arrivals(options, start);
  while (SleepUntil(std::min(arrivals.due(), source_->end()))) {
    const std::optional<Job> job = source_->Next(arrivals.due());
    if (!job) break;
    if (Clock::now() >= give_up || !Send(*job)) {
      // A run that is stopped owes nothing.
      (source_->exhausted() ? withdrawn_ : unsent_) += job->message->count;
    }
    arrivals.Advance(job->message->count);
  }
  done_ = true;
  if (loop_->busy()) loop_->Run();
}

}  // namespace inkan::load
