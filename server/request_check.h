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
// sent, what its message takes beside it (`message_bytes`, of its arena), and
// what its verdicts (with both CRLs named where a delta was read over another
// one) will take as they are written and as they are sent, measured in
// tests/server/request_check_test. Names of a certificate are written out in
// its verdict: an octet takes up to four in text (".127" of an OID), and four
// times that while the text grows and is copied.
// The first 2,048 octets (PKITS' largest certificate) are within kFilingMemory:
// their names are short, or their filings are few.
inline constexpr size_t kFilingMemory = 3712;
inline constexpr size_t kChecksMemory = 7168;
inline constexpr size_t kPlainCertificateBytes = 2048;
inline constexpr size_t kNameMemory = 4 * 4;

// Octets by which the certificates of a request pass kPlainCertificateBytes.
size_t LargeCertificateBytes(const v1::Filing& filing);
size_t LargeCertificateBytes(const v1::CheckCertificateRequest& request);
inline size_t LargeCertificateBytes(const v1::VerifyRequest& request) {
  return LargeCertificateBytes(request.filing());
}
template <typename Batch>  // BatchVerifyRequest, StreamVerifyRequest
size_t LargeCertificateBytes(const Batch& request) {
  size_t bytes = 0;
  for (const v1::Filing& filing : request.filings()) {
    bytes += LargeCertificateBytes(filing);
  }
  return bytes;
}

// REQUIRES: `filings` is how many the request has.
template <typename Request>
size_t MemoryOf(const Request& request, size_t sent_bytes, size_t message_bytes,
                int filings) {
  return sent_bytes + message_bytes +
         static_cast<size_t>(filings) *
             (kFilingMemory + (request.want_checks() ? kChecksMemory : 0)) +
         LargeCertificateBytes(request) * kNameMemory;
}

}  // namespace inkan

#endif  // INKAN_SERVER_REQUEST_CHECK_H_
