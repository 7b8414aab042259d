// One BatchVerify call. For the client it is unary; here it is a stream of one
// message each way, because of a unary call gRPC tells nothing before it has
// all of the request. So a batch is refused before it is sent: whoever may not
// call, and whoever comes when the queue is full, is told so after a few
// hundred octets, not after a few hundred thousand. At three times the load it
// can bear a server would else spend a third of its time on receiving what it
// refuses.
//
// The room a batch was promised is not kept for it while it is on its way: a
// client that then says nothing would keep it from others. What arrives is
// taken all the same, up to the queue's bounds in filings and octets; only the
// bound in time is asked for at the door.
#ifndef INKAN_SERVER_BATCH_CALL_H_
#define INKAN_SERVER_BATCH_CALL_H_

#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "server/answer_watch.h"
#include "server/batcher.h"
#include "server/gate.h"
#include "server/limits.h"
#include "server/open_calls.h"

namespace inkan {

// The call owns itself. The arguments must outlive it. It is among `waiting`
// until its request has come.
grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* StartBatchCall(
    const Limits& limits, Batcher* batcher, Gate* gate, AnswerWatch* answers,
    grpc::CallbackServerContext* context, OpenCalls* waiting);

}  // namespace inkan

#endif  // INKAN_SERVER_BATCH_CALL_H_
