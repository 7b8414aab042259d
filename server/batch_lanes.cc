#include "server/batch_lanes.h"

#include <algorithm>

namespace inkan {
namespace {

// Filings one lane may take before the other has its turn, while both have
// work: small against a worker's batch (512), large enough that a batch is not
// cut into crumbs.
constexpr size_t kTurn = 16;

}  // namespace

void ItemList::PushBack(BatchItem* item) {
  item->previous_ = back_;
  item->next_ = nullptr;
  (back_ == nullptr ? front_ : back_->next_) = item;
  back_ = item;
}

void ItemList::Remove(BatchItem* item) {
  (item->previous_ == nullptr ? front_ : item->previous_->next_) = item->next_;
  (item->next_ == nullptr ? back_ : item->next_->previous_) = item->previous_;
  item->previous_ = nullptr;
  item->next_ = nullptr;
}

size_t Turns::Next(bool first_has_work, bool second_has_work) {
  if (!first_has_work || !second_has_work) {
    served_ = {};  // who was alone owes nothing
    return first_has_work ? 0 : 1;
  }
  return served_[0] * weights_[1] <= served_[1] * weights_[0] ? 0 : 1;
}

void BatchLanes::Push(Lane lane, BatchItem* item) {
  Queue& queue = lanes_[Index(lane)];
  item->place_ = BatchItem::Place::kQueued;
  item->lane_ = lane;
  queue.items.PushBack(item);
  queue.filings += item->filings_;
}

Lane BatchLanes::NextLane() {
  const bool bulk = Has(Lane::kBatch) || Has(Lane::kStream);
  if (classes_.Next(Has(Lane::kInteractive), bulk) == 0) {
    return Lane::kInteractive;
  }
  return bulk_.Next(Has(Lane::kBatch), Has(Lane::kStream)) == 0 ? Lane::kBatch
                                                                : Lane::kStream;
}

void BatchLanes::Take(size_t room, std::vector<BatchPiece>* pieces) {
  while (room > 0 && filings() > 0) {
    const Lane lane = NextLane();
    Queue& queue = lanes_[Index(lane)];
    const size_t turn = queue.filings == filings() ? room : kTurn;
    BatchItem* item = queue.items.front();
    const size_t count = std::min({room, turn, item->filings_ - item->taken_});
    // Two turns of one item in a row are one piece.
    if (!pieces->empty() && pieces->back().item == item) {
      pieces->back().count += count;
    } else {
      pieces->push_back({item, item->taken_, count});
    }
    item->taken_ += count;
    room -= count;
    queue.filings -= count;
    if (item->taken_ == item->filings_) {
      queue.items.Remove(item);
      item->place_ = BatchItem::Place::kNowhere;
    }
    classes_.Took(lane == Lane::kInteractive ? 0 : 1, count);
    if (lane != Lane::kInteractive) {
      bulk_.Took(lane == Lane::kBatch ? 0 : 1, count);
    }
  }
}

size_t BatchLanes::Remove(BatchItem* item) {
  Queue& queue = lanes_[Index(item->lane_)];
  queue.items.Remove(item);
  item->place_ = BatchItem::Place::kNowhere;
  const size_t left = item->filings_ - item->taken_;
  item->taken_ = item->filings_;
  queue.filings -= left;
  return left;
}

BatchItem* BatchLanes::Any() const {
  for (const Queue& queue : lanes_) {
    if (!queue.items.empty()) return queue.items.front();
  }
  return nullptr;
}

}  // namespace inkan
