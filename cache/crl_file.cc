#include "cache/crl_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

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

// Over the whole file, the checksum itself taken as zero.
void Checksum(Bytes file, uint8_t* digest) {
  FileHeader header;
  std::memcpy(&header, file.data(), sizeof(header));
  std::memset(header.checksum, 0, sizeof(header.checksum));
  Sha256Sum sum;
  sum.Add(Bytes(reinterpret_cast<const uint8_t*>(&header), sizeof(header)));
  sum.Add(file.subspan(sizeof(header)));
  sum.Finish(digest);
}

absl::Status WriteAll(int fd, Bytes piece) {
  constexpr size_t kPieceBytes = size_t{1} << 24;
  while (!piece.empty()) {
    const ssize_t wrote =
        write(fd, piece.data(), std::min(piece.size(), kPieceBytes));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return FileError("cannot write");
    piece.remove_prefix(static_cast<size_t>(wrote));
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
                         const std::vector<Bytes>& pieces) {
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
  for (const Bytes& piece : pieces) {
    if (status.ok()) status = WriteAll(fd, piece);
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

absl::StatusOr<std::shared_ptr<const MemoryBlock>> OpenFile(
    const std::string& path, CompiledCrlAccess access, uint64_t bytes_max) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return FileError("cannot open");
  const auto close_fd = absl::MakeCleanup([fd] { close(fd); });
  struct stat status;
  if (fstat(fd, &status) != 0) return FileError("cannot stat");
  if (!S_ISREG(status.st_mode)) {
    return absl::InvalidArgumentError("not a regular file");
  }
  const auto size = static_cast<uint64_t>(status.st_size);
  if (size > bytes_max) {
    return absl::InvalidArgumentError(
        absl::StrCat("larger than limits.crl_bytes_max (", bytes_max, ")"));
  }
  absl::StatusOr<MemoryBlock> memory =
      access == CompiledCrlAccess::kMap
          ? MemoryBlock::MapFile(fd, static_cast<size_t>(size))
          : ReadOpenFile(fd, static_cast<size_t>(size));
  if (!memory.ok()) return memory.status();
  return std::make_shared<const MemoryBlock>(*std::move(memory));
}

// The header says what this file is; the checksum, that it is whole.
absl::Status CheckHeader(Bytes file, FileHeader* header) {
  if (file.size() < sizeof(FileHeader)) return Unsound("shorter than a header");
  std::memcpy(header, file.data(), sizeof(*header));
  if (header->magic != crl_file::kMagic) return Unsound("not one");
  if (header->byte_order != crl_file::kByteOrder ||
      header->version != kCompiledCrlVersion) {
    return Unsound("of another version, or another kind of machine");
  }
  if (header->file_bytes != file.size()) return Unsound("cut short");
  uint8_t checksum[sizeof(header->checksum)];
  Checksum(file, checksum);
  if (std::memcmp(checksum, header->checksum, sizeof(checksum)) != 0) {
    return Unsound("damaged (its checksum does not match)");
  }
  return absl::OkStatus();
}

}  // namespace

void RemoveUnfinishedCrls(const std::string& folder) {
  RemoveUnfinished(folder, 0);
}

absl::Status WriteCompiledCrl(const CrlData& crl, const CrlOrigin& origin,
                              const std::string& path) {
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
  return WriteAtOnce(path, pieces);
}

absl::StatusOr<CompiledCrl> ReadCompiledCrl(
    std::shared_ptr<const MemoryBlock> memory, std::string source) {
  const Bytes file = memory->bytes();
  FileHeader header;
  if (absl::Status status = CheckHeader(file, &header); !status.ok()) {
    return status;
  }
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

absl::StatusOr<CompiledCrl> OpenCompiledCrl(const std::string& path,
                                            std::string source,
                                            CompiledCrlAccess access,
                                            uint64_t bytes_max) {
  absl::StatusOr<std::shared_ptr<const MemoryBlock>> memory =
      OpenFile(path, access, bytes_max);
  if (!memory.ok()) return memory.status();
  return ReadCompiledCrl(*std::move(memory), std::move(source));
}

}  // namespace inkan
