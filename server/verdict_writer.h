// Verdicts as they are sent: inkan.v1.Verdict written as its octets, by what
// the verifier found. The only place that says how a verdict is told; who wants
// a message parses what is written here.
//
//   AppendVerdict(verdict, {filing_id, &snapshot, time}, &octets);
//
// Everything is copied out, so that the octets outlive verdict and snapshot.
// TOTAL_PASSED comes out for Outcome::kPassed alone. Protobuf's numbers, no
// gRPC. Thread safety: free functions without state. No errors: what the
// contract cannot say is said by the closest word that refuses.
#ifndef INKAN_SERVER_VERDICT_WRITER_H_
#define INKAN_SERVER_VERDICT_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "cache/revocation.h"
#include "cache/snapshot.h"
#include "inkan/v1/verification.pb.h"
#include "server/verifier.h"

namespace inkan {

// What a verdict does not know of the filing it is on.
struct VerdictHeading {
  std::string_view filing_id;
  const Snapshot* snapshot = nullptr;
  int64_t time = 0;  // T, seconds since 1970
};

// Most verdicts are shorter: room to make for one.
inline constexpr size_t kUsualVerdictBytes = 768;

// Appends the verdict as a field of VerifyResponse, BatchVerifyResponse,
// StreamVerifyResponse or CheckCertificateResponse, which all have it as field
// 1: verdicts one after another are a response.
void AppendVerdict(const FilingVerdict& verdict, const VerdictHeading& heading,
                   std::string* out);

void EvidenceToProto(const RevocationEvidence& evidence,
                     v1::RevocationEvidence* out);

}  // namespace inkan

#endif  // INKAN_SERVER_VERDICT_WRITER_H_
