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
#include <vector>

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
      : fd(std::exchange(other.fd, -1)),
        origin(std::move(other.origin)),
        opened(other.opened) {}
  OpenCrl& operator=(OpenCrl&&) = delete;
  ~OpenCrl() {
    if (fd >= 0) close(fd);
  }

  int fd = -1;
  CrlOrigin origin;
  absl::Duration opened;  // by SteadyNow
};

absl::StatusOr<OpenCrl> OpenCrlFile(const std::string& path,
                                    uint64_t bytes_max) {
  OpenCrl file;
  file.opened = SteadyNow();
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
// ago that another write would show: by the clock or, where that is behind the
// file's time (it was set back, or the time is another machine's), by having
// been watched for so long.
bool IsSettled(const OpenCrl& file, int64_t now_ns) {
  const int64_t age = now_ns - file.origin.changed_ns;
  const bool is_old =
      age > kClockTickNs ||
      (age < 0 && SteadyNow() - file.opened > absl::Nanoseconds(kClockTickNs));
  struct stat status;
  return is_old && fstat(file.fd, &status) == 0 &&
         OriginOf(file.origin.path, status) == file.origin;
}

// The DER octets, copied: what is hashed must be what is indexed, whoever
// writes to the file meanwhile.
absl::StatusOr<MemoryBlock> ReadCrlBytes(const OpenCrl& file) {
  absl::StatusOr<MemoryBlock> contents =
      ReadOpenFile(file.fd, static_cast<size_t>(file.origin.size));
  if (!contents.ok() || !LooksLikePem(contents->bytes())) return contents;
  return PemToDer(*std::move(contents), "X509 CRL");
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

int64_t WallClockNs() {
  timespec now = {};
  clock_gettime(CLOCK_REALTIME, &now);
  return Nanoseconds(now);
}

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
    absl::StatusOr<CompiledCrl> compiled =
        OpenCompiledCrl(path, std::move(source),
                        {.access = CompiledCrlAccess::kCopy,
                         .bytes_max = options_.bytes_max,
                         .control = control});
    if (compiled.ok()) return compiled->crl;
    return absl::IsDataLoss(compiled.status())
               ? absl::InvalidArgumentError(compiled.status().message())
               : compiled.status();
  }
  absl::StatusOr<OpenCrl> file = OpenCrlFile(path, options_.bytes_max);
  if (!file.ok()) return file.status();
  const bool cached = !options_.cache_folder.empty();
  if (cached) {
    // Whoever wrote it had seen to it that the file was settled, so whatever
    // the clock says now: with the same times it is the same file.
    absl::StatusOr<CompiledCrl> compiled =
        OpenCompiledCrl(CompiledPath(path), source, {.control = control});
    if (compiled.ok() && compiled->origin == file->origin) {
      Forget(path);
      return compiled->crl;
    }
    if (absl::IsCancelled(compiled.status())) return compiled.status();
  }
  absl::StatusOr<MemoryBlock> der = ReadCrlBytes(*file);
  if (!der.ok()) return der.status();
  auto crl = ReadCrl(der->bytes(), std::move(source), control);
  if (!crl.ok()) return crl.status();
  der = MemoryBlock();
  // A file that was written to a moment ago may be again without showing it: it
  // is read anew next time.
  if (cached && IsSettled(*file, options_.clock_ns())) {
    // To its end even if cancelled: the next start needs it.
    Write(*crl, file->origin, {.progress = control.progress}).IgnoreError();
  }
  return crl;
}

absl::Status CrlLoader::Write(const std::shared_ptr<const CrlData>& crl,
                              const CrlOrigin& origin,
                              const CrlControl& control) const {
  absl::Status written =
      WriteCompiledCrl(*crl, origin, CompiledPath(origin.path), control);
  if (written.ok()) {
    Forget(origin.path);
    return written;
  }
  const MutexLock lock(&mutex_);
  // Of what nobody holds any more no index is missed; and where CRLs come all
  // the time, the next attempt must not be put off by each of them.
  std::erase_if(unwritten_,
                [](const auto& entry) { return entry.second.crl.expired(); });
  if (unwritten_.empty()) last_attempt_ = SteadyNow();
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
  std::vector<std::pair<std::shared_ptr<const CrlData>, CrlOrigin>> missed;
  for (const auto& [path, entry] : entries) {
    std::shared_ptr<const CrlData> crl = entry.crl.lock();
    if (crl == nullptr || !IsStill(entry.origin)) {
      Forget(path);
    } else {
      missed.emplace_back(std::move(crl), entry.origin);
    }
  }
  for (const auto& [crl, origin] : missed) {
    if (HasRoomFor(*crl, options_.cache_folder) && !Write(crl, origin).ok()) {
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
