// The command line of inkan-load: flags to a plan.
//
//   Arguments arguments;
//   DescribeFlags(&app, &arguments);  app.parse(argc, argv);
//   absl::Status status = Complete(&arguments);   // errors name flag and
//   remedy
#ifndef INKAN_BENCH_LOAD_LOAD_FLAGS_H_
#define INKAN_BENCH_LOAD_LOAD_FLAGS_H_

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "bench/load/campaign.h"
#include "bench/load/shares.h"

namespace inkan::load {

// Bounds on what one generator may be asked for.
// A day: longer runs are several runs.
inline constexpr double kDurationMaxSeconds = 86'400;
// Messages on the way over all connections: about 2 KiB each in gRPC, 2 GiB.
inline constexpr uint64_t kOnTheWayMax = 1'000'000;

struct Arguments {
  Plan plan;
  NamedShares kinds;  // empty: the corpus as it is
  std::string corpus;
  std::string format = "text";
  std::string html;

  // As they stand on the command line.
  std::string mode = "batch";
  std::string mix;
  std::string kinds_text;
  std::string arrivals = "constant";
  std::string duration;
  std::string warm_up;
  std::string timeout = "30s";
  std::string p99_max;
  std::string rates;
  bool search = false;
  std::optional<double> overload;
};

void DescribeFlags(CLI::App* app, Arguments* arguments);
absl::Status Complete(Arguments* arguments);

// "5ms", "1.5s", "2m", or a plain number of seconds; 0 or more.
absl::StatusOr<Seconds> ParseSeconds(const std::string& flag,
                                     const std::string& text);

}  // namespace inkan::load

#endif  // INKAN_BENCH_LOAD_LOAD_FLAGS_H_
