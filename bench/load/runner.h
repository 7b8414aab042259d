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
#include <optional>

#include "absl/status/statusor.h"
#include "bench/load/corpus_file.h"
#include "bench/load/options.h"
#include "bench/load/tally.h"

namespace inkan::load {

// What the server process used, with options.server_pid.
struct ServerUse {
  double cpu_seconds = 0;  // after the warm-up, to the last answer
  uint64_t resident_bytes_peak = 0;
};

struct Report {
  Results results;
  uint64_t issued = 0;  // filings sent
  // Filings that were due in an open loop and could not be sent in time.
  uint64_t unsent = 0;
  // How late the latest message of an open loop left.
  double lag_max_seconds = 0;
  // From the end of the warm-up to the last answer.
  double seconds = 0;
  bool stalled = false;  // given up because nothing came back any more
  std::optional<ServerUse> server;

  // Right and wrong answers a second, after the warm-up.
  double throughput() const;
  // Answers for a second of the server's processor time; 0 if unknown.
  double per_cpu_second() const;
};

struct ProgressReport {
  double seconds = 0;
  uint64_t answered = 0;
  uint64_t refused = 0;
  uint64_t wrong = 0;
};

using OnProgress = std::function<void(const ProgressReport&)>;

// `on_progress` is called from this thread a few times a second. Setting `stop`
// ends the run early; what was sent is still waited for.
absl::StatusOr<Report> RunLoad(const LoadOptions& options, const Corpus& corpus,
                               const OnProgress& on_progress,
                               const std::atomic<bool>* stop = nullptr);

}  // namespace inkan::load

#endif  // INKAN_BENCH_LOAD_RUNNER_H_
