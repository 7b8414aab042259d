// Certificates whose issuer's signature has been verified before: these exact
// bytes, by this exact key. A tax accountant files thousands of times with one
// certificate; its issuer's signature needs to be computed once.
//
//   VerifiedCertificates cache(131072);            // shared by all workers
//   cache.Find(keys, absl::MakeSpan(found));       // a batch at a time
//   cache.Add(verified_keys);
//
// What is remembered is one fact of arithmetic and nothing else: that a
// signature verifies. Validity, path, policy, names and revocation are judged
// for every filing anew. The fact is about the SHA-256 of the whole certificate
// (so the same tbsCertificate under another signature is another certificate)
// and the SHA-256 of the issuer's SubjectPublicKeyInfo (so another generation
// of a CA with the same name is another issuer), and stays true whatever is
// configured: the cache outlives snapshots.
//
// Bounded, and of use when nearly all certificates are seen once: a certificate
// is taken in when it is added the second time while it is still among the
// recent ones (S3-FIFO's ghost queue; Yang et al., SOSP 2023), so a scan of
// certificates seen once displaces none. Among those taken in, a clock with
// counters of two bits chooses which one has to go.
//
// Thread safety: any method from any thread. Find takes no lock: each bucket
// has a version that its writers raise before and after a change (a sequence
// lock whose data are all atomics); a reader that sees it change reports a
// miss. Writers hold one of some striped locks. Memory: memory_bytes(),
// allocated at once. No errors: what is not found is computed.
#ifndef INKAN_CACHE_VERIFIED_CERTIFICATES_H_
#define INKAN_CACHE_VERIFIED_CERTIFICATES_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "cache/mutex.h"

namespace inkan {

class VerifiedCertificates {
 public:
  using Digest = std::array<uint8_t, 32>;

  // Both SHA-256: of the whole certificate, and of the issuer's
  // SubjectPublicKeyInfo. Neither null.
  struct Key {
    const Digest* certificate = nullptr;
    const Digest* issuer_key = nullptr;
  };

  struct Counters {
    uint64_t hits = 0;
    uint64_t misses = 0;
    uint64_t added = 0;    // taken in
    uint64_t evicted = 0;  // to make room for another
  };

  // Keeps at most `entries_max`; 0 keeps nothing.
  explicit VerifiedCertificates(size_t entries_max);
  VerifiedCertificates(const VerifiedCertificates&) = delete;
  VerifiedCertificates& operator=(const VerifiedCertificates&) = delete;

  // found[i] becomes 1 if keys[i] is known, else 0. REQUIRES: equal sizes.
  void Find(absl::Span<const Key> keys, absl::Span<uint8_t> found);

  // REQUIRES: the signature on each certificate has been verified with that
  // key, and found valid.
  void Add(absl::Span<const Key> keys);

  bool enabled() const { return !buckets_.empty(); }
  // entries_max, rounded down to whole buckets but not to none.
  size_t capacity() const;
  size_t memory_bytes() const;
  // Sums over threads that go on counting.
  Counters counters() const;

 private:
  static constexpr size_t kWays = 8;
  static constexpr size_t kWords = 8;
  // Certificates added once, remembered by 16 bits each: four times as many as
  // are kept whole. One in 2,000 is mistaken for another and taken in early,
  // which costs a place and nothing else.
  static constexpr size_t kGhosts = 32;
  static constexpr size_t kStripes = 64;
  static constexpr size_t kCounterCells = 16;

  using Slot = std::array<std::atomic<uint64_t>, kWords>;
  using Words = std::array<uint64_t, kWords>;

  // Two cache lines for the clock and the ghosts, one for each slot.
  struct alignas(64) Bucket {
    // Odd while a slot is being written.
    std::atomic<uint32_t> version{0};
    std::atomic<uint8_t> used{0};  // slots filled so far, from the first
    uint8_t hand = 0;              // guarded by the stripe's lock
    uint8_t next_ghost = 0;        // the same
    std::array<std::atomic<uint16_t>, kWays> tags{};
    std::array<std::atomic<uint8_t>, kWays> uses{};
    alignas(64) std::array<uint16_t, kGhosts> ghosts{};  // the same; 0: none
    alignas(64) std::array<Slot, kWays> slots{};
  };

  struct alignas(64) Stripe {
    Mutex mutex;
  };

  // One cell for some of the threads.
  struct alignas(64) CounterCell {
    std::atomic<uint64_t> hits{0};
    std::atomic<uint64_t> misses{0};
    std::atomic<uint64_t> added{0};
    std::atomic<uint64_t> evicted{0};
  };

  static Words WordsOf(const Key& key);
  static uint16_t TagOf(const Words& words);
  size_t BucketOf(const Key& key) const;
  CounterCell& Cell();

  static bool IsIn(Bucket& bucket, const Words& words, uint16_t tag);
  static bool TakeGhost(Bucket& bucket, uint16_t tag);
  static size_t ChooseSlot(Bucket& bucket, bool* evicts);
  static void Write(Bucket& bucket, size_t slot, const Words& words,
                    uint16_t tag);
  // What one Add came to: taken in, and at the cost of another.
  struct Addition {
    bool added = false;
    bool evicted = false;
  };
  Addition AddOne(const Key& key);

  std::vector<Bucket> buckets_;
  std::array<Stripe, kStripes> stripes_;
  std::array<CounterCell, kCounterCells> cells_;
};

}  // namespace inkan

#endif  // INKAN_CACHE_VERIFIED_CERTIFICATES_H_
