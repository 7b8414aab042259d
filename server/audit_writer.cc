#include "server/audit_writer.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
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

AuditLog::Writer::Writer(const AuditOptions& options,
                         std::unique_ptr<AuditFile> file, Listener listener,
                         AuditDisk disk)
    : options_(options),
      listener_(std::move(listener)),
      disk_(std::move(disk)),
      hang_ns_(absl::ToInt64Nanoseconds(disk_.hang_after)),
      file_(std::move(file)),
      last_sync_ns_(NowNs()),
      syncer_(
          [this](const absl::Status& status) {
            if (status.ok()) return;
            sync_failed_ = true;
            Note(status);
          },
          disk_.before_sync) {}

// --- Whoever has lines ---

bool AuditLog::Writer::SyncHangs() const {
  const int64_t since = syncer_.since_ns();
  return since != 0 && since < NowNs() - hang_ns_;
}

bool AuditLog::Writer::Hangs() const {
  const int64_t since = busy_since_ns_.load(std::memory_order_relaxed);
  return (since != 0 && since < NowNs() - hang_ns_) || SyncHangs();
}

void AuditLog::Writer::NoteHanging() {
  Note(absl::UnavailableError(absl::StrCat(
      "cannot write to ", options_.file, ": its disk has not answered for ",
      absl::FormatDuration(disk_.hang_after))));
}

bool AuditLog::Writer::Ready() {
  if (!Refuses()) return true;
  if (Hangs()) {
    NoteHanging();
    return false;
  }
  int64_t retry_at = retry_at_ns_.load(std::memory_order_relaxed);
  if (retry_at == 0) return true;
  const int64_t now = NowNs();
  // Of all workers one wins.
  return now >= retry_at &&
         retry_at_ns_.compare_exchange_strong(retry_at, now + kRetryNs);
}

bool AuditLog::Writer::Refusing() const {
  return Refuses() &&
         (retry_at_ns_.load(std::memory_order_relaxed) != 0 || Hangs());
}

// An empty buffer takes a batch of any size, or a large one never would fit.
bool AuditLog::Writer::Fits(size_t bytes) const {
  return counters_.buffer_bytes == 0 ||
         counters_.buffer_bytes + bytes <= options_.buffer_bytes_max;
}

// Until something is done; false once it is too late.
bool AuditLog::Writer::WaitUntil(int64_t deadline_ns) {
  const int64_t left_ns = deadline_ns - NowNs();
  if (left_ns <= 0) return false;
  done_.WaitFor(&mutex_, std::chrono::milliseconds(left_ns / 1'000'000 + 1));
  return true;
}

// Whatever fills the buffer is written, or refused, and wakes who waits here.
// In turn, or a large batch would wait for as long as small ones come. False if
// there was none in time.
bool AuditLog::Writer::WaitForRoom(size_t bytes, int64_t deadline_ns) {
  const uint64_t turn = next_turn_++;
  turns_.push_back(turn);
  bool in_time = true;
  while (in_time && !closing_ && (turns_.front() != turn || !Fits(bytes))) {
    in_time = WaitUntil(deadline_ns);
  }
  turns_.erase(std::find(turns_.begin(), turns_.end(), turn));
  if (!turns_.empty()) done_.SignalAll();
  return in_time;
}

AuditLog::Writer::Taken AuditLog::Writer::AwaitWritten(
    const std::shared_ptr<Waiter>& waiter, int64_t deadline_ns) {
  while (!waiter->done && WaitUntil(deadline_ns)) {
  }
  if (waiter->done) return waiter->written ? Taken::kWritten : Taken::kNot;
  // With kDrop the lines stay, and may yet be written.
  if (!Refuses()) return Taken::kDiskHangs;
  waiter->gone = true;
  DropGone(&pending_);
  return Taken::kDiskHangs;
}

AuditLog::Writer::Taken AuditLog::Writer::Take(std::string* lines,
                                               size_t count) {
  const bool hangs = Hangs();
  if (hangs && Refuses()) {
    lines->clear();
    return Taken::kDiskHangs;
  }
  // Who waits for the own lines anyway waits for the others' as well: no more
  // are held than the workers have made.
  const int64_t deadline_ns = Waits() ? NowNs() + hang_ns_ : 0;
  MutexLock lock(&mutex_);
  const bool room = !Refuses() || WaitForRoom(lines->size(), deadline_ns);
  if (closing_ || !room || !Fits(lines->size())) {
    if (!Refuses()) counters_.dropped_lines += count;
    lines->clear();
    return room ? Taken::kNot : Taken::kDiskHangs;
  }
  counters_.buffer_bytes += lines->size();
  std::string empty;
  if (!spare_.empty()) {
    empty = std::move(spare_.back());
    spare_.pop_back();
  }
  std::shared_ptr<Waiter> waiter;
  if (Waits() && !hangs) waiter = std::make_shared<Waiter>();
  pending_.push_back({std::move(*lines), count, waiter});
  *lines = std::move(empty);
  work_.Signal();
  if (waiter == nullptr) return Taken::kWritten;
  return AwaitWritten(waiter, deadline_ns);
}

bool AuditLog::Writer::Append(std::string* lines, size_t count) {
  const Taken taken = Take(lines, count);
  if (taken == Taken::kDiskHangs) NoteHanging();
  return taken == Taken::kWritten || !Refuses();
}

void AuditLog::Writer::Reopen() {
  MutexLock lock(&mutex_);
  reopen_ = true;
  work_.Signal();
}

AuditCounters AuditLog::Writer::counters() const {
  MutexLock lock(&mutex_);
  return counters_;
}

// --- The write thread ---

// Waits a tick at most. False once everything is written and no more comes.
bool AuditLog::Writer::TakeWork(std::vector<Block>* blocks, bool* reopen) {
  MutexLock lock(&mutex_);
  if (pending_.empty() && !reopen_ && !closing_) {
    work_.WaitFor(&mutex_, kTick);
  }
  blocks->swap(pending_);
  *reopen = std::exchange(reopen_, false);
  return !closing_ || !blocks->empty();
}

void AuditLog::Writer::Run() {
  std::vector<Block> blocks;
  bool reopen = false;
  while (TakeWork(&blocks, &reopen)) {
    busy_since_ns_.store(NowNs(), std::memory_order_relaxed);
    // A new file is wanted for what comes now. Nothing else comes before the
    // lines that workers wait for.
    if (reopen) KeepHouse(true);
    if (!blocks.empty()) {
      Write(&blocks);
    } else {
      LookForRoom();
    }
    KeepHouse(false);
    busy_since_ns_.store(0, std::memory_order_relaxed);
    if (SyncHangs()) NoteHanging();
  }
  busy_since_ns_.store(NowNs(), std::memory_order_relaxed);
  if ((unsynced_ || sync_failed_) && options_.sync != AuditSync::kNone) {
    Note(SyncHere());
  }
  busy_since_ns_.store(0, std::memory_order_relaxed);
  syncer_.End();
  ThreadEnds();
}

void AuditLog::Writer::RunSyncs() {
  syncer_.Run();
  ThreadEnds();
}

void AuditLog::Writer::ThreadEnds() {
  MutexLock lock(&mutex_);
  --running_;
  ended_.SignalAll();
}

bool AuditLog::Writer::Close() {
  constexpr std::chrono::milliseconds kLook{20};
  MutexLock lock(&mutex_);
  closing_ = true;
  work_.SignalAll();
  done_.SignalAll();
  // A disk that hung until now has its time once more.
  const int64_t enough_ns = NowNs() + hang_ns_;
  while (running_ > 0 && !(Hangs() && NowNs() > enough_ns)) {
    ended_.WaitFor(&mutex_, kLook);
  }
  left_behind_ = running_ > 0;
  return !left_behind_;
}

absl::Status AuditLog::Writer::SyncHere() {
  if (disk_.before_sync) disk_.before_sync();
  return file_->Sync();
}

absl::Status AuditLog::Writer::WriteLines(const std::string& lines) {
  if (disk_.before_write) disk_.before_write();
  absl::Status status = file_->Append(lines);
  if (!status.ok()) return status;
  unsynced_ = true;
  if (options_.sync != AuditSync::kEveryBatch) return status;
  status = SyncHere();
  if (status.ok()) {
    unsynced_ = false;
  } else if (Refuses()) {
    // Its verdicts are refused, so its lines must not stay.
    file_->TakeBack().IgnoreError();
  }
  return status;
}

// Takes out those whose batch was refused meanwhile. Whether there were any.
bool AuditLog::Writer::DropGone(std::vector<Block>* blocks) {
  size_t bytes = 0;
  const size_t dropped = std::erase_if(*blocks, [&bytes](const Block& block) {
    const bool gone = block.waiter != nullptr && block.waiter->gone;
    if (gone) bytes += block.lines.size();
    return gone;
  });
  counters_.buffer_bytes -= bytes;
  return dropped > 0;
}

void AuditLog::Writer::Settle(std::vector<Block>* blocks, bool written) {
  for (Block& block : *blocks) {
    counters_.buffer_bytes -= block.lines.size();
    if (written) {
      counters_.lines += block.count;
      counters_.bytes += block.lines.size();
    } else if (!Refuses()) {
      counters_.dropped_lines += block.count;
    }
    if (block.waiter != nullptr) {
      block.waiter->written = written;
      block.waiter->done = true;
    }
    block.lines.clear();
    if (spare_.size() < kSpareMax) spare_.push_back(std::move(block.lines));
  }
  blocks->clear();
  done_.SignalAll();
}

// Writes all blocks together, and tells their workers.
void AuditLog::Writer::Write(std::vector<Block>* blocks) {
  while (true) {
    {
      MutexLock lock(&mutex_);
      DropGone(blocks);
      if (blocks->empty()) {
        done_.SignalAll();
        return;
      }
    }
    chunk_.clear();
    for (const Block& block : *blocks) chunk_ += block.lines;
    const absl::Status status = WriteLines(chunk_);
    Note(status);
    {
      MutexLock lock(&mutex_);
      const bool any_gone = DropGone(blocks);
      if (!any_gone || !status.ok()) {
        Settle(blocks, status.ok());
        return;
      }
    }
    // It took so long that some have refused their verdicts. All again, without
    // theirs. What cannot be taken back is cut off before the next write.
    file_->TakeBack().IgnoreError();
  }
}

// Nobody has anything to write, perhaps because health tells them to go
// elsewhere, so a success must be looked for.
void AuditLog::Writer::LookForRoom() {
  const int64_t retry_at = retry_at_ns_.load(std::memory_order_relaxed);
  if (retry_at == 0 || NowNs() < retry_at) return;
  Note(file_->CheckRoom());
}

// By the other thread, of the file as it is now.
void AuditLog::Writer::AskForSync() {
  last_sync_ns_ = NowNs();
  const int copy = file_->CopyDescriptor();
  if (copy >= 0) {
    unsynced_ = false;
    syncer_.Ask(copy, file_->path());
    return;
  }
  const absl::Status status = SyncHere();
  if (status.ok()) unsynced_ = false;
  if (!status.ok()) Note(status);
}

// Rotates, opens again and has it synced, where it is time for it.
void AuditLog::Writer::KeepHouse(bool reopen) {
  const int64_t now_ns = NowNs();
  const bool too_large =
      options_.rotate_bytes > 0 && file_->size() >= options_.rotate_bytes;
  const bool too_old = options_.rotate_interval > absl::ZeroDuration() &&
                       absl::Nanoseconds(now_ns - file_->opened_ns()) >=
                           options_.rotate_interval;
  const bool rotate = file_->size() > 0 && (too_large || too_old) &&
                      now_ns >= next_rotation_ns_;
  if (sync_failed_.exchange(false)) unsynced_ = true;
  const bool due =
      absl::Nanoseconds(now_ns - last_sync_ns_) >= options_.sync_interval &&
      syncer_.since_ns() == 0;
  if (options_.sync != AuditSync::kNone && unsynced_ &&
      (due || rotate || reopen)) {
    AskForSync();
  }
  if (!rotate && !reopen) return;
  NoteRotation(reopen ? file_->Reopen() : file_->Rotate(absl::Now()));
}

// --- What is said about it ---

// The file as it was stays in use if it fails, so verdicts go on.
void AuditLog::Writer::NoteRotation(const absl::Status& status) {
  next_rotation_ns_ = status.ok() ? 0 : NowNs() + kRotationRetryNs;
  bool tell = false;
  {
    MutexLock lock(&mutex_);
    tell = !left_behind_;
    if (status.ok()) {
      ++counters_.rotations;
    } else {
      ++counters_.errors;
      counters_.last_error = std::string(status.message());
    }
  }
  if (!status.ok() && tell && listener_ != nullptr) listener_(status);
}

void AuditLog::Writer::Note(const absl::Status& status) {
  // A write may get through while a sync hangs; that is no success.
  if (status.ok() && SyncHangs()) return;
  bool news = false;
  {
    MutexLock lock(&mutex_);
    news = counters_.failing == status.ok() && !left_behind_;
    counters_.failing = !status.ok();
    if (!status.ok()) {
      ++counters_.errors;
      counters_.last_error = std::string(status.message());
    }
    // Together with `failing`: LookForRoom ends what both say.
    retry_at_ns_.store(status.ok() ? 0 : NowNs() + kRetryNs,
                       std::memory_order_relaxed);
  }
  if (listener_ != nullptr && news) listener_(status);
}

}  // namespace inkan
