#include "cache/crl_source.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
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

absl::StatusOr<std::string> PemToDer(const std::string& text) {
  BIO* bio = BIO_new_mem_buf(text.data(), static_cast<int>(text.size()));
  const auto free_bio = absl::MakeCleanup([bio] { BIO_free(bio); });
  unsigned char* data = nullptr;
  long size = 0;
  if (PEM_bytes_read_bio(&data, &size, nullptr, PEM_STRING_X509_CRL, bio,
                         nullptr, nullptr) != 1) {
    return absl::InvalidArgumentError("PEM without an X509 CRL block");
  }
  std::string der(reinterpret_cast<char*>(data), static_cast<size_t>(size));
  OPENSSL_free(data);
  return der;
}

bool SameState(const CrlFile& file, const struct stat& status) {
  const int64_t modified_ns =
      status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec;
  return file.size == status.st_size && file.modified_ns == modified_ns &&
         file.inode == status.st_ino;
}

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

bool CrlSource::RescanFile(const std::string& path) {
  CrlFile& file = files_[path];
  file.seen = true;
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) {
    const std::string error =
        absl::StrCat("cannot stat: ", std::strerror(errno));
    const bool changed = file.error != error;
    file.error = error;
    file.size = -1;
    file.last_attempt = absl::Now();
    return changed;
  }
  if (SameState(file, status)) return false;
  file.size = status.st_size;
  file.modified_ns =
      status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec;
  file.inode = status.st_ino;
  file.last_attempt = absl::Now();
  auto crl = ReadCrlFile(path, bytes_max_);
  file.newest = crl.ok() ? *std::move(crl) : nullptr;
  file.error = crl.ok() ? "" : std::string(crl.status().message());
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
    *changed |= file.newest != nullptr;
    file.newest = nullptr;
    file.size = -1;
    file.error = "the file is gone";
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
