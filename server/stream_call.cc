#include "server/stream_call.h"

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "grpcpp/server_context.h"
#include "inkan/v1/verification.pb.h"
#include "server/call_deadline.h"
#include "server/filing_batch.h"
#include "server/machine.h"
#include "server/request.h"
#include "server/rpc_messages.h"
#include "server/rpc_status.h"
#include "server/steady_clock.h"
#include "server/wire_writer.h"

namespace inkan {
// gRPC's operations are started with the mutex held, which keeps their order
// that of our decisions; gRPC never calls a reactor back from inside them.
class StreamCall final
    : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
      private OpenCall {
 public:
  StreamCall(const Limits& limits, Batcher* batcher, Gate* gate,
             AnswerWatch* answers, grpc::CallbackServerContext* context,
             OpenCalls* streams)
      : limits_(limits),
        batcher_(batcher),
        gate_(gate),
        answers_(answers),
        context_(context),
        deadline_ns_(DeadlineNs(*context)),
        streams_(streams) {}

  void Start() ABSL_LOCKS_EXCLUDED(mutex_) {
    std::string holder;
    {
      MutexLock lock(&mutex_);
      grpc::Status allowed = CheckAccess();
      if (!allowed.ok()) {
        End(std::move(allowed));
        return;
      }
      holder = Holder();
    }
    const OpenCalls::Entry entry = streams_->Add(this, holder);
    MutexLock lock(&mutex_);
    switch (entry) {
      case OpenCalls::Entry::kOpen:
        Advance();
        return;
      case OpenCalls::Entry::kFull:
        // Not for want of room in the line.
        End(Overloaded({WhoIsRefused().context, nullptr, Lane::kStream}));
        return;
      case OpenCalls::Entry::kDraining:
        End(ShuttingDown(WhoIsRefused()));
        return;
    }
  }

 private:
  // One message, from reading to writing its answer.
  class Exchange;

  // Takes no more messages, answers those it has, and ends.
  void BeginDrain() override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    End(ShuttingDown(WhoIsRefused()));
  }
  int64_t idle_since_ns() const override {
    return idle_since_ns_.load(std::memory_order_relaxed);
  }
  bool EndIdle() override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (idle_since_ns() == kNeverNs) return false;
    End(StreamIdle(WhoIsRefused()));
    return true;
  }
  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone() override ABSL_LOCKS_EXCLUDED(mutex_);

  void OnAdmitted() ABSL_LOCKS_EXCLUDED(mutex_);
  void OnJudged(Exchange* exchange, ItemResult result)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Who calls, and whether they may, by the rules in force now.
  grpc::Status CheckAccess() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whose share of all streams this one is of: the client's, or, where it shows
  // no certificate, its machine's. The gate may not have needed to know.
  std::string Holder() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::string client = client_.empty() ? ClientOf(*context_) : client_;
    return client == kAnonymous ? MachineOfPeer(context_->peer()) : client;
  }
  // How to say no. Only the first reason may be the one the call ends with, so
  // only that gets push-back.
  Refused WhoIsRefused() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const bool too_late = finished_ || std::exchange(told_, true);
    return {too_late ? nullptr : context_, batcher_, Lane::kStream};
  }
  void Accept(std::unique_ptr<Exchange> exchange)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Drop(size_t first) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Abandon() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(grpc::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Limits& limits_;
  Batcher* const batcher_;
  Gate* const gate_;
  AnswerWatch* const answers_;
  grpc::CallbackServerContext* const context_;
  const int64_t deadline_ns_;
  OpenCalls* const streams_;
  // Since nothing is in work and the next message is waited for. Written with
  // the mutex held.
  std::atomic<int64_t> idle_since_ns_{kNeverNs};
  // The answer being written, or the end.
  AnswerWatch::Entry answer_;

  Mutex mutex_;
  // Who calls, as of the gate's generation.
  std::string client_ ABSL_GUARDED_BY(mutex_);
  uint64_t gate_generation_ ABSL_GUARDED_BY(mutex_) = 0;
  // Being read into; null if no read is under way.
  std::unique_ptr<Exchange> reading_ ABSL_GUARDED_BY(mutex_);
  // Accepted and not answered yet, in the order received.
  std::deque<std::unique_ptr<Exchange>> exchanges_ ABSL_GUARDED_BY(mutex_);
  bool waiting_for_room_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  // The trailing metadata has push-back.
  bool told_ ABSL_GUARDED_BY(mutex_) = false;
  // Set once no more messages are taken: what to end with.
  std::optional<grpc::Status> end_status_ ABSL_GUARDED_BY(mutex_);
};

class StreamCall::Exchange {
 public:
  // Takes the request out of the octets that were read.
  RequestFault Read(const Limits& limits) {
    if (!received_.octets.Take(&octets)) return MalformedRequest();
    return received_.request.Read(RequestKind::kStreamVerify,
                                  received_.octets.bytes(), limits);
  }
  const Request& request() const { return received_.request; }
  // Makes the item for the batcher, once the request is there.
  BatchItem* MakeItem(StreamCall* stream, const RequestContext& context) {
    item_.emplace(stream, this, context);
    return &*item_;
  }
  // Puts the answer into the octets; the request is not there any more then,
  // and the item holds what the answer does.
  grpc::Status Write() {
    std::vector<std::string> answer = item_->TakeAnswer();
    if (!answer.empty()) {
      WireWriter(&answer.emplace_back())
          .Number(v1::StreamVerifyResponse::kSequenceFieldNumber,
                  request().sequence());
    }
    grpc::Status status = WriteAnswer(answer, &octets);
    Forget(status.ok() ? octets.Length() : 0);
    return status;
  }
  void Forget(size_t answer_bytes = 0) {
    received_ = Received();
    item_->TakeAnswer();
    item_->ShrinkTo(answer_bytes);
  }
  void Cancel() {
    if (item_.has_value()) item_->Cancel();
  }

 private:
  class Item final : public FilingBatch {
   public:
    Item(StreamCall* stream, Exchange* exchange, const RequestContext& context)
        : FilingBatch(exchange->request(), context),
          stream_(stream),
          exchange_(exchange) {}
    void Admitted() override { stream_->OnAdmitted(); }
    void Finished(ItemResult result) override {
      stream_->OnJudged(exchange_, result);
    }

   private:
    StreamCall* const stream_;
    Exchange* const exchange_;
  };

  struct Received {
    RequestOctets octets;
    Request request;
  };

  Received received_;
  std::optional<Item> item_;

 public:
  // The request as it was read, later the answer as it is written.
  grpc::ByteBuffer octets;
  ClientQuotas::Ticket ticket;
  // All its filings are dealt with.
  bool settled = false;
  // It is not to be answered.
  bool dropped = false;
};

void StreamCall::OnReadDone(bool ok) {
  Exchange* read = nullptr;
  {
    MutexLock lock(&mutex_);
    read = reading_.get();
  }
  // Without the lock, which workers take: nobody else touches what is being
  // read, and nothing else is read until it has been moved on.
  RequestFault fault;
  if (ok) fault = read->Read(limits_);
  MutexLock lock(&mutex_);
  std::unique_ptr<Exchange> exchange = std::move(reading_);
  // A message that arrives after the end was decided was not accepted: the
  // status says so.
  if (!ok) {
    End(context_->IsCancelled() ? grpc::Status::CANCELLED : grpc::Status::OK);
  } else if (!end_status_.has_value() && !fault.ok()) {
    End(InvalidArgument(fault));
  } else if (!end_status_.has_value()) {
    Accept(std::move(exchange));
  }
  Advance();
}

grpc::Status StreamCall::CheckAccess() {
  gate_generation_ = gate_->generation();
  return gate_->CheckAccess(*context_, Method::kStreamVerify, &client_);
}

void StreamCall::Accept(std::unique_ptr<Exchange> exchange) {
  if (gate_generation_ != gate_->generation()) {
    grpc::Status allowed = CheckAccess();
    if (!allowed.ok()) {
      End(std::move(allowed));
      return;
    }
  }
  grpc::Status within = gate_->TakeQuota(
      client_, exchange->request().filings().size(), &exchange->ticket);
  if (!within.ok()) {
    End(std::move(within));
    return;
  }
  RequestContext context;
  context.limits = &limits_;
  context.received_ns = NowNs();
  context.received_at = absl::ToUnixSeconds(absl::Now());
  context.origin.number = NextRequestNumber();
  context.origin.client = client_;
  context.deadline_ns = deadline_ns_;
  BatchItem* item = exchange->MakeItem(this, context);
  exchanges_.push_back(std::move(exchange));
  const Admission admission = batcher_->SubmitOrWait(item);
  waiting_for_room_ = admission == Admission::kWaiting;
  if (admission != Admission::kAdmitted && admission != Admission::kWaiting) {
    grpc::Status status = StatusOf(admission, WhoIsRefused());
    gate_->ReturnQuota(&exchanges_.back()->ticket);
    exchanges_.pop_back();
    End(std::move(status));
  }
}

void StreamCall::OnAdmitted() {
  MutexLock lock(&mutex_);
  waiting_for_room_ = false;
  Advance();
}

void StreamCall::OnJudged(Exchange* exchange, ItemResult result) {
  grpc::Status status;
  if (result == ItemResult::kJudged) {
    status = exchange->Write();
  } else {
    exchange->Forget();
  }
  MutexLock lock(&mutex_);
  if (result != ItemResult::kJudged) status = StatusOf(result, WhoIsRefused());
  exchange->settled = true;
  if (!status.ok() && !exchange->dropped) {
    if (!end_status_.has_value() || end_status_->ok()) {
      end_status_ = std::move(status);
    }
    // Without this answer the later ones would be out of order. The earlier
    // ones may be on record: they go out before the end.
    size_t first = 0;
    while (exchanges_[first].get() != exchange) ++first;
    Drop(first);
  }
  Advance();
}

void StreamCall::OnWriteDone(bool ok) {
  answers_->End(&answer_);
  MutexLock lock(&mutex_);
  writing_ = false;
  exchanges_.pop_front();
  if (!ok) Abandon();
  Advance();
}

void StreamCall::OnCancel() {
  MutexLock lock(&mutex_);
  Abandon();
  Advance();
}

void StreamCall::OnDone() {
  answers_->End(&answer_);
  streams_->Remove(this);
  // Whoever called gRPC's Finish may not have left its critical section yet.
  { MutexLock lock(&mutex_); }
  delete this;
}

// From that one on nothing is to be written any more; what is in the queue is
// dropped there.
void StreamCall::Drop(size_t first) {
  for (size_t i = first; i < exchanges_.size(); ++i) {
    exchanges_[i]->dropped = true;
    exchanges_[i]->Cancel();
  }
}

// Nobody reads answers any more.
void StreamCall::Abandon() {
  Drop(0);
  End(StatusOf(ItemResult::kCancelled, Refused()));
}

// The first reason to end stands.
void StreamCall::End(grpc::Status status) {
  if (!end_status_.has_value()) end_status_ = std::move(status);
  Advance();
}

// Starts whatever can be started now: the next write, the next read, the end.
void StreamCall::Advance() {
  if (finished_) return;
  // Dropped answers need no writing, but the one being written stays until gRPC
  // has let go of it.
  while (!writing_ && !exchanges_.empty() && exchanges_.front()->settled &&
         exchanges_.front()->dropped) {
    exchanges_.pop_front();
  }
  if (!writing_ && !exchanges_.empty() && exchanges_.front()->settled) {
    writing_ = true;
    answers_->Begin(&answer_, context_->c_call());
    StartWrite(&exchanges_.front()->octets);
  }
  if (!end_status_.has_value() && reading_ == nullptr && !waiting_for_room_ &&
      exchanges_.size() < limits_.stream_requests_in_flight_max) {
    reading_ = std::make_unique<Exchange>();
    StartRead(&reading_->octets);
  }
  const bool idle = exchanges_.empty() && reading_ != nullptr;
  if (idle != (idle_since_ns() != kNeverNs)) {
    idle_since_ns_.store(idle ? NowNs() : kNeverNs, std::memory_order_relaxed);
  }
  if (end_status_.has_value() && exchanges_.empty()) {
    finished_ = true;
    // A write counts as done while gRPC still holds the last of it; the end is
    // behind all of that.
    answers_->Begin(&answer_, context_->c_call());
    Finish(*end_status_);
  }
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* StartStreamCall(
    const Limits& limits, Batcher* batcher, Gate* gate, AnswerWatch* answers,
    grpc::CallbackServerContext* context, OpenCalls* streams) {
  auto* call = new StreamCall(limits, batcher, gate, answers, context, streams);
  call->Start();
  return call;
}

}  // namespace inkan
