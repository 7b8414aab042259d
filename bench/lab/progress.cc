#include "bench/lab/progress.h"

#include <unistd.h>

#include <cstdio>
#include <utility>

namespace inkan::lab {
namespace {

constexpr int64_t kIntervalMs = 200;

}  // namespace

Progress::Progress(std::string stage, uint64_t total, bool quiet)
    : stage_(std::move(stage)),
      total_(total),
      quiet_(quiet),
      terminal_(isatty(STDERR_FILENO) == 1),
      start_(std::chrono::steady_clock::now()) {}

double Progress::SecondsSinceStart() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() -
                                       start_)
      .count();
}

void Progress::Add(uint64_t amount) { MaybePrint(done_ += amount); }

void Progress::Set(uint64_t done) {
  done_ = done;
  MaybePrint(done);
}

void Progress::MaybePrint(uint64_t done) {
  if (quiet_ || !terminal_) return;
  const auto now_ms = static_cast<int64_t>(SecondsSinceStart() * 1000);
  int64_t due = next_print_ms_.load();
  // Whoever moves the due time on prints; the others go back to work.
  if (now_ms < due ||
      !next_print_ms_.compare_exchange_strong(due, now_ms + kIntervalMs)) {
    return;
  }
  std::fprintf(stderr, "\r%-24s %llu of %llu", stage_.c_str(),
               static_cast<unsigned long long>(done),
               static_cast<unsigned long long>(total_));
}

void Progress::Done() {
  if (quiet_) return;
  std::fprintf(stderr, "%s%-24s %llu in %.1f s%s\n", terminal_ ? "\r" : "",
               stage_.c_str(), static_cast<unsigned long long>(total_),
               SecondsSinceStart(), terminal_ ? "        " : "");
}

}  // namespace inkan::lab
