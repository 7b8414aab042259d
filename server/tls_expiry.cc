#include "server/tls_expiry.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctime>

namespace inkan {

absl::Time CertificateExpiry(const std::string& pem) {
  absl::Time expiry = absl::UnixEpoch();
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  std::tm fields = {};
  if (certificate != nullptr &&
      ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &fields) == 1) {
    expiry = absl::FromTM(fields, absl::UTCTimeZone());
  }
  X509_free(certificate);
  BIO_free(bio);
  ERR_clear_error();
  return expiry;
}

}  // namespace inkan
