// Critical extensions, and what they bind a key to.
#include <openssl/x509v3.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "tests/conformance/differential_openssl.h"
#include "tests/conformance/exceptions/difference.h"

namespace inkan::differential {
namespace {

bool HasCriticalAmong(const STACK_OF(X509_EXTENSION) * extensions,
                      std::initializer_list<int> nids) {
  for (const int nid : nids) {
    const int at = X509v3_get_ext_by_NID(extensions, nid, -1);
    if (at >= 0 &&
        X509_EXTENSION_get_critical(X509v3_get_ext(extensions, at)) != 0) {
      return true;
    }
  }
  return false;
}

bool CriticalAndKnownToUs(const Difference& d) {
  if (!d.TheirsIs({X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION,
                   X509_V_ERR_CRL_PATH_VALIDATION_ERROR})) {
    return false;
  }
  for (const CertificatePtr& one : d.certificates) {
    if (one != nullptr &&
        HasCriticalAmong(X509_get0_extensions(one.get()),
                         {NID_subject_key_identifier,
                          NID_authority_key_identifier, NID_freshest_crl})) {
      return true;
    }
  }
  return false;
}

bool CriticalInCrlAndKnownToUs(const Difference& d) {
  if (!d.TheirsIs({X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION,
                   X509_V_ERR_CRL_HAS_EXPIRED, X509_V_ERR_DIFFERENT_CRL_SCOPE,
                   X509_V_ERR_UNABLE_TO_GET_CRL,
                   X509_V_ERR_CRL_PATH_VALIDATION_ERROR})) {
    return false;
  }
  for (const CrlPtr& crl : d.crls) {
    if (crl == nullptr) continue;
    if (HasCriticalAmong(X509_CRL_get0_extensions(crl.get()),
                         {NID_crl_number, NID_freshest_crl})) {
      return true;
    }
    STACK_OF(X509_REVOKED)* entries = X509_CRL_get_REVOKED(crl.get());
    for (int i = 0; i < sk_X509_REVOKED_num(entries); ++i) {
      if (HasCriticalAmong(
              X509_REVOKED_get0_extensions(sk_X509_REVOKED_value(entries, i)),
              {NID_crl_reason, NID_invalidity_date})) {
        return true;
      }
    }
  }
  return false;
}

bool RestrictedToOtherPurposes(const Difference& d) {
  return d.ours.text.find("extKeyUsage: critical, and the profile names no") !=
             std::string::npos ||
         d.ours.text.find("extKeyUsage: a CA's key is restricted to other") !=
             std::string::npos;
}

// What we do not process is a policy qualifier.
bool HasUnknownQualifier(const Difference& d) {
  if (d.ours.text.find("or policy qualifier, is critical") ==
      std::string::npos) {
    return false;
  }
  return std::any_of(
      d.views.begin(), d.views.end(), [](const Certificate& view) {
        const std::string_view oid = AsText(view.unknown_critical_extension);
        return !oid.empty() &&
               AsText(view.policies).find(oid) != std::string_view::npos;
      });
}

constexpr ExceptionClass kClasses[] = {
    {"critical and known to us", true,
     "4.2: \"MUST reject the certificate if it encounters a critical extension "
     "it does not recognize\"; we process key identifiers and freshestCRL.",
     CriticalAndKnownToUs},
    {"critical in a CRL and known to us", true,
     "5.2: \"If a CRL contains a critical extension that the application "
     "cannot process, then the application MUST NOT use that CRL\"; we process "
     "cRLNumber, freshestCRL, reasonCode and invalidityDate.",
     CriticalInCrlAndKnownToUs},
    {"restricted to other purposes", false,
     "4.2.1.12: \"If the extension is present, then the certificate MUST only "
     "be used for one of the purposes indicated\"; OpenSSL is not told one.",
     RestrictedToOtherPurposes},
    {"unknown qualifier in a critical extension", false,
     "4.2.1.4: \"If this extension is critical, the path validation software "
     "MUST be able to interpret this extension (including the optional "
     "qualifier), or MUST reject the certificate\"; OpenSSL does not look.",
     HasUnknownQualifier},
};

}  // namespace

absl::Span<const ExceptionClass> ExtensionExceptions() { return kClasses; }

}  // namespace inkan::differential
