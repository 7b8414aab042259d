// The audit log: one line for each verdict, in a local file that is only
// appended to. Workers hand over a batch's lines; a thread of its own writes
// them, rotates the file and syncs it.
//
//   absl::StatusOr<std::unique_ptr<AuditLog>> log = AuditLog::Open(options);
//   if (!(*log)->Append(&lines, count)) refuse the batch;
//
// When it cannot be written (disk full, bound of the buffer reached):
// - kRefuse: Append waits for room in the buffer, in turn, then until the lines
//   are written, and says false if they were not; none of them is in the file
//   then, and no verdict may leave. While
//   it fails, Ready lets one batch a second try, and the writer looks for room
//   once a second: nobody may send a batch to a server that says it refuses.
// - kDrop: Append returns at once (unless sync is kEveryBatch) and the lines
//   are lost and counted.
//
// What Append said true to is in the file when Close returns; with kRefuse it
// is there when Append returns, and survives the end of the process; with
// kEveryBatch it survives the end of the machine.
//
// Thread safety: every method from any thread; Close once, after the last
// Append.
#ifndef INKAN_SERVER_AUDIT_LOG_H_
#define INKAN_SERVER_AUDIT_LOG_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cache/mutex.h"
#include "server/audit_file.h"
#include "server/audit_options.h"

namespace inkan {

struct AuditCounters {
  uint64_t lines = 0;
  uint64_t bytes = 0;
  uint64_t dropped_lines = 0;
  uint64_t errors = 0;
  uint64_t rotations = 0;
  uint64_t buffer_bytes = 0;  // now
  bool failing = false;       // now
  std::string last_error;     // of the last failure; empty if there was none
};

class AuditLog {
 public:
  // Told of each failure to write that comes after a success, of the first
  // success after failures (OK), and of each failed rotation. On the writer's
  // thread.
  using Listener = std::function<void(const absl::Status&)>;

  static absl::StatusOr<std::unique_ptr<AuditLog>> Open(
      const AuditOptions& options, Listener listener = nullptr);
  // Closes.
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  // Whether a batch is worth judging: its verdicts have a chance to be written.
  bool Ready();
  // Takes the `count` lines, and leaves an empty string. Whether their verdicts
  // may be sent.
  bool Append(std::string* lines, size_t count) ABSL_LOCKS_EXCLUDED(mutex_);
  // Soon goes on with whatever file has the name now (SIGHUP; logrotate).
  void Reopen() ABSL_LOCKS_EXCLUDED(mutex_);
  // Writes what is there, syncs, and ends the writer.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

  AuditCounters counters() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Verdicts cannot leave now, since they could not be written.
  bool Refusing() const {
    return options_.on_failure == AuditFailure::kRefuse &&
           retry_at_ns_.load(std::memory_order_relaxed) != 0;
  }
  const AuditOptions& options() const { return options_; }

 private:
  // A worker that waits for its lines to be written.
  struct Waiter {
    bool done = false;
    bool written = false;
  };
  struct Block {
    std::string lines;
    size_t count = 0;
    Waiter* waiter = nullptr;
  };

  AuditLog(const AuditOptions& options, std::unique_ptr<AuditFile> file,
           Listener listener);
  bool Waits() const;
  bool Fits(size_t bytes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WaitForRoom(size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  bool TakeWork(std::vector<Block>* blocks, bool* reopen)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Write(std::vector<Block>* blocks) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status WriteLines(const std::string& lines);
  void LookForRoom() ABSL_LOCKS_EXCLUDED(mutex_);
  void KeepHouse(bool reopen) ABSL_LOCKS_EXCLUDED(mutex_);
  void Note(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  void NoteRotation(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  const AuditOptions options_;
  const Listener listener_;

  // The writer's.
  std::unique_ptr<AuditFile> file_;
  std::string chunk_;
  bool unsynced_ = false;
  // By NowNs.
  int64_t last_sync_ns_;
  int64_t next_rotation_ns_ = 0;  // after one that failed

  // When the next batch may try while writing fails, as NowNs; 0: it does not
  // fail.
  std::atomic<int64_t> retry_at_ns_{0};

  mutable Mutex mutex_;
  CondVar work_;
  CondVar done_;
  std::vector<Block> pending_ ABSL_GUARDED_BY(mutex_);
  // Strings that have been written out, for their memory.
  std::vector<std::string> spare_ ABSL_GUARDED_BY(mutex_);
  AuditCounters counters_ ABSL_GUARDED_BY(mutex_);
  // Turns of batches that wait for room in the buffer: begun, and ended.
  uint64_t turns_begun_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t turns_ended_ ABSL_GUARDED_BY(mutex_) = 0;
  bool reopen_ ABSL_GUARDED_BY(mutex_) = false;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_AUDIT_LOG_H_
