#include "server/verifier_examiner.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "crypto/policy.h"
#include "server/verifier_path.h"

namespace inkan {
namespace {

LeafRules LeafRulesOf(const Profile& profile) {
  LeafRules rules;
  rules.required_key_usage = profile.required_key_usage;
  rules.forbidden_key_usage = profile.forbidden_key_usage;
  rules.required_extended_key_usage = profile.required_extended_key_usage;
  return rules;
}

// PathState counts certificates from the anchor down, verdicts from the leaf
// up.
struct Observation {
  Finding* finding;
  int leaf_depth;
};

void Observe(void* context, CheckId check, const PathFault& fault) {
  const auto* observation = static_cast<Observation*>(context);
  observation->finding->Record(
      check, fault.ok() ? CheckResult::kPassed : CheckResult::kFailed,
      observation->leaf_depth - fault.certificate,
      fault.ok() ? "" : FaultText(fault.fault));
}

void TakeFault(const PathFault& fault, int leaf_depth, Finding* finding) {
  if (fault.ok()) return;
  const int index = leaf_depth - fault.certificate;
  finding->Fail(
      fault.outcome, index,
      absl::StrCat("certificate ", index, ": ", FaultText(fault.fault)));
}

void TakeNotChecked(Finding* finding) {
  finding->has_revocation = true;
  finding->revocation.status = RevocationStatus::kNotChecked;
  finding->Record(CheckId::kRevocation, CheckResult::kSkipped, -1,
                  "the profile has revocation checking off");
}

// Why the revocation of certificate `index` speaks against the filing.
std::string RevocationText(const RevocationEvidence& evidence, int index,
                           int64_t time) {
  std::string text = absl::StrCat("certificate ", index, ": ");
  if (evidence.status == RevocationStatus::kUnknown) {
    absl::StrAppend(&text, evidence.reason,
                    evidence.crl == nullptr
                        ? "; publish its CRL to a configured source"
                        : "");
    return text;
  }
  const bool on_hold = evidence.status == RevocationStatus::kOnHold;
  absl::StrAppend(&text, on_hold ? "on hold since " : "revoked at ",
                  TimeText(evidence.entry.EffectiveAt()),
                  ", verification time ", TimeText(time));
  return text;
}

}  // namespace

Finding Examiner::JudgePath(const IssuerPath& path) const {
  Finding finding(filing_.want_checks);
  const int depth = static_cast<int>(path.state.chain().size());
  Observation observation = {&finding, depth};
  const PathFault broken = path.state.broken();
  if (!broken.ok() && filing_.want_checks) {
    Observe(&observation, broken.check, broken);
  }
  TakeFault(
      path.state.Accept(leaf_, LeafRulesOf(profile()), &finding.valid_policies,
                        filing_.want_checks ? &Observe : nullptr, &observation),
      depth, &finding);
  JudgeValidity(&finding);
  const PathFault ca_validity = path.state.CheckValidity(filing_.time);
  if (filing_.want_checks) {
    Observe(&observation, CheckId::kValidity, ca_validity);
    if (ca_validity.ok()) finding.checks.back().certificate_index = depth;
  }
  TakeFault(ca_validity, depth, &finding);
  JudgeRevocation(path, &finding);
  return finding;
}

Finding Examiner::JudgeTrusted() const {
  Finding finding(filing_.want_checks);
  TakeLeafRules(&finding);
  const PolicyState policies(
      profile().initial_policies, profile().require_explicit_policy,
      profile().inhibit_policy_mapping, profile().inhibit_any_policy);
  const Fault policy_fault = policies.Accept(leaf_, &finding.valid_policies);
  if (!policy_fault.ok()) {
    finding.FailCheck(CheckId::kPolicies, Outcome::kChainConstraintsFailure, 0,
                      "certificate 0: " + FaultText(policy_fault));
  }
  JudgeValidity(&finding);
  if (profile().revocation == RevocationMode::kOff) {
    TakeNotChecked(&finding);
    return finding;
  }
  RevocationEvidence evidence;
  evidence.reason = "its issuer is not configured, so no CRL can be believed";
  for (const IssuerPath* issuer :
       FindIssuers(*filing_.profile->issuer_paths, leaf_)) {
    if (!Issued(*issuer, leaf_)) continue;
    evidence = filing_.profile->crls->Check(leaf_, *issuer, filing_.time);
    break;
  }
  TakeRevocation(evidence, 0, &finding);
  return finding;
}

Finding Examiner::JudgeAlone() const {
  Finding finding(filing_.want_checks);
  TakeLeafRules(&finding);
  JudgeValidity(&finding);
  return finding;
}

void Examiner::TakeLeafRules(Finding* finding) const {
  Observation observation = {finding, 0};
  TakeFault(CheckLeafAlone(
                leaf_, LeafRulesOf(profile()), profile().rsa_modulus_bits_min,
                filing_.want_checks ? &Observe : nullptr, &observation),
            0, finding);
}

void Examiner::JudgeValidity(Finding* finding) const {
  const Validity& validity = leaf_.validity;
  const int64_t time = filing_.time;
  if (time < validity.not_before) {
    finding->FailCheck(CheckId::kValidity, Outcome::kNotYetValid, 0,
                       absl::StrCat("certificate 0: valid from ",
                                    TimeText(validity.not_before),
                                    ", verification time ", TimeText(time)));
  } else if (time > validity.not_after) {
    finding->FailCheck(
        CheckId::kValidity, Outcome::kExpired, 0,
        absl::StrCat("certificate 0: expired at ", TimeText(validity.not_after),
                     ", verification time ", TimeText(time)));
  } else if (filing_.want_checks) {
    finding->Record(CheckId::kValidity, CheckResult::kPassed, 0,
                    absl::StrCat(TimeText(validity.not_before), " to ",
                                 TimeText(validity.not_after)));
  }
}

// The leaf, then every CA certificate below the anchor.
void Examiner::JudgeRevocation(const IssuerPath& path, Finding* finding) const {
  if (profile().revocation == RevocationMode::kOff) {
    TakeNotChecked(finding);
    return;
  }
  const CrlStore& crls = *filing_.profile->crls;
  TakeRevocation(crls.Check(leaf_, path, filing_.time), 0, finding);
  int index = 1;
  for (const IssuerPath* ca = &path; ca->parent != nullptr;
       ca = ca->parent, ++index) {
    TakeRevocation(crls.Check(ca->state.last(), *ca->parent, filing_.time),
                   index, finding);
  }
}

void Examiner::TakeRevocation(const RevocationEvidence& evidence, int index,
                              Finding* finding) const {
  const bool first = !finding->has_revocation;
  finding->has_revocation = true;
  if (IsGood(evidence.status)) {
    if (first) finding->revocation = evidence;
    if (!filing_.want_checks) return;
    finding->Record(CheckId::kRevocation, CheckResult::kPassed, index,
                    evidence.has_entry
                        ? absl::StrCat("revoked later, at ",
                                       TimeText(evidence.entry.EffectiveAt()))
                        : "on no CRL that covers it");
    return;
  }
  const Outcome outcome = evidence.status == RevocationStatus::kUnknown
                              ? Outcome::kTryLater
                              : Outcome::kRevoked;
  // Evidence is about the certificate at fault.
  if (first || outcome < finding->outcome) finding->revocation = evidence;
  finding->FailCheck(CheckId::kRevocation, outcome, index,
                     RevocationText(evidence, index, filing_.time));
}

}  // namespace inkan
