#include "server/service.h"

#include <array>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "server/filing_batch.h"
#include "server/request_check.h"
#include "server/rpc_status.h"

namespace inkan {
namespace {

// What mutual TLS calls the caller; empty without. It belongs to the connection
// and lives as long as the call.
std::string_view ClientOf(const grpc::CallbackServerContext& call) {
  const std::shared_ptr<const grpc::AuthContext> auth = call.auth_context();
  if (auth == nullptr || !auth->IsPeerAuthenticated()) return {};
  const std::vector<grpc::string_ref> names = auth->GetPeerIdentity();
  if (names.empty()) return {};
  return {names.front().data(), names.front().size()};
}

RequestContext ContextOf(grpc::CallbackServerContext* call,
                         const Limits& limits, bool want_checks) {
  RequestContext context;
  context.limits = &limits;
  context.received = absl::Now();
  context.received_at = absl::ToUnixSeconds(context.received);
  context.origin.number = NextRequestNumber();
  context.origin.client = ClientOf(*call);
  context.deadline = absl::FromChrono(call->deadline());
  context.want_checks = want_checks;
  return context;
}

// A unary call is its own item in the queue. `Batch` is FilingBatch or
// CertificateBatch, made from `arguments`.
template <typename Batch>
class UnaryCall final : public grpc::ServerUnaryReactor, public Batch {
 public:
  template <typename... Arguments>
  explicit UnaryCall(Arguments&&... arguments)
      : Batch(std::forward<Arguments>(arguments)...) {}

  void Start(grpc::CallbackServerContext* context, Batcher* batcher) {
    switch (batcher->Submit(this)) {
      case Admission::kAdmitted:
      case Admission::kWaiting:
        return;  // may be finished, and this gone, already
      case Admission::kFull:
        grpc::ServerUnaryReactor::Finish(Overloaded(context));
        return;
      case Admission::kShuttingDown:
        grpc::ServerUnaryReactor::Finish(ShuttingDown());
        return;
    }
  }

 private:
  void Finished(ItemResult result) override {
    grpc::ServerUnaryReactor::Finish(StatusOf(result));
  }
  void OnCancel() override { this->Cancel(); }
  void OnDone() override { delete this; }
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

grpc::ServerUnaryReactor* Refuse(grpc::CallbackServerContext* context,
                                 const RequestFault& fault) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(InvalidArgument(fault));
  return reactor;
}

}  // namespace

VerificationServiceImpl::VerificationServiceImpl(const Limits& limits,
                                                 Batcher* batcher)
    : limits_(limits), batcher_(batcher) {
  SetMessageAllocatorFor_Verify(&verify_messages_);
  SetMessageAllocatorFor_BatchVerify(&batch_messages_);
  SetMessageAllocatorFor_CheckCertificate(&certificate_messages_);
}

grpc::ServerUnaryReactor* VerificationServiceImpl::Verify(
    grpc::CallbackServerContext* context, const v1::VerifyRequest* request,
    v1::VerifyResponse* response) {
  const RequestFault fault = CheckRequest(*request);
  if (!fault.ok()) return Refuse(context, fault);
  auto* call = new UnaryCall<OneFilingBatch>(
      request->filing(), response->mutable_verdict(), request->ByteSizeLong(),
      ContextOf(context, limits_, request->want_checks()));
  call->Start(context, batcher_);
  return call;
}

grpc::ServerUnaryReactor* VerificationServiceImpl::BatchVerify(
    grpc::CallbackServerContext* context, const v1::BatchVerifyRequest* request,
    v1::BatchVerifyResponse* response) {
  const RequestFault fault = CheckFilings(request->filings(), limits_);
  if (!fault.ok()) return Refuse(context, fault);
  auto* call = new UnaryCall<FilingBatch>(
      FilingsOf(*request), MakeVerdicts(*request, response),
      request->ByteSizeLong(),
      ContextOf(context, limits_, request->want_checks()));
  call->Start(context, batcher_);
  return call;
}

grpc::ServerBidiReactor<v1::StreamVerifyRequest, v1::StreamVerifyResponse>*
VerificationServiceImpl::StreamVerify(grpc::CallbackServerContext* context) {
  return StartStreamCall(limits_, batcher_,
                         absl::FromChrono(context->deadline()),
                         ClientOf(*context), &streams_);
}

grpc::ServerUnaryReactor* VerificationServiceImpl::CheckCertificate(
    grpc::CallbackServerContext* context,
    const v1::CheckCertificateRequest* request,
    v1::CheckCertificateResponse* response) {
  const RequestFault fault = CheckRequest(*request);
  if (!fault.ok()) return Refuse(context, fault);
  auto* call = new UnaryCall<CertificateBatch>(
      *request, response->mutable_verdict(), request->ByteSizeLong(),
      ContextOf(context, limits_, request->want_checks()));
  call->Start(context, batcher_);
  return call;
}

}  // namespace inkan
