// The filings of one request as work for the batcher: views over the request
// in, the octets of its answer out. No gRPC.
//
// What is wrong with one filing in itself (a limit passed, a time that is none)
// becomes that filing's verdict, FORMAT_FAILURE, and disturbs no other.
//
// Ownership: the request is the caller's and outlives the judgement; nothing of
// a filing is copied but what its verdict says again. Thread safety: as
// BatchItem.
#ifndef INKAN_SERVER_FILING_BATCH_H_
#define INKAN_SERVER_FILING_BATCH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "cache/mutex.h"
#include "server/batcher.h"
#include "server/limits.h"
#include "server/request.h"
#include "server/steady_clock.h"
#include "server/verdict_record.h"

namespace inkan {

// What is known of a request beside its octets.
struct RequestContext {
  const Limits* limits = nullptr;
  // When the request arrived, seconds since 1970: the verification time of
  // filings without one.
  int64_t received_at = 0;
  // The same moment by NowNs, and the call's deadline; see BatchItem.
  int64_t received_ns = 0;
  int64_t deadline_ns = kNeverNs;
  // What the caller is called must outlive the item.
  RequestOrigin origin;
};

// Numbers the requests of this process, from 1. Thread-safe.
uint64_t NextRequestNumber();

// Why the filing is refused unjudged; empty if it is not.
std::string FilingLimitFault(const SentFiling& filing, const Limits& limits);

// An item whose verdicts are put together as they are sent. Workers write the
// pieces they judged, each by itself; the answer is the pieces one after
// another.
class AnsweredItem : public BatchItem {
 public:
  // The response's field of verdicts, in the order of the filings, in pieces.
  // Empty unless every filing has its verdict, as it has once Finished(kJudged)
  // was entered: a list with a gap would give filings the verdicts of others.
  // Nothing is left.
  std::vector<std::string> TakeAnswer();

 protected:
  using BatchItem::BatchItem;

  // `octets` are the verdicts on `count` filings from `first` on. From any
  // thread.
  void Put(size_t first, size_t count, std::string octets);

 private:
  struct Piece {
    size_t first = 0;
    size_t count = 0;
    std::string octets;
  };

  Mutex mutex_;
  absl::InlinedVector<Piece, 1> pieces_ ABSL_GUARDED_BY(mutex_);
};

// The filings of a request; one without content, of which the certificate alone
// is judged, for CheckCertificate.
class FilingBatch : public AnsweredItem {
 public:
  // REQUIRES: the request was read without fault.
  FilingBatch(const Request& request, const RequestContext& context)
      : AnsweredItem(request.filings().size(), request.Memory(),
                     context.deadline_ns, context.received_ns),
        context_(context),
        certificate_only_(request.kind() == RequestKind::kCheckCertificate),
        want_checks_(request.want_checks()),
        filings_(request.filings()) {}

  void MakeViews(const Snapshot& snapshot, size_t first,
                 absl::Span<FilingView> views) override;
  void TakeVerdicts(const Snapshot& snapshot, size_t first,
                    absl::Span<const FilingVerdict> verdicts,
                    std::vector<VerdictRecord>* records) override;

 private:
  const RequestContext context_;
  const bool certificate_only_;
  const bool want_checks_;
  const absl::Span<const SentFiling> filings_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_FILING_BATCH_H_
