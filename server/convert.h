// From our values to the public contract and back: protobuf, no gRPC. Shared by
// the service and by the command line, which judges in process.
//
// Everything is copied out, so that messages outlive verdict and snapshot.
// Thread safety: free functions without state. No errors: what the contract
// cannot say is said by the closest word that refuses.
#ifndef INKAN_SERVER_CONVERT_H_
#define INKAN_SERVER_CONVERT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "cache/snapshot.h"
#include "crypto/bytes.h"
#include "crypto/signature.h"
#include "crypto/verdict.h"
#include "google/protobuf/timestamp.pb.h"
#include "inkan/v1/verification.pb.h"

namespace inkan {

// kUnknown for UNSPECIFIED and for numbers of later versions.
SignatureAlgorithm AlgorithmFromProto(v1::SignatureAlgorithm algorithm);

v1::Indication IndicationOf(Outcome outcome);
v1::SubIndication SubIndicationOf(Outcome outcome);

void TimeToProto(int64_t unix_seconds, google::protobuf::Timestamp* out);

// All octets, two lower-case digits each.
std::string ToHex(Bytes bytes);
void AppendHex(Bytes bytes, std::string* text);
// An INTEGER without leading zero octets, but at least one octet.
Bytes WithoutLeadingZeros(Bytes integer);
std::string NumberToHex(Bytes integer);

void SnapshotToProto(const Snapshot& snapshot, v1::SnapshotId* out);
}  // namespace inkan

#endif  // INKAN_SERVER_CONVERT_H_
