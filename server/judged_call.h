// What calls with one request and one answer have in common: the request out of
// its octets, the item for the batcher, the answer into octets.
//
// An Rpc says what the methods differ in:
//   using Request
//   static constexpr Method kMethod; static constexpr Lane kLane
//   static RequestFault Check(const Request&, const Limits&)
//   static int Filings(const Request&)
//   class Batch: an AnsweredItem, made of request, octets and context
//
// Thread safety: Read before the item is submitted; Judged follows once, on
// whichever worker finishes the item.
#ifndef INKAN_SERVER_JUDGED_CALL_H_
#define INKAN_SERVER_JUDGED_CALL_H_

#include <optional>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/byte_buffer.h"
#include "server/call_deadline.h"
#include "server/client_quotas.h"
#include "server/filing_batch.h"
#include "server/gate.h"
#include "server/message_arena.h"
#include "server/request_check.h"
#include "server/rpc_messages.h"
#include "server/rpc_status.h"

namespace inkan {

template <typename Rpc>
class JudgedCall {
 public:
  JudgedCall(const JudgedCall&) = delete;
  JudgedCall& operator=(const JudgedCall&) = delete;

  virtual ~JudgedCall() = default;

  // Takes the request out of `octets`. OK if it is sound and its client's quota
  // has room for it; then there is an item.
  grpc::Status Read(const grpc::CallbackServerContext& call,
                    const Limits& limits, Gate* gate, std::string client,
                    grpc::ByteBuffer* octets) {
    const size_t sent_bytes = octets->Length();
    messages_.emplace();
    RequestFault fault = ReadRequest(octets, limits, messages_->request);
    const typename Rpc::Request& request = *messages_->request;
    if (fault.ok()) fault = Rpc::Check(request, limits);
    if (!fault.ok()) return InvalidArgument(fault);
    const int filings = Rpc::Filings(request);
    grpc::Status within =
        gate->TakeQuota(client, static_cast<size_t>(filings), &ticket_);
    if (!within.ok()) return within;
    RequestContext context;
    context.limits = &limits;
    context.received_ns = NowNs();
    context.received_at = absl::ToUnixSeconds(absl::Now());
    context.origin.number = NextRequestNumber();
    context.origin.client = std::move(client);
    context.deadline_ns = DeadlineNs(call);
    context.want_checks = request.want_checks();
    item_.emplace(this, request,
                  MemoryOf(request, sent_bytes,
                           messages_->memory.SpaceAllocated(), filings),
                  context);
    return grpc::Status::OK;
  }

  // REQUIRES: Read was OK.
  BatchItem* item() { return &*item_; }

  // The item was not admitted.
  void ReturnQuota(Gate* gate) { gate->ReturnQuota(&ticket_); }

  // Puts the answer into `octets`. What was sent need not stay in memory until
  // a client that does not read has taken it: the request is not there any more
  // then, and the item holds what the answer does. REQUIRES: as Judged.
  grpc::Status Write(grpc::ByteBuffer* octets) {
    grpc::Status status = WriteAnswer(item_->TakeAnswer(), octets);
    messages_.reset();
    if (status.ok()) item_->ShrinkTo(octets->Length());
    return status;
  }
  // For a call that ends without an answer.
  void Forget() {
    messages_.reset();
    if (!item_.has_value()) return;
    item_->TakeAnswer();
    item_->ShrinkTo(0);
  }

 protected:
  JudgedCall() = default;

  // The verdicts are there, if it says kJudged.
  virtual void Judged(ItemResult result) = 0;

 private:
  struct Messages {
    MessageArena memory;
    typename Rpc::Request* const request = memory.Make<typename Rpc::Request>();
  };

  class Item final : public Rpc::Batch {
   public:
    template <typename... Arguments>
    explicit Item(JudgedCall* call, Arguments&&... arguments)
        : Rpc::Batch(std::forward<Arguments>(arguments)...), call_(call) {}
    void Finished(ItemResult result) override { call_->Judged(result); }

   private:
    JudgedCall* const call_;
  };

  std::optional<Messages> messages_;
  std::optional<Item> item_;
  ClientQuotas::Ticket ticket_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_JUDGED_CALL_H_
