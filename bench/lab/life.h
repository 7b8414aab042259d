// One citizen's life with a card. Internal to population.
#ifndef INKAN_BENCH_LAB_LIFE_H_
#define INKAN_BENCH_LAB_LIFE_H_

#include <cstdint>
#include <vector>

#include "bench/lab/population.h"

namespace inkan::lab {

// What a citizen is cast as: index modulo 32 picks one of the first, everyone
// else is kOrdinary.
enum class Role : uint8_t {
  kMovedInSeason,  // signature certificate revoked during the season
  kCompromisedInSeason,
  kRevokedEarlier,  // for a reason that goes round
  kOnHold,          // card reported lost before the season, not yet found
  kExpired,         // expired before the season, not renewed
  kNewInSeason,     // card issued in the last days of the season
  kLivesWhereCrlIsStale,
  kLivesWhereCrlIsMissing,
  kOrdinary,
};
Role RoleOf(uint32_t citizen);

// The certificates of citizen number `index`, in order of issue, and who it is.
std::vector<IssuedCertificate> LiveOneLife(const PopulationOptions& options,
                                           uint32_t index, Citizen* citizen);

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_LIFE_H_
