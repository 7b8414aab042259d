#include "server/batch_call.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "server/call_deadline.h"
#include "server/judged_call.h"
#include "server/request.h"
#include "server/rpc_status.h"
#include "server/steady_clock.h"

namespace inkan {
namespace {

constexpr Lane kLane = Lane::kBatch;

// How long a call that was let in before its request came is let in for. The
// largest message there is by default takes half of it over a line of 1 Gbit/s;
// those who open calls early and send later get no more room than who comes
// then.
constexpr int64_t kPromiseNs = 1'000'000'000;

class BatchCall final
    : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
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
    grpc::Status allowed = CheckAccess();
    if (!allowed.ok()) {
      Finish(std::move(allowed));
      return;
    }
    const Admission room = batcher_->AskRoom(kLane, DeadlineNs(*context_));
    if (room != Admission::kAdmitted) {
      Finish(StatusOf(room, refused()));
      return;
    }
    promised_ns_ = NowNs();
    // Before a drain can see the call: only one read is ever started.
    StartRead(&octets_);
    if (waiting_->Add(this) != OpenCalls::Entry::kOpen) BeginDrain();
  }

 private:
  // What a call whose request has come is beside; until then it holds little.
  class Body final : public JudgedCall {
   public:
    explicit Body(BatchCall* call) : call_(call) {}

   private:
    void Judged(ItemResult result) override { call_->Judged(result); }

    BatchCall* const call_;
  };

  // What has happened, as bits. Whoever is first to settle how the request
  // ended (read, or given up by a drain) goes on with the call; of a cancel and
  // a submission the later one cancels the item.
  enum Event : uint8_t { kReadEnded = 1, kSubmitted = 2, kCancelled = 4 };

  // Whether `event` had happened already.
  bool Happened(Event event, Event mark) {
    return (events_.fetch_or(mark) & event) != 0;
  }

  Refused refused() const { return {context_, batcher_, kLane}; }

  // Who calls, and whether they may, by the rules in force now.
  grpc::Status CheckAccess() {
    gate_generation_ = gate_->generation();
    return gate_->CheckAccess(*context_, Method::kBatchVerify, &client_);
  }

  void BeginDrain() override {
    if (!Happened(kReadEnded, kReadEnded)) Finish(ShuttingDown(refused()));
  }

  void OnReadDone(bool ok) override {
    if (Happened(kReadEnded, kReadEnded)) return;  // given up by a drain
    waiting_->Remove(this);
    if (!ok) {
      Finish(context_->IsCancelled() ? grpc::Status::CANCELLED
                                     : InvalidArgument(MalformedRequest()));
      return;
    }
    // A client may have thought for hours; the rules in force now count.
    if (gate_generation_ != gate_->generation()) {
      grpc::Status allowed = CheckAccess();
      if (!allowed.ok()) {
        octets_.Clear();
        Refuse(std::move(allowed));
        return;
      }
    }
    if (NowNs() - promised_ns_ > kPromiseNs) {
      const Admission room = batcher_->AskRoom(kLane, DeadlineNs(*context_));
      if (room != Admission::kAdmitted) {
        octets_.Clear();
        Refuse(StatusOf(room, refused()));
        return;
      }
    }
    body_ = std::make_unique<Body>(this);
    grpc::Status sound =
        body_->Read(RequestKind::kBatchVerify, *context_, limits_, gate_,
                    std::move(client_), &octets_);
    if (!sound.ok()) {
      Refuse(std::move(sound));
      return;
    }
    const Admission admission = batcher_->Submit(body_->item(), kLane);
    if (admission != Admission::kAdmitted) {
      body_->ReturnQuota(gate_);
      Refuse(StatusOf(admission, refused()));
    } else if (Happened(kCancelled, kSubmitted)) {
      // It may be answered by now, but gRPC keeps the call until this returns.
      body_->item()->Cancel();
    }
  }

  void OnCancel() override {
    if (Happened(kSubmitted, kCancelled)) body_->item()->Cancel();
  }

  // By the worker that judged the last filing.
  void Judged(ItemResult result) {
    grpc::Status status = StatusOf(result, refused());
    if (status.ok()) status = body_->Write(&octets_);
    if (!status.ok()) {
      Refuse(std::move(status));
      return;
    }
    answers_->Begin(&answer_, context_->c_call());
    StartWriteAndFinish(&octets_, grpc::WriteOptions(), grpc::Status::OK);
  }

  void Refuse(grpc::Status status) {
    if (body_ != nullptr) body_->Forget();
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
  // Who calls, as of the gate's generation.
  std::string client_;
  uint64_t gate_generation_ = 0;
  int64_t promised_ns_ = 0;
  std::atomic<uint8_t> events_{0};
  // The request as it was read, later the answer as it is written.
  grpc::ByteBuffer octets_;
  std::unique_ptr<Body> body_;
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
