// Encodings: what is not DER, or breaks a rule of form.
#include <openssl/x509v3.h>

#include <string>
#include <vector>

#include "cache/crl_data.h"
#include "tests/conformance/differential_der.h"
#include "tests/conformance/differential_form_rules.h"
#include "tests/conformance/differential_openssl.h"
#include "tests/conformance/exceptions/difference.h"

namespace inkan::differential {
namespace {

// We cannot read it, because it is not DER or breaks a rule of form.
bool IsCertificateNotOfTheForm(const std::string& der) {
  Certificate view;
  const Fault fault = ParseCertificate(AsBytes(der), &view);
  if (fault.ok()) return false;
  return BrokenFormRule(std::string(fault.field) + ": " + fault.problem) !=
             nullptr ||
         !IsDer(der);
}

// Section 5.1.2.1: "When extensions are used, [...] this field MUST be present
// and MUST specify version 2"; 5.1: Extensions ::= SEQUENCE SIZE (1..MAX).
bool HasExtensionsOutOfPlace(const std::string& der) {
  const CrlPtr crl = ReadCrl(der);
  if (crl == nullptr) return false;
  const bool version1 = X509_CRL_get_version(crl.get()) == X509_CRL_VERSION_1;
  if (version1 && X509_CRL_get0_extensions(crl.get()) != nullptr) return true;
  STACK_OF(X509_REVOKED)* entries = X509_CRL_get_REVOKED(crl.get());
  for (int i = 0; i < sk_X509_REVOKED_num(entries); ++i) {
    const STACK_OF(X509_EXTENSION)* extensions =
        X509_REVOKED_get0_extensions(sk_X509_REVOKED_value(entries, i));
    if (extensions != nullptr &&
        (version1 || sk_X509_EXTENSION_num(extensions) == 0)) {
      return true;
    }
  }
  return false;
}

bool IsCrlNotOfTheForm(const std::string& der) {
  const auto crl = inkan::ReadCrl(AsBytes(der), "");
  if (crl.ok()) return false;
  return BrokenFormRule(std::string(crl.status().message())) != nullptr ||
         !IsDer(der) || HasExtensionsOutOfPlace(der);
}

// The leaf, or a CA or CRL without which OpenSSL would fail as well, is not of
// the form of RFC 5280.
bool IsNotOfTheForm(const Difference& d) {
  Certificate view;
  if (!ParseCertificate(AsBytes(d.c.leaf), &view).ok()) {
    return IsCertificateNotOfTheForm(d.c.leaf);
  }
  DifferentialCase rest = d.c;
  std::erase_if(rest.intermediates, IsCertificateNotOfTheForm);
  std::erase_if(rest.crls, IsCrlNotOfTheForm);
  return !JudgeByOpenSsl(rest).passed;
}

constexpr ExceptionClass kClasses[] = {
    {"not of the form", false,
     "OpenSSL reads what is not DER, or breaks a rule of "
     "differential_form_rules.cc. 4.1 and 5.1: the data that is to be signed "
     "\"is encoded using the ASN.1 distinguished encoding rules (DER)\".",
     IsNotOfTheForm},
};

}  // namespace

absl::Span<const ExceptionClass> FormExceptions() { return kClasses; }

}  // namespace inkan::differential
