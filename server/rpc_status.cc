#include "server/rpc_status.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/duration.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/server_context.h"
#include "server/call_deadline.h"
#include "server/steady_clock.h"

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

// Says to try again, after `delay`.
grpc::Status Unavailable(const char* error_reason, const std::string& message,
                         absl::Duration delay) {
  google::rpc::Status details;
  AddReason(error_reason, &details);
  AddRetry(delay, &details);
  return Make(grpc::StatusCode::UNAVAILABLE, message, &details);
}

void PushBack(grpc::ServerContextBase* context, absl::Duration delay) {
  if (context == nullptr) return;
  context->AddTrailingMetadata("grpc-retry-pushback-ms",
                               absl::StrCat(absl::ToInt64Milliseconds(delay)));
}

// A number in [0, 1), another one each time. Servers that are restarted
// together do not draw the same.
double Draw() {
  static std::atomic<uint64_t> state{(static_cast<uint64_t>(getpid()) << 32U) ^
                                     static_cast<uint64_t>(NowNs())};
  // SplitMix64.
  uint64_t bits = state.fetch_add(0x9e3779b97f4a7c15U) + 0x9e3779b97f4a7c15U;
  bits = (bits ^ (bits >> 30U)) * 0xbf58476d1ce4e5b9U;
  bits = (bits ^ (bits >> 27U)) * 0x94d049bb133111ebU;
  bits ^= bits >> 31U;
  return static_cast<double>(bits >> 11U) * 0x1.0p-53;
}

// How often this call was tried before, as its client counts
// (grpc-previous-rpc-attempts).
int PreviousAttempts(const grpc::ServerContextBase& context) {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find("grpc-previous-rpc-attempts");
  int attempts = 0;
  if (found == metadata.end() ||
      !absl::SimpleAtoi(
          absl::string_view(found->second.data(), found->second.size()),
          &attempts)) {
    return 0;
  }
  return attempts;
}

// Of a policy's five attempts, the most that gRPC's clients make, the last one
// comes after this many.
constexpr int kAttemptsBeforeLast = 3;

// See ShuttingDown.
absl::Duration UntilGone(const Refused& refused) {
  // What a round trip and a timer may add.
  constexpr absl::Duration kMargin = absl::Milliseconds(100);
  absl::Duration likely = kRefusingTime + kMargin;
  absl::Duration at_most = likely;
  if (refused.batcher != nullptr) {
    likely += std::min(absl::Nanoseconds(refused.batcher->DrainLineNs()),
                       kRetryAfterMax);
    const int64_t ends_ns = refused.batcher->drain_ends_ns();
    if (ends_ns != kNeverNs) {
      at_most =
          kLastWords + kRefusingTime + kMargin +
          std::max(absl::Nanoseconds(ends_ns - NowNs()), absl::ZeroDuration());
    }
  }
  if (refused.context == nullptr) return Spread(std::min(likely, at_most));
  const bool last = PreviousAttempts(*refused.context) >= kAttemptsBeforeLast;
  const absl::Duration delay =
      last ? at_most : Spread(std::min(likely, at_most));
  // Who has not that much time may as well ask somebody else sooner, but at the
  // last attempt as late as leaves time for an answer.
  const int64_t deadline_ns = SteadyNsOf(refused.context->raw_deadline());
  if (deadline_ns == kNeverNs) return delay;
  const absl::Duration left = absl::Nanoseconds(deadline_ns - NowNs());
  return std::max(std::min(delay, last ? left / 4 * 3 : left / 2),
                  absl::Milliseconds(1));
}

// An overload is said most often when there is least time to make it: all there
// can be are made once, by the delay in steps.
constexpr absl::Duration kDelayStep = absl::Milliseconds(10);
const grpc::Status& QueueFull(absl::Duration delay) {
  static const auto* const all = [] {
    auto* made = new std::vector<grpc::Status>;
    for (absl::Duration at; at <= kRetryAfterMax / 2 * 3; at += kDelayStep) {
      made->push_back(Unavailable(
          reason::kQueueFull,
          "the queue is full; try again after the delay given, or elsewhere",
          at));
    }
    return made;
  }();
  const auto at = static_cast<size_t>(delay / kDelayStep);
  return (*all)[std::min(at, all->size() - 1)];
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

absl::Duration Spread(absl::Duration least) { return least * (1 + Draw() / 2); }

grpc::Status Overloaded(const Refused& refused) {
  absl::Duration line;
  if (refused.batcher != nullptr) {
    line = absl::Nanoseconds(refused.batcher->LineNs(refused.lane));
  }
  const absl::Duration delay =
      Spread(std::clamp(line, kRetryAfter, kRetryAfterMax));
  PushBack(refused.context, delay);
  return QueueFull(delay);
}

grpc::Status ShuttingDown(const Refused& refused) {
  const absl::Duration delay = UntilGone(refused);
  PushBack(refused.context, delay);
  return Unavailable(reason::kShuttingDown,
                     "the server is shutting down; send what was not answered "
                     "to another server",
                     delay);
}

grpc::Status StreamIdle(const Refused& refused) {
  const absl::Duration delay = Spread(kRetryAfter);
  PushBack(refused.context, delay);
  return Unavailable(reason::kStreamIdle,
                     "the stream was silent and another one needs its place; "
                     "open a new one when there is something to send",
                     delay);
}

grpc::Status TooManyAtOnce(const Refused& refused, const std::string& what) {
  const absl::Duration delay = Spread(kRetryAfter);
  PushBack(refused.context, delay);
  return Unavailable(reason::kTooManyAtOnce, what, delay);
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

grpc::Status StatusOf(ItemResult result, const Refused& refused) {
  google::rpc::Status details;
  switch (result) {
    case ItemResult::kJudged:
      return grpc::Status::OK;
    case ItemResult::kExpired:
      AddReason(reason::kDeadlinePassed, &details);
      return Make(grpc::StatusCode::DEADLINE_EXCEEDED,
                  "the deadline passed before the filings were judged",
                  &details);
    case ItemResult::kUnrecorded: {
      // The audit log is tried again once a second.
      const absl::Duration delay = Spread(absl::Seconds(1));
      PushBack(refused.context, delay);
      return Unavailable(reason::kAuditFailed,
                         "the server cannot write its audit log, so no verdict "
                         "was given; try again later, or elsewhere",
                         delay);
    }
    case ItemResult::kAbandoned:
      return ShuttingDown(refused);
    case ItemResult::kCancelled:
      break;
  }
  AddReason(reason::kCancelled, &details);
  return Make(grpc::StatusCode::CANCELLED, "the caller cancelled the call",
              &details);
}

grpc::Status StatusOf(Admission admission, const Refused& refused) {
  switch (admission) {
    case Admission::kAdmitted:
    case Admission::kWaiting:
      return grpc::Status::OK;
    case Admission::kFull:
      return Overloaded(refused);
    case Admission::kShuttingDown:
      break;
  }
  return ShuttingDown(refused);
}

grpc::Status Failed(const absl::Status& status, const char* error_reason) {
  google::rpc::Status details;
  AddReason(error_reason, &details);
  return Make(static_cast<grpc::StatusCode>(status.code()),
              std::string(status.message()), &details);
}

}  // namespace inkan
