// What came back, held against the truth.
//
//   Tally tally(corpus);
//   tally.Answered(job, response, Clock::now());   // or Failed(job, status)
//   Results results = tally.Take();
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
  Histogram latency_ns;  // one record a filing answered
  uint64_t answered = 0;
  // Filings with another verdict than the truth, or with another filing's id.
  uint64_t mismatches = 0;
  // Filings that the server declined to take (UNAVAILABLE, RESOURCE_EXHAUSTED).
  uint64_t refused = 0;
  // Filings that were sent and got neither verdict nor refusal.
  uint64_t lost = 0;
  std::map<std::string, uint64_t> errors_by_code;  // RPCs
  std::vector<std::map<Outcome, uint64_t>> by_kind;
  std::vector<std::string> examples;  // the first few things that were wrong

  void Merge(const Results& other);
};

// "TOTAL_PASSED", or the sub-indication's name without its prefix.
std::string OutcomeName(const Outcome& outcome);

// "UNAVAILABLE".
std::string CodeName(grpc::StatusCode code);

class Tally {
 public:
  Tally(const Corpus& corpus, Mode mode);

  void Answered(const Job& job, grpc::ByteBuffer* response,
                Clock::time_point now);
  void Failed(const Job& job, const grpc::Status& status);
  // Filings of messages that have come to an end, one way or another.
  uint64_t ended() const { return ended_.load(); }
  uint64_t answered() const { return answered_.load(); }
  uint64_t mismatches() const { return mismatches_.load(); }
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
  void Example(std::string text) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Corpus& corpus_;
  const Mode mode_;
  absl::Mutex mutex_;
  Results results_ ABSL_GUARDED_BY(mutex_);
  // Copies for the progress line.
  std::atomic<uint64_t> ended_ = 0;
  std::atomic<uint64_t> answered_ = 0;
  std::atomic<uint64_t> mismatches_ = 0;
};

}  // namespace inkan::load

#endif  // INKAN_BENCH_LOAD_TALLY_H_
