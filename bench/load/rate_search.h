// Looks for the highest rate that is still good: doubles until a rate is bad,
// then halves the gap until it is small.
//
//   RateSearch search(1000, 0.05);
//   while (std::optional<double> rate = search.Next())
//   search.Report(Try(*rate)); search.best();
//
// "Good" must not come back above a rate that is bad; a figure as noisy as a
// p99 only nearly keeps to that, and the search then ends at one of the
// borders. Bounded: at most kStepsMax steps. One thread.
#ifndef INKAN_BENCH_LOAD_RATE_SEARCH_H_
#define INKAN_BENCH_LOAD_RATE_SEARCH_H_

#include <optional>

namespace inkan::load {

class RateSearch {
 public:
  // 20 doublings from 100 a second pass 100 million; bisecting to 1 % takes 7
  // more.
  static constexpr int kStepsMax = 32;
  // Below one a second there is nothing to look for.
  static constexpr double kRateMin = 1;

  // `precision` is the gap between good and bad, as a share, at which it ends.
  RateSearch(double first, double precision)
      : next_(first), precision_(precision) {}

  // Nothing when the search is over.
  std::optional<double> Next() const;
  // What came of the rate that Next() gave.
  void Report(bool good);

  // The highest good rate; 0 if none was.
  double best() const { return good_; }
  int steps() const { return steps_; }

 private:
  double next_;
  const double precision_;
  double good_ = 0;
  double bad_ = 0;  // 0: none yet
  int steps_ = 0;
};

}  // namespace inkan::load

#endif  // INKAN_BENCH_LOAD_RATE_SEARCH_H_
