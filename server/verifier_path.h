// Which CA issued a certificate: from the profile's own paths, else by way of
// the CA certificates the filing brought along.
//
// Thread safety: one thread at a time. What is found for one filing lives as
// long as the finder; nothing a caller sent is remembered for others.
#ifndef INKAN_SERVER_VERIFIER_PATH_H_
#define INKAN_SERVER_VERIFIER_PATH_H_

#include <deque>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "cache/issuer_paths.h"
#include "crypto/certificate.h"

namespace inkan {

// Every path that ends in a CA with the leaf's issuer name, the likelier first:
// those with the key identifier the leaf names, then whole ones before broken
// ones, then shorter ones.
using PathCandidates = absl::InlinedVector<const IssuerPath*, 2>;
PathCandidates FindIssuers(const IssuerPaths& paths, const Certificate& leaf);

// Whether `path` ends in the key that `leaf` says issued it. True where one of
// the two does not say.
bool KeyIdentifierFits(const IssuerPath& path, const Certificate& leaf);

// Whether the key of `path` made the signature on `certificate`. One
// signature's worth of work, out of any batch.
bool Issued(const IssuerPath& path, const Certificate& certificate);

// What a filing's own certificates may cost besides signatures, which
// IssuerPathLimits bounds. Certificates: as many as limits.intermediates_max
// can be set to. Steps from a certificate to one that may have issued it, whose
// cost does not depend on what is in the two: about a millisecond of them; 16
// certificates that all could issue each other are worth less.
inline constexpr size_t kBundleCertificatesMax = 1024;
inline constexpr size_t kBundleStepsMax = 4096;
// Octets of names that are prepared for comparison: twice what 1,024
// certificates with names like JPKI's have. One costs 40 nanoseconds in
// Japanese, up to 540 in ligatures that come apart into many characters.
inline constexpr size_t kBundleNameBytesMax = size_t{512} << 10;

// Builds paths through certificates of one filing, under a work budget.
class BundlePaths {
 public:
  BundlePaths(const IssuerPaths& paths, absl::Span<const Bytes> bundle);

  // Paths to CAs with `leaf`'s issuer name that lead through the bundle.
  PathCandidates Find(const Certificate& leaf);

  // Whether the budget ended the search.
  bool exhausted() const { return exhausted_; }

 private:
  struct BundleCertificate;
  // All CAs of one name: the profile's, and the bundle's (null: none).
  struct Issuers {
    absl::Span<const IssuerPath* const> kept;
    const std::vector<BundleCertificate*>* sent = nullptr;
  };
  // Key identifiers by number, so that a step compares two numbers.
  static constexpr int kNoKey = 0;
  struct BundleCertificate {
    Certificate view;
    std::string canonical_subject;
    Issuers issuers;
    int key = kNoKey;
    int issuer_key = kNoKey;
    bool on_path = false;
  };

  void Read(absl::Span<const Bytes> bundle);
  void ResolveIssuers();
  Issuers IssuersNamed(const std::string& canonical_name) const;
  int NumberOf(Bytes key_id);
  PathCandidates FindAtDepth(const Issuers& issuers, int issuer_key, int depth);
  void Descend(const PathCandidates& above, const BundleCertificate& ca,
               PathCandidates* found);

  const IssuerPaths& paths_;
  std::deque<BundleCertificate> bundle_;
  // Not changed once the issuers are resolved.
  absl::flat_hash_map<std::string, std::vector<BundleCertificate*>> by_subject_;
  absl::flat_hash_map<absl::string_view, int> key_numbers_;
  std::deque<IssuerPath> built_;
  size_t signatures_left_;
  size_t steps_left_ = kBundleStepsMax;
  bool exhausted_ = false;
};

}  // namespace inkan

#endif  // INKAN_SERVER_VERIFIER_PATH_H_
