// What fetching over HTTP and LDAP have in common.
#ifndef INKAN_CACHE_CRL_FETCH_H_
#define INKAN_CACHE_CRL_FETCH_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace inkan {

// Where each number comes from: 10 s is what people wait for a name server and
// two lost SYN packets; 1,000 octets a second is slower than any line that
// carries a CRL usefully; 600 s carries 4 GiB at 57 Mbit/s, and a transfer that
// needs longer is resumed.
struct FetchLimits {
  absl::Duration connect_timeout = absl::Seconds(10);
  absl::Duration stall_timeout = absl::Seconds(30);
  absl::Duration total_timeout = absl::Seconds(600);
  uint64_t bytes_max = 0xffffffff;
};

// Below this many octets a second for stall_timeout a transfer is given up.
inline constexpr long kStallBytesPerSecond = 1000;

// Looked at all through a fetch; true ends it within about a second.
using StopFlag = std::atomic<bool>;

}  // namespace inkan

#endif  // INKAN_CACHE_CRL_FETCH_H_
