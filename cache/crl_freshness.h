// How long the CRLs at hand speak, and whether a profile should take filings.
//
//   ProfileReadiness readiness = ReadinessOf(profile, absl::Now());
//   if (!readiness.ready) ... readiness.reason ...
//
// What changes by time alone is asked again and again (server/readiness.h);
// nothing here bears on a verdict. Times are the server's clock. Thread safety:
// free functions without state.
#ifndef INKAN_CACHE_CRL_FRESHNESS_H_
#define INKAN_CACHE_CRL_FRESHNESS_H_

#include <cstddef>
#include <string>

#include "absl/time/time.h"
#include "cache/crl_store.h"
#include "cache/profile.h"
#include "cache/snapshot.h"

namespace inkan {

// The last second about which `profile` believes a partition: what its newest
// word (the delta, where there is one) says of nextUpdate, with the profile's
// grace, or thisUpdate and crl_max_age if that is earlier. InfinitePast if it
// believes it about no time.
absl::Time StaleAt(const CrlPartition& partition, const Profile& profile);

struct ProfileReadiness {
  bool ready = true;
  std::string reason;  // for people; empty if ready
  // Of partitions that some place gives: a newer CRL of one that has lost its
  // place is not to be expected (ProfileSnapshot::unplaced).
  // Partitions that speak for at least the policy's margin from now, and those
  // that no longer speak about now; there can be some in between.
  size_t fresh_partitions = 0;
  size_t stale_partitions = 0;
};

ProfileReadiness ReadinessOf(const ProfileSnapshot& profile, absl::Time now);

}  // namespace inkan

#endif  // INKAN_CACHE_CRL_FRESHNESS_H_
