// Every CA path of one profile, validated once: PathState after the last CA,
// for each way down from an anchor through the configured intermediates.
//
//   for (const IssuerPath* path : paths.Find(leaf.issuer))
//   path->state.Accept(...)
//
// CA certificates that callers sent (`vouched`) come after all that is
// configured, under bounds of their own, and only where the path is whole.
//
// Immutable after Build; read by all threads. It owns the certificates it was
// built from.
#ifndef INKAN_CACHE_ISSUER_PATHS_H_
#define INKAN_CACHE_ISSUER_PATHS_H_

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "cache/profile.h"
#include "crypto/certificate.h"
#include "crypto/path.h"

namespace inkan {

// Work bounds. The first two hold for one profile while it is built, the last
// for the certificates that one filing brings along.
struct IssuerPathLimits {
  // A national trust list has a few hundred CAs; cross-certificates multiply
  // the ways to each.
  size_t paths_max = 4096;
  size_t signatures_max = 16384;
  // webpki allows 100 signatures a path; a filing's own bundle deserves fewer.
  size_t filing_signatures_max = 16;
  // The same two for CAs that callers sent, beside what is configured: a few
  // ways to each of the 64 that are remembered (vouched_cas.h).
  size_t vouched_paths_max = 256;
  size_t vouched_signatures_max = 1024;
};

// A certificate with its owner: `view` points into `file.der`.
struct OwnedCertificate {
  CertificateFile file;
  Certificate view;
  std::array<uint8_t, 32> fingerprint{};
};

// One validated way from an anchor to a CA.
struct IssuerPath {
  explicit IssuerPath(PathState path_state) : state(std::move(path_state)) {}

  PathState state;
  // The path of the CA that issued this one's certificate; null for an anchor.
  const IssuerPath* parent = nullptr;
  // Which anchor it starts from; CRLs are only believed under the same one.
  size_t anchor = 0;
  // Position in IssuerPaths::paths(); kNotKept for a path made for one filing.
  static constexpr size_t kNotKept = ~size_t{0};
  size_t id = kNotKept;
  std::string issuer_text;       // RFC 4514 name of the CA, for verdicts
  std::string canonical_issuer;  // CanonicalName of the CA
  // SHA-256 of the CA's SubjectPublicKeyInfo; of kept paths alone.
  std::array<uint8_t, 32> key_digest{};
};

class IssuerPaths {
 public:
  // Errors (kInvalidArgument) name the file and the field. An intermediate that
  // leads to no anchor is no error; see unused(). Nothing of the profile is
  // needed afterwards.
  static absl::StatusOr<std::shared_ptr<const IssuerPaths>> Build(
      const Profile& profile, const IssuerPathLimits& limits,
      absl::Span<const CertificateFile> vouched = {});

  // Paths whose CA has this name, shortest first; empty if there is none.
  absl::Span<const IssuerPath* const> Find(Bytes issuer_name) const;

  // The same by CanonicalName.
  absl::Span<const IssuerPath* const> FindCanonical(
      const std::string& canonical_name) const;

  // The trusted end-entity certificate with exactly these bytes, or null.
  const OwnedCertificate* FindTrusted(Bytes der) const;

  const std::deque<IssuerPath>& paths() const { return paths_; }
  const std::deque<OwnedCertificate>& anchors() const { return anchors_; }
  const std::deque<OwnedCertificate>& intermediates() const {
    return intermediates_;
  }
  const std::deque<OwnedCertificate>& trusted() const { return trusted_; }
  // Those of `vouched` that are on some path; no other is kept.
  const std::vector<std::unique_ptr<const OwnedCertificate>>& vouched() const {
    return vouched_;
  }
  // Configured intermediates on no path, as "file: why".
  const std::vector<std::string>& unused() const { return unused_; }
  const IssuerPathLimits& limits() const { return limits_; }

 private:
  struct Builder;

  IssuerPathLimits limits_;
  // The policy states of the paths look at these.
  std::vector<std::string> initial_policies_;
  std::deque<OwnedCertificate> anchors_;
  std::deque<OwnedCertificate> intermediates_;
  std::deque<OwnedCertificate> trusted_;
  std::vector<std::unique_ptr<const OwnedCertificate>> vouched_;
  std::deque<IssuerPath> paths_;
  std::vector<std::string> unused_;
  // By the bytes of the name as some CA's certificate spells it, and by
  // canonical name for every other spelling.
  absl::flat_hash_map<std::string, std::vector<const IssuerPath*>> by_spelling_;
  absl::flat_hash_map<std::string, std::vector<const IssuerPath*>>
      by_canonical_;
};

}  // namespace inkan

#endif  // INKAN_CACHE_ISSUER_PATHS_H_
