// VerificationService over gRPC's callback API: requests become items for the
// batcher, verdicts become responses. Nothing of a filing is copied once it is
// out of gRPC's buffers.
//
// Life of a unary call: once it is known who calls, and that there is room, its
// octets are copied out and read there; the call checks the request, submits
// itself to the batcher, and is answered on the worker that judged its last
// filing. From then on it holds the answer as it is sent and nothing else.
// Batches: server/batch_call.h; streams: server/stream_call.h.
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
#include "server/open_calls.h"

namespace inkan {

// The methods with requests and answers as octets: see server/rpc_messages.h.
// BatchVerify is set up by hand: see server/batch_call.h.
using RawVerificationService =
    v1::VerificationService::WithRawCallbackMethod_Verify<
        v1::VerificationService::WithRawCallbackMethod_StreamVerify<
            v1::VerificationService::WithRawCallbackMethod_CheckCertificate<
                v1::VerificationService::Service>>>;

struct UnaryMethod;

class VerificationServiceImpl final : public RawVerificationService {
 public:
  VerificationServiceImpl(const Limits& limits, Batcher* batcher, Gate* gate,
                          AnswerWatch* answers);

  // Ends the open streams once what they have sent is answered, and batches
  // that have not been sent; those opened later end at once. Requests that have
  // come go on.
  void BeginDrain() {
    streams_.BeginDrain();
    batches_.BeginDrain();
  }

  grpc::ServerUnaryReactor* Verify(grpc::CallbackServerContext* context,
                                   const grpc::ByteBuffer* request,
                                   grpc::ByteBuffer* response) override;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* StreamVerify(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* CheckCertificate(
      grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
      grpc::ByteBuffer* response) override;

 private:
  grpc::ServerUnaryReactor* Serve(const UnaryMethod& method,
                                  grpc::CallbackServerContext* context,
                                  const grpc::ByteBuffer* request,
                                  grpc::ByteBuffer* response);

  const Limits limits_;
  Batcher* const batcher_;
  Gate* const gate_;
  AnswerWatch* const answers_;
  OpenCalls streams_;  // StreamVerify
  OpenCalls batches_;  // that have not been sent yet
};

}  // namespace inkan

#endif  // INKAN_SERVER_SERVICE_H_
