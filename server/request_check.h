// What must hold of a request as a whole before any of its filings is looked
// at. Protobuf, no gRPC. Thread safety: free functions without state.
#ifndef INKAN_SERVER_REQUEST_CHECK_H_
#define INKAN_SERVER_REQUEST_CHECK_H_

#include <cstddef>

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

// Octets a request holds from admission until its answer was taken: what was
// sent, and what its filings take beside it (message objects, verdicts, the
// answer as it is sent), measured in tests/server/request_check_test.
inline constexpr size_t kFilingMemory = 3072;
inline constexpr size_t kChecksMemory = 6144;

template <typename Request>
size_t MemoryOf(const Request& request, int filings) {
  return request.ByteSizeLong() +
         static_cast<size_t>(filings) *
             (kFilingMemory + (request.want_checks() ? kChecksMemory : 0));
}

}  // namespace inkan

#endif  // INKAN_SERVER_REQUEST_CHECK_H_
