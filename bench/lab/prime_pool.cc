#include "bench/lab/prime_pool.h"

#include <algorithm>
#include <cmath>

#include "bench/lab/check.h"
#include "bench/lab/parallel.h"
#include "bench/lab/random.h"

namespace inkan::lab {

PrimePool::PrimePool(uint64_t seed, uint64_t keys, unsigned threads,
                     unsigned modulus_bits) {
  size_t count = 2;
  while (count * (count - 1) / 2 < keys) ++count;
  primes_.resize(count);
  ParallelFor(count, threads, [&](uint64_t i) {
    DeterministicRandom random(seed, "prime", i);
    primes_[i] = DeterministicPrime(&random, modulus_bits / 2);
  });
  // A repeated prime would mean a broken generator, not bad luck.
  std::vector<std::string> sorted = primes_;
  std::sort(sorted.begin(), sorted.end());
  Require(std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end(),
          "two primes of the pool are equal");
}

PrivateKey PrimePool::Key(uint64_t index) const {
  Require(index < keys(), "the pool has not that many keys");
  // Pairs (i, j), i < j, counted by j first: j (j - 1) / 2 <= index.
  auto j = static_cast<uint64_t>(
      (1.0 + std::sqrt(1.0 + 8.0 * static_cast<double>(index))) / 2.0);
  while (j * (j - 1) / 2 > index) --j;
  while (j * (j + 1) / 2 <= index) ++j;
  return PrivateKey::RsaFromPrimes(primes_[index - j * (j - 1) / 2],
                                   primes_[j]);
}

}  // namespace inkan::lab
