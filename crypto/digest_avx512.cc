// SHA-256 of up to sixteen messages side by side, one in each 32-bit lane of
// AVX-512 registers.
//
// A block costs 64 rounds of 17 vector instructions and 48 steps of the message
// schedule of 11, on two ports about 810 cycles, and 100 more to read and
// transpose sixteen times 64 octets: 57 cycles a block when all lanes are in
// use, where the SHA extensions take 101 for two messages side by side.
#if defined(__GNUC__) && !defined(__clang__)
// GCC 12's header starts some results from an undefined value on purpose and
// then warns of it.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "crypto/digest_kernels.h"

namespace inkan {
namespace {

using Vec = __m512i;

#define INKAN_INLINE inline __attribute__((always_inline))
#define INKAN_UNROLL _Pragma("GCC unroll 16")

// FIPS 180-4 section 4.2.2.
alignas(64) constexpr uint32_t kRoundConstants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
    0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

constexpr size_t kLanes = 16;

INKAN_INLINE Vec Add(Vec a, Vec b) { return _mm512_add_epi32(a, b); }

// Truth tables of three inputs, for VPTERNLOG.
constexpr int kXor3 = 0x96;
constexpr int kChoose = 0xca;
constexpr int kMajority = 0xe8;

INKAN_INLINE Vec Xor3(Vec a, Vec b, Vec c) {
  return _mm512_ternarylogic_epi32(a, b, c, kXor3);
}

template <int kA, int kB, int kC>
INKAN_INLINE Vec Sum(Vec x) {
  return Xor3(_mm512_ror_epi32(x, kA), _mm512_ror_epi32(x, kB),
              _mm512_ror_epi32(x, kC));
}

template <int kA, int kB, int kShift>
INKAN_INLINE Vec Sigma(Vec x) {
  return Xor3(_mm512_ror_epi32(x, kA), _mm512_ror_epi32(x, kB),
              _mm512_srli_epi32(x, kShift));
}

// w[word], lane by lane, from sixteen blocks; big-endian words become numbers.
INKAN_INLINE void LoadBlocks(const uint8_t* const* next, Vec* w) {
  const Vec swap = _mm512_broadcast_i32x4(
      _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
  Vec a[kLanes];
  Vec b[kLanes];
  INKAN_UNROLL
  for (size_t i = 0; i < kLanes; ++i) {
    a[i] = _mm512_shuffle_epi8(_mm512_loadu_si512(next[i]), swap);
  }
  INKAN_UNROLL
  for (size_t i = 0; i < kLanes; i += 2) {
    b[i] = _mm512_unpacklo_epi32(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_epi32(a[i], a[i + 1]);
  }
  INKAN_UNROLL
  for (size_t i = 0; i < kLanes; i += 4) {
    a[i] = _mm512_unpacklo_epi64(b[i], b[i + 2]);
    a[i + 1] = _mm512_unpackhi_epi64(b[i], b[i + 2]);
    a[i + 2] = _mm512_unpacklo_epi64(b[i + 1], b[i + 3]);
    a[i + 3] = _mm512_unpackhi_epi64(b[i + 1], b[i + 3]);
  }
  // a[4 i + j] holds words j, 4 + j, 8 + j and 12 + j of lanes 4 i to 4 i + 3.
  INKAN_UNROLL
  for (size_t j = 0; j < 4; ++j) {
    const Vec low01 = _mm512_shuffle_i32x4(a[j], a[4 + j], 0x88);
    const Vec low23 = _mm512_shuffle_i32x4(a[8 + j], a[12 + j], 0x88);
    const Vec high01 = _mm512_shuffle_i32x4(a[j], a[4 + j], 0xdd);
    const Vec high23 = _mm512_shuffle_i32x4(a[8 + j], a[12 + j], 0xdd);
    w[j] = _mm512_shuffle_i32x4(low01, low23, 0x88);
    w[8 + j] = _mm512_shuffle_i32x4(low01, low23, 0xdd);
    w[4 + j] = _mm512_shuffle_i32x4(high01, high23, 0x88);
    w[12 + j] = _mm512_shuffle_i32x4(high01, high23, 0xdd);
  }
}

// Sixteen rounds; s[0 .. 7] are A to H.
template <bool kSchedule>
INKAN_INLINE void Rounds(const uint32_t* constants, Vec* w, Vec* s) {
  INKAN_UNROLL
  for (int t = 0; t < 16; ++t) {
    if constexpr (kSchedule) {
      w[t] = Add(Add(w[t], Sigma<7, 18, 3>(w[(t + 1) % 16])),
                 Add(w[(t + 9) % 16], Sigma<17, 19, 10>(w[(t + 14) % 16])));
    }
    // Instead of moving all eight, the names rotate.
    Vec& a = s[(16 - t) % 8];
    Vec& b = s[(17 - t) % 8];
    Vec& c = s[(18 - t) % 8];
    Vec& d = s[(19 - t) % 8];
    Vec& e = s[(20 - t) % 8];
    Vec& f = s[(21 - t) % 8];
    Vec& g = s[(22 - t) % 8];
    Vec& h = s[(23 - t) % 8];
    const Vec input =
        Add(w[t], _mm512_set1_epi32(static_cast<int>(constants[t])));
    const Vec t1 =
        Add(Add(Add(h, input), _mm512_ternarylogic_epi32(e, f, g, kChoose)),
            Sum<6, 11, 25>(e));
    d = Add(d, t1);
    h = Add(Add(t1, _mm512_ternarylogic_epi32(a, b, c, kMajority)),
            Sum<2, 13, 22>(a));
  }
}

void Many(Sha256Stream* const* streams, size_t count, size_t blocks) {
  // Lanes without a stream repeat the first; their states go nowhere.
  const uint8_t* next[kLanes];
  alignas(64) uint32_t words[8][kLanes];
  for (size_t i = 0; i < kLanes; ++i) {
    const Sha256Stream* stream = streams[i < count ? i : 0];
    next[i] = stream->next;
    for (size_t j = 0; j < 8; ++j) words[j][i] = stream->state[j];
  }
  Vec s[8];
  INKAN_UNROLL
  for (size_t j = 0; j < 8; ++j) s[j] = _mm512_load_si512(words[j]);
  for (size_t block = 0; block < blocks; ++block) {
    Vec w[16];
    Vec before[8];
    LoadBlocks(next, w);
    INKAN_UNROLL
    for (size_t j = 0; j < 8; ++j) before[j] = s[j];
    Rounds<false>(kRoundConstants, w, s);
    for (int i = 16; i < 64; i += 16) Rounds<true>(kRoundConstants + i, w, s);
    INKAN_UNROLL
    for (size_t j = 0; j < 8; ++j) s[j] = Add(s[j], before[j]);
    for (const uint8_t*& each : next) each += kSha256BlockBytes;
  }
  INKAN_UNROLL
  for (size_t j = 0; j < 8; ++j) _mm512_store_si512(words[j], s[j]);
  for (size_t i = 0; i < count; ++i) {
    for (size_t j = 0; j < 8; ++j) streams[i]->state[j] = words[j][i];
    streams[i]->next = next[i];
    streams[i]->blocks -= blocks;
  }
}

}  // namespace

const DigestKernel kDigestAvx512Kernel = {"avx512", kLanes, Many};

}  // namespace inkan
