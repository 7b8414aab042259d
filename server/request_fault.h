// What can be wrong with a call, by stable name.
#ifndef INKAN_SERVER_REQUEST_FAULT_H_
#define INKAN_SERVER_REQUEST_FAULT_H_

#include <string>

namespace inkan {

// ErrorInfo.domain.
inline constexpr char kErrorDomain[] = "inkan.dev";

// ErrorInfo.reason; stable, documented in docs/API.md.
namespace reason {
inline constexpr char kBatchEmpty[] = "BATCH_EMPTY";
inline constexpr char kBatchTooLarge[] = "BATCH_TOO_LARGE";
inline constexpr char kFilingMissing[] = "FILING_MISSING";
inline constexpr char kRequestMalformed[] = "REQUEST_MALFORMED";
inline constexpr char kRequestTooLarge[] = "REQUEST_TOO_LARGE";
inline constexpr char kTooManyFields[] = "TOO_MANY_FIELDS";
inline constexpr char kIdTooLong[] = "ID_TOO_LONG";
inline constexpr char kProfileUnknown[] = "PROFILE_UNKNOWN";
inline constexpr char kSerialMalformed[] = "SERIAL_MALFORMED";
inline constexpr char kQueueFull[] = "QUEUE_FULL";
inline constexpr char kStreamIdle[] = "STREAM_IDLE";
inline constexpr char kTooManyAtOnce[] = "TOO_MANY_AT_ONCE";
inline constexpr char kQuotaExceeded[] = "QUOTA_EXCEEDED";
inline constexpr char kMethodNotAllowed[] = "METHOD_NOT_ALLOWED";
inline constexpr char kShuttingDown[] = "SHUTTING_DOWN";
inline constexpr char kDeadlinePassed[] = "DEADLINE_PASSED";
inline constexpr char kCancelled[] = "CANCELLED";
inline constexpr char kAuditFailed[] = "AUDIT_LOG_FAILED";
inline constexpr char kReloadFailed[] = "RELOAD_FAILED";
}  // namespace reason

// A mistake in a request: INVALID_ARGUMENT naming the field.
struct RequestFault {
  const char* reason = nullptr;  // null: no fault
  std::string field;
  std::string problem;

  bool ok() const { return reason == nullptr; }
};

}  // namespace inkan

#endif  // INKAN_SERVER_REQUEST_FAULT_H_
