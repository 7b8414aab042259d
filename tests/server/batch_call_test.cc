// BatchVerify before, while and after its request comes: over a real gRPC
// server whose only worker judges when it is let.
#include "server/batch_call.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/service.h"
#include "tests/server/happens.h"
#include "tests/server/raw_client.h"

namespace inkan {
namespace {

using testing::Happens;
using testing::RawClient;
using testing::ReasonOf;

constexpr char kBatchVerify[] = "/inkan.v1.VerificationService/BatchVerify";

// Says nothing of the filings but that it saw them.
class HeldJudge final : public Judge {
 public:
  HeldJudge(const std::atomic<bool>* open, std::atomic<int>* passes,
            std::atomic<int>* inside)
      : open_(open), passes_(passes), inside_(inside) {}
  const Snapshot& Pin() override { return snapshot_; }
  void Verify(absl::Span<const FilingView>,
              absl::Span<FilingVerdict>) override {
    inside_->fetch_add(1);
    while (!open_->load() && !TakePass()) std::this_thread::yield();
    inside_->fetch_sub(1);
  }

 private:
  // One batch may go on for each pass, though it is not open.
  bool TakePass() {
    int passes = passes_->load();
    return passes > 0 && passes_->compare_exchange_strong(passes, passes - 1);
  }

  Snapshot snapshot_;
  const std::atomic<bool>* const open_;
  std::atomic<int>* const passes_;
  std::atomic<int>* const inside_;
};

// A BatchVerify call whose messages are sent one by one, or never.
class ByHand final
    : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit ByHand(const RawClient& client) : stub_(client.channel) {
    stub_.PrepareBidiStreamingCall(&context, kBatchVerify, {}, this);
    AddHold();
    StartCall();
    StartRead(&answer_);
  }
  void Send(const v1::BatchVerifyRequest& request) {
    bool own = false;
    EXPECT_TRUE(grpc::SerializationTraits<v1::BatchVerifyRequest>::Serialize(
                    request, &octets_, &own)
                    .ok());
    StartWrite(&octets_);
  }
  void EndSending() { StartWritesDone(); }
  grpc::Status Wait() {
    RemoveHold();
    if (!Happens([this] { return done(); })) {
      ADD_FAILURE() << "the call does not end";
      context.TryCancel();
      while (!done()) std::this_thread::yield();  // gRPC has this object still
    }
    MutexLock lock(&mutex_);
    return status_;
  }

  grpc::ClientContext context;

 private:
  void OnDone(const grpc::Status& status) override {
    MutexLock lock(&mutex_);
    status_ = status;
    done_ = true;
  }
  bool done() {
    MutexLock lock(&mutex_);
    return done_;
  }

  grpc::GenericStub stub_;
  grpc::ByteBuffer octets_;
  grpc::ByteBuffer answer_;
  Mutex mutex_;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Status status_ ABSL_GUARDED_BY(mutex_);
};

class BatchCallTest : public ::testing::Test {
 protected:
  BatchCallTest() : BatchCallTest(AccessRules()) {}
  explicit BatchCallTest(
      AccessRules rules, QuotaOptions quotas = {},
      const BatcherOptions& options = {.lane_filings_max = {10, 10, 10}})
      : gate_(std::move(rules), std::move(quotas), /*identify=*/false),
        batcher_(options,
                 [this] {
                   return std::make_unique<HeldJudge>(&open_, &passes_,
                                                      &inside_);
                 }),
        service_(limits_, &batcher_, &gate_, &answers_) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    client_ = std::make_unique<RawClient>(port_);
  }
  ~BatchCallTest() override {
    open_ = true;
    server_->Shutdown(std::chrono::system_clock::now() +
                      std::chrono::seconds(10));
    batcher_.Drain(absl::InfiniteDuration());
  }

  static v1::BatchVerifyRequest Request(int filings) {
    v1::BatchVerifyRequest request;
    for (int i = 0; i < filings; ++i) {
      request.add_filings()->set_filing_id(absl::StrCat("filing ", i));
    }
    return request;
  }
  grpc::Status Batch(int filings) {
    grpc::ClientContext context;
    v1::BatchVerifyResponse response;
    const grpc::Status status = client_->verification->BatchVerify(
        &context, Request(filings), &response);
    EXPECT_EQ(response.verdicts_size(), status.ok() ? filings : 0);
    for (int i = 0; i < response.verdicts_size(); ++i) {
      EXPECT_EQ(response.verdicts(i).filing_id(), absl::StrCat("filing ", i));
      EXPECT_NE(response.verdicts(i).indication(), v1::INDICATION_TOTAL_PASSED);
    }
    return status;
  }
  // Until exactly so many filings wait for the worker.
  bool Waiting(uint64_t filings) {
    return Happens(
        [&] { return batcher_.counters().filings_waiting == filings; });
  }
  // Fills the batch lane behind a batch the worker is held in.
  void FillTheLane(std::vector<std::unique_ptr<ByHand>>* calls) {
    open_ = false;
    for (const int filings : {1, 10}) {
      calls->push_back(std::make_unique<ByHand>(*client_));
      calls->back()->Send(Request(filings));
      ASSERT_TRUE(Happens([&] {
        return inside_.load() != 0 &&
               (filings == 1 || batcher_.counters().filings_waiting >= 10);
      }));
    }
  }

  std::atomic<bool> open_{true};
  std::atomic<int> passes_{0};
  std::atomic<int> inside_{0};
  Limits limits_;
  Gate gate_;
  AnswerWatch answers_{absl::Seconds(60)};
  Batcher batcher_;
  VerificationServiceImpl service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<RawClient> client_;
};

TEST_F(BatchCallTest, IsUnaryForItsClient) {
  EXPECT_TRUE(Batch(3).ok());
  EXPECT_TRUE(Batch(1).ok());
  EXPECT_EQ(Batch(0).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(BatchCallTest, IsRefusedBeforeItIsSentWhenThereIsNoRoom) {
  std::vector<std::unique_ptr<ByHand>> calls;
  FillTheLane(&calls);
  ByHand unsent(*client_);
  const grpc::Status refused = unsent.Wait();
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(refused), "inkan.dev/QUEUE_FULL");
  const auto& trailers = unsent.context.GetServerTrailingMetadata();
  EXPECT_NE(trailers.find("grpc-retry-pushback-ms"), trailers.end());
  EXPECT_EQ(batcher_.counters().filings_refused, 1U);
  // The other lane has room, and those who were let in get their answers.
  std::thread opens([this] { open_ = true; });
  for (const auto& call : calls) {
    call->EndSending();
    EXPECT_TRUE(call->Wait().ok());
  }
  opens.join();
  EXPECT_TRUE(Batch(10).ok());
}

TEST_F(BatchCallTest, ThatFindsNoRoomAfterAllIsRefused) {
  ByHand late(*client_);
  EXPECT_TRUE(Batch(1).ok());  // so the late one has been let in by now
  std::vector<std::unique_ptr<ByHand>> calls;
  FillTheLane(&calls);
  late.Send(Request(1));
  EXPECT_EQ(ReasonOf(late.Wait()), "inkan.dev/QUEUE_FULL");
  open_ = true;
  for (const auto& call : calls) EXPECT_TRUE(call->Wait().ok());
}

TEST_F(BatchCallTest, WithoutARequestIsInvalid) {
  ByHand empty(*client_);
  empty.EndSending();
  EXPECT_EQ(empty.Wait().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(BatchCallTest, IsJudgedByTheRulesInForceWhenItComes) {
  ByHand early(*client_);
  ByHand other(*client_);
  EXPECT_TRUE(Batch(1).ok());  // both have been let in by now
  AccessRules rules;
  rules.Allow(Method::kBatchVerify, "dns:operator.example");
  gate_.Replace(rules, QuotaOptions());
  early.Send(Request(1));
  EXPECT_EQ(early.Wait().error_code(), grpc::StatusCode::PERMISSION_DENIED);
  // And by the quotas.
  QuotaOptions quotas;
  quotas.standard.filings_in_flight_max = 2;
  gate_.Replace(AccessRules(), quotas);
  open_ = false;
  ByHand held(*client_);
  held.Send(Request(1));
  EXPECT_TRUE(Happens([this] { return inside_.load() != 0; }));
  other.Send(Request(3));
  EXPECT_EQ(other.Wait().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  open_ = true;
  EXPECT_TRUE(held.Wait().ok());
}

TEST_F(BatchCallTest, ThatNeverCameEndsWithADrain) {
  ByHand silent(*client_);
  EXPECT_TRUE(Batch(1).ok());  // the silent one is there by now
  service_.BeginDrain();
  EXPECT_EQ(ReasonOf(silent.Wait()), "inkan.dev/SHUTTING_DOWN");
  ByHand later(*client_);
  EXPECT_EQ(ReasonOf(later.Wait()), "inkan.dev/SHUTTING_DOWN");
}

TEST_F(BatchCallTest, CancelledAtAnyMomentLeavesTheServerWell) {
  for (int round = 0; round < 300; ++round) {
    ByHand call(*client_);
    if (round % 3 != 0) call.Send(Request(5));
    if (round % 2 == 0) std::this_thread::yield();
    call.context.TryCancel();
    const grpc::Status status = call.Wait();
    // What was cancelled before may not have left the queue.
    EXPECT_TRUE(status.ok() ||
                status.error_code() == grpc::StatusCode::CANCELLED ||
                status.error_code() == grpc::StatusCode::UNAVAILABLE)
        << status.error_code() << status.error_message();
  }
  EXPECT_TRUE(Waiting(0));
  EXPECT_TRUE(Batch(10).ok());
  EXPECT_EQ(batcher_.counters().filings_waiting, 0U);
}

TEST_F(BatchCallTest, CancelledWhileItWaitsIsNotJudged) {
  std::vector<std::unique_ptr<ByHand>> calls;
  FillTheLane(&calls);
  calls[1]->context.TryCancel();
  EXPECT_EQ(calls[1]->Wait().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(Waiting(0));
  open_ = true;
  EXPECT_TRUE(calls[0]->Wait().ok());
  EXPECT_TRUE(Batch(10).ok());
  EXPECT_EQ(batcher_.counters().filings_cancelled, 10U);
  EXPECT_EQ(batcher_.counters().filings_judged, 11U);
}

// A lane with room for filings, but not for more that would wait.
class SlowBatchCallTest : public BatchCallTest {
 protected:
  SlowBatchCallTest()
      : BatchCallTest(AccessRules(), {},
                      {.worker_batch_filings_max = 64, .wait_ns_max = 1}) {}

  // Until who asks now would have to wait for too long.
  void SlowDown(ByHand* large) {
    open_ = false;
    large->Send(Request(400));
    ASSERT_TRUE(Waiting(336));
    // The pace is known once a batch has taken a quarter of a second.
    absl::SleepFor(absl::Milliseconds(300));
    passes_ = 1;
    ASSERT_TRUE(Waiting(272));
    ASSERT_EQ(batcher_.AskRoom(Lane::kBatch, kNeverNs), Admission::kFull);
  }
};

TEST_F(SlowBatchCallTest, LetInLongBeforeItComesAsksAgain) {
  ByHand early(*client_);
  ByHand large(*client_);
  EXPECT_TRUE(Batch(1).ok());  // so both have been let in by now
  absl::SleepFor(absl::Milliseconds(1100));
  SlowDown(&large);
  early.Send(Request(1));
  EXPECT_EQ(ReasonOf(early.Wait()), "inkan.dev/QUEUE_FULL");
  open_ = true;
  EXPECT_TRUE(large.Wait().ok());
}

TEST_F(SlowBatchCallTest, LetInLongBeforeItComesIsTakenWhereThereIsRoom) {
  ByHand early(*client_);
  EXPECT_TRUE(Batch(1).ok());
  absl::SleepFor(absl::Milliseconds(1100));
  early.Send(Request(1));
  EXPECT_TRUE(early.Wait().ok());
}

class QuotaBatchCallTest : public BatchCallTest {
 protected:
  static QuotaOptions Quotas() {
    QuotaOptions quotas;
    // 1 and 11 are taken before, 10 are refused, and asked for again.
    quotas.standard = {.filings_per_second = 1, .filings_burst = 22};
    return quotas;
  }
  QuotaBatchCallTest() : BatchCallTest(AccessRules(), Quotas()) {}
};

TEST_F(QuotaBatchCallTest, WhatIsRefusedForWantOfRoomCostsNoQuota) {
  ByHand late(*client_);
  EXPECT_TRUE(Batch(1).ok());
  std::vector<std::unique_ptr<ByHand>> calls;
  FillTheLane(&calls);
  late.Send(Request(10));
  EXPECT_EQ(ReasonOf(late.Wait()), "inkan.dev/QUEUE_FULL");
  open_ = true;
  for (const auto& call : calls) EXPECT_TRUE(call->Wait().ok());
  EXPECT_TRUE(Batch(10).ok());
}

class ClosedBatchCallTest : public BatchCallTest {
 protected:
  static AccessRules OperatorsOnly() {
    AccessRules rules;
    rules.Allow(Method::kBatchVerify, "dns:operator.example");
    return rules;
  }
  ClosedBatchCallTest() : BatchCallTest(OperatorsOnly()) {}
};

TEST_F(ClosedBatchCallTest, WhoMayNotCallIsToldBeforeAnythingIsSent) {
  ByHand unsent(*client_);
  EXPECT_EQ(unsent.Wait().error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

}  // namespace
}  // namespace inkan
