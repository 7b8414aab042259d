#include "bench/load/rate_search.h"

namespace inkan::load {

std::optional<double> RateSearch::Next() const {
  if (steps_ >= kStepsMax || next_ < kRateMin) return std::nullopt;
  if (good_ > 0 && bad_ > 0 && bad_ - good_ <= precision_ * good_) {
    return std::nullopt;
  }
  return next_;
}

void RateSearch::Report(bool good) {
  ++steps_;
  (good ? good_ : bad_) = next_;
  if (bad_ == 0) {
    next_ = 2 * good_;
  } else if (good_ == 0) {
    next_ = bad_ / 2;
  } else {
    next_ = (good_ + bad_) / 2;
  }
}

}  // namespace inkan::load
