// Shows ThreadSanitizer the synchronisation inside of Debian's gRPC and Abseil,
// which are built without it. Linked into every test program of the tsan
// preset, and into nothing else.
//
// Without this, an object that gRPC hands from one thread to another looks like
// a race; to suppress that would hide real races on gRPC's threads. What is
// shown is what truly is there, and no more:
//
//   absl::Mutex, absl::CondVar    every lock and unlock, in whatever library,
//                                 since a definition in the program goes before
//                                 a library's
//   a batch of operations         what was done before a batch was started
//                                 comes before whoever takes its tag from the
//                                 completion queue, callbacks included. That
//                                 queue is lock-free, so its mutexes do not
//                                 tell
//   OnCancel, before OnDone       gRPC counts what a call still waits for; it
//                                 counts down after OnCancel inside its library
//   a new call, before its handler  the thread that made its object before the
//                                 one that takes it from the completion queue
//   the end of every call, before the end of its server, by the same counting
//
// If a library no longer calls these functions by name nothing breaks; the
// false races come back and fail the tests.
#include <dlfcn.h>
#include <grpc/grpc.h>
#include <grpcpp/server.h>
#include <grpcpp/support/server_callback.h>
#include <malloc.h>
#include <sanitizer/tsan_interface.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <type_traits>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

#define INKAN_MUTEX "_ZN4absl7debian35Mutex"
#define INKAN_CONDVAR "_ZN4absl7debian37CondVar"

namespace {

// Libraries lock before ThreadSanitizer is set up.
std::atomic<bool> ready{false};

__attribute__((constructor)) void Ready() {
  // Debian's Abseil looks for deadlocks on every lock, which is slow.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  ready.store(true);
}

void Acquire(void* address) {
  if (ready.load(std::memory_order_relaxed)) __tsan_acquire(address);
}
void Release(void* address) {
  if (ready.load(std::memory_order_relaxed)) __tsan_release(address);
}

// The library's own function of that name, looked for once.
template <typename Function>
Function* Original(std::atomic<Function*>* known, const char* name) {
  Function* found = known->load(std::memory_order_relaxed);
  if (found == nullptr) {
    found = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
    if (found == nullptr) {
      std::fprintf(stderr, "tsan_handover: no library has %s\n", name);
      std::abort();
    }
    known->store(found, std::memory_order_relaxed);
  }
  return found;
}

// Runs OnCancel in place of the call's own reactor, once.
class CancelThenHandOver final : public grpc::internal::ServerReactor {
 public:
  CancelThenHandOver(grpc::internal::ServerReactor* reactor, void* call)
      : reactor_(reactor), call_(call) {}
  void OnCancel() override {
    reactor_->OnCancel();
    Release(call_);
    delete this;
  }
  void OnDone() override {}

 private:
  grpc::internal::ServerReactor* const reactor_;
  void* const call_;
};

}  // namespace

#define INKAN_ORIGINAL(name, ...)                                     \
  static std::atomic<std::add_pointer_t<__VA_ARGS__>> known{nullptr}; \
  const auto original = Original(&known, name)

extern "C" {

void InkanMutexLock(void* mutex) __asm__(INKAN_MUTEX "4LockEv");
void InkanMutexLock(void* mutex) {
  INKAN_ORIGINAL(INKAN_MUTEX "4LockEv", void(void*));
  original(mutex);
  Acquire(mutex);
}

bool InkanMutexTryLock(void* mutex) __asm__(INKAN_MUTEX "7TryLockEv");
bool InkanMutexTryLock(void* mutex) {
  INKAN_ORIGINAL(INKAN_MUTEX "7TryLockEv", bool(void*));
  const bool locked = original(mutex);
  if (locked) Acquire(mutex);
  return locked;
}

void InkanMutexUnlock(void* mutex) __asm__(INKAN_MUTEX "6UnlockEv");
void InkanMutexUnlock(void* mutex) {
  INKAN_ORIGINAL(INKAN_MUTEX "6UnlockEv", void(void*));
  Release(mutex);
  original(mutex);
}

void InkanCondVarWait(void* condition,
                      void* mutex) __asm__(INKAN_CONDVAR "4WaitEPNS0_5MutexE");
void InkanCondVarWait(void* condition, void* mutex) {
  INKAN_ORIGINAL(INKAN_CONDVAR "4WaitEPNS0_5MutexE", void(void*, void*));
  Release(mutex);
  original(condition, mutex);
  Acquire(mutex);
}

bool InkanCondVarWaitWithTimeout(
    void* condition, void* mutex,
    absl::Duration
        timeout) __asm__(INKAN_CONDVAR
                         "15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE");
bool InkanCondVarWaitWithTimeout(void* condition, void* mutex,
                                 absl::Duration timeout) {
  INKAN_ORIGINAL(INKAN_CONDVAR "15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE",
                 bool(void*, void*, absl::Duration));
  Release(mutex);
  const bool expired = original(condition, mutex, timeout);
  Acquire(mutex);
  return expired;
}

bool InkanCondVarWaitWithDeadline(
    void* condition, void* mutex,
    absl::Time deadline) __asm__(INKAN_CONDVAR
                                 "16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE");
bool InkanCondVarWaitWithDeadline(void* condition, void* mutex,
                                  absl::Time deadline) {
  INKAN_ORIGINAL(INKAN_CONDVAR "16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE",
                 bool(void*, void*, absl::Time));
  Release(mutex);
  const bool expired = original(condition, mutex, deadline);
  Acquire(mutex);
  return expired;
}

grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* ops,
                                      size_t count, void* tag, void* reserved) {
  INKAN_ORIGINAL(
      "grpc_call_start_batch",
      grpc_call_error(grpc_call*, const grpc_op*, size_t, void*, void*));
  Release(tag);
  return original(call, ops, count, tag, reserved);
}

grpc_event grpc_completion_queue_next(grpc_completion_queue* queue,
                                      gpr_timespec deadline, void* reserved) {
  INKAN_ORIGINAL("grpc_completion_queue_next",
                 grpc_event(grpc_completion_queue*, gpr_timespec, void*));
  const grpc_event event = original(queue, deadline, reserved);
  if (event.type == GRPC_OP_COMPLETE) Acquire(event.tag);
  return event;
}

grpc_event grpc_completion_queue_pluck(grpc_completion_queue* queue, void* tag,
                                       gpr_timespec deadline, void* reserved) {
  INKAN_ORIGINAL(
      "grpc_completion_queue_pluck",
      grpc_event(grpc_completion_queue*, void*, gpr_timespec, void*));
  const grpc_event event = original(queue, tag, deadline, reserved);
  if (event.type == GRPC_OP_COMPLETE) Acquire(tag);
  return event;
}

// The constructor of a call's context, the last thing in the constructor of a
// grpc::Server::CallbackRequest, which lies around it.
void InkanServerContextBase(void* context) __asm__(
    "_ZN4grpc17ServerContextBaseC2Ev");
void InkanServerContextBase(void* context) {
  INKAN_ORIGINAL("_ZN4grpc17ServerContextBaseC2Ev", void(void*));
  original(context);
  Release(context);
}

#define INKAN_CALL_TAG                                                    \
  "_ZN4grpc6Server15CallbackRequestINS_21CallbackServerContextEE15Callba" \
  "ckCallTag9StaticRunEP29grpc_completion_queue_functori"

// Where a new call begins.
struct CallTag {
  grpc_completion_queue_functor functor;
  char* request;  // the CallbackRequest
};
void InkanCallTagRun(CallTag* tag, int ok) __asm__(INKAN_CALL_TAG);
void InkanCallTagRun(CallTag* tag, int ok) {
  INKAN_ORIGINAL(INKAN_CALL_TAG, void(CallTag*, int));
  // Somewhere in the request lies its context. Addresses that nobody released
  // mean nothing to ThreadSanitizer.
  char* const request = tag->request;
  const size_t size = malloc_usable_size(request);
  for (size_t at = 0; at < size; at += sizeof(void*)) Acquire(request + at);
  original(tag, ok);
}

}  // extern "C"

namespace grpc::internal {

void ServerCallbackCall::CallOnCancel(ServerReactor* reactor) {
  INKAN_ORIGINAL(
      "_ZN4grpc8internal18ServerCallbackCall12CallOnCancelE"
      "PNS0_13ServerReactorE",
      void(ServerCallbackCall*, ServerReactor*));
  // A call is told once it was cancelled and its reactor is bound; both count
  // down here, the one that was first perhaps on another thread.
  Acquire(&on_cancel_conditions_remaining_);
  if (!reactor->InternalInlineable()) {
    reactor = new CancelThenHandOver(reactor, &callbacks_outstanding_);
  }
  original(this, reactor);
}

// Called by whoever counted down last, perhaps inside of the library.
void ServerCallbackCall::ScheduleOnDone(bool inline_ondone) {
  INKAN_ORIGINAL("_ZN4grpc8internal18ServerCallbackCall14ScheduleOnDoneEb",
                 void(ServerCallbackCall*, bool));
  Acquire(&callbacks_outstanding_);
  original(this, inline_ondone);
}

}  // namespace grpc::internal

namespace grpc {

void Server::UnrefWithPossibleNotify() {
  INKAN_ORIGINAL("_ZN4grpc6Server23UnrefWithPossibleNotifyEv", void(Server*));
  Release(this);
  original(this);
}

void Server::UnrefAndWaitLocked() {
  INKAN_ORIGINAL("_ZN4grpc6Server18UnrefAndWaitLockedEv", void(Server*));
  original(this);
  Acquire(this);
}

}  // namespace grpc
