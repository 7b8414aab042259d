// SHA-256 by the SHA extensions, two messages side by side.
//
// Each SHA256RNDS2 of a message waits for the one before, which leaves the unit
// idle part of the time: a block of one message takes 123 cycles on a Sapphire
// Rapids, two blocks of two messages 202.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "crypto/digest_kernels.h"

namespace inkan {
namespace {

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

#define INKAN_UNROLL _Pragma("GCC unroll 16")

// The instructions keep a state as (A, B, E, F) and (C, D, G, H).
struct State {
  __m128i abef;
  __m128i cdgh;
};

inline __attribute__((always_inline)) State LoadState(const uint32_t* words) {
  const __m128i dcba = _mm_loadu_si128(reinterpret_cast<const __m128i*>(words));
  const __m128i hgfe =
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(words + 4));
  const __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1);
  const __m128i efgh = _mm_shuffle_epi32(hgfe, 0x1b);
  return {_mm_alignr_epi8(cdab, efgh, 8), _mm_blend_epi16(efgh, cdab, 0xf0)};
}

inline __attribute__((always_inline)) void StoreState(const State& state,
                                                      uint32_t* words) {
  const __m128i feba = _mm_shuffle_epi32(state.abef, 0x1b);
  const __m128i dchg = _mm_shuffle_epi32(state.cdgh, 0xb1);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(words),
                   _mm_blend_epi16(feba, dchg, 0xf0));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(words + 4),
                   _mm_alignr_epi8(dchg, feba, 8));
}

template <int kStreams>
inline __attribute__((always_inline)) void Blocks(Sha256Stream* const* streams,
                                                  size_t blocks) {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  State state[kStreams];
  const uint8_t* next[kStreams];
  INKAN_UNROLL
  for (int i = 0; i < kStreams; ++i) {
    state[i] = LoadState(streams[i]->state);
    next[i] = streams[i]->next;
    streams[i]->next += blocks * kSha256BlockBytes;
    streams[i]->blocks -= blocks;
  }
  for (; blocks > 0; --blocks) {
    State before[kStreams];
    __m128i w[kStreams][4];
    INKAN_UNROLL
    for (int i = 0; i < kStreams; ++i) before[i] = state[i];
    INKAN_UNROLL
    for (int group = 0; group < 16; ++group) {
      INKAN_UNROLL
      for (int i = 0; i < kStreams; ++i) {
        __m128i& now = w[i][group % 4];
        if (group < 4) {
          now = _mm_shuffle_epi8(
              _mm_loadu_si128(
                  reinterpret_cast<const __m128i*>(next[i] + 16 * group)),
              swap);
        } else {
          const __m128i last = w[i][(group + 3) % 4];
          now = _mm_sha256msg2_epu32(
              _mm_add_epi32(_mm_sha256msg1_epu32(now, w[i][(group + 1) % 4]),
                            _mm_alignr_epi8(last, w[i][(group + 2) % 4], 4)),
              last);
        }
        const __m128i sum =
            _mm_add_epi32(now, _mm_load_si128(reinterpret_cast<const __m128i*>(
                                   kRoundConstants + 4 * group)));
        state[i].cdgh =
            _mm_sha256rnds2_epu32(state[i].cdgh, state[i].abef, sum);
        state[i].abef = _mm_sha256rnds2_epu32(state[i].abef, state[i].cdgh,
                                              _mm_shuffle_epi32(sum, 0x0e));
      }
    }
    INKAN_UNROLL
    for (int i = 0; i < kStreams; ++i) {
      state[i].abef = _mm_add_epi32(state[i].abef, before[i].abef);
      state[i].cdgh = _mm_add_epi32(state[i].cdgh, before[i].cdgh);
      next[i] += kSha256BlockBytes;
    }
  }
  INKAN_UNROLL
  for (int i = 0; i < kStreams; ++i) StoreState(state[i], streams[i]->state);
}

void OneOrTwo(Sha256Stream* const* streams, size_t count, size_t blocks) {
  count == 1 ? Blocks<1>(streams, blocks) : Blocks<2>(streams, blocks);
}

}  // namespace

const DigestKernel kDigestShaNiKernel = {"shani", 2, OneOrTwo};

}  // namespace inkan
