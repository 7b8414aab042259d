// VerificationService over gRPC's callback API: requests become items for the
// batcher, verdicts become responses. Nothing of a filing is copied.
//
// Life of a unary call: once it is known who calls, its octets are parsed onto
// an arena; the call checks the request, submits itself to the batcher, and is
// answered on the worker that judged its last filing. From then on it holds the
// answer as it is sent and nothing else. Streams: server/stream_call.h.
//
// Thread safety: as gRPC calls it. Ownership: batcher, gate and watch must
// outlive the service, the service the server it is registered with.
#ifndef INKAN_SERVER_SERVICE_H_
#define INKAN_SERVER_SERVICE_H_

#include "inkan/v1/verification.grpc.pb.h"
#include "server/answer_watch.h"
#include "server/batcher.h"
#include "server/gate.h"
#include "server/limits.h"
#include "server/stream_call.h"

namespace inkan {

// The methods with requests and answers as octets: see server/rpc_messages.h.
using RawVerificationService =
    v1::VerificationService::WithRawCallbackMethod_Verify<
        v1::VerificationService::WithRawCallbackMethod_BatchVerify<
            v1::VerificationService::WithRawCallbackMethod_StreamVerify<
                v1::VerificationService::WithRawCallbackMethod_CheckCertificate<
                    v1::VerificationService::Service>>>>;

class VerificationServiceImpl final : public RawVerificationService {
 public:
  VerificationServiceImpl(const Limits& limits, Batcher* batcher, Gate* gate,
                          AnswerWatch* answers);

  // Ends the open streams once what they have sent is answered; a stream that
  // is opened later ends at once. Unary calls go on.
  void BeginDrain() { streams_.BeginDrain(); }

  grpc::ServerUnaryReactor* Verify(grpc::CallbackServerContext* context,
                                   const grpc::ByteBuffer* request,
                                   grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* BatchVerify(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* StreamVerify(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* CheckCertificate(
      grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
      grpc::ByteBuffer* response) override;

 private:
  template <typename Rpc>
  grpc::ServerUnaryReactor* Serve(grpc::CallbackServerContext* context,
                                  const grpc::ByteBuffer* request,
                                  grpc::ByteBuffer* response);

  const Limits limits_;
  Batcher* const batcher_;
  Gate* const gate_;
  AnswerWatch* const answers_;
  OpenStreams streams_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_SERVICE_H_
