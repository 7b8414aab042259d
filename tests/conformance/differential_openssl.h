// OpenSSL's objects, for the differential test's .cc files only.
#ifndef INKAN_TESTS_CONFORMANCE_DIFFERENTIAL_OPENSSL_H_
#define INKAN_TESTS_CONFORMANCE_DIFFERENTIAL_OPENSSL_H_

#include <openssl/x509v3.h>

#include <memory>
#include <string>

#include "bench/lab/openssl_types.h"

namespace inkan::differential {

using CertificatePtr = std::unique_ptr<X509, lab::FreeWith<X509_free>>;
using CrlPtr = std::unique_ptr<X509_CRL, lab::FreeWith<X509_CRL_free>>;

// The whole of `der`, or null.
inline CertificatePtr ReadCertificate(const std::string& der) {
  const unsigned char* at = lab::Octets(der);
  CertificatePtr certificate(
      d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (at != lab::Octets(der) + der.size()) return nullptr;
  // Has it look at its extensions, which X509_check_akid relies on.
  X509_check_purpose(certificate.get(), -1, 0);
  return certificate;
}

inline CrlPtr ReadCrl(const std::string& der) {
  const unsigned char* at = lab::Octets(der);
  CrlPtr crl(d2i_X509_CRL(nullptr, &at, static_cast<long>(der.size())));
  if (at != lab::Octets(der) + der.size()) return nullptr;
  return crl;
}

}  // namespace inkan::differential

#endif  // INKAN_TESTS_CONFORMANCE_DIFFERENTIAL_OPENSSL_H_
