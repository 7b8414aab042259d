#include "cache/verified_certificates.h"

#include <algorithm>
#include <cstring>

namespace inkan {
namespace {

// Two bits are enough to tell what is used from what is not (S3-FIFO section
// 4).
constexpr uint8_t kUsesMax = 3;

uint64_t Load64(const uint8_t* octets) {
  uint64_t word;
  std::memcpy(&word, octets, sizeof(word));
  return word;
}

}  // namespace

VerifiedCertificates::VerifiedCertificates(size_t entries_max)
    : buckets_(entries_max == 0 ? 0
                                : std::max<size_t>(1, entries_max / kWays)) {}

size_t VerifiedCertificates::capacity() const {
  return buckets_.size() * kWays;
}

size_t VerifiedCertificates::memory_bytes() const {
  return sizeof(*this) + buckets_.size() * sizeof(Bucket);
}

VerifiedCertificates::Words VerifiedCertificates::WordsOf(const Key& key) {
  Words words;
  for (size_t i = 0; i < 4; ++i) {
    words[i] = Load64(key.certificate->data() + 8 * i);
    words[4 + i] = Load64(key.issuer_key->data() + 8 * i);
  }
  return words;
}

// Of octets the bucket does not depend on, and of the issuer. Never 0, which
// stands for no ghost.
uint16_t VerifiedCertificates::TagOf(const Words& words) {
  const auto tag = static_cast<uint16_t>(words[1] ^ words[4]);
  return tag == 0 ? 1 : tag;
}

size_t VerifiedCertificates::BucketOf(const Key& key) const {
  __extension__ using Wide = unsigned __int128;
  return static_cast<size_t>(
      (Wide{Load64(key.certificate->data())} * buckets_.size()) >> 64);
}

VerifiedCertificates::CounterCell& VerifiedCertificates::Cell() {
  static std::atomic<size_t> threads{0};
  thread_local const size_t kMine =
      threads.fetch_add(1, std::memory_order_relaxed) % kCounterCells;
  return cells_[kMine];
}

// Whether a slot holds exactly these words. All loads of a slot are acquire and
// all its stores release: whoever loads a word of a later write sees the odd
// version that went before it, and so finds the version changed.
bool VerifiedCertificates::IsIn(Bucket& bucket, const Words& words,
                                uint16_t tag) {
  const uint32_t version = bucket.version.load(std::memory_order_acquire);
  if ((version & 1) != 0) return false;
  const size_t used = bucket.used.load(std::memory_order_acquire);
  for (size_t way = 0; way < used; ++way) {
    if (bucket.tags[way].load(std::memory_order_acquire) != tag) continue;
    bool same = true;
    for (size_t i = 0; i < kWords; ++i) {
      same &= bucket.slots[way][i].load(std::memory_order_acquire) == words[i];
    }
    if (!same || bucket.version.load(std::memory_order_relaxed) != version) {
      continue;
    }
    // Two threads may count as one; it is a hint.
    const uint8_t uses = bucket.uses[way].load(std::memory_order_relaxed);
    if (uses < kUsesMax) {
      bucket.uses[way].store(static_cast<uint8_t>(uses + 1),
                             std::memory_order_relaxed);
    }
    return true;
  }
  return false;
}

void VerifiedCertificates::Find(absl::Span<const Key> keys,
                                absl::Span<uint8_t> found) {
  std::fill(found.begin(), found.end(), uint8_t{0});
  if (buckets_.empty()) return;
  // The buckets lie anywhere in memory: all are asked for before any is read.
  for (const Key& key : keys) __builtin_prefetch(&buckets_[BucketOf(key)]);
  uint64_t hits = 0;
  for (size_t i = 0; i < keys.size(); ++i) {
    const Words words = WordsOf(keys[i]);
    found[i] = IsIn(buckets_[BucketOf(keys[i])], words, TagOf(words)) ? 1 : 0;
    hits += found[i];
  }
  CounterCell& cell = Cell();
  cell.hits.fetch_add(hits, std::memory_order_relaxed);
  cell.misses.fetch_add(keys.size() - hits, std::memory_order_relaxed);
}

// Whether the tag is among the recent ones; it is not any more afterwards, or
// the latest.
bool VerifiedCertificates::TakeGhost(Bucket& bucket, uint16_t tag) {
  const auto ghost = std::find(bucket.ghosts.begin(), bucket.ghosts.end(), tag);
  if (ghost != bucket.ghosts.end()) {
    *ghost = 0;
    return true;
  }
  bucket.ghosts[bucket.next_ghost] = tag;
  bucket.next_ghost = static_cast<uint8_t>((bucket.next_ghost + 1) % kGhosts);
  return false;
}

// A slot that is free, or the first one from the hand on that was not used
// since the hand passed it that often. Ends within kUsesMax rounds and one
// step, or, if readers keep counting meanwhile, after as many.
size_t VerifiedCertificates::ChooseSlot(Bucket& bucket, bool* evicts) {
  const size_t used = bucket.used.load(std::memory_order_relaxed);
  *evicts = used == kWays;
  if (used < kWays) return used;
  size_t slot = bucket.hand;
  for (size_t step = 0; step < (kUsesMax + 1) * kWays; ++step) {
    slot = bucket.hand;
    bucket.hand = static_cast<uint8_t>((slot + 1) % kWays);
    const uint8_t uses = bucket.uses[slot].load(std::memory_order_relaxed);
    if (uses == 0) break;
    bucket.uses[slot].store(static_cast<uint8_t>(uses - 1),
                            std::memory_order_relaxed);
  }
  return slot;
}

void VerifiedCertificates::Write(Bucket& bucket, size_t slot,
                                 const Words& words, uint16_t tag) {
  const uint32_t version = bucket.version.load(std::memory_order_relaxed);
  bucket.version.store(version + 1, std::memory_order_relaxed);
  bucket.tags[slot].store(tag, std::memory_order_release);
  for (size_t i = 0; i < kWords; ++i) {
    bucket.slots[slot][i].store(words[i], std::memory_order_release);
  }
  bucket.uses[slot].store(0, std::memory_order_relaxed);
  if (slot >= bucket.used.load(std::memory_order_relaxed)) {
    bucket.used.store(static_cast<uint8_t>(slot + 1),
                      std::memory_order_release);
  }
  bucket.version.store(version + 2, std::memory_order_release);
}

VerifiedCertificates::Addition VerifiedCertificates::AddOne(const Key& key) {
  const size_t index = BucketOf(key);
  Bucket& bucket = buckets_[index];
  const Words words = WordsOf(key);
  const uint16_t tag = TagOf(words);
  // One lock for a certificate whose signature was just computed, which took a
  // thousand times as long.
  MutexLock lock(&stripes_[index % kStripes].mutex);
  // Another worker may have been faster.
  if (IsIn(bucket, words, tag) || !TakeGhost(bucket, tag)) return {};
  Addition addition;
  addition.added = true;
  const size_t slot = ChooseSlot(bucket, &addition.evicted);
  Write(bucket, slot, words, tag);
  return addition;
}

void VerifiedCertificates::Add(absl::Span<const Key> keys) {
  if (buckets_.empty()) return;
  for (const Key& key : keys) {
    __builtin_prefetch(&buckets_[BucketOf(key)]);
    __builtin_prefetch(&buckets_[BucketOf(key)].ghosts);
  }
  uint64_t added = 0;
  uint64_t evicted = 0;
  for (const Key& key : keys) {
    const Addition addition = AddOne(key);
    added += addition.added ? 1 : 0;
    evicted += addition.evicted ? 1 : 0;
  }
  CounterCell& cell = Cell();
  cell.added.fetch_add(added, std::memory_order_relaxed);
  cell.evicted.fetch_add(evicted, std::memory_order_relaxed);
}

VerifiedCertificates::Counters VerifiedCertificates::counters() const {
  Counters sum;
  for (const CounterCell& cell : cells_) {
    sum.hits += cell.hits.load(std::memory_order_relaxed);
    sum.misses += cell.misses.load(std::memory_order_relaxed);
    sum.added += cell.added.load(std::memory_order_relaxed);
    sum.evicted += cell.evicted.load(std::memory_order_relaxed);
  }
  return sum;
}

}  // namespace inkan
