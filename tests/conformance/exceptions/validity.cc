// Periods: when a certificate or CRL ends.
#include <openssl/x509v3.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "crypto/crl.h"
#include "tests/conformance/differential_openssl.h"
#include "tests/conformance/exceptions/difference.h"

namespace inkan::differential {
namespace {

// At T, the last second of notAfter or nextUpdate.
bool EndsAtTheVerificationTime(const Difference& d) {
  if (d.TheirsIs({X509_V_ERR_CERT_HAS_EXPIRED,
                  X509_V_ERR_CRL_PATH_VALIDATION_ERROR})) {
    for (const Certificate& view : d.views) {
      if (view.validity.not_after == d.c.time) return true;
    }
  }
  if (!d.TheirsIs({X509_V_ERR_CRL_HAS_EXPIRED})) return false;
  for (const std::string& der : d.c.crls) {
    Crl crl;
    if (ParseCrl(AsBytes(der), &crl).ok() && crl.next_update == d.c.time) {
      return true;
    }
  }
  return false;
}

// A CRL that begins after T.
bool CrlMadeAfterTheVerificationTime(const Difference& d) {
  if (!d.TheirsIs({X509_V_ERR_CRL_NOT_YET_VALID,
                   X509_V_ERR_CRL_PATH_VALIDATION_ERROR})) {
    return false;
  }
  for (const std::string& der : d.c.crls) {
    Crl crl;
    if (ParseCrl(AsBytes(der), &crl).ok() && crl.this_update > d.c.time) {
      return true;
    }
  }
  return false;
}

constexpr ExceptionClass kClasses[] = {
    {"ends at the verification time", true,
     "OpenSSL counts the last second as past. 4.1.2.5: \"the period of time "
     "from notBefore through notAfter, inclusive\".",
     EndsAtTheVerificationTime},
    {"CRL made after the verification time", true,
     "6.3.3 (a) asks a CRL for its nextUpdate alone, \"if the current time is "
     "after the value of the CRL next update field\"; 5.1.2.6: \"The date on "
     "which the revocation occurred is specified\", so a later CRL speaks "
     "about T as well.",
     CrlMadeAfterTheVerificationTime},
};

}  // namespace

absl::Span<const ExceptionClass> ValidityExceptions() { return kClasses; }

}  // namespace inkan::differential
