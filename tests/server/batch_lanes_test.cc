#include "server/batch_lanes.h"

#include <map>
#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/lane_pace.h"

namespace inkan {
namespace {

class Item final : public BatchItem {
 public:
  explicit Item(size_t filings) : BatchItem(filings, 1, kNeverNs) {}
  void MakeViews(const Snapshot&, size_t, absl::Span<FilingView>) override {}
  void TakeVerdicts(const Snapshot&, size_t, absl::Span<const FilingVerdict>,
                    std::vector<VerdictRecord>*) override {}
  void Finished(ItemResult) override {}
};

size_t Total(const std::vector<BatchPiece>& pieces) {
  size_t total = 0;
  for (const BatchPiece& piece : pieces) total += piece.count;
  return total;
}

class BatchLanesTest : public ::testing::Test {
 protected:
  BatchItem* Add(BatchLanes* lanes, Lane lane, size_t filings) {
    items_.push_back(std::make_unique<Item>(filings));
    lane_of_[items_.back().get()] = lane;
    lanes->Push(lane, items_.back().get());
    return items_.back().get();
  }
  // Filings of each lane among the pieces.
  std::map<Lane, size_t> ByLane(const std::vector<BatchPiece>& pieces) {
    std::map<Lane, size_t> sums;
    for (const BatchPiece& piece : pieces) {
      sums[lane_of_[piece.item]] += piece.count;
    }
    return sums;
  }
  std::map<Lane, size_t> Take(BatchLanes* lanes, size_t room) {
    std::vector<BatchPiece> pieces;
    lanes->Take(room, &pieces);
    return ByLane(pieces);
  }

  std::vector<std::unique_ptr<Item>> items_;
  std::map<BatchItem*, Lane> lane_of_;
};

TEST_F(BatchLanesTest, LanesShareABatchByWeight) {
  BatchLanes lanes(3, 1);
  for (int i = 0; i < 10000; ++i) Add(&lanes, Lane::kInteractive, 1);
  Add(&lanes, Lane::kBatch, 10000);
  auto taken = Take(&lanes, 512);
  EXPECT_EQ(taken[Lane::kInteractive], 384U);
  EXPECT_EQ(taken[Lane::kBatch], 128U);
  // Batches and streams divide the bulk lane.
  Add(&lanes, Lane::kStream, 10000);
  taken = Take(&lanes, 1024);
  EXPECT_EQ(taken[Lane::kInteractive], 768U);
  EXPECT_EQ(taken[Lane::kBatch] + taken[Lane::kStream], 256U);
  EXPECT_NEAR(static_cast<double>(taken[Lane::kStream]), 128, 16);
}

TEST_F(BatchLanesTest, NoLaneStarvesEvenIfOneFilingIsTakenAtATime) {
  BatchLanes lanes(1000, 1);
  for (int i = 0; i < 20000; ++i) Add(&lanes, Lane::kInteractive, 1);
  Add(&lanes, Lane::kBatch, 100);
  Add(&lanes, Lane::kStream, 100);
  std::map<Lane, size_t> sums;
  for (int i = 0; i < 5000; ++i) {
    for (const auto& [lane, count] : Take(&lanes, 1)) sums[lane] += count;
  }
  EXPECT_GE(sums[Lane::kBatch], 1U);
  EXPECT_GE(sums[Lane::kStream], 1U);
  EXPECT_GE(sums[Lane::kInteractive], 4900U);
}

TEST_F(BatchLanesTest, ALaneAloneGetsEverything) {
  for (const Lane lane : {Lane::kInteractive, Lane::kBatch, Lane::kStream}) {
    BatchLanes lanes(3, 1);
    Add(&lanes, lane, 400);
    Add(&lanes, lane, 400);
    std::vector<BatchPiece> pieces;
    lanes.Take(512, &pieces);
    ASSERT_EQ(pieces.size(), 2U);
    EXPECT_EQ(pieces[0].count, 400U);
    EXPECT_EQ(pieces[1].first, 0U);
    EXPECT_EQ(pieces[1].count, 112U);
    EXPECT_EQ(lanes.filings(lane), 288U);
    pieces.clear();
    lanes.Take(512, &pieces);
    ASSERT_EQ(pieces.size(), 1U);
    EXPECT_EQ(pieces[0].first, 112U);
    EXPECT_EQ(pieces[0].count, 288U);
    EXPECT_EQ(lanes.Any(), nullptr);
  }
}

TEST_F(BatchLanesTest, EveryFilingIsTakenOnceInOrderWithinItsItem) {
  BatchLanes lanes(3, 1);
  size_t total = 0;
  for (size_t i = 1; i <= 60; ++i) {
    Add(&lanes, static_cast<Lane>(i % 3), i);
    total += i;
  }
  std::map<BatchItem*, size_t> next;
  size_t taken = 0;
  for (size_t room = 1; lanes.filings() > 0; room = room % 97 + 1) {
    std::vector<BatchPiece> pieces;
    lanes.Take(room, &pieces);
    ASSERT_LE(Total(pieces), room);
    for (const BatchPiece& piece : pieces) {
      ASSERT_EQ(piece.first, next[piece.item]);
      next[piece.item] += piece.count;
      ASSERT_LE(next[piece.item], piece.item->filings());
    }
    taken += Total(pieces);
  }
  EXPECT_EQ(taken, total);
}

TEST_F(BatchLanesTest, AnItemCanBeTakenOutFromAnywhereAndHalfWay) {
  for (size_t out = 0; out < 3; ++out) {
    BatchLanes lanes(1, 1);
    std::vector<BatchItem*> items;
    for (int i = 0; i < 3; ++i) items.push_back(Add(&lanes, Lane::kBatch, 10));
    std::vector<BatchPiece> pieces;
    lanes.Take(4, &pieces);
    EXPECT_EQ(lanes.Remove(items[out]), out == 0 ? 6U : 10U);
    pieces.clear();
    lanes.Take(100, &pieces);
    EXPECT_EQ(Total(pieces), out == 0 ? 20U : 16U);
    for (const BatchPiece& piece : pieces) EXPECT_NE(piece.item, items[out]);
    EXPECT_EQ(lanes.filings(), 0U);
  }
}

constexpr int64_t kMs = 1'000'000;

double WaitMs(const LanePace& pace, size_t queued) {
  return static_cast<double>(pace.WaitNs(queued)) / 1e6;
}

TEST(LanePaceTest, IsWhatWasTakenWhileThereWasWork) {
  LanePace pace;
  EXPECT_EQ(pace.WaitNs(1000), 0) << "nothing is known";
  // 512 filings each 20 ms: 25,600 a second.
  int64_t now = 5 * kMs;
  for (int i = 0; i < 100; ++i, now += 20 * kMs) pace.Took(now, 512, true);
  EXPECT_NEAR(WaitMs(pace, 25600), 1000, 0.001);
  EXPECT_EQ(pace.WaitNs(0), 0);
}

TEST(LanePaceTest, ATimeWithoutWorkDoesNotCount) {
  LanePace pace;
  int64_t now = kMs;
  for (int i = 0; i < 50; ++i) {
    pace.Took(now, 512, true);
    now += 20 * kMs;
    pace.Took(now, 512, false);  // the last
    now += 3'600'000 * kMs;
  }
  EXPECT_NEAR(WaitMs(pace, 25600), 1000, 0.001);
  pace.Took(now, 512, true);
  pace.Emptied();  // by a cancellation
  pace.Took(now + 3'600'000 * kMs, 512, false);
  EXPECT_NEAR(WaitMs(pace, 25600), 1000, 0.001);
}

TEST(LanePaceTest, FollowsAChangeWithinSeconds) {
  LanePace pace;
  int64_t now = kMs;
  for (int i = 0; i < 500; ++i, now += 20 * kMs) pace.Took(now, 512, true);
  // Half as fast from here on.
  for (int i = 0; i < 150; ++i, now += 40 * kMs) pace.Took(now, 512, true);
  EXPECT_NEAR(WaitMs(pace, 12800), 1000, 100);
}

TEST(LanePaceTest, TheFirstBatchesAreNotJudgedBy) {
  LanePace pace;
  pace.Took(kMs, 1, true);
  pace.Took(101 * kMs, 1, true);  // a cold start
  EXPECT_EQ(pace.WaitNs(1'000'000), 0);
}

}  // namespace
}  // namespace inkan
