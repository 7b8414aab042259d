#include "server/verifier_path.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "crypto/digest.h"
#include "crypto/name.h"
#include "crypto/signature.h"

namespace inkan {
namespace {

// Smaller is likelier.
int Unlikeliness(const IssuerPath& path, const Certificate& leaf) {
  const Bytes own = path.state.last().subject_key_id;
  const bool says = !leaf.authority_key_id.empty() && !own.empty();
  const int by_key = !says ? 1 : SameBytes(leaf.authority_key_id, own) ? 0 : 2;
  return by_key * 2 + (path.state.broken().ok() ? 0 : 1);
}

void SortByLikelihood(const Certificate& leaf, PathCandidates* candidates) {
  std::stable_sort(candidates->begin(), candidates->end(),
                   [&](const IssuerPath* a, const IssuerPath* b) {
                     return Unlikeliness(*a, leaf) < Unlikeliness(*b, leaf);
                   });
}

absl::string_view AsView(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

PathCandidates FindIssuers(const IssuerPaths& paths, const Certificate& leaf) {
  const auto found = paths.Find(leaf.issuer);
  PathCandidates candidates(found.begin(), found.end());
  if (candidates.size() > 1) SortByLikelihood(leaf, &candidates);
  return candidates;
}

bool KeyIdentifierFits(const IssuerPath& path, const Certificate& leaf) {
  const Bytes own = path.state.last().subject_key_id;
  return leaf.authority_key_id.empty() || own.empty() ||
         SameBytes(leaf.authority_key_id, own);
}

bool Issued(const IssuerPath& path, const Certificate& certificate) {
  const size_t size = DigestSize(certificate.signature_algorithm.hash);
  if (size == 0) return false;
  std::array<uint8_t, kDigestBytesMax> digest;
  const DigestJob hash = {certificate.signature_algorithm.hash, certificate.tbs,
                          digest.data()};
  DigestBatch({&hash, 1});
  SignatureJob job;
  job.key = &path.state.key();
  job.prepared = path.state.prepared_key();
  job.algorithm = certificate.signature_algorithm;
  job.digest = Bytes(digest.data(), size);
  job.signature = certificate.signature;
  VerifyBatch({&job, 1});
  return job.result == SignatureResult::kValid;
}

BundlePaths::BundlePaths(const IssuerPaths& paths,
                         absl::Span<const Bytes> bundle)
    : paths_(paths), signatures_left_(paths.limits().filing_signatures_max) {
  if (bundle.size() > kBundleCertificatesMax) {
    bundle = bundle.first(kBundleCertificatesMax);
    exhausted_ = true;
  }
  Read(bundle);
  ResolveIssuers();
}

void BundlePaths::Read(absl::Span<const Bytes> bundle) {
  absl::flat_hash_set<absl::string_view> seen;
  size_t name_bytes_left = kBundleNameBytesMax;
  for (const Bytes der : bundle) {
    if (!seen.insert(AsView(der)).second) continue;
    BundleCertificate& certificate = bundle_.emplace_back();
    // A hint that cannot be read, or is no CA's, helps nobody; the leaf is
    // judged without it.
    if (!ParseCertificate(der, &certificate.view).ok() ||
        !certificate.view.is_ca) {
      bundle_.pop_back();
      continue;
    }
    const size_t name_bytes =
        certificate.view.subject.size() + certificate.view.issuer.size();
    if (name_bytes > name_bytes_left) {
      bundle_.pop_back();
      exhausted_ = true;
      break;
    }
    name_bytes_left -= name_bytes;
    certificate.canonical_subject = CanonicalName(certificate.view.subject);
    by_subject_[certificate.canonical_subject].push_back(&certificate);
    certificate.key = NumberOf(certificate.view.subject_key_id);
    certificate.issuer_key = NumberOf(certificate.view.authority_key_id);
  }
}

// A search comes through one certificate many times; its names are as long as
// whoever wrote it likes.
void BundlePaths::ResolveIssuers() {
  for (BundleCertificate& certificate : bundle_) {
    certificate.issuers = IssuersNamed(CanonicalName(certificate.view.issuer));
  }
}

BundlePaths::Issuers BundlePaths::IssuersNamed(
    const std::string& canonical_name) const {
  Issuers issuers;
  issuers.kept = paths_.FindCanonical(canonical_name);
  const auto sent = by_subject_.find(canonical_name);
  if (sent != by_subject_.end()) issuers.sent = &sent->second;
  return issuers;
}

int BundlePaths::NumberOf(Bytes key_id) {
  if (key_id.empty()) return kNoKey;
  const auto next = static_cast<int>(key_numbers_.size()) + 1;
  return key_numbers_.try_emplace(AsView(key_id), next).first->second;
}

PathCandidates BundlePaths::Find(const Certificate& leaf) {
  if (bundle_.empty()) return {};
  const auto named = key_numbers_.find(AsView(leaf.authority_key_id));
  PathCandidates candidates =
      FindAtDepth(IssuersNamed(CanonicalName(leaf.issuer)),
                  named == key_numbers_.end() ? kNoKey : named->second, 0);
  // The profile's own paths have been tried before.
  candidates.erase(std::remove_if(candidates.begin(), candidates.end(),
                                  [](const IssuerPath* path) {
                                    return path->id != IssuerPath::kNotKept;
                                  }),
                   candidates.end());
  SortByLikelihood(leaf, &candidates);
  return candidates;
}

// The paths to every one of `issuers`: the profile's, and those that go down to
// a bundle certificate from one of them. `issuer_key` is the key identifier the
// certificate below names.
PathCandidates BundlePaths::FindAtDepth(const Issuers& issuers, int issuer_key,
                                        int depth) {
  PathCandidates found(issuers.kept.begin(), issuers.kept.end());
  if (depth >= kPathDepthMax || issuers.sent == nullptr) return found;
  // The likelier first, so that the budget is spent on them.
  for (const bool named : {true, false}) {
    for (BundleCertificate* ca : *issuers.sent) {
      const bool is_named = issuer_key != kNoKey && ca->key == issuer_key;
      if (ca->on_path || is_named != named) continue;
      if (steps_left_ == 0 || signatures_left_ == 0) {
        exhausted_ = true;
        return found;
      }
      --steps_left_;
      ca->on_path = true;
      const PathCandidates above =
          FindAtDepth(ca->issuers, ca->issuer_key, depth + 1);
      ca->on_path = false;
      Descend(above, *ca, &found);
    }
  }
  return found;
}

// Goes down to `ca` from every path `above` that issued it.
void BundlePaths::Descend(const PathCandidates& above,
                          const BundleCertificate& ca, PathCandidates* found) {
  for (const IssuerPath* parent : above) {
    if (parent->state.chain().size() > kPathDepthMax) continue;
    if (signatures_left_ == 0) {
      exhausted_ = true;
      return;
    }
    --signatures_left_;
    PathState state = parent->state;
    state.Extend(ca.view);
    if (state.broken().outcome == Outcome::kCertificateChainGeneralFailure) {
      continue;
    }
    IssuerPath& path = built_.emplace_back(std::move(state));
    path.parent = parent;
    path.anchor = parent->anchor;
    path.issuer_text = NameToText(ca.view.subject);
    path.canonical_issuer = ca.canonical_subject;
    found->push_back(&path);
  }
}

}  // namespace inkan
