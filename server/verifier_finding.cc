#include "server/verifier_finding.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace inkan {
namespace {

constexpr size_t kDiagnosticBytesMax = 1024;

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

void Finding::Fail(Outcome worse, int index, std::string why) {
  if (worse >= outcome) return;
  outcome = worse;
  certificate_index = index;
  diagnostic = std::move(why);
}

void Finding::Record(CheckId check, CheckResult result, int index,
                     std::string detail) {
  if (!keeps_checks) return;
  Shorten(&detail);
  checks.push_back({check, result, index, std::move(detail)});
}

void Finding::FailCheck(CheckId check, Outcome worse, int index,
                        const std::string& why) {
  Record(check,
         worse == Outcome::kTryLater ? CheckResult::kIndeterminate
                                     : CheckResult::kFailed,
         index, why);
  Fail(worse, index, why);
}

}  // namespace inkan
