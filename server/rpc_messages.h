// Requests and answers between gRPC's octets and protobuf messages. The service
// parses itself, because gRPC would parse before anybody can ask who calls, and
// what a request would take: see server/request_wire.h.
//
// Thread safety: free functions without state.
#ifndef INKAN_SERVER_RPC_MESSAGES_H_
#define INKAN_SERVER_RPC_MESSAGES_H_

#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

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

template <typename Response>
grpc::Status WriteResponse(const Response& response, grpc::ByteBuffer* octets) {
  bool own = false;
  return grpc::SerializationTraits<Response>::Serialize(response, octets, &own);
}

}  // namespace inkan

#endif  // INKAN_SERVER_RPC_MESSAGES_H_
