// One line on stderr that says how far a long stage is.
//
//   Progress progress("filings", 20'000);
//   progress.Add();            // any thread
//   progress.Done();
//
// On a terminal the line is rewritten a few times a second; elsewhere only the
// finished stage is printed.
#ifndef INKAN_BENCH_LAB_PROGRESS_H_
#define INKAN_BENCH_LAB_PROGRESS_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

namespace inkan::lab {

class Progress {
 public:
  // A quiet one prints nothing.
  Progress(std::string stage, uint64_t total, bool quiet = false);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Add(uint64_t amount = 1);
  void Set(uint64_t done);
  void Done();

 private:
  double SecondsSinceStart() const;
  void MaybePrint(uint64_t done);

  const std::string stage_;
  const uint64_t total_;
  const bool quiet_;
  const bool terminal_;
  const std::chrono::steady_clock::time_point start_;
  std::atomic<uint64_t> done_ = 0;
  std::atomic<int64_t> next_print_ms_ = 0;
};

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_PROGRESS_H_
