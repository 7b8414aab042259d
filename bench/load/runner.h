// Runs a load: connections, pace, and the sum of what came back.
//
//   absl::StatusOr<Report> report = RunLoad(options, corpus, on_progress);
//
// Closed loop: every connection keeps options.in_flight messages on the way.
// Open loop: messages leave by the clock whatever the server does, and latency
// counts from the time a message should have left, so that a stall is charged
// to every message it delays.
#ifndef INKAN_BENCH_LOAD_RUNNER_H_
#define INKAN_BENCH_LOAD_RUNNER_H_

#include <atomic>
#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"
#include "bench/load/corpus_file.h"
#include "bench/load/options.h"
#include "bench/load/tally.h"

namespace inkan::load {

struct Report {
  Results results;
  uint64_t issued = 0;  // filings sent
  double seconds = 0;
  bool stalled = false;  // given up because nothing came back any more
};

struct ProgressReport {
  double seconds = 0;
  uint64_t answered = 0;
  uint64_t mismatches = 0;
};

// `on_progress` is called from this thread a few times a second. Setting `stop`
// ends the run early; what was sent is still waited for.
absl::StatusOr<Report> RunLoad(
    const LoadOptions& options, const Corpus& corpus,
    const std::function<void(const ProgressReport&)>& on_progress,
    const std::atomic<bool>* stop = nullptr);

}  // namespace inkan::load

#endif  // INKAN_BENCH_LOAD_RUNNER_H_
