#include "server/batcher.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace inkan {
namespace {

using ::testing::ElementsAre;
using ::testing::Le;
using ::testing::SizeIs;

// Happens once. (absl::Notification is not seen by ThreadSanitizer.)
class Event {
 public:
  // REQUIRES: it has not happened yet.
  void Notify() {
    MutexLock lock(&mutex_);
    EXPECT_FALSE(happened_);
    happened_ = true;
    condition_.SignalAll();
  }
  void Wait() {
    MutexLock lock(&mutex_);
    while (!happened_) condition_.Wait(&mutex_);
  }
  bool happened() {
    MutexLock lock(&mutex_);
    return happened_;
  }

 private:
  Mutex mutex_;
  CondVar condition_;
  bool happened_ ABSL_GUARDED_BY(mutex_) = false;
};

// What all judges of one test do and see. A verdict says kPassed exactly if the
// filing's time is even, so that swapped verdicts are seen.
struct Bench {
  Snapshot snapshot;
  std::atomic<bool> open{true};            // judges wait while it is closed
  std::atomic<int> inside{0};              // judges at work
  std::atomic<int> batch_milliseconds{0};  // what each batch takes, at least
  // More batches than these wait until it is 0 again.
  std::atomic<size_t> stop_after{0};
  Mutex mutex;
  std::vector<size_t> batches ABSL_GUARDED_BY(mutex);
  std::thread::id last_judged_by ABSL_GUARDED_BY(mutex);
  std::atomic<bool> ready{true};       // what judges say before a batch
  std::atomic<bool> recordable{true};  // and to its verdicts
  std::atomic<uint64_t> recorded{0};
  std::atomic<uint64_t> waits{0};

  std::vector<size_t> Batches() {
    MutexLock lock(&mutex);
    return batches;
  }
  std::thread::id LastJudgedBy() {
    MutexLock lock(&mutex);
    return last_judged_by;
  }
};

class FakeJudge : public Judge {
 public:
  explicit FakeJudge(Bench* bench) : bench_(bench) {}

  const Snapshot& Pin() override { return bench_->snapshot; }

  void Verify(absl::Span<const FilingView> filings,
              absl::Span<FilingVerdict> verdicts) override {
    size_t number = 0;
    {
      MutexLock lock(&bench_->mutex);
      bench_->batches.push_back(filings.size());
      bench_->last_judged_by = std::this_thread::get_id();
      number = bench_->batches.size();
    }
    bench_->inside.fetch_add(1);
    while (!bench_->open.load() || (bench_->stop_after.load() != 0 &&
                                    number > bench_->stop_after.load())) {
      std::this_thread::yield();
    }
    std::this_thread::sleep_for(
        std::chrono::milliseconds(bench_->batch_milliseconds.load()));
    for (size_t i = 0; i < filings.size(); ++i) {
      EXPECT_EQ(verdicts[i].outcome, Outcome::kGeneric);
      verdicts[i].outcome =
          filings[i].time % 2 == 0 ? Outcome::kPassed : Outcome::kHashFailure;
      verdicts[i].diagnostic = std::string(filings[i].profile_name);
    }
    bench_->inside.fetch_sub(1);
  }

  bool Ready() override { return bench_->ready.load(); }
  bool Record(const Snapshot&, const BatchRecord& record) override {
    if (!bench_->recordable.load()) return false;
    for (const VerdictRecord& verdict : record.verdicts) {
      EXPECT_EQ(verdict.outcome, verdict.time % 2 == 0 ? Outcome::kPassed
                                                       : Outcome::kHashFailure);
    }
    bench_->recorded.fetch_add(record.verdicts.size());
    bench_->waits.fetch_add(record.waits.size());
    return true;
  }

 private:
  Bench* bench_;
};

class TestItem : public BatchItem {
 public:
  explicit TestItem(size_t filings, int64_t deadline_ns = kNeverNs,
                    size_t bytes = 1, int64_t base = 0, int64_t received_ns = 0)
      : BatchItem(filings, bytes, deadline_ns, received_ns),
        base_(base),
        verdicts(filings),
        times_taken_(filings),
        names_(filings) {}

  void MakeViews(const Snapshot&, size_t first,
                 absl::Span<FilingView> views) override {
    for (size_t i = 0; i < views.size(); ++i) {
      const size_t index = first + i;
      views[i].time = base_ + static_cast<int64_t>(index);
      names_[index] = std::to_string(views[i].time);
      views[i].profile_name = names_[index];
    }
  }
  void TakeVerdicts(const Snapshot&, size_t first,
                    absl::Span<const FilingVerdict> taken,
                    std::vector<VerdictRecord>* records) override {
    for (size_t i = 0; i < taken.size(); ++i) {
      verdicts[first + i] = taken[i];
      times_taken_[first + i].fetch_add(1);
      VerdictRecord& record = records->emplace_back();
      record.outcome = taken[i].outcome;
      record.time = base_ + static_cast<int64_t>(first + i);
    }
  }
  void Admitted() override {
    EXPECT_FALSE(done.happened());
    admitted.fetch_add(1);
  }
  void Finished(ItemResult finish_result) override {
    result = finish_result;
    done.Notify();
  }

  void ExpectRightVerdicts() const {
    for (size_t i = 0; i < verdicts.size(); ++i) {
      const int64_t time = base_ + static_cast<int64_t>(i);
      ASSERT_EQ(times_taken_[i].load(), 1) << "filing " << i;
      ASSERT_EQ(verdicts[i].outcome,
                time % 2 == 0 ? Outcome::kPassed : Outcome::kHashFailure);
      ASSERT_EQ(verdicts[i].diagnostic, std::to_string(time));
    }
  }

  const int64_t base_;
  std::vector<FilingVerdict> verdicts;
  std::vector<std::atomic<int>> times_taken_;
  std::vector<std::string> names_;
  std::atomic<int> admitted{0};
  ItemResult result = ItemResult::kCancelled;
  Event done;
};

std::unique_ptr<Batcher> MakeBatcher(Bench* bench,
                                     BatcherOptions options = {}) {
  return std::make_unique<Batcher>(
      options, [bench] { return std::make_unique<FakeJudge>(bench); });
}

// Keeps the only worker busy until the bench is opened.
void Occupy(Bench* bench, Batcher* batcher, TestItem* item) {
  bench->open = false;
  ASSERT_EQ(batcher->Submit(item, Lane::kInteractive), Admission::kAdmitted);
  while (bench->inside.load() == 0) std::this_thread::yield();
}

TEST(BatcherTest, ALoneItemIsJudgedAtOnceAndAlone) {
  Bench bench;
  auto batcher = MakeBatcher(&bench);
  TestItem item(1);
  ASSERT_EQ(batcher->Submit(&item, Lane::kInteractive), Admission::kAdmitted);
  item.done.Wait();
  EXPECT_EQ(item.result, ItemResult::kJudged);
  item.ExpectRightVerdicts();
  EXPECT_THAT(bench.Batches(), ElementsAre(1));
}

// A second later each time.
int64_t LaterNs() {
  static std::atomic<int64_t> now_ns{1};
  return now_ns.fetch_add(1'000'000'000);
}

// A filing that came by itself.
std::unique_ptr<TestItem> LoneItem() {
  return std::make_unique<TestItem>(1, kNeverNs, 1, 0, LaterNs());
}

// Judges a filing on this thread, which takes a worker that sleeps: it sleeps
// again then. Returns when the filing came.
int64_t JudgeOneHere(Bench* bench, Batcher* batcher) {
  while (true) {
    const int64_t came_ns = LaterNs();
    TestItem item(1, kNeverNs, 1, 0, came_ns);
    EXPECT_EQ(batcher->Submit(&item, Lane::kInteractive), Admission::kAdmitted);
    item.done.Wait();
    item.ExpectRightVerdicts();
    if (bench->LastJudgedBy() == std::this_thread::get_id()) return came_ns;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// Of a worker that sleeps, and whoever asks.
class LoneFiling : public ::testing::Test {
 protected:
  void Start(unsigned workers) {
    BatcherOptions options;
    options.workers = workers;
    options.judge_lone_at_once = true;
    batcher_ = MakeBatcher(&bench_, options);
    JudgeOneHere(&bench_, batcher_.get());
  }
  // Submits it; whether it was judged on this thread.
  bool IsJudgedHere(TestItem* item, Lane lane = Lane::kInteractive) {
    EXPECT_EQ(batcher_->Submit(item, lane), Admission::kAdmitted);
    item->done.Wait();
    item->ExpectRightVerdicts();
    return bench_.LastJudgedBy() == std::this_thread::get_id();
  }
  // Submits a lone filing on a thread of its own and returns once it is judged
  // there, which takes until the bench is opened.
  std::thread Begin(TestItem* item) {
    const int inside = bench_.inside.load();
    bench_.open = false;
    std::thread caller([this, item] {
      EXPECT_EQ(batcher_->Submit(item, Lane::kInteractive),
                Admission::kAdmitted);
    });
    while (bench_.inside.load() == inside) std::this_thread::yield();
    return caller;
  }

  void ReturnAllAtOnce() {
    const std::unique_ptr<TestItem> items[] = {LoneItem(), LoneItem(),
                                               LoneItem()};
    std::vector<std::thread> callers;
    for (const auto& item : items) callers.push_back(Begin(item.get()));
    bench_.open = true;
    for (std::thread& caller : callers) caller.join();
  }

  Bench bench_;
  std::unique_ptr<Batcher> batcher_;
};

TEST_F(LoneFiling, IsJudgedByWhoBringsItAndNothingElseIs) {
  Start(1);
  TestItem large(1, kNeverNs, 1'000'000, 0, LaterNs());
  EXPECT_FALSE(IsJudgedHere(&large));
  TestItem soon(1, kNeverNs, 1, 0,
                JudgeOneHere(&bench_, batcher_.get()) + 100'000);
  EXPECT_FALSE(IsJudgedHere(&soon));
  JudgeOneHere(&bench_, batcher_.get());
  TestItem two(2, kNeverNs, 1, 0, LaterNs());
  EXPECT_FALSE(IsJudgedHere(&two));
  JudgeOneHere(&bench_, batcher_.get());
  EXPECT_FALSE(IsJudgedHere(LoneItem().get(), Lane::kBatch));
  JudgeOneHere(&bench_, batcher_.get());
  EXPECT_TRUE(IsJudgedHere(LoneItem().get()));
  batcher_->Drain(absl::InfiniteDuration());
  EXPECT_EQ(bench_.recorded.load(), batcher_->counters().filings_judged);
}

TEST_F(LoneFiling, IsDroppedAsAnyOtherIs) {
  Start(1);
  const auto result_of = [this](TestItem* item) {
    EXPECT_EQ(batcher_->Submit(item, Lane::kInteractive), Admission::kAdmitted);
    item->done.Wait();
    return item->result;
  };
  const size_t batches = bench_.Batches().size();
  TestItem expired(1, 1, 1, 0, LaterNs());
  EXPECT_EQ(result_of(&expired), ItemResult::kExpired);
  bench_.ready = false;
  EXPECT_EQ(result_of(LoneItem().get()), ItemResult::kUnrecorded);
  bench_.ready = true;
  EXPECT_THAT(bench_.Batches(), SizeIs(batches));
  bench_.recordable = false;
  EXPECT_EQ(result_of(LoneItem().get()), ItemResult::kUnrecorded);
  EXPECT_EQ(batcher_->counters().filings_unrecorded, 2U);
  EXPECT_EQ(batcher_->counters().filings_expired, 1U);
}

// The call that wakes a worker must not be lost on one in whose place somebody
// judges: that would cost a second.
TEST_F(LoneFiling, WhoJudgesForAWorkerHoldsUpNoOther) {
  for (int round = 0; round < 20; ++round) {
    bench_.open = true;
    Start(3);
    // All have gone to sleep by now; lent and returned, they are no longer lent
    // in the order they fell asleep in, in which they are woken.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ReturnAllAtOnce();
    const std::unique_ptr<TestItem> one = LoneItem();
    const std::unique_ptr<TestItem> other = LoneItem();
    std::thread first = Begin(one.get());
    std::thread second = Begin(other.get());
    TestItem bulk(3);
    const auto begun = std::chrono::steady_clock::now();
    ASSERT_EQ(batcher_->Submit(&bulk, Lane::kBatch), Admission::kAdmitted);
    while (bench_.inside.load() < 3) std::this_thread::yield();
    EXPECT_LT(std::chrono::steady_clock::now() - begun,
              std::chrono::milliseconds(700));
    // All are at work; what comes now waits for any.
    TestItem later(5);
    ASSERT_EQ(batcher_->Submit(&later, Lane::kBatch), Admission::kAdmitted);
    bench_.open = true;
    first.join();
    second.join();
    for (TestItem* item : {one.get(), other.get(), &bulk, &later}) {
      item->done.Wait();
      item->ExpectRightVerdicts();
    }
  }
}

TEST_F(LoneFiling, IsFinishedByADrainThatComesMeanwhile) {
  Start(1);
  const std::unique_ptr<TestItem> item = LoneItem();
  std::thread caller = Begin(item.get());
  std::thread drain([this] { batcher_->Drain(absl::InfiniteDuration()); });
  TestItem late(1);
  while (batcher_->drain_ends_ns() == kNeverNs) std::this_thread::yield();
  EXPECT_FALSE(item->done.happened());
  bench_.open = true;
  caller.join();
  drain.join();
  EXPECT_EQ(item->result, ItemResult::kJudged);
  item->ExpectRightVerdicts();
}

TEST(BatcherTest, LoneFilingsFromManyThreadsAreAllJudgedOnce) {
  constexpr int kThreads = 4;
  constexpr int kEach = 300;
  Bench bench;
  BatcherOptions options;
  options.workers = 2;
  options.judge_lone_at_once = true;
  auto batcher = MakeBatcher(&bench, options);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < kEach; ++j) {
        const std::unique_ptr<TestItem> item = LoneItem();
        ASSERT_EQ(batcher->Submit(item.get(), Lane::kInteractive),
                  Admission::kAdmitted);
        item->done.Wait();
        item->ExpectRightVerdicts();
        if (j % 4 == 0) {
          std::this_thread::sleep_for(std::chrono::microseconds(300));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  batcher->Drain(absl::InfiniteDuration());
  EXPECT_EQ(batcher->counters().filings_judged, uint64_t{kThreads} * kEach);
  EXPECT_EQ(bench.recorded.load(), uint64_t{kThreads} * kEach);
}

TEST(BatcherTest, WhatWaitedIsJudgedTogether) {
  Bench bench;
  auto batcher = MakeBatcher(&bench);
  TestItem first(1);
  Occupy(&bench, batcher.get(), &first);
  TestItem second(2);
  TestItem third(3);
  ASSERT_EQ(batcher->Submit(&second, Lane::kInteractive), Admission::kAdmitted);
  ASSERT_EQ(batcher->Submit(&third, Lane::kInteractive), Admission::kAdmitted);
  EXPECT_EQ(batcher->counters().filings_waiting, 5U);
  bench.open = true;
  batcher->Drain(absl::InfiniteDuration());
  EXPECT_THAT(bench.Batches(), ElementsAre(1, 5));
  second.ExpectRightVerdicts();
  third.ExpectRightVerdicts();
  EXPECT_EQ(batcher->counters().filings_judged, 6U);
  EXPECT_EQ(batcher->counters().filings_waiting, 0U);
}

TEST(BatcherTest, ALargeItemIsCutAtTheCapAndKeepsItsOrder) {
  Bench bench;
  auto batcher = MakeBatcher(&bench, {.worker_batch_filings_max = 100});
  TestItem item(250);
  ASSERT_EQ(batcher->Submit(&item, Lane::kInteractive), Admission::kAdmitted);
  item.done.Wait();
  EXPECT_EQ(item.result, ItemResult::kJudged);
  item.ExpectRightVerdicts();
  EXPECT_THAT(bench.Batches(), ElementsAre(100, 100, 50));
}

TEST(BatcherTest, ALargeItemIsSharedAmongWorkers) {
  Bench bench;
  bench.open = false;
  auto batcher = MakeBatcher(&bench, {.workers = 4});
  TestItem item(400);
  ASSERT_EQ(batcher->Submit(&item, Lane::kInteractive), Admission::kAdmitted);
  while (bench.inside.load() < 4) std::this_thread::yield();
  bench.open = true;
  item.done.Wait();
  item.ExpectRightVerdicts();
  EXPECT_THAT(bench.Batches(), SizeIs(testing::Ge(4U)));
}

TEST(BatcherTest, TheQueueHoldsItsBoundOfFilingsAndNotOneMore) {
  Bench bench;
  auto batcher = MakeBatcher(&bench, {.lane_filings_max = {10, 10, 10}});
  TestItem busy(1);
  Occupy(&bench, batcher.get(), &busy);
  TestItem nine(9);
  TestItem one(1);
  TestItem too_many(1);
  EXPECT_EQ(batcher->Submit(&nine, Lane::kInteractive), Admission::kAdmitted);
  EXPECT_EQ(batcher->Submit(&one, Lane::kInteractive), Admission::kAdmitted);
  EXPECT_EQ(batcher->Submit(&too_many, Lane::kInteractive), Admission::kFull);
  EXPECT_EQ(batcher->counters().filings_refused, 1U);
  EXPECT_THAT(batcher->counters().refused, ElementsAre(1, 0, 0, 0));
  EXPECT_THAT(batcher->counters().lane_filings, ElementsAre(10, 0, 0));
  bench.open = true;
  batcher->Drain(absl::InfiniteDuration());
  EXPECT_EQ(batcher->Submit(&too_many, Lane::kBatch), Admission::kShuttingDown);
  EXPECT_THAT(batcher->counters().refused, ElementsAre(1, 0, 0, 1));
  EXPECT_EQ(batcher->counters().filings_refused, 2U);
  EXPECT_TRUE(nine.done.happened());
  EXPECT_TRUE(one.done.happened());
  EXPECT_FALSE(too_many.done.happened());
}

// A lane whose worker takes 20 ms for 10 filings, 500 times over: what comes
// now would wait nine seconds, or longer on a slow machine.
class SlowLane {
 public:
  explicit SlowLane(int64_t wait_ns_max) : item_(5000) {
    bench_.batch_milliseconds = 20;
    batcher_ = MakeBatcher(
        &bench_, {.worker_batch_filings_max = 10, .wait_ns_max = wait_ns_max});
    EXPECT_EQ(batcher_->AskRoom(Lane::kBatch, kNeverNs), Admission::kAdmitted);
    EXPECT_EQ(batcher_->Submit(&item_, Lane::kBatch), Admission::kAdmitted);
    while (bench_.Batches().size() < 20) std::this_thread::yield();
  }
  ~SlowLane() {
    item_.Cancel();
    item_.done.Wait();
  }
  Batcher& batcher() { return *batcher_; }

 private:
  Bench bench_;
  std::unique_ptr<Batcher> batcher_;  // outlives its items
  TestItem item_;
};

TEST(BatcherTest, ARequestThatWouldWaitTooLongIsRefusedBeforeItComes) {
  SlowLane lane(/*wait_ns_max=*/250'000'000);
  EXPECT_EQ(lane.batcher().AskRoom(Lane::kBatch, kNeverNs), Admission::kFull);
  EXPECT_THAT(lane.batcher().counters().refused, ElementsAre(0, 0, 1, 0));
  // Only its own lane is asked about, and Submit does not ask.
  EXPECT_EQ(lane.batcher().AskRoom(Lane::kInteractive, kNeverNs),
            Admission::kAdmitted);
  TestItem asked_before(1);
  EXPECT_EQ(lane.batcher().Submit(&asked_before, Lane::kBatch),
            Admission::kAdmitted);
  asked_before.Cancel();
  asked_before.done.Wait();
}

TEST(BatcherTest, ARequestThatWouldWaitPastItsDeadlineIsRefusedBeforeItComes) {
  constexpr int64_t kHourNs = 3'600'000'000'000;
  SlowLane lane(kHourNs);
  EXPECT_EQ(lane.batcher().AskRoom(Lane::kBatch, NowNs() + 100'000'000),
            Admission::kFull);
  EXPECT_EQ(lane.batcher().AskRoom(Lane::kBatch, NowNs() + kHourNs),
            Admission::kAdmitted);
  EXPECT_EQ(lane.batcher().AskRoom(Lane::kBatch, kNeverNs),
            Admission::kAdmitted);
  EXPECT_THAT(lane.batcher().counters().refused, ElementsAre(0, 0, 1, 0));
}

TEST(BatcherTest, AFullLaneAFullMemoryAndADrainAreToldBeforeARequestComes) {
  Bench bench;
  auto batcher = MakeBatcher(
      &bench, {.lane_filings_max = {10, 10, 10}, .bytes_max = 1000});
  TestItem first(1);
  Occupy(&bench, batcher.get(), &first);
  TestItem full(10);
  ASSERT_EQ(batcher->Submit(&full, Lane::kBatch), Admission::kAdmitted);
  EXPECT_EQ(batcher->AskRoom(Lane::kBatch, kNeverNs), Admission::kFull);
  {
    TestItem heavy(1, kNeverNs, 900);
    ASSERT_EQ(batcher->Submit(&heavy, Lane::kInteractive),
              Admission::kAdmitted);
    // Bulk may have three quarters, interactive calls have all.
    EXPECT_EQ(batcher->AskRoom(Lane::kBatch, kNeverNs), Admission::kFull);
    EXPECT_EQ(batcher->AskRoom(Lane::kStream, kNeverNs), Admission::kFull);
    EXPECT_EQ(batcher->AskRoom(Lane::kInteractive, kNeverNs),
              Admission::kAdmitted);
    bench.open = true;
    heavy.done.Wait();
  }
  batcher->Drain(absl::InfiniteDuration());
  EXPECT_EQ(batcher->AskRoom(Lane::kBatch, kNeverNs), Admission::kShuttingDown);
  EXPECT_THAT(batcher->counters().refused, ElementsAre(2, 1, 0, 1));
}

TEST(BatcherTest, BytesCountUntilTheAnswerIsTaken) {
  Bench bench;
  auto batcher = MakeBatcher(&bench, {.bytes_max = 100});
  auto busy = std::make_unique<TestItem>(1, kNeverNs, 60);
  Occupy(&bench, batcher.get(), busy.get());
  TestItem fits(1, kNeverNs, 40);
  TestItem too_big(1, kNeverNs, 1);
  EXPECT_EQ(batcher->Submit(&fits, Lane::kInteractive), Admission::kAdmitted);
  EXPECT_EQ(batcher->Submit(&too_big, Lane::kInteractive), Admission::kFull);
  bench.open = true;
  busy->done.Wait();
  fits.done.Wait();
  // Judged, but nobody has taken the answers yet.
  EXPECT_EQ(batcher->counters().bytes_held, 100U);
  EXPECT_THAT(batcher->counters().refused, ElementsAre(0, 1, 0, 0));
  EXPECT_EQ(batcher->Submit(&too_big, Lane::kInteractive), Admission::kFull);
  busy.reset();
  EXPECT_EQ(batcher->counters().bytes_held, 40U);
  TestItem again(1, kNeverNs, 60);
  TestItem past(1, kNeverNs, 1);
  EXPECT_EQ(batcher->Submit(&again, Lane::kInteractive), Admission::kAdmitted);
  EXPECT_EQ(batcher->Submit(&past, Lane::kInteractive), Admission::kFull);
  again.done.Wait();
}

TEST(BatcherTest, BulkLeavesAQuarterOfTheMemoryToInteractiveCalls) {
  Bench bench;
  auto batcher = MakeBatcher(&bench, {.bytes_max = 100});
  TestItem busy(1, kNeverNs, 50);
  Occupy(&bench, batcher.get(), &busy);
  TestItem batch(1, kNeverNs, 25);
  TestItem more(1, kNeverNs, 1);
  EXPECT_EQ(batcher->Submit(&batch, Lane::kBatch), Admission::kAdmitted);
  EXPECT_EQ(batcher->Submit(&more, Lane::kBatch), Admission::kFull);
  EXPECT_EQ(batcher->SubmitOrWait(&more), Admission::kFull);
  TestItem person(1, kNeverNs, 25);
  EXPECT_EQ(batcher->Submit(&person, Lane::kInteractive), Admission::kAdmitted);
  bench.open = true;
  batcher->Drain(absl::InfiniteDuration());
}

TEST(BatcherTest, AnItemOfAnySizeFitsWhenNothingIsHeld) {
  Bench bench;
  auto batcher =
      MakeBatcher(&bench, {.lane_filings_max = {1, 1, 1}, .bytes_max = 100});
  for (const Lane lane : {Lane::kInteractive, Lane::kBatch}) {
    TestItem large(50, kNeverNs, 1000);
    ASSERT_EQ(batcher->Submit(&large, lane), Admission::kAdmitted);
    large.done.Wait();
    EXPECT_EQ(large.result, ItemResult::kJudged);
  }
}

TEST(BatcherTest, MemoryGivenBackLetsInWhatWaits) {
  Bench bench;
  auto batcher = MakeBatcher(&bench, {.bytes_max = 100});
  auto unread = std::make_unique<TestItem>(1, kNeverNs, 55);
  ASSERT_EQ(batcher->Submit(unread.get(), Lane::kInteractive),
            Admission::kAdmitted);
  unread->done.Wait();
  TestItem busy(1, kNeverNs, 1);
  Occupy(&bench, batcher.get(), &busy);
  TestItem queued(1, kNeverNs, 1);
  TestItem waits(1, kNeverNs, 1);
  // An empty lane takes one; the next waits while more than half is held.
  EXPECT_EQ(batcher->SubmitOrWait(&queued), Admission::kAdmitted);
  EXPECT_EQ(batcher->SubmitOrWait(&waits), Admission::kWaiting);
  EXPECT_EQ(batcher->counters().filings_held_back, 1U);
  unread.reset();
  bench.open = true;
  waits.done.Wait();
  EXPECT_EQ(waits.result, ItemResult::kJudged);
  batcher->Drain(absl::InfiniteDuration());
}

TEST(BatcherTest, AnAnswerHoldsItsOctetsOnceTheRequestIsFreed) {
  Bench bench;
  auto batcher = MakeBatcher(&bench, {.bytes_max = 100});
  TestItem unread(1, kNeverNs, 55);
  ASSERT_EQ(batcher->Submit(&unread, Lane::kInteractive), Admission::kAdmitted);
  unread.done.Wait();
  TestItem busy(1, kNeverNs, 1);
  Occupy(&bench, batcher.get(), &busy);
  TestItem queued(1, kNeverNs, 1);
  TestItem waits(1, kNeverNs, 1);
  ASSERT_EQ(batcher->SubmitOrWait(&queued), Admission::kAdmitted);
  ASSERT_EQ(batcher->SubmitOrWait(&waits), Admission::kWaiting);
  unread.ShrinkTo(70);  // never more than it was
  EXPECT_EQ(batcher->counters().bytes_held, 58U);
  unread.ShrinkTo(2);
  EXPECT_EQ(batcher->counters().bytes_held, 5U);
  bench.open = true;
  waits.done.Wait();
  EXPECT_EQ(waits.result, ItemResult::kJudged);
  unread.ShrinkTo(0);
  EXPECT_EQ(batcher->counters().bytes_held, 3U);
  // Not admitted, it holds nothing to give back.
  TestItem never(1, kNeverNs, 50);
  never.ShrinkTo(0);
  EXPECT_EQ(batcher->counters().bytes_held, 3U);
  batcher->Drain(absl::InfiniteDuration());
}

TEST(BatcherTest, StreamsThatWaitLeaveAnEighthOfTheMemoryToBatches) {
  Bench bench;
  auto batcher = MakeBatcher(&bench, {.bytes_max = 800});
  TestItem busy(1, kNeverNs, 1);
  Occupy(&bench, batcher.get(), &busy);
  std::vector<std::unique_ptr<TestItem>> streams;
  const auto ask = [&](size_t bytes) {
    streams.push_back(std::make_unique<TestItem>(1, kNeverNs, bytes));
    return batcher->SubmitOrWait(streams.back().get());
  };
  EXPECT_EQ(ask(399), Admission::kAdmitted);
  EXPECT_EQ(ask(99), Admission::kWaiting);
  EXPECT_EQ(ask(2), Admission::kFull) << "past five eighths";
  EXPECT_EQ(ask(1), Admission::kWaiting) << "at five eighths";
  EXPECT_EQ(ask(1), Admission::kFull);
  EXPECT_EQ(batcher->counters().bytes_held, 500U);
  EXPECT_EQ(batcher->counters().filings_held_back, 2U);
  EXPECT_THAT(batcher->counters().refused, ElementsAre(0, 2, 0, 0));
  // There is room for batches, up to three quarters.
  EXPECT_EQ(batcher->AskRoom(Lane::kBatch, kNeverNs), Admission::kAdmitted);
  TestItem batch(1, kNeverNs, 100);
  EXPECT_EQ(batcher->Submit(&batch, Lane::kBatch), Admission::kAdmitted);
  EXPECT_EQ(batcher->AskRoom(Lane::kBatch, kNeverNs), Admission::kFull);
  bench.open = true;
  batcher->Drain(absl::InfiniteDuration());
  for (const size_t kept : {0U, 1U, 3U}) {
    EXPECT_EQ(streams[kept]->result, ItemResult::kJudged);
  }
}

TEST(BatcherTest, StreamsWaitForRoomInTheirLaneAndAreLetInInOrder) {
  Bench bench;
  auto batcher = MakeBatcher(&bench, {.worker_batch_filings_max = 64,
                                      .lane_filings_max = {10, 10, 5}});
  TestItem busy(1);
  Occupy(&bench, batcher.get(), &busy);
  TestItem half(5);
  TestItem waits(1);
  TestItem waits_too(4);
  TestItem call(5);
  EXPECT_EQ(batcher->SubmitOrWait(&half), Admission::kAdmitted);
  EXPECT_EQ(batcher->SubmitOrWait(&waits), Admission::kWaiting);
  EXPECT_EQ(batcher->SubmitOrWait(&waits_too), Admission::kWaiting);
  EXPECT_EQ(batcher->Submit(&call, Lane::kInteractive), Admission::kAdmitted);
  EXPECT_EQ(waits.admitted.load(), 0);
  bench.open = true;
  waits.done.Wait();
  waits_too.done.Wait();
  EXPECT_EQ(half.admitted.load(), 0);
  EXPECT_EQ(waits.admitted.load(), 1);
  EXPECT_EQ(waits_too.admitted.load(), 1);
  waits.ExpectRightVerdicts();
  waits_too.ExpectRightVerdicts();
  batcher->Drain(absl::InfiniteDuration());
}

TEST(BatcherTest, AnItemLargerThanItsLaneIsLetInOnceTheLaneIsEmpty) {
  Bench bench;
  auto batcher = MakeBatcher(&bench, {.lane_filings_max = {10, 10, 10}});
  TestItem busy(1);
  Occupy(&bench, batcher.get(), &busy);
  TestItem queued(1);
  TestItem large(50);
  EXPECT_EQ(batcher->SubmitOrWait(&queued), Admission::kAdmitted);
  EXPECT_EQ(batcher->SubmitOrWait(&large), Admission::kWaiting);
  bench.open = true;
  large.done.Wait();
  large.ExpectRightVerdicts();
  batcher->Drain(absl::InfiniteDuration());
}

// --- Lanes ---

TEST(BatcherTest, ALoneFilingBehindAFullBulkLaneIsInTheNextBatch) {
  Bench bench;
  auto batcher = MakeBatcher(&bench, {.worker_batch_filings_max = 64});
  TestItem busy(1);
  Occupy(&bench, batcher.get(), &busy);
  TestItem batch(30000);
  TestItem stream(10000);
  TestItem person(1);
  EXPECT_EQ(batcher->Submit(&batch, Lane::kBatch), Admission::kAdmitted);
  EXPECT_EQ(batcher->SubmitOrWait(&stream), Admission::kAdmitted);
  EXPECT_EQ(batcher->Submit(&person, Lane::kInteractive), Admission::kAdmitted);
  EXPECT_EQ(batcher->counters().lane_filings[0], 1U);
  EXPECT_EQ(batcher->counters().lane_filings[1], 30000U);
  EXPECT_EQ(batcher->counters().lane_filings[2], 10000U);
  bench.stop_after = 2;  // the one that is busy, and the next
  bench.open = true;
  person.done.Wait();
  EXPECT_EQ(batcher->counters().batches, 2U);
  bench.stop_after = 0;
  batcher->Drain(absl::InfiniteDuration());
  batch.ExpectRightVerdicts();
  stream.ExpectRightVerdicts();
}

TEST(BatcherTest, AFullBatchLaneNeitherRefusesNorStarvesTheOthers) {
  Bench bench;
  auto batcher = MakeBatcher(&bench, {.worker_batch_filings_max = 64,
                                      .lane_filings_max = {10, 1000, 10}});
  TestItem busy(1);
  Occupy(&bench, batcher.get(), &busy);
  TestItem batch(1000);
  TestItem refused(1);
  TestItem stream(32);
  TestItem person(10);
  EXPECT_EQ(batcher->Submit(&batch, Lane::kBatch), Admission::kAdmitted);
  EXPECT_EQ(batcher->Submit(&refused, Lane::kBatch), Admission::kFull);
  EXPECT_EQ(batcher->SubmitOrWait(&stream), Admission::kAdmitted);
  EXPECT_EQ(batcher->Submit(&person, Lane::kInteractive), Admission::kAdmitted);
  // 10 of the person, then batch and stream in turns: two rounds suffice.
  bench.stop_after = 3;
  bench.open = true;
  person.done.Wait();
  stream.done.Wait();
  EXPECT_FALSE(batch.done.happened());
  bench.stop_after = 0;
  batcher->Drain(absl::InfiniteDuration());
  batch.ExpectRightVerdicts();
}

TEST(BatcherTest, ExpiredItemsAreDroppedUnjudged) {
  Bench bench;
  auto batcher = MakeBatcher(&bench);
  TestItem busy(1);
  Occupy(&bench, batcher.get(), &busy);
  TestItem late(3, NowNs() - 1);
  TestItem in_time(2, NowNs() + int64_t{3600} * 1'000'000'000);
  EXPECT_EQ(batcher->Submit(&late, Lane::kInteractive), Admission::kAdmitted);
  EXPECT_EQ(batcher->Submit(&in_time, Lane::kInteractive),
            Admission::kAdmitted);
  bench.open = true;
  batcher->Drain(absl::InfiniteDuration());
  EXPECT_EQ(late.result, ItemResult::kExpired);
  EXPECT_EQ(late.verdicts[0].outcome, Outcome::kGeneric);
  EXPECT_EQ(in_time.result, ItemResult::kJudged);
  EXPECT_THAT(bench.Batches(), ElementsAre(1, 2));
  EXPECT_EQ(batcher->counters().filings_expired, 3U);
}

TEST(BatcherTest, CancelledItemsAreDroppedUnjudged) {
  Bench bench;
  auto batcher = MakeBatcher(&bench);
  TestItem busy(1);
  Occupy(&bench, batcher.get(), &busy);
  TestItem item(4);
  EXPECT_EQ(batcher->Submit(&item, Lane::kInteractive), Admission::kAdmitted);
  item.Cancel();
  bench.open = true;
  batcher->Drain(absl::InfiniteDuration());
  EXPECT_EQ(item.result, ItemResult::kCancelled);
  EXPECT_THAT(bench.Batches(), ElementsAre(1));
  EXPECT_EQ(batcher->counters().filings_cancelled, 4U);
}

TEST(BatcherTest, EveryVerdictIsRecordedBeforeItsItemIsFinished) {
  Bench bench;
  auto batcher =
      MakeBatcher(&bench, {.workers = 2, .worker_batch_filings_max = 64});
  TestItem item(200);
  ASSERT_EQ(batcher->Submit(&item, Lane::kInteractive), Admission::kAdmitted);
  item.done.Wait();
  EXPECT_EQ(bench.recorded.load(), 200U);
  EXPECT_EQ(item.result, ItemResult::kJudged);
}

TEST(BatcherTest, VerdictsThatCannotBeRecordedAreNotGiven) {
  Bench bench;
  bench.recordable = false;
  auto batcher = MakeBatcher(&bench);
  TestItem item(5);
  ASSERT_EQ(batcher->Submit(&item, Lane::kInteractive), Admission::kAdmitted);
  item.done.Wait();
  EXPECT_EQ(item.result, ItemResult::kUnrecorded);
  EXPECT_EQ(batcher->counters().filings_unrecorded, 5U);
  EXPECT_EQ(batcher->counters().filings_judged, 0U);
}

TEST(BatcherTest, AJudgeThatIsNotReadyIsNotAskedToVerify) {
  Bench bench;
  bench.ready = false;
  auto batcher = MakeBatcher(&bench);
  TestItem item(5);
  ASSERT_EQ(batcher->Submit(&item, Lane::kInteractive), Admission::kAdmitted);
  item.done.Wait();
  EXPECT_EQ(item.result, ItemResult::kUnrecorded);
  EXPECT_THAT(bench.Batches(), SizeIs(0));
  bench.ready = true;
  TestItem again(5);
  ASSERT_EQ(batcher->Submit(&again, Lane::kInteractive), Admission::kAdmitted);
  again.done.Wait();
  EXPECT_EQ(again.result, ItemResult::kJudged);
}

TEST(BatcherTest, ACancelledItemLeavesTheQueueAndTheWaitAtOnce) {
  Bench bench;
  auto batcher = MakeBatcher(&bench, {.lane_filings_max = {10, 10, 10}});
  TestItem busy(1);
  Occupy(&bench, batcher.get(), &busy);
  TestItem queued(10);
  TestItem in_stream(10);
  TestItem waiting(7);
  TestItem next(10);
  EXPECT_EQ(batcher->Submit(&queued, Lane::kBatch), Admission::kAdmitted);
  EXPECT_EQ(batcher->SubmitOrWait(&in_stream), Admission::kAdmitted);
  EXPECT_EQ(batcher->SubmitOrWait(&waiting), Admission::kWaiting);
  EXPECT_EQ(batcher->Submit(&next, Lane::kBatch), Admission::kFull);
  queued.Cancel();
  waiting.Cancel();
  waiting.Cancel();
  EXPECT_EQ(batcher->counters().filings_held_back, 0U);
  EXPECT_EQ(batcher->counters().filings_waiting, 10U);
  EXPECT_EQ(batcher->Submit(&next, Lane::kBatch), Admission::kAdmitted);
  bench.open = true;
  batcher->Drain(absl::InfiniteDuration());
  for (TestItem* item : {&queued, &waiting}) {
    EXPECT_EQ(item->result, ItemResult::kCancelled);
    EXPECT_EQ(item->admitted.load(), 0);
    item->Cancel();  // late, and harmless
  }
  EXPECT_EQ(batcher->counters().filings_cancelled, 17U);
  EXPECT_EQ(batcher->counters().filings_judged, 21U);
}

TEST(BatcherTest, AnItemCancelledHalfWayIsNotCalledJudged) {
  Bench bench;
  auto batcher = MakeBatcher(&bench, {.worker_batch_filings_max = 64});
  TestItem item(128);
  Occupy(&bench, batcher.get(), &item);
  item.Cancel();
  bench.open = true;
  batcher->Drain(absl::InfiniteDuration());
  EXPECT_EQ(item.result, ItemResult::kCancelled);
  EXPECT_THAT(bench.Batches(), ElementsAre(64));
  EXPECT_EQ(batcher->counters().filings_judged, 64U);
  EXPECT_EQ(batcher->counters().filings_cancelled, 64U);
}

TEST(BatcherTest, WhatIsHeldBackIsBoundedInFilings) {
  Bench bench;
  auto batcher = MakeBatcher(
      &bench, {.lane_filings_max = {10, 10, 10}, .held_back_filings_max = 20});
  TestItem busy(1);
  Occupy(&bench, batcher.get(), &busy);
  TestItem in_stream(10);
  TestItem alone(19);
  TestItem fits(1);
  TestItem too_many(1);
  EXPECT_EQ(batcher->SubmitOrWait(&in_stream), Admission::kAdmitted);
  EXPECT_EQ(batcher->SubmitOrWait(&alone), Admission::kWaiting);
  EXPECT_EQ(batcher->SubmitOrWait(&fits), Admission::kWaiting);
  EXPECT_EQ(batcher->SubmitOrWait(&too_many), Admission::kFull);
  EXPECT_EQ(batcher->counters().filings_held_back, 20U);
  EXPECT_EQ(batcher->counters().bytes_held, 4U);
  EXPECT_EQ(batcher->counters().refused[static_cast<size_t>(Refusal::kFilings)],
            1U);
  bench.open = true;
  batcher->Drain(absl::InfiniteDuration());
  EXPECT_EQ(batcher->counters().filings_judged, 31U);
}

TEST(BatcherTest, OneItemOfAnySizeMayBeHeldBack) {
  Bench bench;
  auto batcher = MakeBatcher(
      &bench, {.lane_filings_max = {10, 10, 10}, .held_back_filings_max = 20});
  TestItem busy(1);
  Occupy(&bench, batcher.get(), &busy);
  TestItem in_stream(10);
  TestItem large(100);
  EXPECT_EQ(batcher->SubmitOrWait(&in_stream), Admission::kAdmitted);
  EXPECT_EQ(batcher->SubmitOrWait(&large), Admission::kWaiting);
  bench.open = true;
  batcher->Drain(absl::InfiniteDuration());
  EXPECT_EQ(batcher->counters().filings_judged, 111U);
}

TEST(BatcherTest, WhoIsRefusedHearsHowLongTheLineIs) {
  Bench bench;
  bench.batch_milliseconds = 20;
  auto batcher = MakeBatcher(&bench, {.worker_batch_filings_max = 1,
                                      .lane_filings_max = {200, 200, 200}});
  EXPECT_EQ(batcher->LineNs(Lane::kBatch), 0);
  TestItem line(200);
  ASSERT_EQ(batcher->Submit(&line, Lane::kBatch), Admission::kAdmitted);
  // The pace is known after a quarter of a second.
  TestItem refused(200);
  const absl::Time end = absl::Now() + absl::Seconds(60);
  while (batcher->LineNs(Lane::kBatch) == 0 && absl::Now() < end) {
    const Admission admission = batcher->Submit(&refused, Lane::kBatch);
    ASSERT_NE(admission, Admission::kAdmitted);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  // Those before it take 20 ms each, at least.
  EXPECT_GE(batcher->LineNs(Lane::kBatch), int64_t{20'000'000});
  EXPECT_EQ(batcher->LineNs(Lane::kInteractive), 0);
  EXPECT_EQ(batcher->drain_ends_ns(), kNeverNs);
  batcher->BeginDrain(absl::Milliseconds(1));
  EXPECT_EQ(batcher->Submit(&refused, Lane::kInteractive),
            Admission::kShuttingDown);
  EXPECT_GT(batcher->DrainLineNs(), 0);
  EXPECT_LT(batcher->drain_ends_ns(), NowNs() + int64_t{1'000'000});
  batcher->Drain(absl::Milliseconds(1));
}

TEST(BatcherTest, DrainingFinishesAllThatWasAdmittedOrWaitsAndTakesNoMore) {
  Bench bench;
  auto batcher = MakeBatcher(&bench, {.worker_batch_filings_max = 64,
                                      .lane_filings_max = {100, 100, 100}});
  TestItem busy(1);
  Occupy(&bench, batcher.get(), &busy);
  TestItem queued(90);
  TestItem waiting(60);
  TestItem waiting_too(60);
  EXPECT_EQ(batcher->Submit(&queued, Lane::kInteractive), Admission::kAdmitted);
  EXPECT_EQ(batcher->SubmitOrWait(&waiting), Admission::kAdmitted);
  EXPECT_EQ(batcher->SubmitOrWait(&waiting_too), Admission::kWaiting);
  std::thread drain([&] { batcher->Drain(absl::InfiniteDuration()); });
  TestItem refused(50);
  while (batcher->Submit(&refused, Lane::kInteractive) !=
         Admission::kShuttingDown) {
    std::this_thread::yield();
  }
  EXPECT_EQ(batcher->SubmitOrWait(&refused), Admission::kShuttingDown);
  bench.open = true;
  drain.join();
  for (TestItem* item : {&busy, &queued, &waiting, &waiting_too}) {
    ASSERT_TRUE(item->done.happened());
    EXPECT_EQ(item->result, ItemResult::kJudged);
    item->ExpectRightVerdicts();
  }
}

TEST(BatcherTest, ADrainOutOfTimeAbandonsWhatNoWorkerHasBegun) {
  for (const bool hurried : {false, true}) {
    Bench bench;
    auto batcher = MakeBatcher(&bench, {.worker_batch_filings_max = 64,
                                        .lane_filings_max = {100, 100, 10}});
    TestItem busy(100);
    Occupy(&bench, batcher.get(), &busy);
    TestItem queued(90);
    TestItem in_stream(10);
    TestItem waiting(60);
    EXPECT_EQ(batcher->Submit(&queued, Lane::kBatch), Admission::kAdmitted);
    EXPECT_EQ(batcher->SubmitOrWait(&in_stream), Admission::kAdmitted);
    EXPECT_EQ(batcher->SubmitOrWait(&waiting), Admission::kWaiting);
    std::thread drain([&] {
      batcher->Drain(hurried ? absl::InfiniteDuration()
                             : absl::Milliseconds(1));
    });
    // The lane is full, so this is refused before and after, but differently.
    TestItem refused(100);
    while (batcher->Submit(&refused, Lane::kBatch) !=
           Admission::kShuttingDown) {
      std::this_thread::yield();
    }
    // Let go of the worker only once the drain has given up.
    if (hurried) {
      batcher->Hurry();
    } else {
      absl::SleepFor(absl::Milliseconds(200));
    }
    bench.open = true;
    drain.join();
    for (TestItem* item : {&queued, &in_stream, &waiting}) {
      ASSERT_TRUE(item->done.happened());
      if (hurried) {
        EXPECT_EQ(item->result, ItemResult::kAbandoned);
      }
    }
    const BatcherCounters counters = batcher->counters();
    EXPECT_EQ(counters.filings_judged + counters.filings_abandoned, 260U);
    EXPECT_GE(counters.filings_judged, 64U);
    EXPECT_EQ(counters.filings_waiting + counters.filings_held_back, 0U);
  }
}

TEST(BatcherTest, WorkersThatGetAnywhereHaveAPulse) {
  Bench bench;
  auto batcher = MakeBatcher(&bench);
  const auto pulse = [&] { return batcher->pulses().at(0); };
  // An idle worker beats too.
  const uint64_t idle = pulse();
  while (pulse() == idle) absl::SleepFor(absl::Milliseconds(10));
  TestItem busy(1);
  Occupy(&bench, batcher.get(), &busy);
  const uint64_t stuck = pulse();
  absl::SleepFor(absl::Milliseconds(1500));
  EXPECT_EQ(pulse(), stuck);
  bench.open = true;
  while (pulse() == stuck) absl::SleepFor(absl::Milliseconds(10));
  batcher->Drain(absl::InfiniteDuration());
}

TEST(BatcherTest, NoCompletionIsLostOrSwappedUnderManyThreads) {
  Bench bench;
  auto batcher = MakeBatcher(&bench, {.workers = 3,
                                      .worker_batch_filings_max = 37,
                                      .lane_filings_max = {500, 500, 250}});
  constexpr int kThreads = 6;
  constexpr int kItems = 300;
  std::atomic<uint64_t> judged{0};
  std::atomic<uint64_t> refused{0};
  std::atomic<uint64_t> cancelled{0};
  std::vector<std::thread> clients;
  for (int t = 0; t < kThreads; ++t) {
    clients.emplace_back([&, t] {
      for (int i = 0; i < kItems; ++i) {
        TestItem item(static_cast<size_t>(1 + (i * 7 + t) % 120), kNeverNs, 10,
                      t * 100000 + i);
        const int kind = (i + t) % 3;
        const Admission admission =
            kind == 0 ? batcher->SubmitOrWait(&item)
                      : batcher->Submit(&item, kind == 1 ? Lane::kInteractive
                                                         : Lane::kBatch);
        if (admission == Admission::kFull) {
          refused.fetch_add(item.filings());
          continue;
        }
        if (i % 16 == 3) item.Cancel();
        item.done.Wait();
        if (item.result == ItemResult::kJudged) {
          item.ExpectRightVerdicts();
          judged.fetch_add(item.filings());
        } else {
          EXPECT_EQ(i % 16, 3);
          cancelled.fetch_add(item.filings());
        }
      }
    });
  }
  for (std::thread& client : clients) client.join();
  batcher->Drain(absl::InfiniteDuration());
  const BatcherCounters counters = batcher->counters();
  EXPECT_EQ(counters.filings_refused, refused.load());
  EXPECT_EQ(counters.filings_judged + counters.filings_cancelled,
            judged.load() + cancelled.load());
  EXPECT_EQ(counters.filings_waiting, 0U);
  EXPECT_THAT(bench.Batches(), testing::Each(Le(37U)));
}

}  // namespace
}  // namespace inkan
