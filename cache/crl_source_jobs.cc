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
    for (Job& job : jobs_) {
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

void RemoteJobs::SetPartial(const std::string& id,
                            const HttpValidators& partial) {
  MutexLock lock(&mutex_);
  items_[id].partial = partial;
}

void RemoteJobs::Unchanged(const std::string& id,
                           std::optional<SpoolRecord> record) {
  MutexLock lock(&mutex_);
  RemoteItem& item = items_[id];
  item.error.clear();
  item.error_of_place = false;
  item.last_success = absl::Now();
  if (record.has_value()) item.record = std::move(record);
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
  std::optional<FileDigest> replaced;
  if (item.candidate.has_value()) {
    replaced = item.candidate->sha256;
  } else {
    ++jobs_[job].unjudged;
  }
  item.candidate = std::move(candidate);
  jobs_[job].delivered.push_back(id);
  return replaced;
}

absl::flat_hash_map<FileDigest, std::string> RemoteJobs::HoldersIn(
    size_t job) const {
  MutexLock lock(&mutex_);
  absl::flat_hash_map<FileDigest, std::string> holders;
  for (const auto& [id, item] : items_) {
    if (item.job != job) continue;
    if (item.good && item.record.has_value()) {
      holders.emplace(item.record->sha256, id);
    }
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
    if (item.job != job || found.contains(item.id) || item.candidate) {
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
    if (!error.empty() || item->error_of_place) OfferRecord(item);
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
      if (item.job == job) items.push_back(&item);
    }
  } else if (const auto found = items_.find(jobs_[job].id);
             found != items_.end()) {
    items.push_back(&found->second);
  }
  return items;
}

absl::Duration RemoteJobs::WaitAfterSuccess(size_t index) {
  const absl::Time now = absl::Now();
  const double random = Random();
  absl::Time next =
      NextAfterSuccess(now, options_.schedule, CrlDates(), random);
  for (const RemoteItem* item : ItemsOf(index)) {
    next = std::min(
        next, NextAfterSuccess(now, options_.schedule, item->dates, random));
  }
  return next - now;
}

void RemoteJobs::Conclude(size_t index) {
  Job& job = jobs_[index];
  job.phase = Job::Phase::kWaiting;
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
  item.candidate.reset();
  if (!from_spool || !item.error_of_place) item.error = error;
  if (!from_spool) item.error_of_place = !error.empty();
  Job& job = jobs_[item.job];
  if (judgement.used) {
    if (judgement.kept.has_value()) item.record = judgement.kept;
    item.dates = judgement.dates;
    item.good = true;
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

std::string RemoteJobs::ErrorOf(const RemoteItem& item) const {
  const std::string& of_job = jobs_[item.job].error;
  // A URL's last word is that of the last attempt; an entry may be wrong in a
  // search that went well.
  if (IsLdap()) return item.error.empty() ? of_job : item.error;
  return of_job.empty() ? item.error : of_job;
}

void RemoteJobs::AppendStatuses(std::vector<CrlSourceStatus>* out) const {
  MutexLock lock(&mutex_);
  const auto of_job = [this](const Job& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(
                          mutex_) {
    CrlSourceStatus status;
    status.source = job.place;
    status.kind = KindName();
    status.last_attempt = job.last_attempt;
    status.last_success = job.last_success;
    status.next_attempt =
        job.phase == Job::Phase::kWaiting
            ? absl::Now() +
                  std::max(job.next_attempt - SteadyNow(), absl::ZeroDuration())
            : absl::InfiniteFuture();
    status.last_error = job.error;
    status.attempts_total = job.attempts_total;
    status.failures_total = job.failures_total;
    status.bytes_total = job.bytes_total;
    return status;
  };
  if (IsLdap()) {
    for (const Job& job : jobs_) out->push_back(of_job(job));
  }
  for (const auto& [id, item] : items_) {
    CrlSourceStatus status = of_job(jobs_[item.job]);
    status.source = item.place;
    status.last_success = item.last_success;
    status.last_error = ErrorOf(item);
    status.in_use = item.good;
    if (IsLdap()) {
      // Counted once, at the search.
      status.attempts_total = status.failures_total = status.bytes_total = 0;
    }
    out->push_back(std::move(status));
  }
}

void RemoteJobs::AppendErrors(std::vector<CrlSourceError>* out) const {
  MutexLock lock(&mutex_);
  const auto any_in_use = [this](size_t index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(
                              mutex_) {
    return std::any_of(items_.begin(), items_.end(), [index](const auto& one) {
      return one.second.job == index && one.second.good;
    });
  };
  for (size_t i = 0; i < jobs_.size(); ++i) {
    const Job& job = jobs_[i];
    if (job.error.empty() || !IsLdap()) continue;
    out->push_back({job.place, job.error, job.last_attempt, any_in_use(i)});
  }
  for (const auto& [id, item] : items_) {
    const Job& job = jobs_[item.job];
    // That a search failed is said once, above.
    const std::string error = IsLdap() ? item.error : ErrorOf(item);
    if (error.empty()) continue;
    out->push_back({item.place, error, job.last_attempt, item.good});
  }
}

}  // namespace inkan
