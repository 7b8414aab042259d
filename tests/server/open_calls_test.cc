#include "server/open_calls.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace inkan {
namespace {

constexpr int64_t kMinuteNs = 60'000'000'000;
// Who holds the most loses no call that was silent for less.
constexpr int64_t kSilentNs = 10'000'000'000;

class FakeCall final : public OpenCall {
 public:
  explicit FakeCall(int64_t idle_since_ns = kNeverNs)
      : idle_since(idle_since_ns) {}
  void BeginDrain() override { drained = true; }
  int64_t idle_since_ns() const override {
    ++asked;
    return idle_since;
  }
  bool EndIdle() override {
    if (idle_since == kNeverNs || busy_after_all) return false;
    ended = true;
    return true;
  }

  int64_t idle_since;
  bool busy_after_all = false;
  bool drained = false;
  bool ended = false;
  mutable int asked = 0;
};

TEST(OpenCallsTest, KeepsItsBound) {
  OpenCalls calls(2, kMinuteNs);
  FakeCall a, b, c;
  EXPECT_EQ(calls.Add(&a), OpenCalls::Entry::kOpen);
  EXPECT_EQ(calls.Add(&b), OpenCalls::Entry::kOpen);
  EXPECT_EQ(calls.Add(&c), OpenCalls::Entry::kFull);
  EXPECT_EQ(calls.count(), 2U);
  calls.Remove(&a);
  EXPECT_EQ(calls.Add(&c), OpenCalls::Entry::kOpen);
}

TEST(OpenCallsTest, ThoseSilentForLongMakeRoomAndOnlyWhenThereIsNone) {
  OpenCalls calls(3, kMinuteNs);
  FakeCall busy;
  FakeCall old(NowNs() - 2 * kMinuteNs);
  FakeCall young(NowNs() - kMinuteNs / 2);
  for (FakeCall* call : {&busy, &old, &young}) {
    ASSERT_EQ(calls.Add(call), OpenCalls::Entry::kOpen);
  }
  EXPECT_FALSE(old.ended);
  FakeCall next;
  EXPECT_EQ(calls.Add(&next), OpenCalls::Entry::kOpen);
  EXPECT_TRUE(old.ended);
  EXPECT_FALSE(young.ended || busy.ended);
  calls.Remove(&old);  // gRPC is done with it only now
  EXPECT_EQ(calls.count(), 3U);
}

TEST(OpenCallsTest, ACallThatSpeaksInTheLastMomentStays) {
  OpenCalls calls(1, kMinuteNs);
  FakeCall old(NowNs() - 2 * kMinuteNs);
  old.busy_after_all = true;
  ASSERT_EQ(calls.Add(&old), OpenCalls::Entry::kOpen);
  FakeCall next;
  EXPECT_EQ(calls.Add(&next), OpenCalls::Entry::kFull);
}

// Or a flood of refused calls would cost a look at every call each.
TEST(OpenCallsTest, NobodyLooksBeforeACallCanBeOldEnough) {
  OpenCalls calls(1, kMinuteNs);
  FakeCall young(NowNs() - kMinuteNs + 200'000'000);
  ASSERT_EQ(calls.Add(&young), OpenCalls::Entry::kOpen);
  FakeCall next;
  for (int i = 0; i < 1000; ++i) calls.Add(&next);
  const int asked = young.asked;
  EXPECT_LE(asked, 3);
  while (calls.Add(&next) != OpenCalls::Entry::kOpen) {
    ASSERT_LT(NowNs(), young.idle_since + 2 * kMinuteNs);
  }
  EXPECT_TRUE(young.ended);
  EXPECT_LE(young.asked, asked + 3);
}

TEST(OpenCallsTest, WhoHoldsTheMostMakesRoomForOthersUpToEqualShares) {
  OpenCalls calls(6, kMinuteNs);
  const int64_t now_ns = NowNs();
  std::vector<FakeCall> hoard(6);
  for (size_t i = 0; i < hoard.size(); ++i) {
    hoard[i].idle_since = now_ns - kSilentNs - static_cast<int64_t>(i);
    ASSERT_EQ(calls.Add(&hoard[i], "hoarder"), OpenCalls::Entry::kOpen);
  }
  FakeCall more(NowNs());
  EXPECT_EQ(calls.Add(&more, "hoarder"), OpenCalls::Entry::kFull);
  const auto ended = [&] {
    return std::count_if(hoard.begin(), hoard.end(),
                         [](const FakeCall& call) { return call.ended; });
  };
  EXPECT_EQ(ended(), 0);
  FakeCall a, b, c, d;
  EXPECT_EQ(calls.Add(&a, "other"), OpenCalls::Entry::kOpen);
  EXPECT_TRUE(hoard[5].ended) << "the longest silent one";
  EXPECT_EQ(calls.Add(&b, "other"), OpenCalls::Entry::kOpen);
  EXPECT_EQ(calls.Add(&c, "third"), OpenCalls::Entry::kOpen);
  EXPECT_EQ(ended(), 3);
  // Three, two and one by now.
  EXPECT_EQ(calls.Add(&d, "other"), OpenCalls::Entry::kFull);
  EXPECT_EQ(calls.Add(&d, "third"), OpenCalls::Entry::kOpen);
  EXPECT_EQ(calls.Add(&more, "third"), OpenCalls::Entry::kFull);
  EXPECT_EQ(calls.count(), 6U);
  // Those that were ended are removed once gRPC is done with them.
  for (FakeCall& call : hoard) calls.Remove(&call);
  EXPECT_EQ(calls.count(), 4U);
}

TEST(OpenCallsTest, WhoHoldsTheMostKeepsCallsThatAreInUse) {
  OpenCalls calls(2, kMinuteNs);
  FakeCall busy;
  FakeCall speaks(NowNs() - kSilentNs);
  speaks.busy_after_all = true;
  ASSERT_EQ(calls.Add(&busy, "large"), OpenCalls::Entry::kOpen);
  ASSERT_EQ(calls.Add(&speaks, "large"), OpenCalls::Entry::kOpen);
  FakeCall next;
  EXPECT_EQ(calls.Add(&next, "other"), OpenCalls::Entry::kFull);
  EXPECT_FALSE(busy.ended || speaks.ended);
}

// Its next message may be on its way, and be large.
TEST(OpenCallsTest, WhoHoldsTheMostKeepsCallsSilentForSecondsOnly) {
  OpenCalls calls(2, kMinuteNs);
  // Half a minute is left to get from here to the check.
  FakeCall sends(NowNs() - kSilentNs + kMinuteNs / 2);
  FakeCall answered(NowNs() - kSilentNs + kMinuteNs / 2);
  ASSERT_EQ(calls.Add(&sends, "large"), OpenCalls::Entry::kOpen);
  ASSERT_EQ(calls.Add(&answered, "large"), OpenCalls::Entry::kOpen);
  FakeCall next;
  EXPECT_EQ(calls.Add(&next, "other"), OpenCalls::Entry::kFull);
  EXPECT_FALSE(sends.ended || answered.ended);
  answered.idle_since = NowNs() - kSilentNs;
  EXPECT_EQ(calls.Add(&next, "other"), OpenCalls::Entry::kOpen);
  EXPECT_TRUE(answered.ended);
  EXPECT_FALSE(sends.ended);
}

TEST(OpenCallsTest, ADrainTellsAllAndLetsNobodyIn) {
  OpenCalls calls;
  std::vector<FakeCall> open(100);
  for (FakeCall& call : open) {
    ASSERT_EQ(calls.Add(&call), OpenCalls::Entry::kOpen);
  }
  calls.Remove(&open[0]);
  calls.BeginDrain();
  for (size_t i = 0; i < open.size(); ++i) EXPECT_EQ(open[i].drained, i != 0);
  EXPECT_EQ(calls.Add(&open[0]), OpenCalls::Entry::kDraining);
}

}  // namespace
}  // namespace inkan
