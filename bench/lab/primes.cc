// DeterministicPrime: incremental search over a random start, sieved by small
// primes, then strong probable-prime tests.
#include <numeric>
#include <vector>

#include "bench/lab/keys.h"
#include "bench/lab/openssl_types.h"

namespace inkan::lab {
namespace {

// Sieving further than this costs more than the exponentiations it saves.
constexpr unsigned kSieveLimit = 8192;
// Distance searched from one random start; about 20 times the mean gap between
// primes of 1024 bits.
constexpr unsigned kSearchSpan = 1U << 14U;

const std::vector<unsigned>& SmallPrimes() {
  static const auto* const found = [] {
    auto* primes = new std::vector<unsigned>();
    std::vector<bool> composite(kSieveLimit, false);
    for (unsigned n = 3; n < kSieveLimit; n += 2) {
      if (composite[n]) continue;
      primes->push_back(n);
      for (unsigned m = n * n; m < kSieveLimit; m += 2 * n) composite[m] = true;
    }
    return primes;
  }();
  return *found;
}

// The strong test of Miller and Rabin to one base.
bool PassesStrongTest(const BIGNUM* n, const BIGNUM* n_minus_1, uint64_t base,
                      BN_MONT_CTX* mont, BN_CTX* ctx) {
  int twos = 0;
  while (BN_is_bit_set(n_minus_1, twos) == 0) ++twos;
  Bn odd = NewBn();
  BN_rshift(odd.get(), n_minus_1, twos);
  Bn x = NewBn();
  const Bn base_bn = BnFromWord(base);
  Require(BN_mod_exp_mont(x.get(), base_bn.get(), odd.get(), n, ctx, mont) == 1,
          "BN_mod_exp_mont");
  if (BN_is_one(x.get()) || BN_cmp(x.get(), n_minus_1) == 0) return true;
  for (int i = 1; i < twos; ++i) {
    BN_mod_sqr(x.get(), x.get(), n, ctx);
    if (BN_cmp(x.get(), n_minus_1) == 0) return true;
  }
  return false;
}

bool IsPrime(const BIGNUM* n, BN_CTX* ctx) {
  const BnMont mont(BN_MONT_CTX_new());
  Require(BN_MONT_CTX_set(mont.get(), n, ctx) == 1, "BN_MONT_CTX_set");
  const Bn n_minus_1(BN_dup(n));
  BN_sub_word(n_minus_1.get(), 1);
  for (const uint64_t base : {2U, 3U, 5U, 7U}) {
    if (!PassesStrongTest(n, n_minus_1.get(), base, mont.get(), ctx)) {
      return false;
    }
  }
  return true;
}

bool CoprimeToExponent(const BIGNUM* p, uint64_t exponent) {
  // BN_gcd is constant-time and far slower than one remainder.
  const uint64_t remainder = BN_mod_word(p, exponent);
  return std::gcd((remainder + exponent - 1) % exponent, exponent) == 1;
}

// Which odd offsets from `start` have no small factor.
std::vector<bool> SieveFrom(const BIGNUM* start) {
  std::vector<bool> composite(kSearchSpan, false);  // index: offset / 2
  for (const unsigned prime : SmallPrimes()) {
    const auto remainder = static_cast<unsigned>(BN_mod_word(start, prime));
    // The first even offset with start + offset divisible by prime.
    unsigned offset = (prime - remainder) % prime;
    if (offset % 2 == 1) offset += prime;
    for (unsigned i = offset / 2; i < kSearchSpan; i += prime) {
      composite[i] = true;
    }
  }
  return composite;
}

}  // namespace

std::string DeterministicPrime(DeterministicRandom* random, unsigned bits,
                               uint64_t exponent) {
  Require(bits >= 128 && bits % 8 == 0,
          "a prime of 128 bits or more, in octets");
  const BnCtx ctx(BN_CTX_new());
  for (;;) {
    std::string octets = random->Octets(bits / 8);
    octets.front() =
        static_cast<char>(static_cast<uint8_t>(octets.front()) | 0xc0U);
    octets.back() =
        static_cast<char>(static_cast<uint8_t>(octets.back()) | 0x01U);
    const Bn start = BnFromBytes(octets);
    const std::vector<bool> composite = SieveFrom(start.get());
    const Bn candidate(BN_dup(start.get()));
    unsigned at = 0;
    for (unsigned i = 0; i < kSearchSpan; ++i) {
      if (composite[i]) continue;
      BN_add_word(candidate.get(), 2 * (i - at));
      at = i;
      if (BN_num_bits(candidate.get()) != static_cast<int>(bits)) break;
      if (CoprimeToExponent(candidate.get(), exponent) &&
          IsPrime(candidate.get(), ctx.get())) {
        return BnToBytes(candidate.get());
      }
    }
  }
}

}  // namespace inkan::lab
