// The RSA kernel for every CPU: one operation after another, on 64-bit limbs.
//
// A number of L limbs (L a multiple of eight) is worked on in Montgomery form
// with R = 2^(64 L). The one inner loop slides a window of eight limbs over a
// column of sums: a step adds one digit times eight rows and the sum so far of
// the lowest column, which is then done. Nothing is carried from step to step
// but the window, so it stays in registers. How many steps there are depends on
// L alone, so branches are predicted. Where the CPU has MULX and ADX a step
// runs two carry chains side by side and costs about one cycle a product, what
// the multiplier takes; elsewhere the compiler's 128-bit arithmetic does.
//
// Values between steps are kept below R, not below n: a product of two of them
// is below R^2, its reduction below R + n, and one subtraction of n on overflow
// restores the bound.
//
// The base enters Montgomery form by dividing s R by n from the left, which
// costs no more than multiplying by R^2 mod n would and needs no R^2 mod n: a
// key that is used once has next to no set-up.
#include <cstring>
#include <new>

#include "crypto/isa.h"
#include "crypto/rsa_kernels.h"

namespace inkan {
namespace {

using Limb = uint64_t;
__extension__ using Limb2 = unsigned __int128;

constexpr size_t kLimbsMax = kRsaLimbsMax;

// Rows in one pass.
constexpr size_t kRows = 8;

#define INKAN_UNROLL _Pragma("GCC unroll 16")

struct Modulus {
  // The modulus's own limbs, rounded up to a multiple of kRows.
  size_t limbs;
  Limb n[kLimbsMax];
  Limb n_inverse;  // -n^-1 mod 2^64
  // n shifted left until its top bit is the top bit of the last limb: by how
  // much, 2^(64 limbs) less it, its two top limbs, and their reciprocal
  // floor((2^192 - 1) / top) - 2^64 (Möller and Granlund, "Improved division by
  // invariant integers", 2011).
  size_t shift;
  Limb normal_negated[kLimbsMax];
  Limb top1;
  Limb top0;
  Limb reciprocal;
};

inline Limb High(Limb2 x) { return static_cast<Limb>(x >> 64); }
inline Limb Low(Limb2 x) { return static_cast<Limb>(x); }

// w[0 .. 8] = w[0 .. 7] + digit * rows[0 .. 7] + column, which fits: at most
// 2^512 - 1 + (2^64 - 1) (2^512 - 1) + 2^64 - 1 = 2^576 - 1.
template <bool kAdx>
inline void Step(const Limb* rows, Limb digit, const Limb& column, Limb* w) {
#if defined(__x86_64__)
  if constexpr (kAdx) {
    Limb low;
    Limb high;
    asm("xorl %k[low], %k[low]\n\t"
        "adoxq %[column], %[w0]\n\t"
        "mulxq 0(%[rows]), %[low], %[high]\n\t"
        "adcxq %[low], %[w0]\n\t"
        "adoxq %[high], %[w1]\n\t"
        "mulxq 8(%[rows]), %[low], %[high]\n\t"
        "adcxq %[low], %[w1]\n\t"
        "adoxq %[high], %[w2]\n\t"
        "mulxq 16(%[rows]), %[low], %[high]\n\t"
        "adcxq %[low], %[w2]\n\t"
        "adoxq %[high], %[w3]\n\t"
        "mulxq 24(%[rows]), %[low], %[high]\n\t"
        "adcxq %[low], %[w3]\n\t"
        "adoxq %[high], %[w4]\n\t"
        "mulxq 32(%[rows]), %[low], %[high]\n\t"
        "adcxq %[low], %[w4]\n\t"
        "adoxq %[high], %[w5]\n\t"
        "mulxq 40(%[rows]), %[low], %[high]\n\t"
        "adcxq %[low], %[w5]\n\t"
        "adoxq %[high], %[w6]\n\t"
        "mulxq 48(%[rows]), %[low], %[high]\n\t"
        "adcxq %[low], %[w6]\n\t"
        "adoxq %[high], %[w7]\n\t"
        "mulxq 56(%[rows]), %[low], %[w8]\n\t"
        "movl $0, %k[high]\n\t"
        "adcxq %[low], %[w7]\n\t"
        "adoxq %[high], %[w8]\n\t"
        "adcxq %[high], %[w8]"
        : [w0] "+&r"(w[0]), [w1] "+&r"(w[1]), [w2] "+&r"(w[2]),
          [w3] "+&r"(w[3]), [w4] "+&r"(w[4]), [w5] "+&r"(w[5]),
          [w6] "+&r"(w[6]), [w7] "+&r"(w[7]), [w8] "=&r"(w[8]),
          [low] "=&r"(low), [high] "=&r"(high)
        : [rows] "r"(rows), "d"(digit), [column] "m"(column),
          "m"(*reinterpret_cast<const Limb(*)[kRows]>(rows))
        : "cc");
    return;
  }
#endif
  Limb carry = column;
  INKAN_UNROLL
  for (size_t k = 0; k < kRows; ++k) {
    const Limb2 sum = Limb2{rows[k]} * digit + w[k] + carry;
    w[k] = Low(sum);
    carry = High(sum);
  }
  w[kRows] = carry;
}

// *column += limb + carry; what that carries.
inline Limb Retire(Limb limb, Limb carry, Limb* column) {
  const Limb2 sum = Limb2{*column} + limb + carry;
  *column = Low(sum);
  return High(sum);
}

inline void Propagate(Limb carry, Limb* columns) {
  while (carry != 0) carry = Retire(0, carry, columns++);
}

// columns += window + rows[0 .. 7] * digits[0 .. count - 1]. REQUIRES: count is
// a multiple of eight, and the sum does not overflow the columns there are.
template <bool kAdx>
void AddRows(const Limb* rows, const Limb* digits, size_t count,
             const Limb* window, Limb* columns) {
  Limb w[2 * kRows];
  INKAN_UNROLL
  for (size_t k = 0; k < kRows; ++k) w[k] = window[k];
  for (; count > 0; count -= kRows) {
    INKAN_UNROLL
    for (size_t s = 0; s < kRows; ++s) {
      Step<kAdx>(rows, digits[s], columns[s], w + s);
      columns[s] = w[s];
    }
    INKAN_UNROLL
    for (size_t k = 0; k < kRows; ++k) w[k] = w[k + kRows];
    digits += kRows;
    columns += kRows;
  }
  Limb carry = 0;
  INKAN_UNROLL
  for (size_t k = 0; k < kRows; ++k) carry = Retire(w[k], carry, columns + k);
  Propagate(carry, columns + kRows);
}

constexpr Limb kNoWindow[kRows] = {};

template <bool kAdx>
void Multiply(const Limb* a, const Limb* b, size_t limbs, Limb* product) {
  std::memset(product, 0, (2 * limbs + 1) * sizeof(Limb));
  for (size_t i = 0; i < limbs; i += kRows) {
    AddRows<kAdx>(a + i, b, limbs, kNoWindow, product + i);
  }
}

// Adds the products of unlike limbs among eight.
void AddTriangle(const Limb* r, Limb* columns) {
  Limb carry_up = 0;
  INKAN_UNROLL
  for (size_t i = 0; i + 1 < kRows; ++i) {
    Limb carry = 0;
    INKAN_UNROLL
    for (size_t j = i + 1; j < kRows; ++j) {
      const Limb2 sum = Limb2{r[i]} * r[j] + columns[i + j] + carry;
      columns[i + j] = Low(sum);
      carry = High(sum);
    }
    carry_up = Retire(carry, carry_up, columns + i + kRows);
  }
  Propagate(carry_up, columns + 2 * kRows - 1);
}

// Doubles the sum of products of unlike limbs and adds the squares.
void FinishSquare(const Limb* a, size_t limbs, Limb* product) {
  Limb shifted_out = 0;
  Limb carry = 0;
  for (size_t i = 0; i < limbs; ++i) {
    const Limb2 square = Limb2{a[i]} * a[i];
    const Limb low = product[2 * i];
    const Limb high = product[2 * i + 1];
    const Limb2 sum0 = Limb2{low << 1 | shifted_out} + Low(square) + carry;
    const Limb2 sum1 = Limb2{high << 1 | low >> 63} + High(square) + High(sum0);
    product[2 * i] = Low(sum0);
    product[2 * i + 1] = Low(sum1);
    carry = High(sum1);
    shifted_out = high >> 63;
  }
}

template <bool kAdx>
void Square(const Limb* a, size_t limbs, Limb* product) {
  std::memset(product, 0, (2 * limbs + 1) * sizeof(Limb));
  for (size_t i = 0; i < limbs; i += kRows) {
    AddTriangle(a + i, product + 2 * i);
    if (i + kRows < limbs) {
      AddRows<kAdx>(a + i, a + i + kRows, limbs - i - kRows, kNoWindow,
                    product + 2 * i + kRows);
    }
  }
  FinishSquare(a, limbs, product);
}

// a -= b; the borrow.
Limb Subtract(const Limb* b, size_t limbs, Limb* a) {
  Limb borrow = 0;
  for (size_t i = 0; i < limbs; ++i) {
    const Limb2 difference = Limb2{a[i]} - b[i] - borrow;
    a[i] = Low(difference);
    borrow = High(difference) & 1;
  }
  return borrow;
}

bool NotLess(const Limb* a, const Limb* b, size_t limbs) {
  for (size_t i = limbs; i-- > 0;) {
    if (a[i] != b[i]) return a[i] > b[i];
  }
  return true;
}

// product / R mod n, below R. REQUIRES: product has 2 limbs + 1 limbs.
template <bool kAdx>
void Reduce(const Modulus& m, Limb* product, Limb* out) {
  const size_t limbs = m.limbs;
  for (size_t i = 0; i < limbs; i += kRows) {
    Limb* columns = product + i;
    // Eight quotient limbs, each of which clears the lowest limb of the window.
    Limb q[kRows];
    Limb w[2 * kRows];
    INKAN_UNROLL
    for (size_t k = 0; k < kRows; ++k) w[k] = columns[k];
    INKAN_UNROLL
    for (size_t s = 0; s < kRows; ++s) {
      q[s] = w[s] * m.n_inverse;
      Step<kAdx>(m.n, q[s], kNoWindow[0], w + s);
    }
    // What is left in the window belongs to the next eight columns.
    AddRows<kAdx>(q, m.n + kRows, limbs - kRows, w + kRows, columns + kRows);
  }
  std::memcpy(out, product + limbs, limbs * sizeof(Limb));
  if (product[2 * limbs] != 0) Subtract(m.n, limbs, out);
}

void LoadLimbs(const uint8_t* number, size_t bytes, size_t limbs, Limb* out) {
  uint8_t padded[(kLimbsMax + 1) * 8];
  const size_t size = limbs * 8;
  std::memset(padded, 0, size - bytes);
  std::memcpy(padded + (size - bytes), number, bytes);
  for (size_t i = 0; i < limbs; ++i) {
    const uint8_t* octets = padded + size - 8 * (i + 1);
    Limb limb = 0;
    INKAN_UNROLL
    for (size_t j = 0; j < 8; ++j) limb = limb << 8 | octets[j];
    out[i] = limb;
  }
}

void StoreLimbs(const Limb* limbs, size_t bytes, uint8_t* number) {
  size_t done = 0;
  for (; done + 8 <= bytes; done += 8) {
    const Limb limb = *limbs++;
    uint8_t* octets = number + (bytes - done - 8);
    INKAN_UNROLL
    for (size_t j = 0; j < 8; ++j) {
      octets[j] = static_cast<uint8_t>(limb >> (56 - 8 * j));
    }
  }
  for (size_t i = 0; done + i < bytes; ++i) {
    number[bytes - done - 1 - i] = static_cast<uint8_t>(*limbs >> (8 * i));
  }
}

// Möller and Granlund's algorithm 6. REQUIRES: the top bit of d1 is set.
Limb Reciprocal(Limb d1, Limb d0) {
  auto v = Low((Limb2{~d1} << 64 | ~Limb{0}) / d1);
  Limb p = d1 * v + d0;
  if (p < d0) {
    --v;
    if (p >= d1) {
      --v;
      p -= d1;
    }
    p -= d1;
  }
  const Limb2 t = Limb2{v} * d0;
  p += High(t);
  if (p < High(t)) {
    --v;
    if (p > d1 || (p == d1 && Low(t) >= d0)) --v;
  }
  return v;
}

// Their algorithm 4: the quotient of three limbs by two. At most one too large
// for the quotient by a longer divisor with the same top limbs, or two if
// (u2, u1) == (d1, d0), where it would not fit and all ones are returned.
Limb EstimateQuotient(Limb u2, Limb u1, Limb u0, Limb d1, Limb d0,
                      Limb reciprocal) {
  if (u2 == d1 && u1 == d0) return ~Limb{0};
  const Limb2 estimate = Limb2{reciprocal} * u2 + (Limb2{u2} << 64 | u1);
  Limb quotient = High(estimate) + 1;
  const Limb2 divisor = Limb2{d1} << 64 | d0;
  const Limb r1 = u1 - (High(estimate)) * d1;
  const Limb2 t = Limb2{d0} * High(estimate);
  Limb2 remainder = (Limb2{r1} << 64 | u0) - t - divisor;
  if (High(remainder) >= Low(estimate)) {
    --quotient;
    remainder += divisor;
  }
  if (remainder >= divisor) ++quotient;
  return quotient;
}

void ShiftLeft(const Limb* in, size_t limbs, size_t bits, Limb* out) {
  const size_t whole = bits / 64;
  for (size_t i = limbs; i-- > 0;) {
    const Limb here = i >= whole ? in[i - whole] : 0;
    const Limb below = i >= whole + 1 ? in[i - whole - 1] : 0;
    out[i] = High((Limb2{here} << 64 | below) << (bits % 64));
  }
}

void ShiftRight(const Limb* in, size_t limbs, size_t bits, Limb* out) {
  const size_t whole = bits / 64;
  for (size_t i = 0; i < limbs; ++i) {
    const Limb here = i + whole < limbs ? in[i + whole] : 0;
    const Limb above = i + whole + 1 < limbs ? in[i + whole + 1] : 0;
    out[i] = Low((Limb2{above} << 64 | here) >> (bits % 64));
  }
}

void SetModulus(const uint8_t* modulus, size_t bytes, Modulus* m) {
  const size_t limbs = (bytes + 8 * kRows - 1) / (8 * kRows) * kRows;
  m->limbs = limbs;
  LoadLimbs(modulus, bytes, limbs, m->n);
  // Newton: 3 bits are right to begin with (n^-1 = n mod 8).
  Limb inverse = m->n[0];
  for (int i = 0; i < 5; ++i) inverse *= 2 - m->n[0] * inverse;
  m->n_inverse = 0 - inverse;
  size_t used = limbs;
  while (m->n[used - 1] == 0) --used;
  m->shift = 64 * (limbs - used) +
             static_cast<unsigned>(__builtin_clzll(m->n[used - 1]));
  ShiftLeft(m->n, limbs, m->shift, m->normal_negated);
  m->top1 = m->normal_negated[limbs - 1];
  m->top0 = m->normal_negated[limbs - 2];
  m->reciprocal = Reciprocal(m->top1, m->top0);
  Limb carry = 1;
  for (size_t i = 0; i < limbs; ++i) {
    const Limb2 sum = Limb2{~m->normal_negated[i]} + carry;
    m->normal_negated[i] = Low(sum);
    carry = High(sum);
  }
}

// What was prepared, or else what is made in `cold` now.
const Modulus* ModulusOf(const RsaLane& lane, Modulus* cold) {
  if (lane.prepared != nullptr) {
    return static_cast<const Modulus*>(lane.prepared);
  }
  *cold = {};
  SetModulus(lane.modulus, lane.bytes, cold);
  return cold;
}

// v 2^64 + limb mod normal, in place; v < normal.
template <bool kAdx>
void ShiftByLimb(const Modulus& m, Limb limb, Limb* v) {
  const size_t limbs = m.limbs;
  const Limb q = EstimateQuotient(v[limbs - 1], v[limbs - 2], v[limbs - 3],
                                  m.top1, m.top0, m.reciprocal);
  // v 2^64 + limb + q (2^(64 limbs) - normal), eight limbs at a time, each
  // moving up by one.
  Limb moved = limb;
  Limb carry = 0;
  for (size_t i = 0; i < limbs; i += kRows) {
    Limb w[kRows + 1];
    w[0] = moved;
    INKAN_UNROLL
    for (size_t k = 1; k < kRows; ++k) w[k] = v[i + k - 1];
    moved = v[i + kRows - 1];
    Step<kAdx>(m.normal_negated + i, q, carry, w);
    INKAN_UNROLL
    for (size_t k = 0; k < kRows; ++k) v[i + k] = w[k];
    carry = w[kRows];
  }
  // The estimate is never too small, so what is left over is 0 or negative.
  Limb top = moved + carry - q;
  while (top != 0) top += 1 - Subtract(m.normal_negated, limbs, v);
}

// s 2^bits mod n. Both numbers are divided as if shifted up by m.shift.
template <bool kAdx>
void EnterMontgomery(const Modulus& m, const Limb* s, size_t bits, Limb* out) {
  Limb wide[kLimbsMax + 1];
  std::memcpy(wide, s, m.limbs * sizeof(Limb));
  wide[m.limbs] = 0;
  const size_t odd_bits = bits % 64;
  ShiftLeft(wide, m.limbs + 1, m.shift + odd_bits, wide);
  Limb* v = wide;
  if (odd_bits != 0) {
    v = wide + 1;
    ShiftByLimb<kAdx>(m, wide[0], v);
  }
  for (size_t i = 0; i < bits / 64; ++i) ShiftByLimb<kAdx>(m, 0, v);
  ShiftRight(v, m.limbs, m.shift, out);
}

// Left-to-right binary exponentiation. The last multiplication is by the base
// as it came, out of Montgomery form, which leaves the product out of it too.
template <bool kAdx>
void Run(uint64_t exponent, const RsaLane& lane) {
  Modulus cold;
  const Modulus* m = ModulusOf(lane, &cold);
  const size_t limbs = m->limbs;
  Limb s[kLimbsMax];
  Limb base[kLimbsMax];
  Limb power[kLimbsMax];
  Limb product[2 * kLimbsMax + 1];
  LoadLimbs(lane.signature, lane.bytes, limbs, s);
  EnterMontgomery<kAdx>(*m, s, 64 * limbs, base);
  std::memcpy(power, base, limbs * sizeof(Limb));
  for (int bit = 62 - __builtin_clzll(exponent); bit >= 0; --bit) {
    Square<kAdx>(power, limbs, product);
    Reduce<kAdx>(*m, product, power);
    if (((exponent >> bit) & 1) == 0) continue;
    Multiply<kAdx>(power, bit == 0 ? s : base, limbs, product);
    Reduce<kAdx>(*m, product, power);
  }
  RsaLeave(lane, m->n, limbs, power);
}

size_t PreparedBytes(size_t /*size_class*/) { return sizeof(Modulus); }

void Prepare(size_t /*size_class*/, const uint8_t* modulus, size_t bytes,
             void* prepared) {
  SetModulus(modulus, bytes, new (prepared) Modulus());
}

void Release(void* /*prepared*/) {}

void RunLanes(size_t /*size_class*/, uint64_t exponent, const RsaLane* lanes,
              size_t count) {
  const bool adx = ChosenIsa().mulx_adx;
  for (size_t i = 0; i < count; ++i) {
    adx ? Run<true>(exponent, lanes[i]) : Run<false>(exponent, lanes[i]);
  }
}

}  // namespace

uint64_t RsaEnter(const RsaLane& lane, size_t bits, size_t limbs,
                  uint64_t* modulus, uint64_t* signature, uint64_t* residue) {
  Modulus cold;
  const Modulus* m = ModulusOf(lane, &cold);
  const size_t own = m->limbs * sizeof(Limb);
  const size_t beyond = (limbs - m->limbs) * sizeof(Limb);
  std::memcpy(modulus, m->n, own);
  std::memset(modulus + m->limbs, 0, beyond);
  LoadLimbs(lane.signature, lane.bytes, limbs, signature);
  ChosenIsa().mulx_adx ? EnterMontgomery<true>(*m, signature, bits, residue)
                       : EnterMontgomery<false>(*m, signature, bits, residue);
  std::memset(residue + m->limbs, 0, beyond);
  return m->n_inverse;
}

void RsaLeave(const RsaLane& lane, const uint64_t* modulus, size_t limbs,
              uint64_t* value) {
  while (NotLess(value, modulus, limbs)) Subtract(modulus, limbs, value);
  StoreLimbs(value, lane.bytes, lane.result);
}

const RsaKernel kRsaPortableKernel = {
    "portable", 1, 1, PreparedBytes, Prepare, Release, RunLanes};

}  // namespace inkan
