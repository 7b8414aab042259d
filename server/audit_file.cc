#include "server/audit_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/steady_clock.h"

namespace inkan {
namespace {

// The owner writes, a group of auditors may read.
constexpr mode_t kMode = 0640;

// Some hundred lines. Reserved past the file's end, where the next ones go.
constexpr off_t kRoomBytes = 65536;

// kPermissionDenied: it will not get better by itself.
absl::Status SystemError(const char* what, const std::string& path) {
  absl::StatusCode code = absl::StatusCode::kUnavailable;
  for (const int lasting :
       {EACCES, EPERM, EROFS, ENOENT, ENOTDIR, EISDIR, ELOOP}) {
    if (errno == lasting) code = absl::StatusCode::kPermissionDenied;
  }
  return {code,
          absl::StrCat("cannot ", what, " ", path, ": ", std::strerror(errno))};
}

// Of a start, which an operator looks at.
absl::Status AtStart(const absl::Status& status) {
  return {status.code(),
          absl::StrCat("audit_log.file: ", std::string(status.message()),
                       "; give its folder, with room in it, to the account "
                       "that inkand runs as, or name another file")};
}

// Ends a line that a crash left without its end, so that the next one is whole.
bool EndTornLine(int fd, uint64_t* size) {
  if (*size == 0) return true;
  char last = '\n';
  if (pread(fd, &last, 1, static_cast<off_t>(*size - 1)) != 1) return false;
  if (last == '\n') return true;
  if (write(fd, "\n", 1) != 1) return false;
  ++*size;
  return true;
}

// So that the file's name survives the end of the machine too. Some file
// systems cannot, and need not.
void SyncFolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder =
      slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  fsync(fd);
  close(fd);
}

}  // namespace

absl::StatusOr<std::unique_ptr<AuditFile>> AuditFile::Open(std::string path) {
  const std::string lock_path = path + ".lock";
  const int lock =
      open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kMode);
  if (lock < 0) return AtStart(SystemError("open", lock_path));
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    const bool taken = errno == EWOULDBLOCK;
    const absl::Status status =
        taken
            ? absl::FailedPreconditionError(absl::StrCat(
                  "audit_log.file: ", path, " is in use by another process (",
                  lock_path, " is locked); give each server a file of its own"))
            : AtStart(SystemError("lock", lock_path));
    close(lock);
    return status;
  }
  auto file = std::unique_ptr<AuditFile>(new AuditFile(std::move(path), lock));
  const absl::Status opened = file->OpenFile();
  if (!opened.ok()) return AtStart(opened);
  return file;
}

AuditFile::~AuditFile() {
  if (fd_ >= 0) close(fd_);
  close(lock_fd_);
}

// Replaces fd_ by what is at the path, or changes nothing.
absl::Status AuditFile::OpenFile() {
  // Not blocking, or a pipe in the log's place would hold up the server.
  const int fd =
      open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK,
           kMode);
  if (fd < 0) return SystemError("open", path_);
  struct stat about = {};
  if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
    close(fd);
    return absl::FailedPreconditionError(
        absl::StrCat("cannot use ", path_, ": it is no regular file"));
  }
  SyncFolderOf(path_);
  auto size = static_cast<uint64_t>(about.st_size);
  if (!EndTornLine(fd, &size)) {
    absl::Status status = SystemError("end the torn last line of", path_);
    close(fd);
    return status;
  }
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
  size_ = size_before_ = size;
  cut_owed_ = false;
  opened_ns_ = NowNs();
  return absl::OkStatus();
}

absl::Status AuditFile::CutTo(uint64_t size) {
  size_ = size;
  cut_owed_ = ftruncate(fd_, static_cast<off_t>(size)) != 0;
  return cut_owed_ ? SystemError("cut back", path_) : absl::OkStatus();
}

absl::Status AuditFile::Append(std::string_view lines) {
  if (cut_owed_) {
    absl::Status status = CutTo(size_);
    if (!status.ok()) return status;
  }
  // Somebody may have cut it (logrotate's copytruncate).
  struct stat about = {};
  if (fstat(fd_, &about) != 0) return SystemError("look at", path_);
  size_ = size_before_ = static_cast<uint64_t>(about.st_size);
  while (!lines.empty()) {
    const ssize_t written = write(fd_, lines.data(), lines.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      if (written == 0) errno = EIO;
      absl::Status status = SystemError("write to", path_);
      if (size_ > size_before_) CutTo(size_before_).IgnoreError();
      return status;
    }
    size_ += static_cast<uint64_t>(written);
    lines.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status AuditFile::TakeBack() { return CutTo(size_before_); }

absl::Status AuditFile::CheckRoom() const {
  struct stat about = {};
  if (fstat(fd_, &about) != 0) return SystemError("look at", path_);
  // A size that no file of this process may have is not refused below.
  rlimit limit = {};
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
      static_cast<rlim_t>(about.st_size + kRoomBytes) > limit.rlim_cur) {
    errno = EFBIG;
    return SystemError("write to", path_);
  }
  if (fallocate(fd_, FALLOC_FL_KEEP_SIZE, about.st_size, kRoomBytes) == 0 ||
      errno == EOPNOTSUPP || errno == ENOSYS || errno == EINTR) {
    return absl::OkStatus();
  }
  return SystemError("find room for", path_);
}

absl::Status SyncAuditFile(int descriptor, const std::string& path) {
  if (fdatasync(descriptor) == 0) return absl::OkStatus();
  return SystemError("sync", path);
}

absl::Status AuditFile::Sync() { return SyncAuditFile(fd_, path_); }

int AuditFile::CopyDescriptor() const { return fcntl(fd_, F_DUPFD_CLOEXEC, 0); }

absl::Status AuditFile::Rotate(absl::Time now) {
  const std::string stem = absl::StrCat(
      path_, ".", absl::FormatTime("%Y%m%dT%H%M%SZ", now, absl::UTCTimeZone()));
  std::string name = stem;
  // Several in one second are numbered. link(2) rather than a look and a
  // rename, so that nothing is ever overwritten.
  for (int n = 1; link(path_.c_str(), name.c_str()) != 0; ++n) {
    if (errno != EEXIST || n == 1000) return SystemError("rotate", path_);
    name = absl::StrCat(stem, "-", n);
  }
  if (unlink(path_.c_str()) != 0) {
    absl::Status status = SystemError("rotate", path_);
    unlink(name.c_str());
    return status;
  }
  absl::Status opened = OpenFile();
  if (opened.ok()) return opened;
  // Back to its name, under which it goes on.
  std::rename(name.c_str(), path_.c_str());
  return opened;
}

absl::Status AuditFile::Reopen() { return OpenFile(); }

}  // namespace inkan
