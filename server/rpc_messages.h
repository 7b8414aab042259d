// Requests out of gRPC's octets, answers into them. The service
// parses itself, because gRPC would parse before anybody can ask who calls, and
// what a request would take: see server/request_wire.h.
//
// Thread safety: free functions without state.
#ifndef INKAN_SERVER_RPC_MESSAGES_H_
#define INKAN_SERVER_RPC_MESSAGES_H_

#include <grpc/slice.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>
#include <grpcpp/support/status.h>

#include <cstdint>
#include <cstring>
#include <string>

#include "absl/types/span.h"
#include "server/limits.h"
#include "server/request_fault.h"
#include "server/request_wire.h"

namespace inkan {

// Takes the request out of `octets`, which are freed.
template <typename Request>
RequestFault ReadRequest(grpc::ByteBuffer* octets, const Limits& limits,
                         Request* request) {
  RequestFault fault;
  if (octets->Length() > kUncountedBytesMax) {
    grpc::ProtoBufferReader reader(octets);
    fault = CheckWire(&reader, octets->Length(), Request::descriptor(), limits);
  }
  if (fault.ok() &&
      !grpc::SerializationTraits<Request>::Deserialize(octets, request).ok()) {
    fault = MalformedRequest();
  }
  octets->Clear();
  return fault;
}

// The pieces one after another, copied into one block of just their size: that
// is what a client that does not read holds.
inline grpc::Status WriteAnswer(absl::Span<const std::string> pieces,
                                grpc::ByteBuffer* octets) {
  size_t size = 0;
  for (const std::string& piece : pieces) size += piece.size();
  if (pieces.empty()) {
    return {grpc::StatusCode::INTERNAL, "a filing is without its verdict"};
  }
  if (size > INT32_MAX) {
    return {grpc::StatusCode::INTERNAL, "the answer is too long for a message"};
  }
  grpc_slice block = grpc_slice_malloc(size);
  uint8_t* end = GRPC_SLICE_START_PTR(block);
  for (const std::string& piece : pieces) {
    std::memcpy(end, piece.data(), piece.size());
    end += piece.size();
  }
  const grpc::Slice slice(block, grpc::Slice::STEAL_REF);
  *octets = grpc::ByteBuffer(&slice, 1);
  return grpc::Status::OK;
}

}  // namespace inkan

#endif  // INKAN_SERVER_RPC_MESSAGES_H_
