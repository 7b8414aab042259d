// One StreamVerify call: messages in, answers out in the same order, with a
// bounded number in work at once.
//
// Back-pressure is gRPC's own: the stream is read only while it has room, and a
// message that finds the queue full waits for room rather than being refused,
// so that a client that sends faster than it is served is slowed down. Only if
// there is no room even to wait in, by octets or by filings, does the stream
// end as UNAVAILABLE. A
// message that is wrong as a whole ends the stream with INVALID_ARGUMENT, after
// every earlier message was answered.
#ifndef INKAN_SERVER_STREAM_CALL_H_
#define INKAN_SERVER_STREAM_CALL_H_

#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "server/answer_watch.h"
#include "server/batcher.h"
#include "server/gate.h"
#include "server/limits.h"
#include "server/open_calls.h"

namespace inkan {

// The call owns itself. The arguments must outlive it.
grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* StartStreamCall(
    const Limits& limits, Batcher* batcher, Gate* gate, AnswerWatch* answers,
    grpc::CallbackServerContext* context, OpenCalls* streams);

}  // namespace inkan

#endif  // INKAN_SERVER_STREAM_CALL_H_
