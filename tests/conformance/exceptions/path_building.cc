// Building and walking paths: which certificate issued which, and who may
// issue.
#include <openssl/x509v3.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "tests/conformance/differential_openssl.h"
#include "tests/conformance/exceptions/difference.h"

namespace inkan::differential {
namespace {

// A certificate that a CA of the case did issue, but whose
// authorityKeyIdentifier names another.
bool NamesAnotherIssuer(const X509* child, const AUTHORITY_KEYID* aki,
                        X509* issuer) {
  return aki != nullptr && child != nullptr && issuer != nullptr &&
         X509_check_akid(issuer, aki) != X509_V_OK;
}

bool CertificateNamesAnotherKey(const Difference& d) {
  if (!d.TheirsIs({X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
                   X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
                   X509_V_ERR_CERT_SIGNATURE_FAILURE,
                   X509_V_ERR_CRL_PATH_VALIDATION_ERROR})) {
    return false;
  }
  for (const CertificatePtr& child : d.certificates) {
    if (child == nullptr) continue;
    const AkiPtr aki(static_cast<AUTHORITY_KEYID*>(X509_get_ext_d2i(
        child.get(), NID_authority_key_identifier, nullptr, nullptr)));
    for (const CertificatePtr& ca : d.certificates) {
      if (NamesAnotherIssuer(child.get(), aki.get(), ca.get()) &&
          X509_NAME_cmp(X509_get_issuer_name(child.get()),
                        X509_get_subject_name(ca.get())) == 0 &&
          X509_verify(child.get(), X509_get0_pubkey(ca.get())) == 1) {
        return true;
      }
    }
  }
  return false;
}

// Self-issued, signed with another key than its own, but without the two key
// identifiers that would tell OpenSSL so.
bool LooksSelfSigned(const Difference& d) {
  if (!d.TheirsIs({X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
                   X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
                   X509_V_ERR_CERT_SIGNATURE_FAILURE})) {
    return false;
  }
  for (size_t i = 0; i + 1 < d.certificates.size(); ++i) {
    X509* one = d.certificates[i].get();
    if (one == nullptr || !d.views[i].self_issued) continue;
    if (X509_self_signed(one, 1) == 1) continue;
    const Bytes own = d.views[i].subject_key_id;
    const Bytes issuers = d.views[i].authority_key_id;
    if (own.empty() || issuers.empty() || SameBytes(own, issuers)) return true;
  }
  return false;
}

bool TakesTheOtherKeyOfTheName(const Difference& d) {
  if (!d.TheirsIs({X509_V_ERR_CERT_SIGNATURE_FAILURE,
                   X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
                   X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
                   X509_V_ERR_PATH_LENGTH_EXCEEDED,
                   X509_V_ERR_CRL_PATH_VALIDATION_ERROR}) ||
      !TwoKeysHaveOneName(d)) {
    return false;
  }
  // The identifiers do not settle which one is meant.
  for (size_t i = 0; i < d.views.size(); ++i) {
    const Certificate& view = d.views[i];
    if (view.der.empty()) continue;
    if (i + 1 < d.views.size() && view.authority_key_id.empty()) return true;
    if (i > 0 && view.is_ca && view.subject_key_id.empty()) return true;
  }
  return false;
}

bool IssuerIsNoCa(const Difference& d) {
  if (!d.OursIs(Outcome::kChainConstraintsFailure) ||
      d.ours.text.find("basicConstraints: the issuer is not a CA") ==
          std::string::npos) {
    return false;
  }
  return std::any_of(d.views.begin() + 1, d.views.end(),
                     [](const Certificate& ca) {
                       return !ca.der.empty() && !ca.has_basic_constraints;
                     });
}

constexpr ExceptionClass kClasses[] = {
    {"certificate names another key", true,
     "OpenSSL does not try an issuer whose key identifier, or serial, differs. "
     "6.1.3 asks for name and signature only; 4.2.1.1: the extension is \"a "
     "means of identifying the public key\", for \"facilitating certification "
     "path construction\".",
     CertificateNamesAnotherKey},
    {"looks self-signed", true,
     "OpenSSL tells by key identifiers. 3.2: \"Self-signed certificates are "
     "self-issued certificates where the digital signature may be verified by "
     "the public key bound into the certificate\".",
     LooksSelfSigned},
    {"takes the other key of the name", true,
     "OpenSSL builds one path and does not go back. 6.1: \"path validation "
     "algorithms are not required to\" find paths; 4.2.1.1 expects an issuer "
     "to "
     "have \"multiple signing keys\".",
     TakesTheOtherKeyOfTheName},
    {"issuer is no CA", false,
     "OpenSSL takes keyCertSign for enough. 6.1.4 (k): \"If certificate i is a "
     "version 3 certificate, verify that the basicConstraints extension is "
     "present and that cA is set to TRUE\".",
     IssuerIsNoCa},
};

}  // namespace

absl::Span<const ExceptionClass> PathBuildingExceptions() { return kClasses; }

}  // namespace inkan::differential
