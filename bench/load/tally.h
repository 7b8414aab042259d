// What came back, held against the truth.
//
//   Tally tally(corpus);
//   tally.Start(measure_from);
//   tally.Answered(job, response, Clock::now());   // or Failed(job, status,
//   now) Results results = tally.Take();
//
// Thread safety: any thread; one Tally for each connection keeps its lock cold.
#ifndef INKAN_BENCH_LOAD_TALLY_H_
#define INKAN_BENCH_LOAD_TALLY_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "bench/load/corpus_file.h"
#include "bench/load/histogram.h"
#include "bench/load/job_source.h"
#include "inkan/v1/verification.pb.h"

namespace inkan::load {

// A verdict as far as the truth goes.
using Outcome = std::pair<v1::Indication, v1::SubIndication>;

struct Results {
  // From here to Results.last_end is what figures are about: due in it, for
  // latencies; ended in it, for throughput.
  Histogram latency_ns;          // one record a filing answered
  Histogram refused_latency_ns;  // one record a filing refused
  uint64_t measured_answered = 0;
  Clock::time_point last_end;  // of any message
  // The whole run, warm-up included.
  uint64_t answered = 0;
  // Filings with another verdict than the truth, or with another filing's id.
  uint64_t mismatches = 0;
  // Filings that the server declined to take (UNAVAILABLE, RESOURCE_EXHAUSTED).
  uint64_t refused = 0;
  // Filings that were sent and got neither verdict nor refusal.
  uint64_t lost = 0;
  // Verdicts that no one asked for, or came twice.
  uint64_t unasked = 0;
  std::map<std::string, uint64_t> refused_by_code;  // filings
  std::map<std::string, uint64_t> errors_by_code;   // RPCs
  std::vector<std::map<Outcome, uint64_t>> by_kind;
  std::vector<std::string> examples;  // the first few things that were wrong
  // The first message of each code, apart, for an overload has thousands.
  std::map<std::string, std::string> refusal_examples;

  void Merge(const Results& other);
};

// "TOTAL_PASSED", or the sub-indication's name without its prefix.
std::string OutcomeName(const Outcome& outcome);

// "UNAVAILABLE".
std::string CodeName(grpc::StatusCode code);

class Tally {
 public:
  explicit Tally(const Corpus& corpus);

  // Before the run: what is due or ends from then on counts in figures.
  void Start(Clock::time_point measure_from) { measure_from_ = measure_from; }
  void Answered(const Job& job, grpc::ByteBuffer* response,
                Clock::time_point now);
  void Failed(const Job& job, const grpc::Status& status,
              Clock::time_point now);
  // A message that answers nothing.
  void Unasked();
  // Filings of messages that have come to an end, one way or another.
  uint64_t ended() const { return ended_.load(); }
  uint64_t answered() const { return answered_.load(); }
  uint64_t refused() const { return refused_.load(); }
  // Mismatches, lost and unasked.
  uint64_t wrong() const { return wrong_.load(); }
  Results Take();

 private:
  // Returns false, having said why, if the message as a whole is wrong.
  template <typename Response>
  bool CheckVerdicts(const Job& job, const Response& response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CheckVerdict(uint32_t entry, const v1::Verdict& verdict)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool CheckMessage(const Job& job, grpc::ByteBuffer* response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Ended(const Job& job, Clock::time_point now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Example(std::string text) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Corpus& corpus_;
  Clock::time_point measure_from_;
  absl::Mutex mutex_;
  Results results_ ABSL_GUARDED_BY(mutex_);
  // Copies for the progress line.
  std::atomic<uint64_t> ended_ = 0;
  std::atomic<uint64_t> answered_ = 0;
  std::atomic<uint64_t> refused_ = 0;
  std::atomic<uint64_t> wrong_ = 0;
};

}  // namespace inkan::load

#endif  // INKAN_BENCH_LOAD_TALLY_H_
