#include "bench/load/campaign.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/load/rate_search.h"

namespace inkan::load {
namespace {

constexpr uint32_t kInFlightUnary = 32;
constexpr uint32_t kInFlightBatch = 4;
constexpr uint32_t kInFlightOpenLoop = 1024;
constexpr double kNsPerMs = 1e6;
constexpr double kMsPerSecond = 1e3;

uint32_t InFlight(const Plan& plan, double rate) {
  if (plan.in_flight != 0) return plan.in_flight;
  if (rate > 0) return kInFlightOpenLoop;
  const ModeShares& mix = plan.load.mix;
  const bool small = mix[static_cast<size_t>(Mode::kBatch)] == 0 &&
                     mix[static_cast<size_t>(Mode::kStream)] == 0;
  return small ? kInFlightUnary : kInFlightBatch;
}

}  // namespace

std::string FaultOf(const Report& report, Seconds p99_max) {
  if (report.results.refused > 0) {
    return absl::StrCat(report.results.refused, " refused");
  }
  if (report.unsent > 0) {
    return absl::StrCat(report.unsent, " could not be sent in time");
  }
  if (report.results.latency_ns.count() == 0) {
    return "nothing was due after the warm-up: a message holds more filings "
           "than come in a step";
  }
  const double p99_ms =
      static_cast<double>(report.results.latency_ns.Quantile(0.99)) / kNsPerMs;
  if (p99_ms > p99_max.count() * kMsPerSecond) {
    return absl::StrFormat("p99 %.2f ms", p99_ms);
  }
  return "";
}

namespace {

class Runner {
 public:
  Runner(const Plan& plan, const Corpus& corpus, const Watch& watch,
         const std::atomic<bool>* stop)
      : corpus_(corpus), watch_(watch), stop_(stop) {
    campaign_.plan = plan;
  }

  absl::StatusOr<Campaign> RunAll() {
    const absl::Status status = RunPurpose();
    if (!status.ok()) return status;
    return std::move(campaign_);
  }

 private:
  absl::Status RunPurpose();
  absl::Status RunStep(double rate);
  absl::Status Search();
  absl::Status Overload();
  bool Stopped() const { return stop_ != nullptr && stop_->load(); }
  // Whether another step makes sense.
  bool GoOn() const {
    return !Stopped() && ExitCode(campaign_.steps.back().report) != 1;
  }
  const Report& last() const { return campaign_.steps.back().report; }

  const Corpus& corpus_;
  const Watch& watch_;
  const std::atomic<bool>* const stop_;
  Campaign campaign_;
};

absl::Status Runner::RunStep(double rate) {
  const Plan& plan = campaign_.plan;
  Step step;
  step.options = plan.load;
  step.options.rate = rate;
  step.options.in_flight = InFlight(plan, rate);
  watch_.step_begins(step.options);
  absl::StatusOr<Report> report =
      RunLoad(step.options, corpus_, watch_.progress, stop_);
  if (!report.ok()) return report.status();
  step.report = *std::move(report);
  if (plan.purpose == Purpose::kSearch) {
    step.fault = ExitCode(step.report) == 1
                     ? "wrong or lost verdicts"
                     : FaultOf(step.report, plan.p99_max);
  }
  watch_.step_ends(step);
  campaign_.steps.push_back(std::move(step));
  return absl::OkStatus();
}

absl::Status Runner::Search() {
  RateSearch search(campaign_.plan.load.rate, campaign_.plan.precision);
  while (const std::optional<double> rate = search.Next()) {
    const absl::Status status = RunStep(*rate);
    if (!status.ok()) return status;
    if (!GoOn()) break;
    search.Report(campaign_.steps.back().fault.empty());
  }
  campaign_.best_rate = search.best();
  return absl::OkStatus();
}

absl::Status Runner::Overload() {
  absl::Status status = RunStep(0);
  if (!status.ok() || !GoOn()) return status;
  campaign_.capacity = last().throughput();
  if (campaign_.capacity <= 0) return status;
  status = RunStep(campaign_.capacity * campaign_.plan.overload);
  if (status.ok()) {
    campaign_.goodput_share = last().throughput() / campaign_.capacity;
  }
  return status;
}

absl::Status Runner::RunPurpose() {
  switch (campaign_.plan.purpose) {
    case Purpose::kSingle:
      return RunStep(campaign_.plan.load.rate);
    case Purpose::kRates:
      for (const double rate : campaign_.plan.rates) {
        const absl::Status status = RunStep(rate);
        if (!status.ok() || !GoOn()) return status;
      }
      return absl::OkStatus();
    case Purpose::kSearch:
      return Search();
    case Purpose::kOverload:
      return Overload();
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Campaign> RunCampaign(const Plan& plan, const Corpus& corpus,
                                     const Watch& watch,
                                     const std::atomic<bool>* stop) {
  return Runner(plan, corpus, watch, stop).RunAll();
}

int ExitCode(const Report& report) {
  const Results& results = report.results;
  if (report.stalled || results.mismatches > 0 || results.lost > 0 ||
      results.unasked > 0) {
    return 1;
  }
  return results.refused > 0 || report.unsent > 0 ? 2 : 0;
}

int ExitCode(const Campaign& campaign) {
  int code = 0;
  for (const Step& step : campaign.steps) {
    const int step_code = ExitCode(step.report);
    if (step_code == 1) return 1;
    code = std::max(code, step_code);
  }
  switch (campaign.plan.purpose) {
    case Purpose::kSearch:
      return campaign.best_rate > 0 ? 0 : 2;
    case Purpose::kOverload:
      return campaign.goodput_share > 0 ? 0 : 2;
    default:
      return code;
  }
}

}  // namespace inkan::load
