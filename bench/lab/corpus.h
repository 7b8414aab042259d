// Makes the planned filings: certificates, documents, signatures, and what is
// wrong with them.
//
//   CorpusMaker maker(options);
//   std::vector<std::string> entries = maker.Make(plan, progress);
//
// Filings of one certificate are made together, so that a private key lives
// only as long as it signs. Result: serialised CorpusEntry messages in the
// plan's order. Pointers in the options are the caller's.
#ifndef INKAN_BENCH_LAB_CORPUS_H_
#define INKAN_BENCH_LAB_CORPUS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/lab/authority.h"
#include "bench/lab/filing_plan.h"
#include "bench/lab/prime_pool.h"

namespace inkan::lab {

struct CorpusOptions {
  uint64_t seed = 1;
  unsigned threads = 1;
  const Authorities* authorities = nullptr;
  const Population* population = nullptr;
  const std::vector<Municipality>* places = nullptr;
};

// `on_filing` is called from many threads, once for each filing made.
std::vector<std::string> MakeCorpus(const CorpusOptions& options,
                                    const std::vector<PlannedFiling>& plan,
                                    const PrimePool& keys,
                                    const std::function<void()>& on_filing);

// How many keys MakeCorpus takes from the pool.
uint64_t KeysNeeded(const std::vector<PlannedFiling>& plan);

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_CORPUS_H_
