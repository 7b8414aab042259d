// The CRLs in force, grouped by profile and issuer, for metrics and the status
// page: there may be thousands of partitions and only a handful of issuers.
//
// Thread safety: free functions without state. Ownership: rows point into the
// snapshot.
#ifndef INKAN_SERVER_METRICS_CRL_H_
#define INKAN_SERVER_METRICS_CRL_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "cache/crl_source.h"
#include "cache/snapshot.h"
#include "cache/snapshot_keeper.h"

namespace inkan {

struct CrlRow {
  const CrlData* crl = nullptr;
  bool is_delta = false;
  // Seconds since 1970 from which on the profile believes it no more; none:
  // never.
  std::optional<int64_t> stale_at;
};

struct CrlGroup {
  std::string profile;
  std::string issuer;  // RFC 4514
  size_t partitions = 0;
  // Too old, of those that some place gives.
  size_t stale = 0;
  // That no place gives any more (ProfileSnapshot::unplaced): no newer CRL is
  // to be expected, so their end is no news.
  size_t unplaced = 0;
  uint64_t entries = 0;
  uint64_t bytes = 0;
  int64_t oldest_this_update = 0;
  std::optional<int64_t> earliest_next_update;
  std::optional<int64_t> earliest_stale_at;  // of those that are not unplaced
  // Every CRL of the group, those that become stale first at the front.
  std::vector<CrlRow> rows;
};

// Groups past this many are put together as issuer "other", so that a CA with
// many names cannot make many metrics. JPKI has two a profile.
inline constexpr size_t kCrlGroupsMax = 200;

// Sources past this many are put together as "other": a little more than the
// partitions of one JPKI CA (about 1,900), at four samples each.
inline constexpr size_t kCrlSourcesMax = 2000;

// In the order of their names, so that it is always the same ones that have
// metrics of their own. "other" has the times of the one that is oldest.
std::vector<CrlSourceStatus> BoundedSources(
    std::vector<CrlSourceStatus> sources);

// Of profiles that ask for revocation. The group with the most stale partitions
// first, then by what ends first.
std::vector<CrlGroup> GroupCrls(const Snapshot& snapshot, absl::Time now);

}  // namespace inkan

#endif  // INKAN_SERVER_METRICS_CRL_H_
