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
// sent, what its messages take beside it (`message_bytes`, of their arena), and
// what its verdicts and the answer as it is sent will take, measured in
// tests/server/request_check_test.
inline constexpr size_t kFilingMemory = 3072;
inline constexpr size_t kChecksMemory = 6144;

inline size_t MemoryOf(size_t sent_bytes, size_t message_bytes, int filings,
                       bool want_checks) {
  return sent_bytes + message_bytes +
         static_cast<size_t>(filings) *
             (kFilingMemory + (want_checks ? kChecksMemory : 0));
}

}  // namespace inkan

#endif  // INKAN_SERVER_REQUEST_CHECK_H_
