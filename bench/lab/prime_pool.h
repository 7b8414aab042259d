// Many distinct RSA keys in little time: N primes give N (N - 1) / 2 moduli.
//
//   PrimePool pool(seed, /*keys=*/200'000, /*threads=*/2);
//   PrivateKey key = pool.Key(17);
//
// Moduli that share primes are worthless as secrets (a gcd of two of them takes
// both apart), which a lab does not mind: verification sees nothing but
// distinct 2048-bit moduli. The seed alone decides every key. Immutable once
// made; any thread.
#ifndef INKAN_BENCH_LAB_PRIME_POOL_H_
#define INKAN_BENCH_LAB_PRIME_POOL_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/lab/keys.h"

namespace inkan::lab {

class PrimePool {
 public:
  // Enough primes for `keys` distinct moduli of `modulus_bits`.
  PrimePool(uint64_t seed, uint64_t keys, unsigned threads,
            unsigned modulus_bits = 2048);

  // REQUIRES: index < keys().
  PrivateKey Key(uint64_t index) const;
  uint64_t keys() const { return primes_.size() * (primes_.size() - 1) / 2; }
  size_t primes() const { return primes_.size(); }

 private:
  std::vector<std::string> primes_;
};

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_PRIME_POOL_H_
