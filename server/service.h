// VerificationService over gRPC's callback API: requests become items for the
// batcher, verdicts become responses. Nothing of a filing is copied.
//
// Life of a unary call: gRPC parses the request onto an arena; the call checks
// it, submits itself to the batcher, and is answered on the worker that judged
// its last filing. Streams: server/stream_call.h.
//
// Thread safety: as gRPC calls it. Ownership: batcher, gate and watch must
// outlive the service, the service the server it is registered with.
#ifndef INKAN_SERVER_SERVICE_H_
#define INKAN_SERVER_SERVICE_H_

#include "inkan/v1/verification.grpc.pb.h"
#include "server/answer_watch.h"
#include "server/arena_messages.h"
#include "server/batcher.h"
#include "server/gate.h"
#include "server/limits.h"
#include "server/stream_call.h"

namespace inkan {

class VerificationServiceImpl final
    : public v1::VerificationService::CallbackService {
 public:
  VerificationServiceImpl(const Limits& limits, Batcher* batcher, Gate* gate,
                          AnswerWatch* answers);

  // Ends the open streams once what they have sent is answered; a stream that
  // is opened later ends at once. Unary calls go on.
  void BeginDrain() { streams_.BeginDrain(); }

  grpc::ServerUnaryReactor* Verify(grpc::CallbackServerContext* context,
                                   const v1::VerifyRequest* request,
                                   v1::VerifyResponse* response) override;
  grpc::ServerUnaryReactor* BatchVerify(
      grpc::CallbackServerContext* context,
      const v1::BatchVerifyRequest* request,
      v1::BatchVerifyResponse* response) override;
  grpc::ServerBidiReactor<v1::StreamVerifyRequest, v1::StreamVerifyResponse>*
  StreamVerify(grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* CheckCertificate(
      grpc::CallbackServerContext* context,
      const v1::CheckCertificateRequest* request,
      v1::CheckCertificateResponse* response) override;

 private:
  const Limits limits_;
  Batcher* const batcher_;
  Gate* const gate_;
  AnswerWatch* const answers_;
  OpenStreams streams_;
  ArenaMessages<v1::VerifyRequest, v1::VerifyResponse> verify_messages_;
  ArenaMessages<v1::BatchVerifyRequest, v1::BatchVerifyResponse>
      batch_messages_;
  ArenaMessages<v1::CheckCertificateRequest, v1::CheckCertificateResponse>
      certificate_messages_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_SERVICE_H_
