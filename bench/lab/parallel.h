// Runs independent pieces of work on several threads.
//
//   ParallelFor(count, threads, [&](uint64_t i) { results[i] = Make(i); });
//
// Each index runs exactly once, in no particular order; the call returns when
// all have run. Pieces must not share anything they change.
#ifndef INKAN_BENCH_LAB_PARALLEL_H_
#define INKAN_BENCH_LAB_PARALLEL_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace inkan::lab {

template <typename Work>
void ParallelFor(uint64_t count, unsigned threads, const Work& work) {
  std::atomic<uint64_t> next = 0;
  const auto run = [&] {
    for (uint64_t i = next++; i < count; i = next++) work(i);
  };
  std::vector<std::thread> helpers;
  for (unsigned i = 1; i < std::max(threads, 1U); ++i)
    helpers.emplace_back(run);
  run();
  for (std::thread& helper : helpers) helper.join();
}

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_PARALLEL_H_
