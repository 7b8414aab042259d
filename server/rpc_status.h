// Errors about a request or about us, as gRPC statuses with google.rpc details:
// always an ErrorInfo with domain "inkan.dev", a BadRequest where a field is at
// fault, a RetryInfo where trying again makes sense. Verdicts never come this
// way.
//
// Thread safety: free functions without state.
#ifndef INKAN_SERVER_RPC_STATUS_H_
#define INKAN_SERVER_RPC_STATUS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grpcpp/support/status.h"
#include "server/batcher.h"
#include "server/request_fault.h"

namespace grpc {
class ServerContextBase;
}

namespace inkan {

// How long a refused caller should stay away: some batches of work.
inline constexpr absl::Duration kRetryAfter = absl::Milliseconds(100);

grpc::Status InvalidArgument(const RequestFault& fault);
// UNAVAILABLE with RetryInfo, and the push-back gRPC clients act on themselves.
grpc::Status Overloaded(grpc::ServerContextBase* context);
grpc::Status ShuttingDown();
// UNAVAILABLE, for a stream whose place another one takes.
grpc::Status StreamIdle();
// PERMISSION_DENIED; ErrorInfo's metadata names the method.
grpc::Status NotAllowed(const std::string& method);
// RESOURCE_EXHAUSTED with QuotaFailure and RetryInfo.
grpc::Status QuotaExceeded(const std::string& quota, const std::string& client,
                           absl::Duration retry_after);
// OK for kJudged.
grpc::Status StatusOf(ItemResult result);
// OK for kAdmitted and kWaiting, else Overloaded or ShuttingDown.
grpc::Status StatusOf(Admission admission, grpc::ServerContextBase* context);
// FAILED_PRECONDITION and such, as the status has it.
grpc::Status Failed(const absl::Status& status, const char* error_reason);

}  // namespace inkan

#endif  // INKAN_SERVER_RPC_STATUS_H_
