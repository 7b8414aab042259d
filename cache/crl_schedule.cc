#include "cache/crl_schedule.h"

#include <algorithm>

namespace inkan {
namespace {

// CAs publish before the CRL in force ends; the longest time ahead that we
// begin to look for the next one.
constexpr absl::Duration kLeadMax = absl::Hours(1);
// Between two looks for a CRL that is due: gentle to the publisher, and short
// beside the hours that CAs leave between publication and nextUpdate.
constexpr absl::Duration kDueInterval = absl::Minutes(1);
constexpr absl::Duration kWaitMin = absl::Milliseconds(100);
constexpr uint32_t kDoublingsMax = 20;

}  // namespace

absl::Time NextAfterSuccess(absl::Time now, const CrlSchedule& schedule,
                            const CrlDates& crl, double random) {
  const double around_one = 0.9 + 0.2 * random;
  absl::Duration wait = schedule.poll_interval * around_one;
  if (crl.next_update.has_value()) {
    const absl::Duration lead =
        std::clamp((*crl.next_update - crl.this_update) / 10,
                   absl::ZeroDuration(), kLeadMax);
    const absl::Time due = *crl.next_update - lead;
    if (now >= due) {
      wait = std::min(wait, kDueInterval * around_one);
    } else {
      wait = std::min(wait, due - now + kDueInterval * random);
    }
  }
  return now + std::max(wait, kWaitMin);
}

absl::Time NextAfterFailure(absl::Time now, const CrlSchedule& schedule,
                            uint32_t failures,
                            std::optional<absl::Duration> retry_after,
                            double random) {
  const uint32_t doublings =
      std::min(failures == 0 ? 0 : failures - 1, kDoublingsMax);
  absl::Duration wait =
      std::min(schedule.retry_first * static_cast<double>(1U << doublings),
               schedule.retry_max);
  wait *= 0.5 + 0.5 * random;
  if (retry_after.has_value()) {
    wait = std::max(wait, std::min(*retry_after, schedule.poll_interval));
  }
  return now + std::max(wait, kWaitMin);
}

}  // namespace inkan
