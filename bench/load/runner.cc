#include "bench/load/runner.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "bench/load/job_source.h"
#include "bench/load/session.h"
#include "bench/load/target.h"

namespace inkan::load {
namespace {

using std::chrono::duration_cast;

// How often failed slots try again and progress is looked at.
constexpr std::chrono::milliseconds kTick{50};
constexpr std::chrono::milliseconds kOpenLoopWait{1};
// A server on the same machine or network answers sooner than this or not at
// all.
constexpr std::chrono::seconds kConnectMax{10};
// How much longer than a message may wait the run waits for any sign of life.
constexpr std::chrono::milliseconds kPatience{500};

// One connection and its pace.
class Driver {
 public:
  Driver(const LoadOptions& options, const Corpus& corpus, uint32_t index,
         std::shared_ptr<grpc::Channel> channel, JobSource* source)
      : options_(options),
        index_(index),
        source_(source),
        tally_(corpus, options.mode) {
    OnDone on_done = [this](const Job& job, const grpc::Status& status,
                            grpc::ByteBuffer* response) {
      Done(job, status, response);
    };
    session_ = options.mode == Mode::kStream
                   ? MakeStreamSession(std::move(channel), options, on_done)
                   : MakeUnarySession(std::move(channel), options, on_done);
  }

  void Start(Clock::time_point start) {
    if (options_.rate > 0) {
      busy_ = 1;
      pacer_ = std::thread([this, start] { Pace(start); });
      return;
    }
    busy_ = options_.in_flight;
    for (uint32_t i = 0; i < options_.in_flight; ++i) SubmitNext();
  }

  // Lets slots whose message failed try again. They wait for the next tick so
  // that a server that refuses is not hammered.
  void Unpark() {
    for (uint32_t n = parked_.exchange(0); n > 0; --n) SubmitNext();
  }

  void Finish() {
    if (pacer_.joinable()) pacer_.join();
    session_->Finish();
  }

  bool busy() const { return busy_.load() > 0; }
  Tally& tally() { return tally_; }

 private:
  void SubmitNext() {
    const std::optional<Job> job = source_->Next(Clock::now());
    if (job) {
      session_->Submit(*job);
    } else {
      --busy_;
    }
  }

  void Done(const Job& job, const grpc::Status& status,
            grpc::ByteBuffer* response) {
    if (status.ok()) {
      tally_.Answered(job, response, Clock::now());
    } else {
      tally_.Failed(job, status);
    }
    if (options_.rate > 0) {
      --outstanding_;
    } else if (status.ok()) {
      SubmitNext();
    } else {
      ++parked_;
    }
  }

  // Message k of this connection is due at start + (k * connections + index)
  // intervals: together the connections keep one even beat.
  void Pace(Clock::time_point start) {
    const double filings =
        options_.mode == Mode::kUnary ? 1.0 : options_.batch_size;
    const std::chrono::duration<double> interval(filings / options_.rate);
    for (uint64_t k = index_;; k += options_.connections) {
      const Clock::time_point due =
          start +
          duration_cast<Clock::duration>(interval * static_cast<double>(k));
      std::this_thread::sleep_until(due);
      while (outstanding_.load() >= options_.in_flight &&
             !source_->exhausted()) {
        std::this_thread::sleep_for(kOpenLoopWait);
      }
      const std::optional<Job> job = source_->Next(due);
      if (!job) break;
      ++outstanding_;
      session_->Submit(*job);
    }
    busy_ = 0;
  }

  const LoadOptions& options_;
  const uint32_t index_;
  JobSource* const source_;
  Tally tally_;
  std::unique_ptr<Session> session_;
  std::thread pacer_;
  std::atomic<uint32_t> busy_ = 0;         // slots, or the pacer
  std::atomic<uint32_t> parked_ = 0;       // slots that wait after a failure
  std::atomic<uint32_t> outstanding_ = 0;  // open loop
};

using Drivers = std::vector<std::unique_ptr<Driver>>;

ProgressReport LookAt(const Drivers& drivers, Clock::time_point start,
                      uint64_t* ended) {
  ProgressReport progress;
  progress.seconds =
      std::chrono::duration<double>(Clock::now() - start).count();
  *ended = 0;
  for (const auto& driver : drivers) {
    progress.answered += driver->tally().answered();
    progress.mismatches += driver->tally().mismatches();
    *ended += driver->tally().ended();
  }
  return progress;
}

bool AnyBusy(const Drivers& drivers) {
  for (const auto& driver : drivers) {
    if (driver->busy()) return true;
  }
  return false;
}

// Until nothing is left to send; true if the server has stopped answering.
bool WaitForSending(const LoadOptions& options, const Drivers& drivers,
                    Clock::time_point start, JobSource* source,
                    const std::function<void(const ProgressReport&)>& report,
                    const std::atomic<bool>* stop) {
  // Calls have their own deadline; this is for streams, and comes later.
  const auto patience = options.timeout + kPatience;
  uint64_t last_ended = 0;
  Clock::time_point last_change = start;
  while (AnyBusy(drivers)) {
    std::this_thread::sleep_for(kTick);
    if (stop != nullptr && stop->load()) source->Stop();
    for (const auto& driver : drivers) driver->Unpark();
    uint64_t ended = 0;
    report(LookAt(drivers, start, &ended));
    if (ended != last_ended || source->filings_issued() == ended) {
      last_ended = ended;
      last_change = Clock::now();
    } else if (Clock::now() - last_change > patience) {
      source->Stop();
      return true;
    }
  }
  return false;
}

}  // namespace

absl::StatusOr<Report> RunLoad(
    const LoadOptions& options, const Corpus& corpus,
    const std::function<void(const ProgressReport&)>& on_progress,
    const std::atomic<bool>* stop) {
  JobSource source(corpus, options);
  Drivers drivers;
  for (uint32_t i = 0; i < options.connections; ++i) {
    absl::StatusOr<std::shared_ptr<grpc::Channel>> channel = Connect(options);
    if (!channel.ok()) return channel.status();
    if (!(*channel)->WaitForConnected(
            DeadlineAfter(std::min<std::chrono::duration<double>>(
                options.timeout, kConnectMax)))) {
      return absl::UnavailableError("cannot connect to " + options.target +
                                    "; is the server running?");
    }
    drivers.push_back(
        std::make_unique<Driver>(options, corpus, i, *channel, &source));
  }
  Report report;
  const Clock::time_point start = Clock::now();
  source.Start(start);
  for (const auto& driver : drivers) driver->Start(start);
  report.stalled =
      WaitForSending(options, drivers, start, &source, on_progress, stop);
  for (const auto& driver : drivers) driver->Finish();
  report.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  report.issued = source.filings_issued();
  for (const auto& driver : drivers) {
    report.results.Merge(driver->tally().Take());
  }
  return report;
}

}  // namespace inkan::load
