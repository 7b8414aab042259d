// Requests out of gRPC's octets, answers into them. The service reads requests
// itself, because gRPC would before anybody can ask who calls, and what a
// request would take: see server/request.h.
//
// Thread safety: none; one thread at a time.
#ifndef INKAN_SERVER_RPC_MESSAGES_H_
#define INKAN_SERVER_RPC_MESSAGES_H_

#include <grpc/slice.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>
#include <grpcpp/support/status.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "absl/types/span.h"
#include "crypto/bytes.h"

namespace inkan {

// A request's octets in one block of just their size. They are copied once, out
// of the buffers that gRPC reads whole connections into: what waits for its
// turn must not keep those.
class RequestOctets {
 public:
  // Takes them out of `octets`, which are freed. False if they are none.
  bool Take(grpc::ByteBuffer* octets) {
    const bool whole = Copy(octets);
    octets->Clear();
    return whole;
  }
  Bytes bytes() const { return {block_.get(), size_}; }

 private:
  bool Copy(grpc::ByteBuffer* octets) {
    grpc::ProtoBufferReader reader(octets);
    if (!reader.status().ok()) return false;
    size_ = octets->Length();
    block_ = std::make_unique_for_overwrite<uint8_t[]>(size_);
    size_t taken = 0;
    const void* data = nullptr;
    int count = 0;
    while (taken < size_ && reader.Next(&data, &count)) {
      const size_t here = std::min(static_cast<size_t>(count), size_ - taken);
      std::memcpy(block_.get() + taken, data, here);
      taken += here;
    }
    return taken == size_;
  }

  std::unique_ptr<uint8_t[]> block_;
  size_t size_ = 0;
};

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
