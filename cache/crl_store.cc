// Asking: what the CRLs at hand say about one certificate at one time.
#include "cache/crl_store.h"

#include <algorithm>
#include <utility>

#include "cache/crl_scope.h"
#include "crypto/certificate.h"
#include "crypto/der.h"
#include "crypto/general_name.h"
#include "crypto/name.h"

namespace inkan {
namespace {

// CanonicalGeneralName of a directoryName, by the CanonicalName of its Name.
std::string DirectoryNameKey(const std::string& canonical_name) {
  constexpr char kKind = static_cast<char>(GeneralNameKind::kDirectoryName);
  return kKind + canonical_name;
}

// The names of one distribution point, each prepared once however many
// cRLIssuers there are.
struct PointNames {
  explicit PointNames(const DistributionPoint& point)
      : present(point.name.present()) {
    DerReader reader(point.name.full_names);
    GeneralName name;
    while (!reader.empty() && ReadGeneralName(&reader, &name)) {
      full.push_back(CanonicalGeneralName(name));
    }
    if (!point.name.relative_name.empty()) {
      constexpr uint8_t kEmptyName[] = {der::kSequence, 0};
      relative = CanonicalName(
          AsBytes(NameWithRdn(kEmptyName, point.name.relative_name)));
    }
  }

  // The names a CRL's distribution point may match, of a CRL issuer of this
  // CanonicalName; where the point has none, the issuer's stands in.
  std::vector<std::string> Under(const std::string& crl_issuer) const {
    std::vector<std::string> names = full;
    if (!relative.empty()) {
      names.push_back(DirectoryNameKey(crl_issuer + relative));
    }
    if (!present) names.push_back(DirectoryNameKey(crl_issuer));
    return names;
  }

  bool present;
  std::vector<std::string> full;  // CanonicalGeneralNames
  // What nameRelativeToCRLIssuer adds to a CanonicalName, which is written RDN
  // by RDN; empty if it is absent.
  std::string relative;
};

}  // namespace

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
    if (!Determined()) AskImpliedPoint();
    return Conclude();
  }

  // RFC 5280 section 6.3.3 (i)-(k), with the dates of the entries.
  RevocationEvidence Judge(const CrlPartition& partition) const {
    RevocationEvidence evidence;
    const CrlData& base = *partition.crl;
    evidence.crl = &base;
    if (partition.delta != nullptr) {
      evidence.complete = &base;
      evidence.delta = partition.delta.get();
    }
    if (!SignerHolds(partition)) {
      evidence.reason = "the key that signed the CRL is not good itself";
      return evidence;
    }
    FindEntries(partition, &evidence);
    const bool revoked_by_now =
        evidence.has_entry && evidence.entry.EffectiveAt() <= time_;
    const bool on_hold = IsHold(evidence.entry);
    // A revocation is final, so even a stale CRL proves it; a hold is not.
    if (revoked_by_now && !on_hold) {
      evidence.status = RevocationStatus::kRevoked;
      evidence.reason = "revoked";
      return evidence;
    }
    // A delta renews the complete CRL it applies to (section 6.3.3 (a)), and
    // where there is one, what it does not say any more is missing.
    const char* stale =
        WhyStale(partition.delta != nullptr ? *partition.delta : base);
    const bool may_have_dropped =
        MayHaveDropped(base) ||
        (partition.delta != nullptr && MayHaveDropped(*partition.delta));
    if (stale == nullptr && !evidence.has_entry && may_have_dropped) {
      stale =
          "the certificate had expired before the CRL was issued, and its "
          "entry may have been dropped";
    }
    if (partition.newer_delta_missing) {
      stale = "a newer delta CRL that was in force is not at hand";
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
  static bool IsHold(const Revocation& entry) {
    return entry.reason == crl_reason::kCertificateHold;
  }

  // How much an entry says against the certificate at the time asked about.
  int GravityOf(const Revocation& entry) const {
    if (entry.EffectiveAt() > time_) return 0;
    return IsHold(entry) ? 1 : 2;
  }

  // Whether the complete CRL's entry stands although the delta has one too. A
  // revocation is final: removeFromCRL lifts a hold, but CAs also write it when
  // a revoked certificate expires (section 5.3.1), and before that it stays
  // revoked. Nor does a revocation that is dated later lift the hold before it:
  // X.509 has the entry that follows a hold keep the hold's date.
  bool Stands(const Revocation& entry, const Revocation& changed) const {
    if (changed.reason == crl_reason::kRemoveFromCrl) return !IsHold(entry);
    if (IsHold(entry) && IsHold(changed)) return false;  // held once more
    const int gravity = GravityOf(entry);
    const int changed_gravity = GravityOf(changed);
    if (gravity != changed_gravity) return gravity > changed_gravity;
    return !IsHold(entry) && entry.EffectiveAt() <= changed.EffectiveAt();
  }

  // The delta's word goes before the complete CRL's, unless that stands.
  void FindEntries(const CrlPartition& partition,
                   RevocationEvidence* evidence) const {
    evidence->has_entry = FindEntry(*partition.crl, &evidence->entry);
    Revocation changed;
    if (partition.delta == nullptr || !FindEntry(*partition.delta, &changed)) {
      return;
    }
    if (evidence->has_entry && Stands(evidence->entry, changed)) return;
    evidence->crl = partition.delta.get();
    evidence->has_entry = changed.reason != crl_reason::kRemoveFromCrl;
    evidence->entry = changed;
  }

  bool FindEntry(const CrlData& crl, Revocation* entry) const {
    const CrlIndex* index = &crl.index;
    if (crl.scope.indirect &&
        crl.canonical_issuer != issuer_.canonical_issuer) {
      const auto other = crl.indirect.find(issuer_.canonical_issuer);
      if (other == crl.indirect.end()) return false;
      index = &other->second;
    }
    return index->Find(certificate_.serial, entry);
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
    // Another path to the same CA: the same name and key.
    if (p.signer->canonical_issuer == issuer_.canonical_issuer &&
        SignedByOwnKey(p, issuer_) && MaySignCrls(issuer_.state.last())) {
      return true;
    }
    // A CRL signer whose CA has it speak for itself (PKITS 4.14.30): that its
    // own CRL does not list it is all there is to know. Longer circles prove
    // nothing.
    if (&p == signer_of_) return true;
    if (depth_ >= kPathDepthMax) return false;
    // A delta renews what the complete CRL says, and changes it.
    return SignerHoldsAt(p, p.crl->this_update) &&
           (p.delta == nullptr || SignerHoldsAt(p, p.delta->this_update));
  }

  bool SignerHoldsAt(const CrlPartition& p, int64_t made) const {
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
    while (!revoked_ && !points.empty() &&
           ReadDistributionPoint(&points, &point)) {
      AskPoint(point);
    }
  }

  void AskImpliedPoint() {
    Candidates candidates;
    Collect(issuer_.canonical_issuer,
            {DirectoryNameKey(issuer_.canonical_issuer)}, &candidates);
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
    const PointNames names(point);
    const bool indirect = !point.crl_issuer.empty();
    Candidates candidates;
    if (!indirect) {
      const std::string& own = issuer_.canonical_issuer;
      Collect(own, names.Under(own), &candidates);
    }
    DerReader reader(point.crl_issuer);
    GeneralName name;
    while (!reader.empty() && ReadGeneralName(&reader, &name)) {
      if (name.kind != GeneralNameKind::kDirectoryName) continue;
      const std::string crl_issuer = CanonicalName(name.value);
      Collect(crl_issuer, names.Under(crl_issuer), &candidates);
    }
    AskCandidates(candidates, point.reasons, indirect);
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

  // Asks every CRL that speaks about the certificate. RFC 5280 would stop where
  // all reasons are covered; but what covers them may be older than a CRL that
  // was not asked yet and says more. A CRL signed with the key that signed the
  // certificate is asked alone where there is one: another generation of the CA
  // may have the same name, and numbers its certificates anew. Where there was
  // one that is not at hand any more, none of the others tells what it said.
  void AskCandidates(Candidates candidates, uint16_t point_reasons,
                     bool want_indirect) {
    std::erase_if(candidates, [&](const CrlPartition* p) {
      return !FlagsFit(*p, want_indirect);
    });
    const bool has_own = std::any_of(
        candidates.begin(), candidates.end(),
        [&](const CrlPartition* p) { return SignedByOwnKey(*p, issuer_); });
    own_missing_ |=
        !has_own &&
        std::any_of(candidates.begin(), candidates.end(),
                    [&](const CrlPartition* p) { return OwnIsMissing(*p); });
    for (const CrlPartition* partition : candidates) {
      const bool of_other =
          !want_indirect && !SignedByOwnKey(*partition, issuer_);
      if (of_other && has_own) continue;
      const auto reasons = static_cast<uint16_t>(
          point_reasons & partition->crl->scope.some_reasons & kAllReasons);
      if (reasons == 0) continue;
      if (of_other && own_missing_) {
        RevocationEvidence evidence;
        evidence.crl = partition->crl.get();
        evidence.reason =
            "a CRL of the key that issued the certificate was in force and is "
            "not at hand";
        Weigh(evidence, MadeAt(*partition), reasons);
        continue;
      }
      Weigh(JudgeOnce(*partition), MadeAt(*partition), reasons);
      if (revoked_) return;
    }
  }

  // Whether the issuer's key had a CRL of the partition's scope that is lost.
  bool OwnIsMissing(const CrlPartition& partition) const {
    const Bytes own = issuer_.state.key().spki;
    return std::any_of(partition.keys_missing.begin(),
                       partition.keys_missing.end(),
                       [own](Bytes key) { return SameBytes(key, own); });
  }

  // Many points may lead to one partition, and what it says is the same.
  const RevocationEvidence& JudgeOnce(const CrlPartition& partition) {
    const auto [known, is_new] = judged_.try_emplace(&partition);
    if (is_new) known->second = Judge(partition);
    return known->second;
  }

  // When the newest word of the partition was said.
  static int64_t MadeAt(const CrlPartition& partition) {
    const CrlData* delta = partition.delta.get();
    return delta == nullptr
               ? partition.crl->this_update
               : std::max(partition.crl->this_update, delta->this_update);
  }

  void Weigh(const RevocationEvidence& evidence, int64_t made,
             uint16_t reasons) {
    switch (evidence.status) {
      case RevocationStatus::kUnknown:
        if (unknown_.crl == nullptr) unknown_ = evidence;
        return;
      case RevocationStatus::kRevoked:
        revoked_ = true;
        worst_ = evidence;
        return;
      case RevocationStatus::kOnHold:
        if (made >= hold_made_) {
          hold_made_ = made;
          worst_ = evidence;
        }
        covered_ = static_cast<uint16_t>(covered_ | reasons);
        return;
      default:
        break;
    }
    covered_ = static_cast<uint16_t>(covered_ | reasons);
    const bool listed_for_good = evidence.has_entry && !IsHold(evidence.entry);
    if ((reasons & kHoldReason) != 0 && !listed_for_good) {
      hold_denied_made_ = std::max(hold_denied_made_, made);
    }
    const bool later = evidence.status == RevocationStatus::kRevokedLater;
    // What is told is the newest CRL that says good, or one that knows more.
    if (good_.crl == nullptr ||
        later > (good_.status == RevocationStatus::kRevokedLater) ||
        (later == (good_.status == RevocationStatus::kRevokedLater) &&
         evidence.crl->this_update > good_.crl->this_update)) {
      good_ = evidence;
    }
  }

  // A hold stands until a CRL that is newer, and would list it, does not. One
  // that lists a revocation instead, of a later date, does not say that the
  // hold was lifted before.
  bool OnHold() const {
    return worst_.crl != nullptr && hold_made_ >= hold_denied_made_;
  }

  bool Determined() const {
    return revoked_ || OnHold() || covered_ == kAllReasons;
  }

  RevocationEvidence Conclude() const {
    if (revoked_ || OnHold()) return worst_;
    if (covered_ == kAllReasons && good_.crl != nullptr) return good_;
    // Stale: its own reason is the best one.
    if (unknown_.crl != nullptr) return unknown_;
    RevocationEvidence evidence = good_;
    evidence.status = RevocationStatus::kUnknown;
    evidence.reason = good_.crl != nullptr
                          ? "the CRLs at hand do not cover all reasons"
                          : "no CRL at hand covers the certificate";
    return evidence;
  }

  // The bit of certificateHold in ReasonFlags (RFC 5280 section 4.2.1.13).
  static constexpr uint16_t kHoldReason = 1U << 6;

  const CrlStore& store_;
  const Certificate& certificate_;
  const IssuerPath& issuer_;
  int64_t time_;
  int depth_;
  // The partition whose signer is asked about, if this is such a question.
  const CrlPartition* signer_of_;

  absl::flat_hash_map<const CrlPartition*, RevocationEvidence> judged_;
  RevocationEvidence worst_;    // revoked, else on hold; of the newest CRL
  RevocationEvidence good_;     // good or revoked later
  RevocationEvidence unknown_;  // the first that is stale
  bool revoked_ = false;
  // A CRL of the issuer's own key is known to exist, and not at hand.
  bool own_missing_ = false;
  int64_t hold_made_ = INT64_MIN;
  int64_t hold_denied_made_ = INT64_MIN;
  uint16_t covered_ = 0;  // reasons that some CRL speaks for
};

const CrlPartition* CrlStore::FindByEncoding(const Certificate& certificate,
                                             const IssuerPath& issuer) const {
  if (issuer.id == IssuerPath::kNotKept || certificate.is_ca) return nullptr;
  // One DistributionPoint with one distributionPoint, of form fullName, and
  // nothing else. What it holds need not be read: it is compared whole.
  DerReader reader(certificate.crl_distribution_points);
  Bytes names;
  for (const uint8_t tag : {der::kSequence, der::ContextConstructed(0),
                            der::ContextConstructed(0)}) {
    if (!reader.Read(tag, &names) || !reader.empty()) return nullptr;
    reader = DerReader(names);
  }
  if (names.empty()) return nullptr;
  const auto& partitions = by_encoding_[issuer.id];
  const auto found = partitions.find(absl::string_view(
      reinterpret_cast<const char*>(names.data()), names.size()));
  return found == partitions.end() ? nullptr : &partitions_[found->second];
}

RevocationEvidence CrlStore::Check(const Certificate& certificate,
                                   const IssuerPath& issuer,
                                   int64_t time) const {
  // No X.509 time lies beyond these, and within them no difference overflows.
  return Query(*this, certificate, issuer, std::clamp(time, kTimeMin, kTimeMax))
      .Run();
}

}  // namespace inkan
