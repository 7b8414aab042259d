#include "server/tls_expiry.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctime>

#include "absl/strings/str_cat.h"

namespace inkan {
namespace {

struct Span {
  absl::Time not_before = absl::UnixEpoch();
  absl::Time not_after = absl::UnixEpoch();
};

absl::Time TimeOf(const ASN1_TIME* time) {
  std::tm fields = {};
  if (ASN1_TIME_to_tm(time, &fields) != 1) return absl::UnixEpoch();
  return absl::FromTM(fields, absl::UTCTimeZone());
}

// Of the first certificate.
Span SpanOf(const std::string& pem) {
  Span span;
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509* certificate = PEM_read_bio_X509_AUX(bio, nullptr, nullptr, nullptr);
  if (certificate != nullptr) {
    span.not_before = TimeOf(X509_get0_notBefore(certificate));
    span.not_after = TimeOf(X509_get0_notAfter(certificate));
  }
  X509_free(certificate);
  BIO_free(bio);
  ERR_clear_error();
  return span;
}

std::string Text(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d %H:%M UTC", time, absl::UTCTimeZone());
}

}  // namespace

absl::Time CertificateExpiry(const std::string& pem) {
  return SpanOf(pem).not_after;
}

std::string CertificateTimeProblem(const std::string& pem, absl::Time now) {
  const Span span = SpanOf(pem);
  if (now > span.not_after) {
    return absl::StrCat("the certificate ended on ", Text(span.not_after),
                        "; clients refuse it");
  }
  if (now < span.not_before) {
    return absl::StrCat("the certificate is not valid before ",
                        Text(span.not_before),
                        "; clients refuse it until then (or a clock is wrong)");
  }
  return "";
}

}  // namespace inkan
