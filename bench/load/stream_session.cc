// StreamVerify: one stream a connection, answers in the order of requests. A
// stream that breaks fails its jobs, and the next job opens another.
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/client_callback.h>

#include <deque>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "bench/load/session.h"

namespace inkan::load {
namespace {

constexpr char kStreamVerify[] = "/inkan.v1.VerificationService/StreamVerify";

class StreamSession : public Session {
 public:
  StreamSession(std::shared_ptr<grpc::Channel> channel,
                const LoadOptions& options, OnDone on_done)
      : stub_(std::move(channel)),
        timeout_(options.timeout),
        on_done_(std::move(on_done)) {}

  void Submit(const Job& job) override;
  void Finish() override;

 private:
  class Call;

  Call* Open() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool AllEnded() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return calls_ == 0;
  }

  grpc::GenericStub stub_;
  const std::chrono::duration<double> timeout_;
  const OnDone on_done_;
  absl::Mutex mutex_;
  std::deque<Job> pending_ ABSL_GUARDED_BY(mutex_);    // not yet written
  std::deque<Job> in_flight_ ABSL_GUARDED_BY(mutex_);  // written, unanswered
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;
  Call* call_ ABSL_GUARDED_BY(mutex_) = nullptr;  // deletes itself
  // Calls that are not deleted yet. A call holds its channel, and the last
  // reference to a channel must not be dropped on one of gRPC's own threads:
  // so Finish() waits for this and not for call_.
  int calls_ ABSL_GUARDED_BY(mutex_) = 0;
};

// The reactor of one stream. It holds the stream open (AddHold) until the last
// read fails, because writes start from outside its own reactions.
class StreamSession::Call
    : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit Call(StreamSession* session) : session_(session) {
    session->stub_.PrepareBidiStreamingCall(&context_, kStreamVerify, {}, this);
    AddHold();
    StartRead(&response_);
    StartCall();
  }

  // REQUIRES: the session's mutex. Asserted, not annotated: the analysis cannot
  // know that a session's own call names that same mutex.
  void MaybeWrite() {
    session_->mutex_.AssertHeld();
    if (broken_ || writing_ || half_closed_) return;
    if (!session_->pending_.empty()) {
      session_->in_flight_.push_back(session_->pending_.front());
      session_->pending_.pop_front();
      writing_ = true;
      StartWrite(&session_->in_flight_.back().message->bytes);
    } else if (session_->finishing_) {
      half_closed_ = true;
      StartWritesDone();
    }
  }

  void Cancel() { context_.TryCancel(); }

  void OnWriteDone(bool ok) override {
    const absl::MutexLock lock(&session_->mutex_);
    writing_ = false;
    if (!ok) broken_ = true;  // the pending read fails as well
    MaybeWrite();
  }

  void OnReadDone(bool ok) override {
    Job job;
    grpc::ByteBuffer response;
    {
      const absl::MutexLock lock(&session_->mutex_);
      if (!ok) {
        broken_ = true;
      } else if (!session_->in_flight_.empty()) {
        job = session_->in_flight_.front();
        session_->in_flight_.pop_front();
        response.Swap(&response_);
      }
    }
    if (!ok) {
      RemoveHold();
      return;
    }
    response_.Clear();
    StartRead(&response_);
    if (job.message == nullptr) Cancel();  // an answer no one asked for
    session_->on_done_(job, grpc::Status::OK, &response);
  }

  void OnDone(const grpc::Status& status) override {
    const grpc::Status why =
        status.ok() ? grpc::Status(grpc::StatusCode::DATA_LOSS,
                                   "the stream ended before its last answer")
                    : status;
    std::deque<Job> unanswered;
    {
      const absl::MutexLock lock(&session_->mutex_);
      unanswered.swap(session_->in_flight_);
      unanswered.insert(unanswered.end(), session_->pending_.begin(),
                        session_->pending_.end());
      session_->pending_.clear();
    }
    for (const Job& job : unanswered) session_->on_done_(job, why, nullptr);
    StreamSession* session = session_;
    {
      const absl::MutexLock lock(&session->mutex_);
      session->call_ = nullptr;
    }
    delete this;
    const absl::MutexLock lock(&session->mutex_);
    --session->calls_;
    // What came in meanwhile goes to a new stream.
    if (!session->pending_.empty()) session->Open()->MaybeWrite();
  }

 private:
  StreamSession* const session_;
  grpc::ClientContext context_;
  grpc::ByteBuffer response_;
  bool writing_ ABSL_GUARDED_BY(session_->mutex_) = false;
  bool half_closed_ ABSL_GUARDED_BY(session_->mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(session_->mutex_) = false;
};

StreamSession::Call* StreamSession::Open() {
  if (call_ == nullptr) {
    ++calls_;
    call_ = new Call(this);
  }
  return call_;
}

void StreamSession::Submit(const Job& job) {
  const absl::MutexLock lock(&mutex_);
  pending_.push_back(job);
  Open()->MaybeWrite();
}

void StreamSession::Finish() {
  const absl::MutexLock lock(&mutex_);
  finishing_ = true;
  if (call_ != nullptr) call_->MaybeWrite();
  const absl::Condition ended(this, &StreamSession::AllEnded);
  if (!mutex_.AwaitWithTimeout(ended, absl::Seconds(timeout_.count()))) {
    if (call_ != nullptr) call_->Cancel();
    mutex_.Await(ended);
  }
}

}  // namespace

std::unique_ptr<Session> MakeStreamSession(
    std::shared_ptr<grpc::Channel> channel, const LoadOptions& options,
    OnDone on_done) {
  return std::make_unique<StreamSession>(std::move(channel), options,
                                         std::move(on_done));
}

}  // namespace inkan::load
