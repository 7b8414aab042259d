// Hands out the messages to send: the corpus, cut into requests that are
// serialised once, over and over until count or duration is reached.
//
//   JobSource source(corpus, options);
//   source.Start(Clock::now());
//   while (std::optional<Job> job = source.Next(Clock::now())) Send(*job);
//
// Thread safety: Next() from any thread; the rest before the run.
#ifndef INKAN_BENCH_LOAD_JOB_SOURCE_H_
#define INKAN_BENCH_LOAD_JOB_SOURCE_H_

#include <grpcpp/support/byte_buffer.h>

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
  uint64_t filings_issued() const { return filings_issued_.load(); }

 private:
  Message MakeMessage(const Corpus& corpus, uint32_t first, uint32_t count);

  const Mode mode_;
  std::vector<Message> messages_;  // one pass over the corpus
  // The message that ends a run of `count` filings inside a batch.
  std::optional<Message> tail_;
  uint64_t jobs_max_ = UINT64_MAX;  // including the tail
  const std::chrono::duration<double> duration_;
  Clock::time_point end_;
  std::atomic<uint64_t> next_ = 0;
  std::atomic<uint64_t> filings_issued_ = 0;
  std::atomic<bool> exhausted_ = false;
};

}  // namespace inkan::load

#endif  // INKAN_BENCH_LOAD_JOB_SOURCE_H_
