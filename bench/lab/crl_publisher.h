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

CrlBuilder BuildCrl(const CrlPlan& plan,
                    const std::vector<Municipality>& places);

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_CRL_PUBLISHER_H_
