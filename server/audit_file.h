// The file the audit log is written to: appended to by one process, whole lines
// or none, rotated by renaming.
//
//   absl::StatusOr<std::unique_ptr<AuditFile>> file = AuditFile::Open(path);
//   absl::Status written = (*file)->Append(lines);     // lines end with '\n'
//
// A lock on PATH.lock keeps a second process out for as long as this lives. A
// last line without an end, left by a crash, is ended at opening.
//
// Thread safety: one thread at a time. Errors: kUnavailable naming the file and
// the system's reason; kFailedPrecondition if another process has the lock.
#ifndef INKAN_SERVER_AUDIT_FILE_H_
#define INKAN_SERVER_AUDIT_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace inkan {

// Of the open file; the path is for the error.
absl::Status SyncAuditFile(int descriptor, const std::string& path);

class AuditFile {
 public:
  static absl::StatusOr<std::unique_ptr<AuditFile>> Open(std::string path);
  ~AuditFile();
  AuditFile(const AuditFile&) = delete;
  AuditFile& operator=(const AuditFile&) = delete;

  // Writes all of `lines`, or, on error, nothing: what got through before it is
  // cut off again.
  absl::Status Append(std::string_view lines);
  // Takes back the last Append.
  absl::Status TakeBack();
  // Whether a few lines more would find room on the disk; takes none, writes
  // nothing. OK where the file system cannot tell: only a write will.
  absl::Status CheckRoom() const;
  // To the disk.
  absl::Status Sync();
  // Another descriptor of the file as it is now, for the caller to close; -1 if
  // there is none.
  int CopyDescriptor() const;
  const std::string& path() const { return path_; }
  // Renames the file to PATH.TIME and goes on with a new one. On error the old
  // one stays in use.
  absl::Status Rotate(absl::Time now);
  // Goes on with whatever is at PATH now: somebody else renamed the file. On
  // error the old one stays in use.
  absl::Status Reopen();

  uint64_t size() const { return size_; }
  // By NowNs, so that nobody who sets the clock keeps the file from being old.
  int64_t opened_ns() const { return opened_ns_; }

 private:
  AuditFile(std::string path, int lock_fd)
      : path_(std::move(path)), lock_fd_(lock_fd) {}
  absl::Status OpenFile();
  absl::Status CutTo(uint64_t size);

  const std::string path_;
  const int lock_fd_;
  int fd_ = -1;
  uint64_t size_ = 0;
  uint64_t size_before_ = 0;  // the last Append
  // What lies past size_ is the rest of a write that failed, and could not be
  // cut off yet.
  bool cut_owed_ = false;
  int64_t opened_ns_ = 0;
};

}  // namespace inkan

#endif  // INKAN_SERVER_AUDIT_FILE_H_
