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
               const LoadOptions& options, OnDone on_done)
      : stub_(std::move(channel)),
        timeout_(options.timeout),
        on_done_(std::move(on_done)) {}

  void Submit(const Job& job) override;
  void Finish() override;

 private:
  struct Call {
    grpc::ClientContext context;
    grpc::ByteBuffer response;
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
  const OnDone on_done_;
  absl::Mutex mutex_;
  uint64_t open_calls_ ABSL_GUARDED_BY(mutex_) = 0;
};

void UnarySession::Submit(const Job& job) {
  auto* call = new Call;
  call->context.set_deadline(DeadlineAfter(timeout_));
  {
    const absl::MutexLock lock(&mutex_);
    ++open_calls_;
  }
  stub_.UnaryCall(&call->context, MethodOf(job.message->mode), {},
                  &job.message->bytes, &call->response,
                  [this, call, job](const grpc::Status& status) {
                    on_done_(job, status, &call->response);
                    // Before Finish() can return: the call holds its channel,
                    // and the last reference to a channel must not be dropped
                    // on one of gRPC's own threads.
                    delete call;
                    const absl::MutexLock lock(&mutex_);
                    --open_calls_;
                  });
}

// Every call has a deadline, so this ends.
void UnarySession::Finish() {
  const absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &UnarySession::NoneOpen));
}

}  // namespace

std::unique_ptr<Session> MakeUnarySession(
    std::shared_ptr<grpc::Channel> channel, const LoadOptions& options,
    OnDone on_done) {
  return std::make_unique<UnarySession>(std::move(channel), options,
                                        std::move(on_done));
}

}  // namespace inkan::load
