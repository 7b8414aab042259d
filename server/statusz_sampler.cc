#include "server/statusz_sampler.h"

#include <chrono>

#include "absl/time/clock.h"

namespace inkan {
namespace {

constexpr std::chrono::milliseconds kInterval{1000};
constexpr char kVerificationService[] = "inkan.v1.VerificationService";

}  // namespace

SecondsHistogram VerificationCalls(const Metrics& metrics) {
  SecondsHistogram calls;
  for (const RpcMethodTotals& method : metrics.rpc().Totals()) {
    // A stream's time is its client's.
    if (method.service == kVerificationService && method.type == "unary") {
      calls += method.seconds;
    }
  }
  return calls;
}

uint64_t RejectsOf(const BatcherCounters& counters) {
  return counters.filings_refused + counters.filings_expired +
         counters.filings_cancelled + counters.filings_unrecorded;
}

StatusSampler::StatusSampler(const OpsView& view) : view_(view) {
  last_ = MakeMark();
  SeeSnapshot();
  thread_ = std::thread([this] { Run(); });
}

StatusSampler::~StatusSampler() {
  {
    MutexLock lock(&mutex_);
    ending_ = true;
    wake_.SignalAll();
  }
  thread_.join();
}

StatusSampler::Mark StatusSampler::MakeMark() const {
  Mark mark;
  const WorkerTotals workers = view_.metrics->SumOfWorkers();
  mark.at_ns = NowNs();
  mark.filings = workers.filings();
  mark.busy_ns = workers.busy_ns;
  mark.rejects = RejectsOf(view_.batcher->counters());
  mark.calls = VerificationCalls(*view_.metrics);
  mark.stream_waits = workers.waits[static_cast<size_t>(Lane::kStream)];
  return mark;
}

void StatusSampler::SeeSnapshot() {
  const uint64_t generation = view_.keeper->generation();
  MutexLock lock(&mutex_);
  if (generation == generation_) return;
  generation_ = generation;
  snapshot_since_ = absl::Now();
}

void StatusSampler::TakeSample() {
  const Mark now = MakeMark();
  StatusSample sample;
  sample.seconds = static_cast<double>(now.at_ns - last_.at_ns) / 1e9;
  sample.filings = now.filings - last_.filings;
  sample.rejects = now.rejects - last_.rejects;
  sample.busy_ns = now.busy_ns - last_.busy_ns;
  sample.calls = now.calls;
  sample.calls -= last_.calls;
  sample.stream_waits = now.stream_waits;
  sample.stream_waits -= last_.stream_waits;
  sample.waiting = view_.batcher->counters().filings_waiting;
  last_ = now;
  MutexLock lock(&mutex_);
  ring_.push_back(sample);
  if (ring_.size() > kSamples) ring_.pop_front();
}

void StatusSampler::Run() {
  while (true) {
    {
      MutexLock lock(&mutex_);
      if (!ending_) wake_.WaitFor(&mutex_, kInterval);
      if (ending_) return;
    }
    SeeSnapshot();
    // Woken early by nobody, but a condition may wake without a reason.
    if (NowNs() - last_.at_ns >= 500'000'000) TakeSample();
  }
}

std::vector<StatusSample> StatusSampler::samples() const {
  MutexLock lock(&mutex_);
  return {ring_.begin(), ring_.end()};
}

absl::Time StatusSampler::snapshot_since() const {
  MutexLock lock(&mutex_);
  return snapshot_since_;
}

}  // namespace inkan
