// This morning's CRLs: one for each municipality and CA generation.
//
//   std::vector<CrlPlan> plans = PlanCrls(authorities, population, ...);
//   std::string der = BuildCrl(plans[i], places).Sign(plans[i].ca->key);
//
// A CRL lists what was revoked and has not expired, and names its
// municipality's distribution point, so that it speaks for nothing else.
// Generations whose CA certificate has expired publish no more. Pointers are
// into what the caller keeps; any thread.
#ifndef INKAN_BENCH_LAB_CRL_PUBLISHER_H_
#define INKAN_BENCH_LAB_CRL_PUBLISHER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "bench/lab/authority.h"
#include "bench/lab/crl_builder.h"
#include "bench/lab/population.h"

namespace inkan::lab {

struct CrlPlan {
  const Authority* ca = nullptr;
  uint32_t municipality = 0;
  int64_t this_update = 0;
  int64_t next_update = 0;
  std::string file_name;
  std::vector<const IssuedCertificate*> revoked;
};

std::vector<CrlPlan> PlanCrls(const Authorities& authorities,
                              const Population& population,
                              const std::vector<Municipality>& places,
                              const LabClock& clock);

// An entry for somebody of whom the lab knows nothing else.
struct Stranger {
  uint64_t serial = 0;
  int64_t revoked_at = 0;
};

// So many of them, less some, that with them the CRL lists `entries`: spread
// over all serials that its CA had given out by then, none of them the
// population's, in order.
std::vector<Stranger> InventStrangers(const CrlPlan& plan,
                                      const Population& population,
                                      uint64_t entries, uint64_t seed);

CrlBuilder BuildCrl(const CrlPlan& plan,
                    const std::vector<Municipality>& places,
                    std::vector<Stranger> strangers = {});

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_CRL_PUBLISHER_H_
