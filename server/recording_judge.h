// A judge that writes down what another one says: counters, and the audit log
// if there is one.
//
// Thread safety: one thread at a time. Ownership: metrics and audit log must
// outlive it.
#ifndef INKAN_SERVER_RECORDING_JUDGE_H_
#define INKAN_SERVER_RECORDING_JUDGE_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "server/audit_line.h"
#include "server/audit_log.h"
#include "server/batcher.h"
#include "server/metrics_worker.h"

namespace inkan {

class RecordingJudge final : public Judge {
 public:
  // `audit` may be null. `run` names the process in the audit log.
  RecordingJudge(std::unique_ptr<Judge> judge, WorkerMetrics* metrics,
                 AuditLog* audit, std::string run)
      : judge_(std::move(judge)),
        metrics_(metrics),
        audit_(audit),
        formatter_(std::move(run)) {}

  const Snapshot& Pin() override { return judge_->Pin(); }
  void Verify(absl::Span<const FilingView> filings,
              absl::Span<FilingVerdict> verdicts) override {
    judge_->Verify(filings, verdicts);
  }

  bool Ready() override {
    if (audit_ != nullptr && !audit_->Ready()) return false;
    metrics_->BatchBegun();
    return true;
  }
  bool Record(const Snapshot& snapshot, const BatchRecord& record) override {
    if (audit_ != nullptr) {
      formatter_.Append(snapshot, record.verdicts, absl::Now(), &lines_);
      if (!audit_->Append(&lines_, record.verdicts.size())) {
        metrics_->BatchDropped();
        return false;
      }
    }
    metrics_->BatchDone(snapshot, record);
    return true;
  }

 private:
  const std::unique_ptr<Judge> judge_;
  WorkerMetrics* const metrics_;
  AuditLog* const audit_;
  AuditFormatter formatter_;
  std::string lines_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_RECORDING_JUDGE_H_
