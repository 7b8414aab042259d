// When the messages of an open loop are due, whatever the server does.
//
//   ArrivalClock arrivals(options, start);
//   WaitUntil(arrivals.due());
//   .. send a message ..
//   arrivals.Advance(message.count);
//
// kConstant: the filings of all messages together keep one even beat. kPoisson:
// the gaps are exponential, as with many clients that know nothing of each
// other. One thread. The same seed gives the same times.
#ifndef INKAN_BENCH_LOAD_ARRIVALS_H_
#define INKAN_BENCH_LOAD_ARRIVALS_H_

#include <cstdint>
#include <random>

#include "bench/load/options.h"

namespace inkan::load {

class ArrivalClock {
 public:
  // REQUIRES: options.rate > 0.
  ArrivalClock(const LoadOptions& options, Clock::time_point start)
      : arrivals_(options.arrivals),
        rate_(options.rate),
        start_(start),
        random_(options.seed) {}

  // When the next message is due; the first one at the start.
  Clock::time_point due() const { return start_ + ToClock(Seconds(offset_)); }

  // That message had so many filings.
  void Advance(uint32_t filings) {
    const double gap = filings / rate_;
    offset_ +=
        arrivals_ == Arrivals::kConstant ? gap : gap * exponential_(random_);
  }

 private:
  const Arrivals arrivals_;
  const double rate_;
  const Clock::time_point start_;
  // Seconds since the start: a sum, so that rounding to the clock's tick does
  // not add up.
  double offset_ = 0;
  std::mt19937_64 random_;
  std::exponential_distribution<double> exponential_;  // of mean 1
};

}  // namespace inkan::load

#endif  // INKAN_BENCH_LOAD_ARRIVALS_H_
