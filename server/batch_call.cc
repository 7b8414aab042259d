#include "server/batch_call.h"

#include <atomic>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "server/judged_call.h"
#include "server/request_check.h"

namespace inkan {
namespace {

struct BatchVerifyRpc {
  using Request = v1::BatchVerifyRequest;
  using Response = v1::BatchVerifyResponse;
  static constexpr Method kMethod = Method::kBatchVerify;
  static constexpr Lane kLane = Lane::kBatch;

  static RequestFault Check(const Request& request, const Limits& limits) {
    return CheckFilings(request.filings(), limits);
  }
  static int Filings(const Request& request) { return request.filings_size(); }
  class Batch : public FilingBatch {
   public:
    Batch(const Request& request, Response* response, size_t bytes,
          const RequestContext& context)
        : FilingBatch(FilingsOf(request), MakeVerdicts(request, response),
                      bytes, context) {}
  };
};

class BatchCall final
    : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
      private JudgedCall<BatchVerifyRpc>,
      private OpenCall {
 public:
  BatchCall(const Limits& limits, Batcher* batcher, Gate* gate,
            AnswerWatch* answers, grpc::CallbackServerContext* context,
            OpenCalls* waiting)
      : limits_(limits),
        batcher_(batcher),
        gate_(gate),
        answers_(answers),
        context_(context),
        waiting_(waiting) {}

  void Start() {
    grpc::Status allowed =
        gate_->CheckAccess(*context_, Method::kBatchVerify, &client_);
    if (!allowed.ok()) {
      Finish(std::move(allowed));
      return;
    }
    const Admission room =
        batcher_->AskRoom(Lane::kBatch, DeadlineNs(*context_));
    if (room != Admission::kAdmitted) {
      Finish(StatusOf(room, context_));
      return;
    }
    // Before a drain can see the call: only one read is ever started.
    StartRead(&octets_);
    if (waiting_->Add(this, std::numeric_limits<size_t>::max()) !=
        OpenCalls::Entry::kOpen) {
      BeginDrain();
    }
  }

 private:
  // What has happened, as bits. Whoever is first to settle how the request
  // ended (read, or given up by a drain) goes on with the call; of a cancel and
  // a submission the later one cancels the item.
  enum Event : uint8_t { kReadEnded = 1, kSubmitted = 2, kCancelled = 4 };

  // Whether `event` had happened already.
  bool Happened(Event event, Event mark) {
    return (events_.fetch_or(mark) & event) != 0;
  }

  void BeginDrain() override {
    if (!Happened(kReadEnded, kReadEnded)) Finish(ShuttingDown());
  }

  void OnReadDone(bool ok) override {
    if (Happened(kReadEnded, kReadEnded)) return;  // given up by a drain
    waiting_->Remove(this);
    if (!ok) {
      Finish(context_->IsCancelled() ? grpc::Status::CANCELLED
                                     : InvalidArgument(MalformedRequest()));
      return;
    }
    grpc::Status sound =
        Read(*context_, limits_, gate_, std::move(client_), &octets_);
    if (!sound.ok()) {
      Refuse(std::move(sound));
      return;
    }
    const Admission admission = batcher_->Submit(item(), Lane::kBatch);
    if (admission != Admission::kAdmitted) {
      Refuse(StatusOf(admission, context_));
    } else if (Happened(kCancelled, kSubmitted)) {
      // It may be answered by now, but gRPC keeps the call until this returns.
      item()->Cancel();
    }
  }

  void OnCancel() override {
    if (Happened(kSubmitted, kCancelled)) item()->Cancel();
  }

  void Answered(grpc::Status status) override {
    if (status.ok()) status = Write(&octets_);
    if (!status.ok()) {
      Refuse(std::move(status));
      return;
    }
    ForgetMessages();
    answers_->Begin(&answer_, context_->c_call());
    StartWriteAndFinish(&octets_, grpc::WriteOptions(), grpc::Status::OK);
  }

  void Refuse(grpc::Status status) {
    ForgetMessages();
    answers_->Begin(&answer_, context_->c_call());
    Finish(std::move(status));
  }

  void OnDone() override {
    answers_->End(&answer_);
    waiting_->Remove(this);
    delete this;
  }

  const Limits& limits_;
  Batcher* const batcher_;
  Gate* const gate_;
  AnswerWatch* const answers_;
  grpc::CallbackServerContext* const context_;
  OpenCalls* const waiting_;
  AnswerWatch::Entry answer_;
  std::string client_;
  std::atomic<uint8_t> events_{0};
  // The request as it was read, later the answer as it is written.
  grpc::ByteBuffer octets_;
};

}  // namespace

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* StartBatchCall(
    const Limits& limits, Batcher* batcher, Gate* gate, AnswerWatch* answers,
    grpc::CallbackServerContext* context, OpenCalls* waiting) {
  auto* call = new BatchCall(limits, batcher, gate, answers, context, waiting);
  call->Start();
  return call;
}

}  // namespace inkan
