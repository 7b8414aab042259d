#include "server/judged_call.h"

#include <utility>

#include "absl/time/clock.h"
#include "server/call_deadline.h"
#include "server/rpc_status.h"

namespace inkan {

grpc::Status JudgedCall::Read(RequestKind kind,
                              const grpc::CallbackServerContext& call,
                              const Limits& limits, Gate* gate,
                              std::string client, grpc::ByteBuffer* octets) {
  Request& request = received_.request;
  const RequestFault fault =
      received_.octets.Take(octets)
          ? request.Read(kind, received_.octets.bytes(), limits)
          : MalformedRequest();
  if (!fault.ok()) return InvalidArgument(fault);
  grpc::Status within =
      gate->TakeQuota(client, request.filings().size(), &ticket_);
  if (!within.ok()) return within;
  RequestContext context;
  context.limits = &limits;
  context.received_ns = NowNs();
  context.received_at = absl::ToUnixSeconds(absl::Now());
  context.origin.number = NextRequestNumber();
  context.origin.client = std::move(client);
  context.deadline_ns = DeadlineNs(call);
  item_.emplace(this, request, context);
  return grpc::Status::OK;
}

grpc::Status JudgedCall::Write(grpc::ByteBuffer* octets) {
  grpc::Status status = WriteAnswer(item_->TakeAnswer(), octets);
  received_ = Received();
  if (status.ok()) item_->ShrinkTo(octets->Length());
  return status;
}

void JudgedCall::Forget() {
  received_ = Received();
  if (!item_.has_value()) return;
  item_->TakeAnswer();
  item_->ShrinkTo(0);
}

}  // namespace inkan
