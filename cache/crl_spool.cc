#include "cache/crl_spool.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cache/crl_file.h"
#include "crypto/bytes.h"
#include "crypto/digest.h"

namespace inkan {
namespace {

namespace fs = std::filesystem;

// A record is a few hundred octets; URLs and names come into it.
constexpr size_t kRecordBytesMax = 65536;
constexpr char kRecordHead[] = "inkan-spool 1";
// With one field more, displaced-from.
constexpr char kDisplacedHead[] = "inkan-spool 2";

absl::Status DiskError(const std::string& what, const std::string& path) {
  return absl::UnavailableError(
      absl::StrCat("cannot ", what, " ", path, ": ", std::strerror(errno),
                   "; check the state directory's disk and owner"));
}

std::string Hex(const FileDigest& digest) {
  return absl::BytesToHexString(absl::string_view(
      reinterpret_cast<const char*>(digest.data()), digest.size()));
}

bool IsHex(const std::string& text, size_t digits) {
  return text.size() == digits &&
         text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

constexpr size_t kIdDigits = 2 * sizeof(FileDigest);

// Part of a CRL's file name.
std::string ShortHex(const FileDigest& digest) {
  return Hex(digest).substr(0, kIdDigits / 2);
}

std::string RecordText(const SpoolRecord& record) {
  const auto one_line = [](const std::string& text) {
    return absl::CEscape(text);
  };
  const bool displaced = !record.displaced_from.empty();
  return absl::StrCat(
      displaced ? kDisplacedHead : kRecordHead,
      "\nplace: ", one_line(record.place),
      "\nsource: ", one_line(record.source),
      "\netag: ", one_line(record.validators.etag),
      "\nlast-modified: ", one_line(record.validators.last_modified),
      "\nsha256: ", Hex(record.sha256),
      "\ncrl-sha256: ", Hex(record.crl_sha256),
      "\nfetched-at: ", absl::ToUnixSeconds(record.fetched_at),
      displaced ? "\ndisplaced-from: " : "", record.displaced_from, "\nend\n");
}

bool ParseDigest(const std::string& hex, FileDigest* digest) {
  if (!IsHex(hex, 2 * digest->size())) return false;
  const std::string bytes = absl::HexStringToBytes(hex);
  std::memcpy(digest->data(), bytes.data(), digest->size());
  return true;
}

// Nothing if it is not a whole record: it may be torn.
bool ParseRecord(const std::string& text, SpoolRecord* record) {
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  constexpr const char* kFields[] = {
      "place",  "source",     "etag",       "last-modified",
      "sha256", "crl-sha256", "fetched-at", "displaced-from"};
  const bool displaced = lines.front() == kDisplacedHead;
  const size_t count = std::size(kFields) - (displaced ? 0 : 1);
  if (lines.size() != count + 3 || lines[count + 1] != "end" ||
      (!displaced && lines.front() != kRecordHead)) {
    return false;
  }
  std::array<std::string, std::size(kFields)> values;
  for (size_t i = 0; i < count; ++i) {
    const std::string head = absl::StrCat(kFields[i], ": ");
    const std::string& line = lines[i + 1];
    if (line.compare(0, head.size(), head) != 0 ||
        !absl::CUnescape(line.substr(head.size()), &values[i])) {
      return false;
    }
  }
  record->place = values[0];
  record->source = values[1];
  record->validators = {values[2], values[3]};
  int64_t fetched_at = 0;
  if (!ParseDigest(values[4], &record->sha256) ||
      !ParseDigest(values[5], &record->crl_sha256) ||
      !absl::SimpleAtoi(values[6], &fetched_at) ||
      (displaced && !IsHex(values[7], kIdDigits))) {
    return false;
  }
  record->displaced_from = values[7];
  record->fetched_at = absl::FromUnixSeconds(fetched_at);
  return true;
}

std::string ReadSmallFile(const std::string& path) {
  std::string text;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  text.resize(kRecordBytesMax);
  const ssize_t got = read(fd, text.data(), text.size());
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  close(fd);
  return text;
}

absl::Status Sync(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return DiskError("open", path);
  const int synced = fsync(fd);
  const int error = errno;
  close(fd);
  errno = error;
  return synced == 0 ? absl::OkStatus() : DiskError("sync", path);
}

uint64_t BytesOf(const std::string& path) {
  std::error_code error;
  const std::uintmax_t bytes = fs::file_size(path, error);
  return error ? 0 : bytes;
}

}  // namespace

std::vector<fs::path> FilesIn(const std::string& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  while (!error && entries != fs::directory_iterator()) {
    paths.push_back(entries->path());
    entries.increment(error);
  }
  return paths;
}

absl::StatusOr<FileDigest> DigestOfFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return DiskError("open", path);
  const auto close_fd = absl::MakeCleanup([fd] { close(fd); });
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  const auto free_context =
      absl::MakeCleanup([context] { EVP_MD_CTX_free(context); });
  EVP_DigestInit_ex(context, EVP_sha256(), nullptr);
  std::vector<char> buffer(1 << 18);
  while (true) {
    const ssize_t got = read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return DiskError("read", path);
    if (got == 0) break;
    EVP_DigestUpdate(context, buffer.data(), static_cast<size_t>(got));
  }
  FileDigest digest{};
  EVP_DigestFinal_ex(context, digest.data(), nullptr);
  return digest;
}

absl::StatusOr<std::shared_ptr<CrlSpool>> CrlSpool::Open(
    const std::string& state_directory) {
  const std::string folder = state_directory + "/spool";
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error) fs::create_directories(state_directory + "/compiled", error);
  if (error) {
    return absl::FailedPreconditionError(
        absl::StrCat("state_directory: cannot make ", folder, ": ",
                     error.message(), "; make it and give it to the server"));
  }
  std::shared_ptr<CrlSpool> spool(new CrlSpool(folder));
  const std::string lock = state_directory + "/lock";
  spool->lock_fd_ = open(lock.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (spool->lock_fd_ < 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("state_directory: cannot write ", lock, ": ",
                     std::strerror(errno), "; give it to the server"));
  }
  if (flock(spool->lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "state_directory: ", state_directory,
        " is in use by another server; give each one a folder of its own"));
  }
  spool->CleanUp();
  RemoveUnfinishedCrls(state_directory + "/compiled");
  return spool;
}

std::shared_ptr<CrlSpool> CrlSpool::OpenToRead(
    const std::string& state_directory) {
  return std::shared_ptr<CrlSpool>(new CrlSpool(state_directory + "/spool"));
}

CrlSpool::~CrlSpool() {
  if (lock_fd_ >= 0) close(lock_fd_);
}

std::string CrlSpool::IdOf(const std::string& place) {
  return Hex(Sha256(AsBytes(place)));
}

bool CrlSpool::TryClaim(const std::string& id) {
  MutexLock lock(&mutex_);
  return claimed_.insert(id).second;
}

void CrlSpool::Release(const std::string& id) {
  MutexLock lock(&mutex_);
  claimed_.erase(id);
}

// Removes what a process that ended left half done. CRLs whose record cannot be
// read are left for a person to look at; those that have none never were in
// use, or have been forgotten.
void CrlSpool::CleanUp() {
  const std::vector<fs::path> paths = FilesIn(folder_);
  absl::flat_hash_map<std::string, std::string> kept;  // id -> path of the CRL
  for (const fs::path& path : paths) {
    const std::string id = path.stem().string();
    if (path.extension() != ".meta" || !IsHex(id, kIdDigits)) continue;
    if (const auto held = Load(id)) {
      kept[id] = CrlPath(id, held->record.sha256);
    }
  }
  for (const fs::path& path : paths) {
    const std::string extension = path.extension().string();
    const std::string id = path.stem().stem().string();
    std::error_code ignored;
    bool replaced = false;
    if (extension == ".crl" && IsHex(id, kIdDigits)) {
      const auto record = kept.find(id);
      std::error_code error;
      replaced = record != kept.end()
                     ? path.string() != record->second
                     : !fs::exists(fs::path(folder_) / (id + ".meta"), error) &&
                           !error;
    }
    if (extension == ".part" || extension == ".tmp" || replaced) {
      fs::remove(path, ignored);
    }
  }
}

std::string CrlSpool::CrlPath(const std::string& id,
                              const FileDigest& digest) const {
  return absl::StrCat(folder_, "/", id, ".", ShortHex(digest), ".crl");
}
std::string CrlSpool::PartPath(const std::string& id) const {
  return absl::StrCat(folder_, "/", id, ".part");
}

uint64_t CrlSpool::CrlBytes(const std::string& id,
                            const FileDigest& digest) const {
  return BytesOf(CrlPath(id, digest));
}
uint64_t CrlSpool::PartBytes(const std::string& id) const {
  return BytesOf(PartPath(id));
}

absl::StatusOr<FileDigest> CrlSpool::Finish(const std::string& id) {
  const std::string part = PartPath(id);
  if (const absl::Status synced = Sync(part); !synced.ok()) return synced;
  auto digest = DigestOfFile(part);
  if (!digest.ok()) return digest;
  const std::string path = CrlPath(id, *digest);
  MutexLock lock(&mutex_);
  replaced_.erase(path);  // it is back
  if (std::rename(part.c_str(), path.c_str()) != 0) {
    return DiskError("rename", part);
  }
  return digest;
}

absl::Status CrlSpool::Keep(const std::string& id, const SpoolRecord& record,
                            const FileDigest& before) {
  absl::Status written = WriteRecord(id, record);
  if (!written.ok()) return written;
  const std::string now = CrlPath(id, record.sha256);
  const std::string then = CrlPath(id, before);
  MutexLock lock(&mutex_);
  to_sync_ = true;
  replaced_.erase(now);
  if (then != now) replaced_.insert(then);
  return written;
}

absl::StatusOr<std::string> CrlSpool::Displace(const std::string& id,
                                               const SpoolRecord& record) {
  const std::string own_id =
      IdOf(absl::StrCat(id, "\n", Hex(record.crl_sha256)));
  const std::string from = CrlPath(id, record.sha256);
  const std::string to = CrlPath(own_id, record.sha256);
  unlink(to.c_str());
  if (link(from.c_str(), to.c_str()) != 0) return DiskError("link", from);
  SpoolRecord own = record;
  own.displaced_from = id;
  absl::Status kept = WriteRecord(own_id, own);
  if (kept.ok()) kept = Sync(folder_);
  if (kept.ok()) return own_id;
  Forget({{own_id, own}});
  return kept;
}

void CrlSpool::SyncKept() {
  absl::flat_hash_set<std::string> replaced;
  {
    MutexLock lock(&mutex_);
    if (!std::exchange(to_sync_, false)) return;
    replaced = replaced_;
  }
  const bool synced = Sync(folder_).ok();
  MutexLock lock(&mutex_);
  if (!synced) {
    to_sync_ = true;
    return;
  }
  for (const std::string& path : replaced) {
    if (replaced_.erase(path) > 0) unlink(path.c_str());
  }
}

void CrlSpool::Drop(const std::string& id, const FileDigest& digest) {
  unlink(CrlPath(id, digest).c_str());
}

void CrlSpool::DropPart(const std::string& id) { unlink(PartPath(id).c_str()); }

absl::Status CrlSpool::WriteRecord(const std::string& id,
                                   const SpoolRecord& record) {
  const std::string path = absl::StrCat(folder_, "/", id, ".meta");
  const std::string unfinished = path + ".tmp";
  const std::string text = RecordText(record);
  const int fd =
      open(unfinished.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return DiskError("write", unfinished);
  const auto close_fd = absl::MakeCleanup([fd] { close(fd); });
  errno = ENOSPC;  // of a write that is only cut short
  if (write(fd, text.data(), text.size()) !=
      static_cast<ssize_t>(text.size())) {
    return DiskError("write", unfinished);
  }
  // Before the rename: its name must never lead to half a record.
  if (fdatasync(fd) != 0) return DiskError("sync", unfinished);
  if (std::rename(unfinished.c_str(), path.c_str()) != 0) {
    return DiskError("rename", unfinished);
  }
  return absl::OkStatus();
}

std::optional<CrlSpool::Held> CrlSpool::Load(const std::string& id) const {
  Held held;
  held.id = id;
  if (!ParseRecord(ReadSmallFile(absl::StrCat(folder_, "/", id, ".meta")),
                   &held.record)) {
    return std::nullopt;
  }
  return held;
}

void CrlSpool::Forget(const std::vector<Held>& kept) {
  if (kept.empty() || lock_fd_ < 0) return;  // or it is another server's
  for (const Held& held : kept) {
    unlink(absl::StrCat(folder_, "/", held.id, ".meta").c_str());
  }
  // Unless that is certain, the next Open removes them.
  if (!Sync(folder_).ok()) return;
  for (const Held& held : kept) Drop(held.id, held.record.sha256);
}

std::vector<CrlSpool::Held> CrlSpool::LoadAll(const std::string& source) const {
  std::vector<Held> all;
  for (const fs::path& path : FilesIn(folder_)) {
    const std::string id = path.stem().string();
    if (path.extension() != ".meta" || !IsHex(id, kIdDigits)) continue;
    auto held = Load(id);
    if (held.has_value() && held->record.source == source) {
      all.push_back(*std::move(held));
    }
  }
  return all;
}

bool CrlSpool::IsIntact(const std::string& id, const FileDigest& digest) const {
  const auto now = DigestOfFile(CrlPath(id, digest));
  return now.ok() && *now == digest;
}

}  // namespace inkan
