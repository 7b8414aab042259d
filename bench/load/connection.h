// One connection to the server: its calls, their pace in a closed loop, and the
// tally of what came back.
//
//   Connection connection(options, corpus, channel, &loop, &source);
//   connection.StartClosed();            // or, open loop: TrySubmit(job)
//   connection.Finish();
//   connection.tally().Take();
//
// Thread safety: any thread. `loop`, `source` and `corpus` outlive the
// connection.
#ifndef INKAN_BENCH_LOAD_CONNECTION_H_
#define INKAN_BENCH_LOAD_CONNECTION_H_

#include <grpcpp/channel.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "bench/load/job_source.h"
#include "bench/load/session.h"
#include "bench/load/tally.h"

namespace inkan::load {

class Connection {
 public:
  Connection(const LoadOptions& options, const Corpus& corpus,
             std::shared_ptr<grpc::Channel> channel, CallLoop* loop,
             JobSource* source);

  // Closed loop: keeps options.in_flight messages on the way until the source
  // has no more.
  void StartClosed();
  bool busy() const { return slots_.load() > 0; }
  // Closed loop: lets slots whose message failed try again. Called at each tick
  // only, so that a server that refuses is not hammered.
  void Unpark();

  // Open loop: false if options.in_flight messages are on the way already.
  bool TrySubmit(const Job& job);

  // Waits for what is on the way.
  void Finish();

  Tally& tally() { return tally_; }
  const Tally& tally() const { return tally_; }

 private:
  void Submit(const Job& job);
  void SubmitNext();
  void Done(const Job& job, const grpc::Status& status,
            grpc::ByteBuffer* response);

  const bool closed_loop_;
  const uint32_t in_flight_max_;
  JobSource* const source_;
  Tally tally_;
  std::unique_ptr<Session> calls_;    // null if the mix has only streams
  std::unique_ptr<Session> stream_;   // null if the mix has none
  std::atomic<uint32_t> slots_ = 0;   // closed loop: that are not at their end
  std::atomic<uint32_t> parked_ = 0;  // slots that wait after a failure
  std::atomic<uint32_t> on_the_way_ = 0;  // open loop
};

}  // namespace inkan::load

#endif  // INKAN_BENCH_LOAD_CONNECTION_H_
