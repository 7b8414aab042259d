// Turns requests into batches for the verifier: a bounded queue in lanes, and
// worker threads that each take whatever waits, up to a cap, and judge it
// together.
//
//   Batcher batcher(options, MakeJudge);
//   if (batcher.Submit(&item, Lane::kBatch) != Admission::kAdmitted) refuse;
//   ... item.Finished(...) is called once, on a worker or within Submit
//   batcher.Drain(absl::InfiniteDuration());
//
// Nothing waits for company: a lone request on an idle server is taken at once,
// and batches form from what came while the workers were busy. A request larger
// than a worker's cap is cut into pieces that several workers may judge at the
// same time; each piece is judged by one snapshot.
//
// Promises: every admitted item is finished exactly once, whatever happens, and
// judged if its result is kJudged. Expired and cancelled items are dropped
// before any cryptography, a filing of theirs that is in work already is
// judged. Every octet of an item counts from admission until it is freed: the
// request's until the answer is made (BatchItem::ShrinkTo), the answer's until
// gRPC has taken it and the item is destroyed.
//
// Thread safety: every method from any thread.
#ifndef INKAN_SERVER_BATCHER_H_
#define INKAN_SERVER_BATCHER_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "cache/mutex.h"
#include "cache/snapshot.h"
#include "server/batch_item.h"
#include "server/batch_lanes.h"
#include "server/lane.h"
#include "server/lane_pace.h"
#include "server/steady_clock.h"
#include "server/verdict_record.h"
#include "server/verifier.h"

namespace inkan {

// What a worker judges with; each has its own.
class Judge {
 public:
  virtual ~Judge() = default;
  // The snapshot in force; valid until the next Pin on this judge.
  virtual const Snapshot& Pin() = 0;
  virtual void Verify(absl::Span<const FilingView> filings,
                      absl::Span<FilingVerdict> verdicts) = 0;

  // Asked before each batch: false if its verdicts could not be written down
  // anyway, and the batch is dropped as kUnrecorded.
  virtual bool Ready() { return true; }
  // Told each batch's verdicts before any of them is sent: false if they must
  // not be, since they could not be written down.
  virtual bool Record(const Snapshot& /*snapshot*/,
                      const BatchRecord& /*record*/) {
    return true;
  }
};

enum class Admission : uint8_t { kAdmitted, kWaiting, kFull, kShuttingDown };

// Why nothing more is taken: too many filings in the lane, too many octets in
// all, too long to wait, or the end.
enum class Refusal : uint8_t { kFilings, kBytes, kWait, kShuttingDown };
inline constexpr size_t kRefusals = 4;

struct BatcherOptions {
  unsigned workers = 1;
  size_t worker_batch_filings_max = 512;
  // Filings queued in each lane (by Lane). A lane that is empty takes one item
  // of any size, or a large one would be refused for ever.
  std::array<size_t, kLanes> lane_filings_max = {4096, 32768, 16384};
  // Filings of streams that wait for room in their lane. One item of any size
  // may.
  size_t held_back_filings_max = 262'144;
  // Octets of all items. Bulk items may hold three quarters of it, so that an
  // interactive one finds room whatever they do; a stream's wait from one half,
  // and are refused from five eighths on: what waits must not take the room of
  // batches, which cannot.
  size_t bytes_max = size_t{1} << 30;
  // How long a request may have to wait in its lane; see AskRoom.
  int64_t wait_ns_max = 100'000'000;
  // Whether Submit may judge a lone filing itself, in the place of a worker
  // that sleeps.
  bool judge_lone_at_once = false;
  uint32_t interactive_weight = 3;
  uint32_t bulk_weight = 1;
};

struct BatcherCounters {
  uint64_t filings_judged = 0;
  // Not judged, by reason.
  uint64_t filings_refused = 0;  // at the door, for whatever reason
  std::array<uint64_t, kRefusals> refused = {};  // the same, by Refusal
  uint64_t filings_expired = 0;
  uint64_t filings_cancelled = 0;
  uint64_t filings_unrecorded = 0;  // the audit log could not take them
  uint64_t filings_abandoned = 0;   // the drain had to end
  uint64_t batches = 0;
  // Now:
  uint64_t filings_waiting = 0;  // for a worker, in all lanes
  std::array<uint64_t, kLanes> lane_filings = {};
  uint64_t filings_held_back = 0;  // of streams that wait for room
  uint64_t bytes_held = 0;
};

class Batcher {
 public:
  using JudgeFactory = std::function<std::unique_ptr<Judge>()>;

  // Starts the workers; `make_judge` is called once on each.
  Batcher(const BatcherOptions& options, JudgeFactory make_judge);
  // Drains.
  ~Batcher();
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  // Whether a request may come. Asked before it is read, so that a refusal
  // costs next to nothing; it counts as one filing refused, for how many it has
  // is not known then. The only place that asks for the time a request would
  // wait, by the lane's pace: no longer than wait_ns_max, and not beyond its
  // deadline (NowNs). 128 filings for each worker are taken whatever the pace,
  // so that all stay busy. kAdmitted, kFull or kShuttingDown.
  Admission AskRoom(Lane lane, int64_t deadline_ns) ABSL_LOCKS_EXCLUDED(mutex_);

  // Queues the item, or refuses it at once. Unless kAdmitted is returned the
  // item was not kept. A lone filing (of the interactive lane, with nothing in
  // any lane and none before it for a while) may be judged here, on the
  // caller's thread: waking a worker takes a fifth of what judging does. So
  // hold no lock that the item's Finished takes.
  Admission Submit(BatchItem* item, Lane lane) ABSL_LOCKS_EXCLUDED(mutex_);

  // For streams, which can hold back their client: where the lane is full, the
  // item waits (kWaiting) and is let in, in order, as room appears. kFull only
  // if there is no room even to wait in, in octets or filings. Never judges
  // here.
  Admission SubmitOrWait(BatchItem* item) ABSL_LOCKS_EXCLUDED(mutex_);

  // Takes nothing new, and ends the workers once everything admitted or waiting
  // is finished. The first call counts: it says when Drain gives up.
  void BeginDrain(absl::Duration at_most) ABSL_LOCKS_EXCLUDED(mutex_);
  // Begins a drain if none was, and returns when it has ended. What has not
  // been begun by its end is abandoned.
  void Drain(absl::Duration at_most) ABSL_LOCKS_EXCLUDED(mutex_);
  // Lets a drain that is under way, or to come, abandon what waits now.
  void Hurry() ABSL_LOCKS_EXCLUDED(mutex_);

  // How long the lane's line was when it last refused somebody: 0 if that is
  // not known. For push-back.
  int64_t LineNs(Lane lane) const {
    return line_ns_[static_cast<size_t>(lane)].load(std::memory_order_relaxed);
  }
  // The same of the longest line during a drain.
  int64_t DrainLineNs() const {
    return drain_line_ns_.load(std::memory_order_relaxed);
  }
  // When the drain gives up, by NowNs; kNeverNs without one.
  int64_t drain_ends_ns() const {
    return drain_ends_ns_.load(std::memory_order_relaxed);
  }

  const BatcherOptions& options() const { return options_; }
  BatcherCounters counters() const ABSL_LOCKS_EXCLUDED(mutex_);

  // One number for each worker that grows at least once in a second while
  // the worker gets anywhere. For watchdogs.
  std::vector<uint64_t> pulses() const;

 private:
  friend class BatchItem;
  struct Worker;

  bool TakeMemory(BatchItem* item, size_t bound);
  void Release(size_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  void Cancel(BatchItem* item) ABSL_LOCKS_EXCLUDED(mutex_);
  Admission Refuse(size_t filings, Lane lane, Refusal why)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int64_t LineOf(Lane lane) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteDrainLine() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  size_t BytesBound(Lane lane) const;
  bool LaneHasRoom(size_t filings, Lane lane) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Enqueue(BatchItem* item, Lane lane)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void LetIn(std::vector<BatchItem*>* admitted)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool MayLetIn() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakePieces(std::vector<BatchPiece>* pieces)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AbandonAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Worker* BorrowWorker(const BatchItem& item, Lane lane)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void JudgeLone(Worker* worker, BatchItem* item) ABSL_LOCKS_EXCLUDED(mutex_);
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Sleep(Worker* worker) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool WaitForWork(Worker* worker) ABSL_LOCKS_EXCLUDED(mutex_);
  void Run(std::atomic<uint64_t>* pulse) ABSL_LOCKS_EXCLUDED(mutex_);
  void TellAdmitted(Worker* worker);
  void Drop(const BatchPiece& piece, ItemResult result);
  void DropDead(Worker* worker);
  void JudgePieces(Worker* worker);
  void DropUnrecorded(Worker* worker);
  void Settle(BatchItem* item, size_t parts);

  // Filings taken out of the queue, to be finished unjudged by a worker.
  struct Dead {
    BatchPiece piece;
    ItemResult result;
  };

  const BatcherOptions options_;
  const JudgeFactory make_judge_;

  std::atomic<uint64_t> judged_{0};
  std::array<std::atomic<uint64_t>, kRefusals> refused_{};
  std::atomic<uint64_t> expired_{0};
  std::atomic<uint64_t> cancelled_{0};
  std::atomic<uint64_t> abandoned_{0};
  std::atomic<uint64_t> unrecorded_{0};
  std::atomic<uint64_t> batches_{0};
  std::vector<std::atomic<uint64_t>> pulses_;
  std::array<std::atomic<int64_t>, kLanes> line_ns_{};
  std::atomic<int64_t> drain_line_ns_{0};
  std::atomic<int64_t> drain_ends_ns_{kNeverNs};

  // Octets of all items that live.
  std::atomic<size_t> bytes_held_{0};
  // Whether memory given back may let somebody in.
  std::atomic<bool> held_back_{false};

  mutable Mutex mutex_;
  CondVar work_;
  CondVar ended_;
  CondVar returned_;
  BatchLanes lanes_ ABSL_GUARDED_BY(mutex_);
  std::array<LanePace, kLanes> paces_ ABSL_GUARDED_BY(mutex_);
  // Waiting for room, not in a lane.
  ItemList waiting_ ABSL_GUARDED_BY(mutex_);
  size_t waiting_filings_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Dead> dead_ ABSL_GUARDED_BY(mutex_);
  // Those that sleep and are not lent.
  size_t idle_workers_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Worker*> sleepers_ ABSL_GUARDED_BY(mutex_);
  // When the last interactive item came.
  int64_t last_interactive_ns_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t running_workers_ ABSL_GUARDED_BY(mutex_) = 0;
  bool shutting_down_ ABSL_GUARDED_BY(mutex_) = false;
  bool hurry_ ABSL_GUARDED_BY(mutex_) = false;

  Mutex join_mutex_;
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(join_mutex_);
};

}  // namespace inkan

#endif  // INKAN_SERVER_BATCHER_H_
