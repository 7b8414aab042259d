// Linking: which CRLs a profile believes, and how they are arranged.
#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "cache/background_thread.h"
#include "cache/crl_scope.h"
#include "cache/crl_store.h"
#include "crypto/certificate.h"
#include "crypto/name.h"
#include "crypto/signature.h"

namespace inkan {
namespace {

// cRLNumbers are non-negative DER INTEGERs, so the longer one is the larger.
int CompareNumbers(const std::string& a, const std::string& b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return a.compare(b);
}

// Of the key that a CRL was found to be signed with: SubjectPublicKeyInfo.
Bytes KeyOf(const IssuerPath& path, const Certificate* certificate) {
  return certificate != nullptr ? certificate->key.spki : path.state.key().spki;
}

// What makes two CRLs speak for the same partition.
std::string PartitionIdentity(const CrlData& crl, size_t anchor, Bytes key) {
  std::string identity = ScopeKey(anchor, crl.canonical_issuer, "");
  const CrlScope& scope = crl.scope;
  // Deltas to unlike bases stand side by side: the one that applies to the
  // complete CRL at hand may not be the newest.
  absl::StrAppend(&identity, "|", crl.is_delta, crl.base_crl_number.size(), ":",
                  crl.base_crl_number, "|", scope.only_user_certs,
                  scope.only_ca_certs, scope.only_attribute_certs,
                  scope.indirect, "|", scope.some_reasons, "|");
  identity.append(AsText(key));
  for (const std::string& name : crl.scope_names) {
    absl::StrAppend(&identity, "|", name.size(), ":", name);
  }
  return identity;
}

}  // namespace

// Decides which CRLs are believed, and arranges them.
class CrlStore::Linker {
 public:
  Linker(CrlStore* store, const CrlStore* previous, const CrlFloors* floors)
      : store_(store), floors_(floors) {
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
    for (const auto& crl : crls) {
      KeepBackgroundPace();
      Admit(crl);
    }
    DropBelowFloors();
    AttachDeltas();
    FindMissing();
    Arrange();
  }

  absl::StatusOr<std::vector<Bytes>> SigningKeys(const CrlData& crl) {
    bool issuer_known = false;
    std::vector<Bytes> keys;
    for (const Signer& signer : FindSigners(crl, &issuer_known)) {
      const Bytes key = KeyOf(*signer.path, signer.certificate);
      if (std::none_of(keys.begin(), keys.end(),
                       [key](Bytes one) { return SameBytes(one, key); })) {
        keys.push_back(key);
      }
    }
    if (!keys.empty()) return keys;
    if (!issuer_known) return absl::NotFoundError("nobody of this name");
    return absl::InvalidArgumentError(WhyNotSigned(crl));
  }

 private:
  const Profile& profile() const { return *store_->profile_; }
  const IssuerPaths& paths() const { return *store_->paths_; }

  void Refuse(const CrlData& crl, std::string reason) {
    store_->refusals_.push_back({crl.source, std::move(reason)});
  }

  static std::string WhyNotSigned(const CrlData& crl) {
    return absl::StrCat("signatureValue: does not verify with any key that ",
                        NameToText(AsBytes(crl.issuer)), " may sign CRLs with");
  }

  void Supersede(const CrlData& crl) { store_->superseded_.insert(crl.sha256); }

  void Admit(const std::shared_ptr<const CrlData>& crl) {
    bool issuer_known = false;
    std::vector<Signer> signers;
    if (previous_ != nullptr && previous_->signers_.contains(crl->sha256)) {
      signers = previous_->signers_.at(crl->sha256);
    } else {
      signers = FindSigners(*crl, &issuer_known);
    }
    if (signers.empty()) {
      if (issuer_known) Refuse(*crl, WhyNotSigned(*crl));
      return;
    }
    if (!crl->has_next_update && !profile().allow_crl_without_next_update) {
      Refuse(*crl, "nextUpdate: absent (profile " + profile().name +
                       " does not allow_crl_without_next_update)");
      return;
    }
    store_->signers_[crl->sha256] = signers;
    for (const Signer& signer : signers) AdmitUnder(crl, signer);
  }

  static CrlPartition PartitionOf(const std::shared_ptr<const CrlData>& crl,
                                  const Signer& signer) {
    CrlPartition partition;
    partition.crl = crl;
    partition.signer = signer.path;
    partition.signer_certificate = signer.certificate;
    return partition;
  }

  void AdmitUnder(const std::shared_ptr<const CrlData>& crl,
                  const Signer& signer) {
    const Bytes key = KeyOf(*signer.path, signer.certificate);
    const std::string identity =
        PartitionIdentity(*crl, signer.path->anchor, key);
    const auto [known, is_new] =
        by_identity_.try_emplace(identity, admitted_.size());
    if (is_new) {
      admitted_.push_back(PartitionOf(crl, signer));
      return;
    }
    CrlPartition& partition = admitted_[known->second];
    if (IsNewerCrl(*crl, *partition.crl)) {
      Supersede(*partition.crl);
      partition = PartitionOf(crl, signer);
    } else if (partition.crl->sha256 != crl->sha256) {
      Supersede(*crl);
      Refuse(*crl, absl::StrCat("cRLNumber: older than the CRL in use, from ",
                                partition.crl->source));
    }
  }

  // What is the newest at hand may be older than what was in force before.
  void DropBelowFloors() {
    if (floors_ == nullptr) return;
    std::erase_if(admitted_, [this](const CrlPartition& partition) {
      const CrlData& crl = *partition.crl;
      if (!floors_->IsBelow(
              crl, KeyOf(*partition.signer, partition.signer_certificate))) {
        return false;
      }
      Supersede(crl);
      Refuse(crl, absl::StrCat(
                      "cRLNumber: older than a CRL that was in force before, "
                      "which is not at hand; to take an older one all the "
                      "same, stop the server and remove ",
                      floors_->path()));
      return true;
    });
  }

  // Keys of the partition's CA whose own CRLs for its scope were in force, and
  // are none of `at_hand` (PartitionIdentity).
  std::vector<Bytes> KeysMissing(
      const CrlPartition& partition,
      const absl::flat_hash_set<std::string>& at_hand) const {
    std::vector<Bytes> keys;
    const CrlData& crl = *partition.crl;
    const size_t anchor = partition.signer->anchor;
    const Bytes own = KeyOf(*partition.signer, partition.signer_certificate);
    for (const IssuerPath* path : paths().FindCanonical(crl.canonical_issuer)) {
      const PathState& state = path->state;
      const Bytes key = state.key().spki;
      if (path->anchor != anchor || SameBytes(key, own) ||
          !state.broken().ok() || !MaySignCrls(state.last()) ||
          at_hand.contains(PartitionIdentity(crl, anchor, key)) ||
          !floors_->Has(crl, key)) {
        continue;
      }
      keys.push_back(key);
    }
    return keys;
  }

  // Notes what was in force before, and is not at hand.
  void FindMissing() {
    if (floors_ == nullptr) return;
    absl::flat_hash_set<std::string> at_hand;
    for (const CrlPartition& partition : admitted_) {
      at_hand.insert(PartitionIdentity(
          *partition.crl, partition.signer->anchor,
          KeyOf(*partition.signer, partition.signer_certificate)));
    }
    for (CrlPartition& partition : admitted_) {
      if (partition.crl->is_delta) continue;
      partition.newer_delta_missing = floors_->HadNewerDelta(
          *partition.crl, partition.delta.get(),
          KeyOf(*partition.signer, partition.signer_certificate));
      partition.keys_missing = KeysMissing(partition, at_hand);
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

  // Whether `path` leads to `certificate` as a CRL signer. The profile's usages
  // and policies are what it asks of those who sign filings.
  static bool Vouches(const IssuerPath& path, const Certificate& certificate) {
    LeafRules any_use;
    any_use.any_policy = true;
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

  // Gives each complete CRL the newest delta that applies to it (RFC 5280
  // section 5.2.4): same issuer, key and scope, a base not newer than the
  // complete CRL, and a number not below it. The authorityKeyIdentifiers must
  // match too (section 6.3.3 (c)(3)).
  void AttachDeltas() {
    for (CrlPartition& delta : admitted_) {
      if (!delta.crl->is_delta) continue;
      bool applies = false;
      for (CrlPartition& base : admitted_) {
        if (base.crl->is_delta || !SamePartition(base, delta)) continue;
        if (IsBefore(*delta.crl, *base.crl)) Supersede(*delta.crl);
        if (!Applies(*delta.crl, *base.crl)) continue;
        applies = true;
        if (base.delta == nullptr) {
          base.delta = delta.crl;
        } else if (IsNewerCrl(*delta.crl, *base.delta)) {
          Supersede(*base.delta);
          base.delta = delta.crl;
        } else {
          Supersede(*delta.crl);
        }
      }
      if (!applies) {
        Refuse(*delta.crl,
               "deltaCRLIndicator: applies to no complete CRL at hand");
      }
    }
  }

  static bool Applies(const CrlData& delta, const CrlData& base) {
    return !base.crl_number.empty() && !delta.crl_number.empty() &&
           CompareNumbers(delta.base_crl_number, base.crl_number) <= 0 &&
           !IsBefore(delta, base);
  }
  static bool IsBefore(const CrlData& delta, const CrlData& base) {
    return !base.crl_number.empty() && !delta.crl_number.empty() &&
           CompareNumbers(delta.crl_number, base.crl_number) < 0;
  }

  static bool SamePartition(const CrlPartition& a, const CrlPartition& b) {
    const CrlScope& x = a.crl->scope;
    const CrlScope& y = b.crl->scope;
    return a.signer == b.signer &&
           a.signer_certificate == b.signer_certificate &&
           a.crl->canonical_issuer == b.crl->canonical_issuer &&
           a.crl->authority_key_id == b.crl->authority_key_id &&
           a.crl->scope_names == b.crl->scope_names &&
           x.only_user_certs == y.only_user_certs &&
           x.only_ca_certs == y.only_ca_certs &&
           x.only_attribute_certs == y.only_attribute_certs &&
           x.indirect == y.indirect && x.some_reasons == y.some_reasons;
  }

  void Arrange() {
    auto& partitions = store_->partitions_;
    for (CrlPartition& partition : admitted_) {
      if (!partition.crl->is_delta) partitions.push_back(std::move(partition));
    }
    for (uint32_t i = 0; i < partitions.size(); ++i) {
      const CrlPartition& partition = partitions[i];
      store_->used_.insert(partition.crl->sha256);
      if (partition.delta != nullptr) {
        store_->used_.insert(partition.delta->sha256);
      }
      for (const std::string& key : ScopeKeys(partition)) {
        store_->by_scope_[key].push_back(i);
      }
    }
    store_->by_encoding_.resize(paths().paths().size());
    for (uint32_t i = 0; i < partitions.size(); ++i) {
      if (!SpeaksAlone(i)) continue;
      const CrlPartition& partition = partitions[i];
      store_
          ->by_encoding_[partition.signer->id][partition.crl->scope_encoding] =
          i;
    }
  }

  static std::vector<std::string> ScopeKeys(const CrlPartition& partition) {
    const CrlData& crl = *partition.crl;
    const size_t anchor = partition.signer->anchor;
    if (crl.scope_names.empty()) {
      return {ScopeKey(anchor, crl.canonical_issuer, "")};
    }
    std::vector<std::string> keys;
    for (const std::string& name : crl.scope_names) {
      keys.push_back(ScopeKey(anchor, crl.canonical_issuer, name));
    }
    return keys;
  }

  // Whether all there is to know about the user certificates of a distribution
  // point is in this one partition. Where a second one could speak too, the
  // whole algorithm weighs them.
  bool SpeaksAlone(uint32_t i) const {
    const CrlPartition& partition = store_->partitions_[i];
    const CrlData& crl = *partition.crl;
    if (crl.scope_encoding.empty() || crl.scope.indirect ||
        crl.scope.has_some_reasons || !CoversUsers(crl) ||
        partition.signer_certificate != nullptr) {
      return false;
    }
    std::vector<std::string> keys = ScopeKeys(partition);
    keys.push_back(
        ScopeKey(partition.signer->anchor, crl.canonical_issuer, ""));
    for (const std::string& key : keys) {
      const auto others = store_->by_scope_.find(key);
      if (others == store_->by_scope_.end()) continue;
      for (const uint32_t j : others->second) {
        const CrlPartition& other = store_->partitions_[j];
        if (j != i && CoversUsers(*other.crl) &&
            other.signer == partition.signer) {
          return false;
        }
      }
    }
    return true;
  }

  static bool CoversUsers(const CrlData& crl) {
    return !crl.scope.only_ca_certs && !crl.scope.only_attribute_certs;
  }

  CrlStore* store_;
  const CrlFloors* const floors_;
  const CrlStore* previous_ = nullptr;
  std::vector<CrlPartition> admitted_;
  absl::flat_hash_map<std::string, size_t> by_identity_;
  absl::flat_hash_map<std::string, std::vector<const Certificate*>>
      signers_by_name_;
};

std::shared_ptr<const CrlStore> CrlStore::Link(
    std::shared_ptr<const Profile> profile,
    std::shared_ptr<const IssuerPaths> paths,
    absl::Span<const std::shared_ptr<const CrlData>> crls,
    const CrlStore* previous, const CrlFloors* floors) {
  auto store = std::make_shared<CrlStore>();
  store->profile_ = std::move(profile);
  store->paths_ = std::move(paths);
  Linker(store.get(), previous, floors).Link(crls);
  return store;
}

absl::StatusOr<std::vector<Bytes>> CrlStore::SigningKeys(
    std::shared_ptr<const IssuerPaths> paths, const CrlData& crl) {
  CrlStore store;
  store.paths_ = std::move(paths);
  return Linker(&store, nullptr, nullptr).SigningKeys(crl);
}

void CrlStore::RaiseFloors(CrlFloors* floors) const {
  for (const CrlPartition& partition : partitions_) {
    const Bytes key = KeyOf(*partition.signer, partition.signer_certificate);
    floors->Raise(*partition.crl, key);
    if (partition.delta != nullptr) floors->Raise(*partition.delta, key);
  }
}

}  // namespace inkan
