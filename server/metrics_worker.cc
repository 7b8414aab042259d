#include "server/metrics_worker.h"

#include <algorithm>

namespace inkan {

size_t ProfileSlots::SlotOf(std::string_view name) {
  MutexLock lock(&mutex_);
  // Slot 0 may be asked for by its name too; that is what it is for.
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found != names_.end()) {
    return static_cast<size_t>(found - names_.begin());
  }
  if (names_.size() == kSlots) return 0;
  names_.emplace_back(name);
  return names_.size() - 1;
}

std::vector<std::string> ProfileSlots::names() const {
  MutexLock lock(&mutex_);
  return names_;
}

void WorkerMetrics::BatchBegun(int64_t at_ns) {
  busy_since_.store(at_ns, std::memory_order_relaxed);
  // Of the thread that judges this batch, which may be another one each time.
  rsa_before_ = ThreadRsaCounts();
}

void WorkerMetrics::BatchDropped() {
  CountRsa();
  busy_since_.store(0, std::memory_order_relaxed);
}

size_t WorkerMetrics::SlotOf(const Snapshot& snapshot,
                             std::string_view profile) {
  // Nearly all filings of a batch are of one profile.
  if (profile == last_profile_) return last_slot_;
  const auto known = known_.find(profile);
  if (known == known_.end()) {
    if (snapshot.Find(profile) == nullptr) return 0;
    known_.emplace(profile, slots_->SlotOf(profile));
    return SlotOf(snapshot, profile);
  }
  last_profile_ = known->first;
  last_slot_ = known->second;
  return last_slot_;
}

void WorkerMetrics::BatchDone(const Snapshot& snapshot,
                              const BatchRecord& record) {
  for (const VerdictRecord& verdict : record.verdicts) {
    verdicts_[SlotOf(snapshot, verdict.profile)]
             [static_cast<size_t>(verdict.outcome)]
                 .Add(1);
  }
  for (const QueueWait& wait : record.waits) {
    Wait& lane = waits_[static_cast<size_t>(wait.lane)];
    lane.counts[BucketOf(kSecondsBoundsNs, wait.ns)].Add(1);
    lane.sum.Add(static_cast<uint64_t>(std::max<int64_t>(0, wait.ns)));
  }
  const size_t filings = record.verdicts.size();
  batch_[BucketOf(kBatchBounds, static_cast<int64_t>(filings))].Add(1);
  batch_sum_.Add(filings);
  CountRsa();
  const int64_t begun = busy_since_.load(std::memory_order_relaxed);
  if (begun != 0) busy_ns_.Add(static_cast<uint64_t>(NowNs() - begun));
  busy_since_.store(0, std::memory_order_relaxed);
}

void WorkerMetrics::CountRsa() {
  const RsaCounts& now = ThreadRsaCounts();
  for (size_t lanes = 1; lanes < rsa_groups_.size(); ++lanes) {
    rsa_groups_[lanes].Add(now.groups[lanes] - rsa_before_.groups[lanes]);
  }
  rsa_alone_.Add(now.alone - rsa_before_.alone);
}

void WorkerMetrics::AddTo(WorkerTotals* totals) const {
  totals->verdicts.resize(ProfileSlots::kSlots);
  for (size_t slot = 0; slot < ProfileSlots::kSlots; ++slot) {
    for (size_t outcome = 0; outcome < kOutcomeCount; ++outcome) {
      totals->verdicts[slot][outcome] += verdicts_[slot][outcome].value();
    }
  }
  for (size_t lane = 0; lane < kLanes; ++lane) {
    for (size_t i = 0; i < kSecondsBuckets; ++i) {
      totals->waits[lane].counts[i] += waits_[lane].counts[i].value();
    }
    totals->waits[lane].sum += waits_[lane].sum.value();
  }
  for (size_t i = 0; i < batch_.size(); ++i) {
    totals->batch.counts[i] += batch_[i].value();
  }
  totals->batch.sum += batch_sum_.value();
  totals->busy_ns += busy_ns_.value();
  for (size_t i = 1; i < rsa_groups_.size(); ++i) {
    totals->rsa_groups[i] += rsa_groups_[i].value();
  }
  totals->rsa_alone += rsa_alone_.value();
}

}  // namespace inkan
