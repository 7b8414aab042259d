#include "cache/issuer_paths.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "crypto/digest.h"
#include "crypto/name.h"

namespace inkan {
namespace {

// The rules look at `initial_policies`.
PathRules RulesOf(const Profile& profile,
                  const std::vector<std::string>& initial_policies) {
  PathRules rules;
  rules.initial_policies = initial_policies;
  rules.require_explicit_policy = profile.require_explicit_policy;
  rules.inhibit_policy_mapping = profile.inhibit_policy_mapping;
  rules.inhibit_any_policy = profile.inhibit_any_policy;
  rules.rsa_modulus_bits_min = profile.rsa_modulus_bits_min;
  return rules;
}

Fault Load(const CertificateFile& file, OwnedCertificate* owned) {
  owned->file = file;
  owned->fingerprint = Sha256(AsBytes(owned->file.der));
  return ParseCertificate(AsBytes(owned->file.der), &owned->view);
}

absl::Status LoadCertificates(const std::vector<CertificateFile>& files,
                              const char* role,
                              std::deque<OwnedCertificate>* certificates) {
  for (const CertificateFile& file : files) {
    OwnedCertificate& owned = certificates->emplace_back();
    // The deque never moves its elements, so the view stays good.
    if (Fault fault = Load(file, &owned); !fault.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(
          role, " ", file.source, ": ", fault.field, ": ", fault.problem));
    }
  }
  return absl::OkStatus();
}

bool InChain(const PathState& state, const Certificate& certificate) {
  for (const Certificate* link : state.chain()) {
    // The same key under the same name is the same CA: going through it twice
    // proves nothing new.
    if (SameBytes(link->key.spki, certificate.key.spki) &&
        SameName(link->subject, certificate.subject)) {
      return true;
    }
  }
  return false;
}

bool KeyIdentifiersDiffer(const Certificate& child, const Certificate& parent) {
  return !child.authority_key_id.empty() && !parent.subject_key_id.empty() &&
         !SameBytes(child.authority_key_id, parent.subject_key_id);
}

}  // namespace

struct IssuerPaths::Builder {
  using CasByIssuer =
      absl::flat_hash_map<std::string, std::vector<const OwnedCertificate*>>;

  explicit Builder(IssuerPaths* target) : paths(target) {
    for (const OwnedCertificate& ca : paths->intermediates_) {
      configured[CanonicalName(ca.view.issuer)].push_back(&ca);
    }
    paths_left = paths->limits_.paths_max;
    signatures_left = paths->limits_.signatures_max;
  }

  void Keep(PathState state, size_t anchor, const IssuerPath* parent) {
    if (paths_left > 0) --paths_left;
    IssuerPath& path = paths->paths_.emplace_back(std::move(state));
    path.parent = parent;
    path.anchor = anchor;
    path.id = paths->paths_.size() - 1;
    const Bytes name = path.state.last().subject;
    path.issuer_text = NameToText(name);
    path.canonical_issuer = CanonicalName(name);
    path.key_digest = Sha256(path.state.key().spki);
    paths->by_canonical_[path.canonical_issuer].push_back(&path);
  }

  // Goes down from every path kept so far; those it finds are visited in turn,
  // so that shorter paths come first.
  void ExtendByConfigured() {
    for (size_t i = 0; i < paths->paths_.size(); ++i) {
      const IssuerPath& path = paths->paths_[i];
      if (path.state.broken().outcome ==
          Outcome::kCertificateChainGeneralFailure) {
        continue;
      }
      ExtendByAll(path, configured, /*whole_only=*/false);
    }
  }

  // The same with what callers sent, when all that is configured is there.
  void ExtendByVouched(absl::Span<const CertificateFile> files) {
    if (files.empty()) return;
    std::vector<std::unique_ptr<const OwnedCertificate>> loaded;
    CasByIssuer vouched;
    for (const CertificateFile& file : files) {
      auto owned = std::make_unique<OwnedCertificate>();
      if (!Load(file, owned.get()).ok()) continue;
      vouched[CanonicalName(owned->view.issuer)].push_back(owned.get());
      loaded.push_back(std::move(owned));
    }
    paths_left = paths->limits_.vouched_paths_max;
    signatures_left = paths->limits_.vouched_signatures_max;
    const size_t known = paths->paths_.size();
    for (size_t i = 0; i < paths->paths_.size(); ++i) {
      const IssuerPath& path = paths->paths_[i];
      if (!path.state.broken().ok()) continue;
      ExtendByAll(path, vouched, /*whole_only=*/true);
      if (i >= known) ExtendByAll(path, configured, /*whole_only=*/true);
    }
    for (auto& owned : loaded) {
      if (IsOnSomePath(*owned)) paths->vouched_.push_back(std::move(owned));
    }
  }

  void ExtendByAll(const IssuerPath& path, const CasByIssuer& cas,
                   bool whole_only) {
    const auto below = cas.find(path.canonical_issuer);
    if (below == cas.end()) return;
    for (const OwnedCertificate* ca : below->second) {
      ExtendBy(path, *ca, whole_only);
    }
  }

  void ExtendBy(const IssuerPath& path, const OwnedCertificate& ca,
                bool whole_only) {
    if (path.state.chain().size() > kPathDepthMax ||
        InChain(path.state, ca.view) || paths_left == 0 ||
        signatures_left == 0) {
      return;
    }
    --signatures_left;
    PathState state = path.state;
    state.Extend(ca.view);
    if (whole_only && !state.broken().ok()) return;
    // A key identifier that points elsewhere and a signature that fails:
    // another generation of the CA issued this one.
    if (state.broken().outcome == Outcome::kCertificateChainGeneralFailure &&
        KeyIdentifiersDiffer(ca.view, path.state.last())) {
      return;
    }
    Keep(std::move(state), path.anchor, &path);
  }

  bool IsOnSomePath(const OwnedCertificate& ca) const {
    return std::any_of(
        paths->paths_.begin(), paths->paths_.end(),
        [&](const IssuerPath& p) { return &p.state.last() == &ca.view; });
  }

  // Every spelling of a name finds all paths to CAs of that name.
  void IndexSpellings() {
    for (const IssuerPath& path : paths->paths_) {
      paths->by_spelling_[std::string(AsText(path.state.last().subject))] =
          paths->by_canonical_[path.canonical_issuer];
    }
  }

  void ListUnused() {
    for (const OwnedCertificate& ca : paths->intermediates_) {
      if (!IsOnSomePath(ca)) {
        paths->unused_.push_back(absl::StrCat(
            ca.file.source, ": leads to no anchor of the profile"));
      }
    }
  }

  IssuerPaths* paths;
  CasByIssuer configured;
  size_t paths_left = 0;
  size_t signatures_left = 0;
};

absl::StatusOr<std::shared_ptr<const IssuerPaths>> IssuerPaths::Build(
    const Profile& profile, const IssuerPathLimits& limits,
    absl::Span<const CertificateFile> vouched) {
  auto paths = std::make_shared<IssuerPaths>();
  paths->limits_ = limits;
  for (absl::Status status :
       {LoadCertificates(profile.anchors, "anchor", &paths->anchors_),
        LoadCertificates(profile.intermediates, "intermediate",
                         &paths->intermediates_),
        LoadCertificates(profile.trusted_certificates, "trusted certificate",
                         &paths->trusted_)}) {
    if (!status.ok()) return status;
  }
  if (paths->anchors_.empty() && paths->trusted_.empty()) {
    return absl::InvalidArgumentError(
        "no trust anchor: name at least one in anchor_files (or a certificate "
        "in trusted_certificate_files)");
  }
  Builder builder(paths.get());
  // A copy: paths outlive the configuration they were built from.
  paths->initial_policies_ = profile.initial_policies;
  const PathRules rules = RulesOf(profile, paths->initial_policies_);
  for (size_t i = 0; i < paths->anchors_.size(); ++i) {
    const OwnedCertificate& anchor = paths->anchors_[i];
    PathState state = PathState::FromAnchor(anchor.view, rules);
    if (!state.broken().ok()) {
      const Fault& fault = state.broken().fault;
      return absl::InvalidArgumentError(
          absl::StrCat("anchor ", anchor.file.source, ": ", fault.field, ": ",
                       fault.problem));
    }
    builder.Keep(std::move(state), i, nullptr);
  }
  builder.ExtendByConfigured();
  builder.ExtendByVouched(vouched);
  builder.IndexSpellings();
  builder.ListUnused();
  return std::shared_ptr<const IssuerPaths>(std::move(paths));
}

absl::Span<const IssuerPath* const> IssuerPaths::Find(Bytes issuer_name) const {
  const auto spelled = by_spelling_.find(absl::string_view(
      reinterpret_cast<const char*>(issuer_name.data()), issuer_name.size()));
  if (spelled != by_spelling_.end()) return spelled->second;
  return FindCanonical(CanonicalName(issuer_name));
}

absl::Span<const IssuerPath* const> IssuerPaths::FindCanonical(
    const std::string& canonical_name) const {
  const auto found = by_canonical_.find(canonical_name);
  if (found == by_canonical_.end()) return {};
  return found->second;
}

const OwnedCertificate* IssuerPaths::FindTrusted(Bytes der) const {
  for (const OwnedCertificate& one : trusted_) {
    if (SameBytes(AsBytes(one.file.der), der)) return &one;
  }
  return nullptr;
}

}  // namespace inkan
