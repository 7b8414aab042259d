// What the operating system says about this process. Linux.
// Only of itself: in the unit's sandbox /proc shows processes and no more.
// Thread safety: free functions without state. What cannot be read is 0.
#ifndef INKAN_SERVER_METRICS_PROCESS_H_
#define INKAN_SERVER_METRICS_PROCESS_H_

#include <cstdint>

namespace inkan {

struct ProcessFacts {
  double cpu_seconds = 0;  // user and system
  uint64_t resident_bytes = 0;
  uint64_t open_fds = 0;
  uint64_t max_fds = 0;
  uint64_t threads = 0;
};

ProcessFacts ReadProcessFacts();

}  // namespace inkan

#endif  // INKAN_SERVER_METRICS_PROCESS_H_
