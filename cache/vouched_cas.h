// CA certificates that callers sent and a configured anchor vouches for,
// remembered for one profile: the next filing below them pays no search, and
// CRLs they signed are believed.
//
// A worker that has validated a path through a caller's certificates offers
// them; the snapshot's keeper takes them into its next snapshot, off the path
// of requests, where IssuerPaths validates them once more from the anchors
// down. Only what it finds on a whole path is kept. Until then, and where
// memory is full, filings are judged as if nothing had been offered.
//
// Bounded: kVouchedCasMax certificates are taken in the life of this object,
// each at most kVouchedCaBytesMax long. What comes later is not remembered: a
// hostile CA below an anchor can fill the memory, but neither make it grow nor
// make it churn. Forgotten when the server restarts.
//
// Thread safety: every method from any thread.
#ifndef INKAN_CACHE_VOUCHED_CAS_H_
#define INKAN_CACHE_VOUCHED_CAS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/types/span.h"
#include "cache/mutex.h"
#include "cache/profile.h"
#include "crypto/bytes.h"

namespace inkan {

// National bridges have cross-certified a few dozen CAs each.
inline constexpr size_t kVouchedCasMax = 64;
// CA certificates of public suites and national lists have up to 2.5 KB.
inline constexpr size_t kVouchedCaBytesMax = 8192;

class VouchedCas {
 public:
  // `wake` is called, under a lock and on the offering thread, when there is
  // something to take in; it must not call back.
  explicit VouchedCas(std::function<void()> wake = nullptr);

  VouchedCas(const VouchedCas&) = delete;
  VouchedCas& operator=(const VouchedCas&) = delete;

  // Takes a copy, unless it is known, too long or one too many.
  // REQUIRES: the certificate is on a path that PathState finds whole.
  void Offer(Bytes der) ABSL_LOCKS_EXCLUDED(mutex_);

  // For the keeper. Whether anything was offered since the last call; what was
  // is in members() from then on.
  bool TakeIn() ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<CertificateFile> members() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Keeps only what validation confirmed.
  void SetMembers(std::vector<CertificateFile> confirmed)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // No more calls of `wake`.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable Mutex mutex_;
  std::function<void()> wake_ ABSL_GUARDED_BY(mutex_);
  // SHA-256 of everything ever taken.
  absl::flat_hash_set<std::array<uint8_t, 32>> known_ ABSL_GUARDED_BY(mutex_);
  std::vector<CertificateFile> offered_ ABSL_GUARDED_BY(mutex_);
  std::vector<CertificateFile> members_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace inkan

#endif  // INKAN_CACHE_VOUCHED_CAS_H_
