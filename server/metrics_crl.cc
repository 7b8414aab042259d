#include "server/metrics_crl.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "cache/crl_data.h"
#include "cache/crl_freshness.h"
#include "crypto/name.h"
#include "server/log_json.h"

namespace inkan {
namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
constexpr char kOther[] = "other";

std::optional<int64_t> StaleSeconds(const CrlPartition& partition,
                                    const Profile& profile) {
  const absl::Time at = StaleAt(partition, profile);
  if (at == absl::InfiniteFuture()) return std::nullopt;
  return absl::ToUnixSeconds(at);
}

template <typename T>
void Lower(std::optional<T>* least, const std::optional<T>& value) {
  if (value.has_value() && (!least->has_value() || *value < **least)) {
    *least = value;
  }
}

void AddPartition(const CrlPartition& partition, const ProfileSnapshot& profile,
                  int64_t now, CrlGroup* group) {
  const std::optional<int64_t> stale_at =
      StaleSeconds(partition, *profile.profile);
  ++group->partitions;
  if (profile.unplaced != nullptr &&
      profile.unplaced->contains(partition.crl->sha256)) {
    ++group->unplaced;
  } else {
    if (stale_at.has_value() && *stale_at < now) ++group->stale;
    Lower(&group->earliest_stale_at, stale_at);
  }
  for (const CrlData* crl : {partition.crl.get(), partition.delta.get()}) {
    if (crl == nullptr) continue;
    group->entries += crl->entries();
    group->bytes += crl->memory_bytes();
    group->oldest_this_update =
        group->rows.empty()
            ? crl->this_update
            : std::min(group->oldest_this_update, crl->this_update);
    if (crl->has_next_update) {
      Lower(&group->earliest_next_update,
            std::optional<int64_t>(crl->next_update));
    }
    group->rows.push_back({crl, crl == partition.delta.get(), stale_at});
  }
}

bool WorseRow(const CrlRow& a, const CrlRow& b) {
  return std::pair(a.stale_at.value_or(kNever), a.crl->scope_text) <
         std::pair(b.stale_at.value_or(kNever), b.crl->scope_text);
}
bool WorseGroup(const CrlGroup& a, const CrlGroup& b) {
  if (a.stale != b.stale) return a.stale > b.stale;
  return std::tuple(a.earliest_stale_at.value_or(kNever), a.profile, a.issuer) <
         std::tuple(b.earliest_stale_at.value_or(kNever), b.profile, b.issuer);
}

}  // namespace

std::vector<CrlGroup> GroupCrls(const Snapshot& snapshot, absl::Time now) {
  const int64_t now_seconds = absl::ToUnixSeconds(now);
  std::map<std::pair<std::string, std::string>, CrlGroup> groups;
  for (const auto& [name, profile] : snapshot.profiles) {
    // Where nobody asks them, their age is no news.
    if (profile.profile->revocation == RevocationMode::kOff) continue;
    for (const CrlPartition& partition : profile.crls->partitions()) {
      auto key = std::pair(name, partition.crl->canonical_issuer);
      auto found = groups.find(key);
      if (found == groups.end()) {
        const bool full = groups.size() >= kCrlGroupsMax;
        if (full) key.second.clear();
        found = groups.try_emplace(key).first;
        found->second.profile = name;
        found->second.issuer =
            full ? kOther : NameToText(AsBytes(partition.crl->issuer));
      }
      AddPartition(partition, profile, now_seconds, &found->second);
    }
  }
  std::vector<CrlGroup> sorted;
  for (auto& [key, group] : groups) {
    std::sort(group.rows.begin(), group.rows.end(), WorseRow);
    sorted.push_back(std::move(group));
  }
  std::sort(sorted.begin(), sorted.end(), WorseGroup);
  return sorted;
}

std::vector<CrlSourceStatus> BoundedSources(
    std::vector<CrlSourceStatus> sources) {
  std::sort(sources.begin(), sources.end(),
            [](const CrlSourceStatus& a, const CrlSourceStatus& b) {
              return a.source < b.source;
            });
  if (sources.size() <= kCrlSourcesMax) return sources;
  CrlSourceStatus other = sources[kCrlSourcesMax];
  other.source = kOther;
  other.kind = kOther;
  for (size_t i = kCrlSourcesMax + 1; i < sources.size(); ++i) {
    other.last_attempt = std::min(other.last_attempt, sources[i].last_attempt);
    other.last_success = std::min(other.last_success, sources[i].last_success);
    other.attempts_total += sources[i].attempts_total;
    other.failures_total += sources[i].failures_total;
  }
  sources.resize(kCrlSourcesMax);
  sources.push_back(std::move(other));
  return sources;
}

}  // namespace inkan
