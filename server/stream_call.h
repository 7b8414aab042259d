// One StreamVerify call: messages in, answers out in the same order, with a
// bounded number in work at once.
//
// Back-pressure is gRPC's own: the stream is read only while it has room, and a
// message that finds the queue full waits for room rather than being refused,
// so that a client that sends faster than it is served is slowed down. Only if
// there is no memory even to wait in does the stream end as UNAVAILABLE. A
// message that is wrong as a whole ends the stream with INVALID_ARGUMENT, after
// every earlier message was answered.
#ifndef INKAN_SERVER_STREAM_CALL_H_
#define INKAN_SERVER_STREAM_CALL_H_

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "cache/mutex.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "inkan/v1/verification.pb.h"
#include "server/answer_watch.h"
#include "server/batcher.h"
#include "server/gate.h"
#include "server/limits.h"

namespace inkan {

class StreamCall;

// The streams that are open, so that a drain can end them. Thread-safe.
class OpenStreams {
 public:
  enum class Entry : uint8_t { kOpen, kFull, kDraining };

  // Keeps the stream only if kOpen.
  Entry Add(StreamCall* stream, size_t streams_max) ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(StreamCall* stream) ABSL_LOCKS_EXCLUDED(mutex_);
  void BeginDrain() ABSL_LOCKS_EXCLUDED(mutex_);
  size_t count() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable Mutex mutex_;
  absl::flat_hash_set<StreamCall*> streams_ ABSL_GUARDED_BY(mutex_);
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
};

// The call owns itself. The arguments must outlive it.
grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* StartStreamCall(
    const Limits& limits, Batcher* batcher, Gate* gate, AnswerWatch* answers,
    grpc::CallbackServerContext* context, OpenStreams* streams);

}  // namespace inkan

#endif  // INKAN_SERVER_STREAM_CALL_H_
