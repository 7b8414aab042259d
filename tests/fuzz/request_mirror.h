// A request read by protobuf's parser, for comparison with server/request.h.
#ifndef INKAN_TESTS_FUZZ_REQUEST_MIRROR_H_
#define INKAN_TESTS_FUZZ_REQUEST_MIRROR_H_

#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "google/protobuf/stubs/logging.h"
#include "inkan/v1/verification.pb.h"
#include "server/request.h"

namespace inkan::testing {

// Says in what the two differ; empty if in nothing.
class RequestMirror {
 public:
  // Reads `octets` both ways, by limits that nothing passes.
  static std::string Compare(RequestKind kind, const std::string& octets) {
    const google::protobuf::LogSilencer silence;  // about text that is none
    RequestMirror mirror;
    Limits limits;
    limits.batch_filings_max = 1U << 30;
    limits.intermediates_max = 1U << 30;
    Request request;
    const RequestFault fault = request.Read(kind, AsBytes(octets), limits);
    switch (kind) {
      case RequestKind::kVerify:
        mirror.Verify(octets, request, fault);
        break;
      case RequestKind::kBatchVerify:
        mirror.Batch<v1::BatchVerifyRequest>(octets, request, fault);
        break;
      case RequestKind::kStreamVerify:
        mirror.Batch<v1::StreamVerifyRequest>(octets, request, fault);
        break;
      case RequestKind::kCheckCertificate:
        mirror.Enquiry(octets, request, fault);
        break;
    }
    return mirror.difference_;
  }

 private:
  static bool Malformed(const RequestFault& fault) {
    return !fault.ok() &&
           std::strcmp(fault.reason, reason::kRequestMalformed) == 0;
  }

  template <typename A, typename B>
  void Same(const char* what, const A& here, const B& there) {
    if (here == there || !difference_.empty()) return;
    difference_ = absl::StrCat(what, ": ", here, ", protobuf: ", there);
  }
  void Same(const char* what, Bytes here, const std::string& there) {
    Same(what, std::string(AsText(here)), there);
  }

  // False if there is nothing more to compare.
  template <typename Message>
  bool BothRead(const std::string& octets, const RequestFault& fault,
                Message* message) {
    const bool read = message->ParseFromString(octets);
    Same("is a message", !Malformed(fault), read);
    return read && difference_.empty();
  }

  template <typename Message>
  void Certificate(const SentFiling& sent, const Message& message) {
    Same("profile", std::string(sent.profile), message.profile());
    Same("certificate", sent.certificate, message.certificate());
    Same("intermediates sent", sent.intermediates_sent,
         static_cast<size_t>(message.intermediates_size()));
    Same("intermediates", sent.intermediates.size(), sent.intermediates_sent);
    for (int i = 0; difference_.empty() && i < message.intermediates_size();
         ++i) {
      Same("intermediate", sent.intermediates[static_cast<size_t>(i)],
           message.intermediates(i));
    }
    Same("has a time", sent.verification_time.has_value(),
         message.has_verification_time());
    const SentTime time = sent.verification_time.value_or(SentTime());
    Same("seconds", time.seconds, message.verification_time().seconds());
    Same("nanos", time.nanos, message.verification_time().nanos());
  }

  void Filing(const SentFiling& sent, const v1::Filing& filing) {
    Same("id", std::string(sent.id), filing.filing_id());
    Same("algorithm", sent.signature_algorithm,
         static_cast<int32_t>(filing.signature_algorithm()));
    Same("signature", sent.signature, filing.signature());
    using enum FilingView::Content;
    Same("has a document", sent.content == kDocument, filing.has_document());
    Same("has a digest", sent.content == kDigest, filing.has_digest());
    Same("content", sent.document_or_digest,
         filing.has_digest() ? filing.digest() : filing.document());
    Certificate(sent, filing);
  }

  void Verify(const std::string& octets, const Request& request,
              const RequestFault& fault) {
    v1::VerifyRequest message;
    if (!BothRead(octets, fault, &message)) return;
    Same("filings", request.filings().size(),
         static_cast<size_t>(message.has_filing()));
    Same("want_checks", request.want_checks(), message.want_checks());
    if (difference_.empty() && message.has_filing()) {
      Filing(request.filings()[0], message.filing());
    }
  }

  template <typename Message>
  void Batch(const std::string& octets, const Request& request,
             const RequestFault& fault) {
    Message message;
    if (!BothRead(octets, fault, &message)) return;
    Same("filings", request.filings().size(),
         static_cast<size_t>(message.filings_size()));
    Same("want_checks", request.want_checks(), message.want_checks());
    if constexpr (requires { message.sequence(); }) {
      Same("sequence", request.sequence(), message.sequence());
    }
    for (int i = 0; difference_.empty() && i < message.filings_size(); ++i) {
      Filing(request.filings()[static_cast<size_t>(i)], message.filings(i));
    }
  }

  void Enquiry(const std::string& octets, const Request& request,
               const RequestFault& fault) {
    v1::CheckCertificateRequest message;
    if (!BothRead(octets, fault, &message)) return;
    Same("want_checks", request.want_checks(), message.want_checks());
    Same("id", std::string(request.filings()[0].id), message.request_id());
    Certificate(request.filings()[0], message);
  }

  std::string difference_;
};

}  // namespace inkan::testing

#endif  // INKAN_TESTS_FUZZ_REQUEST_MIRROR_H_
