#include "server/audit_log.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/time/clock.h"
#include "server/steady_clock.h"

namespace inkan {
namespace {

// How often the writer looks up without work: rotation and interval syncs are
// as punctual as this.
constexpr std::chrono::milliseconds kTick{200};

// While writing fails one batch in this time tries again.
constexpr int64_t kRetryNs = 1'000'000'000;

// A rotation that failed is tried again after this.
constexpr int64_t kRotationRetryNs = 10'000'000'000;

// Strings kept for their memory: two a worker are more than can be in use.
constexpr size_t kSpareMax = 64;

}  // namespace

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::Open(
    const AuditOptions& options, Listener listener) {
  absl::StatusOr<std::unique_ptr<AuditFile>> file =
      AuditFile::Open(options.file);
  if (!file.ok()) return file.status();
  return std::unique_ptr<AuditLog>(
      new AuditLog(options, *std::move(file), std::move(listener)));
}

AuditLog::AuditLog(const AuditOptions& options, std::unique_ptr<AuditFile> file,
                   Listener listener)
    : options_(options),
      listener_(std::move(listener)),
      file_(std::move(file)),
      last_sync_ns_(NowNs()) {
  thread_ = std::thread([this] { Run(); });
}

AuditLog::~AuditLog() { Close(); }

void AuditLog::Close() {
  {
    MutexLock lock(&mutex_);
    closing_ = true;
    work_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
}

bool AuditLog::Waits() const {
  return options_.on_failure == AuditFailure::kRefuse ||
         options_.sync == AuditSync::kEveryBatch;
}

bool AuditLog::Ready() {
  if (options_.on_failure == AuditFailure::kDrop) return true;
  int64_t retry_at = retry_at_ns_.load(std::memory_order_relaxed);
  if (retry_at == 0) return true;
  const int64_t now = NowNs();
  // Of all workers one wins.
  return now >= retry_at &&
         retry_at_ns_.compare_exchange_strong(retry_at, now + kRetryNs);
}

// An empty buffer takes a batch of any size, or a large one never would fit.
bool AuditLog::Fits(size_t bytes) const {
  return counters_.buffer_bytes == 0 ||
         counters_.buffer_bytes + bytes <= options_.buffer_bytes_max;
}

// Whatever fills the buffer is written, or refused, and wakes who waits here.
// In turn, or a large batch would wait for as long as small ones come.
void AuditLog::WaitForRoom(size_t bytes) {
  const uint64_t turn = turns_begun_++;
  while (!closing_ && (turn != turns_ended_ || !Fits(bytes))) {
    done_.Wait(&mutex_);
  }
  ++turns_ended_;
  if (turns_ended_ != turns_begun_) done_.SignalAll();
}

bool AuditLog::Append(std::string* lines, size_t count) {
  const bool refuses = options_.on_failure == AuditFailure::kRefuse;
  Waiter waiter;
  MutexLock lock(&mutex_);
  // Who waits for the own lines anyway waits for the others' as well: no more
  // are held than the workers have made.
  if (refuses) WaitForRoom(lines->size());
  if (closing_ || !Fits(lines->size())) {
    if (!refuses) counters_.dropped_lines += count;
    lines->clear();
    return !refuses;
  }
  counters_.buffer_bytes += lines->size();
  std::string empty;
  if (!spare_.empty()) {
    empty = std::move(spare_.back());
    spare_.pop_back();
  }
  pending_.push_back({std::move(*lines), count, Waits() ? &waiter : nullptr});
  *lines = std::move(empty);
  work_.Signal();
  if (!Waits()) return true;
  while (!waiter.done) done_.Wait(&mutex_);
  return waiter.written || !refuses;
}

void AuditLog::Reopen() {
  MutexLock lock(&mutex_);
  reopen_ = true;
  work_.Signal();
}

AuditCounters AuditLog::counters() const {
  MutexLock lock(&mutex_);
  return counters_;
}

// Waits a tick at most. False once everything is written and no more comes.
bool AuditLog::TakeWork(std::vector<Block>* blocks, bool* reopen) {
  MutexLock lock(&mutex_);
  if (pending_.empty() && !reopen_ && !closing_) {
    work_.WaitFor(&mutex_, kTick);
  }
  blocks->swap(pending_);
  *reopen = std::exchange(reopen_, false);
  return !closing_ || !blocks->empty();
}

void AuditLog::Run() {
  std::vector<Block> blocks;
  bool reopen = false;
  while (TakeWork(&blocks, &reopen)) {
    // A new file is wanted for what comes now.
    KeepHouse(reopen);
    if (!blocks.empty()) {
      Write(&blocks);
    } else {
      LookForRoom();
    }
  }
  if (unsynced_ && options_.sync != AuditSync::kNone) Note(file_->Sync());
}

absl::Status AuditLog::WriteLines(const std::string& lines) {
  absl::Status status = file_->Append(lines);
  if (!status.ok()) return status;
  unsynced_ = true;
  if (options_.sync != AuditSync::kEveryBatch) return status;
  status = file_->Sync();
  if (status.ok()) {
    unsynced_ = false;
  } else if (options_.on_failure == AuditFailure::kRefuse) {
    // Its verdicts are refused, so its lines must not stay.
    file_->TakeBack().IgnoreError();
  }
  return status;
}

// Writes all blocks together, and tells their workers.
void AuditLog::Write(std::vector<Block>* blocks) {
  chunk_.clear();
  size_t lines = 0;
  for (const Block& block : *blocks) {
    chunk_ += block.lines;
    lines += block.count;
  }
  const absl::Status status = WriteLines(chunk_);
  Note(status);
  MutexLock lock(&mutex_);
  counters_.buffer_bytes -= chunk_.size();
  if (status.ok()) {
    counters_.lines += lines;
    counters_.bytes += chunk_.size();
  } else if (options_.on_failure == AuditFailure::kDrop) {
    counters_.dropped_lines += lines;
  }
  for (Block& block : *blocks) {
    if (block.waiter != nullptr) {
      block.waiter->written = status.ok();
      block.waiter->done = true;
    }
    block.lines.clear();
    if (spare_.size() < kSpareMax) spare_.push_back(std::move(block.lines));
  }
  blocks->clear();
  done_.SignalAll();
}

// Nobody has anything to write, perhaps because health tells them to go
// elsewhere, so a success must be looked for.
void AuditLog::LookForRoom() {
  const int64_t retry_at = retry_at_ns_.load(std::memory_order_relaxed);
  if (retry_at == 0 || NowNs() < retry_at) return;
  Note(file_->CheckRoom());
}

// Rotates, opens again and syncs, where it is time for it.
void AuditLog::KeepHouse(bool reopen) {
  const int64_t now_ns = NowNs();
  const bool too_large =
      options_.rotate_bytes > 0 && file_->size() >= options_.rotate_bytes;
  const bool too_old = options_.rotate_interval > absl::ZeroDuration() &&
                       absl::Nanoseconds(now_ns - file_->opened_ns()) >=
                           options_.rotate_interval;
  const bool rotate = file_->size() > 0 && (too_large || too_old) &&
                      now_ns >= next_rotation_ns_;
  const bool sync =
      options_.sync != AuditSync::kNone && unsynced_ &&
      (absl::Nanoseconds(now_ns - last_sync_ns_) >= options_.sync_interval ||
       rotate || reopen);
  if (sync) {
    last_sync_ns_ = now_ns;
    const absl::Status status = file_->Sync();
    if (status.ok()) unsynced_ = false;
    if (!status.ok()) Note(status);
  }
  if (!rotate && !reopen) return;
  NoteRotation(reopen ? file_->Reopen() : file_->Rotate(absl::Now()));
}

// The file as it was stays in use if it fails, so verdicts go on.
void AuditLog::NoteRotation(const absl::Status& status) {
  next_rotation_ns_ = status.ok() ? 0 : NowNs() + kRotationRetryNs;
  {
    MutexLock lock(&mutex_);
    if (status.ok()) {
      ++counters_.rotations;
    } else {
      ++counters_.errors;
      counters_.last_error = std::string(status.message());
    }
  }
  if (!status.ok() && listener_ != nullptr) listener_(status);
}

void AuditLog::Note(const absl::Status& status) {
  bool was_failing = false;
  {
    MutexLock lock(&mutex_);
    was_failing = counters_.failing;
    counters_.failing = !status.ok();
    if (!status.ok()) {
      ++counters_.errors;
      counters_.last_error = std::string(status.message());
    }
  }
  retry_at_ns_.store(status.ok() ? 0 : NowNs() + kRetryNs,
                     std::memory_order_relaxed);
  if (listener_ != nullptr && was_failing == status.ok()) listener_(status);
}

}  // namespace inkan
