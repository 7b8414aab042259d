// The CRLs one profile believes, arranged so that a certificate finds the ones
// that speak about it (RFC 5280 section 6.3).
//
// A partition is what one CRL issuer says for one scope: one distribution
// point, one set of reasons, user or CA certificates. Linking decides trust: a
// CRL becomes a partition only if its signature verifies with the key of a CA
// path, or of a CRL signer below one, that has the CRL issuer's name and the
// cRLSign right. Of two CRLs for the same partition the newer one stays.
//
// Immutable after Link; read by all threads without locks.
#ifndef INKAN_CACHE_CRL_STORE_H_
#define INKAN_CACHE_CRL_STORE_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "cache/crl_data.h"
#include "cache/crl_floors.h"
#include "cache/issuer_paths.h"
#include "cache/profile.h"
#include "cache/revocation.h"

namespace inkan {

struct CrlPartition {
  std::shared_ptr<const CrlData> crl;
  // The newest delta that applies to `crl`, or null.
  std::shared_ptr<const CrlData> delta;
  // The path the signer's key was validated by, and the signer's certificate
  // below it if the key is not the CA's own (else null).
  const IssuerPath* signer = nullptr;
  const Certificate* signer_certificate = nullptr;
  // A delta that was made after both, and was in force before, is not at hand:
  // what it revoked is not known.
  bool newer_delta_missing = false;
  // SubjectPublicKeyInfos of other keys of the same CA under the same anchor
  // whose own CRL of this scope was in force before and is not at hand: for
  // what they issued this one is no substitute. They belong to IssuerPaths.
  std::vector<Bytes> keys_missing;
};

class CrlStore {
 public:
  struct Refusal {
    std::string source;
    std::string reason;
  };

  // Links every CRL that `paths` vouches for. CRLs of issuers the profile does
  // not know are passed over silently (another profile may); CRLs that claim an
  // issuer it knows but do not hold are refused. So are those older than what
  // `floors`, if given, says was in force.
  static std::shared_ptr<const CrlStore> Link(
      std::shared_ptr<const Profile> profile,
      std::shared_ptr<const IssuerPaths> paths,
      absl::Span<const std::shared_ptr<const CrlData>> crls,
      const CrlStore* previous = nullptr, const CrlFloors* floors = nullptr);

  // Whether linking under `paths` would find the key that `crl` is signed with,
  // of which its entries need not be known yet. kNotFound if nobody under
  // `paths` has the issuer's name, kInvalidArgument if no key of that name
  // verifies. The keys, SubjectPublicKeyInfos that `paths` owns, each once.
  static absl::StatusOr<std::vector<Bytes>> SigningKeys(
      std::shared_ptr<const IssuerPaths> paths, const CrlData& crl);

  // What is known at `time` about `certificate`, whose issuer is the CA of
  // `issuer`: its name is the same (as FindIssuers sees to), whoever signed it.
  RevocationEvidence Check(const Certificate& certificate,
                           const IssuerPath& issuer, int64_t time) const;

  // What is linked here is in force.
  void RaiseFloors(CrlFloors* floors) const;

  const std::vector<CrlPartition>& partitions() const { return partitions_; }
  const std::vector<Refusal>& refusals() const { return refusals_; }
  // Whether `crl`, or a copy of it, is part of some partition here.
  bool Uses(const CrlData& crl) const { return used_.contains(crl.sha256); }
  // Whether, of those linked, a newer one took the place of `crl` somewhere, or
  // one that was in force before is newer.
  bool Supersedes(const CrlData& crl) const {
    return superseded_.contains(crl.sha256);
  }

 private:
  class Linker;
  class Query;

  // Whose key a CRL was found to be signed with; one for each anchor.
  struct Signer {
    const IssuerPath* path = nullptr;
    const Certificate* certificate = nullptr;
  };

  const CrlPartition* FindByEncoding(const Certificate& certificate,
                                     const IssuerPath& issuer) const;

  std::shared_ptr<const Profile> profile_;
  std::shared_ptr<const IssuerPaths> paths_;
  std::vector<CrlPartition> partitions_;
  std::vector<Refusal> refusals_;
  // By the digest of the whole CRL, so that what was verified once is never
  // taken for something else.
  absl::flat_hash_map<std::array<uint8_t, 32>, std::vector<Signer>> signers_;
  absl::flat_hash_set<std::array<uint8_t, 32>> used_;
  absl::flat_hash_set<std::array<uint8_t, 32>> superseded_;
  // ScopeKey(anchor, CRL issuer, distribution point name or empty) ->
  // partitions.
  absl::flat_hash_map<std::string, std::vector<uint32_t>> by_scope_;
  // For each issuer path: the encoding of a distribution point's fullName ->
  // the one partition, signed by that CA's own key, that can speak about its
  // user certificates at all. Citizens' certificates are looked up here; all
  // else goes by by_scope_.
  std::vector<absl::flat_hash_map<std::string, uint32_t>> by_encoding_;
};

}  // namespace inkan

#endif  // INKAN_CACHE_CRL_STORE_H_
