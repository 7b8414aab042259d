// The completion queue of a run's calls, and the thread that serves it.
//
//   CallLoop loop(busy);
//   reader->Finish(&response, &status, completion);   // a CallLoop::Completion
//   loop.RunUntil(due);     // runs completions; in one thread at a time
//   loop.Shutdown();        // after the last call: RunUntil returns false soon
//
// A busy loop asks again and again instead of sleeping: what it waits for is
// seen at once, and the time in which a sleeping core wakes, a virtual one
// above all, is in no figure. It wants a core of its own.
#ifndef INKAN_BENCH_LOAD_CALL_LOOP_H_
#define INKAN_BENCH_LOAD_CALL_LOOP_H_

#include <grpcpp/completion_queue.h>

#include "bench/load/options.h"

namespace inkan::load {

class CallLoop {
 public:
  // What an operation's tag points to. Run() is called once, in the loop's
  // thread.
  class Completion {
   public:
    virtual ~Completion() = default;
    virtual void Run() = 0;
  };

  explicit CallLoop(bool busy) : busy_(busy) {}

  grpc::CompletionQueue* queue() { return &queue_; }
  bool busy() const { return busy_; }

  // Runs what completes, until the time is `due` or later. False once the loop
  // is shut down and every completion has run.
  bool RunUntil(Clock::time_point due);
  void Run() {
    while (RunUntil(Clock::time_point::max())) {
    }
  }

  // REQUIRES: no operation is started any more. Any thread, once.
  void Shutdown() { queue_.Shutdown(); }

 private:
  const bool busy_;
  grpc::CompletionQueue queue_;
};

}  // namespace inkan::load

#endif  // INKAN_BENCH_LOAD_CALL_LOOP_H_
