// What one way of looking at a filing comes to: the worst that was found, and
// every check on the way if the caller wants to see them.
//
// A value; one thread at a time.
#ifndef INKAN_SERVER_VERIFIER_FINDING_H_
#define INKAN_SERVER_VERIFIER_FINDING_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cache/revocation.h"
#include "crypto/fault.h"
#include "crypto/policy.h"
#include "crypto/verdict.h"
#include "server/verifier.h"

namespace inkan {

// "2026-03-15T14:59:00Z".
std::string TimeText(int64_t unix_seconds);
// "field: problem".
std::string FaultText(const Fault& fault);

// Where the rule for a field of a certificate stands: "RFC 5280 4.1.2.5". The
// check's own rule for fields without one; `field` may be null.
std::string_view RuleOf(CheckId check, const char* field);

struct Finding {
  Finding() = default;
  explicit Finding(bool want_checks) : keeps_checks(want_checks) {}

  // Takes the outcome over if it outranks what was found before. The rule that
  // is broken is put after `why`: that of `field` if it has one, else the
  // check's.
  void Fail(CheckId check, Outcome worse, int index, const std::string& why,
            const char* field = nullptr);
  // Lists a check, if the caller wants to see them.
  void Record(CheckId check, CheckResult result, int index, std::string detail);
  // Both.
  void FailCheck(CheckId check, Outcome worse, int index,
                 const std::string& why, const char* field = nullptr);

  bool keeps_checks = false;
  Outcome outcome = Outcome::kPassed;
  std::string diagnostic;
  int certificate_index = -1;
  bool has_revocation = false;
  RevocationEvidence revocation;
  bool signer_revoked = false;  // the signer's certificate itself, or on hold
  PolicySet valid_policies;
  QualifierSet policy_qualifiers;
  std::vector<CheckRecord> checks;
};

// Cuts a text to a length a person would read; names in it are as long as the
// caller likes.
void Shorten(std::string* text);

}  // namespace inkan

#endif  // INKAN_SERVER_VERIFIER_FINDING_H_
