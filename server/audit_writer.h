// What is behind an AuditLog: the lines that wait, and the work of its two
// threads. See server/audit_log.h for what it promises.
//
// Thread safety: Run on one thread, RunSyncs on another, everything else from
// any. Each thread shares the ownership: one that the disk does not let go of
// is left behind by Close.
#ifndef INKAN_SERVER_AUDIT_WRITER_H_
#define INKAN_SERVER_AUDIT_WRITER_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "cache/mutex.h"
#include "server/audit_file.h"
#include "server/audit_log.h"
#include "server/audit_syncer.h"

namespace inkan {

class AuditLog::Writer {
 public:
  Writer(const AuditOptions& options, std::unique_ptr<AuditFile> file,
         Listener listener, AuditDisk disk);

  bool Ready() ABSL_LOCKS_EXCLUDED(mutex_);
  bool Append(std::string* lines, size_t count) ABSL_LOCKS_EXCLUDED(mutex_);
  void Reopen() ABSL_LOCKS_EXCLUDED(mutex_);
  AuditCounters counters() const ABSL_LOCKS_EXCLUDED(mutex_);
  bool Refusing() const;

  // The threads', until the end is asked for and everything is written.
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  void RunSyncs() ABSL_LOCKS_EXCLUDED(mutex_);
  // Asks for the end and waits for it. False if the disk hangs: then the
  // listener hears nothing more.
  bool Close() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // A worker that waits for its lines to be written. Guarded by mutex_.
  struct Waiter {
    bool done = false;
    bool written = false;
    bool gone = false;  // it waits no more, and has refused its batch
  };
  struct Block {
    std::string lines;
    size_t count = 0;
    std::shared_ptr<Waiter> waiter;  // null: nobody waits
  };
  enum class Taken : uint8_t { kWritten, kNot, kDiskHangs };

  bool Refuses() const { return options_.on_failure == AuditFailure::kRefuse; }
  bool Waits() const {
    return Refuses() || options_.sync == AuditSync::kEveryBatch;
  }
  // Whether a write, or a sync, has not ended for too long.
  bool Hangs() const;
  bool SyncHangs() const;
  void NoteHanging() ABSL_LOCKS_EXCLUDED(mutex_);

  Taken Take(std::string* lines, size_t count) ABSL_LOCKS_EXCLUDED(mutex_);
  bool Fits(size_t bytes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool WaitUntil(int64_t deadline_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool WaitForRoom(size_t bytes, int64_t deadline_ns)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Taken AwaitWritten(const std::shared_ptr<Waiter>& waiter, int64_t deadline_ns)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  bool TakeWork(std::vector<Block>* blocks, bool* reopen)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Write(std::vector<Block>* blocks) ABSL_LOCKS_EXCLUDED(mutex_);
  bool DropGone(std::vector<Block>* blocks)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Settle(std::vector<Block>* blocks, bool written)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status WriteLines(const std::string& lines);
  absl::Status SyncHere();
  void LookForRoom() ABSL_LOCKS_EXCLUDED(mutex_);
  void KeepHouse(bool reopen) ABSL_LOCKS_EXCLUDED(mutex_);
  void AskForSync();
  void Note(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  void NoteRotation(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  void ThreadEnds() ABSL_LOCKS_EXCLUDED(mutex_);

  const AuditOptions options_;
  const Listener listener_;
  const AuditDisk disk_;
  const int64_t hang_ns_;

  // The write thread's.
  std::unique_ptr<AuditFile> file_;
  std::string chunk_;
  bool unsynced_ = false;
  // By NowNs.
  int64_t last_sync_ns_;
  int64_t next_rotation_ns_ = 0;  // after one that failed

  AuditSyncer syncer_;
  // What was synced may not be on the disk.
  std::atomic<bool> sync_failed_{false};
  // Since when the write thread is at what it does now, by NowNs; 0: at rest.
  std::atomic<int64_t> busy_since_ns_{0};
  // When the next batch may try while writing fails, as NowNs; 0: it does not
  // fail.
  std::atomic<int64_t> retry_at_ns_{0};

  mutable Mutex mutex_;
  CondVar work_;
  CondVar done_;
  CondVar ended_;
  std::vector<Block> pending_ ABSL_GUARDED_BY(mutex_);
  // Strings that have been written out, for their memory.
  std::vector<std::string> spare_ ABSL_GUARDED_BY(mutex_);
  AuditCounters counters_ ABSL_GUARDED_BY(mutex_);
  // Batches that wait for room in the buffer, in the order they came.
  std::deque<uint64_t> turns_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_turn_ ABSL_GUARDED_BY(mutex_) = 0;
  bool reopen_ ABSL_GUARDED_BY(mutex_) = false;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  bool left_behind_ ABSL_GUARDED_BY(mutex_) = false;
  int running_ ABSL_GUARDED_BY(mutex_) = 2;
};

}  // namespace inkan

#endif  // INKAN_SERVER_AUDIT_WRITER_H_
