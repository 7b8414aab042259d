#include "server/request.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "google/protobuf/timestamp.pb.h"
#include "inkan/v1/verification.pb.h"

namespace inkan {
namespace {

using google::protobuf::Timestamp;

// 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z.
constexpr int64_t kTimestampMin = -62135596800;
constexpr int64_t kTimestampMax = 253402300799;

constexpr auto kVarint = WireReader::Varint;
constexpr auto kDelimited = WireReader::Delimited;

void ReadTime(WireReader* in, SentTime* time) {
  while (in->Next()) {
    switch (in->tag()) {
      case kVarint(Timestamp::kSecondsFieldNumber):
        time->seconds = static_cast<int64_t>(in->Number());
        break;
      case kVarint(Timestamp::kNanosFieldNumber):
        time->nanos = static_cast<int32_t>(in->Number());
        break;
      default:
        in->Skip();
    }
  }
}

void ReadTime(WireReader* in, std::optional<SentTime>* time) {
  if (!time->has_value()) time->emplace();
  in->Message([time](WireReader* inside) { ReadTime(inside, &**time); });
}

void AddIntermediate(Bytes der, const Limits& limits, SentFiling* filing) {
  ++filing->intermediates_sent;
  if (filing->intermediates.size() < limits.intermediates_max) {
    filing->intermediates.push_back(der);
  }
}

void ReadFiling(WireReader* in, const Limits& limits, SentFiling* filing) {
  while (in->Next()) {
    switch (in->tag()) {
      case kDelimited(v1::Filing::kFilingIdFieldNumber):
        filing->id = in->Text();
        break;
      case kDelimited(v1::Filing::kProfileFieldNumber):
        filing->profile = in->Text();
        break;
      case kDelimited(v1::Filing::kDocumentFieldNumber):
        filing->content = FilingView::Content::kDocument;
        filing->document_or_digest = in->Octets();
        break;
      case kDelimited(v1::Filing::kDigestFieldNumber):
        filing->content = FilingView::Content::kDigest;
        filing->document_or_digest = in->Octets();
        break;
      case kVarint(v1::Filing::kSignatureAlgorithmFieldNumber):
        filing->signature_algorithm = static_cast<int32_t>(in->Number());
        break;
      case kDelimited(v1::Filing::kSignatureFieldNumber):
        filing->signature = in->Octets();
        break;
      case kDelimited(v1::Filing::kCertificateFieldNumber):
        filing->certificate = in->Octets();
        break;
      case kDelimited(v1::Filing::kIntermediatesFieldNumber):
        AddIntermediate(in->Octets(), limits, filing);
        break;
      case kDelimited(v1::Filing::kVerificationTimeFieldNumber):
        ReadTime(in, &filing->verification_time);
        break;
      default:
        in->Skip();
    }
  }
}

RequestFault CheckLength(std::string_view id, const std::string& field) {
  if (id.size() <= kFilingIdBytesMax) return {};
  return {reason::kIdTooLong, field,
          absl::StrCat("has ", id.size(), " octets; at most ",
                       kFilingIdBytesMax, " are accepted")};
}

size_t LargePart(Bytes certificate) {
  return certificate.size() -
         std::min(certificate.size(), kPlainCertificateBytes);
}

// Octets by which the certificates of a filing pass kPlainCertificateBytes.
size_t LargeCertificateBytes(const SentFiling& filing) {
  size_t bytes = LargePart(filing.certificate);
  for (const Bytes intermediate : filing.intermediates) {
    bytes += LargePart(intermediate);
  }
  return bytes;
}

}  // namespace

std::optional<int64_t> WholeSeconds(const SentTime& time) {
  if (time.seconds < kTimestampMin || time.seconds > kTimestampMax ||
      time.nanos < 0 || time.nanos > 999999999) {
    return std::nullopt;
  }
  return time.seconds;
}

RequestFault MalformedRequest() {
  return {reason::kRequestMalformed, "request",
          "is no message of its type; make the client's code from the same "
          ".proto files"};
}

uint64_t FieldsMax(uint64_t bytes, const Limits& limits) {
  return kFieldsPerFiling * limits.batch_filings_max + bytes / kOctetsPerField;
}

RequestFault Request::Read(RequestKind kind, Bytes octets,
                           const Limits& limits) {
  *this = Request();
  kind_ = kind;
  sent_bytes_ = octets.size();
  FieldBudget budget;
  const uint64_t fields_max = FieldsMax(octets.size(), limits);
  if (octets.size() > kUncountedBytesMax) budget.left = fields_max;
  WireReader in(octets, &budget);
  if (kind == RequestKind::kCheckCertificate) {
    ReadEnquiry(&in, limits);
  } else {
    ReadFields(&in, limits);
  }
  if (budget.exceeded) {
    return {reason::kTooManyFields, "request",
            absl::StrCat("has ", octets.size(), " octets and more than ",
                         fields_max,
                         " fields; send fewer filings and "
                         "intermediates in one request, and no empty ones")};
  }
  return in.ok() ? Check(limits) : MalformedRequest();
}

// The three requests about filings number their fields alike.
void Request::ReadFields(WireReader* in, const Limits& limits) {
  static_assert(v1::VerifyRequest::kFilingFieldNumber == 1 &&
                v1::BatchVerifyRequest::kFilingsFieldNumber == 1 &&
                v1::StreamVerifyRequest::kFilingsFieldNumber == 1);
  static_assert(v1::VerifyRequest::kWantChecksFieldNumber == 2 &&
                v1::BatchVerifyRequest::kWantChecksFieldNumber == 2 &&
                v1::StreamVerifyRequest::kWantChecksFieldNumber == 2);
  const bool one = kind_ == RequestKind::kVerify;
  SentFiling over;  // one that is counted, and looked at for what is no filing
  while (in->Next()) {
    switch (in->tag()) {
      case kDelimited(1): {
        if (!one || filings_.empty()) ++filings_sent_;
        SentFiling* filing = &over;
        if (filings_sent_ <= limits.batch_filings_max) {
          if (filings_.size() < filings_sent_) filings_.emplace_back();
          filing = &filings_.back();
        } else {
          over = SentFiling();
        }
        in->Message([&limits, filing](WireReader* inside) {
          ReadFiling(inside, limits, filing);
        });
        break;
      }
      case kVarint(2):
        want_checks_ = in->Number() != 0;
        break;
      case kVarint(v1::StreamVerifyRequest::kSequenceFieldNumber):
        // Not known to the others, whose value of it nobody asks for.
        sequence_ = in->Number();
        break;
      default:
        in->Skip();
    }
  }
}

void Request::ReadEnquiry(WireReader* in, const Limits& limits) {
  using Enquiry = v1::CheckCertificateRequest;
  filings_sent_ = 1;
  SentFiling* filing = &filings_.emplace_back();
  while (in->Next()) {
    switch (in->tag()) {
      case kDelimited(Enquiry::kRequestIdFieldNumber):
        filing->id = in->Text();
        break;
      case kDelimited(Enquiry::kProfileFieldNumber):
        filing->profile = in->Text();
        break;
      case kDelimited(Enquiry::kCertificateFieldNumber):
        filing->certificate = in->Octets();
        break;
      case kDelimited(Enquiry::kIntermediatesFieldNumber):
        AddIntermediate(in->Octets(), limits, filing);
        break;
      case kDelimited(Enquiry::kVerificationTimeFieldNumber):
        ReadTime(in, &filing->verification_time);
        break;
      case kVarint(Enquiry::kWantChecksFieldNumber):
        want_checks_ = in->Number() != 0;
        break;
      default:
        in->Skip();
    }
  }
}

RequestFault Request::Check(const Limits& limits) const {
  switch (kind_) {
    case RequestKind::kCheckCertificate:
      return CheckLength(filings_[0].id, "request_id");
    case RequestKind::kVerify:
      if (filings_.empty()) {
        return {reason::kFilingMissing, "filing", "missing"};
      }
      return CheckLength(filings_[0].id, "filing.filing_id");
    case RequestKind::kBatchVerify:
    case RequestKind::kStreamVerify:
      break;
  }
  if (filings_.empty()) {
    return {reason::kBatchEmpty, "filings", "empty; send at least one filing"};
  }
  if (filings_sent_ > limits.batch_filings_max) {
    return {reason::kBatchTooLarge, "filings",
            absl::StrCat("has ", filings_sent_,
                         " filings; at most limits.batch_filings_max (",
                         limits.batch_filings_max, ") are accepted")};
  }
  for (size_t i = 0; i < filings_.size(); ++i) {
    if (filings_[i].id.size() > kFilingIdBytesMax) {
      return CheckLength(filings_[i].id,
                         absl::StrCat("filings[", i, "].filing_id"));
    }
  }
  return {};
}

size_t Request::Memory() const {
  size_t bytes = sent_bytes_ + filings_.capacity() * sizeof(SentFiling);
  for (const SentFiling& filing : filings_) {
    bytes += filing.intermediates.capacity() * sizeof(Bytes) +
             LargeCertificateBytes(filing) * kNameMemory;
  }
  return bytes +
         filings_.size() * (kFilingMemory + (want_checks_ ? kChecksMemory : 0));
}

}  // namespace inkan
