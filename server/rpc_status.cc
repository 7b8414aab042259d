#include "server/rpc_status.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/duration.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/server_context.h"

namespace inkan {
namespace {

grpc::Status Make(grpc::StatusCode code, const std::string& message,
                  google::rpc::Status* details) {
  details->set_code(code);
  details->set_message(message);
  return grpc::Status(code, message, details->SerializeAsString());
}

void AddReason(const char* error_reason, google::rpc::Status* details) {
  google::rpc::ErrorInfo info;
  info.set_domain(kErrorDomain);
  info.set_reason(error_reason);
  details->add_details()->PackFrom(info);
}

void AddRetry(absl::Duration delay, google::rpc::Status* details) {
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(absl::ToInt64Seconds(delay));
  retry.mutable_retry_delay()->set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(delay % absl::Seconds(1))));
  details->add_details()->PackFrom(retry);
}

// Says to try again.
grpc::Status Unavailable(const char* error_reason, const char* message) {
  google::rpc::Status details;
  AddReason(error_reason, &details);
  AddRetry(kRetryAfter, &details);
  return Make(grpc::StatusCode::UNAVAILABLE, message, &details);
}

}  // namespace

grpc::Status InvalidArgument(const RequestFault& fault) {
  google::rpc::Status details;
  AddReason(fault.reason, &details);
  google::rpc::BadRequest bad;
  auto* violation = bad.add_field_violations();
  violation->set_field(fault.field);
  violation->set_description(fault.problem);
  details.add_details()->PackFrom(bad);
  return Make(grpc::StatusCode::INVALID_ARGUMENT,
              absl::StrCat(fault.field, ": ", fault.problem), &details);
}

grpc::Status Overloaded(grpc::ServerContextBase* context) {
  // Said most often when there is least time to make it.
  static const auto* const status = new grpc::Status(Unavailable(
      reason::kQueueFull,
      "the queue is full; try again after the delay given, or elsewhere"));
  static const auto* const push_back =
      new std::string(absl::StrCat(absl::ToInt64Milliseconds(kRetryAfter)));
  context->AddTrailingMetadata("grpc-retry-pushback-ms", *push_back);
  return *status;
}

grpc::Status ShuttingDown() {
  return Unavailable(reason::kShuttingDown,
                     "the server is shutting down; send what was not answered "
                     "to another server");
}

grpc::Status StreamIdle() {
  return Unavailable(reason::kStreamIdle,
                     "the stream was silent and another one needs its place; "
                     "open a new one when there is something to send");
}

grpc::Status NotAllowed(const std::string& method) {
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  info.set_domain(kErrorDomain);
  info.set_reason(reason::kMethodNotAllowed);
  (*info.mutable_metadata())["method"] = method;
  details.add_details()->PackFrom(info);
  return Make(grpc::StatusCode::PERMISSION_DENIED,
              absl::StrCat("no access rule of this server lets this client "
                           "call ",
                           method),
              &details);
}

grpc::Status QuotaExceeded(const std::string& quota, const std::string& client,
                           absl::Duration retry_after) {
  google::rpc::Status details;
  AddReason(reason::kQuotaExceeded, &details);
  google::rpc::QuotaFailure failure;
  auto* violation = failure.add_violations();
  violation->set_subject(absl::StrCat("client:", client));
  violation->set_description(quota);
  details.add_details()->PackFrom(failure);
  AddRetry(retry_after, &details);
  return Make(grpc::StatusCode::RESOURCE_EXHAUSTED,
              absl::StrCat("this client's quota ", quota,
                           " is used up; try again after the delay given"),
              &details);
}

grpc::Status StatusOf(ItemResult result) {
  google::rpc::Status details;
  switch (result) {
    case ItemResult::kJudged:
      return grpc::Status::OK;
    case ItemResult::kExpired:
      AddReason(reason::kDeadlinePassed, &details);
      return Make(grpc::StatusCode::DEADLINE_EXCEEDED,
                  "the deadline passed before the filings were judged",
                  &details);
    case ItemResult::kUnrecorded:
      return Unavailable(reason::kAuditFailed,
                         "the server cannot write its audit log, so no verdict "
                         "was given; try again later, or elsewhere");
    case ItemResult::kAbandoned:
      return ShuttingDown();
    case ItemResult::kCancelled:
      break;
  }
  AddReason(reason::kCancelled, &details);
  return Make(grpc::StatusCode::CANCELLED, "the caller cancelled the call",
              &details);
}

grpc::Status StatusOf(Admission admission, grpc::ServerContextBase* context) {
  switch (admission) {
    case Admission::kAdmitted:
    case Admission::kWaiting:
      return grpc::Status::OK;
    case Admission::kFull:
      return Overloaded(context);
    case Admission::kShuttingDown:
      break;
  }
  return ShuttingDown();
}

grpc::Status Failed(const absl::Status& status, const char* error_reason) {
  google::rpc::Status details;
  AddReason(error_reason, &details);
  return Make(static_cast<grpc::StatusCode>(status.code()),
              std::string(status.message()), &details);
}

}  // namespace inkan
