#include "cache/crl_loader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/crl_file.h"
#include "cache/memory_block.h"
#include "cache/pem.h"
#include "cache/steady_time.h"
#include "crypto/digest.h"

namespace inkan {
namespace {

absl::Status FileError(const std::string& what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(errno)));
}

// Two writes closer together than this may carry one change time, so that the
// second would not be seen.
constexpr int64_t kClockTickNs = 20'000'000;

int64_t Nanoseconds(const timespec& time) {
  return time.tv_sec * int64_t{1'000'000'000} + time.tv_nsec;
}

CrlOrigin OriginOf(const std::string& path, const struct stat& status) {
  return {path, static_cast<uint64_t>(status.st_size),
          Nanoseconds(status.st_mtim), Nanoseconds(status.st_ctim),
          status.st_ino};
}

// An open CRL file and what it was known by when it was opened.
struct OpenCrl {
  OpenCrl() = default;
  OpenCrl(OpenCrl&& other) noexcept
      : fd(std::exchange(other.fd, -1)), origin(std::move(other.origin)) {}
  OpenCrl& operator=(OpenCrl&&) = delete;
  ~OpenCrl() {
    if (fd >= 0) close(fd);
  }

  int fd = -1;
  CrlOrigin origin;
};

absl::StatusOr<OpenCrl> OpenCrlFile(const std::string& path,
                                    uint64_t bytes_max) {
  OpenCrl file;
  file.fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file.fd < 0) return FileError("cannot open");
  struct stat status;
  if (fstat(file.fd, &status) != 0) return FileError("cannot stat");
  if (!S_ISREG(status.st_mode)) {
    return absl::InvalidArgumentError("not a regular file");
  }
  if (static_cast<uint64_t>(status.st_size) > bytes_max) {
    return absl::InvalidArgumentError(
        absl::StrCat("larger than limits.crl_bytes_max (", bytes_max, ")"));
  }
  file.origin = OriginOf(path, status);
  return file;
}

// Whether the file is still what it was when opened, and was written to so long
// ago that another write would show.
bool IsSettled(const OpenCrl& file) {
  timespec now;
  struct stat status;
  return clock_gettime(CLOCK_REALTIME, &now) == 0 &&
         Nanoseconds(now) - file.origin.changed_ns > kClockTickNs &&
         fstat(file.fd, &status) == 0 &&
         OriginOf(file.origin.path, status) == file.origin;
}

// The DER octets, copied: what is hashed must be what is indexed, whoever
// writes to the file meanwhile.
absl::StatusOr<MemoryBlock> ReadCrlBytes(const OpenCrl& file) {
  absl::StatusOr<MemoryBlock> contents =
      ReadOpenFile(file.fd, static_cast<size_t>(file.origin.size));
  if (!contents.ok() || !LooksLikePem(contents->bytes())) return contents;
  return PemToDer(contents->bytes(), "X509 CRL");
}

// Whether the file at the path is still what it was when it was read.
bool IsStill(const CrlOrigin& origin) {
  struct stat status;
  return stat(origin.path.c_str(), &status) == 0 &&
         OriginOf(origin.path, status) == origin;
}

// What the file system says; true if it does not. Trying would take the last
// room from others.
bool HasRoomFor(const CrlData& crl, const std::string& folder) {
  struct statvfs disk;
  if (statvfs(folder.c_str(), &disk) != 0 || disk.f_blocks == 0) return true;
  return crl.memory_bytes() / disk.f_frsize < disk.f_bavail;
}

bool IsCompiled(const std::string& path) {
  const std::string suffix = kCompiledCrlSuffix;
  return path.size() > suffix.size() &&
         path.compare(path.size() - suffix.size(), suffix.size(), suffix) == 0;
}

}  // namespace

std::string CrlLoader::CompiledPath(const std::string& path) const {
  const std::array<uint8_t, 32> digest = Sha256(AsBytes(path));
  std::string name;
  for (size_t i = 0; i < 16; ++i) {
    absl::StrAppend(&name, absl::Hex(digest[i], absl::kZeroPad2));
  }
  return absl::StrCat(options_.cache_folder, "/", name, kCompiledCrlSuffix);
}

absl::StatusOr<std::shared_ptr<const CrlData>> CrlLoader::Load(
    const std::string& path, std::string source,
    const CrlControl& control) const {
  if (control.cancelled != nullptr &&
      control.cancelled->load(std::memory_order_relaxed)) {
    return absl::CancelledError("cancelled");
  }
  if (IsCompiled(path)) {
    absl::StatusOr<CompiledCrl> compiled = OpenCompiledCrl(
        path, std::move(source), CompiledCrlAccess::kCopy, options_.bytes_max);
    if (compiled.ok()) return compiled->crl;
    return absl::IsDataLoss(compiled.status())
               ? absl::InvalidArgumentError(compiled.status().message())
               : compiled.status();
  }
  absl::StatusOr<OpenCrl> file = OpenCrlFile(path, options_.bytes_max);
  if (!file.ok()) return file.status();
  const bool cached = !options_.cache_folder.empty();
  if (cached && IsSettled(*file)) {
    absl::StatusOr<CompiledCrl> compiled =
        OpenCompiledCrl(CompiledPath(path), source);
    if (compiled.ok() && compiled->origin == file->origin) {
      Forget(path);
      return compiled->crl;
    }
  }
  absl::StatusOr<MemoryBlock> der = ReadCrlBytes(*file);
  if (!der.ok()) return der.status();
  auto crl = ReadCrl(der->bytes(), std::move(source), control);
  if (!crl.ok()) return crl.status();
  der = MemoryBlock();
  // A file that was written to a moment ago may be again without showing it: it
  // is read anew next time.
  if (cached && IsSettled(*file)) Write(*crl, file->origin).IgnoreError();
  return crl;
}

absl::Status CrlLoader::Write(const std::shared_ptr<const CrlData>& crl,
                              const CrlOrigin& origin) const {
  const absl::Status written =
      WriteCompiledCrl(*crl, origin, CompiledPath(origin.path));
  if (written.ok()) {
    Forget(origin.path);
    return written;
  }
  const MutexLock lock(&mutex_);
  last_attempt_ = SteadyNow();
  unwritten_[origin.path] = {
      crl->source, crl, origin,
      absl::StrCat(written.message(), " (", options_.cache_folder, ")")};
  return written;
}

void CrlLoader::WriteAgain(absl::Duration interval) const {
  UnwrittenByPath entries;
  {
    const MutexLock lock(&mutex_);
    if (unwritten_.empty() || SteadyNow() - last_attempt_ < interval) return;
    last_attempt_ = SteadyNow();
    entries = unwritten_;
  }
  for (const auto& [path, entry] : entries) {
    const std::shared_ptr<const CrlData> crl = entry.crl.lock();
    if (crl == nullptr || !IsStill(entry.origin)) {
      Forget(path);
    } else if (HasRoomFor(*crl, options_.cache_folder) &&
               !Write(crl, entry.origin).ok()) {
      return;  // as it would be with the next
    }
  }
}

UnwrittenIndexes CrlLoader::unwritten() const {
  UnwrittenIndexes all;
  const MutexLock lock(&mutex_);
  all.crls = unwritten_.size();
  if (all.crls == 0) return all;
  const Unwritten& one = unwritten_.begin()->second;
  all.error = absl::StrCat(
      "the index of ", one.source, ": ", one.error,
      "; check the room on this disk and its owner. The CRL is in use, but "
      "after a restart it has to be read and indexed anew");
  return all;
}

void CrlLoader::Forget(const std::string& path) const {
  const MutexLock lock(&mutex_);
  unwritten_.erase(path);
}

}  // namespace inkan
