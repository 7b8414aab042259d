// Everything a verdict rests on, as one immutable value: profiles with their
// validated CA paths, and the CRL partitions.
//
//   SnapshotReader reader(keeper);                 // one a thread
//   std::shared_ptr<const Snapshot> snapshot = reader.Pin();
//   const ProfileSnapshot* profile = snapshot->Find("jpki-signature");
//
// A snapshot and all it points to stay valid while it is pinned. Replaced as a
// whole, never changed.
#ifndef INKAN_CACHE_SNAPSHOT_H_
#define INKAN_CACHE_SNAPSHOT_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_set.h"
#include "cache/crl_store.h"
#include "cache/issuer_paths.h"
#include "cache/profile.h"
#include "cache/vouched_cas.h"

namespace inkan {

// One profile, ready to judge by.
struct ProfileSnapshot {
  std::shared_ptr<const Profile> profile;
  std::shared_ptr<const IssuerPaths> issuer_paths;
  std::shared_ptr<const CrlStore> crls;
  // CrlData::sha256 of what is in force though no place gives it any more, so
  // that nobody waits for a newer one. Null: none.
  std::shared_ptr<const absl::flat_hash_set<std::array<uint8_t, 32>>> unplaced;
  // Where CA certificates that callers sent are offered for the next snapshot;
  // no part of what this one says. Null: nothing is remembered.
  std::shared_ptr<VouchedCas> vouched;
};

struct Snapshot {
  uint64_t generation = 0;
  // SHA-256 over the profiles' rules and certificates and the digests of all
  // linked CRLs.
  std::array<uint8_t, 32> digest{};
  // By name. Few; ordered so that status pages are.
  absl::btree_map<std::string, ProfileSnapshot, std::less<>> profiles;

  const ProfileSnapshot* Find(std::string_view name) const {
    const auto found = profiles.find(name);
    return found == profiles.end() ? nullptr : &found->second;
  }
};

}  // namespace inkan

#endif  // INKAN_CACHE_SNAPSHOT_H_
