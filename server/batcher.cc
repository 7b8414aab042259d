#include "server/batcher.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/time/clock.h"

namespace inkan {
namespace {

// A worker leaves work to the others down to this many filings: enough to fill
// the lanes of the RSA kernel several times.
constexpr size_t kShareMin = 64;

// How long a worker without work holds on to the snapshot it last used.
constexpr std::chrono::milliseconds kIdlePin{1000};

// Small lists of a batch (a filing's intermediates) need no heap up to this.
constexpr size_t kScratchBytes = 16384;

}  // namespace

// What one worker carries from round to round.
struct Batcher::Worker {
  explicit Worker(std::unique_ptr<Judge> worker_judge)
      : judge(std::move(worker_judge)),
        scratch_buffer(kScratchBytes),
        scratch(scratch_buffer.data(), scratch_buffer.size()) {}

  std::unique_ptr<Judge> judge;
  std::vector<BatchItem*> admitted;  // to be told so
  std::vector<Piece> pieces;
  std::vector<FilingView> views;
  std::vector<FilingVerdict> verdicts;
  BatchRecord record;
  std::vector<std::byte> scratch_buffer;
  std::pmr::monotonic_buffer_resource scratch;
  // Of items finished since the lock was last held.
  size_t bytes_freed = 0;
};

Batcher::Batcher(const BatcherOptions& options, JudgeFactory make_judge)
    : options_(options), make_judge_(std::move(make_judge)) {
  MutexLock lock(&join_mutex_);
  for (unsigned i = 0; i < std::max(1U, options_.workers); ++i) {
    threads_.emplace_back([this] { Run(); });
  }
}

Batcher::~Batcher() { Drain(); }

bool Batcher::Fits(const BatchItem& item, bool can_wait) const {
  const size_t share = can_wait ? 2 : 1;
  const bool filings_fit =
      queue_filings_ == 0 ||
      queue_filings_ + item.filings_ <= options_.queue_filings_max / share;
  const bool bytes_fit =
      bytes_held_ == 0 ||
      bytes_held_ + item.bytes_ <= options_.queue_bytes_max / share;
  return filings_fit && bytes_fit;
}

void Batcher::Enqueue(BatchItem* item) {
  queue_.push_back(item);
  queue_filings_ += item->filings_;
  bytes_held_ += item->bytes_;
  if (idle_workers_ > 0) work_.Signal();
}

Admission Batcher::Submit(BatchItem* item) {
  item->unsettled_.store(item->filings_, std::memory_order_relaxed);
  MutexLock lock(&mutex_);
  if (shutting_down_ || !Fits(*item, /*can_wait=*/false)) {
    refused_.fetch_add(item->filings_, std::memory_order_relaxed);
    return shutting_down_ ? Admission::kShuttingDown : Admission::kFull;
  }
  Enqueue(item);
  return Admission::kAdmitted;
}

Admission Batcher::SubmitOrWait(BatchItem* item) {
  MutexLock lock(&mutex_);
  if (shutting_down_) {
    refused_.fetch_add(item->filings_, std::memory_order_relaxed);
    return Admission::kShuttingDown;
  }
  if (waiting_.empty() && Fits(*item, /*can_wait=*/true)) {
    item->unsettled_.store(item->filings_, std::memory_order_relaxed);
    Enqueue(item);
    return Admission::kAdmitted;
  }
  // The extra one keeps the item alive until it has been told.
  item->unsettled_.store(item->filings_ + 1, std::memory_order_relaxed);
  waiting_.push_back(item);
  return Admission::kWaiting;
}

void Batcher::LetIn(std::vector<BatchItem*>* admitted) {
  while (!waiting_.empty() && Fits(*waiting_.front(), /*can_wait=*/true)) {
    admitted->push_back(waiting_.front());
    Enqueue(waiting_.front());
    waiting_.pop_front();
  }
}

void Batcher::TakePieces(std::vector<Piece>* pieces) {
  const size_t workers = std::max(1U, options_.workers);
  const size_t share = (queue_filings_ + workers - 1) / workers;
  size_t room =
      std::min(options_.worker_batch_filings_max, std::max(share, kShareMin));
  while (room > 0 && !queue_.empty()) {
    BatchItem* item = queue_.front();
    const size_t count = std::min(room, item->filings_ - item->taken_);
    pieces->push_back({item, item->taken_, count});
    item->taken_ += count;
    room -= count;
    queue_filings_ -= count;
    if (item->taken_ == item->filings_) queue_.pop_front();
  }
  if (!queue_.empty() && idle_workers_ > 0) work_.Signal();
}

bool Batcher::WaitForWork(Worker* worker) {
  MutexLock lock(&mutex_);
  bytes_held_ -= worker->bytes_freed;
  worker->bytes_freed = 0;
  while (true) {
    LetIn(&worker->admitted);
    TakePieces(&worker->pieces);
    if (!worker->pieces.empty() || !worker->admitted.empty()) return true;
    if (shutting_down_ && waiting_.empty()) return false;
    ++idle_workers_;
    const bool woken = work_.WaitFor(&mutex_, kIdlePin);
    --idle_workers_;
    if (!woken) return true;
  }
}

void Batcher::Run() {
  Worker worker(make_judge_());
  while (WaitForWork(&worker)) {
    TellAdmitted(&worker);
    DropDead(&worker);
    JudgePieces(&worker);
    worker.pieces.clear();
  }
}

void Batcher::TellAdmitted(Worker* worker) {
  for (BatchItem* item : worker->admitted) {
    item->Admitted();
    Settle(worker, item, 1);
  }
  worker->admitted.clear();
}

// Settles the pieces whose answer nobody waits for, and keeps the others.
void Batcher::DropDead(Worker* worker) {
  if (worker->pieces.empty()) return;
  const absl::Time now = absl::Now();
  std::erase_if(worker->pieces, [&](const Piece& piece) {
    const bool cancelled =
        piece.item->cancelled_.load(std::memory_order_relaxed);
    if (!cancelled && piece.item->deadline_ > now) return false;
    (cancelled ? cancelled_ : expired_)
        .fetch_add(piece.count, std::memory_order_relaxed);
    piece.item->result_.store(
        cancelled ? ItemResult::kCancelled : ItemResult::kExpired,
        std::memory_order_relaxed);
    Settle(worker, piece.item, piece.count);
    return true;
  });
  worker->record.clear();
  for (const Piece& piece : worker->pieces) {
    if (piece.first > 0 || piece.item->received_ == absl::InfinitePast()) {
      continue;
    }
    worker->record.waits_ns.push_back(
        absl::ToInt64Nanoseconds(now - piece.item->received_));
  }
}

// Their verdicts cannot be written down, so there are none.
void Batcher::DropUnrecorded(Worker* worker) {
  for (const Piece& piece : worker->pieces) {
    unrecorded_.fetch_add(piece.count, std::memory_order_relaxed);
    piece.item->result_.store(ItemResult::kUnrecorded,
                              std::memory_order_relaxed);
    Settle(worker, piece.item, piece.count);
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
  for (const Piece& piece : worker->pieces) total += piece.count;
  worker->views.assign(total, FilingView());
  if (worker->verdicts.size() < total) worker->verdicts.resize(total);
  const absl::Span<FilingView> views = absl::MakeSpan(worker->views);
  const absl::Span<FilingVerdict> verdicts =
      absl::MakeSpan(worker->verdicts).first(total);
  // A verdict nobody fills in must not be the last round's.
  for (FilingVerdict& verdict : verdicts) verdict = FilingVerdict();

  size_t at = 0;
  for (const Piece& piece : worker->pieces) {
    piece.item->MakeViews(snapshot, piece.first, views.subspan(at, piece.count),
                          &worker->scratch);
    at += piece.count;
  }
  worker->judge->Verify(views, verdicts);
  batches_.fetch_add(1, std::memory_order_relaxed);
  at = 0;
  for (const Piece& piece : worker->pieces) {
    piece.item->TakeVerdicts(snapshot, piece.first,
                             verdicts.subspan(at, piece.count),
                             &worker->record.verdicts);
    at += piece.count;
  }
  // No answer leaves before its verdict is written down.
  if (worker->judge->Record(snapshot, worker->record)) {
    judged_.fetch_add(total, std::memory_order_relaxed);
    for (const Piece& piece : worker->pieces) {
      Settle(worker, piece.item, piece.count);
    }
  } else {
    DropUnrecorded(worker);
  }
  worker->scratch.release();
}

// Counts `parts` of the item as dealt with; finishes it with the last one.
void Batcher::Settle(Worker* worker, BatchItem* item, size_t parts) {
  // acq_rel: whoever finishes sees what the other workers wrote to the item.
  if (item->unsettled_.fetch_sub(parts, std::memory_order_acq_rel) != parts) {
    return;
  }
  worker->bytes_freed += item->bytes_;
  item->Finished(item->result_.load(std::memory_order_relaxed));
}

void Batcher::Drain() {
  {
    MutexLock lock(&mutex_);
    shutting_down_ = true;
    work_.SignalAll();
  }
  MutexLock lock(&join_mutex_);
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

BatcherCounters Batcher::counters() const {
  BatcherCounters counters;
  counters.filings_judged = judged_.load(std::memory_order_relaxed);
  counters.filings_refused = refused_.load(std::memory_order_relaxed);
  counters.filings_expired = expired_.load(std::memory_order_relaxed);
  counters.filings_cancelled = cancelled_.load(std::memory_order_relaxed);
  counters.filings_unrecorded = unrecorded_.load(std::memory_order_relaxed);
  counters.batches = batches_.load(std::memory_order_relaxed);
  MutexLock lock(&mutex_);
  counters.filings_waiting = queue_filings_;
  counters.bytes_held = bytes_held_;
  return counters;
}

}  // namespace inkan
