// What must hold of a request as a whole before any of its filings is looked
// at. Protobuf, no gRPC. Thread safety: free functions without state.
#ifndef INKAN_SERVER_REQUEST_CHECK_H_
#define INKAN_SERVER_REQUEST_CHECK_H_

#include "inkan/v1/verification.pb.h"
#include "server/limits.h"
#include "server/request_fault.h"

namespace inkan {

RequestFault CheckRequest(const v1::VerifyRequest& request);
RequestFault CheckRequest(const v1::CheckCertificateRequest& request);
// BatchVerify and one message of StreamVerify.
RequestFault CheckFilings(
    const google::protobuf::RepeatedPtrField<v1::Filing>& filings,
    const Limits& limits);

}  // namespace inkan

#endif  // INKAN_SERVER_REQUEST_CHECK_H_
