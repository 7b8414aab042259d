#include "server/verifier.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "crypto/digest.h"
#include "crypto/name.h"
#include "server/verifier_examiner.h"
#include "server/verifier_finding.h"
#include "server/verifier_notes.h"
#include "server/verifier_path.h"

namespace inkan {
namespace {

// The judgement of one filing, in steps between which the batches run.
class Judge {
 public:
  void Start(const FilingView* filing, FilingVerdict* verdict) {
    *this = Judge();
    filing_ = filing;
    verdict_ = verdict;
    *verdict = FilingVerdict();
    filing_finding_.keeps_checks = filing->want_checks;
    path_finding_.keeps_checks = filing->want_checks;
  }

  // Everything but arithmetic: form, algorithms, path, constraints, validity,
  // revocation.
  void Examine() {
    if (!CheckFiling() || !ParseLeaf()) return;
    ChooseIssuer();
  }

  // The digests that are needed in any case.
  void QueueDigests(std::vector<DigestJob>* jobs) {
    if (!verdict_->has_certificate) return;
    jobs->push_back({HashAlgorithm::kSha256, verdict_->certificate.der,
                     verdict_->fingerprint.data()});
    if (WantsFilingSignature()) {
      filing_digest_size_ = DigestSize(filing_->algorithm.hash);
      if (filing_->content == FilingView::Content::kDocument &&
          filing_digest_size_ != 0) {
        jobs->push_back({filing_->algorithm.hash, filing_->document_or_digest,
                         filing_digest_.data()});
      }
    }
  }

  // Asks whether the issuer's signature has been verified before. The
  // fingerprint is known by now.
  void QueueQuestion(std::vector<VerifiedCertificates::Key>* keys) {
    if (!verdict_->has_certificate || !WantsCertificateSignature()) return;
    if (path_->id == IssuerPath::kNotKept) return;
    question_ = keys->size();
    keys->push_back({&verdict_->fingerprint, &path_->key_digest});
  }

  // The digest of what the issuer signed, unless the answer was yes.
  void QueueCertificateDigest(absl::Span<const uint8_t> known,
                              std::vector<DigestJob>* jobs) {
    if (!verdict_->has_certificate || !WantsCertificateSignature()) return;
    certificate_known_ = question_ != kNone && known[question_] == 1;
    if (certificate_known_) return;
    const Certificate& leaf = verdict_->certificate;
    certificate_digest_size_ = DigestSize(leaf.signature_algorithm.hash);
    if (certificate_digest_size_ != 0) {
      jobs->push_back({leaf.signature_algorithm.hash, leaf.tbs,
                       certificate_digest_.data()});
    }
  }

  // What is to be remembered: signatures just computed, and found valid.
  void QueueFact(absl::Span<const SignatureJob> jobs,
                 std::vector<VerifiedCertificates::Key>* facts) const {
    if (question_ == kNone || certificate_job_ == kNone ||
        jobs[certificate_job_].result != SignatureResult::kValid) {
      return;
    }
    facts->push_back({&verdict_->fingerprint, &path_->key_digest});
  }

  void QueueSignatures(std::vector<SignatureJob>* jobs) {
    if (certificate_digest_size_ != 0) {
      const Certificate& leaf = verdict_->certificate;
      certificate_job_ = jobs->size();
      SignatureJob& job = jobs->emplace_back();
      job.key = &path_->state.key();
      job.prepared = path_->state.prepared_key();
      job.algorithm = leaf.signature_algorithm;
      job.digest = Bytes(certificate_digest_.data(), certificate_digest_size_);
      job.signature = leaf.signature;
    }
    if (filing_digest_size_ != 0) {
      filing_job_ = jobs->size();
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
      SettleIssuer(certificate_job_ == kNone ? nullptr
                                             : &jobs[certificate_job_]);
      SettleFilingSignature(filing_job_ == kNone ? nullptr
                                                 : &jobs[filing_job_]);
    }
    FillVerdict();
    // Judges are reused, and a filing's own chain can be large.
    candidates_.clear();
    bundle_.reset();
  }

 private:
  // No place in a list.
  static constexpr size_t kNone = SIZE_MAX;

  const Profile& profile() const { return *filing_->profile->profile; }
  Examiner examiner() const {
    return Examiner(*filing_, verdict_->certificate);
  }

  // --- Form ---

  void RefuseFiling(Outcome outcome, const std::string& diagnostic) {
    filing_finding_.FailCheck(CheckId::kFilingFormat, outcome, -1, diagnostic);
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
      filing_finding_.Record(CheckId::kFilingFormat, CheckResult::kPassed, -1,
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
      filing_finding_.FailCheck(
          CheckId::kCertificateFormat, Outcome::kFormatFailure, 0,
          "certificate 0: " + FaultText(fault), fault.field);
      return false;
    }
    verdict_->has_certificate = true;
    if (!filing_->want_checks) return true;
    filing_finding_.Record(
        CheckId::kCertificateFormat, CheckResult::kPassed, 0,
        absl::StrCat("version ", verdict_->certificate.version, ", ",
                     filing_->certificate.size(), " octets of DER"));
    return true;
  }

  void CheckFilingAlgorithm() {
    if (filing_->algorithm.scheme == SignatureScheme::kUnknown) return;
    const Fault fault = CheckAlgorithmStrength(filing_->algorithm);
    const auto& allowed = profile().filing_algorithms;
    if (!fault.ok()) {
      filing_finding_.FailCheck(CheckId::kFilingAlgorithm,
                                Outcome::kCryptoConstraintsFailure, -1,
                                "signature_algorithm: " + FaultText(fault));
    } else if (!allowed.empty() &&
               std::find(allowed.begin(), allowed.end(), filing_->algorithm) ==
                   allowed.end()) {
      filing_finding_.FailCheck(CheckId::kFilingAlgorithm,
                                Outcome::kCryptoConstraintsFailure, -1,
                                "signature_algorithm: not among the profile's "
                                "filing_algorithms");
    } else {
      if (!filing_->want_checks) return;
      filing_finding_.Record(
          CheckId::kFilingAlgorithm, CheckResult::kPassed, -1,
          absl::StrCat(AlgorithmText(filing_->algorithm),
                       allowed.empty() ? "; the profile lists none"
                                       : "; the profile lists it"));
    }
  }

  // --- Path ---

  void ChooseIssuer() {
    const IssuerPaths& paths = *filing_->profile->issuer_paths;
    if (paths.FindTrusted(filing_->certificate) != nullptr) {
      trusted_ = true;
      path_finding_ = examiner().JudgeTrusted();
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

  // Whether a path with finding `a` is reported rather than one with `b`. That
  // the signer's certificate is revoked by one path's CRLs is known, though
  // another path's say too little.
  static bool IsBetter(const Finding& a, const Finding& b) {
    const auto knows = [](const Finding& revoked, const Finding& unknown) {
      return revoked.outcome == Outcome::kRevoked && revoked.signer_revoked &&
             unknown.outcome == Outcome::kTryLater;
    };
    return knows(a, b) || (a.outcome > b.outcome && !knows(b, a));
  }

  // Of all paths that end in the same key as `path`, keeps the one with the
  // best finding.
  void ChooseBest(const IssuerPath& path) {
    path_ = nullptr;
    for (const IssuerPath* candidate : candidates_) {
      if (!SameBytes(candidate->state.key().spki, path.state.key().spki)) {
        continue;
      }
      Finding finding = examiner().JudgePath(*candidate);
      if (path_ == nullptr || IsBetter(finding, path_finding_)) {
        path_ = candidate;
        path_finding_ = std::move(finding);
      }
      if (path_finding_.outcome == Outcome::kPassed) return;
    }
  }

  // --- Signatures ---

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
      path_finding_.Record(CheckId::kChain, CheckResult::kPassed, 0,
                           "trusted as it is (trusted_certificate_files)");
      return;
    }
    if (path_ == nullptr) return;  // the finding says why
    if (certificate_known_) {
      TakeIssuer();
      return;
    }
    if (job == nullptr) {
      // Not reached: a certificate nothing is held against has its signature
      // checked. Should it be, it must not pass.
      if (OutcomeSoFar() == Outcome::kPassed) {
        path_finding_.Fail(CheckId::kCertificateSignature, Outcome::kGeneric, 0,
                           "certificate 0: its signature was not checked");
      }
      return;
    }
    if (job->result == SignatureResult::kValid) {
      TakeIssuer();
    } else {
      TryOtherIssuers();
    }
  }

  // `path_` ends in the key that issued the certificate.
  void TakeIssuer() {
    SearchForBetterPath();
    RecordChain();
    RememberVouched();
  }

  // The profile's own paths to the issuer's key do not pass; those through the
  // intermediates may. A flaw of the certificate or the filing itself, and a
  // revocation of the certificate, is so on every path.
  void SearchForBetterPath() {
    if (path_finding_.outcome == Outcome::kPassed ||
        filing_->intermediates.empty() || bundle_ != nullptr ||
        path_finding_.signer_revoked ||
        filing_finding_.outcome < path_finding_.outcome ||
        examiner().JudgeAlone().outcome <= path_finding_.outcome) {
      return;
    }
    SearchBundle();
    const Bytes key = path_->state.key().spki;
    for (const IssuerPath* candidate : candidates_) {
      if (!SameBytes(candidate->state.key().spki, key)) continue;
      Finding finding = examiner().JudgePath(*candidate);
      if (!IsBetter(finding, path_finding_)) continue;
      path_ = candidate;
      path_finding_ = std::move(finding);
      if (path_finding_.outcome == Outcome::kPassed ||
          path_finding_.signer_revoked) {
        return;
      }
    }
    if (bundle_->exhausted()) {
      path_finding_.diagnostic +=
          "; the search for a better chain through the intermediates was ended "
          "by its work budget (limits.path_signatures_max)";
    }
  }

  // What a caller sent and an anchor vouches for spares the next filing the
  // search.
  void RememberVouched() const {
    if (path_->id != IssuerPath::kNotKept || !path_->state.broken().ok() ||
        path_finding_.outcome < Outcome::kTryLater ||
        filing_->profile->vouched == nullptr) {
      return;
    }
    for (const IssuerPath* ca = path_;
         ca != nullptr && ca->id == IssuerPath::kNotKept; ca = ca->parent) {
      filing_->profile->vouched->Offer(ca->state.last().der);
    }
  }

  // The first choice did not issue the certificate: another generation of the
  // CA, or one the filing brought along, may have.
  void TryOtherIssuers() {
    const IssuerPath* first = path_;
    absl::InlinedVector<Bytes, 4> tried = {first->state.key().spki};
    bool found = TryCandidates(&tried);
    if (!found && bundle_ == nullptr) {
      SearchBundle();
      found = TryCandidates(&tried);
    }
    if (found) {
      TakeIssuer();
      return;
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
      return true;
    }
    return false;
  }

  // No CA issued the certificate, as far as is known; `likeliest`, if not null,
  // has its issuer's name. What can be said of it without a path is said.
  void JudgeWithoutPath(const IssuerPath* likeliest) {
    Finding finding = examiner().JudgeAlone();
    ExplainNoPath(likeliest, &finding);
    path_finding_ = std::move(finding);
  }

  void ExplainNoPath(const IssuerPath* likeliest, Finding* finding) const {
    const Certificate& leaf = verdict_->certificate;
    const auto no_chain = [&](const std::string& why) {
      finding->FailCheck(CheckId::kChain, Outcome::kNoCertificateChainFound, 0,
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
      finding->FailCheck(
          CheckId::kCertificateSignature,
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
    // The fault of a certificate that nobody is known to have issued may be
    // another one, of higher rank.
    const bool issued = path_->state.issued();
    path_finding_.Record(
        CheckId::kChain,
        issued ? CheckResult::kPassed : CheckResult::kIndeterminate, 0,
        absl::StrCat("issued by ", names,
                     issued ? ""
                            : "; the signature of a CA certificate among them "
                              "is not verified"));
    path_finding_.Record(
        CheckId::kCertificateSignature, CheckResult::kPassed, 0,
        absl::StrCat(AlgorithmText(verdict_->certificate.signature_algorithm),
                     " by the key of ", path_->issuer_text, ", ",
                     KeyText(path_->state.key())));
  }

  void SettleFilingSignature(const SignatureJob* job) {
    if (filing_->certificate_only) return;
    if (job == nullptr) {
      filing_finding_.Record(CheckId::kFilingSignature, CheckResult::kSkipped,
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
      filing_finding_.Fail(
          CheckId::kFilingAlgorithm, Outcome::kCryptoConstraintsFailure, -1,
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
        if (!filing_->want_checks) return;
        filing_finding_.Record(
            CheckId::kFilingSignature, CheckResult::kPassed, -1,
            absl::StrCat(AlgorithmText(filing_->algorithm),
                         " by the key of certificate 0, ",
                         KeyText(verdict_->certificate.key)));
        return;
      case SignatureResult::kHashMismatch:
        filing_finding_.FailCheck(
            CheckId::kFilingSignature, Outcome::kHashFailure, -1,
            "signature: made by this certificate's key, but over another "
            "document");
        return;
      default:
        filing_finding_.FailCheck(
            CheckId::kFilingSignature, Outcome::kSigCryptoFailure, -1,
            absl::StrCat("signature: not made over this document with this "
                         "certificate's key",
                         job.fault.ok() ? "" : "; ",
                         job.fault.ok() ? "" : FaultText(job.fault)));
        return;
    }
  }

  // --- Verdict ---

  void FillVerdict() {
    const bool path_decides = path_finding_.outcome <= filing_finding_.outcome;
    Finding& decisive = path_decides ? path_finding_ : filing_finding_;
    verdict_->outcome = decisive.outcome;
    if (verdict_->outcome != Outcome::kPassed) {
      verdict_->diagnostic = std::move(decisive.diagnostic);
      verdict_->certificate_index = decisive.certificate_index;
    }
    // A kept path lives as long as the snapshot. Its CA may spell its own name
    // another way.
    if (path_ != nullptr && path_->id != IssuerPath::kNotKept &&
        SameBytes(path_->state.last().subject, verdict_->certificate.issuer)) {
      verdict_->issuer_text = path_->issuer_text;
    }
    verdict_->has_revocation = path_finding_.has_revocation;
    verdict_->revocation = path_finding_.revocation;
    verdict_->valid_policies = std::move(path_finding_.valid_policies);
    verdict_->policy_qualifiers = std::move(path_finding_.policy_qualifiers);
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
  size_t question_ = kNone;
  bool certificate_known_ = false;
  size_t certificate_job_ = kNone;
  size_t filing_job_ = kNone;
};

}  // namespace

struct Verifier::Workspace {
  // Null, or not of size 0.
  VerifiedCertificates* verified = nullptr;
  std::vector<Judge> judges;
  std::vector<DigestJob> digests;
  std::vector<SignatureJob> signatures;
  std::vector<VerifiedCertificates::Key> keys;
  std::vector<uint8_t> known;

  // Digests of the certificates whose issuer's signature has to be computed.
  void DigestCertificates(absl::Span<Judge> batch);
  void RememberCertificates(absl::Span<Judge> batch);
};

void Verifier::Workspace::DigestCertificates(absl::Span<Judge> batch) {
  keys.clear();
  if (verified != nullptr) {
    for (Judge& judge : batch) judge.QueueQuestion(&keys);
    known.resize(keys.size());
    verified->Find(keys, absl::MakeSpan(known));
  }
  digests.clear();
  for (Judge& judge : batch) judge.QueueCertificateDigest(known, &digests);
  DigestBatch(digests);
}

void Verifier::Workspace::RememberCertificates(absl::Span<Judge> batch) {
  if (verified == nullptr) return;
  keys.clear();
  for (const Judge& judge : batch) judge.QueueFact(signatures, &keys);
  verified->Add(keys);
}

Verifier::Verifier(VerifiedCertificates* verified)
    : workspace_(std::make_unique<Workspace>()) {
  if (verified != nullptr && verified->enabled()) {
    workspace_->verified = verified;
  }
}
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
  w.DigestCertificates(judges);
  for (Judge& judge : judges) judge.QueueSignatures(&w.signatures);
  VerifyBatch(absl::MakeSpan(w.signatures));
  w.RememberCertificates(judges);
  for (Judge& judge : judges) judge.Conclude(w.signatures);
}

}  // namespace inkan
