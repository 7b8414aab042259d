// What calls with one request and one answer have in common: the request out of
// its octets, the item for the batcher, the answer into octets.
//
// Thread safety: Read before the item is submitted; Judged follows once, on
// whichever worker finishes the item.
#ifndef INKAN_SERVER_JUDGED_CALL_H_
#define INKAN_SERVER_JUDGED_CALL_H_

#include <optional>
#include <string>

#include "grpcpp/server_context.h"
#include "grpcpp/support/byte_buffer.h"
#include "server/client_quotas.h"
#include "server/filing_batch.h"
#include "server/gate.h"
#include "server/limits.h"
#include "server/request.h"
#include "server/rpc_messages.h"

namespace inkan {

class JudgedCall {
 public:
  JudgedCall(const JudgedCall&) = delete;
  JudgedCall& operator=(const JudgedCall&) = delete;

  virtual ~JudgedCall() = default;

  // Takes the request out of `octets`. OK if it is sound and its client's quota
  // has room for it; then there is an item.
  grpc::Status Read(RequestKind kind, const grpc::CallbackServerContext& call,
                    const Limits& limits, Gate* gate, std::string client,
                    grpc::ByteBuffer* octets);

  // REQUIRES: Read was OK.
  BatchItem* item() { return &*item_; }

  // The item was not admitted.
  void ReturnQuota(Gate* gate) { gate->ReturnQuota(&ticket_); }

  // Puts the answer into `octets`. What was sent need not stay in memory until
  // a client that does not read has taken it: the request is not there any more
  // then, and the item holds what the answer does. REQUIRES: as Judged.
  grpc::Status Write(grpc::ByteBuffer* octets);
  // For a call that ends without an answer.
  void Forget();

 protected:
  JudgedCall() = default;

  // The verdicts are there, if it says kJudged.
  virtual void Judged(ItemResult result) = 0;

 private:
  struct Received {
    RequestOctets octets;
    Request request;
  };

  class Item final : public FilingBatch {
   public:
    Item(JudgedCall* call, const Request& request,
         const RequestContext& context)
        : FilingBatch(request, context), call_(call) {}
    void Finished(ItemResult result) override { call_->Judged(result); }

   private:
    JudgedCall* const call_;
  };

  Received received_;
  std::optional<Item> item_;
  ClientQuotas::Ticket ticket_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_JUDGED_CALL_H_
