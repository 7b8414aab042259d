#include "server/service.h"

#include <memory>
#include <string>
#include <utility>

#include "server/batch_call.h"
#include "server/call_deadline.h"
#include "server/judged_call.h"
#include "server/request.h"
#include "server/rpc_status.h"
#include "server/stream_call.h"

namespace inkan {

// What the unary methods differ in.
struct UnaryMethod {
  Method method;
  RequestKind kind;
};

namespace {

// Of the methods in the proto; a test calls each by its name.
constexpr int kBatchVerifyIndex = 1;

// Both are of people who wait.
constexpr UnaryMethod kVerify = {Method::kVerify, RequestKind::kVerify};
constexpr UnaryMethod kCheckCertificate = {Method::kCheckCertificate,
                                           RequestKind::kCheckCertificate};
constexpr Lane kLane = Lane::kInteractive;

// Owns itself from Start on.
class UnaryCall final : public grpc::ServerUnaryReactor, private JudgedCall {
 public:
  UnaryCall(grpc::CallbackServerContext* context, grpc::ByteBuffer* answer,
            Batcher* batcher, AnswerWatch* answers)
      : context_(context),
        answer_octets_(answer),
        batcher_(batcher),
        answers_(answers) {}

  // Whether the call may go on: the client may call the method, there is room,
  // the request is sound, and the client's quota has room for it.
  grpc::Status Enter(const UnaryMethod& method, grpc::ByteBuffer* request,
                     const Limits& limits, Gate* gate) {
    std::string client;
    grpc::Status status = gate->CheckAccess(*context_, method.method, &client);
    if (!status.ok()) return status;
    // Before the request is parsed: a refusal should cost little.
    const Admission room = batcher_->AskRoom(kLane, DeadlineNs(*context_));
    if (room != Admission::kAdmitted) return StatusOf(room, refused());
    return Read(method.kind, *context_, limits, gate, std::move(client),
                request);
  }

  // REQUIRES: Enter was OK.
  void Start(Gate* gate) {
    const Admission admission = batcher_->Submit(item(), kLane);
    // If it was admitted, it may be answered already.
    if (admission != Admission::kAdmitted) {
      ReturnQuota(gate);
      Answered(StatusOf(admission, refused()));
    }
  }

 private:
  Refused refused() const { return {context_, batcher_, kLane}; }
  void Judged(ItemResult result) override {
    Answered(StatusOf(result, refused()));
  }
  void Answered(grpc::Status status) {
    if (status.ok()) status = Write(answer_octets_);
    if (!status.ok()) Forget();
    answers_->Begin(&answer_, context_->c_call());
    Finish(std::move(status));
  }
  void OnCancel() override { item()->Cancel(); }
  void OnDone() override {
    answers_->End(&answer_);
    delete this;
  }
  // So that gRPC calls OnDone and OnCancel where it learns of them: waking a
  // thread of its executor for each call takes longer than what is done there.
  // That is in the threads of its completion queue, which hold none of our
  // locks. (A queue that calls back within the call that caused it must not:
  // AnswerWatch cancels calls under the lock that OnDone takes.)
  bool InternalInlineable() override { return true; }

  grpc::CallbackServerContext* const context_;
  grpc::ByteBuffer* const answer_octets_;
  Batcher* const batcher_;
  AnswerWatch* const answers_;
  AnswerWatch::Entry answer_;
};

}  // namespace

VerificationServiceImpl::VerificationServiceImpl(const Limits& limits,
                                                 Batcher* batcher, Gate* gate,
                                                 AnswerWatch* answers)
    : limits_(limits),
      batcher_(batcher),
      gate_(gate),
      answers_(answers),
      streams_(limits.stream_calls_max,
               int64_t{limits.stream_idle_seconds_max} * 1'000'000'000) {
  // gRPC's streamed unary: a stream of one message each way.
  MarkMethodStreamed(kBatchVerifyIndex, nullptr);
  MarkMethodRawCallback(
      kBatchVerifyIndex,
      new grpc::internal::CallbackBidiHandler<grpc::ByteBuffer,
                                              grpc::ByteBuffer>(
          [this](grpc::CallbackServerContext* context) {
            return StartBatchCall(limits_, batcher_, gate_, answers_, context,
                                  &batches_);
          }));
}

grpc::ServerUnaryReactor* VerificationServiceImpl::Serve(
    const UnaryMethod& method, grpc::CallbackServerContext* context,
    const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  auto call =
      std::make_unique<UnaryCall>(context, response, batcher_, answers_);
  // gRPC's generated code says const, but nobody else needs the octets.
  auto* octets = const_cast<grpc::ByteBuffer*>(request);
  grpc::Status entered = call->Enter(method, octets, limits_, gate_);
  if (!entered.ok()) {
    octets->Clear();
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(std::move(entered));
    return reactor;
  }
  UnaryCall* started = call.release();
  started->Start(gate_);
  return started;
}

grpc::ServerUnaryReactor* VerificationServiceImpl::Verify(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
    grpc::ByteBuffer* response) {
  return Serve(kVerify, context, request, response);
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>*
VerificationServiceImpl::StreamVerify(grpc::CallbackServerContext* context) {
  return StartStreamCall(limits_, batcher_, gate_, answers_, context,
                         &streams_);
}

grpc::ServerUnaryReactor* VerificationServiceImpl::CheckCertificate(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
    grpc::ByteBuffer* response) {
  return Serve(kCheckCertificate, context, request, response);
}

}  // namespace inkan
