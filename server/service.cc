#include "server/service.h"

#include <array>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "server/call_deadline.h"
#include "server/filing_batch.h"
#include "server/request_check.h"
#include "server/rpc_status.h"

namespace inkan {
namespace {

RequestContext ContextOf(grpc::CallbackServerContext* call,
                         const Limits& limits, std::string client,
                         bool want_checks) {
  RequestContext context;
  context.limits = &limits;
  context.received_ns = NowNs();
  context.received_at = absl::ToUnixSeconds(absl::Now());
  context.origin.number = NextRequestNumber();
  context.origin.client = std::move(client);
  context.deadline_ns = DeadlineNs(*call);
  context.want_checks = want_checks;
  return context;
}

// What was sent need not stay in memory until a client that does not read has
// taken the refusal.
void FreeMessages(grpc::CallbackServerContext* context) {
  if (context->GetRpcAllocatorState() != nullptr) {
    context->GetRpcAllocatorState()->FreeRequest();
  }
}

// A unary call is its own item in the queue. `Batch` is FilingBatch or
// CertificateBatch, made from `arguments`.
template <typename Batch>
class UnaryCall final : public grpc::ServerUnaryReactor, public Batch {
 public:
  template <typename... Arguments>
  explicit UnaryCall(Arguments&&... arguments)
      : Batch(std::forward<Arguments>(arguments)...) {}

  void Start(grpc::CallbackServerContext* context, Batcher* batcher,
             AnswerWatch* answers, Lane lane, ClientQuotas::Ticket ticket) {
    call_ = context->c_call();
    answers_ = answers;
    ticket_ = std::move(ticket);
    switch (batcher->Submit(this, lane)) {
      case Admission::kAdmitted:
      case Admission::kWaiting:
        return;  // may be finished, and this gone, already
      case Admission::kFull:
        FreeMessages(context);
        grpc::ServerUnaryReactor::Finish(Overloaded(context));
        return;
      case Admission::kShuttingDown:
        FreeMessages(context);
        grpc::ServerUnaryReactor::Finish(ShuttingDown());
        return;
    }
  }

 private:
  void Finished(ItemResult result) override {
    answers_->Begin(&answer_, call_);
    grpc::ServerUnaryReactor::Finish(StatusOf(result));
  }
  void OnCancel() override { this->Cancel(); }
  void OnDone() override {
    answers_->End(&answer_);
    delete this;
  }

  grpc_call* call_ = nullptr;
  AnswerWatch* answers_ = nullptr;
  AnswerWatch::Entry answer_;
  ClientQuotas::Ticket ticket_;
};

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

// Ends a call before it began.
grpc::ServerUnaryReactor* Refuse(grpc::CallbackServerContext* context,
                                 grpc::Status status) {
  FreeMessages(context);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(std::move(status));
  return reactor;
}

// Whether the call may go on: the client may call the method, the request is
// sound, and the client's quota has room for it.
grpc::Status Enter(grpc::CallbackServerContext* context, Gate* gate,
                   Method method, const RequestFault& fault, int filings,
                   std::string* client, ClientQuotas::Ticket* ticket) {
  grpc::Status status = gate->CheckAccess(*context, method, client);
  if (status.ok() && !fault.ok()) status = InvalidArgument(fault);
  if (!status.ok()) return status;
  return gate->TakeQuota(*client, static_cast<size_t>(filings), ticket);
}

}  // namespace

VerificationServiceImpl::VerificationServiceImpl(const Limits& limits,
                                                 Batcher* batcher, Gate* gate,
                                                 AnswerWatch* answers)
    : limits_(limits), batcher_(batcher), gate_(gate), answers_(answers) {
  SetMessageAllocatorFor_Verify(&verify_messages_);
  SetMessageAllocatorFor_BatchVerify(&batch_messages_);
  SetMessageAllocatorFor_CheckCertificate(&certificate_messages_);
}

grpc::ServerUnaryReactor* VerificationServiceImpl::Verify(
    grpc::CallbackServerContext* context, const v1::VerifyRequest* request,
    v1::VerifyResponse* response) {
  std::string client;
  ClientQuotas::Ticket ticket;
  grpc::Status entered = Enter(context, gate_, Method::kVerify,
                               CheckRequest(*request), 1, &client, &ticket);
  if (!entered.ok()) return Refuse(context, std::move(entered));
  auto* call = new UnaryCall<OneFilingBatch>(
      request->filing(), response->mutable_verdict(), MemoryOf(*request, 1),
      ContextOf(context, limits_, std::move(client), request->want_checks()));
  call->Start(context, batcher_, answers_, Lane::kInteractive,
              std::move(ticket));
  return call;
}

grpc::ServerUnaryReactor* VerificationServiceImpl::BatchVerify(
    grpc::CallbackServerContext* context, const v1::BatchVerifyRequest* request,
    v1::BatchVerifyResponse* response) {
  std::string client;
  ClientQuotas::Ticket ticket;
  grpc::Status entered = Enter(context, gate_, Method::kBatchVerify,
                               CheckFilings(request->filings(), limits_),
                               request->filings_size(), &client, &ticket);
  if (!entered.ok()) return Refuse(context, std::move(entered));
  auto* call = new UnaryCall<FilingBatch>(
      FilingsOf(*request), MakeVerdicts(*request, response),
      MemoryOf(*request, request->filings().size()),
      ContextOf(context, limits_, std::move(client), request->want_checks()));
  call->Start(context, batcher_, answers_, Lane::kBatch, std::move(ticket));
  return call;
}

grpc::ServerBidiReactor<v1::StreamVerifyRequest, v1::StreamVerifyResponse>*
VerificationServiceImpl::StreamVerify(grpc::CallbackServerContext* context) {
  return StartStreamCall(limits_, batcher_, gate_, answers_, context,
                         &streams_);
}

grpc::ServerUnaryReactor* VerificationServiceImpl::CheckCertificate(
    grpc::CallbackServerContext* context,
    const v1::CheckCertificateRequest* request,
    v1::CheckCertificateResponse* response) {
  std::string client;
  ClientQuotas::Ticket ticket;
  grpc::Status entered = Enter(context, gate_, Method::kCheckCertificate,
                               CheckRequest(*request), 1, &client, &ticket);
  if (!entered.ok()) return Refuse(context, std::move(entered));
  auto* call = new UnaryCall<CertificateBatch>(
      *request, response->mutable_verdict(), MemoryOf(*request, 1),
      ContextOf(context, limits_, std::move(client), request->want_checks()));
  call->Start(context, batcher_, answers_, Lane::kInteractive,
              std::move(ticket));
  return call;
}

}  // namespace inkan
