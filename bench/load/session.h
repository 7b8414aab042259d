// One connection's calls: messages in, completions out.
//
//   std::unique_ptr<Session> session = MakeStreamSession(channel, options,
//   on_done); session->Submit(job);       // on_done(job, status, response)
//   will come session->Finish();          // no more; returns when every call
//   has ended
//
// `on_done` is called once for each job, and with a job without message for an
// answer on a stream that owes none. It is called on the loop's thread or, for
// streams, on gRPC's, and may Submit. The bytes of a response may be moved out.
// Thread safety: any thread.
#ifndef INKAN_BENCH_LOAD_SESSION_H_
#define INKAN_BENCH_LOAD_SESSION_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <functional>
#include <memory>

#include "bench/load/call_loop.h"
#include "bench/load/job_source.h"
#include "bench/load/options.h"

namespace inkan::load {

using OnDone = std::function<void(const Job&, const grpc::Status&,
                                  grpc::ByteBuffer* response)>;

class Session {
 public:
  virtual ~Session() = default;

  virtual void Submit(const Job& job) = 0;
  // Waits for the answers that are due, but no longer than options.timeout;
  // what is unanswered then completes as CANCELLED or DEADLINE_EXCEEDED.
  virtual void Finish() = 0;
};

std::unique_ptr<Session> MakeUnarySession(
    std::shared_ptr<grpc::Channel> channel, const LoadOptions& options,
    CallLoop* loop, OnDone on_done);  // Verify, BatchVerify, Health/Check
std::unique_ptr<Session> MakeStreamSession(
    std::shared_ptr<grpc::Channel> channel, const LoadOptions& options,
    OnDone on_done);  // StreamVerify

}  // namespace inkan::load

#endif  // INKAN_BENCH_LOAD_SESSION_H_
