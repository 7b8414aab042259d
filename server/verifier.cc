#include "server/verifier.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "crypto/digest.h"
#include "crypto/name.h"
#include "crypto/oid.h"
#include "crypto/path.h"
#include "crypto/policy.h"
#include "server/verifier_path.h"

namespace inkan {
namespace {

std::string TimeText(int64_t unix_seconds) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ",
                          absl::FromUnixSeconds(unix_seconds),
                          absl::UTCTimeZone());
}

std::string FaultText(const Fault& fault) {
  return absl::StrCat(fault.field, ": ", fault.problem);
}

// A diagnostic is for a person to read; names in it are as long as the caller
// likes.
constexpr size_t kDiagnosticBytesMax = 1024;

void Shorten(std::string* text) {
  if (text->size() <= kDiagnosticBytesMax) return;
  size_t end = kDiagnosticBytesMax;
  // Not in the middle of a UTF-8 sequence.
  while (end > 0 && (static_cast<uint8_t>((*text)[end]) & 0xc0) == 0x80) --end;
  text->resize(end);
  text->append("...");
}

LeafRules LeafRulesOf(const Profile& profile) {
  LeafRules rules;
  rules.required_key_usage = profile.required_key_usage;
  rules.forbidden_key_usage = profile.forbidden_key_usage;
  rules.required_extended_key_usage = profile.required_extended_key_usage;
  return rules;
}

// What one way of looking at a filing comes to, before signatures.
struct Finding {
  Outcome outcome = Outcome::kPassed;
  std::string diagnostic;
  int certificate_index = -1;
  bool has_revocation = false;
  RevocationEvidence revocation;
  PolicySet valid_policies;
  std::vector<CheckRecord> checks;
};

// The judgement of one filing, in steps between which the batches run.
class Judge {
 public:
  void Start(const FilingView* filing, FilingVerdict* verdict) {
    *this = Judge();
    filing_ = filing;
    verdict_ = verdict;
    *verdict = FilingVerdict();
  }

  // Everything but arithmetic: form, algorithms, path, constraints, validity,
  // revocation.
  void Examine() {
    if (!CheckFiling() || !ParseLeaf()) return;
    ChooseIssuer();
  }

  void QueueDigests(std::vector<DigestJob>* jobs) {
    if (!verdict_->has_certificate) return;
    const Certificate& leaf = verdict_->certificate;
    jobs->push_back(
        {HashAlgorithm::kSha256, leaf.der, verdict_->fingerprint.data()});
    if (WantsCertificateSignature()) {
      certificate_digest_size_ = DigestSize(leaf.signature_algorithm.hash);
      if (certificate_digest_size_ != 0) {
        jobs->push_back({leaf.signature_algorithm.hash, leaf.tbs,
                         certificate_digest_.data()});
      }
    }
    if (WantsFilingSignature()) {
      filing_digest_size_ = DigestSize(filing_->algorithm.hash);
      if (filing_->content == FilingView::Content::kDocument &&
          filing_digest_size_ != 0) {
        jobs->push_back({filing_->algorithm.hash, filing_->document_or_digest,
                         filing_digest_.data()});
      }
    }
  }

  void QueueSignatures(std::vector<SignatureJob>* jobs) {
    if (certificate_digest_size_ != 0) {
      const Certificate& leaf = verdict_->certificate;
      certificate_job_ = static_cast<int>(jobs->size());
      SignatureJob& job = jobs->emplace_back();
      job.key = &path_->state.key();
      job.prepared = path_->state.prepared_key();
      job.algorithm = leaf.signature_algorithm;
      job.digest = Bytes(certificate_digest_.data(), certificate_digest_size_);
      job.signature = leaf.signature;
    }
    if (filing_digest_size_ != 0) {
      filing_job_ = static_cast<int>(jobs->size());
      SignatureJob& job = jobs->emplace_back();
      job.key = &verdict_->certificate.key;
      job.algorithm = filing_->algorithm;
      job.digest = filing_->content == FilingView::Content::kDigest
                       ? filing_->document_or_digest
                       : Bytes(filing_digest_.data(), filing_digest_size_);
      job.signature = filing_->signature;
    }
  }

  // Puts the results of the arithmetic in, and the verdict together.
  void Conclude(absl::Span<const SignatureJob> jobs) {
    if (verdict_->has_certificate) {
      SettleIssuer(certificate_job_ < 0 ? nullptr : &jobs[certificate_job_]);
      SettleFilingSignature(filing_job_ < 0 ? nullptr : &jobs[filing_job_]);
    }
    FillVerdict();
    // Judges are reused, and a filing's own chain can be large.
    candidates_.clear();
    bundle_.reset();
  }

 private:
  const Profile& profile() const { return *filing_->profile->profile; }

  // --- Recording -----------------------------------------------------------

  static void Fail(Finding* finding, Outcome outcome, int certificate_index,
                   std::string diagnostic) {
    if (outcome >= finding->outcome) return;
    finding->outcome = outcome;
    finding->certificate_index = certificate_index;
    finding->diagnostic = std::move(diagnostic);
  }

  void Record(Finding* finding, CheckId check, CheckResult result,
              int certificate_index, std::string detail) const {
    if (!filing_->want_checks) return;
    Shorten(&detail);
    finding->checks.push_back(
        {check, result, certificate_index, std::move(detail)});
  }

  void FailCheck(Finding* finding, CheckId check, Outcome outcome,
                 int certificate_index, const std::string& diagnostic) const {
    Record(finding, check,
           outcome == Outcome::kTryLater ? CheckResult::kIndeterminate
                                         : CheckResult::kFailed,
           certificate_index, diagnostic);
    Fail(finding, outcome, certificate_index, diagnostic);
  }

  // --- Form ------------------------------------------------------------------

  void RefuseFiling(Outcome outcome, const std::string& diagnostic) {
    FailCheck(&filing_finding_, CheckId::kFilingFormat, outcome, -1,
              diagnostic);
  }

  // Looks at everything but the certificate itself. False if there is nothing
  // to judge the filing by.
  bool CheckFiling() {
    if (filing_->profile == nullptr) {
      RefuseFiling(
          Outcome::kGeneric,
          absl::StrCat("profile: '", std::string(filing_->profile_name),
                       "' is not configured on this server"));
      return false;
    }
    if (filing_->certificate.empty()) {
      RefuseFiling(Outcome::kFormatFailure, "certificate: missing");
    }
    if (!filing_->certificate_only) CheckSignedParts();
    if (filing_finding_.outcome == Outcome::kPassed) {
      Record(&filing_finding_, CheckId::kFilingFormat, CheckResult::kPassed, -1,
             "");
      well_formed_ = true;
    }
    if (!filing_->certificate_only) CheckFilingAlgorithm();
    return !filing_->certificate.empty();
  }

  void CheckSignedParts() {
    const size_t digest_size = DigestSize(filing_->algorithm.hash);
    if (filing_->algorithm.scheme == SignatureScheme::kUnknown) {
      RefuseFiling(Outcome::kFormatFailure,
                   "signature_algorithm: not specified");
    }
    if (filing_->signature.empty()) {
      RefuseFiling(Outcome::kFormatFailure, "signature: missing");
    }
    if (filing_->content == FilingView::Content::kNone) {
      RefuseFiling(Outcome::kSignedDataNotFound,
                   "content: neither document nor digest was sent");
    }
    if (filing_->content == FilingView::Content::kDigest && digest_size != 0 &&
        filing_->document_or_digest.size() != digest_size) {
      RefuseFiling(
          Outcome::kFormatFailure,
          absl::StrCat("digest: ", filing_->document_or_digest.size(),
                       " octets, but the hash of signature_algorithm has ",
                       digest_size));
    }
  }

  bool ParseLeaf() {
    const Fault fault =
        ParseCertificate(filing_->certificate, &verdict_->certificate);
    if (!fault.ok()) {
      FailCheck(&filing_finding_, CheckId::kCertificateFormat,
                Outcome::kFormatFailure, 0, "certificate: " + FaultText(fault));
      return false;
    }
    verdict_->has_certificate = true;
    Record(&filing_finding_, CheckId::kCertificateFormat, CheckResult::kPassed,
           0, "");
    return true;
  }

  void CheckFilingAlgorithm() {
    if (filing_->algorithm.scheme == SignatureScheme::kUnknown) return;
    const Fault fault = CheckAlgorithmStrength(filing_->algorithm);
    const auto& allowed = profile().filing_algorithms;
    if (!fault.ok()) {
      FailCheck(&filing_finding_, CheckId::kFilingAlgorithm,
                Outcome::kCryptoConstraintsFailure, -1,
                "signature_algorithm: " + FaultText(fault));
    } else if (!allowed.empty() &&
               std::find(allowed.begin(), allowed.end(), filing_->algorithm) ==
                   allowed.end()) {
      FailCheck(&filing_finding_, CheckId::kFilingAlgorithm,
                Outcome::kCryptoConstraintsFailure, -1,
                "signature_algorithm: not among the profile's "
                "filing_algorithms");
    } else {
      Record(&filing_finding_, CheckId::kFilingAlgorithm, CheckResult::kPassed,
             -1, "");
    }
  }

  // --- Path ------------------------------------------------------------------

  void ChooseIssuer() {
    const IssuerPaths& paths = *filing_->profile->issuer_paths;
    if (paths.FindTrusted(filing_->certificate) != nullptr) {
      trusted_ = true;
      JudgeTrusted();
      return;
    }
    candidates_ = FindIssuers(paths, verdict_->certificate);
    if (candidates_.empty()) SearchBundle();
    if (candidates_.empty()) {
      JudgeWithoutPath(nullptr);
    } else {
      ChooseBest(*candidates_.front());
    }
  }

  void SearchBundle() {
    if (filing_->intermediates.empty() || bundle_ != nullptr) return;
    bundle_ = std::make_unique<BundlePaths>(*filing_->profile->issuer_paths,
                                            filing_->intermediates);
    candidates_ = bundle_->Find(verdict_->certificate);
  }

  // Of all paths that end in the same key as `path`, keeps the one with the
  // best finding.
  void ChooseBest(const IssuerPath& path) {
    path_ = nullptr;
    for (const IssuerPath* candidate : candidates_) {
      if (!SameBytes(candidate->state.key().spki, path.state.key().spki)) {
        continue;
      }
      Finding finding = JudgePath(*candidate);
      if (path_ == nullptr || finding.outcome > path_finding_.outcome) {
        path_ = candidate;
        path_finding_ = std::move(finding);
      }
      if (path_finding_.outcome == Outcome::kPassed) return;
    }
  }

  struct Observation {
    const Judge* judge;
    Finding* finding;
    int leaf_depth;
  };

  static void Observe(void* context, CheckId check, const PathFault& fault) {
    const auto* observation = static_cast<Observation*>(context);
    observation->judge->Record(
        observation->finding, check,
        fault.ok() ? CheckResult::kPassed : CheckResult::kFailed,
        observation->leaf_depth - fault.certificate,
        fault.ok() ? "" : FaultText(fault.fault));
  }

  void TakeFault(const PathFault& fault, int leaf_depth,
                 Finding* finding) const {
    if (fault.ok()) return;
    const int index = leaf_depth - fault.certificate;
    Fail(finding, fault.outcome, index,
         absl::StrCat("certificate ", index, ": ", FaultText(fault.fault)));
  }

  Finding JudgePath(const IssuerPath& path) const {
    Finding finding;
    const Certificate& leaf = verdict_->certificate;
    const int depth = static_cast<int>(path.state.chain().size());
    Observation observation = {this, &finding, depth};
    const PathFault broken = path.state.broken();
    if (!broken.ok() && filing_->want_checks) {
      Observe(&observation, broken.check, broken);
    }
    TakeFault(path.state.Accept(
                  leaf, LeafRulesOf(profile()), &finding.valid_policies,
                  filing_->want_checks ? &Observe : nullptr, &observation),
              depth, &finding);
    JudgeValidity(leaf.validity, 0, &finding);
    const PathFault ca_validity = path.state.CheckValidity(filing_->time);
    if (filing_->want_checks) {
      Observe(&observation, CheckId::kValidity, ca_validity);
      if (ca_validity.ok()) finding.checks.back().certificate_index = depth;
    }
    TakeFault(ca_validity, depth, &finding);
    JudgeRevocation(path, &finding);
    return finding;
  }

  void JudgeValidity(const Validity& validity, int index,
                     Finding* finding) const {
    const int64_t time = filing_->time;
    if (time < validity.not_before) {
      FailCheck(finding, CheckId::kValidity, Outcome::kNotYetValid, index,
                absl::StrCat("certificate ", index, ": valid from ",
                             TimeText(validity.not_before),
                             ", verification time ", TimeText(time)));
    } else if (time > validity.not_after) {
      FailCheck(finding, CheckId::kValidity, Outcome::kExpired, index,
                absl::StrCat("certificate ", index, ": expired at ",
                             TimeText(validity.not_after),
                             ", verification time ", TimeText(time)));
    } else if (filing_->want_checks) {
      Record(finding, CheckId::kValidity, CheckResult::kPassed, index,
             absl::StrCat(TimeText(validity.not_before), " to ",
                          TimeText(validity.not_after)));
    }
  }

  // --- Revocation
  // --------------------------------------------------------------

  // The leaf, then every CA certificate below the anchor.
  void JudgeRevocation(const IssuerPath& path, Finding* finding) const {
    if (profile().revocation == RevocationMode::kOff) {
      TakeNotChecked(finding);
      return;
    }
    const CrlStore& crls = *filing_->profile->crls;
    TakeRevocation(crls.Check(verdict_->certificate, path, filing_->time), 0,
                   finding);
    int index = 1;
    for (const IssuerPath* ca = &path; ca->parent != nullptr;
         ca = ca->parent, ++index) {
      TakeRevocation(crls.Check(ca->state.last(), *ca->parent, filing_->time),
                     index, finding);
    }
  }

  void TakeNotChecked(Finding* finding) const {
    finding->has_revocation = true;
    finding->revocation.status = RevocationStatus::kNotChecked;
    Record(finding, CheckId::kRevocation, CheckResult::kSkipped, -1,
           "the profile has revocation checking off");
  }

  void TakeRevocation(const RevocationEvidence& evidence, int index,
                      Finding* finding) const {
    const bool first = !finding->has_revocation;
    if (IsGood(evidence.status)) {
      if (first) finding->revocation = evidence;
      finding->has_revocation = true;
      Record(finding, CheckId::kRevocation, CheckResult::kPassed, index,
             evidence.has_entry
                 ? absl::StrCat("revoked later, at ",
                                TimeText(evidence.entry.EffectiveAt()))
                 : "on no CRL that covers it");
      return;
    }
    const bool unknown = evidence.status == RevocationStatus::kUnknown;
    const Outcome outcome = unknown ? Outcome::kTryLater : Outcome::kRevoked;
    std::string diagnostic = absl::StrCat("certificate ", index, ": ");
    if (unknown) {
      absl::StrAppend(&diagnostic, evidence.reason,
                      evidence.crl == nullptr
                          ? "; publish its CRL to a configured source"
                          : "");
    } else {
      absl::StrAppend(&diagnostic,
                      evidence.status == RevocationStatus::kOnHold
                          ? "on hold since "
                          : "revoked at ",
                      TimeText(evidence.entry.EffectiveAt()),
                      ", verification time ", TimeText(filing_->time));
    }
    // Evidence is about the certificate at fault.
    if (first || outcome < finding->outcome) finding->revocation = evidence;
    finding->has_revocation = true;
    FailCheck(finding, CheckId::kRevocation, outcome, index, diagnostic);
  }

  // --- Certificates trusted as they are
  // ----------------------------------------

  void JudgeTrusted() {
    Finding& finding = path_finding_;
    const Certificate& leaf = verdict_->certificate;
    Observation observation = {this, &finding, 0};
    TakeFault(CheckLeafAlone(
                  leaf, LeafRulesOf(profile()), profile().rsa_modulus_bits_min,
                  filing_->want_checks ? &Observe : nullptr, &observation),
              0, &finding);
    const PolicyState policies(
        profile().initial_policies, profile().require_explicit_policy,
        profile().inhibit_policy_mapping, profile().inhibit_any_policy);
    const Fault policy_fault = policies.Accept(leaf, &finding.valid_policies);
    if (!policy_fault.ok()) {
      FailCheck(&finding, CheckId::kPolicies, Outcome::kChainConstraintsFailure,
                0, "certificate 0: " + FaultText(policy_fault));
    }
    JudgeValidity(leaf.validity, 0, &finding);
    if (profile().revocation == RevocationMode::kOff) {
      TakeNotChecked(&finding);
      return;
    }
    const PathCandidates issuers =
        FindIssuers(*filing_->profile->issuer_paths, leaf);
    RevocationEvidence evidence;
    evidence.reason = "its issuer is not configured, so no CRL can be believed";
    for (const IssuerPath* issuer : issuers) {
      if (!Issued(*issuer, leaf)) continue;
      evidence = filing_->profile->crls->Check(leaf, *issuer, filing_->time);
      break;
    }
    TakeRevocation(evidence, 0, &finding);
  }

  // --- Signatures
  // ----------------------------------------------------------------

  Outcome OutcomeSoFar() const {
    return Worse(filing_finding_.outcome, path_finding_.outcome);
  }

  // Arithmetic whose result could not change what is reported is left undone,
  // unless the caller wants to see every check.
  bool WantsCertificateSignature() const {
    if (path_ == nullptr) return false;
    if (filing_->want_checks) return true;
    constexpr Outcome kIfForged = Outcome::kCertificateChainGeneralFailure;
    // What is wrong with a CA above only counts if that CA issued the
    // certificate.
    const bool above = path_finding_.certificate_index > 0;
    return filing_finding_.outcome > kIfForged &&
           (path_finding_.outcome > kIfForged || above);
  }

  bool WantsFilingSignature() const {
    if (filing_->certificate_only || !well_formed_) return false;
    return filing_->want_checks || OutcomeSoFar() == Outcome::kPassed;
  }

  void SettleIssuer(const SignatureJob* job) {
    if (trusted_) {
      Record(&path_finding_, CheckId::kChain, CheckResult::kPassed, 0,
             "trusted as it is (trusted_certificate_files)");
      return;
    }
    if (path_ == nullptr) return;  // the finding says why
    if (job == nullptr) {
      // Not reached: a certificate nothing is held against has its signature
      // checked. Should it be, it must not pass.
      if (OutcomeSoFar() == Outcome::kPassed) {
        Fail(&path_finding_, Outcome::kGeneric, 0,
             "certificate 0: its signature was not checked");
      }
      return;
    }
    if (job->result == SignatureResult::kValid) {
      RecordChain();
      return;
    }
    TryOtherIssuers();
  }

  // The first choice did not issue the certificate: another generation of the
  // CA, or one the filing brought along, may have.
  void TryOtherIssuers() {
    const IssuerPath* first = path_;
    absl::InlinedVector<Bytes, 4> tried = {first->state.key().spki};
    if (TryCandidates(&tried)) return;
    if (bundle_ == nullptr) {
      SearchBundle();
      if (TryCandidates(&tried)) return;
    }
    path_ = nullptr;
    JudgeWithoutPath(first);
  }

  // `tried` lists the keys that did not issue the certificate.
  bool TryCandidates(absl::InlinedVector<Bytes, 4>* tried) {
    for (const IssuerPath* candidate : candidates_) {
      const Bytes key = candidate->state.key().spki;
      if (std::any_of(tried->begin(), tried->end(),
                      [key](Bytes other) { return SameBytes(other, key); })) {
        continue;
      }
      tried->push_back(key);
      if (!Issued(*candidate, verdict_->certificate)) continue;
      ChooseBest(*candidate);
      RecordChain();
      return true;
    }
    return false;
  }

  // No CA issued the certificate, as far as is known; `likeliest`, if not null,
  // has its issuer's name. What can be said of it without a path is said.
  void JudgeWithoutPath(const IssuerPath* likeliest) {
    Finding finding;
    const Certificate& leaf = verdict_->certificate;
    Observation observation = {this, &finding, 0};
    TakeFault(CheckLeafAlone(
                  leaf, LeafRulesOf(profile()), profile().rsa_modulus_bits_min,
                  filing_->want_checks ? &Observe : nullptr, &observation),
              0, &finding);
    JudgeValidity(leaf.validity, 0, &finding);
    ExplainNoPath(likeliest, &finding);
    path_finding_ = std::move(finding);
  }

  void ExplainNoPath(const IssuerPath* likeliest, Finding* finding) const {
    const Certificate& leaf = verdict_->certificate;
    const auto no_chain = [&](const std::string& why) {
      FailCheck(finding, CheckId::kChain, Outcome::kNoCertificateChainFound, 0,
                "certificate 0: " + why);
    };
    if (bundle_ != nullptr && bundle_->exhausted()) {
      no_chain(
          "the search for a chain through the intermediates was ended by its "
          "work budget (limits.path_signatures_max)");
    } else if (likeliest == nullptr) {
      no_chain(
          "no trust anchor or intermediate of the profile is its issuer, " +
          NameToText(leaf.issuer));
    } else if (!KeyIdentifierFits(*likeliest, leaf)) {
      no_chain("no configured CA named " + likeliest->issuer_text +
               " has the key that issued it");
    } else {
      FailCheck(finding, CheckId::kCertificateSignature,
                Outcome::kCertificateChainGeneralFailure, 0,
                "certificate 0: its signature does not verify with the key "
                "of " +
                    likeliest->issuer_text);
    }
  }

  void RecordChain() {
    if (!filing_->want_checks) return;
    std::string names;
    for (const IssuerPath* ca = path_; ca != nullptr; ca = ca->parent) {
      absl::StrAppend(&names, names.empty() ? "" : " <- ", ca->issuer_text);
    }
    Record(&path_finding_, CheckId::kChain, CheckResult::kPassed, 0,
           "issued by " + names);
    Record(&path_finding_, CheckId::kCertificateSignature, CheckResult::kPassed,
           0, "");
  }

  void SettleFilingSignature(const SignatureJob* job) {
    if (filing_->certificate_only) return;
    if (job == nullptr) {
      Record(&filing_finding_, CheckId::kFilingSignature, CheckResult::kSkipped,
             -1, "not computed");
      // A filing nothing else is held against has its signature checked; what
      // was skipped must never pass.
      if (OutcomeSoFar() == Outcome::kPassed) CheckSkippedSignature();
      return;
    }
    TakeFilingSignature(*job);
  }

  // The signature was left undone because of a finding that another path has
  // since replaced.
  void CheckSkippedSignature() {
    std::vector<DigestJob> digests;
    std::vector<SignatureJob> jobs;
    filing_digest_size_ = DigestSize(filing_->algorithm.hash);
    if (filing_digest_size_ == 0) {
      Fail(&filing_finding_, Outcome::kCryptoConstraintsFailure, -1,
           "signature_algorithm: has no hash this server computes");
      return;
    }
    if (filing_->content == FilingView::Content::kDocument) {
      const DigestJob hash = {filing_->algorithm.hash,
                              filing_->document_or_digest,
                              filing_digest_.data()};
      DigestBatch({&hash, 1});
    }
    certificate_digest_size_ = 0;
    QueueSignatures(&jobs);
    VerifyBatch(absl::MakeSpan(jobs));
    TakeFilingSignature(jobs.back());
  }

  void TakeFilingSignature(const SignatureJob& job) {
    switch (job.result) {
      case SignatureResult::kValid:
        Record(&filing_finding_, CheckId::kFilingSignature,
               CheckResult::kPassed, -1, "");
        return;
      case SignatureResult::kHashMismatch:
        FailCheck(&filing_finding_, CheckId::kFilingSignature,
                  Outcome::kHashFailure, -1,
                  "signature: made by this certificate's key, but over another "
                  "document");
        return;
      default:
        FailCheck(
            &filing_finding_, CheckId::kFilingSignature,
            Outcome::kSigCryptoFailure, -1,
            absl::StrCat("signature: not made over this document with this "
                         "certificate's key",
                         job.fault.ok() ? "" : "; ",
                         job.fault.ok() ? "" : FaultText(job.fault)));
        return;
    }
  }

  // --- Verdict
  // -------------------------------------------------------------------

  void FillVerdict() {
    const bool path_decides = path_finding_.outcome <= filing_finding_.outcome;
    Finding& decisive = path_decides ? path_finding_ : filing_finding_;
    verdict_->outcome = decisive.outcome;
    if (verdict_->outcome != Outcome::kPassed) {
      verdict_->diagnostic = std::move(decisive.diagnostic);
      Shorten(&verdict_->diagnostic);
      verdict_->certificate_index = decisive.certificate_index;
    }
    verdict_->has_revocation = path_finding_.has_revocation;
    verdict_->revocation = path_finding_.revocation;
    verdict_->valid_policies = std::move(path_finding_.valid_policies);
    if (!filing_->want_checks) return;
    verdict_->checks = std::move(filing_finding_.checks);
    verdict_->checks.insert(
        verdict_->checks.end(),
        std::make_move_iterator(path_finding_.checks.begin()),
        std::make_move_iterator(path_finding_.checks.end()));
    std::stable_sort(verdict_->checks.begin(), verdict_->checks.end(),
                     [](const CheckRecord& a, const CheckRecord& b) {
                       return a.check < b.check;
                     });
  }

  const FilingView* filing_ = nullptr;
  FilingVerdict* verdict_ = nullptr;

  Finding filing_finding_;  // about the filing itself
  Finding path_finding_;    // about the certificate and its path
  PathCandidates candidates_;
  std::unique_ptr<BundlePaths> bundle_;
  const IssuerPath* path_ = nullptr;
  bool trusted_ = false;
  bool well_formed_ = false;  // the filing's parts, not its certificate

  std::array<uint8_t, kDigestBytesMax> certificate_digest_;
  std::array<uint8_t, kDigestBytesMax> filing_digest_;
  size_t certificate_digest_size_ = 0;
  size_t filing_digest_size_ = 0;
  int certificate_job_ = -1;
  int filing_job_ = -1;
};

}  // namespace

struct Verifier::Workspace {
  std::vector<Judge> judges;
  std::vector<DigestJob> digests;
  std::vector<SignatureJob> signatures;
};

Verifier::Verifier() : workspace_(std::make_unique<Workspace>()) {}
Verifier::~Verifier() = default;

void Verifier::Verify(absl::Span<const FilingView> filings,
                      absl::Span<FilingVerdict> verdicts) {
  Workspace& w = *workspace_;
  if (w.judges.size() < filings.size()) w.judges.resize(filings.size());
  const absl::Span<Judge> judges =
      absl::MakeSpan(w.judges).first(filings.size());
  w.digests.clear();
  w.signatures.clear();

  for (size_t i = 0; i < filings.size(); ++i) {
    judges[i].Start(&filings[i], &verdicts[i]);
    judges[i].Examine();
    judges[i].QueueDigests(&w.digests);
  }
  DigestBatch(w.digests);
  for (Judge& judge : judges) judge.QueueSignatures(&w.signatures);
  VerifyBatch(absl::MakeSpan(w.signatures));
  for (Judge& judge : judges) judge.Conclude(w.signatures);
}

}  // namespace inkan
