#include "cache/crl_store.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "crypto/certificate.h"
#include "crypto/general_name.h"
#include "crypto/name.h"
#include "crypto/signature.h"

namespace inkan {
namespace {

std::string ScopeKey(size_t anchor, const std::string& crl_issuer,
                     const std::string& name) {
  return absl::StrCat(anchor, ":", crl_issuer.size(), ":", crl_issuer, name);
}

// cRLNumbers are non-negative DER INTEGERs, so the longer one is the larger.
int CompareNumbers(const std::string& a, const std::string& b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return a.compare(b);
}

// Whether `a` is newer than `b`, two CRLs for one partition.
bool IsNewer(const CrlData& a, const CrlData& b) {
  if (!a.crl_number.empty() && !b.crl_number.empty()) {
    const int order = CompareNumbers(a.crl_number, b.crl_number);
    if (order != 0) return order > 0;
  }
  return a.this_update > b.this_update;
}

bool MaySignCrls(const Certificate& certificate) {
  return !certificate.has_key_usage ||
         (certificate.key_usage & key_usage::kCrlSign) != 0;
}

// What makes two CRLs speak for the same partition.
std::string PartitionIdentity(const CrlData& crl, size_t anchor, Bytes key) {
  std::string identity = ScopeKey(anchor, crl.canonical_issuer, "");
  const CrlScope& scope = crl.scope;
  absl::StrAppend(&identity, "|", crl.is_delta, scope.only_user_certs,
                  scope.only_ca_certs, scope.only_attribute_certs,
                  scope.indirect, "|", scope.some_reasons, "|");
  identity.append(AsText(key));
  for (const std::string& name : crl.scope_names) {
    absl::StrAppend(&identity, "|", name.size(), ":", name);
  }
  return identity;
}

std::string DirectoryNameKey(Bytes name) {
  return CanonicalGeneralName({GeneralNameKind::kDirectoryName, name});
}

}  // namespace

// Decides which CRLs are believed, and arranges them.
class CrlStore::Linker {
 public:
  Linker(CrlStore* store, const CrlStore* previous) : store_(store) {
    if (previous != nullptr && previous->paths_ == store->paths_) {
      previous_ = previous;
    }
    for (const OwnedCertificate& owned : paths().intermediates()) {
      if (!MaySignCrls(owned.view)) continue;
      signers_by_name_[CanonicalName(owned.view.subject)].push_back(
          &owned.view);
    }
  }

  void Link(absl::Span<const std::shared_ptr<const CrlData>> crls) {
    for (const auto& crl : crls) Admit(crl);
    AttachDeltas();
    Arrange();
  }

 private:
  const Profile& profile() const { return *store_->profile_; }
  const IssuerPaths& paths() const { return *store_->paths_; }

  void Refuse(const CrlData& crl, std::string reason) {
    store_->refusals_.push_back({crl.source, std::move(reason)});
  }

  void Admit(const std::shared_ptr<const CrlData>& crl) {
    bool issuer_known = false;
    std::vector<Signer> signers;
    const bool remembered =
        previous_ != nullptr && previous_->signers_.contains(crl.get());
    if (remembered) {
      signers = previous_->signers_.at(crl.get());
    } else {
      signers = FindSigners(*crl, &issuer_known);
    }
    if (signers.empty()) {
      if (issuer_known) {
        Refuse(*crl,
               absl::StrCat(
                   "signatureValue: does not verify with any key that ",
                   NameToText(AsBytes(crl->issuer)), " may sign CRLs with"));
      }
      return;
    }
    if (!crl->has_next_update && !profile().allow_crl_without_next_update) {
      Refuse(*crl, "nextUpdate: absent (profile " + profile().name +
                       " does not allow_crl_without_next_update)");
      return;
    }
    store_->signers_[crl.get()] = signers;
    for (const Signer& signer : signers) AdmitUnder(crl, signer);
  }

  void AdmitUnder(const std::shared_ptr<const CrlData>& crl,
                  const Signer& signer) {
    const Bytes key = signer.certificate != nullptr
                          ? signer.certificate->key.spki
                          : signer.path->state.key().spki;
    const std::string identity =
        PartitionIdentity(*crl, signer.path->anchor, key);
    const auto [known, is_new] =
        by_identity_.try_emplace(identity, admitted_.size());
    if (is_new) {
      admitted_.push_back({crl, nullptr, signer.path, signer.certificate});
      return;
    }
    CrlPartition& partition = admitted_[known->second];
    if (IsNewer(*crl, *partition.crl)) {
      partition.crl = crl;
    } else if (partition.crl->sha256 != crl->sha256) {
      Refuse(*crl, absl::StrCat("cRLNumber: older than the CRL in use, from ",
                                partition.crl->source));
    }
  }

  // Tries the keys of the CA itself, then of CRL signers below it. Sets
  // *issuer_known if any key of that name was there to try.
  std::vector<Signer> FindSigners(const CrlData& crl, bool* issuer_known) {
    std::vector<Signer> signers;
    absl::flat_hash_set<size_t> anchors;
    for (const IssuerPath* path : paths().FindCanonical(crl.canonical_issuer)) {
      *issuer_known = true;
      const PathState& state = path->state;
      if (anchors.contains(path->anchor) || !state.broken().ok() ||
          !MaySignCrls(state.last()) ||
          !Verifies(crl, state.key(), state.prepared_key())) {
        continue;
      }
      anchors.insert(path->anchor);
      signers.push_back({path, nullptr});
    }
    const auto delegated = signers_by_name_.find(crl.canonical_issuer);
    if (delegated == signers_by_name_.end()) return signers;
    *issuer_known = true;
    for (const Certificate* certificate : delegated->second) {
      if (!Verifies(crl, certificate->key, nullptr)) continue;
      for (const IssuerPath* path : paths().Find(certificate->issuer)) {
        if (anchors.contains(path->anchor) || !Vouches(*path, *certificate)) {
          continue;
        }
        anchors.insert(path->anchor);
        signers.push_back({path, certificate});
      }
    }
    return signers;
  }

  static bool Verifies(const CrlData& crl, const PublicKey& key,
                       const RsaPreparedKey* prepared) {
    SignatureJob job;
    job.key = &key;
    job.prepared = prepared;
    job.algorithm = crl.signature_algorithm;
    job.digest = AsBytes(crl.tbs_digest);
    job.signature = AsBytes(crl.signature);
    VerifyBatch({&job, 1});
    return job.result == SignatureResult::kValid;
  }

  // Whether `path` leads to `certificate` as a CRL signer.
  static bool Vouches(const IssuerPath& path, const Certificate& certificate) {
    const LeafRules any_use;
    if (!path.state.Accept(certificate, any_use, nullptr).ok()) return false;
    std::array<uint8_t, kDigestBytesMax> digest;
    const DigestJob hash = {certificate.signature_algorithm.hash,
                            certificate.tbs, digest.data()};
    DigestBatch({&hash, 1});
    SignatureJob job;
    job.key = &path.state.key();
    job.prepared = path.state.prepared_key();
    job.algorithm = certificate.signature_algorithm;
    job.digest = Bytes(digest.data(), DigestSize(hash.algorithm));
    job.signature = certificate.signature;
    VerifyBatch({&job, 1});
    return job.result == SignatureResult::kValid;
  }

  // Moves each delta to the complete CRL it applies to (RFC 5280
  // section 5.2.4): same issuer, key and scope, a base not newer than the
  // complete CRL, and a number above it.
  void AttachDeltas() {
    for (CrlPartition& delta : admitted_) {
      if (!delta.crl->is_delta) continue;
      for (CrlPartition& base : admitted_) {
        if (base.crl->is_delta || !SamePartition(base, delta)) continue;
        const bool applies =
            !base.crl->crl_number.empty() && !delta.crl->crl_number.empty() &&
            CompareNumbers(delta.crl->base_crl_number, base.crl->crl_number) <=
                0 &&
            CompareNumbers(delta.crl->crl_number, base.crl->crl_number) >= 0;
        if (applies) base.delta = delta.crl;
      }
    }
    for (CrlPartition& partition : admitted_) {
      if (!partition.crl->is_delta) {
        store_->partitions_.push_back(std::move(partition));
      }
    }
  }

  static bool SamePartition(const CrlPartition& a, const CrlPartition& b) {
    const CrlScope& x = a.crl->scope;
    const CrlScope& y = b.crl->scope;
    return a.signer == b.signer &&
           a.signer_certificate == b.signer_certificate &&
           a.crl->canonical_issuer == b.crl->canonical_issuer &&
           a.crl->scope_names == b.crl->scope_names &&
           x.only_user_certs == y.only_user_certs &&
           x.only_ca_certs == y.only_ca_certs &&
           x.only_attribute_certs == y.only_attribute_certs &&
           x.indirect == y.indirect && x.some_reasons == y.some_reasons;
  }

  void Arrange() {
    auto& partitions = store_->partitions_;
    store_->by_encoding_.resize(paths().paths().size());
    for (uint32_t i = 0; i < partitions.size(); ++i) {
      const CrlPartition& partition = partitions[i];
      const CrlData& crl = *partition.crl;
      const size_t anchor = partition.signer->anchor;
      store_->used_.insert(crl.sha256);
      if (partition.delta != nullptr) {
        store_->used_.insert(partition.delta->sha256);
      }
      if (crl.scope_names.empty()) {
        store_->by_scope_[ScopeKey(anchor, crl.canonical_issuer, "")].push_back(
            i);
      }
      for (const std::string& name : crl.scope_names) {
        store_->by_scope_[ScopeKey(anchor, crl.canonical_issuer, name)]
            .push_back(i);
      }
      const bool plain = !crl.scope_encoding.empty() && !crl.scope.indirect &&
                         !crl.scope.has_some_reasons &&
                         !crl.scope.only_ca_certs &&
                         !crl.scope.only_attribute_certs &&
                         partition.signer_certificate == nullptr;
      if (plain) {
        store_->by_encoding_[partition.signer->id][crl.scope_encoding] = i;
      }
    }
  }

  CrlStore* store_;
  const CrlStore* previous_ = nullptr;
  std::vector<CrlPartition> admitted_;
  absl::flat_hash_map<std::string, size_t> by_identity_;
  absl::flat_hash_map<std::string, std::vector<const Certificate*>>
      signers_by_name_;
};

// One question: what is known at `time` about one certificate.
class CrlStore::Query {
 public:
  Query(const CrlStore& store, const Certificate& certificate,
        const IssuerPath& issuer, int64_t time, int depth = 0,
        const CrlPartition* signer_of = nullptr)
      : store_(store),
        certificate_(certificate),
        issuer_(issuer),
        time_(time),
        depth_(depth),
        signer_of_(signer_of) {}

  RevocationEvidence Run() {
    if (const CrlPartition* partition =
            store_.FindByEncoding(certificate_, issuer_)) {
      RevocationEvidence evidence = Judge(*partition);
      if (evidence.status != RevocationStatus::kUnknown) return evidence;
    }
    AskDistributionPoints();
    // RFC 5280 section 6.3.3, last paragraph: then any CRL of the issuer
    // itself.
    if (!done_) AskImpliedPoint();
    if (!done_) Conclude();
    return best_;
  }

  // RFC 5280 section 6.3.3 (i)-(k), with the dates of the entries.
  RevocationEvidence Judge(const CrlPartition& partition) const {
    RevocationEvidence evidence;
    const CrlData& base = *partition.crl;
    evidence.crl = &base;
    if (!SignerHolds(partition)) {
      evidence.reason = "the key that signed the CRL is not good itself";
      return evidence;
    }
    if (partition.delta != nullptr && FindEntry(*partition.delta, &evidence)) {
      evidence.crl = partition.delta.get();
      if (evidence.entry.reason == crl_reason::kRemoveFromCrl) {
        evidence.has_entry = false;
      }
    } else {
      FindEntry(base, &evidence);
    }
    const bool revoked_by_now =
        evidence.has_entry && evidence.entry.EffectiveAt() <= time_;
    const bool on_hold = evidence.entry.reason == crl_reason::kCertificateHold;
    // A revocation is final, so even a stale CRL proves it; a hold is not.
    if (revoked_by_now && !on_hold) {
      evidence.status = RevocationStatus::kRevoked;
      evidence.reason = "revoked";
      return evidence;
    }
    const char* stale = WhyStale(base);
    if (stale != nullptr && partition.delta != nullptr) {
      stale = WhyStale(*partition.delta);
    }
    if (stale == nullptr && !evidence.has_entry && MayHaveDropped(base)) {
      stale =
          "the certificate had expired before the CRL was issued, and its "
          "entry may have been dropped";
    }
    if (stale != nullptr) {
      evidence.reason = stale;
      return evidence;
    }
    evidence.status = revoked_by_now       ? RevocationStatus::kOnHold
                      : evidence.has_entry ? RevocationStatus::kRevokedLater
                                           : RevocationStatus::kGood;
    return evidence;
  }

 private:
  bool FindEntry(const CrlData& crl, RevocationEvidence* evidence) const {
    const CrlIndex* index = &crl.index;
    if (crl.scope.indirect &&
        crl.canonical_issuer != issuer_.canonical_issuer) {
      const auto other = crl.indirect.find(issuer_.canonical_issuer);
      if (other == crl.indirect.end()) return false;
      index = &other->second;
    }
    evidence->has_entry = index->Find(certificate_.serial, &evidence->entry);
    return evidence->has_entry;
  }

  const char* WhyStale(const CrlData& crl) const {
    const Profile& profile = *store_.profile_;
    if (crl.has_next_update && time_ > crl.next_update + profile.crl_grace) {
      return "the newest CRL ended (nextUpdate) before the verification time";
    }
    if (!crl.has_next_update && !profile.crl_max_age.has_value()) {
      return "the CRL has no nextUpdate and the profile no crl_max_age";
    }
    if (profile.crl_max_age.has_value() &&
        time_ - crl.this_update > *profile.crl_max_age) {
      return "the newest CRL is older than the profile's crl_max_age";
    }
    return nullptr;
  }

  // A CA may leave certificates out of its CRLs once they have expired.
  bool MayHaveDropped(const CrlData& crl) const {
    const int64_t expiry = certificate_.validity.not_after;
    if (expiry >= crl.this_update) return false;
    return !crl.has_expired_certs_on_crl || crl.expired_certs_on_crl > expiry;
  }

  // A CRL signed by the certificate's own issuer stands or falls with the path,
  // which the caller judges. Another signer must have been valid when the CRL
  // was made, and not be revoked.
  bool SignerHolds(const CrlPartition& partition) const {
    const CrlPartition& p = partition;
    if (p.signer == &issuer_ && p.signer_certificate == nullptr) return true;
    // A CRL signer whose CA has it speak for itself (PKITS 4.14.30): that its
    // own CRL does not list it is all there is to know. Longer circles prove
    // nothing.
    if (&p == signer_of_) return true;
    if (depth_ >= kPathDepthMax) return false;
    const int64_t made = p.crl->this_update;
    const int64_t judged = std::max(made, time_);
    if (!p.signer->state.CheckValidity(made).ok()) return false;
    if (const Certificate* signer = p.signer_certificate) {
      if (made < signer->validity.not_before ||
          made > signer->validity.not_after ||
          !IsGoodSigner(*signer, *p.signer, judged, p)) {
        return false;
      }
    }
    for (const IssuerPath* path = p.signer; path->parent != nullptr;
         path = path->parent) {
      if (!IsGoodSigner(path->state.last(), *path->parent, judged, p)) {
        return false;
      }
    }
    return true;
  }

  bool IsGoodSigner(const Certificate& signer, const IssuerPath& issuer,
                    int64_t time, const CrlPartition& signer_of) const {
    Query query(store_, signer, issuer, time, depth_ + 1, &signer_of);
    return IsGood(query.Run().status);
  }

  void AskDistributionPoints() {
    DerReader points(certificate_.crl_distribution_points);
    DistributionPoint point;
    while (!done_ && !points.empty() &&
           ReadDistributionPoint(&points, &point)) {
      AskPoint(point);
    }
  }

  void AskImpliedPoint() {
    Candidates candidates;
    Collect(issuer_.canonical_issuer, {DirectoryNameKey(certificate_.issuer)},
            &candidates);
    AskCandidates(candidates, kAllReasons, /*want_indirect=*/false);
  }

  using Candidates = std::vector<const CrlPartition*>;

  void Collect(const std::string& crl_issuer,
               const std::vector<std::string>& names, Candidates* found) {
    const auto add = [&](const std::string& name) {
      const auto scope =
          store_.by_scope_.find(ScopeKey(issuer_.anchor, crl_issuer, name));
      if (scope == store_.by_scope_.end()) return;
      for (const uint32_t i : scope->second) {
        const CrlPartition* partition = &store_.partitions_[i];
        if (std::find(found->begin(), found->end(), partition) ==
            found->end()) {
          found->push_back(partition);
        }
      }
    };
    for (const std::string& name : names) add(name);
    add("");
  }

  // RFC 5280 section 6.3.3 (b)(1)-(2): the CRLs that match one point.
  void AskPoint(const DistributionPoint& point) {
    std::vector<Bytes> crl_issuers;  // Name elements
    DerReader reader(point.crl_issuer);
    GeneralName name;
    while (!reader.empty() && ReadGeneralName(&reader, &name)) {
      if (name.kind == GeneralNameKind::kDirectoryName) {
        crl_issuers.push_back(name.value);
      }
    }
    const bool indirect = !point.crl_issuer.empty();
    if (!indirect) crl_issuers.push_back(certificate_.issuer);
    Candidates candidates;
    for (const Bytes crl_issuer : crl_issuers) {
      Collect(CanonicalName(crl_issuer), PointNames(point, crl_issuer),
              &candidates);
    }
    AskCandidates(candidates, point.reasons, indirect);
  }

  // The names a CRL's distribution point may match; without any, the point's
  // cRLIssuer stands in.
  static std::vector<std::string> PointNames(const DistributionPoint& point,
                                             Bytes crl_issuer) {
    std::vector<std::string> names;
    if (!point.name.relative_name.empty()) {
      const std::string full =
          NameWithRdn(crl_issuer, point.name.relative_name);
      if (!full.empty()) names.push_back(DirectoryNameKey(AsBytes(full)));
    }
    DerReader reader(point.name.full_names);
    GeneralName name;
    while (!reader.empty() && ReadGeneralName(&reader, &name)) {
      names.push_back(CanonicalGeneralName(name));
    }
    if (names.empty()) names.push_back(DirectoryNameKey(crl_issuer));
    return names;
  }

  bool FlagsFit(const CrlPartition& partition, bool want_indirect) const {
    const CrlScope& scope = partition.crl->scope;
    if (scope.only_attribute_certs) return false;
    if (scope.only_user_certs && certificate_.is_ca) return false;
    if (scope.only_ca_certs && !certificate_.is_ca) return false;
    return !want_indirect || scope.indirect;
  }

  static bool SignedByOwnKey(const CrlPartition& partition,
                             const IssuerPath& issuer) {
    return partition.signer_certificate == nullptr &&
           SameBytes(partition.signer->state.key().spki,
                     issuer.state.key().spki);
  }

  // Asks CRLs until all reasons are covered. A CRL signed with the key that
  // signed the certificate is asked alone where there is one: another
  // generation of the CA may have the same name, and numbers its certificates
  // anew.
  void AskCandidates(Candidates candidates, uint16_t point_reasons,
                     bool want_indirect) {
    std::erase_if(candidates, [&](const CrlPartition* p) {
      return !FlagsFit(*p, want_indirect);
    });
    const bool has_own = std::any_of(
        candidates.begin(), candidates.end(),
        [&](const CrlPartition* p) { return SignedByOwnKey(*p, issuer_); });
    for (const CrlPartition* partition : candidates) {
      if (has_own && !want_indirect && !SignedByOwnKey(*partition, issuer_)) {
        continue;
      }
      const auto reasons = static_cast<uint16_t>(
          point_reasons & partition->crl->scope.some_reasons & kAllReasons);
      if ((reasons & ~covered_) == 0) continue;
      Weigh(Judge(*partition), reasons);
      if (done_) return;
    }
  }

  void Weigh(const RevocationEvidence& evidence, uint16_t reasons) {
    if (evidence.status == RevocationStatus::kUnknown) {
      if (best_.crl == nullptr) best_ = evidence;
      return;
    }
    if (!IsGood(evidence.status)) {
      best_ = evidence;
      done_ = true;
      return;
    }
    covered_ = static_cast<uint16_t>(covered_ | reasons);
    if (good_.crl == nullptr ||
        evidence.status == RevocationStatus::kRevokedLater) {
      good_ = evidence;
    }
    if (covered_ == kAllReasons) {
      best_ = good_;
      done_ = true;
    }
  }

  void Conclude() {
    if (best_.crl != nullptr) return;  // stale: its own reason is the best one
    if (good_.crl != nullptr) {
      best_ = good_;
      best_.status = RevocationStatus::kUnknown;
      best_.reason = "the CRLs at hand do not cover all reasons";
      return;
    }
    best_.reason = "no CRL at hand covers the certificate";
  }

  const CrlStore& store_;
  const Certificate& certificate_;
  const IssuerPath& issuer_;
  int64_t time_;
  int depth_;
  // The partition whose signer is asked about, if this is such a question.
  const CrlPartition* signer_of_;

  RevocationEvidence best_;
  RevocationEvidence good_;
  uint16_t covered_ = 0;
  bool done_ = false;
};

std::shared_ptr<const CrlStore> CrlStore::Link(
    std::shared_ptr<const Profile> profile,
    std::shared_ptr<const IssuerPaths> paths,
    absl::Span<const std::shared_ptr<const CrlData>> crls,
    const CrlStore* previous) {
  auto store = std::make_shared<CrlStore>();
  store->profile_ = std::move(profile);
  store->paths_ = std::move(paths);
  Linker(store.get(), previous).Link(crls);
  return store;
}

const CrlPartition* CrlStore::FindByEncoding(const Certificate& certificate,
                                             const IssuerPath& issuer) const {
  if (issuer.id == IssuerPath::kNotKept || certificate.is_ca) return nullptr;
  DerReader points(certificate.crl_distribution_points);
  DistributionPoint point;
  if (!ReadDistributionPoint(&points, &point) || !points.empty() ||
      point.has_reasons || !point.crl_issuer.empty() ||
      point.name.full_names.empty()) {
    return nullptr;
  }
  const Bytes names = point.name.full_names;
  const auto& partitions = by_encoding_[issuer.id];
  const auto found = partitions.find(absl::string_view(
      reinterpret_cast<const char*>(names.data()), names.size()));
  return found == partitions.end() ? nullptr : &partitions_[found->second];
}

RevocationEvidence CrlStore::Check(const Certificate& certificate,
                                   const IssuerPath& issuer,
                                   int64_t time) const {
  return Query(*this, certificate, issuer, time).Run();
}

}  // namespace inkan
