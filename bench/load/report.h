// A campaign's report for people (text, HTML) and for programs (JSON, CSV).
#ifndef INKAN_BENCH_LOAD_REPORT_H_
#define INKAN_BENCH_LOAD_REPORT_H_

#include <cstdint>
#include <string>

#include "bench/load/campaign.h"

namespace inkan::load {

struct NamedQuantile {
  const char* name;
  double quantile;
};
inline constexpr NamedQuantile kQuantiles[] = {{"p50", 0.5},
                                               {"p90", 0.9},
                                               {"p99", 0.99},
                                               {"p99.9", 0.999},
                                               {"p99.99", 0.9999}};

// "1,234,567".
std::string Grouped(uint64_t number);
double Milliseconds(uint64_t ns);
// How many filings a message holds at the most.
uint32_t MessageFilings(const LoadOptions& options);
// "closed loop with 4 messages in flight each", "Poisson at 1000 filings a
// second".
std::string PaceName(const LoadOptions& options);

// One run: what came back by kind, throughput, latency, and what was wrong.
std::string TextReport(const Step& step, const Corpus& corpus);
// Of one run the same, of several a table of steps and what it was about.
std::string TextReport(const Campaign& campaign, const Corpus& corpus);

// One JSON object; latencies in milliseconds, counts as numbers. Of one run it
// is that run; of several the runs are in "steps".
std::string JsonReport(const Campaign& campaign, const Corpus& corpus);

// A line of names, then one for each step.
std::string CsvReport(const Campaign& campaign);

}  // namespace inkan::load

#endif  // INKAN_BENCH_LOAD_REPORT_H_
