// Errors about a request or about us, as gRPC statuses with google.rpc details:
// always an ErrorInfo with domain "inkan.dev", a BadRequest where a field is at
// fault, a RetryInfo where trying again makes sense. Verdicts never come this
// way.
//
// UNAVAILABLE also says how long to stay away in a way that gRPC's clients act
// on themselves: grpc-retry-pushback-ms, in the trailing metadata of the call.
// The delay is as long as what it waits for, spread so that those refused
// together do not come back together.
//
// Thread safety: free functions; each call from one thread at a time.
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

// How long a refused caller should stay away at least: some batches of work;
// and at most: no line is longer by default than a tenth of a second, and a
// person's patience with a call that may go elsewhere ends here.
inline constexpr absl::Duration kRetryAfter = absl::Milliseconds(100);
inline constexpr absl::Duration kRetryAfterMax = absl::Seconds(5);

// How long a server that has drained goes on refusing calls before it ends its
// connections: some round trips, even around the world.
inline constexpr absl::Duration kRefusingTime = absl::Milliseconds(500);
// How long answers that are ready may take to be sent at the very end.
inline constexpr absl::Duration kLastWords = absl::Milliseconds(500);

// Whom to tell, and whose line they were to stand in. Call it once for each
// call that ends. A null context: nobody is told how long to stay away but by
// RetryInfo.
struct Refused {
  grpc::ServerContextBase* context = nullptr;
  const Batcher* batcher = nullptr;
  Lane lane = Lane::kInteractive;
};

// Somewhere from `least` to half as much again.
absl::Duration Spread(absl::Duration least);

grpc::Status InvalidArgument(const RequestFault& fault);
// UNAVAILABLE, each with its push-back.
// Until the line has been worked off.
grpc::Status Overloaded(const Refused& refused);
// Until this server's connections are gone, as far as that can be told; from
// the fourth attempt on until they are gone for certain. A client whose policy
// has five attempts, gRPC's most, so never spends them all here.
grpc::Status ShuttingDown(const Refused& refused);
// For a stream whose place another one takes.
grpc::Status StreamIdle(const Refused& refused);
// For what comes in greater number than there is room for.
grpc::Status TooManyAtOnce(const Refused& refused, const std::string& what);
// PERMISSION_DENIED; ErrorInfo's metadata names the method.
grpc::Status NotAllowed(const std::string& method);
// RESOURCE_EXHAUSTED with QuotaFailure and RetryInfo.
grpc::Status QuotaExceeded(const std::string& quota, const std::string& client,
                           absl::Duration retry_after);
// OK for kJudged.
grpc::Status StatusOf(ItemResult result, const Refused& refused);
// OK for kAdmitted and kWaiting, else Overloaded or ShuttingDown.
grpc::Status StatusOf(Admission admission, const Refused& refused);
// FAILED_PRECONDITION and such, as the status has it.
grpc::Status Failed(const absl::Status& status, const char* error_reason);

}  // namespace inkan

#endif  // INKAN_SERVER_RPC_STATUS_H_
