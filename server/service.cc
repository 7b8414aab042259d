#include "server/service.h"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "server/call_deadline.h"
#include "server/filing_batch.h"
#include "server/message_arena.h"
#include "server/request_check.h"
#include "server/rpc_messages.h"
#include "server/rpc_status.h"

namespace inkan {
namespace {

// Verify has one filing and one verdict, but a FilingBatch takes lists of them.
struct OneFiling {
  std::array<const v1::Filing*, 1> filing;
  std::array<v1::Verdict*, 1> verdict;
};

class OneFilingBatch : private OneFiling, public FilingBatch {
 public:
  OneFilingBatch(const v1::Filing& filing, v1::Verdict* verdict, size_t bytes,
                 const RequestContext& context)
      : OneFiling{{&filing}, {verdict}},
        FilingBatch(OneFiling::filing, absl::MakeConstSpan(OneFiling::verdict),
                    bytes, context) {}
};

// What the unary methods differ in.
struct VerifyRpc {
  using Request = v1::VerifyRequest;
  using Response = v1::VerifyResponse;
  static constexpr Method kMethod = Method::kVerify;
  static constexpr Lane kLane = Lane::kInteractive;

  static RequestFault Check(const Request& request, const Limits& /*limits*/) {
    return CheckRequest(request);
  }
  static int Filings(const Request& /*request*/) { return 1; }
  class Batch : public OneFilingBatch {
   public:
    Batch(const Request& request, Response* response, size_t bytes,
          const RequestContext& context)
        : OneFilingBatch(request.filing(), response->mutable_verdict(), bytes,
                         context) {}
  };
};

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

struct CheckCertificateRpc {
  using Request = v1::CheckCertificateRequest;
  using Response = v1::CheckCertificateResponse;
  static constexpr Method kMethod = Method::kCheckCertificate;
  static constexpr Lane kLane = Lane::kInteractive;

  static RequestFault Check(const Request& request, const Limits& /*limits*/) {
    return CheckRequest(request);
  }
  static int Filings(const Request& /*request*/) { return 1; }
  class Batch : public CertificateBatch {
   public:
    Batch(const Request& request, Response* response, size_t bytes,
          const RequestContext& context)
        : CertificateBatch(request, response->mutable_verdict(), bytes,
                           context) {}
  };
};

// Owns itself from Start on.
template <typename Rpc>
class UnaryCall final : public grpc::ServerUnaryReactor {
 public:
  UnaryCall(grpc::CallbackServerContext* context, grpc::ByteBuffer* answer)
      : context_(context),
        answer_octets_(answer),
        request_(messages_.Make<typename Rpc::Request>()),
        response_(messages_.Make<typename Rpc::Response>()) {}

  // Whether the call may go on: the client may call the method, the request is
  // sound, and the client's quota has room for it.
  grpc::Status Enter(grpc::ByteBuffer* request, const Limits& limits,
                     Gate* gate) {
    std::string client;
    grpc::Status status = gate->CheckAccess(*context_, Rpc::kMethod, &client);
    if (!status.ok()) return status;
    const size_t sent_bytes = request->Length();
    RequestFault fault = ReadRequest(request, limits, request_);
    if (fault.ok()) fault = Rpc::Check(*request_, limits);
    if (!fault.ok()) return InvalidArgument(fault);
    const int filings = Rpc::Filings(*request_);
    status = gate->TakeQuota(client, static_cast<size_t>(filings), &ticket_);
    if (!status.ok()) return status;
    RequestContext context;
    context.limits = &limits;
    context.received_ns = NowNs();
    context.received_at = absl::ToUnixSeconds(absl::Now());
    context.origin.number = NextRequestNumber();
    context.origin.client = std::move(client);
    context.deadline_ns = DeadlineNs(*context_);
    context.want_checks = request_->want_checks();
    item_.emplace(this, *request_, response_,
                  MemoryOf(sent_bytes, messages_.SpaceAllocated(), filings,
                           request_->want_checks()),
                  context);
    return grpc::Status::OK;
  }

  // REQUIRES: Enter was OK.
  void Start(Batcher* batcher, AnswerWatch* answers) {
    answers_ = answers;
    switch (batcher->Submit(&*item_, Rpc::kLane)) {
      case Admission::kAdmitted:
      case Admission::kWaiting:
        return;  // may be finished already
      case Admission::kFull:
        Answer(Overloaded(context_));
        return;
      case Admission::kShuttingDown:
        Answer(ShuttingDown());
        return;
    }
  }

 private:
  class Item final : public Rpc::Batch {
   public:
    template <typename... Arguments>
    explicit Item(UnaryCall* call, Arguments&&... arguments)
        : Rpc::Batch(std::forward<Arguments>(arguments)...), call_(call) {}
    void Finished(ItemResult result) override {
      grpc::Status status = StatusOf(result);
      if (status.ok()) {
        status = WriteResponse(*call_->response_, call_->answer_octets_);
      }
      call_->Answer(std::move(status));
    }

   private:
    UnaryCall* const call_;
  };

  // What was sent need not stay in memory until a client that does not read has
  // taken the answer.
  void Answer(grpc::Status status) {
    messages_.Clear();
    answers_->Begin(&answer_, context_->c_call());
    Finish(std::move(status));
  }
  void OnCancel() override { item_->Cancel(); }
  void OnDone() override {
    answers_->End(&answer_);
    delete this;
  }

  grpc::CallbackServerContext* const context_;
  grpc::ByteBuffer* const answer_octets_;
  MessageArena messages_;
  typename Rpc::Request* const request_;
  typename Rpc::Response* const response_;
  std::optional<Item> item_;
  AnswerWatch* answers_ = nullptr;
  AnswerWatch::Entry answer_;
  ClientQuotas::Ticket ticket_;
};

}  // namespace

VerificationServiceImpl::VerificationServiceImpl(const Limits& limits,
                                                 Batcher* batcher, Gate* gate,
                                                 AnswerWatch* answers)
    : limits_(limits), batcher_(batcher), gate_(gate), answers_(answers) {}

template <typename Rpc>
grpc::ServerUnaryReactor* VerificationServiceImpl::Serve(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
    grpc::ByteBuffer* response) {
  auto call = std::make_unique<UnaryCall<Rpc>>(context, response);
  // gRPC's generated code says const, but nobody else needs the octets.
  auto* octets = const_cast<grpc::ByteBuffer*>(request);
  grpc::Status entered = call->Enter(octets, limits_, gate_);
  if (!entered.ok()) {
    octets->Clear();
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(std::move(entered));
    return reactor;
  }
  UnaryCall<Rpc>* started = call.release();
  started->Start(batcher_, answers_);
  return started;
}

grpc::ServerUnaryReactor* VerificationServiceImpl::Verify(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
    grpc::ByteBuffer* response) {
  return Serve<VerifyRpc>(context, request, response);
}

grpc::ServerUnaryReactor* VerificationServiceImpl::BatchVerify(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
    grpc::ByteBuffer* response) {
  return Serve<BatchVerifyRpc>(context, request, response);
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>*
VerificationServiceImpl::StreamVerify(grpc::CallbackServerContext* context) {
  return StartStreamCall(limits_, batcher_, gate_, answers_, context,
                         &streams_);
}

grpc::ServerUnaryReactor* VerificationServiceImpl::CheckCertificate(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
    grpc::ByteBuffer* response) {
  return Serve<CheckCertificateRpc>(context, request, response);
}

}  // namespace inkan
