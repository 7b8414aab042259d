// The audit log: one line for each verdict, in a local file that is only
// appended to. Workers hand over a batch's lines; a thread of its own writes
// them and rotates the file, and another one syncs it, so that nobody waits for
// the disk but with kEveryBatch, and for the folder when the file is rotated.
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
// A disk that says nothing counts as one that says no. After
// kAuditHangAfter nobody waits any more: with kRefuse Append says false, at
// once from then on, and a line that was in the writer's hands is taken back
// should the disk come round; a sync that takes so long is a failure too. Close
// leaves a writer that hangs to itself.
//
// What Append said true to is in the file when Close returns, if the disk does
// not hang; with kRefuse it is there when Append returns, and survives the end
// of the process; with kEveryBatch it survives the end of the machine.
//
// Thread safety: every method from any thread; Close once, after the last
// Append.
#ifndef INKAN_SERVER_AUDIT_LOG_H_
#define INKAN_SERVER_AUDIT_LOG_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
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

// Longer than a disk that works ever takes for the lines of a second (15 MB at
// 30,000 verdicts a second), and short enough for the watchdog of systemd,
// which is fed until a worker has not moved for 15 s (deploy/inkand.service).
inline constexpr absl::Duration kAuditHangAfter = absl::Seconds(5);

// For tests: what happens ahead of each write and sync, on the thread that
// makes it, and how long a disk may take.
struct AuditDisk {
  std::function<void()> before_write;
  std::function<void()> before_sync;
  absl::Duration hang_after = kAuditHangAfter;
};

class AuditLog {
 public:
  // Told of each failure to write that comes after a success, of the first
  // success after failures (OK), and of each failed rotation. On whichever
  // thread notices.
  using Listener = std::function<void(const absl::Status&)>;

  static absl::StatusOr<std::unique_ptr<AuditLog>> Open(
      const AuditOptions& options, Listener listener = nullptr,
      AuditDisk disk = {});
  // Closes.
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  // Whether a batch is worth judging: its verdicts have a chance to be written.
  bool Ready();
  // Takes the `count` lines, and leaves an empty string. Whether their verdicts
  // may be sent.
  bool Append(std::string* lines, size_t count);
  // Soon goes on with whatever file has the name now (SIGHUP; logrotate).
  void Reopen();
  // Writes what is there, syncs, and ends the writer.
  void Close();

  AuditCounters counters() const;
  // Verdicts cannot leave now, since they could not be written.
  bool Refusing() const;
  const AuditOptions& options() const { return options_; }

 private:
  class Writer;

  AuditLog(const AuditOptions& options, std::shared_ptr<Writer> writer);

  const AuditOptions options_;
  // Also its threads', which may outlive the log if the disk hangs.
  const std::shared_ptr<Writer> writer_;
  std::thread write_thread_;
  std::thread sync_thread_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_AUDIT_LOG_H_
