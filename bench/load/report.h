// A run's report for people and for programs.
#ifndef INKAN_BENCH_LOAD_REPORT_H_
#define INKAN_BENCH_LOAD_REPORT_H_

#include <string>

#include "bench/load/runner.h"

namespace inkan::load {

const char* ModeName(Mode mode);

std::string TextReport(const LoadOptions& options, const Corpus& corpus,
                       const Report& report);
// One JSON object; latencies in milliseconds, counts as numbers.
std::string JsonReport(const LoadOptions& options, const Corpus& corpus,
                       const Report& report);

// 0: every filing sent got its right verdict. 1: some did not, or were lost.
// 2: no wrong verdict, but the server refused some.
int ExitCode(const Report& report);

}  // namespace inkan::load

#endif  // INKAN_BENCH_LOAD_REPORT_H_
