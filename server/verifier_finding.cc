#include "server/verifier_finding.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace inkan {
namespace {

constexpr size_t kDiagnosticBytesMax = 1024;

// Fields as crypto/ names them in its faults, and where their form is given.
struct FieldRule {
  std::string_view field;
  std::string_view rule;
};
constexpr FieldRule kFieldRules[] = {
    {"certificate", "RFC 5280 4.1"},
    {"tbsCertificate", "RFC 5280 4.1.1.1"},
    {"signatureAlgorithm", "RFC 5280 4.1.1.2"},
    {"signatureValue", "RFC 5280 4.1.1.3"},
    {"version", "RFC 5280 4.1.2.1"},
    {"serialNumber", "RFC 5280 4.1.2.2"},
    {"signature", "RFC 5280 4.1.2.3"},
    {"issuer", "RFC 5280 4.1.2.4"},
    {"validity", "RFC 5280 4.1.2.5"},
    {"validity.notBefore", "RFC 5280 4.1.2.5"},
    {"validity.notAfter", "RFC 5280 4.1.2.5"},
    {"subject", "RFC 5280 4.1.2.6"},
    {"subjectPublicKeyInfo", "RFC 5280 4.1.2.7"},
    {"uniqueID", "RFC 5280 4.1.2.8"},
    {"extensions", "RFC 5280 4.2"},
    {"authorityKeyIdentifier", "RFC 5280 4.2.1.1"},
    {"subjectKeyIdentifier", "RFC 5280 4.2.1.2"},
    {"keyUsage", "RFC 5280 4.2.1.3"},
    {"certificatePolicies", "RFC 5280 4.2.1.4"},
    {"policyMappings", "RFC 5280 4.2.1.5"},
    {"subjectAltName", "RFC 5280 4.2.1.6"},
    {"basicConstraints", "RFC 5280 4.2.1.9"},
    {"nameConstraints", "RFC 5280 4.2.1.10"},
    {"policyConstraints", "RFC 5280 4.2.1.11"},
    {"extKeyUsage", "RFC 5280 4.2.1.12"},
    {"cRLDistributionPoints", "RFC 5280 4.2.1.13"},
    {"inhibitAnyPolicy", "RFC 5280 4.2.1.14"},
    {"freshestCRL", "RFC 5280 4.2.1.15"},
};

}  // namespace

std::string TimeText(int64_t unix_seconds) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ",
                          absl::FromUnixSeconds(unix_seconds),
                          absl::UTCTimeZone());
}

std::string FaultText(const Fault& fault) {
  return absl::StrCat(fault.field, ": ", fault.problem);
}

void Shorten(std::string* text) {
  if (text->size() <= kDiagnosticBytesMax) return;
  size_t end = kDiagnosticBytesMax;
  // Not in the middle of a UTF-8 sequence.
  while (end > 0 && (static_cast<uint8_t>((*text)[end]) & 0xc0) == 0x80) --end;
  text->resize(end);
  text->append("...");
}

std::string_view RuleOf(CheckId check, const char* field) {
  // A rule of the path is told by its check; the field alone decides where the
  // certificate is not of its form.
  if (field != nullptr && check == CheckId::kCertificateFormat) {
    for (const FieldRule& one : kFieldRules) {
      if (one.field == field) return one.rule;
    }
  }
  return CheckRule(check);
}

void Finding::Fail(CheckId check, Outcome worse, int index,
                   const std::string& why, const char* field) {
  if (worse >= outcome) return;
  outcome = worse;
  certificate_index = index;
  const std::string_view rule = RuleOf(check, field);
  diagnostic = why;
  Shorten(&diagnostic);
  absl::StrAppend(&diagnostic, " (", std::string(rule), ")");
}

void Finding::Record(CheckId check, CheckResult result, int index,
                     std::string detail) {
  if (!keeps_checks) return;
  Shorten(&detail);
  checks.push_back({check, result, index, std::move(detail)});
}

void Finding::FailCheck(CheckId check, Outcome worse, int index,
                        const std::string& why, const char* field) {
  Record(check,
         worse == Outcome::kTryLater ? CheckResult::kIndeterminate
                                     : CheckResult::kFailed,
         index, why);
  Fail(check, worse, index, why, field);
}

}  // namespace inkan
