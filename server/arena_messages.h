// Request and response of a call on one arena: one allocation for many small
// ones, and one release. For SetMessageAllocatorFor_*.
//
// Thread safety: the allocator is stateless; gRPC owns each holder.
#ifndef INKAN_SERVER_ARENA_MESSAGES_H_
#define INKAN_SERVER_ARENA_MESSAGES_H_

#include "grpcpp/support/message_allocator.h"
#include "server/message_arena.h"

namespace inkan {

template <typename Request, typename Response>
class ArenaMessages : public grpc::MessageAllocator<Request, Response> {
 public:
  grpc::MessageHolder<Request, Response>* AllocateMessages() override {
    return new Holder;
  }

 private:
  class Holder : public grpc::MessageHolder<Request, Response> {
   public:
    Holder() {
      this->set_request(memory_.Make<Request>());
      this->set_response(memory_.Make<Response>());
    }
    void Release() override { delete this; }
    // For calls that end without a response: neither message is there any more.
    void FreeRequest() override {
      this->set_request(nullptr);
      this->set_response(nullptr);
      memory_.Clear();
    }

   private:
    MessageArena memory_;
  };
};

}  // namespace inkan

#endif  // INKAN_SERVER_ARENA_MESSAGES_H_
