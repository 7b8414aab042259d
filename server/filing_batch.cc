#include "server/filing_batch.h"

#include <algorithm>
#include <atomic>
#include <new>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "crypto/bytes.h"
#include "server/convert.h"
#include "server/verdict_writer.h"

namespace inkan {
namespace {

using Blobs = google::protobuf::RepeatedPtrField<std::string>;

std::string TooLong(const char* field, size_t bytes, const char* limit,
                    size_t bytes_max) {
  return absl::StrCat(field, " has ", bytes, " octets, more than ", limit, " (",
                      bytes_max, ")");
}

// What filings and certificate enquiries have in common.
template <typename Request>
std::string CertificateLimitFault(const Request& request,
                                  const Limits& limits) {
  if (request.certificate().size() > limits.certificate_bytes_max) {
    return TooLong("certificate", request.certificate().size(),
                   "limits.certificate_bytes_max",
                   limits.certificate_bytes_max);
  }
  if (static_cast<uint32_t>(request.intermediates_size()) >
      limits.intermediates_max) {
    return absl::StrCat("intermediates has ", request.intermediates_size(),
                        " certificates, more than limits.intermediates_max (",
                        limits.intermediates_max, ")");
  }
  for (int i = 0; i < request.intermediates_size(); ++i) {
    if (request.intermediates(i).size() > limits.certificate_bytes_max) {
      return TooLong(absl::StrCat("intermediates[", i, "]").c_str(),
                     request.intermediates(i).size(),
                     "limits.certificate_bytes_max",
                     limits.certificate_bytes_max);
    }
  }
  if (request.has_verification_time() &&
      !TimeFromProto(request.verification_time()).has_value()) {
    return "verification_time is no valid Timestamp (years 1 to 9999, nanos 0 "
           "to "
           "999,999,999)";
  }
  return "";
}

absl::Span<const Bytes> ViewIntermediates(const Blobs& intermediates,
                                          std::pmr::memory_resource* memory) {
  const auto count = static_cast<size_t>(intermediates.size());
  if (count == 0) return {};
  auto* views = static_cast<Bytes*>(
      memory->allocate(count * sizeof(Bytes), alignof(Bytes)));
  for (size_t i = 0; i < count; ++i) {
    new (&views[i]) Bytes(AsBytes(intermediates[static_cast<int>(i)]));
  }
  return {views, count};
}

template <typename Request>
int64_t TimeOf(const Request& request, const RequestContext& context) {
  if (!request.has_verification_time()) return context.received_at;
  return TimeFromProto(request.verification_time())
      .value_or(context.received_at);
}

template <typename Request>
void ViewCertificate(const Request& request, const RequestContext& context,
                     const Snapshot& snapshot,
                     std::pmr::memory_resource* memory, FilingView* view) {
  view->profile = snapshot.Find(request.profile());
  view->profile_name = request.profile();
  view->certificate = AsBytes(request.certificate());
  view->intermediates = ViewIntermediates(request.intermediates(), memory);
  view->time = TimeOf(request, context);
  view->want_checks = context.want_checks;
}

void ViewFiling(const v1::Filing& filing, FilingView* view) {
  view->algorithm = AlgorithmFromProto(filing.signature_algorithm());
  view->signature = AsBytes(filing.signature());
  switch (filing.content_case()) {
    case v1::Filing::kDocument:
      view->content = FilingView::Content::kDocument;
      view->document_or_digest = AsBytes(filing.document());
      break;
    case v1::Filing::kDigest:
      view->content = FilingView::Content::kDigest;
      view->document_or_digest = AsBytes(filing.digest());
      break;
    case v1::Filing::CONTENT_NOT_SET:
      view->content = FilingView::Content::kNone;
      break;
  }
}

// Writes down what was answered, if someone wants to know.
void Note(const std::string& fault, const FilingVerdict& verdict,
          const std::string& id, const std::string& profile, int64_t time,
          const RequestContext& context, std::vector<VerdictRecord>* records) {
  if (records == nullptr) return;
  VerdictRecord& record = records->emplace_back();
  record.filing_id = id;
  record.profile = profile;
  record.outcome = fault.empty() ? verdict.outcome : Outcome::kFormatFailure;
  record.time = time;
  record.verdict = &verdict;
  record.origin = &context.origin;
}

// Appends the answer: the verifier's verdict, or the refusal if there is one.
void Answer(const std::string& fault, const FilingVerdict& verdict,
            const std::string& id, int64_t time, const Snapshot& snapshot,
            std::string* out) {
  const VerdictHeading heading = {id, &snapshot, time};
  if (fault.empty()) {
    AppendVerdict(verdict, heading, out);
    return;
  }
  FilingVerdict refused;
  refused.outcome = Outcome::kFormatFailure;
  refused.diagnostic = fault;
  AppendVerdict(refused, heading, out);
}

}  // namespace

uint64_t NextRequestNumber() {
  static std::atomic<uint64_t> number{0};
  return number.fetch_add(1, std::memory_order_relaxed) + 1;
}

std::string FilingLimitFault(const v1::Filing& filing, const Limits& limits) {
  if (filing.document().size() > limits.document_bytes_max) {
    return TooLong("document", filing.document().size(),
                   "limits.document_bytes_max", limits.document_bytes_max);
  }
  return CertificateLimitFault(filing, limits);
}

void AnsweredItem::Put(size_t first, size_t count, std::string octets) {
  MutexLock lock(&mutex_);
  pieces_.push_back({first, count, std::move(octets)});
}

std::vector<std::string> AnsweredItem::TakeAnswer() {
  MutexLock lock(&mutex_);
  std::sort(pieces_.begin(), pieces_.end(),
            [](const Piece& a, const Piece& b) { return a.first < b.first; });
  std::vector<std::string> answer;
  answer.reserve(pieces_.size());
  size_t next = 0;
  bool whole = true;
  for (Piece& piece : pieces_) {
    whole &= piece.first == next;
    next += piece.count;
    answer.push_back(std::move(piece.octets));
  }
  pieces_.clear();
  if (!whole || next != filings()) answer.clear();
  return answer;
}

void FilingBatch::MakeViews(const Snapshot& snapshot, size_t first,
                            absl::Span<FilingView> views,
                            std::pmr::memory_resource* memory) {
  for (size_t i = 0; i < views.size(); ++i) {
    const v1::Filing& filing = *filings_[first + i];
    // A filing that is refused stays an empty view: no work is done for it, and
    // whatever the verifier says about nothing is replaced below.
    if (!FilingLimitFault(filing, *context_.limits).empty()) continue;
    ViewCertificate(filing, context_, snapshot, memory, &views[i]);
    ViewFiling(filing, &views[i]);
  }
}

void FilingBatch::TakeVerdicts(const Snapshot& snapshot, size_t first,
                               absl::Span<const FilingVerdict> verdicts,
                               std::vector<VerdictRecord>* records) {
  std::string answer;
  answer.reserve(verdicts.size() * kUsualVerdictBytes);
  for (size_t i = 0; i < verdicts.size(); ++i) {
    const v1::Filing& filing = *filings_[first + i];
    const std::string fault = FilingLimitFault(filing, *context_.limits);
    const int64_t time = TimeOf(filing, context_);
    Answer(fault, verdicts[i], filing.filing_id(), time, snapshot, &answer);
    Note(fault, verdicts[i], filing.filing_id(), filing.profile(), time,
         context_, records);
  }
  Put(first, verdicts.size(), std::move(answer));
}

void CertificateBatch::MakeViews(const Snapshot& snapshot, size_t /*first*/,
                                 absl::Span<FilingView> views,
                                 std::pmr::memory_resource* memory) {
  views[0].certificate_only = true;
  if (!CertificateLimitFault(request_, *context_.limits).empty()) return;
  ViewCertificate(request_, context_, snapshot, memory, &views[0]);
}

void CertificateBatch::TakeVerdicts(const Snapshot& snapshot, size_t /*first*/,
                                    absl::Span<const FilingVerdict> verdicts,
                                    std::vector<VerdictRecord>* records) {
  const std::string fault = CertificateLimitFault(request_, *context_.limits);
  const int64_t time = TimeOf(request_, context_);
  std::string answer;
  Answer(fault, verdicts[0], request_.request_id(), time, snapshot, &answer);
  Put(0, 1, std::move(answer));
  Note(fault, verdicts[0], request_.request_id(), request_.profile(), time,
       context_, records);
  if (records != nullptr) records->back().certificate_only = true;
}

}  // namespace inkan
