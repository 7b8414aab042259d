#include "cache/crl_source.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cache/steady_time.h"

namespace inkan {
namespace {

// The change time moves with every write, and cannot be set back.
int64_t ChangedNs(const struct stat& status) {
  return status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec;
}

bool SameState(const CrlFile& file, const struct stat& status) {
  return file.size == status.st_size && file.changed_ns == ChangedNs(status) &&
         file.inode == status.st_ino;
}

// Two writes closer together than this may carry one change time, so that the
// second would not be seen.
constexpr int64_t kClockTickNs = 20'000'000;

}  // namespace

absl::StatusOr<std::shared_ptr<const CrlData>> ReadCrlFile(
    const std::string& path, uint64_t bytes_max) {
  return CrlLoader(CrlLoaderOptions{"", bytes_max}).Load(path, path);
}

// Nothing can be read from the file any more; what was good from it stays.
bool CrlSource::Lose(CrlFile* file, const std::string& error) {
  const bool changed = file->error != error || file->newest != nullptr;
  ++file->failures;
  file->newest = nullptr;
  file->awaited = nullptr;
  file->error = error;
  return changed;
}

void CrlSource::Note(const struct stat& status, absl::Time now,
                     absl::Duration steady_now, CrlFile* file) {
  const int64_t age = absl::ToUnixNanos(now) - ChangedNs(status);
  const bool seen_before = file->unsettled_size == status.st_size &&
                           file->changed_ns == ChangedNs(status) &&
                           file->inode == status.st_ino;
  if (!seen_before) {
    file->unsettled_size = status.st_size;
    file->unsettled_since = steady_now;
  }
  file->changed_ns = ChangedNs(status);
  file->inode = status.st_ino;
  // A time ahead of the clock (which was set back, or is another machine's)
  // would not grow old for long; but once it has been seen for a while, whoever
  // writes gets another one.
  const bool settled =
      age > kClockTickNs ||
      (age < 0 && seen_before &&
       steady_now - file->unsettled_since > absl::Nanoseconds(kClockTickNs));
  file->size = settled ? status.st_size : -1;
}

bool CrlSource::RescanFile(const std::string& path, const CrlControl& control) {
  CrlFile& file = files_[path];
  file.seen = true;
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) {
    file.last_attempt = absl::Now();
    file.size = -1;
    return Lose(&file, absl::StrCat("cannot stat: ", std::strerror(errno)));
  }
  if (SameState(file, status)) return false;
  file.last_attempt = absl::Now();
  ++file.attempts;
  Note(status, file.last_attempt, SteadyNow(), &file);
  auto crl = loader_->Load(path, path, control);
  if (absl::IsCancelled(crl.status())) {
    file.size = -1;
    return false;
  }
  if (!crl.ok()) {
    // Again with the next look: descriptors and memory come back.
    if (absl::IsUnavailable(crl.status()) ||
        absl::IsResourceExhausted(crl.status())) {
      file.size = -1;
    }
    return Lose(&file, std::string(crl.status().message()));
  }
  for (const auto& known : {file.newest, file.awaited}) {
    if (known != nullptr && known->sha256 == (*crl)->sha256) return false;
  }
  file.newest = *std::move(crl);
  file.awaited = nullptr;
  file.error.clear();
  return true;
}

// A file that is gone takes nothing with it: its CRL stays until it is stale.
void CrlSource::ForgetUnseen(bool* changed) {
  for (auto it = files_.begin(); it != files_.end();) {
    CrlFile& file = it->second;
    if (file.seen) {
      ++it;
      continue;
    }
    if (file.last_good == nullptr && file.displaced.empty()) {
      it = files_.erase(it);
      *changed = true;
      continue;
    }
    file.size = -1;
    *changed |= Lose(&file, "the file is gone");
    ++it;
  }
}

bool CrlSource::Rescan(const CrlControl& control) {
  error_.clear();
  for (auto& [path, file] : files_) file.seen = false;
  if (options_.kind == CrlSourceOptions::Kind::kFile) {
    return RescanFile(options_.path, control);
  }
  bool changed = false;
  std::error_code error;
  std::filesystem::directory_iterator entries(options_.path, error);
  while (!error && entries != std::filesystem::directory_iterator()) {
    // Writers that rename into place use hidden or temporary names first.
    const std::string name = entries->path().filename().string();
    std::error_code ignored;
    if (name.front() != '.' && !entries->is_directory(ignored)) {
      changed |= RescanFile(entries->path().string(), control);
    }
    entries.increment(error);
  }
  if (error) {
    error_ = absl::StrCat("cannot list the folder: ", error.message());
    return changed;
  }
  ForgetUnseen(&changed);
  return changed;
}

}  // namespace inkan
