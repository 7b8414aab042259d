#include "server/request_check.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"

namespace inkan {
namespace {

RequestFault CheckId(const std::string& id, const std::string& field) {
  if (id.size() <= kFilingIdBytesMax) return {};
  return {reason::kIdTooLong, field,
          absl::StrCat("has ", id.size(), " octets; at most ",
                       kFilingIdBytesMax, " are accepted")};
}

size_t LargePart(const std::string& certificate) {
  return certificate.size() -
         std::min(certificate.size(), kPlainCertificateBytes);
}

}  // namespace

size_t LargeCertificateBytes(const v1::Filing& filing) {
  size_t bytes = LargePart(filing.certificate());
  for (const std::string& intermediate : filing.intermediates()) {
    bytes += LargePart(intermediate);
  }
  return bytes;
}

size_t LargeCertificateBytes(const v1::CheckCertificateRequest& request) {
  size_t bytes = LargePart(request.certificate());
  for (const std::string& intermediate : request.intermediates()) {
    bytes += LargePart(intermediate);
  }
  return bytes;
}

RequestFault CheckRequest(const v1::VerifyRequest& request) {
  if (!request.has_filing()) {
    return {reason::kFilingMissing, "filing", "missing"};
  }
  return CheckId(request.filing().filing_id(), "filing.filing_id");
}

RequestFault CheckRequest(const v1::CheckCertificateRequest& request) {
  return CheckId(request.request_id(), "request_id");
}

RequestFault CheckFilings(
    const google::protobuf::RepeatedPtrField<v1::Filing>& filings,
    const Limits& limits) {
  if (filings.empty()) {
    return {reason::kBatchEmpty, "filings", "empty; send at least one filing"};
  }
  if (static_cast<uint32_t>(filings.size()) > limits.batch_filings_max) {
    return {reason::kBatchTooLarge, "filings",
            absl::StrCat("has ", filings.size(),
                         " filings; at most limits.batch_filings_max (",
                         limits.batch_filings_max, ") are accepted")};
  }
  for (int i = 0; i < filings.size(); ++i) {
    if (filings[i].filing_id().size() > kFilingIdBytesMax) {
      return CheckId(filings[i].filing_id(),
                     absl::StrCat("filings[", i, "].filing_id"));
    }
  }
  return {};
}

}  // namespace inkan
