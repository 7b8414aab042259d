// Four RSA operations side by side with AVX2.
//
// For CPUs without AVX-512 IFMA. VPMULUDQ multiplies 32 bits by 32 bits in each
// of four lanes, two of them a cycle on most CPUs; MULX multiplies 64 by 64
// bits, one a cycle, and its sums need carries. The first does as many bits a
// cycle as the second, but here no carry is passed on until a column is done.
//
// Representation. A number is D digits of B bits; digit i of four numbers, one
// for each lane, is one register. A product is kept as 2D columns, column c
// holding the sum of all products of digits of weight 2^(B c), carries not yet
// passed on: at most D products of a multiplication and D of its reduction, and
// what the column below carries. With D = 75 and 110 and B = 28 that is less
// than 220 2^56 + 2^37 < 2^64; with D = 155, for moduli of 4096 bits, B is 27.
// Digits are masked, except that the rows of a square are doubled ones.
//
// Reduction. With R = 2^(B D), Montgomery's reduction adds to T a multiple of n
// that clears its D low digits, and drops them. Five digits at a time: with
//   mk = 2^(-5 B) mod n,
// T = T_high 2^(5 B) + q (q the low five digits, once their carries have been
// passed on) is 2^(5 B) (T_high + q mk) mod n. The quotient is the columns
// themselves, so no multiplication stands in the chain from one block to the
// next. That leaves five digits too many, so the last block is done the usual
// way, one digit after the other with n itself and -n^-1 mod 2^B.
//
// Bounds. mk is made by that last block from the number 1, so mk <= n. The
// block before the last adds less than 2^(5 B) mk and the blocks before it less
// than that times 2^(-5 B), so
//   Reduce(T) < T / R + mk + n + a trifle.
// R is at least 2^8 n: of a product of two numbers below 2.2n the first term is
// below 0.02n, and the result below 2.2n again.
//
// What enters Montgomery form, s R mod n, is found by the portable kernel's
// division, one lane after another. The last multiplication is by s and not by
// s R, which leaves the product out of Montgomery form.
//
// Products of digits for one operation with e = 65537, that is a quarter of an
// instruction each, D = 75:
//   16 squares              16 D (D + 1) / 2
//   1 product               D^2
//   17 reductions           17 (D^2 + 20)
// together 147,000 products, 36,800 instructions.
//
// All of this is public data; nothing here is constant-time.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "crypto/rsa_kernels.h"

namespace inkan {
namespace {

using Vec = __m256i;

constexpr size_t kLanes = 4;
// Digits in a block.
constexpr int kBlock = 5;

#define INKAN_INLINE inline __attribute__((always_inline))
#define INKAN_NOINLINE __attribute__((noinline))
#define INKAN_LAMBDA __attribute__((always_inline))
#define INKAN_UNROLL _Pragma("GCC unroll 16")

// The size classes.
template <size_t kBits, int kDigitsIn, int kDigitBitsIn>
struct Class {
  static constexpr int kDigits = kDigitsIn;
  static constexpr int kDigitBits = kDigitBitsIn;
  // One more than the modulus: a result is a few times n.
  static constexpr size_t kLimbs = kBits / 64 + 1;
  static_assert(kDigits % kBlock == 0);
  static_assert(kDigits * kDigitBits >= static_cast<int>(kBits) + 8);
  static_assert(2 * kDigits < 1 << (64 - 2 * kDigitBits));
};
using Class2048 = Class<2048, 75, 28>;
using Class3072 = Class<3072, 110, 28>;
using Class4096 = Class<4096, 155, 27>;

template <typename C>
INKAN_INLINE Vec Carry(Vec sum) {
  return _mm256_srli_epi64(sum, C::kDigitBits);
}
template <typename C>
INKAN_INLINE Vec Digit(Vec sum) {
  return _mm256_and_si256(
      sum, _mm256_set1_epi64x((int64_t{1} << C::kDigitBits) - 1));
}
INKAN_INLINE Vec Add(Vec a, Vec b) { return _mm256_add_epi64(a, b); }
// Of factors below 2^32; what is above in their lanes is not looked at.
INKAN_INLINE Vec Multiply(Vec a, Vec b) { return _mm256_mul_epu32(a, b); }
INKAN_INLINE Vec MultiplyAdd(Vec sum, Vec a, Vec b) {
  return Add(sum, Multiply(a, b));
}
INKAN_INLINE Vec Zero() { return _mm256_setzero_si256(); }

// What depends on the modulus alone, named as above.
template <typename C>
struct Constants {
  Vec n[C::kDigits];
  Vec mk_and_below[kBlock + C::kDigits];
  Vec n_inverse;  // -n^-1 mod 2^B

  Vec* mk() { return mk_and_below + kBlock; }
  const Vec* mk() const { return mk_and_below + kBlock; }
};

// ---------------------------------------------------------------------------
// Multiplication.

// columns += rows * digits, five rows and `count` digits, a multiple of five.
// The first `count` columns go to retire(place in five, sum), the other four
// back to where they are.
template <typename Retire>
INKAN_INLINE void AddRowsTo(const Vec* rows, const Vec* digits, int count,
                            Vec* columns, Retire retire) {
  Vec r[kBlock];
  Vec w[2 * kBlock];
  INKAN_UNROLL
  for (int k = 0; k < kBlock; ++k) r[k] = rows[k];
  INKAN_UNROLL
  for (int k = 0; k + 1 < kBlock; ++k) w[k] = columns[k];
  for (; count > 0; count -= kBlock) {
    INKAN_UNROLL
    for (int s = 0; s < kBlock; ++s) {
      const Vec d = digits[s];
      w[s + kBlock - 1] = columns[s + kBlock - 1];
      INKAN_UNROLL
      for (int k = 0; k < kBlock; ++k) {
        w[s + k] = MultiplyAdd(w[s + k], r[k], d);
      }
      retire(s, w[s]);
    }
    INKAN_UNROLL
    for (int k = 0; k + 1 < kBlock; ++k) w[k] = w[k + kBlock];
    digits += kBlock;
    columns += kBlock;
  }
  INKAN_UNROLL
  for (int k = 0; k + 1 < kBlock; ++k) columns[k] = w[k];
}

INKAN_NOINLINE void AddRows(const Vec* rows, const Vec* digits, int count,
                            Vec* columns) {
  Vec* out = columns;
  AddRowsTo(rows, digits, count, columns, [&](int s, Vec sum) INKAN_LAMBDA {
    out[s] = sum;
    if (s + 1 == kBlock) out += kBlock;
  });
}

INKAN_INLINE void Clear(Vec* columns, int count) {
  for (int i = 0; i < count; ++i) columns[i] = Zero();
}

template <typename C>
INKAN_NOINLINE void Square(const Vec* a, Vec* columns) {
  Clear(columns, 2 * C::kDigits);
  for (int i = 0; i < C::kDigits; i += kBlock) {
    const Vec* own = a + i;
    Vec* at = columns + 2 * i;
    Vec doubled[kBlock];
    INKAN_UNROLL
    for (int k = 0; k < kBlock; ++k) {
      doubled[k] = Add(own[k], own[k]);
      at[2 * k] = MultiplyAdd(at[2 * k], own[k], own[k]);
      INKAN_UNROLL
      for (int j = 0; j < k; ++j) {
        at[k + j] = MultiplyAdd(at[k + j], doubled[j], own[k]);
      }
    }
    AddRows(doubled, own + kBlock, C::kDigits - i - kBlock, at + kBlock);
  }
}

template <typename C>
INKAN_NOINLINE void Product(const Vec* a, const Vec* b, Vec* columns) {
  Clear(columns, 2 * C::kDigits);
  for (int i = 0; i < C::kDigits; i += kBlock) {
    AddRows(a + i, b, C::kDigits, columns + i);
  }
}

// ---------------------------------------------------------------------------
// Montgomery reduction.

// The last block: columns[0 .. D + 4] / 2^(5 B) mod n, in digits. The five
// digits that are cleared are written too, below `out`.
template <typename C>
INKAN_NOINLINE void FinishReduction(const Constants<C>& k, Vec* columns,
                                    Vec* out) {
  Vec q[kBlock];
  Vec carry = Zero();
  INKAN_UNROLL
  for (int i = 0; i < kBlock; ++i) {
    Vec sum = Add(columns[i], carry);
    INKAN_UNROLL
    for (int j = 0; j < i; ++j) sum = MultiplyAdd(sum, q[j], k.n[i - j]);
    q[i] = Digit<C>(Multiply(sum, k.n_inverse));
    carry = Carry<C>(MultiplyAdd(sum, q[i], k.n[0]));
  }
  carry = Zero();
  Vec* to = out - kBlock;
  const auto retire = [&](int s, Vec sum) INKAN_LAMBDA {
    sum = Add(sum, carry);
    to[s] = Digit<C>(sum);
    carry = Carry<C>(sum);
    if (s + 1 == kBlock) to += kBlock;
  };
  AddRowsTo(q, k.n, C::kDigits, columns, retire);
  INKAN_UNROLL
  for (int i = 0; i < kBlock; ++i) retire(i, columns[C::kDigits + i]);
}

// columns[0 .. 2D - 1] / R mod n, in digits, with the five below `out`.
template <typename C>
void Reduce(const Constants<C>& k, Vec* columns, Vec* out) {
  for (int i = kBlock; i < C::kDigits; i += kBlock) {
    Vec q[kBlock];
    Vec carry = Zero();
    INKAN_UNROLL
    for (int j = 0; j < kBlock; ++j) {
      const Vec sum = Add(columns[j], carry);
      q[j] = Digit<C>(sum);
      carry = Carry<C>(sum);
    }
    columns += kBlock;
    columns[0] = Add(columns[0], carry);
    AddRows(q, k.mk(), C::kDigits, columns);
  }
  FinishReduction(k, columns, out);
}

// ---------------------------------------------------------------------------
// Limbs to digits and back.

template <typename C>
void ToDigits(const uint64_t* limbs, size_t lane, Vec* digits) {
  auto* out = reinterpret_cast<uint64_t*>(digits) + lane;
  constexpr uint64_t kMask = (uint64_t{1} << C::kDigitBits) - 1;
  for (int i = 0; i < C::kDigits; ++i) {
    const auto bit = static_cast<size_t>(i) * C::kDigitBits;
    const size_t limb = bit / 64;
    const size_t skipped = bit % 64;
    uint64_t digit = limb < C::kLimbs ? limbs[limb] >> skipped : 0;
    if (skipped != 0 && limb + 1 < C::kLimbs) {
      digit |= limbs[limb + 1] << (64 - skipped);
    }
    out[static_cast<size_t>(i) * kLanes] = digit & kMask;
  }
}

// REQUIRES: the number fits the limbs.
template <typename C>
void ToLimbs(const Vec* digits, size_t lane, uint64_t* limbs) {
  const auto* in = reinterpret_cast<const uint64_t*>(digits) + lane;
  for (size_t i = 0; i < C::kLimbs; ++i) limbs[i] = 0;
  for (int i = 0; i < C::kDigits; ++i) {
    const auto bit = static_cast<size_t>(i) * C::kDigitBits;
    const size_t limb = bit / 64;
    const size_t skipped = bit % 64;
    const uint64_t digit = in[static_cast<size_t>(i) * kLanes];
    if (limb < C::kLimbs) limbs[limb] |= digit << skipped;
    if (skipped != 0 && limb + 1 < C::kLimbs) {
      limbs[limb + 1] |= digit >> (64 - skipped);
    }
  }
}

// ---------------------------------------------------------------------------
// The operation.

// REQUIRES: 1 <= count <= kLanes.
template <typename C>
void RunFour(uint64_t exponent, const RsaLane* lanes, size_t count) {
  constexpr int kDigits = C::kDigits;
  Constants<C> k;
  uint64_t modulus[kLanes][C::kLimbs];
  alignas(32) Vec s[kDigits];
  alignas(32) Vec base[kDigits];
  alignas(32) Vec power_and_below[kBlock + kDigits];
  Vec* power = power_and_below + kBlock;
  alignas(32) Vec columns[2 * kDigits];

  // Lanes without a job repeat the first one; their results go nowhere.
  for (size_t i = 0; i < kLanes; ++i) {
    uint64_t signature[C::kLimbs];
    uint64_t residue[C::kLimbs];
    const uint64_t inverse =
        RsaEnter(lanes[i < count ? i : 0], C::kDigitBits * kDigits, C::kLimbs,
                 modulus[i], signature, residue);
    reinterpret_cast<uint64_t*>(&k.n_inverse)[i] =
        inverse & ((uint64_t{1} << C::kDigitBits) - 1);
    ToDigits<C>(modulus[i], i, k.n);
    ToDigits<C>(signature, i, s);
    ToDigits<C>(residue, i, base);
  }
  Clear(columns, kDigits + kBlock);
  columns[0] = _mm256_set1_epi64x(1);
  FinishReduction(k, columns, k.mk());

  const Vec* current = base;
  for (int bit = 62 - __builtin_clzll(exponent); bit >= 0; --bit) {
    Square<C>(current, columns);
    Reduce(k, columns, power);
    current = power;
    if (((exponent >> bit) & 1) == 0) continue;
    Product<C>(bit == 0 ? s : base, power, columns);
    Reduce(k, columns, power);
  }

  for (size_t i = 0; i < count; ++i) {
    uint64_t value[C::kLimbs];
    ToLimbs<C>(power, i, value);
    RsaLeave(lanes[i], modulus[i], C::kLimbs, value);
  }
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
  while (count > 0) {
    const size_t here = count < kLanes ? count : kLanes;
    switch (size_class) {
      case 0:
        RunFour<Class2048>(exponent, lanes, here);
        break;
      case 1:
        RunFour<Class3072>(exponent, lanes, here);
        break;
      default:
        RunFour<Class4096>(exponent, lanes, here);
    }
    lanes += here;
    count -= here;
  }
}

}  // namespace

const RsaKernel kRsaAvx2Kernel = {
    "avx2", kLanes, 3, PreparedBytes, PrepareKey, ReleaseKey, RunLanes};

}  // namespace inkan
