// StreamVerify when things go wrong between its messages: over a real gRPC
// server whose workers judge what they are let.
#include "server/stream_call.h"

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/service.h"
#include "tests/server/raw_client.h"

namespace inkan {
namespace {

using testing::RawClient;
using testing::ReasonOf;

bool Happens(const std::function<bool()>& condition) {
  const absl::Time end = absl::Now() + absl::Seconds(60);
  while (!condition()) {
    if (absl::Now() > end) return false;
    absl::SleepFor(absl::Milliseconds(1));
  }
  return true;
}

// What all judges of one test do, by the profile of a batch's first filing.
class Held {
 public:
  void Close(const std::string& profile) {
    MutexLock lock(&mutex_);
    closed_.insert(profile);
  }
  void Open(const std::string& profile) {
    MutexLock lock(&mutex_);
    closed_.erase(profile);
    opened_.SignalAll();
  }
  void OpenAll() {
    MutexLock lock(&mutex_);
    closed_.clear();
    opened_.SignalAll();
  }
  void Enter(const std::string& profile) {
    MutexLock lock(&mutex_);
    inside_.insert(profile);
    while (closed_.count(profile) > 0) opened_.Wait(&mutex_);
    inside_.erase(inside_.find(profile));
  }
  bool Inside(const std::string& profile) {
    MutexLock lock(&mutex_);
    return inside_.count(profile) > 0;
  }

 private:
  Mutex mutex_;
  CondVar opened_;
  std::set<std::string> closed_ ABSL_GUARDED_BY(mutex_);
  std::multiset<std::string> inside_ ABSL_GUARDED_BY(mutex_);
};

constexpr char kLarge[] = "large";                // an answer of 200 KB
constexpr char kUnrecordable[] = "unrecordable";  // no audit log takes it

class HeldJudge final : public Judge {
 public:
  explicit HeldJudge(Held* held) : held_(held) {}
  const Snapshot& Pin() override { return snapshot_; }
  void Verify(absl::Span<const FilingView> filings,
              absl::Span<FilingVerdict> verdicts) override {
    profile_ = std::string(filings[0].profile_name);
    held_->Enter(profile_);
    for (size_t i = 0; i < filings.size(); ++i) {
      verdicts[i].outcome = Outcome::kHashFailure;
      if (filings[i].profile_name == kLarge) {
        verdicts[i].diagnostic = std::string(200'000, 'x');
      }
    }
  }
  bool Record(const Snapshot&, const BatchRecord&) override {
    return profile_ != kUnrecordable;
  }

 private:
  Snapshot snapshot_;
  Held* const held_;
  std::string profile_;
};

using Stream =
    grpc::ClientReaderWriter<v1::StreamVerifyRequest, v1::StreamVerifyResponse>;

class StreamCallTest : public ::testing::Test {
 protected:
  StreamCallTest()
      : gate_(AccessRules(), QuotaOptions(), /*identify=*/false),
        batcher_({.workers = 2},
                 [this] { return std::make_unique<HeldJudge>(&held_); }),
        service_(limits_, &batcher_, &gate_, &answers_) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    grpc::ChannelArguments arguments;
    // What is sent unread, at least, and no more however fast the line is.
    arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 5);
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    client_ = std::make_unique<RawClient>(
        port_, grpc::InsecureChannelCredentials(), arguments);
  }
  ~StreamCallTest() override {
    held_.OpenAll();
    server_->Shutdown(std::chrono::system_clock::now() +
                      std::chrono::seconds(10));
    batcher_.Drain(absl::InfiniteDuration());
  }

  static v1::StreamVerifyRequest Message(uint64_t sequence,
                                         const std::string& profile) {
    v1::StreamVerifyRequest request;
    request.set_sequence(sequence);
    request.add_filings()->set_profile(profile);
    return request;
  }
  // Sends it, and waits until a worker holds it.
  void Occupy(Stream* stream, uint64_t sequence, const std::string& profile) {
    held_.Close(profile);
    ASSERT_TRUE(stream->Write(Message(sequence, profile)));
    ASSERT_TRUE(Happens([&] { return held_.Inside(profile); }));
  }
  static void ExpectAnswer(Stream* stream, uint64_t sequence) {
    v1::StreamVerifyResponse response;
    ASSERT_TRUE(stream->Read(&response)) << "no answer to " << sequence;
    EXPECT_EQ(response.sequence(), sequence);
    ASSERT_EQ(response.verdicts_size(), 1);
    EXPECT_EQ(response.verdicts(0).sub_indication(),
              v1::SUB_INDICATION_HASH_FAILURE);
  }
  static grpc::Status End(Stream* stream) {
    v1::StreamVerifyResponse response;
    EXPECT_FALSE(stream->Read(&response)) << response.sequence();
    return stream->Finish();
  }

  Held held_;
  Limits limits_;
  Gate gate_;
  AnswerWatch answers_{absl::Seconds(60)};
  Batcher batcher_;
  VerificationServiceImpl service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<RawClient> client_;
};

TEST_F(StreamCallTest, WhatADrainAbandonsTakesNoEarlierAnswerWithIt) {
  grpc::ClientContext other_context;
  auto other = client_->verification->StreamVerify(&other_context);
  Occupy(other.get(), 7, "other");
  grpc::ClientContext context;
  auto stream = client_->verification->StreamVerify(&context);
  Occupy(stream.get(), 1, "held");
  // Both workers are busy, so the second waits until the drain abandons it.
  ASSERT_TRUE(stream->Write(Message(2, "late")));
  ASSERT_TRUE(
      Happens([&] { return batcher_.counters().filings_waiting == 1; }));
  batcher_.Hurry();
  std::thread drain([&] { batcher_.Drain(absl::InfiniteDuration()); });
  EXPECT_TRUE(Happens([&] {
    return batcher_.AskRoom(Lane::kBatch, kNeverNs) == Admission::kShuttingDown;
  }));
  held_.Open("other");
  EXPECT_TRUE(
      Happens([&] { return batcher_.counters().filings_abandoned == 1; }));
  ExpectAnswer(other.get(), 7);
  held_.Open("held");
  ExpectAnswer(stream.get(), 1);
  EXPECT_EQ(ReasonOf(End(stream.get())), "inkan.dev/SHUTTING_DOWN");
  drain.join();
  other->WritesDone();
  EXPECT_TRUE(End(other.get()).ok());
}

TEST_F(StreamCallTest, WhatCannotBeRecordedTakesNoEarlierAnswerWithIt) {
  grpc::ClientContext context;
  auto stream = client_->verification->StreamVerify(&context);
  // Larger than what gRPC takes unread, so that the next answer waits for it.
  ASSERT_TRUE(stream->Write(Message(1, kLarge)));
  ASSERT_TRUE(stream->Write(Message(2, "good")));
  ASSERT_TRUE(Happens([&] { return batcher_.counters().filings_judged == 2; }));
  ASSERT_TRUE(stream->Write(Message(3, kUnrecordable)));
  ASSERT_TRUE(
      Happens([&] { return batcher_.counters().filings_unrecorded == 1; }));
  // So that the failure has most likely come to the stream; right either way.
  absl::SleepFor(absl::Milliseconds(100));
  ExpectAnswer(stream.get(), 1);
  ExpectAnswer(stream.get(), 2);
  EXPECT_EQ(ReasonOf(End(stream.get())), "inkan.dev/AUDIT_LOG_FAILED");
}

TEST_F(StreamCallTest, NothingAfterAFailedMessageIsAnswered) {
  grpc::ClientContext context;
  auto stream = client_->verification->StreamVerify(&context);
  Occupy(stream.get(), 1, kUnrecordable);
  ASSERT_TRUE(stream->Write(Message(2, "good")));
  ASSERT_TRUE(Happens([&] { return batcher_.counters().filings_judged == 1; }));
  held_.Open(kUnrecordable);
  EXPECT_EQ(ReasonOf(End(stream.get())), "inkan.dev/AUDIT_LOG_FAILED");
  EXPECT_TRUE(Happens([&] { return batcher_.counters().bytes_held == 0; }));
}

}  // namespace
}  // namespace inkan
