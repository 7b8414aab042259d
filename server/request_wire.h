// Looks at a request as it came, before it is parsed.
//
//   RequestFault fault = CheckWire(&octets, size,
//                                  v1::BatchVerifyRequest::descriptor(),
//                                  limits);
//
// Two octets can be a whole message in a list: parsed, it takes fifty times as
// much, and nothing could be said about it before it took it. So the fields of
// a larger request are counted first: as many may be as kFieldsPerFiling for
// each filing it may have, and one for every kOctetsPerField octets. What is
// parsed then takes less than three times what was sent, and some megabytes.
//
// Protobuf, no gRPC. Thread safety: free functions without state.
#ifndef INKAN_SERVER_REQUEST_WIRE_H_
#define INKAN_SERVER_REQUEST_WIRE_H_

#include <cstdint>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/zero_copy_stream.h"
#include "server/limits.h"
#include "server/request_fault.h"

namespace inkan {

// Smaller requests are not counted: 64 KiB of the emptiest messages take less
// than 4 MB.
inline constexpr uint64_t kUncountedBytesMax = uint64_t{64} << 10U;
// A filing has nine fields, two times with two fields each, and intermediates.
inline constexpr uint64_t kFieldsPerFiling = 32;
inline constexpr uint64_t kOctetsPerField = 64;

// What is said of a request that is no message of its type.
RequestFault MalformedRequest();

// How many fields a request of `bytes` octets may have.
uint64_t FieldsMax(uint64_t bytes, const Limits& limits);

// kTooManyFields, or kRequestMalformed for what cannot be counted to its end.
RequestFault CheckWire(google::protobuf::io::ZeroCopyInputStream* octets,
                       uint64_t bytes, const google::protobuf::Descriptor* type,
                       const Limits& limits);

}  // namespace inkan

#endif  // INKAN_SERVER_REQUEST_WIRE_H_
