// Items that wait for a worker, in lanes that share each batch by weight.
//
//   BatchLanes lanes(/*interactive_weight=*/3, /*bulk_weight=*/1);
//   lanes.Push(Lane::kBatch, item);
//   lanes.Take(512, &pieces);
//
// While the interactive and the bulk lane both have work, filings are taken
// from them in the proportion of their weights; within the bulk lane, batches
// and streams take equal turns. A lane alone gets everything. So a lone
// interactive filing is always in the next batch, whatever the bulk lane holds,
// and no lane waits for ever. Within a lane: first come, first taken.
//
// Thread safety: none; the batcher's mutex guards it. Ownership: items are the
// caller's.
#ifndef INKAN_SERVER_BATCH_LANES_H_
#define INKAN_SERVER_BATCH_LANES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "server/batch_item.h"

namespace inkan {

// Items in a row; an item is in one list at most.
class ItemList {
 public:
  bool empty() const { return front_ == nullptr; }
  BatchItem* front() const { return front_; }
  void PushBack(BatchItem* item);
  void Remove(BatchItem* item);

 private:
  BatchItem* front_ = nullptr;
  BatchItem* back_ = nullptr;
};

// Some filings of one item, taken by one worker.
struct BatchPiece {
  BatchItem* item;
  size_t first;
  size_t count;
};

// Whose turn it is of two, by weight, counted in filings.
class Turns {
 public:
  Turns(uint64_t first_weight, uint64_t second_weight)
      : weights_{first_weight, second_weight} {}
  // 0 or 1. REQUIRES: at least one has work.
  size_t Next(bool first_has_work, bool second_has_work);
  void Took(size_t which, size_t filings) { served_[which] += filings; }

 private:
  const std::array<uint64_t, 2> weights_;
  // Since both have had work.
  std::array<uint64_t, 2> served_{};
};

class BatchLanes {
 public:
  BatchLanes(uint32_t interactive_weight, uint32_t bulk_weight)
      : classes_(interactive_weight, bulk_weight), bulk_(1, 1) {}

  void Push(Lane lane, BatchItem* item);
  // Moves up to `room` filings to `pieces`.
  void Take(size_t room, std::vector<BatchPiece>* pieces);
  // Takes a queued item out; returns how many of its filings were left.
  size_t Remove(BatchItem* item);
  // Any item, or null.
  BatchItem* Any() const;

  size_t filings(Lane lane) const { return lanes_[Index(lane)].filings; }
  size_t filings() const {
    return lanes_[0].filings + lanes_[1].filings + lanes_[2].filings;
  }

 private:
  struct Queue {
    ItemList items;
    size_t filings = 0;
  };
  static constexpr size_t Index(Lane lane) { return static_cast<size_t>(lane); }
  bool Has(Lane lane) const { return filings(lane) > 0; }
  Lane NextLane();

  std::array<Queue, kLanes> lanes_;
  Turns classes_;  // interactive, bulk
  Turns bulk_;     // batch, stream
};

}  // namespace inkan

#endif  // INKAN_SERVER_BATCH_LANES_H_
