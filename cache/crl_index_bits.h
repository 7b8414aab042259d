// Fields of any width at any bit of little-endian memory, and counting in them.
// Private to the CRL index.
//
// A read touches up to eight octets from the one that holds the first bit, so
// what is read must be followed by kBitsGuardBytes octets that may be touched.
#ifndef INKAN_CACHE_CRL_INDEX_BITS_H_
#define INKAN_CACHE_CRL_INDEX_BITS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace inkan::crl_format {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "images are mapped as they lie in the file");

inline constexpr size_t kBitsGuardBytes = 64;
// The widest field that eight octets hold wherever it starts.
inline constexpr unsigned kFieldBitsMax = 57;

inline uint64_t Load64(const uint8_t* p) {
  uint64_t value;
  std::memcpy(&value, p, sizeof(value));
  return value;
}

inline uint64_t Mask(unsigned bits) {
  return bits >= 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
}

// REQUIRES: width <= kFieldBitsMax.
inline uint64_t GetBits(const uint8_t* base, uint64_t position,
                        unsigned width) {
  return (Load64(base + (position >> 3)) >> (position & 7)) & Mask(width);
}

inline bool GetBit(const uint8_t* base, uint64_t position) {
  return (base[position >> 3] >> (position & 7) & 1) != 0;
}

// Writes fields one after the other; up to seven octets behind the last become
// zero. The word under way is held in a register: to read back what was just
// written an octet further to the front would wait for memory each time.
class BitWriter {
 public:
  explicit BitWriter(uint8_t* base) : base_(base), next_(base) {}

  // REQUIRES: width <= kFieldBitsMax, value < 2^width.
  void Put(uint64_t value, unsigned width) {
    word_ |= value << used_;
    used_ += width;
    std::memcpy(next_, &word_, sizeof(word_));
    next_ += used_ >> 3;
    // In two steps: it may be all 64 bits.
    const unsigned half = used_ >> 3 << 2;
    word_ = word_ >> half >> half;
    used_ &= 7;
  }

  void PutZeros(uint64_t count) {
    for (; count >= kFieldBitsMax; count -= kFieldBitsMax) {
      Put(0, kFieldBitsMax);
    }
    Put(0, static_cast<unsigned>(count));
  }

  // `zeros` zeros, then a one.
  void PutUnary(uint64_t zeros) {
    if (zeros >= kFieldBitsMax) {
      PutZeros(zeros);
      zeros = 0;
    }
    Put(uint64_t{1} << zeros, static_cast<unsigned>(zeros) + 1);
  }

  // Octets written, the last one in part perhaps.
  uint64_t bytes() const {
    return static_cast<uint64_t>(next_ - base_) + (used_ > 0 ? 1 : 0);
  }

 private:
  uint8_t* const base_;
  uint8_t* next_;
  unsigned used_ = 0;
  uint64_t word_ = 0;
};

// Ones in each octet.
inline uint64_t OnesInOctets(uint64_t x) {
  x -= x >> 1 & 0x5555555555555555U;
  x = (x & 0x3333333333333333U) + (x >> 2 & 0x3333333333333333U);
  return (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fU;
}

// Two ways to count the ones of a word. The instruction is not on every machine
// that x86-64 names; what counts much is written for either, and asks
// ChosenIsa() once (crypto/isa.h).
struct PortableOnes {
  static unsigned Count(uint64_t x) {
    return static_cast<unsigned>(OnesInOctets(x) * 0x0101010101010101U >> 56);
  }
};

#if defined(__x86_64__)
struct PopcntOnes {
  static unsigned Count(uint64_t x) {
    uint64_t count;
    // Not the builtin: without -mpopcnt that is a call.
    asm("popcntq %1, %0" : "=r"(count) : "r"(x) : "cc");
    return static_cast<unsigned>(count);
  }
};
#else
using PopcntOnes = PortableOnes;
#endif

// Ones among `count` bits from `position` on.
template <class Ones = PortableOnes>
inline uint64_t CountOnes(const uint8_t* base, uint64_t position,
                          uint64_t count) {
  const uint8_t* p = base + (position >> 3);
  const auto skipped = static_cast<unsigned>(position & 7);
  uint64_t left = count + skipped;
  uint64_t ones = 0;
  uint64_t mask = ~Mask(skipped);
  for (; left >= 64; left -= 64, p += 8) {
    ones += Ones::Count(Load64(p) & mask);
    mask = ~uint64_t{0};
  }
  return ones +
         Ones::Count(Load64(p) & mask & Mask(static_cast<unsigned>(left)));
}

// Where the n-th one of `word` is, n from 1. REQUIRES: it has so many.
inline unsigned SelectOne(uint64_t word, unsigned n) {
  constexpr uint64_t kOctets = 0x0101010101010101U;
  constexpr uint64_t kHighBits = 0x8080808080808080U;
  const uint64_t upto = OnesInOctets(word) * kOctets;
  const uint64_t reached = ((upto | kHighBits) - n * kOctets) & kHighBits;
  const auto octet = static_cast<unsigned>(__builtin_ctzll(reached)) & ~7U;
  n -= static_cast<unsigned>(upto << 8 >> octet & 0xff);
  auto bits = static_cast<unsigned>(word >> octet & 0xff);
  while (--n > 0) bits &= bits - 1;
  return octet + static_cast<unsigned>(__builtin_ctz(bits));
}

}  // namespace inkan::crl_format

#endif  // INKAN_CACHE_CRL_INDEX_BITS_H_
