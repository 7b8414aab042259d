#include "cache/crl_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "cache/crl_file_fields.h"

namespace inkan {
namespace {

using crl_file::FileHeader;

absl::Status FileError(const std::string& what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(errno)));
}

absl::Status Unsound(const char* what) {
  return absl::DataLossError(absl::StrCat("compiled CRL: ", what));
}

class Sha256Sum {
 public:
  Sha256Sum() : context_(EVP_MD_CTX_new()) {
    if (context_ == nullptr ||
        EVP_DigestInit_ex2(context_, EVP_sha256(), nullptr) != 1) {
      std::abort();
    }
  }
  ~Sha256Sum() { EVP_MD_CTX_free(context_); }
  Sha256Sum(const Sha256Sum&) = delete;
  Sha256Sum& operator=(const Sha256Sum&) = delete;

  void Add(Bytes piece) {
    if (EVP_DigestUpdate(context_, piece.data(), piece.size()) != 1) {
      std::abort();
    }
  }
  void Finish(uint8_t* digest) {
    if (EVP_DigestFinal_ex(context_, digest, nullptr) != 1) std::abort();
  }

 private:
  EVP_MD_CTX* context_;
};

// What is hashed of a file, and what is written, at a time: the former stays in
// the second cache.
constexpr size_t kHashedBytes = size_t{128} << 10;
constexpr size_t kWrittenBytes = size_t{4} << 20;

absl::Status WriteAll(int fd, Bytes piece, const CrlControl& control,
                      uint64_t* done, uint64_t total) {
  while (!piece.empty()) {
    const ssize_t wrote =
        write(fd, piece.data(), std::min(piece.size(), kWrittenBytes));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return FileError("cannot write");
    piece.remove_prefix(static_cast<size_t>(wrote));
    *done += static_cast<uint64_t>(wrote);
    if (absl::Status status = control.Report(*done, total); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string NameOf(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

constexpr char kUnfinished[] = ".crlx-unfinished";

// Of a writer that is older.
constexpr time_t kSurelyDeadSeconds = 3600;

// Removes what writers that were killed have left in the folder, if it was last
// written to so long ago.
void RemoveUnfinished(const std::string& folder, time_t age_seconds) {
  DIR* entries = opendir(folder.c_str());
  if (entries == nullptr) return;
  const auto close_folder = absl::MakeCleanup([entries] { closedir(entries); });
  while (const dirent* entry = readdir(entries)) {
    const std::string name = entry->d_name;
    if (name.compare(0, sizeof(kUnfinished) - 1, kUnfinished) != 0) continue;
    const std::string path = absl::StrCat(folder, "/", name);
    struct stat status;
    if (age_seconds == 0 || (stat(path.c_str(), &status) == 0 &&
                             status.st_mtime + age_seconds < time(nullptr))) {
      unlink(path.c_str());
    }
  }
}

absl::Status SyncFolder(const std::string& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return FileError("cannot open the folder");
  const auto close_fd = absl::MakeCleanup([fd] { close(fd); });
  return fsync(fd) == 0 ? absl::OkStatus()
                        : FileError("cannot sync the folder");
}

// Writes the pieces one after the other to a new file that appears under `path`
// all at once.
absl::Status WriteAtOnce(const std::string& path,
                         const std::vector<Bytes>& pieces, uint64_t total,
                         const CrlControl& control) {
  static std::atomic<uint64_t> count = 0;
  const std::string folder = FolderOf(path);
  RemoveUnfinished(folder, kSurelyDeadSeconds);
  const std::string unfinished = absl::StrCat(
      folder, "/", kUnfinished, "-", getpid(), "-", ++count, "-", NameOf(path));
  const int fd =
      open(unfinished.c_str(),
           O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) return FileError(absl::StrCat("cannot create in ", folder));
  absl::Cleanup remove = [&] { unlink(unfinished.c_str()); };
  absl::Status status;
  uint64_t done = 0;
  for (const Bytes& piece : pieces) {
    if (status.ok()) status = WriteAll(fd, piece, control, &done, total);
  }
  if (status.ok() && fsync(fd) != 0) status = FileError("cannot sync");
  if (close(fd) != 0 && status.ok()) status = FileError("cannot close");
  if (!status.ok()) return status;
  if (rename(unfinished.c_str(), path.c_str()) != 0) {
    return FileError("cannot rename");
  }
  std::move(remove).Cancel();
  return SyncFolder(folder);
}

// The next piece of a file, from its start on.
using PieceReader =
    absl::FunctionRef<absl::StatusOr<Bytes>(uint64_t offset, size_t size)>;

// The header says what this file is; the checksum, over all with zeros in its
// place, that it is whole.
absl::Status CheckWhole(uint64_t size, PieceReader read,
                        const CrlControl& control) {
  FileHeader header;
  if (size < sizeof(header)) return Unsound("shorter than a header");
  absl::StatusOr<Bytes> piece = read(0, sizeof(header));
  if (!piece.ok()) return piece.status();
  std::memcpy(&header, piece->data(), sizeof(header));
  if (header.magic != crl_file::kMagic) return Unsound("not one");
  if (header.byte_order != crl_file::kByteOrder ||
      header.version != kCompiledCrlVersion) {
    return Unsound("of another version, or another kind of machine");
  }
  if (header.file_bytes != size) return Unsound("cut short");
  const FileHeader as_written = header;
  std::memset(header.checksum, 0, sizeof(header.checksum));
  Sha256Sum sum;
  sum.Add(Bytes(reinterpret_cast<const uint8_t*>(&header), sizeof(header)));
  for (uint64_t at = sizeof(header); at < size; at += piece->size()) {
    piece = read(at, std::min<uint64_t>(kHashedBytes, size - at));
    if (!piece.ok()) return piece.status();
    sum.Add(*piece);
    if (absl::Status status = control.Report(at, size); !status.ok()) {
      return status;
    }
  }
  uint8_t checksum[sizeof(header.checksum)];
  sum.Finish(checksum);
  return std::memcmp(checksum, as_written.checksum, sizeof(checksum)) == 0
             ? absl::OkStatus()
             : Unsound("damaged (its checksum does not match)");
}

absl::Status CheckWhole(Bytes file, const CrlControl& control) {
  return CheckWhole(
      file.size(),
      [file](uint64_t offset, size_t size) -> absl::StatusOr<Bytes> {
        return file.subspan(offset, size);
      },
      control);
}

// Read once to be hashed, then mapped: of what is in memory by now.
absl::StatusOr<MemoryBlock> CheckAndMap(int fd, uint64_t size,
                                        const CompiledCrlOptions& options) {
  std::vector<uint8_t> buffer(kHashedBytes);
  absl::Status status = CheckWhole(
      size,
      [&](uint64_t offset, size_t piece) -> absl::StatusOr<Bytes> {
        absl::Status read =
            ReadPiece(fd, offset, buffer.data(), piece, options.read);
        if (!read.ok()) return read;
        return Bytes(buffer.data(), piece);
      },
      options.control);
  if (!status.ok()) return status;
  absl::StatusOr<MemoryBlock> memory =
      MemoryBlock::MapFile(fd, static_cast<size_t>(size));
  struct stat now;
  if (fstat(fd, &now) != 0 || static_cast<uint64_t>(now.st_size) != size) {
    return absl::UnavailableError("the file's size changed while read");
  }
  return memory;
}

absl::StatusOr<MemoryBlock> CheckCopy(int fd, uint64_t size,
                                      const CompiledCrlOptions& options) {
  absl::StatusOr<MemoryBlock> memory =
      ReadOpenFile(fd, static_cast<size_t>(size), options.read);
  if (!memory.ok()) return memory;
  if (absl::Status status = CheckWhole(memory->bytes(), options.control);
      !status.ok()) {
    return status;
  }
  return memory;
}

// A file that is whole, in memory.
absl::StatusOr<std::shared_ptr<const MemoryBlock>> OpenWhole(
    const std::string& path, const CompiledCrlOptions& options) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return FileError("cannot open");
  const auto close_fd = absl::MakeCleanup([fd] { close(fd); });
  struct stat status;
  if (fstat(fd, &status) != 0) return FileError("cannot stat");
  if (!S_ISREG(status.st_mode)) {
    return absl::InvalidArgumentError("not a regular file");
  }
  const auto size = static_cast<uint64_t>(status.st_size);
  if (size > options.bytes_max) {
    return absl::InvalidArgumentError(absl::StrCat(
        "larger than limits.crl_bytes_max (", options.bytes_max, ")"));
  }
  absl::StatusOr<MemoryBlock> memory = options.access == CompiledCrlAccess::kMap
                                           ? CheckAndMap(fd, size, options)
                                           : CheckCopy(fd, size, options);
  if (!memory.ok()) return memory.status();
  return std::make_shared<const MemoryBlock>(*std::move(memory));
}

// What a file that is whole says, as far as its parts fit together.
absl::StatusOr<CompiledCrl> ReadWhole(
    const std::shared_ptr<const MemoryBlock>& memory, std::string source) {
  const Bytes file = memory->bytes();
  FileHeader header;
  std::memcpy(&header, file.data(), sizeof(header));
  const uint64_t left = file.size() - sizeof(header);
  if (header.fields_bytes > left || header.images == 0 ||
      header.images >
          (left - header.fields_bytes) / sizeof(crl_file::ImagePlace)) {
    return Unsound("its parts do not fit");
  }
  CompiledCrl compiled;
  auto crl = std::make_shared<CrlData>();
  std::vector<std::string> issuers;
  const Bytes fields = file.subspan(sizeof(header), header.fields_bytes);
  if (!crl_file::HasOurUnicode(fields)) {
    return Unsound("its names are prepared by another version of Unicode");
  }
  if (!crl_file::ReadFields(fields, crl.get(), &compiled.origin, &issuers) ||
      issuers.size() != header.images) {
    return Unsound("its fields cannot be read");
  }
  crl->source = std::move(source);
  for (size_t i = 0; i < issuers.size(); ++i) {
    crl_file::ImagePlace place;
    std::memcpy(
        &place,
        file.data() + sizeof(header) + header.fields_bytes + i * sizeof(place),
        sizeof(place));
    if (place.bytes == 0) continue;  // nothing is revoked
    if (place.offset > file.size() ||
        place.bytes > file.size() - place.offset) {
      return Unsound("an index lies outside");
    }
    absl::StatusOr<CrlIndex> index =
        CrlIndex::FromImage(memory, file.subspan(place.offset, place.bytes));
    if (!index.ok()) return index.status();
    (i == 0 ? crl->index : crl->indirect[issuers[i]]) = *std::move(index);
  }
  compiled.crl = std::move(crl);
  return compiled;
}

}  // namespace

void RemoveUnfinishedCrls(const std::string& folder) {
  RemoveUnfinished(folder, 0);
}

absl::Status WriteCompiledCrl(const CrlData& crl, const CrlOrigin& origin,
                              const std::string& path,
                              const CrlControl& control) {
  // One image for each certificate issuer, the CRL issuer's own first.
  std::vector<Bytes> images = {crl.index.image()};
  std::vector<std::string> issuers = {""};
  for (const auto& [issuer, index] : crl.indirect) {
    images.push_back(index.image());
    issuers.push_back(issuer);
  }
  const std::string fields = crl_file::WriteFields(crl, origin, issuers);
  const auto aligned = [](uint64_t offset) {
    return (offset + crl_file::kAlignment - 1) / crl_file::kAlignment *
           crl_file::kAlignment;
  };
  static constexpr std::array<uint8_t, crl_file::kAlignment> kPadding = {};
  FileHeader header;
  header.fields_bytes = fields.size();
  header.images = images.size();
  std::string table;
  std::vector<Bytes> pieces = {
      Bytes(reinterpret_cast<const uint8_t*>(&header), sizeof(header)),
      AsBytes(fields), Bytes()};
  uint64_t end = sizeof(header) + fields.size() +
                 images.size() * sizeof(crl_file::ImagePlace);
  for (const Bytes& image : images) {
    const uint64_t start = aligned(end);
    pieces.push_back(Bytes(kPadding.data(), start - end));
    pieces.push_back(image);
    const crl_file::ImagePlace place = {start, image.size()};
    table.append(reinterpret_cast<const char*>(&place), sizeof(place));
    end = start + image.size();
  }
  pieces[2] = AsBytes(table);
  header.file_bytes = end;
  Sha256Sum sum;
  for (const Bytes& piece : pieces) sum.Add(piece);
  sum.Finish(header.checksum);
  return WriteAtOnce(path, pieces, header.file_bytes, control);
}

absl::StatusOr<CompiledCrl> ReadCompiledCrl(
    const std::shared_ptr<const MemoryBlock>& memory, std::string source) {
  if (absl::Status status = CheckWhole(memory->bytes(), {}); !status.ok()) {
    return status;
  }
  return ReadWhole(memory, std::move(source));
}

absl::StatusOr<CompiledCrl> OpenCompiledCrl(const std::string& path,
                                            std::string source,
                                            const CompiledCrlOptions& options) {
  absl::StatusOr<std::shared_ptr<const MemoryBlock>> memory =
      OpenWhole(path, options);
  if (!memory.ok()) return memory.status();
  return ReadWhole(*memory, std::move(source));
}

}  // namespace inkan
