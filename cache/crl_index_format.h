// What the image of a CRL index looks like: docs/ARCHITECTURE.md, "The CRL
// index", draws it. Private to the CRL index.
//
// An image is one stretch of memory without pointers, the same in memory and in
// a file. All numbers are little-endian; offsets count from its start.
//
// Bits an entry needs, for 10 million JPKI-like serials (one counter of which
// 15 % are revoked at random, five years of working days, 9 to 17 o'clock, six
// reasons as bench/lab/life.cc deals them):
//
//                                  lower bound        here
//   which serials     H(.15)/.15        4.07          4.67  Elias-Fano, l = 2
//   when       log2(1,220 x 28,800)    25.07         25.11  9 dates share a
//   word why               entropy           1.6           1.8   unary,
//   frequent first where                 -                           0.23
//   directory, count
//                                      30.7          31.8   bits
//
// Random serials of 128 bits: log2(2^128/n) + 1.44 = 106.2 bits are the least
// for 10 million; kept are 112 (what 18 bits of directory and whole octets do
// not save) and 32 for date and reason.
#ifndef INKAN_CACHE_CRL_INDEX_FORMAT_H_
#define INKAN_CACHE_CRL_INDEX_FORMAT_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "cache/crl_index_bits.h"
#include "crypto/bytes.h"

namespace inkan::crl_format {

// ---------------------------------------------------------------------------
// Serials as numbers of 192 bits, most significant word first, sign-extended:
// DER writes each number in one way, so the number is the serial.

inline constexpr size_t kKeyWords = 3;
inline constexpr unsigned kKeyBits = 192;
inline constexpr size_t kKeyBytes = kKeyBits / 8;

struct Key {
  uint64_t words[kKeyWords] = {};

  friend bool operator==(const Key&, const Key&) = default;
  // Nearly all keys differ in the last word alone, or in the first already.
  friend bool operator<(const Key& a, const Key& b) {
    if (a.words[0] != b.words[0]) return a.words[0] < b.words[0];
    if (a.words[1] != b.words[1]) return a.words[1] < b.words[1];
    return a.words[2] < b.words[2];
  }
  friend bool operator>(const Key& a, const Key& b) { return b < a; }
};

// Numbers of like size are kept together: below 2^64, below 2^128, all others.
inline constexpr size_t kSegments = 3;

inline size_t SegmentOf(const Key& key) {
  if (key.words[0] != 0) return 2;
  return key.words[1] != 0 ? 1 : 0;
}

inline uint64_t LoadBigEndian(const uint8_t* p, size_t size) {
  uint64_t value = 0;
  if (size == 8) {
    std::memcpy(&value, p, 8);
    return __builtin_bswap64(value);
  }
  if (size == 4) {
    uint32_t half;
    std::memcpy(&half, p, 4);
    return __builtin_bswap32(half);
  }
  for (size_t i = 0; i < size; ++i) value = value << 8 | p[i];
  return value;
}

// REQUIRES: 1 <= size <= 24.
inline Key KeyOf(const uint8_t* serial, size_t size) {
  Key key;
  const bool negative = (serial[0] & 0x80) != 0;
  if (size >= 4 && size <= 8 && !negative) {
    key.words[kKeyWords - 1] = LoadBigEndian(serial, 4) << 8 * (size - 4) |
                               LoadBigEndian(serial + size - 4, 4);
    return key;
  }
  size_t left = size;
  for (size_t word = kKeyWords; word-- > 0 && left > 0;) {
    const size_t octets = std::min<size_t>(left, 8);
    left -= octets;
    key.words[word] = LoadBigEndian(serial + left, octets);
  }
  if (negative) {
    const size_t used = (size + 7) / 8;
    if (size % 8 != 0) {
      key.words[kKeyWords - used] |= ~uint64_t{0} << (8 * (size % 8));
    }
    for (size_t word = 0; word + used < kKeyWords; ++word) {
      key.words[word] = ~uint64_t{0};
    }
  }
  return key;
}

// The same, of a serial that eight more readable octets follow.
inline Key KeyOfGuarded(const uint8_t* serial, size_t size) {
  if (size > 8 || (serial[0] & 0x80) != 0) return KeyOf(serial, size);
  Key key;
  key.words[kKeyWords - 1] = LoadBigEndian(serial, 8) >> (64 - 8 * size);
  return key;
}

// `count` bits, at most 64, from bit `from` on, counted from the highest.
inline uint64_t KeyField(const Key& key, unsigned from, unsigned count) {
  if (count == 0) return 0;
  const unsigned word = from / 64;
  const unsigned shift = from % 64;
  uint64_t value = word < kKeyWords ? key.words[word] << shift : 0;
  if (shift != 0 && word + 1 < kKeyWords) {
    value |= key.words[word + 1] >> (64 - shift);
  }
  return value >> (64 - count);
}

// Writes what KeyField reads. REQUIRES: count <= 64.
inline void SetKeyField(Key* key, unsigned from, unsigned count,
                        uint64_t value) {
  for (unsigned i = 0; i < count; ++i) {
    const unsigned bit = from + i;
    const uint64_t mask = uint64_t{1} << (63 - bit % 64);
    uint64_t& word = key->words[bit / 64];
    word = (value >> (count - 1 - i) & 1) != 0 ? word | mask : word & ~mask;
  }
}

inline void KeyOctets(const Key& key, uint8_t* octets) {
  for (size_t i = 0; i < kKeyWords; ++i) {
    const uint64_t word = __builtin_bswap64(key.words[i]);
    std::memcpy(octets + 8 * i, &word, sizeof(word));
  }
}

// ---------------------------------------------------------------------------
// The image.

inline constexpr uint64_t kImageMagic = 0x3130'584c'5243'4b49U;  // "IKCRLX01"

enum class Form : uint64_t { kNone, kBlocks, kRecords };

// One group of serials of like size. All fields have 8 octets, so that there is
// no padding whose octets would be anybody's guess.
struct SegmentHeader {
  Form form = Form::kNone;
  uint64_t count = 0;
  // The smallest and the largest number in it.
  Key first;
  Key last;
  // Blocks: each speaks for 2^shift numbers from `first` on.
  uint64_t shift = 0;
  // Records: leading bits that all numbers share, bits that choose a bucket,
  // octets of a number in a record, octets of its date and reason.
  uint64_t prefix_bits = 0;
  uint64_t bucket_bits = 0;
  uint64_t key_bytes = 0;
  uint64_t payload_bytes = 0;
  uint64_t directory_offset = 0;
  uint64_t directory_bytes = 0;
  uint64_t data_offset = 0;
  uint64_t data_bytes = 0;
};

inline constexpr size_t kSymbolsMax = 16;
// The symbol of entries that stand in the table of exceptions, with an
// invalidityDate or a date out of the usual hours.
inline constexpr uint8_t kException = 15;

struct ImageHeader {
  uint64_t magic = kImageMagic;
  uint64_t image_bytes = 0;
  uint64_t entries = 0;
  // A date is day number `rank` of those that occur and a second of the hours
  // in use: seconds = (day x 86,400) + day_start + window_offset + second.
  int64_t day_start = 0;
  uint64_t window_offset = 0;
  uint64_t window_size = 1;
  // Codes, rank x window_size + second, are below this.
  uint64_t code_limit = 1;
  // In blocks: low bits of a code kept as they are, codes whose high parts
  // share a field.
  uint64_t low_bits = 0;
  uint64_t group = 1;
  // Reasons by frequency; how many of them are told apart in unary, and the
  // bits of the rest.
  uint64_t symbols = 0;
  uint8_t symbol[kSymbolsMax] = {};
  uint64_t unary_levels = 0;
  uint64_t tail_bits = 0;
  uint64_t days_offset = 0;
  uint64_t days = 0;
  uint64_t exceptions_offset = 0;
  uint64_t exceptions = 0;
  SegmentHeader segments[kSegments];
};
static_assert(sizeof(ImageHeader) ==
              16 * 8 + kSymbolsMax + kSegments * (11 + 2 * kKeyWords) * 8);

// An exception: revocationDate and invalidityDate in 5 octets each, counted
// from kTimeMin; the reason; 1 if there is an invalidityDate.
inline constexpr size_t kExceptionBytes = 12;
inline constexpr size_t kExceptionDateBytes = 5;

// The directory of blocks: where four of them start and the next four do. A
// first offset and three differences.
inline constexpr size_t kBlocksPerGroup = 4;
inline constexpr size_t kDirectoryGroupBytes = 10;
inline constexpr unsigned kBlockCountBits = 11;
inline constexpr size_t kBlockEntriesMax = (1U << kBlockCountBits) - 1;
// Blocks are made for at most this many entries each on average.
inline constexpr uint64_t kBlockEntriesUsual = 200;
// Buckets of records hold 32 to 64 entries on average. In larger ones than this
// the distribution is uneven, and halving goes before interpolation.
inline constexpr unsigned kBucketEntriesLog2 = 5;
inline constexpr uint32_t kBucketEntriesUsual = 256;

// ---------------------------------------------------------------------------
// The set of numbers in a block: `count` of 2^shift. Whichever is shorter of a
// bitmap and of Elias-Fano, with the best number of low bits; both sides work
// it out from the count.

struct SetCoding {
  bool bitmap = false;
  unsigned low_bits = 0;
  uint64_t high_bits = 0;  // length of the bitmap, or of the unary part
  uint64_t bits = 0;       // in all
};

// Elias-Fano takes count x (low + 1) + 2^(shift - low) bits. One low bit fewer
// saves `count` and adds 2^(shift - low): the least is where that last reaches
// `count`. REQUIRES: 1 <= count <= 2^shift.
inline SetCoding SetCodingOf(uint64_t count, unsigned shift) {
  const auto ceiling_log2 =
      static_cast<unsigned>(64 - __builtin_clzll((count - 1) | 1)) -
      (count == 1 ? 1U : 0U);
  const unsigned low = std::min(shift > ceiling_log2 ? shift - ceiling_log2 : 0,
                                kFieldBitsMax - 1);
  const uint64_t zeros = uint64_t{1} << (shift - std::min(shift, low));
  const uint64_t bits = count * (low + 1) + zeros;
  if (shift <= kBlockCountBits && uint64_t{1} << shift <= bits) {
    return {true, 0, uint64_t{1} << shift, uint64_t{1} << shift};
  }
  return {false, low, count + zeros, bits};
}

// ---------------------------------------------------------------------------
// Dates in a block: groups of codes; each is one field with the high parts as
// the digits of a number, then the low parts.

inline constexpr unsigned kGroupMax = 16;

struct DateCoding {
  // Exact up to 2^11 / 16: the error of the inverse, below 2^-20, times the
  // number stays below 1 / group.
  static constexpr unsigned kInverseBits = 20;

  unsigned low_bits = 0;
  unsigned group = 1;
  uint32_t group_inverse = (1U << kInverseBits) + 1;
  uint64_t digits = 1;                        // values of a high part
  std::array<uint64_t, kGroupMax + 1> power;  // digits^i
  std::array<unsigned, kGroupMax + 1> width;  // bits of i high parts

  // 0 if the widths do not fit a field.
  static bool Make(uint64_t code_limit, uint64_t low_bits, uint64_t group,
                   DateCoding* coding);
  // The one that takes the fewest bits.
  static DateCoding Best(uint64_t code_limit);

  // `count` / group, by multiplication. REQUIRES: count <= kBlockEntriesMax.
  uint32_t Groups(uint32_t count) const {
    return count * group_inverse >> kInverseBits;
  }
  uint64_t GroupBits() const { return width[group] + group * low_bits; }
  uint64_t Bits(uint32_t count) const {
    const uint32_t groups = Groups(count);
    const uint32_t rest = count - groups * group;
    return groups * GroupBits() + width[rest] + rest * low_bits;
  }
  // The code of entry `i` of `count`, the dates starting at `position`.
  uint64_t Get(const uint8_t* block, uint64_t position, uint32_t count,
               uint32_t i) const {
    const uint32_t which = Groups(i);
    const uint32_t place = i - which * group;
    const uint32_t groups = Groups(count);
    const unsigned high_width =
        width[which == groups ? count - groups * group : group];
    const uint64_t start = position + which * GroupBits();
    const uint64_t high = GetBits(block, start, high_width);
    const uint64_t low =
        GetBits(block, start + high_width + place * low_bits, low_bits);
    return high / power[place] % digits << low_bits | low;
  }
};

}  // namespace inkan::crl_format

#endif  // INKAN_CACHE_CRL_INDEX_FORMAT_H_
