// RSA operations one after another, each across the lanes of AVX-512 IFMA.
//
// The kernel of eight operations side by side (rsa_avx512ifma.cc) takes the
// same time for one. Here the digits of one number lie beside each other in a
// few registers, so that one operation is done in half of that time; from three
// on the other kernel is faster.
//
// Representation. D digits of 52 bits, the least first, eight a register; D =
// 40, 60, 80 for moduli of up to 2048, 3072, 4096 bits. R = 2^(52 D).
//
// Multiplication is Montgomery's, digit by digit: with each digit b of one
// factor a b is added to the sum, then the multiple q n that clears the lowest
// digit, and the sum moves down by one. The low halves of the products are
// added before the move and the high halves, which weigh a digit more, after
// it, so that all are in the lane where they belong.
//
// No carry is lost. Only the lowest digit's carry is passed on at each step,
// since q depends on it. A column moves down at each step and takes four parts
// below 2^52 and one carry: over D steps, for D = 80, less than 2^60.5.
//
// Bounds. R is at least 2^32 n, so of factors below 2n the result, below
// a b / R + n, is below 2n again, and the result of the last product, by s < n,
// too. RsaLeave takes n away.
//
// All of this is public data; nothing here is constant-time.
#if defined(__GNUC__) && !defined(__clang__)
// GCC 12's header starts some results from an undefined value on purpose and
// then warns of it.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "crypto/rsa_kernels.h"

namespace inkan {
namespace {

using Vec = __m512i;
// A bit for each digit.
using Mask = unsigned __int128;

constexpr int kDigitBits = 52;
constexpr uint64_t kDigitMask = (uint64_t{1} << kDigitBits) - 1;
constexpr int kPerVec = 8;

#define INKAN_INLINE inline __attribute__((always_inline))
#define INKAN_NOINLINE __attribute__((noinline))
#define INKAN_UNROLL _Pragma("GCC unroll 16")

INKAN_INLINE Vec Lo(Vec sum, Vec a, Vec b) {
  return _mm512_madd52lo_epu64(sum, a, b);
}
INKAN_INLINE Vec Hi(Vec sum, Vec a, Vec b) {
  return _mm512_madd52hi_epu64(sum, a, b);
}
INKAN_INLINE Vec Add(Vec a, Vec b) { return _mm512_add_epi64(a, b); }
INKAN_INLINE Vec Carry(Vec a) { return _mm512_srli_epi64(a, kDigitBits); }
INKAN_INLINE Vec Zero() { return _mm512_setzero_si512(); }
INKAN_INLINE Vec Broadcast(uint64_t value) {
  return _mm512_set1_epi64(static_cast<int64_t>(value));
}
INKAN_INLINE Vec BroadcastLowest(Vec v) {
  return _mm512_broadcastq_epi64(_mm512_castsi512_si128(v));
}

// kVecs registers hold kDigits digits and zeros.
template <int kClassBits, int kClassDigits>
struct Size {
  static constexpr int kBits = kClassBits;
  static constexpr int kDigits = kClassDigits;
  static constexpr int kVecs = (kDigits + kPerVec - 1) / kPerVec;
  // One more than the modulus has: results below 2n.
  static constexpr size_t kLimbs = kBits / 64 + 1;
};
using Size2048 = Size<2048, 40>;
using Size3072 = Size<3072, 60>;
using Size4096 = Size<4096, 80>;

template <typename S>
struct Number {
  alignas(64) uint64_t digits[S::kVecs * kPerVec];

  INKAN_INLINE Vec at(int i) const {
    return _mm512_load_si512(digits + kPerVec * i);
  }
};

// A mask as the octet it is. Not by conversion: where GCC 12 runs out of mask
// registers it stores one octet of it and loads eight back.
INKAN_INLINE Mask Wide(__mmask8 lanes) {
  uint32_t octet;
  asm("kmovb %1, %0" : "=r"(octet) : "k"(lanes));
  return Mask{octet};
}

// Passes all carries on: each lane of the sum becomes a digit.
template <typename S>
INKAN_INLINE void Normalize(Vec* sum, Number<S>* out) {
  const Vec mask = Broadcast(kDigitMask);
  Vec below = Zero();
  Mask over = 0;
  Mask full = 0;
  INKAN_UNROLL
  for (int i = 0; i < S::kVecs; ++i) {
    const Vec carry = Carry(sum[i]);
    sum[i] = Add(_mm512_and_si512(sum[i], mask),
                 _mm512_alignr_epi64(carry, below, kPerVec - 1));
    below = carry;
    over |= Wide(_mm512_cmpgt_epu64_mask(sum[i], mask)) << (kPerVec * i);
    full |= Wide(_mm512_cmpeq_epu64_mask(sum[i], mask)) << (kPerVec * i);
  }
  // What is left over is one a digit at most. It goes through digits that are
  // all ones, as it goes through the ones of a binary number that it is added
  // to.
  const Mask into = ((over << 1) + full) ^ full;
  INKAN_UNROLL
  for (int i = 0; i < S::kVecs; ++i) {
    const auto lanes = static_cast<__mmask8>(into >> (kPerVec * i));
    sum[i] =
        _mm512_mask_sub_epi64(sum[i], lanes, sum[i], Broadcast(UINT64_MAX));
    _mm512_store_si512(out->digits + kPerVec * i,
                       _mm512_and_si512(sum[i], mask));
  }
}

// What one multiplication has in registers.
template <typename S>
struct Sum {
  Vec at[S::kVecs];

  // Adds a factor's digit times a, and clears and drops the lowest digit.
  INKAN_INLINE void Step(const Number<S>& a, uint64_t b_digit,
                         const Number<S>& n, Vec inverse) {
    const Vec factor = Broadcast(b_digit);
    // What the lowest digit waits for is kept short: its products are worked
    // out beside, and added.
    at[0] = Add(at[0], Lo(Zero(), a.at(0), factor));
    const Vec q = Lo(Zero(), BroadcastLowest(at[0]), inverse);
    const Vec high = Hi(Hi(Zero(), a.at(0), factor), n.at(0), q);
    Vec lower = Lo(at[0], n.at(0), q);
    const Vec carry = Carry(lower);
    INKAN_UNROLL
    for (int i = 1; i < S::kVecs; ++i) {
      const Vec here = Lo(Lo(at[i], a.at(i), factor), n.at(i), q);
      at[i - 1] = _mm512_alignr_epi64(here, lower, 1);
      lower = here;
    }
    at[S::kVecs - 1] = _mm512_alignr_epi64(Zero(), lower, 1);
    at[0] = Add(_mm512_mask_add_epi64(at[0], 1, at[0], carry), high);
    INKAN_UNROLL
    for (int i = 1; i < S::kVecs; ++i) {
      at[i] = Hi(Hi(at[i], a.at(i), factor), n.at(i), q);
    }
  }
};

// An operation on its way: n, the power so far and what it is multiplied with.
template <typename S>
struct Operation {
  Number<S> n;
  Number<S> power;
  Number<S> base;       // s R mod n
  Number<S> signature;  // s
  uint64_t n_inverse;   // -n^-1 mod 2^52
};

// power = power b / R mod n, below 2n if both are, of kOps operations: what one
// waits for leaves room for the other. `b` says which number b is; null: the
// power itself.
template <typename S, int kOps>
INKAN_NOINLINE void Multiply(Number<S> Operation<S>::*b, Operation<S>* all) {
  Sum<S> sums[kOps];
  Vec inverses[kOps];
  const uint64_t* digits[kOps];
  INKAN_UNROLL
  for (int op = 0; op < kOps; ++op) {
    INKAN_UNROLL
    for (int i = 0; i < S::kVecs; ++i) sums[op].at[i] = Zero();
    inverses[op] = Broadcast(all[op].n_inverse);
    digits[op] = (b == nullptr ? all[op].power : all[op].*b).digits;
  }
  for (int digit = 0; digit < S::kDigits; ++digit) {
    INKAN_UNROLL
    for (int op = 0; op < kOps; ++op) {
      sums[op].Step(all[op].power, digits[op][digit], all[op].n, inverses[op]);
    }
  }
  INKAN_UNROLL
  for (int op = 0; op < kOps; ++op) {
    Normalize<S>(sums[op].at, &all[op].power);
  }
}

// Between limbs of 64 bits and digits of 52.
template <typename S>
void ToDigits(const uint64_t* limbs, Number<S>* out) {
  for (int i = 0; i < S::kVecs * kPerVec; ++i) {
    const size_t bit = static_cast<size_t>(i) * kDigitBits;
    const size_t limb = bit / 64;
    const size_t shift = bit % 64;
    uint64_t value = limb < S::kLimbs ? limbs[limb] >> shift : 0;
    if (shift > 64 - kDigitBits && limb + 1 < S::kLimbs) {
      value |= limbs[limb + 1] << (64 - shift);
    }
    out->digits[i] = value & kDigitMask;
  }
}

template <typename S>
void ToLimbs(const Number<S>& number, uint64_t* limbs) {
  for (size_t limb = 0; limb < S::kLimbs; ++limb) {
    const size_t bit = limb * 64;
    size_t digit = bit / kDigitBits;
    const size_t shift = bit % kDigitBits;
    uint64_t value = 0;
    for (size_t have = 0; have < 64; ++digit) {
      if (digit >= size_t{S::kVecs} * kPerVec) break;
      const uint64_t part =
          have == 0 ? number.digits[digit] >> shift : number.digits[digit];
      value |= part << have;
      have += have == 0 ? kDigitBits - shift : kDigitBits;
    }
    limbs[limb] = value;
  }
}

template <typename S, int kOps>
void RunSome(uint64_t exponent, const RsaLane* lanes) {
  uint64_t moduli[kOps][S::kLimbs];
  uint64_t limbs[S::kLimbs];
  uint64_t residue[S::kLimbs];
  Operation<S> all[kOps];
  for (int op = 0; op < kOps; ++op) {
    all[op].n_inverse = RsaEnter(lanes[op], size_t{kDigitBits} * S::kDigits,
                                 S::kLimbs, moduli[op], limbs, residue) &
                        kDigitMask;
    ToDigits<S>(moduli[op], &all[op].n);
    ToDigits<S>(limbs, &all[op].signature);
    ToDigits<S>(residue, &all[op].base);
    all[op].power = all[op].base;
  }
  for (int bit = 62 - __builtin_clzll(exponent); bit >= 0; --bit) {
    Multiply<S, kOps>(nullptr, all);
    if (((exponent >> bit) & 1) == 0) continue;
    // The last one is by s and not by s R, which leaves the product without R.
    Multiply<S, kOps>(bit == 0 ? &Operation<S>::signature : &Operation<S>::base,
                      all);
  }
  for (int op = 0; op < kOps; ++op) {
    ToLimbs<S>(all[op].power, limbs);
    RsaLeave(lanes[op], moduli[op], S::kLimbs, limbs);
  }
}

template <typename S>
void RunAll(uint64_t exponent, const RsaLane* lanes, size_t count) {
  // Two larger ones do not fit the registers.
  constexpr bool kByTwos = S::kBits <= 2048;
  for (; kByTwos && count >= 2; count -= 2, lanes += 2) {
    RunSome<S, 2>(exponent, lanes);
  }
  for (; count > 0; --count, ++lanes) RunSome<S, 1>(exponent, lanes);
}

// ---------------------------------------------------------------------------
// The table. What is prepared is what the portable kernel makes.

size_t PreparedBytes(size_t size_class) {
  return kRsaPortableKernel.prepared_bytes(size_class);
}

void PrepareKey(size_t size_class, const uint8_t* modulus, size_t bytes,
                void* prepared) {
  kRsaPortableKernel.prepare(size_class, modulus, bytes, prepared);
}

void ReleaseKey(void* prepared) { kRsaPortableKernel.release(prepared); }

void RunLanes(size_t size_class, uint64_t exponent, const RsaLane* lanes,
              size_t count) {
  switch (size_class) {
    case 0:
      RunAll<Size2048>(exponent, lanes, count);
      break;
    case 1:
      RunAll<Size3072>(exponent, lanes, count);
      break;
    default:
      RunAll<Size4096>(exponent, lanes, count);
  }
}

}  // namespace

const RsaKernel kRsaAvx512IfmaFewKernel = {
    "avx512ifma_few", 2, 1, PreparedBytes, PrepareKey, ReleaseKey, RunLanes};

}  // namespace inkan
