// What is said about places on the network.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "cache/crl_source_jobs.h"
#include "cache/steady_time.h"

namespace inkan {

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
    if (item.displaced()) continue;  // its place has a status
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
    const std::string error =
        IsLdap() || item.displaced() ? item.error : ErrorOf(item);
    if (error.empty()) continue;
    out->push_back({item.place, error, job.last_attempt, item.good});
  }
}

}  // namespace inkan
