// When a place on the network is asked again.
//
//   absl::Time next = NextAfterSuccess(now, schedule, crl_dates, random());
//   absl::Time next = NextAfterFailure(now, schedule, failures, retry_after,
//                                      random());
//
// `random` is uniform in [0, 1): every wait is jittered, so that many servers
// do not ask together. Pure functions; any thread.
#ifndef INKAN_CACHE_CRL_SCHEDULE_H_
#define INKAN_CACHE_CRL_SCHEDULE_H_

#include <cstdint>
#include <optional>

#include "absl/time/time.h"

namespace inkan {

struct CrlSchedule {
  absl::Duration poll_interval = absl::Hours(1);
  absl::Duration retry_first = absl::Seconds(10);
  absl::Duration retry_max = absl::Minutes(10);
};

// Of the CRL in hand.
struct CrlDates {
  absl::Time this_update = absl::InfinitePast();
  std::optional<absl::Time> next_update;
};

// After a CRL was got, or it was said that there is none newer. The poll
// interval, but not beyond the time from which on a newer one is due: a tenth
// of the CRL's life, an hour at most, before nextUpdate. Once that has come, a
// minute, or the poll interval if that is shorter.
absl::Time NextAfterSuccess(absl::Time now, const CrlSchedule& schedule,
                            const CrlDates& crl, double random);

// After the `failures`-th failure in a row, from 1: retry_first doubled each
// time up to retry_max, less up to half of it. Never before `retry_after`,
// which the server asked for, as far as the poll interval goes.
absl::Time NextAfterFailure(absl::Time now, const CrlSchedule& schedule,
                            uint32_t failures,
                            std::optional<absl::Duration> retry_after,
                            double random);

}  // namespace inkan

#endif  // INKAN_CACHE_CRL_SCHEDULE_H_
