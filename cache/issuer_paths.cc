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

absl::Status LoadCertificates(const std::vector<CertificateFile>& files,
                              const char* role,
                              std::deque<OwnedCertificate>* certificates) {
  for (const CertificateFile& file : files) {
    OwnedCertificate& owned = certificates->emplace_back();
    owned.file = file;
    // The deque never moves its elements, so the view stays good.
    if (Fault fault = ParseCertificate(AsBytes(owned.file.der), &owned.view);
        !fault.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(
          role, " ", file.source, ": ", fault.field, ": ", fault.problem));
    }
    owned.fingerprint = Sha256(AsBytes(owned.file.der));
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
  explicit Builder(IssuerPaths* target) : paths(target) {
    for (const OwnedCertificate& ca : paths->intermediates_) {
      by_issuer[CanonicalName(ca.view.issuer)].push_back(&ca);
    }
  }

  void Keep(PathState state, size_t anchor, const IssuerPath* parent) {
    IssuerPath& path = paths->paths_.emplace_back(std::move(state));
    path.parent = parent;
    path.anchor = anchor;
    path.id = paths->paths_.size() - 1;
    const Bytes name = path.state.last().subject;
    path.issuer_text = NameToText(name);
    path.canonical_issuer = CanonicalName(name);
    paths->by_spelling_[std::string(AsText(name))].push_back(&path);
    paths->by_canonical_[path.canonical_issuer].push_back(&path);
  }

  // Goes down from every path kept so far; those it finds are visited in turn,
  // so that shorter paths come first.
  void ExtendAll() {
    for (size_t i = 0; i < paths->paths_.size(); ++i) {
      const IssuerPath& path = paths->paths_[i];
      if (path.state.broken().outcome ==
          Outcome::kCertificateChainGeneralFailure) {
        continue;
      }
      const auto below = by_issuer.find(path.canonical_issuer);
      if (below == by_issuer.end()) continue;
      for (const OwnedCertificate* ca : below->second) ExtendBy(path, *ca);
    }
  }

  void ExtendBy(const IssuerPath& path, const OwnedCertificate& ca) {
    const IssuerPathLimits& limits = paths->limits_;
    if (path.state.chain().size() > kPathDepthMax ||
        InChain(path.state, ca.view) ||
        paths->paths_.size() >= limits.paths_max ||
        signatures++ >= limits.signatures_max) {
      return;
    }
    PathState state = path.state;
    state.Extend(ca.view);
    // A key identifier that points elsewhere and a signature that fails:
    // another generation of the CA issued this one.
    if (state.broken().outcome == Outcome::kCertificateChainGeneralFailure &&
        KeyIdentifiersDiffer(ca.view, path.state.last())) {
      return;
    }
    Keep(std::move(state), path.anchor, &path);
  }

  void ListUnused() {
    for (const OwnedCertificate& ca : paths->intermediates_) {
      const bool used = std::any_of(
          paths->paths_.begin(), paths->paths_.end(),
          [&](const IssuerPath& p) { return &p.state.last() == &ca.view; });
      if (!used) {
        paths->unused_.push_back(absl::StrCat(
            ca.file.source, ": leads to no anchor of the profile"));
      }
    }
  }

  IssuerPaths* paths;
  absl::flat_hash_map<std::string, std::vector<const OwnedCertificate*>>
      by_issuer;
  size_t signatures = 0;
};

absl::StatusOr<std::shared_ptr<const IssuerPaths>> IssuerPaths::Build(
    const Profile& profile, const IssuerPathLimits& limits) {
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
  builder.ExtendAll();
  builder.ListUnused();
  return std::shared_ptr<const IssuerPaths>(std::move(paths));
}

absl::Span<const IssuerPath* const> IssuerPaths::Find(Bytes issuer_name) const {
  const auto spelled = by_spelling_.find(absl::string_view(
      reinterpret_cast<const char*>(issuer_name.data()), issuer_name.size()));
  // Another CA may spell the same name differently, so one spelling's list is
  // whole only if it is as long as the name's.
  if (spelled != by_spelling_.end() &&
      by_canonical_.size() == by_spelling_.size()) {
    return spelled->second;
  }
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
