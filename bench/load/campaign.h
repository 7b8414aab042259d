// One or several runs with one purpose: a single load, a row of rates, the
// search for the highest rate under a p99 bound, or an overload.
//
//   absl::StatusOr<Campaign> campaign = RunCampaign(plan, corpus, watch,
//   &stop);
//
// A wrong, lost or surplus verdict ends a campaign at once: figures of a server
// that answers wrongly are worth nothing. One thread.
#ifndef INKAN_BENCH_LOAD_CAMPAIGN_H_
#define INKAN_BENCH_LOAD_CAMPAIGN_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/load/runner.h"

namespace inkan::load {

enum class Purpose : uint8_t { kSingle, kRates, kSearch, kOverload };

struct Plan {
  Purpose purpose = Purpose::kSingle;
  // Of every step; rate and in_flight are set for each. In a search, rate is
  // where it begins.
  LoadOptions load;
  // Messages in flight on a connection; 0: 32 unary or health and 4 else in a
  // closed loop, 1024 in an open one.
  uint32_t in_flight = 0;
  std::vector<double> rates;  // kRates
  // kSearch: good is a step with no higher p99, no refusal, and every message
  // sent; `precision` is how close, as a share, the search gets.
  Seconds p99_max{0};
  double precision = 0.05;
  // kOverload: times the closed loop's throughput.
  double overload = 3;
};

struct Step {
  LoadOptions options;
  Report report;
  // Why a step of a search is not good; empty if it is.
  std::string fault;
};

struct Campaign {
  Plan plan;
  std::vector<Step> steps;
  // kSearch: the highest good rate, 0 if none.
  double best_rate = 0;
  // kOverload: throughput of the closed loop, and what was left of it.
  double capacity = 0;
  double goodput_share = 0;
};

// What people watch while it runs.
struct Watch {
  std::function<void(const LoadOptions&)> step_begins = [](const auto&) {};
  OnProgress progress = [](const ProgressReport&) {};
  std::function<void(const Step&)> step_ends = [](const auto&) {};
};

// Setting `stop` ends it after what was sent has been answered; the steps until
// then are returned.
absl::StatusOr<Campaign> RunCampaign(const Plan& plan, const Corpus& corpus,
                                     const Watch& watch,
                                     const std::atomic<bool>* stop = nullptr);

// Why a step of a search is not good: a refusal, a message unsent, a higher p99
// than `p99_max`, or nothing that was measured. Empty if it is.
std::string FaultOf(const Report& report, Seconds p99_max);

// 0: every filing sent got its right verdict. 1: some did not, were lost, or
// came unasked. 2: no wrong verdict, but the server refused some filings, or
// not all could be sent in time; of a search, no rate was good. Refusals are
// what an overload is about: 0.
int ExitCode(const Report& report);
int ExitCode(const Campaign& campaign);

}  // namespace inkan::load

#endif  // INKAN_BENCH_LOAD_CAMPAIGN_H_
