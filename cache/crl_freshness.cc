#include "cache/crl_freshness.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "crypto/name.h"

namespace inkan {

absl::Time StaleAt(const CrlPartition& partition, const Profile& profile) {
  if (partition.newer_delta_missing) return absl::InfinitePast();
  const CrlData& newest =
      partition.delta != nullptr ? *partition.delta : *partition.crl;
  if (!newest.has_next_update && !profile.crl_max_age.has_value()) {
    return absl::InfinitePast();
  }
  absl::Time end = absl::InfiniteFuture();
  if (newest.has_next_update) {
    end = absl::FromUnixSeconds(newest.next_update) +
          absl::Seconds(profile.crl_grace);
  }
  if (profile.crl_max_age.has_value()) {
    end = std::min(end, absl::FromUnixSeconds(newest.this_update) +
                            absl::Seconds(*profile.crl_max_age));
  }
  return end;
}

ProfileReadiness ReadinessOf(const ProfileSnapshot& snapshot, absl::Time now) {
  const Profile& profile = *snapshot.profile;
  const FreshnessPolicy policy = profile.freshness.value_or(FreshnessPolicy());
  ProfileReadiness out;
  size_t not_fresh = 0;
  absl::Time first_end = absl::InfiniteFuture();
  const CrlPartition* first = nullptr;
  for (const CrlPartition& partition : snapshot.crls->partitions()) {
    if (snapshot.unplaced != nullptr &&
        snapshot.unplaced->contains(partition.crl->sha256)) {
      continue;
    }
    const absl::Time end = StaleAt(partition, profile);
    if (end < now) ++out.stale_partitions;
    if (end - absl::Seconds(policy.margin) >= now) {
      ++out.fresh_partitions;
      continue;
    }
    ++not_fresh;
    if (end < first_end) {
      first_end = end;
      first = &partition;
    }
  }
  if (!profile.freshness.has_value() ||
      profile.revocation == RevocationMode::kOff) {
    return out;
  }
  if (not_fresh > policy.stale_partitions_max) {
    out.ready = false;
    out.reason = absl::StrCat(
        not_fresh, " CRL partition(s) are stale or will be within ",
        policy.margin, " s (freshness.stale_partitions_max is ",
        policy.stale_partitions_max, "), first that of ",
        first != nullptr ? NameToText(AsBytes(first->crl->issuer)) : "nobody",
        first != nullptr ? absl::StrCat(", ", first->crl->scope_text) : "",
        "; see last_error of its source");
  } else if (out.fresh_partitions < policy.fresh_partitions_min) {
    out.ready = false;
    out.reason = absl::StrCat(
        out.fresh_partitions,
        " CRL partition(s) are fresh, and freshness.fresh_partitions_min is ",
        policy.fresh_partitions_min, "; see last_error of the sources");
  }
  return out;
}

}  // namespace inkan
