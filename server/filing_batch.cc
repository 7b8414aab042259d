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

std::string TooLong(const char* field, size_t bytes, const char* limit,
                    size_t bytes_max) {
  return absl::StrCat(field, " has ", bytes, " octets, more than ", limit, " (",
                      bytes_max, ")");
}

// What is told again of a profile's name, where it is none of ours: as much as
// an id may have, of whole characters.
std::string_view Told(std::string_view profile) {
  if (profile.size() <= kFilingIdBytesMax) return profile;
  size_t size = kFilingIdBytesMax;
  while (size > 0 && (static_cast<uint8_t>(profile[size]) & 0xc0U) == 0x80) {
    --size;
  }
  return profile.substr(0, size);
}

int64_t TimeOf(const SentFiling& filing, const RequestContext& context) {
  if (!filing.verification_time.has_value()) return context.received_at;
  return WholeSeconds(*filing.verification_time).value_or(context.received_at);
}

// Writes down what was answered, if someone wants to know.
void Note(const std::string& fault, const FilingVerdict& verdict,
          const SentFiling& filing, int64_t time, bool certificate_only,
          const RequestContext& context, std::vector<VerdictRecord>* records) {
  if (records == nullptr) return;
  VerdictRecord& record = records->emplace_back();
  record.filing_id = filing.id;
  record.profile = Told(filing.profile);
  record.outcome = fault.empty() ? verdict.outcome : Outcome::kFormatFailure;
  record.time = time;
  record.verdict = &verdict;
  record.origin = &context.origin;
  record.certificate_only = certificate_only;
}

// Appends the answer: the verifier's verdict, or the refusal if there is one.
void Answer(const std::string& fault, const FilingVerdict& verdict,
            std::string_view id, int64_t time, const Snapshot& snapshot,
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

std::string FilingLimitFault(const SentFiling& filing, const Limits& limits) {
  if (filing.content == FilingView::Content::kDocument &&
      filing.document_or_digest.size() > limits.document_bytes_max) {
    return TooLong("document", filing.document_or_digest.size(),
                   "limits.document_bytes_max", limits.document_bytes_max);
  }
  if (filing.certificate.size() > limits.certificate_bytes_max) {
    return TooLong("certificate", filing.certificate.size(),
                   "limits.certificate_bytes_max",
                   limits.certificate_bytes_max);
  }
  if (filing.intermediates_sent > limits.intermediates_max) {
    return absl::StrCat("intermediates has ", filing.intermediates_sent,
                        " certificates, more than limits.intermediates_max (",
                        limits.intermediates_max, ")");
  }
  for (size_t i = 0; i < filing.intermediates.size(); ++i) {
    if (filing.intermediates[i].size() > limits.certificate_bytes_max) {
      return TooLong(absl::StrCat("intermediates[", i, "]").c_str(),
                     filing.intermediates[i].size(),
                     "limits.certificate_bytes_max",
                     limits.certificate_bytes_max);
    }
  }
  if (filing.verification_time.has_value() &&
      !WholeSeconds(*filing.verification_time).has_value()) {
    return "verification_time is no valid Timestamp (years 1 to 9999, nanos 0 "
           "to "
           "999,999,999)";
  }
  return "";
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
                            absl::Span<FilingView> views) {
  for (size_t i = 0; i < views.size(); ++i) {
    const SentFiling& filing = filings_[first + i];
    FilingView& view = views[i];
    view.certificate_only = certificate_only_;
    // A filing that is refused stays an empty view: no work is done for it, and
    // whatever the verifier says about nothing is replaced below.
    if (!FilingLimitFault(filing, *context_.limits).empty()) continue;
    view.profile = snapshot.Find(filing.profile);
    view.profile_name = Told(filing.profile);
    view.algorithm = AlgorithmFromProto(
        static_cast<v1::SignatureAlgorithm>(filing.signature_algorithm));
    view.signature = filing.signature;
    view.content = filing.content;
    view.document_or_digest = filing.document_or_digest;
    view.certificate = filing.certificate;
    view.intermediates = filing.intermediates;
    view.time = TimeOf(filing, context_);
    view.want_checks = want_checks_;
  }
}

void FilingBatch::TakeVerdicts(const Snapshot& snapshot, size_t first,
                               absl::Span<const FilingVerdict> verdicts,
                               std::vector<VerdictRecord>* records) {
  std::string answer;
  answer.reserve(verdicts.size() * kUsualVerdictBytes);
  for (size_t i = 0; i < verdicts.size(); ++i) {
    const SentFiling& filing = filings_[first + i];
    const std::string fault = FilingLimitFault(filing, *context_.limits);
    const int64_t time = TimeOf(filing, context_);
    Answer(fault, verdicts[i], filing.id, time, snapshot, &answer);
    Note(fault, verdicts[i], filing, time, certificate_only_, context_,
         records);
  }
  Put(first, verdicts.size(), std::move(answer));
}

}  // namespace inkan
