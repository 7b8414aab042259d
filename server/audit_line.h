// One verdict as one line of the audit log: JSON, no personal data. The fields
// are described in docs/OPERATIONS.md, "Audit log".
//
//   AuditFormatter formatter("5f3a9c1e");       // one a worker
//   formatter.Append(snapshot, record, &lines);
//
// Thread safety: one thread at a time; it keeps what batches share.
#ifndef INKAN_SERVER_AUDIT_LINE_H_
#define INKAN_SERVER_AUDIT_LINE_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "cache/snapshot.h"
#include "server/verdict_record.h"

namespace inkan {

class AuditFormatter {
 public:
  // `run` tells the requests of this process from those of others.
  explicit AuditFormatter(std::string run) : run_(std::move(run)) {}

  // Appends a line for each verdict, judged under `snapshot` at `now`.
  void Append(const Snapshot& snapshot,
              absl::Span<const VerdictRecord> verdicts, absl::Time now,
              std::string* out);

 private:
  const std::string run_;
  // What all verdicts of one snapshot share.
  uint64_t generation_ = ~uint64_t{0};
  std::string snapshot_text_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_AUDIT_LINE_H_
