#include "server/verifier_examiner.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "crypto/name.h"
#include "crypto/policy.h"
#include "server/verifier_notes.h"
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
  const FilingView& filing;
  const Certificate& leaf;
  const IssuerPath* path;  // null: none
};

void Observe(void* context, CheckId check, const PathFault& fault) {
  const auto* o = static_cast<Observation*>(context);
  const bool is_signer = fault.certificate == o->leaf_depth;
  const Certificate& about =
      is_signer
          ? o->leaf
          : *o->path->state.chain()[static_cast<size_t>(fault.certificate)];
  const std::string note =
      CheckNote(check, about, is_signer, *o->filing.profile->profile, o->path,
                o->finding->valid_policies);
  o->finding->Record(check,
                     fault.ok() ? CheckResult::kPassed : CheckResult::kFailed,
                     o->leaf_depth - fault.certificate,
                     fault.ok() ? note
                                : absl::StrCat(FaultText(fault.fault),
                                               note.empty() ? "" : "; ", note));
}

void TakeFault(const PathFault& fault, int leaf_depth, Finding* finding) {
  if (fault.ok()) return;
  const int index = leaf_depth - fault.certificate;
  finding->Fail(
      fault.check, fault.outcome, index,
      absl::StrCat("certificate ", index, ": ", FaultText(fault.fault)),
      fault.fault.field);
}

// What stands in the CA certificates of the path by itself, whatever else is
// wrong with it: from the signer's issuer up to the anchor.
void RecordCas(const IssuerPath& path, int64_t time, Finding* finding) {
  const auto chain = path.state.chain();
  const int depth = static_cast<int>(chain.size());
  for (int i = depth; i-- > 0;) {
    const Certificate& ca = *chain[static_cast<size_t>(i)];
    const bool may_issue = ca.is_ca || (i == 0 && ca.version < 3);
    finding->Record(CheckId::kBasicConstraints,
                    may_issue ? CheckResult::kPassed : CheckResult::kFailed,
                    depth - i,
                    absl::StrCat(NameToText(ca.subject), ": ",
                                 CheckNote(CheckId::kBasicConstraints, ca,
                                           false, Profile(), nullptr, {})));
    const bool valid =
        time >= ca.validity.not_before && time <= ca.validity.not_after;
    finding->Record(CheckId::kValidity,
                    valid ? CheckResult::kPassed : CheckResult::kFailed,
                    depth - i, ValidityNote(ca.validity, time));
  }
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
  Observation observation = {&finding, depth, filing_, leaf_, &path};
  const PathFault broken = path.state.broken();
  if (filing_.want_checks) {
    RecordCas(path, filing_.time, &finding);
    // That a CA is none has been recorded.
    if (!broken.ok() && broken.check != CheckId::kBasicConstraints) {
      Observe(&observation, broken.check, broken);
    }
  }
  TakeFault(
      path.state.Accept(leaf_, LeafRulesOf(profile()), &finding.valid_policies,
                        filing_.want_checks ? &Observe : nullptr, &observation,
                        &finding.policy_qualifiers),
      depth, &finding);
  JudgeValidity(&finding);
  TakeFault(path.state.CheckValidity(filing_.time), depth, &finding);
  JudgeRevocation(path, &finding);
  return finding;
}

Finding Examiner::JudgeTrusted() const {
  Finding finding(filing_.want_checks);
  TakeLeafRules(&finding);
  const PolicyState policies(
      profile().initial_policies, profile().require_explicit_policy,
      profile().inhibit_policy_mapping, profile().inhibit_any_policy);
  const Fault policy_fault = policies.Accept(leaf_, &finding.valid_policies,
                                             &finding.policy_qualifiers);
  if (!policy_fault.ok()) {
    finding.FailCheck(CheckId::kPolicies, Outcome::kChainConstraintsFailure, 0,
                      "certificate 0: " + FaultText(policy_fault),
                      policy_fault.field);
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
  TakeRevocation(evidence, leaf_, 0, &finding);
  return finding;
}

Finding Examiner::JudgeAlone() const {
  Finding finding(filing_.want_checks);
  TakeLeafRules(&finding);
  JudgeValidity(&finding);
  return finding;
}

void Examiner::TakeLeafRules(Finding* finding) const {
  Observation observation = {finding, 0, filing_, leaf_, nullptr};
  TakeFault(CheckLeafAlone(
                leaf_, LeafRulesOf(profile()), profile().rsa_modulus_bits_min,
                filing_.want_checks ? &Observe : nullptr, &observation),
            0, finding);
}

void Examiner::JudgeValidity(Finding* finding) const {
  const Validity& validity = leaf_.validity;
  const int64_t time = filing_.time;
  if (time >= validity.not_before && time <= validity.not_after) {
    if (filing_.want_checks) {
      finding->Record(CheckId::kValidity, CheckResult::kPassed, 0,
                      ValidityNote(validity, time));
    }
    return;
  }
  finding->FailCheck(
      CheckId::kValidity,
      time < validity.not_before ? Outcome::kNotYetValid : Outcome::kExpired, 0,
      "certificate 0: " + ValidityNote(validity, time));
}

// The leaf, then every CA certificate below the anchor.
void Examiner::JudgeRevocation(const IssuerPath& path, Finding* finding) const {
  if (profile().revocation == RevocationMode::kOff) {
    TakeNotChecked(finding);
    return;
  }
  const CrlStore& crls = *filing_.profile->crls;
  TakeRevocation(crls.Check(leaf_, path, filing_.time), leaf_, 0, finding);
  int index = 1;
  for (const IssuerPath* ca = &path; ca->parent != nullptr;
       ca = ca->parent, ++index) {
    TakeRevocation(crls.Check(ca->state.last(), *ca->parent, filing_.time),
                   ca->state.last(), index, finding);
  }
}

void Examiner::TakeRevocation(const RevocationEvidence& evidence,
                              const Certificate& certificate, int index,
                              Finding* finding) const {
  const bool first = !finding->has_revocation;
  finding->has_revocation = true;
  const bool good = IsGood(evidence.status);
  const bool unknown = evidence.status == RevocationStatus::kUnknown;
  if (filing_.want_checks) {
    const std::string note =
        RevocationNote(evidence, certificate.serial, filing_.time);
    finding->Record(CheckId::kRevocation,
                    good      ? CheckResult::kPassed
                    : unknown ? CheckResult::kIndeterminate
                              : CheckResult::kFailed,
                    index,
                    unknown ? absl::StrCat(evidence.reason, "; ", note) : note);
  }
  if (good) {
    if (first) finding->revocation = evidence;
    return;
  }
  if (!unknown && index == 0) finding->signer_revoked = true;
  const Outcome outcome = unknown ? Outcome::kTryLater : Outcome::kRevoked;
  // Evidence is about the certificate at fault.
  if (first || outcome < finding->outcome) finding->revocation = evidence;
  finding->Fail(CheckId::kRevocation, outcome, index,
                RevocationText(evidence, index, filing_.time));
}

}  // namespace inkan
