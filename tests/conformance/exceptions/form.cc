// Encodings: what is not DER, or breaks a rule of form.
#include <openssl/x509v3.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "cache/crl_data.h"
#include "tests/conformance/differential_form_rules.h"
#include "tests/conformance/differential_openssl.h"
#include "tests/conformance/exceptions/difference.h"

namespace inkan::differential {
namespace {

// The leaf, or a CA or CRL without which OpenSSL would fail as well, is not of
// the form of RFC 5280.
bool IsNotOfTheForm(const Difference& d) {
  Certificate view;
  if (const Fault fault = ParseCertificate(AsBytes(d.c.leaf), &view);
      !fault.ok()) {
    return BrokenFormRule(std::string(fault.field) + ": " + fault.problem) !=
           nullptr;
  }
  DifferentialCase rest = d.c;
  rest.intermediates.clear();
  rest.crls.clear();
  for (const std::string& der : d.c.intermediates) {
    const Fault fault = ParseCertificate(AsBytes(der), &view);
    if (fault.ok() || BrokenFormRule(std::string(fault.field) + ": " +
                                     fault.problem) == nullptr) {
      rest.intermediates.push_back(der);
    }
  }
  for (const std::string& der : d.c.crls) {
    const auto crl = inkan::ReadCrl(AsBytes(der), "");
    if (crl.ok() ||
        BrokenFormRule(std::string(crl.status().message())) == nullptr) {
      rest.crls.push_back(der);
    }
  }
  return !JudgeByOpenSsl(rest).passed;
}

constexpr ExceptionClass kClasses[] = {
    {"not of the form", false,
     "OpenSSL reads what is not DER, or breaks a rule of "
     "differential_form_rules.cc.",
     IsNotOfTheForm},
};

}  // namespace

absl::Span<const ExceptionClass> FormExceptions() { return kClasses; }

}  // namespace inkan::differential
