// Processor time and memory of the server, from /proc.
//
//   absl::StatusOr<ProcessUsage> usage = ReadProcessUsage(pid);
//
// Any thread.
#ifndef INKAN_BENCH_LOAD_SERVER_PROCESS_H_
#define INKAN_BENCH_LOAD_SERVER_PROCESS_H_

#include <cstdint>

#include "absl/status/statusor.h"

namespace inkan::load {

struct ProcessUsage {
  // User and system time since the process began; the kernel counts in ticks of
  // 10 ms.
  double cpu_seconds = 0;
  uint64_t resident_bytes = 0;       // now
  uint64_t resident_bytes_peak = 0;  // ever
};

absl::StatusOr<ProcessUsage> ReadProcessUsage(int pid);

}  // namespace inkan::load

#endif  // INKAN_BENCH_LOAD_SERVER_PROCESS_H_
