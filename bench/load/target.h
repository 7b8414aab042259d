// Where load may go, and the channels that take it there.
#ifndef INKAN_BENCH_LOAD_TARGET_H_
#define INKAN_BENCH_LOAD_TARGET_H_

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "bench/load/options.h"

namespace inkan::load {

// Whether a gRPC target cannot leave this machine: a unix socket, localhost, a
// 127.x address, or ::1. Other names are not resolved: they count as remote.
bool IsLoopback(const std::string& target);

// A new connection that is shared with no other channel. Refuses targets that
// are not loopback unless options.own_target says they are the caller's to
// load.
absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(
    const LoadOptions& options);

}  // namespace inkan::load

#endif  // INKAN_BENCH_LOAD_TARGET_H_
