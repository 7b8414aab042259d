// Chooses, for every filing of the corpus, what is wrong with it, whose
// certificate it carries and when it came in.
//
//   FilingPlan plan = PlanFilings(seed, 20'000, clock, &population);
//
// A defect is the only one of its filing, or stands first in the order in which
// verdicts rank. Adds to the population the certificates that only a defect
// has. One thread; no cryptography, so that it is fast.
#ifndef INKAN_BENCH_LAB_FILING_PLAN_H_
#define INKAN_BENCH_LAB_FILING_PLAN_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/lab/filing_kinds.h"
#include "bench/lab/population.h"

namespace inkan::lab {

struct PlannedFiling {
  FilingKind kind = FilingKind::kGood;
  size_t certificate = 0;  // index into Population::certificates
  int64_t time = 0;        // when it came in
};

// Fails if the population lacks a certificate that some kind needs.
absl::StatusOr<std::vector<PlannedFiling>> PlanFilings(uint64_t seed,
                                                       uint64_t filings,
                                                       const LabClock& clock,
                                                       Population* population);

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_FILING_PLAN_H_
