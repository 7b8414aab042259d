// Hands out the messages to send: the corpus, cut into requests that are
// serialised once, over and over until count or duration is reached.
//
//   JobSource source(corpus, options);
//   source.Start(Clock::now());
//   while (std::optional<Job> job = source.Next(Clock::now())) Send(*job);
//
// Every call mode of the mix walks through the whole corpus by itself. With one
// mode a count is met to the filing; with several, the message that reaches it
// is the last.
//
// Thread safety: Next() from any thread; the rest before the run.
#ifndef INKAN_BENCH_LOAD_JOB_SOURCE_H_
#define INKAN_BENCH_LOAD_JOB_SOURCE_H_

#include <grpcpp/support/byte_buffer.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "bench/load/corpus_file.h"
#include "bench/load/options.h"

namespace inkan::load {

// One request message: corpus entries [first, first + count).
struct Message {
  grpc::ByteBuffer bytes;
  Mode mode = Mode::kUnary;
  uint32_t first = 0;
  uint32_t count = 0;
  uint64_t sequence = 0;  // in stream mode
};

struct Job {
  const Message* message = nullptr;
  // When it should be sent; latency counts from here, however late it goes out.
  Clock::time_point intended;
};

class JobSource {
 public:
  JobSource(const Corpus& corpus, const LoadOptions& options);

  void Start(Clock::time_point now);
  // Nothing when the run is over.
  std::optional<Job> Next(Clock::time_point intended);
  // No more jobs from now on.
  void Stop() { exhausted_ = true; }
  bool exhausted() const { return exhausted_.load(); }
  // Nothing is due from then on.
  Clock::time_point end() const { return end_; }
  uint64_t filings_issued() const { return filings_issued_.load(); }

 private:
  // One pass over the corpus in one mode.
  struct Pass {
    std::vector<Message> messages;
    // Of messages; the last is 1.
    double cumulative_share = 0;
    std::atomic<uint64_t> next = 0;
  };

  void FillPass(const Corpus& corpus, Mode mode, uint32_t batch);
  void SetCount(const Corpus& corpus, const LoadOptions& options);
  const Message* Choose();
  Pass& PassFor(uint64_t index);

  std::array<Pass, kModes> passes_;
  const uint64_t seed_;
  size_t modes_ = 0;  // with a share in the mix
  // The message that ends a run of `count` filings inside a batch.
  std::optional<Message> tail_;
  uint64_t jobs_max_ = UINT64_MAX;     // of one mode, including the tail
  uint64_t filings_max_ = UINT64_MAX;  // of several modes
  const Seconds length_;
  Clock::time_point end_ = Clock::time_point::max();
  std::atomic<uint64_t> next_ = 0;
  std::atomic<uint64_t> filings_issued_ = 0;
  std::atomic<bool> exhausted_ = false;
};

}  // namespace inkan::load

#endif  // INKAN_BENCH_LOAD_JOB_SOURCE_H_
