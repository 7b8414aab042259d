#include "cache/crl_source_jobs.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "cache/steady_time.h"

namespace inkan {
namespace {

// How long a thread sleeps at most; what is to be asked later than that need
// not wake it.
constexpr absl::Duration kSleepMax = absl::Seconds(1);
constexpr absl::Duration kSleepMin = absl::Milliseconds(5);
// Until a place that somebody else is asking is tried again.
constexpr absl::Duration kPostponement = absl::Milliseconds(200);

}  // namespace

RemoteJobs::RemoteJobs(CrlSourceOptions options)
    : options_(std::move(options)), random_(std::random_device()()) {}

double RemoteJobs::Random() {
  return std::uniform_real_distribution<double>(0, 1)(random_);
}

size_t RemoteJobs::AddJob(const std::string& place, const std::string& id) {
  MutexLock lock(&mutex_);
  Job job;
  job.place = place;
  job.id = id;
  jobs_.push_back(std::move(job));
  return jobs_.size() - 1;
}

void RemoteJobs::AddItem(const std::string& id, const std::string& place,
                         size_t job, std::optional<SpoolRecord> record) {
  MutexLock lock(&mutex_);
  RemoteItem& item = items_[id];
  item.id = id;
  item.place = place;
  item.job = job;
  item.record = std::move(record);
  if (item.displaced()) jobs_[job].displaced.insert(id);
  if (item.record.has_value()) OfferRecord(&item);
}

void RemoteJobs::Queue(RemoteItem* item) {
  if (!std::exchange(item->queued, true)) untaken_.push_back(item->id);
}

void RemoteJobs::OfferRecord(RemoteItem* item) {
  RemoteCandidate candidate;
  candidate.sha256 = item->record->sha256;
  candidate.validators = item->record->validators;
  candidate.fetched_at = item->record->fetched_at;
  candidate.from_spool = true;
  item->candidate = candidate;
  Queue(item);
  Job& job = jobs_[item->job];
  ++job.unjudged;
  if (job.phase != Job::Phase::kWaiting) return;
  job.phase = Job::Phase::kJudging;
  job.spool_only = true;
}

std::optional<RemoteJobs::Work> RemoteJobs::Next() {
  MutexLock lock(&mutex_);
  while (!ended_) {
    const absl::Duration now = SteadyNow();
    absl::Duration earliest = now + kSleepMax;
    Job* first = nullptr;
    const bool room = unjudged_bytes_ <= options_.limits.bytes_max;
    for (Job& job : jobs_) {
      if (!room) break;
      if (job.phase != Job::Phase::kWaiting) continue;
      if (job.next_attempt < earliest) {
        earliest = job.next_attempt;
        first = &job;
      }
    }
    if (first != nullptr && earliest <= now) {
      first->phase = Job::Phase::kFetching;
      first->last_attempt = absl::Now();
      first->faulty = false;
      return Work{static_cast<size_t>(first - jobs_.data()), first->id,
                  first->place};
    }
    changed_.WaitFor(&mutex_, absl::ToChronoMilliseconds(
                                  std::max(earliest - now, kSleepMin)));
  }
  return std::nullopt;
}

void RemoteJobs::End() {
  MutexLock lock(&mutex_);
  ended_ = true;
  changed_.SignalAll();
}

bool RemoteJobs::ended() const {
  MutexLock lock(&mutex_);
  return ended_;
}

void RemoteJobs::Postpone(size_t job) {
  MutexLock lock(&mutex_);
  jobs_[job].phase = Job::Phase::kWaiting;
  jobs_[job].next_attempt = SteadyNow() + kPostponement;
}

std::optional<RemoteItem> RemoteJobs::Find(const std::string& id) const {
  MutexLock lock(&mutex_);
  const auto found = items_.find(id);
  if (found == items_.end()) return std::nullopt;
  return found->second;
}

bool RemoteJobs::SetPartial(const std::string& id,
                            const HttpValidators& partial, uint64_t bytes) {
  MutexLock lock(&mutex_);
  RemoteItem& item = items_[id];
  partial_bytes_ -= std::exchange(item.partial_bytes, 0);
  item.partial = HttpValidators();
  if (partial.empty() || partial_bytes_ + bytes > options_.limits.bytes_max) {
    return false;
  }
  item.partial = partial;
  item.partial_bytes = bytes;
  partial_bytes_ += bytes;
  return true;
}

void RemoteJobs::DropCandidate(RemoteItem* item) {
  if (!item->candidate.has_value()) return;
  unjudged_bytes_ -= item->candidate->bytes;
  item->candidate.reset();
  changed_.Signal();  // there may be room again
}

void RemoteJobs::Unchanged(const std::string& id,
                           std::optional<SpoolRecord> record) {
  MutexLock lock(&mutex_);
  RemoteItem& item = items_[id];
  item.error.clear();
  item.error_of_place = false;
  item.gone = false;
  item.last_success = absl::Now();
  if (record.has_value()) item.record = std::move(record);
}

void RemoteJobs::Reject(const std::string& id, const std::string& place,
                        size_t job, const std::string& error) {
  MutexLock lock(&mutex_);
  RemoteItem& item = items_[id];
  item.id = id;
  item.place = place;
  item.job = job;
  item.error = error;
  item.error_of_place = true;
  item.gone = false;
  jobs_[job].faulty = true;
}

std::optional<FileDigest> RemoteJobs::Deliver(const std::string& id,
                                              const std::string& place,
                                              size_t job,
                                              RemoteCandidate candidate) {
  MutexLock lock(&mutex_);
  RemoteItem& item = items_[id];
  item.id = id;
  item.place = place;
  item.job = job;
  item.gone = false;
  std::optional<FileDigest> replaced;
  if (item.candidate.has_value()) {
    replaced = item.candidate->sha256;
    DropCandidate(&item);
  } else {
    ++jobs_[job].unjudged;
  }
  unjudged_bytes_ += candidate.bytes;
  item.candidate = std::move(candidate);
  jobs_[job].delivered.push_back(id);
  return replaced;
}

absl::flat_hash_map<FileDigest, std::string> RemoteJobs::HoldersIn(
    size_t job) const {
  MutexLock lock(&mutex_);
  absl::flat_hash_map<FileDigest, std::string> holders;
  for (const auto& [id, item] : items_) {
    if (item.job != job || item.displaced()) continue;
    if (item.holds_record()) holders.emplace(item.record->sha256, id);
    if (item.candidate.has_value()) holders.emplace(item.candidate->sha256, id);
  }
  return holders;
}

std::vector<CrlSpool::Held> RemoteJobs::MarkGone(
    size_t job, const absl::flat_hash_set<std::string>& found, bool whole) {
  MutexLock lock(&mutex_);
  std::vector<CrlSpool::Held> forgotten;
  for (auto it = items_.begin(); it != items_.end();) {
    RemoteItem& item = it->second;
    if (item.job != job || found.contains(item.id) || item.candidate ||
        item.displaced()) {
      ++it;
      continue;
    }
    // What never was good is not missed, nor do names that are made up for
    // every search add up.
    if (!item.good && !item.record.has_value()) {
      it = items_.erase(it);
      continue;
    }
    // Nor do those that are made up for every new CRL.
    if (whole && !item.good && item.superseded) {
      forgotten.push_back({item.id, *item.record});
      it = items_.erase(it);
      continue;
    }
    ++it;
    if (!whole) continue;
    item.gone = true;
    item.error = "the directory has it no longer; check with its operator";
    item.error_of_place = true;
  }
  return forgotten;
}

bool RemoteJobs::EndFetch(size_t index, const std::string& error,
                          std::optional<absl::Duration> retry_after,
                          uint64_t bytes) {
  MutexLock lock(&mutex_);
  Job& job = jobs_[index];
  ++job.attempts_total;
  job.bytes_total += bytes;
  job.error = error;
  job.retry_after = retry_after;
  job.faulty |= !error.empty();
  job.spool_only = false;
  job.phase = Job::Phase::kJudging;
  for (const std::string& id : std::exchange(job.delivered, {})) {
    Queue(&items_[id]);
  }
  for (RemoteItem* item : ItemsOf(index)) {
    if (item->good || item->candidate || !item->record.has_value()) continue;
    if (!error.empty() || item->error_of_place || item->displaced()) {
      OfferRecord(item);
    }
  }
  job.claimed = job.unjudged > 0;
  if (!job.claimed) Conclude(index);
  return job.claimed;
}

// A URL is one item, of the same id; a search may have found thousands.
std::vector<RemoteItem*> RemoteJobs::ItemsOf(size_t job) {
  std::vector<RemoteItem*> items;
  if (IsLdap()) {
    for (auto& [id, item] : items_) {
      if (item.job == job && !item.displaced()) items.push_back(&item);
    }
  } else if (const auto found = items_.find(jobs_[job].id);
             found != items_.end()) {
    items.push_back(&found->second);
  }
  for (const std::string& id : jobs_[job].displaced) {
    items.push_back(&items_[id]);
  }
  return items;
}

absl::Duration RemoteJobs::WaitAfterSuccess(size_t index) {
  const absl::Time now = absl::Now();
  const double random = Random();
  absl::Time next =
      NextAfterSuccess(now, options_.schedule, CrlDates(), random);
  for (const RemoteItem* item : ItemsOf(index)) {
    if (item->displaced()) continue;  // nothing newer is due here
    next = std::min(
        next, NextAfterSuccess(now, options_.schedule, item->dates, random));
  }
  return next - now;
}

void RemoteJobs::Conclude(size_t index) {
  Job& job = jobs_[index];
  job.phase = Job::Phase::kWaiting;
  job.asked |= !job.spool_only;
  absl::Duration wait;  // the place itself comes next, after the spool
  if (!job.spool_only && job.faulty) {
    ++job.failures;
    ++job.failures_total;
    const absl::Time now = absl::Now();
    wait = NextAfterFailure(now, options_.schedule, job.failures,
                            job.retry_after, Random()) -
           now;
  } else if (!job.spool_only) {
    job.failures = 0;
    job.last_success = absl::Now();
    wait = WaitAfterSuccess(index);
  }
  if (std::exchange(job.ask_now, false)) wait = absl::ZeroDuration();
  job.next_attempt = SteadyNow() + wait;
  if (wait < kSleepMax) changed_.Signal();
}

std::vector<RemoteItem> RemoteJobs::TakeCandidates(size_t at_most) {
  MutexLock lock(&mutex_);
  std::vector<RemoteItem> taken;
  while (!untaken_.empty() && taken.size() < at_most) {
    const auto found = items_.find(untaken_.front());
    untaken_.pop_front();
    if (found == items_.end()) continue;
    found->second.queued = false;
    if (found->second.candidate.has_value()) taken.push_back(found->second);
  }
  return taken;
}

size_t RemoteJobs::queued() const {
  MutexLock lock(&mutex_);
  return untaken_.size();
}

RemoteJobs::Consequence RemoteJobs::Judge(const std::string& id,
                                          const FileDigest& sha256,
                                          const Judgement& judgement) {
  MutexLock lock(&mutex_);
  const auto found = items_.find(id);
  if (found == items_.end() || !found->second.candidate) return {};
  RemoteItem& item = found->second;
  if (item.candidate->sha256 != sha256) {
    // Replaced while it was judged; but what is on disk is.
    if (judgement.kept.has_value()) item.record = judgement.kept;
    return {};
  }
  const RemoteCandidate candidate = *item.candidate;
  const bool from_spool = candidate.from_spool;
  const std::string& error = judgement.error;
  DropCandidate(&item);
  if (!from_spool || !item.error_of_place) item.error = error;
  if (!from_spool) item.error_of_place = !error.empty();
  Job& job = jobs_[item.job];
  if (judgement.used) {
    if (judgement.kept.has_value()) item.record = judgement.kept;
    item.dates = judgement.dates;
    item.good = true;
    item.kept = from_spool || judgement.kept.has_value();
    item.superseded = false;
    item.last_success = candidate.fetched_at;
  } else if (from_spool) {
    item.good = false;
    item.superseded = judgement.superseded;
  }
  if (!error.empty() && !from_spool) job.faulty = true;
  if (job.unjudged > 0) --job.unjudged;
  Consequence consequence;
  // The same bytes would be refused again.
  if (!judgement.used && !from_spool && !item.good && item.record.has_value() &&
      item.record->sha256 != sha256) {
    OfferRecord(&item);
    consequence.more = true;
  }
  if (job.unjudged > 0 || job.phase != Job::Phase::kJudging) {
    return consequence;
  }
  Conclude(item.job);
  consequence.release = std::exchange(job.claimed, false);
  return consequence;
}

void RemoteJobs::Release(const std::string& id, bool superseded) {
  MutexLock lock(&mutex_);
  const auto found = items_.find(id);
  if (found == items_.end()) return;
  found->second.good = false;
  found->second.superseded = superseded;
}

std::vector<CrlSpool::Held> RemoteJobs::ForgetDisplaced() {
  MutexLock lock(&mutex_);
  std::vector<CrlSpool::Held> forgotten;
  for (Job& job : jobs_) {
    absl::erase_if(job.displaced,
                   [&](const std::string& id)
                       ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
                         const RemoteItem& item = items_[id];
                         if (item.good || !item.superseded || item.candidate)
                           return false;
                         forgotten.push_back({id, *item.record});
                         items_.erase(id);
                         return true;
                       });
  }
  return forgotten;
}

void RemoteJobs::Displace(const std::string& id, const std::string& own_id,
                          const SpoolRecord& own_record) {
  MutexLock lock(&mutex_);
  const RemoteItem& item = items_[id];
  RemoteItem own;
  own.id = own_id;
  own.place = item.place;
  own.job = item.job;
  own.record = own_record;
  own.good = own.kept = true;
  own.dates = item.dates;
  own.last_success = item.last_success;
  jobs_[own.job].displaced.insert(own_id);
  RemoteItem& known = items_[own_id];
  // It may be offered just now, which is counted.
  own.candidate = std::move(known.candidate);
  own.queued = known.queued;
  known = std::move(own);
}

size_t RemoteJobs::CountDisplaced(const std::string& id) const {
  MutexLock lock(&mutex_);
  const auto found = items_.find(id);
  if (found == items_.end()) return 0;
  const auto& displaced = jobs_[found->second.job].displaced;
  return static_cast<size_t>(std::count_if(
      displaced.begin(), displaced.end(),
      [&](const std::string& one) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        const auto item = items_.find(one);
        return item != items_.end() && item->second.displaced() &&
               item->second.record->displaced_from == id;
      }));
}

std::vector<std::string> RemoteJobs::Gone() const {
  MutexLock lock(&mutex_);
  std::vector<std::string> ids;
  for (const auto& [id, item] : items_) {
    if (item.gone && item.good) ids.push_back(id);
  }
  return ids;
}

bool RemoteJobs::HasAsked() const {
  MutexLock lock(&mutex_);
  std::vector<bool> settled;
  for (const Job& job : jobs_) settled.push_back(job.asked);
  for (const auto& [id, item] : items_) {
    if (item.good && !item.displaced()) settled[item.job] = true;
  }
  return std::find(settled.begin(), settled.end(), false) == settled.end();
}

void RemoteJobs::AskNow() {
  MutexLock lock(&mutex_);
  for (auto& [id, item] : items_) {
    if (jobs_[item.job].phase == Job::Phase::kFetching || item.candidate ||
        item.good || !item.record.has_value()) {
      continue;
    }
    OfferRecord(&item);
  }
  for (Job& job : jobs_) {
    job.next_attempt = absl::ZeroDuration();
    job.ask_now = job.phase == Job::Phase::kJudging;
  }
  changed_.SignalAll();
}

RemoteJobs::Leftovers RemoteJobs::TakeLeftovers() {
  MutexLock lock(&mutex_);
  Leftovers leftovers;
  for (auto& [id, item] : items_) {
    if (std::exchange(item.partial_bytes, 0) > 0) leftovers.parts.push_back(id);
    item.partial = HttpValidators();
    if (!item.candidate.has_value() || item.candidate->from_spool) continue;
    const FileDigest digest = item.candidate->sha256;
    if (!item.record.has_value() || item.record->sha256 != digest) {
      leftovers.crls.emplace_back(id, digest);
    }
    DropCandidate(&item);
  }
  partial_bytes_ = 0;
  return leftovers;
}

bool RemoteJobs::TakeClaim(size_t job) {
  MutexLock lock(&mutex_);
  return std::exchange(jobs_[job].claimed, false);
}

std::vector<std::string> RemoteJobs::TakeClaims() {
  MutexLock lock(&mutex_);
  std::vector<std::string> ids;
  for (Job& job : jobs_) {
    if (std::exchange(job.claimed, false)) ids.push_back(job.id);
  }
  return ids;
}

}  // namespace inkan
