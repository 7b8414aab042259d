// How long whoever is refused is told to stay away.
#include "server/rpc_status.h"

#include <grpcpp/server_context.h>
#include <grpcpp/test/server_context_test_spouse.h>

#include <memory>
#include <set>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"

namespace inkan {
namespace {

using testing::DetailOf;
using testing::ReasonOf;

class NoJudge final : public Judge {
 public:
  const Snapshot& Pin() override { return snapshot_; }
  void Verify(absl::Span<const FilingView>,
              absl::Span<FilingVerdict>) override {}

 private:
  Snapshot snapshot_;
};

// One refused call.
class Call {
 public:
  explicit Call(int previous_attempts = 0) : spouse_(&context_) {
    if (previous_attempts > 0) {
      spouse_.AddClientMetadata("grpc-previous-rpc-attempts",
                                absl::StrCat(previous_attempts));
    }
  }
  Refused refused(const Batcher& batcher) { return {&context_, &batcher}; }
  // What gRPC's own clients act on; -1: there is none, or not one.
  int64_t push_back_ms() const {
    const auto metadata = spouse_.GetTrailingMetadata();
    int64_t ms = -1;
    if (metadata.count("grpc-retry-pushback-ms") != 1 ||
        !absl::SimpleAtoi(metadata.find("grpc-retry-pushback-ms")->second,
                          &ms)) {
      return -1;
    }
    return ms;
  }

 private:
  grpc::ServerContext context_;
  grpc::testing::ServerContextTestSpouse spouse_;
};

int64_t RetryInfoMs(const grpc::Status& status) {
  const auto delay = DetailOf<google::rpc::RetryInfo>(status).retry_delay();
  return delay.seconds() * 1000 + delay.nanos() / 1'000'000;
}

class RpcStatusTest : public ::testing::Test {
 protected:
  Batcher batcher_{{}, [] { return std::make_unique<NoJudge>(); }};
};

TEST_F(RpcStatusTest, ThoseRefusedTogetherDoNotComeBackTogether) {
  std::set<int64_t> delays;
  for (int i = 0; i < 200; ++i) {
    Call call;
    const grpc::Status status = Overloaded(call.refused(batcher_));
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_EQ(ReasonOf(status), "inkan.dev/QUEUE_FULL");
    EXPECT_GE(call.push_back_ms(), 100);
    EXPECT_LT(call.push_back_ms(), 150);
    // In steps, for those who read the details.
    EXPECT_LE(RetryInfoMs(status), call.push_back_ms());
    EXPECT_GT(RetryInfoMs(status), call.push_back_ms() - 10);
    delays.insert(call.push_back_ms());
  }
  EXPECT_GT(delays.size(), 20U);
}

// Five attempts, the most there are, never all fall into this server's time.
TEST_F(RpcStatusTest, AShutdownPushesBackBeyondTheServersEnd) {
  batcher_.BeginDrain(absl::Seconds(30));
  const int64_t refusing_ms = absl::ToInt64Milliseconds(kRefusingTime);
  for (const int attempts : {0, 1, 2}) {
    Call call(attempts);
    const grpc::Status status = ShuttingDown(call.refused(batcher_));
    EXPECT_EQ(ReasonOf(status), "inkan.dev/SHUTTING_DOWN");
    EXPECT_GT(call.push_back_ms(), refusing_ms) << attempts;
    EXPECT_LE(call.push_back_ms(), 2 * refusing_ms) << attempts;
    EXPECT_EQ(RetryInfoMs(status), call.push_back_ms());
  }
  for (const int attempts : {3, 4, 100}) {
    Call call(attempts);
    ShuttingDown(call.refused(batcher_));
    EXPECT_GT(call.push_back_ms(), refusing_ms) << attempts;
    const int64_t end_ms =
        (batcher_.drain_ends_ns() - NowNs()) / 1'000'000 + refusing_ms;
    EXPECT_GE(call.push_back_ms(), end_ms) << attempts;
  }
}

TEST_F(RpcStatusTest, WhatIsNeitherOverloadNorEndHasItsPushBackToo) {
  Call unrecorded;
  EXPECT_EQ(
      ReasonOf(StatusOf(ItemResult::kUnrecorded, unrecorded.refused(batcher_))),
      "inkan.dev/AUDIT_LOG_FAILED");
  EXPECT_GE(unrecorded.push_back_ms(), 1000);
  Call abandoned;
  StatusOf(ItemResult::kAbandoned, abandoned.refused(batcher_));
  EXPECT_GT(abandoned.push_back_ms(), 500);
  Call idle;
  StreamIdle(idle.refused(batcher_));
  EXPECT_GE(idle.push_back_ms(), 100);
  Call judged;
  EXPECT_TRUE(StatusOf(ItemResult::kJudged, judged.refused(batcher_)).ok());
  EXPECT_EQ(judged.push_back_ms(), -1);
  Call cancelled;
  StatusOf(ItemResult::kCancelled, cancelled.refused(batcher_));
  EXPECT_EQ(cancelled.push_back_ms(), -1);
}

}  // namespace
}  // namespace inkan
