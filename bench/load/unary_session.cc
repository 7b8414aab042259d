// Verify, BatchVerify and Health/Check: one RPC a job.
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "bench/load/session.h"

namespace inkan::load {
namespace {

constexpr char kVerify[] = "/inkan.v1.VerificationService/Verify";
constexpr char kBatchVerify[] = "/inkan.v1.VerificationService/BatchVerify";
constexpr char kHealthCheck[] = "/grpc.health.v1.Health/Check";

class UnarySession : public Session {
 public:
  UnarySession(std::shared_ptr<grpc::Channel> channel,
               const LoadOptions& options, CallLoop* loop, OnDone on_done)
      : stub_(std::move(channel)),
        timeout_(options.timeout),
        loop_(loop),
        on_done_(std::move(on_done)) {}

  void Submit(const Job& job) override;
  void Finish() override;

 private:
  // Deletes itself.
  struct Call : CallLoop::Completion {
    Call(UnarySession* the_session, const Job& the_job)
        : session(the_session), job(the_job) {}
    void Run() override;

    UnarySession* const session;
    const Job job;
    grpc::ClientContext context;
    grpc::ByteBuffer response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> reader;
  };

  const std::string& MethodOf(Mode mode) const {
    return mode == Mode::kUnary   ? verify_
           : mode == Mode::kBatch ? batch_verify_
                                  : health_check_;
  }
  bool NoneOpen() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return open_calls_ == 0;
  }

  // Requests are serialised once and sent many times, so that the generator is
  // not what is measured: hence the generic stub, which takes bytes.
  grpc::GenericStub stub_;
  const std::string verify_ = kVerify;
  const std::string batch_verify_ = kBatchVerify;
  const std::string health_check_ = kHealthCheck;
  const std::chrono::duration<double> timeout_;
  CallLoop* const loop_;
  const OnDone on_done_;
  absl::Mutex mutex_;
  uint64_t open_calls_ ABSL_GUARDED_BY(mutex_) = 0;
};

void UnarySession::Submit(const Job& job) {
  auto* call = new Call(this, job);
  call->context.set_deadline(DeadlineAfter(timeout_));
  {
    const absl::MutexLock lock(&mutex_);
    ++open_calls_;
  }
  call->reader =
      stub_.PrepareUnaryCall(&call->context, MethodOf(job.message->mode),
                             job.message->bytes, loop_->queue());
  call->reader->StartCall();
  call->reader->Finish(&call->response, &call->status, call);
}

void UnarySession::Call::Run() {
  UnarySession* const owner = session;
  owner->on_done_(job, status, &response);
  // Before Finish() can return: the call holds its channel.
  delete this;
  const absl::MutexLock lock(&owner->mutex_);
  --owner->open_calls_;
}

// Every call has a deadline, so this ends.
void UnarySession::Finish() {
  const absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &UnarySession::NoneOpen));
}

}  // namespace

std::unique_ptr<Session> MakeUnarySession(
    std::shared_ptr<grpc::Channel> channel, const LoadOptions& options,
    CallLoop* loop, OnDone on_done) {
  return std::make_unique<UnarySession>(std::move(channel), options, loop,
                                        std::move(on_done));
}

}  // namespace inkan::load
