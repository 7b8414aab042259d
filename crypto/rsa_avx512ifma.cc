// Eight RSA operations side by side with AVX-512 IFMA.
//
// Representation. A number is D digits of 52 bits (D = 40, 60, 80 for moduli of
// up to 2048, 3072, 4096 bits); digit i of eight numbers, one for each lane, is
// one register. VPMADD52LUQ and VPMADD52HUQ multiply the low 52 bits of two
// registers' lanes and add the low or the high 52 bits of the product to a
// third. They ignore what lies above bit 51 of their factors, so a sum whose
// carry has been passed on can be used as a digit without being masked.
//
// No carry is lost. A product is kept as 2D columns, column c holding the sum
// of all parts of weight 2^(52 c), carries not yet passed on. A column takes at
// most D low and D high parts of a product (a square's products of unlike
// digits are added once and doubled, which is as many) and as many of its
// reduction: 4D parts below 2^52, for D = 80 less than 2^60.4, and a carry
// below 2^12. In the folding below, a column lives through (D + 4) / 2 steps of
// four parts: no more.
//
// Reduction. With R = 2^(52 D), Montgomery's reduction adds to T a multiple q n
// that clears its D low digits, and drops them. q is found ten digits at a
// time, and for all but the last ten there is nothing to find: let
//   mk = 2^-520 mod n.
// Then T = T_high 2^520 + q (q the low ten digits, once their carries have been
// passed on) is 2^520 (T_high + q mk) mod n: the quotient is the columns
// themselves, and no multiplication stands in the chain from one block to the
// next. Equally said, mk 2^520 - 1 is the multiple of n that is -1 mod 2^520.
// The result of such a step is up to ten digits too long, which the blocks
// after it remove, so the last block is done otherwise: nine digits the same
// way one at a time, with m1 = 2^-52 mod n, and the very last with n itself and
// -n^-1 mod 2^52.
//
// Bounds. m1 < n. The last block adds at most n for its ninth digit, n for the
// tenth and a trifle for the others. mk is made by that same block from the
// number 1, so mk < 2.1n. The block before adds at most mk, so
//   Reduce(T) < T / R + 4.2n.
// R is at least 2^32 n, so of a product of two numbers below 5n the first term
// is nothing and the result is below 4.3n again. (A modulus with fewer bits
// than its class may begin with a longer number, but that is below R / 2^100
// and each squaring takes the square of that quotient.) The last product is by
// s < n, so its reduction, below 4.3n in any case, loses n at most four times.
//
// Entry. s R mod n is found from the left: with F = D + 2 (D + 1 for D = 80)
// and
//   fold = 2^(52 F) mod n,
// a number of F digits is moved up by two and the two digits that leave are
// multiplied by fold and added back. fold is shorter than F - 2 digits by
// enough that this overflows F digits by one at most, and hardly ever; then
// fold is added once more. After D + 4 digits (the first two moves bring
// nothing to the top) four digits are removed from below by Montgomery's steps,
// which leaves s R. This costs what one reduction costs, where R^2 mod n would
// have to be worked out and then multiplied by and reduced. fold itself is
// 2^(52 F) less floor(2^(52 F) / n) n, the quotient having two and a half
// digits, and need not be the least: below 2^11 n will do. A modulus shorter
// than its class is shifted up for this one constant, since a residue of 2^j n
// is one of n.
//
// Exit. The last multiplication is by s and not by s R, which leaves the
// product out of Montgomery form.
//
// Work in madd52 instructions for eight operations with e = 65537:
//   entry                    2D (D + 6)
//   16 squares               16 D (D + 1)
//   1 product                2 D^2
//   17 reductions            17 (2 D^2 + 2)
//   m1, mk, fold             2D + 20D + 6D
// for D = 40: 88,700. Beside them run on the same two ports, for each squaring,
// 2D doublings and 2D carries of two instructions: 240, one in twenty.
//
// The inner loop, Tile, holds ten rows and eleven columns in registers: 200
// multiplications for thirty loads and stores. A column is touched by every
// tenth instruction or so, which covers the latency of four cycles on two
// ports. Where a chain of dependent instructions cannot be avoided (carries
// into the next block's quotient, the last block's quotient) it is placed among
// multiplications that do not depend on it, since a CPU takes the oldest ready
// instruction first and would let a chain that comes later wait.
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

// Digits in a block.
constexpr int kBlock = 10;
constexpr int kDigitBits = 52;
constexpr uint64_t kDigitMask = (uint64_t{1} << kDigitBits) - 1;

#define INKAN_INLINE inline __attribute__((always_inline))
#define INKAN_NOINLINE __attribute__((noinline))
#define INKAN_LAMBDA __attribute__((always_inline))
#define INKAN_UNROLL _Pragma("GCC unroll 32")

INKAN_INLINE Vec Lo(Vec sum, Vec a, Vec b) {
  return _mm512_madd52lo_epu64(sum, a, b);
}
INKAN_INLINE Vec Hi(Vec sum, Vec a, Vec b) {
  return _mm512_madd52hi_epu64(sum, a, b);
}
INKAN_INLINE Vec Add(Vec a, Vec b) { return _mm512_add_epi64(a, b); }
INKAN_INLINE Vec Sub(Vec a, Vec b) { return _mm512_sub_epi64(a, b); }
INKAN_INLINE Vec Carry(Vec a) { return _mm512_srli_epi64(a, kDigitBits); }
INKAN_INLINE Vec Digit(Vec a) {
  return _mm512_and_si512(a, _mm512_set1_epi64(kDigitMask));
}
INKAN_INLINE Vec Zero() { return _mm512_setzero_si512(); }

// The size classes; kFoldAt is F.
struct Class2048 {
  static constexpr int kBits = 2048;
  static constexpr int kDigits = 40;
  static constexpr int kFoldAt = 42;
};
struct Class3072 {
  static constexpr int kBits = 3072;
  static constexpr int kDigits = 60;
  static constexpr int kFoldAt = 62;
};
struct Class4096 {
  static constexpr int kBits = 4096;
  static constexpr int kDigits = 80;
  static constexpr int kFoldAt = 81;
};

// Digits rounded up to whole groups of eight, with a zero beyond the last.
template <typename C>
constexpr int kPadded = (C::kDigits + 8) / 8 * 8;

// What depends on the modulus alone, named as above. n is followed by zeros.
template <typename C>
struct Constants {
  Vec n[kPadded<C>];
  Vec m1[C::kDigits];
  Vec mk[C::kDigits];
  Vec fold[C::kDigits];
  Vec n_inverse;  // -n^-1 mod 2^52
};

// ---------------------------------------------------------------------------
// Multiplication.

// Ten rows by ten digits, one step a digit. On entry w[0 .. 9] are the columns
// that meet the first digit; on return, those that meet the digit after the
// last. retire(s, v) takes each column as it leaves the window, and between(s)
// may do something else in the meantime.
template <bool kFresh, typename Retire, typename Between>
INKAN_INLINE void Tile(const Vec* r, const Vec* digits, const Vec* incoming,
                       Vec* w, Retire retire, Between between) {
  INKAN_UNROLL
  for (int s = 0; s < kBlock; ++s) {
    const Vec d = digits[s];
    w[s + kBlock] = kFresh ? Zero() : incoming[s];
    INKAN_UNROLL
    for (int k = 0; k < kBlock; ++k) w[s + k] = Lo(w[s + k], r[k], d);
    retire(s, w[s]);
    between(s);
    INKAN_UNROLL
    for (int k = 0; k < kBlock; ++k) w[s + k + 1] = Hi(w[s + k + 1], r[k], d);
  }
  INKAN_UNROLL
  for (int k = 0; k < kBlock; ++k) w[k] = w[k + kBlock];
}

// columns += rows * digits, ten rows and 10 * tiles digits. Touches columns[0]
// to columns[10 * tiles + 9]. With kPropagate the carries of the first ten
// columns are moved up into the eleventh on the way: those ten are then digits
// in their low 52 bits, with the carry already taken still above.
template <bool kPropagate, bool kFresh = false>
INKAN_NOINLINE void AddRows(const Vec* rows, const Vec* digits, int tiles,
                            Vec* columns) {
  Vec r[kBlock];
  Vec w[2 * kBlock];
  INKAN_UNROLL
  for (int k = 0; k < kBlock; ++k) {
    r[k] = rows[k];
    w[k] = kFresh ? Zero() : columns[k];
  }
  const auto nothing = [](int) INKAN_LAMBDA {};
  if constexpr (kPropagate) {
    Vec carry = Zero();
    Tile<kFresh>(
        r, digits, columns + kBlock, w,
        [&](int s, Vec sum) INKAN_LAMBDA {
          sum = Add(sum, carry);
          columns[s] = sum;
          carry = Carry(sum);
        },
        nothing);
    w[0] = Add(w[0], carry);
    digits += kBlock;
    columns += kBlock;
    --tiles;
  }
  for (; tiles > 0; --tiles) {
    Tile<kFresh>(
        r, digits, columns + kBlock, w,
        [&](int s, Vec sum) INKAN_LAMBDA { columns[s] = sum; }, nothing);
    digits += kBlock;
    columns += kBlock;
  }
  INKAN_UNROLL
  for (int k = 0; k < kBlock; ++k) columns[k] = w[k];
}

// Finishes twenty columns of a square: adds the products of unlike digits
// within one block, doubles, and adds the squares of the block's digits. With
// kPropagate, moves the carries of the first ten up as AddRows does.
template <bool kPropagate>
INKAN_NOINLINE void FinishSquareBlock(const Vec* digits, Vec* columns) {
  Vec r[kBlock];
  Vec w[2 * kBlock];
  INKAN_UNROLL
  for (int k = 0; k < kBlock; ++k) r[k] = digits[k];
  INKAN_UNROLL
  for (int k = 0; k < 2 * kBlock; ++k) w[k] = columns[k];
  INKAN_UNROLL
  for (int j = 1; j < kBlock; ++j) {
    INKAN_UNROLL
    for (int k = 0; k < j; ++k) w[j + k] = Lo(w[j + k], r[k], r[j]);
    INKAN_UNROLL
    for (int k = 0; k < j; ++k) w[j + k + 1] = Hi(w[j + k + 1], r[k], r[j]);
  }
  INKAN_UNROLL
  for (int k = 0; k < kBlock; ++k) {
    w[2 * k] = Lo(Add(w[2 * k], w[2 * k]), r[k], r[k]);
    w[2 * k + 1] = Hi(Add(w[2 * k + 1], w[2 * k + 1]), r[k], r[k]);
  }
  if constexpr (kPropagate) {
    INKAN_UNROLL
    for (int k = 0; k < kBlock; ++k) w[k + 1] = Add(w[k + 1], Carry(w[k]));
  }
  INKAN_UNROLL
  for (int k = 0; k < 2 * kBlock; ++k) columns[k] = w[k];
}

INKAN_INLINE void Clear(Vec* columns, int count) {
  for (int i = 0; i < count; ++i) columns[i] = Zero();
}

// Both leave the first ten columns propagated.
template <typename C>
void Square(const Vec* a, Vec* columns) {
  constexpr int kBlocks = C::kDigits / kBlock;
  Clear(columns, kBlock);
  Clear(columns + C::kDigits + kBlock, C::kDigits - kBlock);
  AddRows<false, true>(a, a + kBlock, kBlocks - 1, columns + kBlock);
  FinishSquareBlock<true>(a, columns);
  for (int i = 1; i < kBlocks; ++i) {
    if (i + 1 < kBlocks) {
      AddRows<false>(a + i * kBlock, a + (i + 1) * kBlock, kBlocks - i - 1,
                     columns + (2 * i + 1) * kBlock);
    }
    FinishSquareBlock<false>(a + i * kBlock, columns + 2 * i * kBlock);
  }
}

template <typename C>
void Multiply(const Vec* a, const Vec* b, Vec* columns) {
  constexpr int kBlocks = C::kDigits / kBlock;
  Clear(columns + C::kDigits + kBlock, C::kDigits - kBlock);
  AddRows<true, true>(a, b, kBlocks, columns);
  for (int i = 1; i < kBlocks; ++i) {
    AddRows<false>(a + i * kBlock, b, kBlocks, columns + i * kBlock);
  }
}

// ---------------------------------------------------------------------------
// Montgomery reduction.

// The quotient digits of the last ten columns, found one after another: nine by
// way of m1, whose lowest digit needs no multiplication by an inverse, and the
// last by way of n itself, which brings the result down to a few times n.
template <typename C>
class LastQuotients {
 public:
  LastQuotients(const Constants<C>& k, const Vec* columns)
      : k_(k), columns_(columns) {}

  // Works out digit i; to be called for 0 to 9 in turn.
  INKAN_INLINE void Find(int i) {
    Vec lo = columns_[i];
    Vec hi = carry_;
    INKAN_UNROLL
    for (int j = 0; j < i - 1; ++j) {
      lo = Lo(lo, q_[j], k_.m1[i - 1 - j]);
      hi = Hi(hi, q_[j], k_.m1[i - 2 - j]);
    }
    if (i > 0) lo = Lo(lo, q_[i - 1], k_.m1[0]);
    const Vec sum = Add(lo, hi);
    if (i + 1 < kBlock) {
      q_[i] = sum;
      carry_ = Carry(sum);
    } else {
      q_[i] = Lo(Zero(), sum, k_.n_inverse);
      carry_ = Carry(Lo(sum, q_[i], k_.n[0]));
    }
  }

  const Vec* q() const { return q_; }
  // What the columns carry into the one above them.
  Vec carry() const { return carry_; }

 private:
  const Constants<C>& k_;
  const Vec* columns_;
  Vec carry_ = Zero();
  Vec q_[kBlock];
};

// The last ten digits: columns[0 .. D + 9] / 2^520, to out[0 .. D - 1].
// `columns` is past the columns that gave the quotients.
template <typename C>
INKAN_NOINLINE void FinishReduction(const Constants<C>& k,
                                    const LastQuotients<C>& quotients,
                                    const Vec* columns, Vec* out) {
  constexpr int kRows = kBlock - 1;
  const Vec last = quotients.q()[kRows];
  Vec carry = quotients.carry();
  Vec q[kRows];
  Vec w[2 * kBlock];
  INKAN_UNROLL
  for (int i = 0; i < kRows; ++i) q[i] = quotients.q()[i];
  INKAN_UNROLL
  for (int i = 0; i < kBlock; ++i) w[i] = columns[i];
  // Of the first ten digits of m1, the part that reaches these columns.
  w[0] = Hi(w[0], q[kRows - 1], k.m1[0]);
  INKAN_UNROLL
  for (int j = 1; j < kBlock; ++j) {
    INKAN_UNROLL
    for (int i = kRows - j; i < kRows; ++i) {
      w[i + j - kRows] = Lo(w[i + j - kRows], q[i], k.m1[j]);
    }
    INKAN_UNROLL
    for (int i = kRows - j - 1; i < kRows; ++i) {
      if (i < 0) continue;
      w[i + j - kRows + 1] = Hi(w[i + j - kRows + 1], q[i], k.m1[j]);
    }
  }
  const Vec* n = k.n;
  const Vec* m1 = k.m1 + kBlock;
  columns += kBlock;
  for (int tile = 1; tile < C::kDigits / kBlock; ++tile) {
    INKAN_UNROLL
    for (int s = 0; s < kBlock; ++s) {
      w[s] = Lo(w[s], last, n[s + 1]);
      const Vec d = m1[s];
      w[s + kBlock] = columns[s];
      INKAN_UNROLL
      for (int i = 0; i < kRows; ++i) {
        w[s + 1 + i] = Lo(w[s + 1 + i], q[i], d);
      }
      w[s] = Hi(w[s], last, n[s]);
      INKAN_UNROLL
      for (int i = 0; i < kRows; ++i) {
        w[s + 2 + i] = Hi(w[s + 2 + i], q[i], d);
      }
      const Vec sum = Add(w[s], carry);
      out[s] = sum;
      carry = Carry(sum);
    }
    INKAN_UNROLL
    for (int i = 0; i < kBlock; ++i) w[i] = w[i + kBlock];
    n += kBlock;
    m1 += kBlock;
    columns += kBlock;
    out += kBlock;
  }
  INKAN_UNROLL
  for (int s = 0; s < kBlock; ++s) {
    const Vec sum = Add(Hi(Lo(w[s], last, n[s + 1]), last, n[s]), carry);
    out[s] = sum;
    carry = Carry(sum);
  }
}

// AddRows for the last block but one, with the quotients of the last block
// found as soon as their columns are done.
template <typename C>
INKAN_NOINLINE void AddRowsAndFindQuotients(const Vec* rows, const Vec* digits,
                                            Vec* columns,
                                            LastQuotients<C>* quotients) {
  Vec r[kBlock];
  Vec w[2 * kBlock];
  INKAN_UNROLL
  for (int k = 0; k < kBlock; ++k) {
    r[k] = rows[k];
    w[k] = columns[k];
  }
  const auto store = [&](int s, Vec sum) INKAN_LAMBDA { columns[s] = sum; };
  const auto nothing = [](int) INKAN_LAMBDA {};
  Tile<false>(r, digits, columns + kBlock, w, store, nothing);
  digits += kBlock;
  columns += kBlock;
  Tile<false>(r, digits, columns + kBlock, w, store,
              [&](int s) INKAN_LAMBDA { quotients->Find(s); });
  for (int tile = 2; tile < C::kDigits / kBlock; ++tile) {
    digits += kBlock;
    columns += kBlock;
    Tile<false>(r, digits, columns + kBlock, w, store, nothing);
  }
  columns += kBlock;
  INKAN_UNROLL
  for (int k = 0; k < kBlock; ++k) columns[k] = w[k];
}

// columns[0 .. 2D - 1] / R mod n, to out[0 .. D - 1].
// REQUIRES: the first ten columns are propagated.
template <typename C>
void Reduce(const Constants<C>& k, Vec* columns, Vec* out) {
  constexpr int kBlocks = C::kDigits / kBlock;
  for (int block = 0; block + 2 < kBlocks; ++block) {
    AddRows<true>(columns, k.mk, kBlocks, columns + kBlock);
    columns += kBlock;
  }
  LastQuotients<C> quotients(k, columns + kBlock);
  AddRowsAndFindQuotients(columns, k.mk, columns + kBlock, &quotients);
  FinishReduction(k, quotients, columns + 2 * kBlock, out);
}

// ---------------------------------------------------------------------------
// What depends on the modulus alone.

// columns[0 .. D] += row * digits.
INKAN_NOINLINE void AddRow(Vec row, const Vec* digits, int count,
                           Vec* columns) {
  Vec sum = columns[0];
  for (int i = 0; i < count; i += kBlock) {
    INKAN_UNROLL
    for (int s = 0; s < kBlock; ++s) {
      const Vec d = digits[s];
      Vec next = Hi(columns[s + 1], row, d);
      columns[s] = Lo(sum, row, d);
      sum = next;
    }
    digits += kBlock;
    columns += kBlock;
  }
  columns[0] = sum;
}

// columns[0 .. count + 1] += (row0 + 2^52 row1) * digits.
INKAN_NOINLINE void AddTwoRows(Vec row0, Vec row1, const Vec* digits, int count,
                               Vec* columns) {
  Vec sum0 = columns[0];
  Vec sum1 = columns[1];
  for (int i = 0; i < count; i += kBlock) {
    INKAN_UNROLL
    for (int s = 0; s < kBlock; ++s) {
      const Vec d = digits[s];
      const Vec sum2 = Hi(columns[s + 2], row1, d);
      columns[s] = Lo(sum0, row0, d);
      sum0 = Hi(Lo(sum1, row1, d), row0, d);
      sum1 = sum2;
    }
    digits += kBlock;
    columns += kBlock;
  }
  columns[0] = sum0;
  columns[1] = sum1;
}

// -n^-1 mod 2^52 by Newton's iteration: 5, 10, 20, 40, 80 bits.
INKAN_INLINE Vec NegatedInverse(Vec n) {
  Vec x = _mm512_xor_si512(Add(n, Add(n, n)), _mm512_set1_epi64(2));
  INKAN_UNROLL
  for (int i = 0; i < 4; ++i) {
    x = Lo(Zero(), x, Sub(_mm512_set1_epi64(2), Lo(Zero(), n, x)));
  }
  return Digit(Sub(Zero(), x));
}

// The three digits at the top of n, shifted up until the top bit of the first
// is set. REQUIRES: n has exactly C::kBits bits.
template <typename C>
INKAN_INLINE void TopDigits(const Vec* n, Vec* top) {
  constexpr int kTop = (C::kBits - 1) / kDigitBits;
  constexpr int kTopBits = C::kBits - kTop * kDigitBits;
  constexpr int kUp = kDigitBits - kTopBits;
  INKAN_UNROLL
  for (int i = 0; i < 3; ++i) {
    top[i] =
        Digit(_mm512_or_si512(_mm512_slli_epi64(n[kTop - i], kUp),
                              _mm512_srli_epi64(n[kTop - i - 1], kTopBits)));
  }
}

INKAN_INLINE __m512d Scaled52(Vec small) {
  return _mm512_mul_pd(_mm512_cvtepi64_pd(small), _mm512_set1_pd(0x1p-52));
}

// The reciprocal of the number h whose top digits these are, 2^311 / h for h of
// 156 bits, in three digits, q[0] the lowest: at most 2^12 too small, never too
// large. One digit comes from each of three divisions in floating point, the
// second and third of what the digits before left over. A double has 53 bits:
// each remainder is exact to within 2^-50 of itself, and a little is taken off
// each digit to stay below the truth.
INKAN_INLINE void Reciprocal(const Vec* h, Vec* q) {
  const __m512d divisor =
      _mm512_add_pd(_mm512_cvtepu64_pd(h[0]), Scaled52(h[1]));
  const __m512d inverse = _mm512_div_pd(_mm512_set1_pd(0x1p52), divisor);
  const Vec y =
      Sub(_mm512_cvttpd_epu64(_mm512_mul_pd(inverse, _mm512_set1_pd(0x1p51))),
          _mm512_set1_epi64(4));
  // 2^155 - y (h0, h1), in units of 2^52.
  const Vec p1 = Lo(Hi(Zero(), y, h[1]), y, h[0]);
  const Vec e2 = Sub(_mm512_set1_epi64(int64_t{1} << 51), Hi(Zero(), y, h[0]));
  const Vec e1 = Sub(_mm512_slli_epi64(e2, kDigitBits), p1);
  const __m512d rest1 =
      _mm512_sub_pd(_mm512_cvtepi64_pd(e1), Scaled52(Lo(Zero(), y, h[1])));
  const Vec y1 = Sub(_mm512_cvttpd_epi64(_mm512_mul_pd(rest1, inverse)),
                     _mm512_set1_epi64(64));
  const Vec u1 = Add(y, Carry(y1));
  const Vec u0 = Digit(y1);
  // 2^259 - (u1, u0) (h0, h1, h2), in units of 2^104.
  const Vec c1 = Lo(Lo(Hi(Zero(), u0, h[2]), u0, h[1]), u1, h[2]);
  const Vec c2 = Add(Lo(Hi(Zero(), u0, h[1]), u0, h[0]),
                     Lo(Hi(Zero(), u1, h[2]), u1, h[1]));
  const Vec c3 = Lo(Hi(Hi(Zero(), u0, h[0]), u1, h[1]), u1, h[0]);
  const Vec f4 = Sub(_mm512_set1_epi64(int64_t{1} << 51), Hi(Zero(), u1, h[0]));
  const Vec f3 = Sub(_mm512_slli_epi64(f4, kDigitBits), c3);
  const Vec f2 = Sub(_mm512_slli_epi64(f3, kDigitBits), c2);
  const __m512d rest2 = _mm512_sub_pd(_mm512_cvtepi64_pd(f2), Scaled52(c1));
  const Vec y2 = Sub(_mm512_cvttpd_epi64(_mm512_mul_pd(rest2, inverse)),
                     _mm512_set1_epi64(2048));
  const Vec middle = Add(u0, Carry(y2));
  q[0] = Digit(y2);
  q[1] = Digit(middle);
  q[2] = Add(u1, Carry(middle));
}

// fold = 2^(52 kFoldAt) - q n for a q that makes it non-negative and less than
// 2^11 n. REQUIRES: n has exactly C::kBits bits.
template <typename C>
void SetFold(const Vec* n, Vec* fold) {
  Vec top[3];
  Vec q[3];
  TopDigits<C>(n, top);
  Reciprocal(top, q);
  constexpr int kDown = 155 + C::kBits - C::kFoldAt * kDigitBits;
  static_assert(kDown > 0 && kDown < kDigitBits);
  const auto join = [](Vec high, Vec low) INKAN_LAMBDA {
    return Digit(_mm512_or_si512(_mm512_slli_epi64(high, kDigitBits - kDown),
                                 _mm512_srli_epi64(low, kDown)));
  };
  alignas(64) Vec product[C::kDigits + 3];
  Clear(product, C::kDigits + 3);
  AddTwoRows(join(q[1], q[0]), join(q[2], q[1]), n, C::kDigits, product);
  AddRow(_mm512_srli_epi64(q[2], kDown), n, C::kDigits, product + 2);
  // The result is short enough for the power of two to vanish above it.
  Vec borrow = Zero();
  INKAN_UNROLL
  for (int i = 0; i < C::kDigits; ++i) {
    const Vec digit = Sub(borrow, product[i]);
    fold[i] = Digit(digit);
    borrow = _mm512_srai_epi64(digit, kDigitBits);
  }
}

// Sets all constants from k->n. `normal` is n shifted to C::kBits bits.
template <typename C>
void SetConstants(const Vec* normal, Constants<C>* k) {
  constexpr int kDigits = C::kDigits;
  k->n_inverse = NegatedInverse(k->n[0]);
  Vec carry = _mm512_set1_epi64(1);
  for (int i = 0; i < kDigits; ++i) {
    const Vec sum =
        Add(Hi(Lo(Zero(), k->n_inverse, k->n[i + 1]), k->n_inverse, k->n[i]),
            carry);
    k->m1[i] = Digit(sum);
    carry = Carry(sum);
  }
  alignas(64) Vec one[kDigits + kBlock];
  Clear(one, kDigits + kBlock);
  one[0] = _mm512_set1_epi64(1);
  LastQuotients<C> quotients(*k, one);
  INKAN_UNROLL
  for (int i = 0; i < kBlock; ++i) quotients.Find(i);
  FinishReduction(*k, quotients, one + kBlock, k->mk);
  SetFold<C>(normal, k->fold);
}

// ---------------------------------------------------------------------------
// s R mod n.

template <typename C>
void EnterMontgomery(const Constants<C>& k, const Vec* s, Vec* out) {
  constexpr int kDigits = C::kDigits;
  constexpr int kTop = C::kFoldAt;
  constexpr int kShifts = kDigits + 4;
  alignas(64) Vec buffer[kShifts + kTop + 2];
  Vec* v = buffer + kShifts;
  for (int i = 0; i < kDigits; ++i) v[i] = s[i];
  for (int i = kDigits; i < kTop + 2; ++i) v[i] = Zero();
  // The first shift by two brings nothing to the top.
  v -= 2;
  v[0] = v[1] = Zero();
  for (int shifts = 2; shifts < kShifts; shifts += 2) {
    Vec carry = Zero();
    INKAN_UNROLL
    for (int i = kTop - 5; i < kTop - 2; ++i) {
      const Vec sum = Add(v[i], carry);
      v[i] = Digit(sum);
      carry = Carry(sum);
    }
    const Vec top0 = Add(v[kTop - 2], carry);
    const Vec top1 = Add(v[kTop - 1], Carry(top0));
    const Vec over = Carry(top1);
    v[kTop - 2] = v[kTop - 1] = Zero();
    v -= 2;
    v[0] = v[1] = Zero();
    if (_mm512_test_epi64_mask(over, over) != 0) [[unlikely]] {
      AddRow(over, k.fold, kDigits, v + 2);
    }
    AddTwoRows(top0, top1, k.fold, kDigits, v);
  }
  const Vec q0 = v[0];
  v[1] = Add(v[1], Carry(q0));
  const Vec q1 = Lo(v[1], q0, k.m1[0]);
  AddTwoRows(q0, q1, k.m1, kDigits, v + 1);
  const Vec q2 = Add(v[2], Carry(v[1]));
  v[3] = Add(v[3], Carry(q2));
  AddRow(q2, k.m1, kDigits, v + 3);
  const Vec q3 = Lo(Zero(), v[3], k.n_inverse);
  AddRow(q3, k.n, kDigits, v + 3);
  Vec carry = Carry(v[3]);
  for (int i = 0; i < kDigits; ++i) {
    out[i] = Add(v[i + 4], carry);
    carry = Carry(out[i]);
  }
}

// ---------------------------------------------------------------------------
// Octets in, octets out.

// Eight registers of eight lanes as an 8 by 8 matrix.
INKAN_INLINE void Transpose(const Vec* in, Vec* out) {
  Vec a[8];
  Vec b[8];
  INKAN_UNROLL
  for (int i = 0; i < 8; i += 2) {
    a[i] = _mm512_unpacklo_epi64(in[i], in[i + 1]);
    a[i + 1] = _mm512_unpackhi_epi64(in[i], in[i + 1]);
  }
  INKAN_UNROLL
  for (int i = 0; i < 2; ++i) {
    b[i] = _mm512_shuffle_i64x2(a[i], a[i + 2], 0x88);
    b[i + 2] = _mm512_shuffle_i64x2(a[i], a[i + 2], 0xdd);
    b[i + 4] = _mm512_shuffle_i64x2(a[i + 4], a[i + 6], 0x88);
    b[i + 6] = _mm512_shuffle_i64x2(a[i + 4], a[i + 6], 0xdd);
  }
  INKAN_UNROLL
  for (int i = 0; i < 4; ++i) {
    out[i] = _mm512_shuffle_i64x2(b[i], b[i + 4], 0x88);
    out[i + 4] = _mm512_shuffle_i64x2(b[i], b[i + 4], 0xdd);
  }
}

constexpr size_t kGroupBytes = 52;

struct OctetIndex {
  alignas(64) uint8_t at[64];
};

// For each of eight digits, where its octets lie among 52 big-endian ones.
constexpr OctetIndex MakeLoadIndex() {
  OctetIndex index = {};
  for (size_t digit = 0; digit < 8; ++digit) {
    for (size_t i = 0; i < 7; ++i) {
      index.at[8 * digit + i] =
          static_cast<uint8_t>(kGroupBytes - 1 - (digit * 13 / 2 + i));
    }
  }
  return index;
}
constexpr OctetIndex kLoadIndex = MakeLoadIndex();

// Where each of 52 big-endian octets is found: in the digits' windows of 64
// bits (0 to 63), or in those windows shifted down by 4 bits (64 to 127).
constexpr OctetIndex MakeStoreIndex() {
  OctetIndex index = {};
  for (size_t octet = 0; octet < kGroupBytes; ++octet) {
    const size_t digit = 8 * octet / kDigitBits;
    const size_t offset = 8 * octet - digit * kDigitBits;
    index.at[kGroupBytes - 1 - octet] = static_cast<uint8_t>(
        8 * digit + offset / 8 + (offset % 8 == 0 ? 0 : 64));
  }
  return index;
}
constexpr OctetIndex kStoreIndex = MakeStoreIndex();

// Eight digits, from digit 8 * group on, of a big-endian number.
INKAN_INLINE Vec LoadDigits(const uint8_t* number, size_t bytes, size_t group) {
  const size_t below = kGroupBytes * group;
  if (below >= bytes) return Zero();
  Vec index = _mm512_load_si512(kLoadIndex.at);
  Vec octets;
  if (bytes - below >= kGroupBytes) {
    octets = _mm512_permutexvar_epi8(
        index, _mm512_maskz_loadu_epi8((uint64_t{1} << kGroupBytes) - 1,
                                       number + (bytes - below - kGroupBytes)));
  } else {
    const size_t present = bytes - below;
    index = _mm512_sub_epi8(
        index, _mm512_set1_epi8(static_cast<char>(kGroupBytes - present)));
    octets = _mm512_maskz_permutexvar_epi8(
        ~_mm512_movepi8_mask(index), index,
        _mm512_maskz_loadu_epi8((uint64_t{1} << present) - 1, number));
  }
  return Digit(
      _mm512_srlv_epi64(octets, _mm512_set_epi64(4, 0, 4, 0, 4, 0, 4, 0)));
}

template <typename C>
constexpr size_t kGroups = (C::kDigits + 7) / 8;

template <typename C>
void LoadNumbers(const uint8_t* const* numbers, const size_t* bytes,
                 Vec* digits) {
  for (size_t group = 0; group < kGroups<C>; ++group) {
    Vec lanes[kRsaLanesMax];
    INKAN_UNROLL
    for (size_t i = 0; i < kRsaLanesMax; ++i) {
      lanes[i] = LoadDigits(numbers[i], bytes[i], group);
    }
    Transpose(lanes, digits + 8 * group);
  }
}

// Writes eight masked digits to the 52 octets that they stand for, or to as
// many of them as the number has.
INKAN_INLINE void StoreDigits(Vec digits, size_t group, uint8_t* number,
                              size_t bytes) {
  const size_t below = kGroupBytes * group;
  if (below >= bytes) return;
  const Vec next = _mm512_maskz_permutexvar_epi64(
      0x7f, _mm512_set_epi64(0, 7, 6, 5, 4, 3, 2, 1), digits);
  const Vec windows =
      _mm512_or_si512(digits, _mm512_slli_epi64(next, kDigitBits));
  const Vec octets =
      _mm512_permutex2var_epi8(windows, _mm512_load_si512(kStoreIndex.at),
                               _mm512_srli_epi64(windows, 4));
  if (bytes - below >= kGroupBytes) {
    _mm512_mask_storeu_epi8(number + (bytes - below - kGroupBytes),
                            (uint64_t{1} << kGroupBytes) - 1, octets);
    return;
  }
  alignas(64) uint8_t all[64];
  _mm512_store_si512(all, octets);
  const size_t present = bytes - below;
  for (size_t i = 0; i < present; ++i) {
    number[i] = all[kGroupBytes - present + i];
  }
}

// ---------------------------------------------------------------------------
// From the last product to the result.

// Lanes in which a >= b. Both masked.
template <typename C>
__mmask8 NotLess(const Vec* a, const Vec* b) {
  __mmask8 greater = 0;
  __mmask8 undecided = 0xff;
  for (int i = C::kDigits - 1; i >= 0 && undecided != 0; --i) {
    greater |= _mm512_mask_cmpgt_epu64_mask(undecided, a[i], b[i]);
    undecided = _mm512_mask_cmpeq_epu64_mask(undecided, a[i], b[i]);
  }
  return greater | undecided;
}

// a -= n in the lanes of `where`; a stays non-negative and masked.
template <typename C>
void SubtractModulus(__mmask8 where, const Vec* n, Vec* a) {
  Vec borrow = Zero();
  for (int i = 0; i < C::kDigits; ++i) {
    const Vec digit =
        Add(_mm512_mask_sub_epi64(a[i], where, a[i], n[i]), borrow);
    a[i] = Digit(digit);
    borrow = _mm512_srai_epi64(digit, kDigitBits);
  }
}

// The least non-negative residue of a, which is a few times n at most.
template <typename C>
void ReduceFully(const Constants<C>& k, Vec* a) {
  constexpr int kDigits = C::kDigits;
  for (int i = 0; i < kDigits; ++i) a[i] = Digit(a[i]);
  for (;;) {
    const __mmask8 not_less = NotLess<C>(a, k.n);
    if (not_less == 0) return;
    SubtractModulus<C>(not_less, k.n, a);
  }
}

// ---------------------------------------------------------------------------
// The operation.

// Reads the moduli of all lanes and works out their constants.
template <typename C>
void LoadModulus(const RsaLane* const* lanes, Constants<C>* k) {
  const uint8_t* numbers[kRsaLanesMax];
  size_t bytes[kRsaLanesMax];
  constexpr size_t kBytes = C::kBits / 8;
  bool normal = true;
  for (size_t i = 0; i < kRsaLanesMax; ++i) {
    numbers[i] = lanes[i]->modulus;
    bytes[i] = lanes[i]->bytes;
    normal &= bytes[i] == kBytes && (numbers[i][0] & 0x80) != 0;
  }
  LoadNumbers<C>(numbers, bytes, k->n);
  for (int i = C::kDigits; i < kPadded<C>; ++i) k->n[i] = Zero();
  if (normal) {
    SetConstants(k->n, k);
    return;
  }
  // Rare: shift each up to the class's number of bits.
  uint8_t shifted[kRsaLanesMax][kBytes];
  for (size_t i = 0; i < kRsaLanesMax; ++i) {
    const int up = __builtin_clz(uint32_t{numbers[i][0]}) - 24;
    for (size_t j = 0; j < kBytes; ++j) {
      const uint32_t here = j < bytes[i] ? numbers[i][j] : 0;
      const uint32_t next = j + 1 < bytes[i] ? numbers[i][j + 1] : 0;
      shifted[i][j] = static_cast<uint8_t>((here << 8 | next) >> (8 - up));
    }
    numbers[i] = shifted[i];
    bytes[i] = kBytes;
  }
  alignas(64) Vec shifted_digits[kPadded<C>];
  LoadNumbers<C>(numbers, bytes, shifted_digits);
  SetConstants(shifted_digits, k);
}

// A prepared key: the constants of one lane.
template <typename C>
struct Prepared {
  uint64_t n[kPadded<C>];
  uint64_t m1[kPadded<C>];
  uint64_t mk[kPadded<C>];
  uint64_t fold[kPadded<C>];
  uint64_t n_inverse;
};

INKAN_INLINE uint64_t FirstLane(Vec v) {
  return static_cast<uint64_t>(_mm_cvtsi128_si64(_mm512_castsi512_si128(v)));
}

template <typename C>
void Prepare(const uint8_t* modulus, size_t bytes, void* prepared) {
  const RsaLane lane = {modulus, nullptr, nullptr, bytes, nullptr};
  const RsaLane* lanes[kRsaLanesMax];
  for (const RsaLane*& each : lanes) each = &lane;
  Constants<C> k;
  LoadModulus(lanes, &k);
  auto* out = static_cast<Prepared<C>*>(prepared);
  *out = Prepared<C>();
  for (int i = 0; i < C::kDigits; ++i) {
    out->n[i] = FirstLane(k.n[i]);
    out->m1[i] = FirstLane(k.m1[i]);
    out->mk[i] = FirstLane(k.mk[i]) & kDigitMask;
    out->fold[i] = FirstLane(k.fold[i]);
  }
  out->n_inverse = FirstLane(k.n_inverse);
}

template <typename C>
void LoadPrepared(const RsaLane* const* lanes, Constants<C>* k) {
  const Prepared<C>* keys[kRsaLanesMax];
  uint64_t inverses[kRsaLanesMax];
  for (size_t i = 0; i < kRsaLanesMax; ++i) {
    keys[i] = static_cast<const Prepared<C>*>(lanes[i]->prepared);
    inverses[i] = keys[i]->n_inverse;
  }
  k->n_inverse = _mm512_loadu_si512(inverses);
  const auto load = [&](const uint64_t(Prepared<C>::*number)[kPadded<C>],
                        int count, Vec* digits) {
    for (int i = 0; i < count; i += 8) {
      Vec rows[kRsaLanesMax];
      Vec columns[8];
      for (size_t lane = 0; lane < kRsaLanesMax; ++lane) {
        rows[lane] = _mm512_loadu_si512((keys[lane]->*number) + i);
      }
      Transpose(rows, columns);
      for (int j = 0; j < 8 && i + j < count; ++j) digits[i + j] = columns[j];
    }
  };
  load(&Prepared<C>::n, kPadded<C>, k->n);
  load(&Prepared<C>::m1, C::kDigits, k->m1);
  load(&Prepared<C>::mk, C::kDigits, k->mk);
  load(&Prepared<C>::fold, C::kDigits, k->fold);
}

template <typename C>
void Run(uint64_t exponent, const RsaLane* jobs, size_t count) {
  constexpr int kDigits = C::kDigits;
  Constants<C> k;
  alignas(64) Vec s[kPadded<C>];
  alignas(64) Vec base[kDigits];
  alignas(64) Vec power[kPadded<C>];
  alignas(64) Vec columns[2 * kDigits];

  // Lanes without a job repeat the first one; their results go nowhere.
  const RsaLane* lanes[kRsaLanesMax];
  const uint8_t* numbers[kRsaLanesMax];
  size_t bytes[kRsaLanesMax];
  bool prepared = true;
  for (size_t i = 0; i < kRsaLanesMax; ++i) {
    lanes[i] = &jobs[i < count ? i : 0];
    numbers[i] = lanes[i]->signature;
    bytes[i] = lanes[i]->bytes;
    prepared &= lanes[i]->prepared != nullptr;
  }
  if (prepared) {
    LoadPrepared(lanes, &k);
  } else {
    LoadModulus(lanes, &k);
  }
  LoadNumbers<C>(numbers, bytes, s);
  EnterMontgomery(k, s, base);

  const Vec* current = base;
  for (int bit = 62 - __builtin_clzll(exponent); bit >= 0; --bit) {
    Square<C>(current, columns);
    Reduce(k, columns, power);
    current = power;
    if (((exponent >> bit) & 1) == 0) continue;
    Multiply<C>(bit == 0 ? s : base, power, columns);
    Reduce(k, columns, power);
  }

  ReduceFully(k, power);
  for (int i = kDigits; i < kPadded<C>; ++i) power[i] = Zero();
  for (size_t group = 0; group < kGroups<C>; ++group) {
    Vec out[kRsaLanesMax];
    Transpose(power + 8 * group, out);
    for (size_t i = 0; i < count; ++i) {
      StoreDigits(out[i], group, lanes[i]->result, bytes[i]);
    }
  }
}

// ---------------------------------------------------------------------------
// The table.

size_t PreparedBytes(size_t size_class) {
  switch (size_class) {
    case 0:
      return sizeof(Prepared<Class2048>);
    case 1:
      return sizeof(Prepared<Class3072>);
    default:
      return sizeof(Prepared<Class4096>);
  }
}

void PrepareKey(size_t size_class, const uint8_t* modulus, size_t bytes,
                void* prepared) {
  switch (size_class) {
    case 0:
      return Prepare<Class2048>(modulus, bytes, prepared);
    case 1:
      return Prepare<Class3072>(modulus, bytes, prepared);
    default:
      return Prepare<Class4096>(modulus, bytes, prepared);
  }
}

void ReleaseKey(void* /*prepared*/) {}

void RunLanes(size_t size_class, uint64_t exponent, const RsaLane* lanes,
              size_t count) {
  switch (size_class) {
    case 0:
      return Run<Class2048>(exponent, lanes, count);
    case 1:
      return Run<Class3072>(exponent, lanes, count);
    default:
      return Run<Class4096>(exponent, lanes, count);
  }
}

}  // namespace

const RsaKernel kRsaAvx512IfmaKernel = {
    "avx512ifma", 8, 2, PreparedBytes, PrepareKey, ReleaseKey, RunLanes};

}  // namespace inkan
