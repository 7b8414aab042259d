#include "cache/crl_source.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace inkan {
namespace {

constexpr std::string_view kPemStart = "-----BEGIN ";

absl::Status FileError(const std::string& what, int error) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(error)));
}

absl::StatusOr<std::string> ReadWholeFile(const std::string& path,
                                          uint64_t bytes_max) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return FileError("cannot open", errno);
  const auto close_fd = absl::MakeCleanup([fd] { close(fd); });
  struct stat status;
  if (fstat(fd, &status) != 0) return FileError("cannot stat", errno);
  if (!S_ISREG(status.st_mode)) {
    return absl::InvalidArgumentError("not a regular file");
  }
  if (static_cast<uint64_t>(status.st_size) > bytes_max) {
    return absl::InvalidArgumentError(
        absl::StrCat("larger than limits.crl_bytes_max (", bytes_max, ")"));
  }
  std::string contents(static_cast<size_t>(status.st_size), '\0');
  size_t filled = 0;
  while (filled < contents.size()) {
    const ssize_t got =
        read(fd, contents.data() + filled, contents.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError("cannot read", errno);
    if (got == 0) break;  // it shrank meanwhile
    filled += static_cast<size_t>(got);
  }
  contents.resize(filled);
  return contents;
}

// Asks nobody for a pass phrase, as OpenSSL would at the terminal.
int NoPassPhrase(char*, int, int, void*) { return -1; }

absl::StatusOr<std::string> PemToDer(const std::string& text) {
  if (text.size() > INT_MAX) {
    return absl::InvalidArgumentError("PEM of more than 2 GiB");
  }
  BIO* bio = BIO_new_mem_buf(text.data(), static_cast<int>(text.size()));
  const auto free_bio = absl::MakeCleanup([bio] { BIO_free(bio); });
  unsigned char* data = nullptr;
  long size = 0;
  if (PEM_bytes_read_bio(&data, &size, nullptr, PEM_STRING_X509_CRL, bio,
                         NoPassPhrase, nullptr) != 1) {
    ERR_clear_error();
    return absl::InvalidArgumentError("PEM without an X509 CRL block");
  }
  std::string der(reinterpret_cast<char*>(data), static_cast<size_t>(size));
  OPENSSL_free(data);
  return der;
}

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
  absl::StatusOr<std::string> contents = ReadWholeFile(path, bytes_max);
  if (!contents.ok()) return contents.status();
  if (contents->compare(0, kPemStart.size(), kPemStart) == 0) {
    contents = PemToDer(*contents);
    if (!contents.ok()) return contents.status();
  }
  return ReadCrl(AsBytes(*contents), path);
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

bool CrlSource::RescanFile(const std::string& path) {
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
  const bool settled =
      absl::ToUnixNanos(file.last_attempt) - ChangedNs(status) > kClockTickNs;
  file.size = settled ? status.st_size : -1;
  file.changed_ns = ChangedNs(status);
  file.inode = status.st_ino;
  auto crl = ReadCrlFile(path, bytes_max_);
  if (!crl.ok()) {
    if (absl::IsUnavailable(crl.status())) file.size = -1;  // try again
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
    if (file.last_good == nullptr) {
      it = files_.erase(it);
      *changed = true;
      continue;
    }
    file.size = -1;
    *changed |= Lose(&file, "the file is gone");
    ++it;
  }
}

bool CrlSource::Rescan() {
  error_.clear();
  for (auto& [path, file] : files_) file.seen = false;
  if (options_.kind == CrlSourceOptions::Kind::kFile) {
    return RescanFile(options_.path);
  }
  bool changed = false;
  std::error_code error;
  std::filesystem::directory_iterator entries(options_.path, error);
  while (!error && entries != std::filesystem::directory_iterator()) {
    // Writers that rename into place use hidden or temporary names first.
    const std::string name = entries->path().filename().string();
    std::error_code ignored;
    if (name.front() != '.' && !entries->is_directory(ignored)) {
      changed |= RescanFile(entries->path().string());
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
