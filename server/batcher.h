// Turns requests into batches for the verifier: a bounded queue, and worker
// threads that each take whatever waits, up to a cap, and judge it together.
//
//   Batcher batcher(options, MakeJudge);
//   if (batcher.Submit(&item) != Admission::kAdmitted) refuse;   // never
//   blocks
//   ... item.Finished(...) is called once, on a worker
//   batcher.Drain();
//
// Nothing waits for company: a lone request on an idle server is taken at once,
// and batches form from what came while the workers were busy. A request larger
// than a worker's cap is cut into pieces that several workers may judge at the
// same time; each piece is judged by one snapshot.
//
// Promises: every admitted item is finished exactly once, whatever happens, and
// judged if its result is kJudged. Expired and cancelled items are dropped
// before any cryptography, a filing of theirs that is in work already is
// judged.
//
// Ownership: an item belongs to the caller and must live until its Finished is
// entered; the batcher does not touch it afterwards. Thread safety: every
// method from any thread; item callbacks run on workers, those of one item at
// the same time for different filings, and Finished alone and last.
#ifndef INKAN_SERVER_BATCHER_H_
#define INKAN_SERVER_BATCHER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <memory_resource>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "cache/mutex.h"
#include "cache/snapshot.h"
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

// kUnrecorded: the audit log could not take the verdicts.
enum class ItemResult : uint8_t { kJudged, kExpired, kCancelled, kUnrecorded };

// The filings of one request.
class BatchItem {
 public:
  // `filings` at least 1; `bytes` is what the item holds in memory.
  // `received` is when the request came, for the measure of waiting.
  BatchItem(size_t filings, size_t bytes, absl::Time deadline,
            absl::Time received = absl::InfinitePast())
      : filings_(filings),
        bytes_(bytes),
        deadline_(deadline),
        received_(received) {}
  virtual ~BatchItem() = default;
  BatchItem(const BatchItem&) = delete;
  BatchItem& operator=(const BatchItem&) = delete;

  // Nobody waits for the answer any more. From any thread, before Finished.
  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  size_t filings() const { return filings_; }

  // Fills views[i] with filing `first + i`. Lists that a view points to may be
  // put in `memory`, which lives until the verdicts have been taken.
  virtual void MakeViews(const Snapshot& snapshot, size_t first,
                         absl::Span<FilingView> views,
                         std::pmr::memory_resource* memory) = 0;
  // The verdicts on the same filings, while the snapshot is still pinned. Adds
  // one record for each, unless `records` is null.
  virtual void TakeVerdicts(const Snapshot& snapshot, size_t first,
                            absl::Span<const FilingVerdict> verdicts,
                            std::vector<VerdictRecord>* records) = 0;
  // A waiting item (SubmitOrWait) has been let into the queue.
  virtual void Admitted() {}
  // All is done; the item may destroy itself.
  virtual void Finished(ItemResult result) = 0;

 private:
  friend class Batcher;

  const size_t filings_;
  const size_t bytes_;
  const absl::Time deadline_;
  const absl::Time received_;
  std::atomic<bool> cancelled_{false};
  // Filings handed to workers; guarded by the batcher's mutex.
  size_t taken_ = 0;
  // Filings not settled yet, and one more while Admitted is owed; whoever
  // brings it to 0 finishes the item.
  std::atomic<size_t> unsettled_{0};
  // Set once a piece was dropped; the result of the whole.
  std::atomic<ItemResult> result_{ItemResult::kJudged};
};

enum class Admission : uint8_t { kAdmitted, kWaiting, kFull, kShuttingDown };

struct BatcherOptions {
  unsigned workers = 1;
  size_t worker_batch_filings_max = 512;
  size_t queue_filings_max = 65536;
  size_t queue_bytes_max = size_t{1} << 30;
};

struct BatcherCounters {
  uint64_t filings_judged = 0;
  // Not judged, by reason.
  uint64_t filings_refused = 0;  // the queue was full, or shutting down
  uint64_t filings_expired = 0;
  uint64_t filings_cancelled = 0;
  uint64_t filings_unrecorded = 0;  // the audit log could not take them
  uint64_t batches = 0;
  uint64_t filings_waiting = 0;  // now
  uint64_t bytes_held = 0;       // now, waiting or in work
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

  // Queues the item, or refuses it at once. Unless kAdmitted is returned the
  // item was not kept.
  Admission Submit(BatchItem* item) ABSL_LOCKS_EXCLUDED(mutex_);

  // For callers that can hold back their client: where Submit would refuse, the
  // item waits (kWaiting) and is let in, in order, as room appears. Work that
  // can wait may fill half of the queue, so that calls that cannot still find
  // room. Never returns kFull.
  Admission SubmitOrWait(BatchItem* item) ABSL_LOCKS_EXCLUDED(mutex_);

  // Takes nothing new, finishes everything admitted or waiting, and ends the
  // workers.
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);

  BatcherCounters counters() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Some filings of one item, taken by one worker.
  struct Piece {
    BatchItem* item;
    size_t first;
    size_t count;
  };
  struct Worker;

  bool Fits(const BatchItem& item, bool can_wait) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Enqueue(BatchItem* item) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void LetIn(std::vector<BatchItem*>* admitted)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakePieces(std::vector<Piece>* pieces)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool WaitForWork(Worker* worker) ABSL_LOCKS_EXCLUDED(mutex_);
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  void TellAdmitted(Worker* worker);
  void DropDead(Worker* worker);
  void JudgePieces(Worker* worker);
  void DropUnrecorded(Worker* worker);
  void Settle(Worker* worker, BatchItem* item, size_t parts);

  const BatcherOptions options_;
  const JudgeFactory make_judge_;

  std::atomic<uint64_t> judged_{0};
  std::atomic<uint64_t> refused_{0};
  std::atomic<uint64_t> expired_{0};
  std::atomic<uint64_t> cancelled_{0};
  std::atomic<uint64_t> unrecorded_{0};
  std::atomic<uint64_t> batches_{0};

  mutable Mutex mutex_;
  CondVar work_;
  // Items with filings not taken yet.
  std::deque<BatchItem*> queue_ ABSL_GUARDED_BY(mutex_);
  size_t queue_filings_ ABSL_GUARDED_BY(mutex_) = 0;
  // Waiting for room, not in the queue.
  std::deque<BatchItem*> waiting_ ABSL_GUARDED_BY(mutex_);
  // Octets queued and in work.
  size_t bytes_held_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t idle_workers_ ABSL_GUARDED_BY(mutex_) = 0;
  bool shutting_down_ ABSL_GUARDED_BY(mutex_) = false;

  Mutex join_mutex_;
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(join_mutex_);
};

}  // namespace inkan

#endif  // INKAN_SERVER_BATCHER_H_
