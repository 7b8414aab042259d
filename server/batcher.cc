#include "server/batcher.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "server/steady_clock.h"

namespace inkan {
namespace {

// A worker leaves work to the others down to this many filings: enough to fill
// the lanes of the RSA kernel several times.
constexpr size_t kShareMin = 64;

// How long a worker without work holds on to the snapshot it last used, and
// the longest between two beats of its pulse.
constexpr std::chrono::milliseconds kIdlePin{1000};

// Filings for each worker that a lane may hold whatever its pace: what keeps it
// busy until more has come.
constexpr size_t kBusyMin = 2 * kShareMin;

// A filing is lone if none came for this long before it: on a busy server
// batches are what makes filings cheap, and whoever judges one meanwhile reads
// no others.
constexpr int64_t kLoneGapNs = 200'000;
// A larger document, or a list of intermediates, is work for a worker.
constexpr size_t kLoneBytesMax = 65'536;

// The part of the memory bound that bulk items may hold.
constexpr size_t BulkPart(size_t bytes) { return bytes - bytes / 4; }
// Up to which a stream's item may wait, and up to which it is let in.
constexpr size_t WaitPart(size_t bytes) { return bytes / 8 * 5; }
constexpr size_t LetInPart(size_t bytes) { return bytes / 2; }

}  // namespace

BatchItem::~BatchItem() {
  if (batcher_ != nullptr) batcher_->Release(bytes_);
}

void BatchItem::ShrinkTo(size_t bytes) {
  if (bytes >= bytes_) return;
  const size_t over = bytes_ - bytes;
  bytes_ = bytes;
  if (batcher_ != nullptr) batcher_->Release(over);
}

void BatchItem::Cancel() {
  cancelled_.store(true, std::memory_order_relaxed);
  if (batcher_ != nullptr) batcher_->Cancel(this);
}

// What one worker carries from round to round.
struct Batcher::Worker {
  explicit Worker(std::unique_ptr<Judge> worker_judge)
      : judge(std::move(worker_judge)) {}

  // Somebody judges in its place: whatever is in here is theirs.
  bool lent = false;
  std::atomic<uint64_t>* pulse = nullptr;
  std::unique_ptr<Judge> judge;
  std::vector<BatchItem*> admitted;  // to be told so
  std::vector<Dead> dead;            // to be finished unjudged
  std::vector<BatchPiece> pieces;
  std::vector<FilingView> views;
  std::vector<FilingVerdict> verdicts;
  BatchRecord record;
};

Batcher::Batcher(const BatcherOptions& options, JudgeFactory make_judge)
    : options_(options),
      make_judge_(std::move(make_judge)),
      pulses_(std::max(1U, options.workers)),
      lanes_(options.interactive_weight, options.bulk_weight) {
  {
    MutexLock lock(&mutex_);
    running_workers_ = pulses_.size();
  }
  MutexLock lock(&join_mutex_);
  for (std::atomic<uint64_t>& pulse : pulses_) {
    threads_.emplace_back([this, &pulse] { Run(&pulse); });
  }
}

Batcher::~Batcher() { Drain(absl::InfiniteDuration()); }

// --- Admission ---

// Counts the item's octets, unless that would pass `bound`. If nothing is held
// the item fits: the configuration sees to it that one message does.
bool Batcher::TakeMemory(BatchItem* item, size_t bound) {
  size_t held = bytes_held_.load(std::memory_order_relaxed);
  do {
    if (held != 0 && (held > bound || item->bytes_ > bound - held)) {
      return false;
    }
  } while (!bytes_held_.compare_exchange_weak(held, held + item->bytes_));
  item->batcher_ = this;
  return true;
}

void Batcher::Release(size_t bytes) {
  bytes_held_.fetch_sub(bytes);
  if (!held_back_.load()) return;
  MutexLock lock(&mutex_);
  if (idle_workers_ > 0 && MayLetIn()) work_.Signal();
}

int64_t Batcher::LineOf(Lane lane) const {
  const size_t held_back = lane == Lane::kStream ? waiting_filings_ : 0;
  return paces_[static_cast<size_t>(lane)].WaitNs(lanes_.filings(lane) +
                                                  held_back);
}

Admission Batcher::Refuse(size_t filings, Lane lane, Refusal why) {
  refused_[static_cast<size_t>(why)].fetch_add(filings,
                                               std::memory_order_relaxed);
  if (why != Refusal::kShuttingDown) {
    line_ns_[static_cast<size_t>(lane)].store(LineOf(lane),
                                              std::memory_order_relaxed);
    return Admission::kFull;
  }
  NoteDrainLine();
  return Admission::kShuttingDown;
}

// The lanes are emptied side by side.
void Batcher::NoteDrainLine() {
  int64_t longest = 0;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    longest = std::max(longest, LineOf(static_cast<Lane>(lane)));
  }
  drain_line_ns_.store(longest, std::memory_order_relaxed);
}

bool Batcher::LaneHasRoom(size_t filings, Lane lane) const {
  const size_t queued = lanes_.filings(lane);
  return queued == 0 ||
         queued + filings <=
             options_.lane_filings_max[static_cast<size_t>(lane)];
}

void Batcher::Enqueue(BatchItem* item, Lane lane) {
  lanes_.Push(lane, item);
  if (idle_workers_ > 0) work_.Signal();
}

// What items of the lane may hold in all.
size_t Batcher::BytesBound(Lane lane) const {
  return lane == Lane::kInteractive ? options_.bytes_max
                                    : BulkPart(options_.bytes_max);
}

Admission Batcher::AskRoom(Lane lane, int64_t deadline_ns) {
  const int64_t now_ns = NowNs();
  MutexLock lock(&mutex_);
  if (shutting_down_) return Refuse(1, lane, Refusal::kShuttingDown);
  if (!LaneHasRoom(1, lane)) return Refuse(1, lane, Refusal::kFilings);
  if (bytes_held_.load(std::memory_order_relaxed) >= BytesBound(lane)) {
    return Refuse(1, lane, Refusal::kBytes);
  }
  const size_t queued = lanes_.filings(lane);
  if (queued > kBusyMin * pulses_.size()) {
    const int64_t wait_ns = paces_[static_cast<size_t>(lane)].WaitNs(queued);
    if (wait_ns > options_.wait_ns_max || wait_ns > deadline_ns - now_ns) {
      return Refuse(1, lane, Refusal::kWait);
    }
  }
  return Admission::kAdmitted;
}

Admission Batcher::Submit(BatchItem* item, Lane lane) {
  item->unsettled_.store(item->filings_, std::memory_order_relaxed);
  Worker* lent = nullptr;
  {
    MutexLock lock(&mutex_);
    if (shutting_down_)
      return Refuse(item->filings_, lane, Refusal::kShuttingDown);
    if (!LaneHasRoom(item->filings_, lane))
      return Refuse(item->filings_, lane, Refusal::kFilings);
    if (!TakeMemory(item, BytesBound(lane)))
      return Refuse(item->filings_, lane, Refusal::kBytes);
    lent = BorrowWorker(*item, lane);
    if (lent == nullptr) Enqueue(item, lane);
  }
  if (lent != nullptr) JudgeLone(lent, item);
  return Admission::kAdmitted;
}

// A worker that sleeps, if the item is a lone filing and may be judged at once.
Batcher::Worker* Batcher::BorrowWorker(const BatchItem& item, Lane lane) {
  if (lane != Lane::kInteractive) return nullptr;
  const int64_t gap_ns = item.received_ns_ - last_interactive_ns_;
  last_interactive_ns_ = std::max(last_interactive_ns_, item.received_ns_);
  if (!options_.judge_lone_at_once || gap_ns < kLoneGapNs ||
      item.filings_ != 1 || item.bytes_ > kLoneBytesMax || HasWork() ||
      sleepers_.empty()) {
    return nullptr;
  }
  Worker* worker = sleepers_.back();
  sleepers_.pop_back();
  --idle_workers_;
  worker->lent = true;
  return worker;
}

// What the worker would do with it, and the worker given back.
void Batcher::JudgeLone(Worker* worker, BatchItem* item) {
  worker->pulse->fetch_add(1, std::memory_order_relaxed);
  worker->pieces.push_back({item, 0, 1});
  DropDead(worker);
  JudgePieces(worker);
  worker->pieces.clear();
  MutexLock lock(&mutex_);
  worker->lent = false;
  ++idle_workers_;
  sleepers_.push_back(worker);
  returned_.SignalAll();
  // Its thread may have been what was to be woken for what came meanwhile.
  if (HasWork()) work_.Signal();
}

Admission Batcher::SubmitOrWait(BatchItem* item) {
  MutexLock lock(&mutex_);
  if (shutting_down_)
    return Refuse(item->filings_, Lane::kStream, Refusal::kShuttingDown);
  if (!TakeMemory(item, BulkPart(options_.bytes_max))) {
    return Refuse(item->filings_, Lane::kStream, Refusal::kBytes);
  }
  // Written before MayLetIn reads what is held, as Release reads it after
  // giving back: one of the two sees the other.
  held_back_.store(true);
  const bool first = waiting_.empty();
  waiting_.PushBack(item);
  if (first && MayLetIn()) {
    waiting_.Remove(item);
    held_back_.store(false);
    item->unsettled_.store(item->filings_, std::memory_order_relaxed);
    Enqueue(item, Lane::kStream);
    return Admission::kAdmitted;
  }
  const bool too_many_octets =
      bytes_held_.load() > WaitPart(options_.bytes_max);
  const bool too_many_filings = !first && waiting_filings_ + item->filings_ >
                                              options_.held_back_filings_max;
  if (too_many_octets || too_many_filings) {
    waiting_.Remove(item);
    if (first) held_back_.store(false);
    item->batcher_ = nullptr;
    bytes_held_.fetch_sub(item->bytes_);
    return Refuse(item->filings_, Lane::kStream,
                  too_many_octets ? Refusal::kBytes : Refusal::kFilings);
  }
  item->place_ = BatchItem::Place::kWaiting;
  item->lane_ = Lane::kStream;
  waiting_filings_ += item->filings_;
  // The extra one keeps the item alive until it has been told.
  item->unsettled_.store(item->filings_ + 1, std::memory_order_relaxed);
  return Admission::kWaiting;
}

// Whether the first that waits may enter its lane. An empty lane takes it
// always: what waits holds memory too, and would else wait for itself.
bool Batcher::MayLetIn() const {
  if (waiting_.empty()) return false;
  if (lanes_.filings(Lane::kStream) == 0) return true;
  return LaneHasRoom(waiting_.front()->filings_, Lane::kStream) &&
         bytes_held_.load() <= LetInPart(options_.bytes_max);
}

void Batcher::LetIn(std::vector<BatchItem*>* admitted) {
  while (MayLetIn()) {
    BatchItem* item = waiting_.front();
    waiting_.Remove(item);
    waiting_filings_ -= item->filings_;
    admitted->push_back(item);
    Enqueue(item, Lane::kStream);
  }
  if (waiting_.empty()) held_back_.store(false);
}

// Takes out of the queue what no worker has begun.
void Batcher::Cancel(BatchItem* item) {
  MutexLock lock(&mutex_);
  size_t left = 0;
  switch (item->place_) {
    case BatchItem::Place::kNowhere:
      return;
    case BatchItem::Place::kWaiting:
      waiting_.Remove(item);
      waiting_filings_ -= item->filings_;
      item->place_ = BatchItem::Place::kNowhere;
      // It will not be told that it was let in, so that part is settled too.
      left = item->filings_ + 1;
      break;
    case BatchItem::Place::kQueued:
      left = lanes_.Remove(item);
      if (lanes_.filings(item->lane_) == 0) {
        paces_[static_cast<size_t>(item->lane_)].Emptied();
      }
      break;
  }
  dead_.push_back({{item, 0, left}, ItemResult::kCancelled});
  if (idle_workers_ > 0) work_.Signal();
}

// --- Workers ---

void Batcher::TakePieces(std::vector<BatchPiece>* pieces) {
  const size_t workers = pulses_.size();
  const size_t share = (lanes_.filings() + workers - 1) / workers;
  lanes_.Take(
      std::min(options_.worker_batch_filings_max, std::max(share, kShareMin)),
      pieces);
  if (!pieces->empty()) {
    const int64_t now_ns = NowNs();
    std::array<size_t, kLanes> taken{};
    for (const BatchPiece& piece : *pieces) {
      taken[static_cast<size_t>(piece.item->lane_)] += piece.count;
    }
    for (size_t lane = 0; lane < kLanes; ++lane) {
      if (taken[lane] == 0) continue;
      paces_[lane].Took(now_ns, taken[lane],
                        lanes_.filings(static_cast<Lane>(lane)) > 0);
    }
  }
  if (lanes_.filings() > 0 && idle_workers_ > 0) work_.Signal();
}

void Batcher::AbandonAll() {
  while (BatchItem* item = waiting_.front()) {
    waiting_.Remove(item);
    item->place_ = BatchItem::Place::kNowhere;
    dead_.push_back({{item, 0, item->filings_ + 1}, ItemResult::kAbandoned});
  }
  waiting_filings_ = 0;
  while (BatchItem* item = lanes_.Any()) {
    dead_.push_back({{item, 0, lanes_.Remove(item)}, ItemResult::kAbandoned});
  }
}

// Whether there is anything a worker would do.
bool Batcher::HasWork() const {
  return lanes_.filings() > 0 || !dead_.empty() || MayLetIn();
}

// False if nobody woke the worker for kIdlePin.
bool Batcher::Sleep(Worker* worker) {
  ++idle_workers_;
  sleepers_.push_back(worker);
  const bool woken = work_.WaitFor(&mutex_, kIdlePin);
  // Whoever meant a worker that can work means another one. (That nobody woke
  // this one may be said when somebody did just before.)
  if (worker->lent && idle_workers_ > 0 && HasWork()) work_.Signal();
  while (worker->lent) returned_.Wait(&mutex_);
  --idle_workers_;
  sleepers_.erase(std::find(sleepers_.begin(), sleepers_.end(), worker));
  return woken;
}

bool Batcher::WaitForWork(Worker* worker) {
  MutexLock lock(&mutex_);
  while (true) {
    if (shutting_down_ && hurry_) AbandonAll();
    worker->dead.swap(dead_);
    LetIn(&worker->admitted);
    TakePieces(&worker->pieces);
    if (!worker->pieces.empty() || !worker->admitted.empty() ||
        !worker->dead.empty()) {
      return true;
    }
    if (shutting_down_) {
      --running_workers_;
      ended_.SignalAll();
      return false;
    }
    if (!Sleep(worker)) return true;
  }
}

void Batcher::Run(std::atomic<uint64_t>* pulse) {
  Worker worker(make_judge_());
  worker.pulse = pulse;
  while (WaitForWork(&worker)) {
    pulse->fetch_add(1, std::memory_order_relaxed);
    TellAdmitted(&worker);
    for (const Dead& dead : worker.dead) Drop(dead.piece, dead.result);
    worker.dead.clear();
    DropDead(&worker);
    JudgePieces(&worker);
    worker.pieces.clear();
  }
}

void Batcher::TellAdmitted(Worker* worker) {
  for (BatchItem* item : worker->admitted) {
    item->Admitted();
    Settle(item, 1);
  }
  worker->admitted.clear();
}

// Settles filings unjudged.
void Batcher::Drop(const BatchPiece& piece, ItemResult result) {
  std::atomic<uint64_t>* counter = &cancelled_;
  if (result == ItemResult::kExpired) counter = &expired_;
  if (result == ItemResult::kAbandoned) counter = &abandoned_;
  if (result == ItemResult::kUnrecorded) counter = &unrecorded_;
  // What never was let in has one part that is no filing.
  counter->fetch_add(std::min(piece.count, piece.item->filings_),
                     std::memory_order_relaxed);
  piece.item->result_.store(result, std::memory_order_relaxed);
  Settle(piece.item, piece.count);
}

// Drops the pieces whose answer nobody waits for, and keeps the others.
void Batcher::DropDead(Worker* worker) {
  if (worker->pieces.empty()) return;
  const int64_t now_ns = NowNs();
  std::erase_if(worker->pieces, [&](const BatchPiece& piece) {
    const bool cancelled =
        piece.item->cancelled_.load(std::memory_order_relaxed);
    if (!cancelled && piece.item->deadline_ns_ > now_ns) return false;
    Drop(piece, cancelled ? ItemResult::kCancelled : ItemResult::kExpired);
    return true;
  });
  worker->record.clear();
  for (const BatchPiece& piece : worker->pieces) {
    if (piece.first > 0 || piece.item->received_ns_ == 0) {
      continue;
    }
    worker->record.waits.push_back(
        {piece.item->lane_, now_ns - piece.item->received_ns_});
  }
}

// Their verdicts cannot be written down, so there are none.
void Batcher::DropUnrecorded(Worker* worker) {
  for (const BatchPiece& piece : worker->pieces) {
    Drop(piece, ItemResult::kUnrecorded);
  }
}

void Batcher::JudgePieces(Worker* worker) {
  // Also without work: an idle worker must not keep an old snapshot in memory.
  const Snapshot& snapshot = worker->judge->Pin();
  if (worker->pieces.empty()) return;
  if (!worker->judge->Ready()) {
    DropUnrecorded(worker);
    return;
  }

  size_t total = 0;
  for (const BatchPiece& piece : worker->pieces) total += piece.count;
  worker->views.assign(total, FilingView());
  if (worker->verdicts.size() < total) worker->verdicts.resize(total);
  const absl::Span<FilingView> views = absl::MakeSpan(worker->views);
  const absl::Span<FilingVerdict> verdicts =
      absl::MakeSpan(worker->verdicts).first(total);
  // A verdict nobody fills in must not be the last round's.
  for (FilingVerdict& verdict : verdicts) verdict = FilingVerdict();

  size_t at = 0;
  for (const BatchPiece& piece : worker->pieces) {
    piece.item->MakeViews(snapshot, piece.first,
                          views.subspan(at, piece.count));
    at += piece.count;
  }
  worker->judge->Verify(views, verdicts);
  batches_.fetch_add(1, std::memory_order_relaxed);
  at = 0;
  for (const BatchPiece& piece : worker->pieces) {
    piece.item->TakeVerdicts(snapshot, piece.first,
                             verdicts.subspan(at, piece.count),
                             &worker->record.verdicts);
    at += piece.count;
  }
  // No answer leaves before its verdict is written down.
  if (worker->judge->Record(snapshot, worker->record)) {
    judged_.fetch_add(total, std::memory_order_relaxed);
    for (const BatchPiece& piece : worker->pieces) {
      Settle(piece.item, piece.count);
    }
  } else {
    DropUnrecorded(worker);
  }
}

// Counts `parts` of the item as dealt with; finishes it with the last one.
void Batcher::Settle(BatchItem* item, size_t parts) {
  // acq_rel: whoever finishes sees what the other workers wrote to the item.
  if (item->unsettled_.fetch_sub(parts, std::memory_order_acq_rel) != parts) {
    return;
  }
  item->Finished(item->result_.load(std::memory_order_relaxed));
}

// --- The end ---

void Batcher::BeginDrain(absl::Duration at_most) {
  MutexLock lock(&mutex_);
  if (shutting_down_) return;
  shutting_down_ = true;
  // A clock that nobody sets. A day is for ever.
  drain_ends_ns_ =
      NowNs() + absl::ToInt64Nanoseconds(std::min(at_most, absl::Hours(24)));
  NoteDrainLine();
  work_.SignalAll();
}

void Batcher::Drain(absl::Duration at_most) {
  BeginDrain(at_most);
  const bool for_ever = at_most == absl::InfiniteDuration();
  {
    MutexLock lock(&mutex_);
    while (running_workers_ > 0 && !hurry_) {
      const int64_t left_ns = drain_ends_ns() - NowNs();
      if (left_ns <= 0 && !for_ever) {
        hurry_ = true;
        break;
      }
      ended_.WaitFor(&mutex_,
                     absl::ToChronoMilliseconds(
                         std::clamp(absl::Nanoseconds(left_ns),
                                    absl::ZeroDuration(), absl::Minutes(1)) +
                         absl::Milliseconds(1)));
    }
    work_.SignalAll();
  }
  MutexLock lock(&join_mutex_);
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Batcher::Hurry() {
  MutexLock lock(&mutex_);
  hurry_ = true;
  work_.SignalAll();
  ended_.SignalAll();
}

BatcherCounters Batcher::counters() const {
  BatcherCounters counters;
  counters.filings_judged = judged_.load(std::memory_order_relaxed);
  for (size_t i = 0; i < kRefusals; ++i) {
    counters.refused[i] = refused_[i].load(std::memory_order_relaxed);
    counters.filings_refused += counters.refused[i];
  }
  counters.filings_expired = expired_.load(std::memory_order_relaxed);
  counters.filings_cancelled = cancelled_.load(std::memory_order_relaxed);
  counters.filings_abandoned = abandoned_.load(std::memory_order_relaxed);
  counters.filings_unrecorded = unrecorded_.load(std::memory_order_relaxed);
  counters.batches = batches_.load(std::memory_order_relaxed);
  counters.bytes_held = bytes_held_.load(std::memory_order_relaxed);
  MutexLock lock(&mutex_);
  counters.filings_waiting = lanes_.filings();
  for (size_t lane = 0; lane < kLanes; ++lane) {
    counters.lane_filings[lane] = lanes_.filings(static_cast<Lane>(lane));
  }
  counters.filings_held_back = waiting_filings_;
  return counters;
}

std::vector<uint64_t> Batcher::pulses() const {
  std::vector<uint64_t> pulses;
  for (const std::atomic<uint64_t>& pulse : pulses_) {
    pulses.push_back(pulse.load(std::memory_order_relaxed));
  }
  return pulses;
}

}  // namespace inkan
