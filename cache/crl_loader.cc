#include "cache/crl_loader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "cache/memory_block.h"
#include "cache/pem.h"
#include "crypto/digest.h"

namespace inkan {
namespace {

absl::Status FileError(const std::string& what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(errno)));
}

// The DER bytes of a CRL file, copied: what is hashed must be what is indexed,
// whoever writes to the file meanwhile.
absl::StatusOr<MemoryBlock> ReadCrlBytes(const std::string& path,
                                         uint64_t bytes_max) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return FileError("cannot open");
  const auto close_fd = absl::MakeCleanup([fd] { close(fd); });
  struct stat status;
  if (fstat(fd, &status) != 0) return FileError("cannot stat");
  if (!S_ISREG(status.st_mode)) {
    return absl::InvalidArgumentError("not a regular file");
  }
  if (static_cast<uint64_t>(status.st_size) > bytes_max) {
    return absl::InvalidArgumentError(
        absl::StrCat("larger than limits.crl_bytes_max (", bytes_max, ")"));
  }
  absl::StatusOr<MemoryBlock> contents =
      ReadOpenFile(fd, static_cast<size_t>(status.st_size));
  if (!contents.ok() || !LooksLikePem(contents->bytes())) return contents;
  return PemToDer(contents->bytes(), "X509 CRL");
}

}  // namespace

absl::StatusOr<std::shared_ptr<const CrlData>> CrlLoader::Load(
    const std::string& path, std::string source,
    const CrlControl& control) const {
  absl::StatusOr<MemoryBlock> der = ReadCrlBytes(path, options_.bytes_max);
  if (!der.ok()) return der.status();
  if (absl::Status status = control.Report(0, der->size()); !status.ok()) {
    return status;
  }
  return ReadCrl(der->bytes(), std::move(source), control);
}

absl::Status CrlLoader::Recheck(const std::string& path, const CrlData& crl,
                                const CrlControl& control) const {
  absl::StatusOr<MemoryBlock> der = ReadCrlBytes(path, options_.bytes_max);
  if (!der.ok()) return der.status();
  if (absl::Status status = control.Report(0, der->size()); !status.ok()) {
    return status;
  }
  if (Sha256(der->bytes()) == crl.sha256) return absl::OkStatus();
  return absl::DataLossError("the CRL file is not the one that was compiled");
}

std::string CrlLoader::cache_error() const {
  const MutexLock lock(&mutex_);
  return cache_error_;
}

void CrlLoader::SetCacheError(std::string error) const {
  const MutexLock lock(&mutex_);
  cache_error_ = std::move(error);
}

}  // namespace inkan
