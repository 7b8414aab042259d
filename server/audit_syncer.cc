#include "server/audit_syncer.h"

#include <unistd.h>

#include "server/audit_file.h"
#include "server/steady_clock.h"

namespace inkan {

AuditSyncer::~AuditSyncer() {
  MutexLock lock(&mutex_);
  for (const Job& job : jobs_) close(job.descriptor);
}

void AuditSyncer::Ask(int descriptor, std::string path) {
  MutexLock lock(&mutex_);
  if (jobs_.empty()) since_ns_.store(NowNs(), std::memory_order_relaxed);
  jobs_.push_back({descriptor, std::move(path)});
  asked_.Signal();
}

void AuditSyncer::Run() {
  while (true) {
    Job job;
    {
      MutexLock lock(&mutex_);
      while (jobs_.empty() && !ending_) asked_.Wait(&mutex_);
      if (jobs_.empty()) return;
      job = jobs_.front();
    }
    if (before_) before_();
    const absl::Status status = SyncAuditFile(job.descriptor, job.path);
    close(job.descriptor);
    {
      MutexLock lock(&mutex_);
      jobs_.erase(jobs_.begin());
      since_ns_.store(jobs_.empty() ? 0 : NowNs(), std::memory_order_relaxed);
    }
    done_(status);
  }
}

void AuditSyncer::End() {
  MutexLock lock(&mutex_);
  ending_ = true;
  asked_.Signal();
}

}  // namespace inkan
