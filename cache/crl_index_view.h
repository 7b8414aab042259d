// An image, checked and ready to be looked into. Private to the CRL index.
#ifndef INKAN_CACHE_CRL_INDEX_VIEW_H_
#define INKAN_CACHE_CRL_INDEX_VIEW_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "cache/crl_index.h"
#include "cache/crl_index_format.h"
#include "cache/revocation_entry.h"

namespace inkan {

// One group of serials of like size. Two forms:
//
// Blocks. The numbers from the first to the last are cut into blocks of
// 2^shift; each block is self-contained: how many entries, which, when, why.
//
// Records. Sorted by number; number and payload of fixed width side by side; a
// directory on the leading bits.
struct CrlSegment {
  crl_format::SegmentHeader header;
  const uint8_t* directory = nullptr;
  const uint8_t* data = nullptr;
  // Blocks: which part of one, in 1/65,536, comes before its dates, and which
  // part they take, on average: a guess for Prefetch.
  uint32_t dates_start = 0;
  uint32_t dates_share = 0;
  // Records.
  size_t record_bytes = 0;
  size_t dropped_bytes = 0;

  struct Range {
    uint64_t start = 0;
    uint64_t end = 0;
  };
  // Where a block lies in the data. REQUIRES: it exists.
  Range Block(uint64_t block) const;
  // The first record of a bucket, and that of the next.
  Range Bucket(uint64_t bucket) const;
  uint64_t Blocks() const {
    const uint64_t span = header.last.words[2] - header.first.words[2];
    return (span >> header.shift) + 1;
  }
  // Whether `key` can be in a bucket at all: it shares the prefix.
  bool SharesPrefix(const crl_format::Key& key) const;
  uint64_t BucketOf(const crl_format::Key& key) const {
    return crl_format::KeyField(key, static_cast<unsigned>(header.prefix_bits),
                                static_cast<unsigned>(header.bucket_bits));
  }
};

// One look-up on its way, in three steps. Each asks memory for what the next
// one will read, so that many of them can wait for it at the same time.
struct CrlProbe {
  crl_format::Key key;
  const CrlSegment* segment = nullptr;  // none: it is not listed
  // Of the block or bucket that would hold it.
  uint64_t place = 0;
  CrlSegment::Range range;
};

struct CrlIndexView {
  // Fills *this from an image; kDataLoss if anything in it is wrong.
  absl::Status Open(Bytes image);

  // Where the directory speaks of probe->key.
  void Start(CrlProbe* probe) const;
  // Reads the directory.
  void Locate(CrlProbe* probe) const;
  // Reads the data. REQUIRES: Start and Locate, in this order.
  bool Finish(const CrlProbe& probe, Revocation* revocation) const;
  void ForEach(const std::function<void(const crl_format::Key&,
                                        const Revocation&)>& use) const;

  // What a code and a symbol stand for.
  void Decode(uint64_t code, unsigned symbol, Revocation* revocation) const;

  crl_format::ImageHeader header;
  crl_format::DateCoding dates;
  bool popcnt = false;  // the CPU has it
  const uint8_t* days = nullptr;
  const uint8_t* exceptions = nullptr;
  std::array<CrlSegment, crl_format::kSegments> segments;

 private:
  absl::Status OpenHeader(Bytes image);
  absl::Status OpenSegment(Bytes image, size_t i);
  absl::Status CheckBlocks(const CrlSegment& segment) const;
  absl::Status CheckRecords(const CrlSegment& segment) const;
  bool BlockIsSound(const CrlSegment& segment, uint64_t block,
                    uint64_t* entries) const;
  void PrefetchBlock(const CrlProbe& probe) const;
  template <class Ones>
  bool FindInBlock(const CrlProbe& probe, Revocation* revocation) const;
  bool FindInBucket(const CrlProbe& probe, Revocation* revocation) const;
  // Entry `i` of a block of `count`, whose dates start at `position`.
  template <class Ones>
  void DecodeInBlock(const uint8_t* block, uint64_t position, uint32_t count,
                     uint32_t i, Revocation* revocation) const;
  void DecodeRecord(const CrlSegment& segment, const uint8_t* record,
                    Revocation* revocation) const;
};

namespace crl_format {

// The payload of a record: a code and a symbol as one number.
inline uint64_t GetPayload(const uint8_t* p, size_t bytes) {
  uint64_t value = 0;
  std::memcpy(&value, p, bytes);
  return value;
}

// Looks for `low`, the number's place in its block of 2^shift, in a set that
// starts at `position`. Its rank among the entries if it is there.
template <class Ones>
bool FindInSet(const uint8_t* block, uint64_t position, const SetCoding& coding,
               uint64_t low, uint32_t* rank);

}  // namespace crl_format
}  // namespace inkan

#endif  // INKAN_CACHE_CRL_INDEX_VIEW_H_
