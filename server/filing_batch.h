// The filings of one request as work for the batcher: views over the request
// in, verdict messages out. Protobuf, no gRPC.
//
// What is wrong with one filing in itself (a limit passed, a time that is none)
// becomes that filing's verdict, FORMAT_FAILURE, and disturbs no other.
//
// Ownership: request and verdict messages are the caller's and outlive the
// item; nothing of a filing is copied. Thread safety: as BatchItem.
#ifndef INKAN_SERVER_FILING_BATCH_H_
#define INKAN_SERVER_FILING_BATCH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "inkan/v1/verification.pb.h"
#include "server/batcher.h"
#include "server/limits.h"
#include "server/steady_clock.h"
#include "server/verdict_record.h"

namespace inkan {

// What is common to all filings of one request.
struct RequestContext {
  const Limits* limits = nullptr;
  // When the request arrived, seconds since 1970: the verification time of
  // filings without one.
  int64_t received_at = 0;
  bool want_checks = false;
  // The same moment by NowNs, and the call's deadline; see BatchItem.
  int64_t received_ns = 0;
  int64_t deadline_ns = kNeverNs;
  // What the caller is called must outlive the item.
  RequestOrigin origin;
};

// Numbers the requests of this process, from 1. Thread-safe.
uint64_t NextRequestNumber();

// Why the filing is refused unjudged; empty if it is not.
std::string FilingLimitFault(const v1::Filing& filing, const Limits& limits);

// A verdict of FORMAT_FAILURE that says why.
void RefuseFiling(const std::string& fault, v1::Verdict* verdict);

// The filings of a BatchVerifyRequest or StreamVerifyRequest, and one empty
// verdict for each in its response. REQUIRES: at least one filing.
template <typename Request>
absl::Span<const v1::Filing* const> FilingsOf(const Request& request) {
  return {request.filings().data(),
          static_cast<size_t>(request.filings_size())};
}
template <typename Request, typename Response>
absl::Span<v1::Verdict* const> MakeVerdicts(const Request& request,
                                            Response* response) {
  response->mutable_verdicts()->Reserve(request.filings_size());
  for (int i = 0; i < request.filings_size(); ++i) response->add_verdicts();
  return {&*response->mutable_verdicts()->pointer_begin(),
          static_cast<size_t>(request.filings_size())};
}

class FilingBatch : public BatchItem {
 public:
  // verdicts[i] receives the answer to filings[i]. `bytes` is the size of the
  // request.
  FilingBatch(absl::Span<const v1::Filing* const> filings,
              absl::Span<v1::Verdict* const> verdicts, size_t bytes,
              const RequestContext& context)
      : BatchItem(filings.size(), bytes, context.deadline_ns,
                  context.received_ns),
        context_(context),
        filings_(filings),
        verdicts_(verdicts) {}

  void MakeViews(const Snapshot& snapshot, size_t first,
                 absl::Span<FilingView> views,
                 std::pmr::memory_resource* memory) override;
  void TakeVerdicts(const Snapshot& snapshot, size_t first,
                    absl::Span<const FilingVerdict> verdicts,
                    std::vector<VerdictRecord>* records) override;

 private:
  const RequestContext context_;
  const absl::Span<const v1::Filing* const> filings_;
  const absl::Span<v1::Verdict* const> verdicts_;
};

// One certificate without a filing.
class CertificateBatch : public BatchItem {
 public:
  CertificateBatch(const v1::CheckCertificateRequest& request,
                   v1::Verdict* verdict, size_t bytes,
                   const RequestContext& context)
      : BatchItem(1, bytes, context.deadline_ns, context.received_ns),
        context_(context),
        request_(request),
        verdict_(verdict) {}

  void MakeViews(const Snapshot& snapshot, size_t first,
                 absl::Span<FilingView> views,
                 std::pmr::memory_resource* memory) override;
  void TakeVerdicts(const Snapshot& snapshot, size_t first,
                    absl::Span<const FilingVerdict> verdicts,
                    std::vector<VerdictRecord>* records) override;

 private:
  const RequestContext context_;
  const v1::CheckCertificateRequest& request_;
  v1::Verdict* const verdict_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_FILING_BATCH_H_
