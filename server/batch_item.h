// The filings of one request, as work for the batcher (server/batcher.h).
//
// Ownership: an item belongs to the caller and must live until its Finished is
// entered; it may live longer. From admission until it is destroyed it holds
// its share of the batcher's memory bound, from ShrinkTo on a smaller one:
// destroy it no sooner than the answer has been taken from it, and before the
// batcher. Thread safety:
// callbacks run on workers, or within Batcher::Submit on the thread that brings
// a lone filing, those of one item at the same time for different filings, and
// Finished alone and last.
#ifndef INKAN_SERVER_BATCH_ITEM_H_
#define INKAN_SERVER_BATCH_ITEM_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "cache/snapshot.h"
#include "server/lane.h"
#include "server/steady_clock.h"
#include "server/verdict_record.h"
#include "server/verifier.h"

namespace inkan {

class Batcher;

enum class ItemResult : uint8_t {
  kJudged,
  kExpired,     // its deadline passed first
  kCancelled,   // nobody waits for it any more
  kAbandoned,   // the server had no more time to shut down in
  kUnrecorded,  // the audit log could not take the verdicts
};

class BatchItem {
 public:
  // `filings` at least 1; `bytes` is what the item holds in memory.
  // Both moments by NowNs, so that nobody who sets the clock makes a request
  // late: `deadline_ns` is when nobody waits for the answer any more,
  // `received_ns` when the request came, for the measure of waiting; 0: not
  // known.
  BatchItem(size_t filings, size_t bytes, int64_t deadline_ns,
            int64_t received_ns = 0)
      : filings_(filings),
        bytes_(bytes),
        deadline_ns_(deadline_ns),
        received_ns_(received_ns) {}
  // Gives its share of memory back.
  virtual ~BatchItem();
  BatchItem(const BatchItem&) = delete;
  BatchItem& operator=(const BatchItem&) = delete;

  // Nobody waits for the answer any more: what no worker has taken yet leaves
  // the queue now, and Finished follows from a worker. From any thread, also
  // after Finished.
  void Cancel();
  // The item holds only `bytes` any more: what is over has been freed, and is
  // given back to whoever waits for room. REQUIRES: Finished was entered, or
  // the item was not admitted.
  void ShrinkTo(size_t bytes);
  size_t filings() const { return filings_; }
  size_t bytes() const { return bytes_; }

  // Fills views[i] with filing `first + i`. What a view points to lives until
  // the verdicts have been taken.
  virtual void MakeViews(const Snapshot& snapshot, size_t first,
                         absl::Span<FilingView> views) = 0;
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
  friend class BatchLanes;
  friend class ItemList;

  // Where the item is; guarded by the batcher's mutex.
  enum class Place : uint8_t { kNowhere, kWaiting, kQueued };

  const size_t filings_;
  // Changes only once nobody else has the item.
  size_t bytes_;
  const int64_t deadline_ns_;
  const int64_t received_ns_;
  std::atomic<bool> cancelled_{false};
  // Set once, at submission.
  Batcher* batcher_ = nullptr;
  Lane lane_ = Lane::kInteractive;

  // Guarded by the batcher's mutex.
  Place place_ = Place::kNowhere;
  size_t taken_ = 0;  // filings handed to workers
  BatchItem* previous_ = nullptr;
  BatchItem* next_ = nullptr;

  // Filings not settled yet, and one more while Admitted is owed; whoever
  // brings it to 0 finishes the item.
  std::atomic<size_t> unsettled_{0};
  // Set once a piece was dropped; the result of the whole.
  std::atomic<ItemResult> result_{ItemResult::kJudged};
};

}  // namespace inkan

#endif  // INKAN_SERVER_BATCH_ITEM_H_
