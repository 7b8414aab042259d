// How the audit log is kept; from the configuration. Plain values.
#ifndef INKAN_SERVER_AUDIT_OPTIONS_H_
#define INKAN_SERVER_AUDIT_OPTIONS_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace inkan {

enum class AuditSync : uint8_t { kNone, kInterval, kEveryBatch };
enum class AuditFailure : uint8_t { kRefuse, kDrop };

struct AuditOptions {
  std::string file;
  AuditSync sync = AuditSync::kInterval;
  absl::Duration sync_interval = absl::Seconds(1);
  AuditFailure on_failure = AuditFailure::kRefuse;
  // Past either the file is rotated; 0: never.
  uint64_t rotate_bytes = uint64_t{256} << 20;
  absl::Duration rotate_interval;
  // Octets that may wait for the writer.
  uint64_t buffer_bytes_max = uint64_t{16} << 20;
};

}  // namespace inkan

#endif  // INKAN_SERVER_AUDIT_OPTIONS_H_
