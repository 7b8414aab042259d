#include "cache/crl_floors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "crypto/digest.h"

namespace inkan {
namespace {

constexpr char kHead[] = "inkan-floors 1";

// cRLNumbers are non-negative DER INTEGERs, so the longer one is the larger.
int CompareNumbers(const std::string& a, const std::string& b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return a.compare(b);
}

bool IsNewer(const std::string& number_a, int64_t update_a,
             const std::string& number_b, int64_t update_b) {
  if (!number_a.empty() && !number_b.empty()) {
    const int order = CompareNumbers(number_a, number_b);
    if (order != 0) return order > 0;
  }
  return update_a > update_b;
}

// What the older and the newer CRLs of a partition have in common.
std::array<uint8_t, 32> PartitionOf(const CrlData& crl, Bytes key,
                                    bool of_deltas) {
  const CrlScope& scope = crl.scope;
  std::string text = absl::StrCat(
      of_deltas, scope.only_user_certs, scope.only_ca_certs,
      scope.only_attribute_certs, scope.indirect, "|", scope.some_reasons);
  const auto add = [&text](absl::string_view part) {
    absl::StrAppend(&text, "|", part.size(), ":", part);
  };
  add(crl.canonical_issuer);
  add({reinterpret_cast<const char*>(key.data()), key.size()});
  for (const std::string& name : crl.scope_names) add(name);
  return Sha256(AsBytes(text));
}

std::string Hex(const std::array<uint8_t, 32>& digest) {
  return absl::BytesToHexString(absl::string_view(
      reinterpret_cast<const char*>(digest.data()), digest.size()));
}

bool ParseHex(absl::string_view hex, std::string* out) {
  if (hex.empty() || hex.size() % 2 != 0 ||
      hex.find_first_not_of("0123456789abcdef") != absl::string_view::npos) {
    return false;
  }
  *out = absl::HexStringToBytes(hex);
  return true;
}

bool ParseDigest(absl::string_view hex, std::array<uint8_t, 32>* out) {
  std::string bytes;
  if (!ParseHex(hex, &bytes) || bytes.size() != out->size()) return false;
  std::memcpy(out->data(), bytes.data(), out->size());
  return true;
}

absl::Status DiskError(const std::string& what, const std::string& path) {
  return absl::UnavailableError(
      absl::StrCat("cannot ", what, " ", path, ": ", std::strerror(errno),
                   "; check the state directory's disk and owner"));
}

// The whole file; nothing, with errno, if it cannot be read.
bool ReadAll(const std::string& path, std::string* text) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const auto close_fd = absl::MakeCleanup([fd] { close(fd); });
  char buffer[65536];
  while (true) {
    const ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) return true;
    text->append(buffer, static_cast<size_t>(got));
  }
}

// Writes and syncs a file.
absl::Status WriteAll(const std::string& path, absl::string_view text) {
  const int fd =
      open(path.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return DiskError("write", path);
  const auto close_fd = absl::MakeCleanup([fd] { close(fd); });
  while (!text.empty()) {
    const ssize_t put = write(fd, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return DiskError("write", path);
    text.remove_prefix(static_cast<size_t>(put));
  }
  return fdatasync(fd) == 0 ? absl::OkStatus() : DiskError("sync", path);
}

}  // namespace

bool IsNewerCrl(const CrlData& a, const CrlData& b) {
  return IsNewer(a.crl_number, a.this_update, b.crl_number, b.this_update);
}

absl::StatusOr<std::unique_ptr<CrlFloors>> CrlFloors::Open(
    const std::string& path) {
  std::unique_ptr<CrlFloors> floors(new CrlFloors(path));
  std::string text;
  if (!ReadAll(path, &text)) {
    if (errno == ENOENT || errno == ENOTDIR) return floors;
    return absl::FailedPreconditionError(
        absl::StrCat("state_directory: cannot read ", path, ": ",
                     std::strerror(errno), "; give it to the server"));
  }
  if (!floors->Parse(text)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "state_directory: ", path,
        " is damaged: which CRLs were in force, and must not be followed by "
        "older ones, is not known any more; restore it, or remove it to take "
        "whatever the sources give"));
  }
  return floors;
}

bool CrlFloors::Parse(const std::string& text) {
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  if (lines.size() < 3 || lines.front() != kHead || !lines.back().empty() ||
      lines[lines.size() - 2] != absl::StrCat("end ", lines.size() - 3)) {
    return false;
  }
  for (size_t i = 1; i + 2 < lines.size(); ++i) {
    const std::vector<absl::string_view> fields = absl::StrSplit(lines[i], ' ');
    Digest partition;
    Floor floor;
    if (fields.size() != 4 || !ParseDigest(fields[0], &partition) ||
        (fields[1] != "-" && !ParseHex(fields[1], &floor.crl_number)) ||
        !absl::SimpleAtoi(fields[2], &floor.this_update) ||
        !ParseDigest(fields[3], &floor.crl)) {
      return false;
    }
    floors_[partition] = std::move(floor);
  }
  return true;
}

bool CrlFloors::Has(const CrlData& crl, Bytes key) const {
  return floors_.contains(PartitionOf(crl, key, crl.is_delta));
}

bool CrlFloors::IsBelow(const CrlData& crl, Bytes key) const {
  const auto found = floors_.find(PartitionOf(crl, key, crl.is_delta));
  if (found == floors_.end()) return false;
  const Floor& floor = found->second;
  return IsNewer(floor.crl_number, floor.this_update, crl.crl_number,
                 crl.this_update);
}

bool CrlFloors::HadNewerDelta(const CrlData& complete, const CrlData* delta,
                              Bytes key) const {
  const auto found = floors_.find(PartitionOf(complete, key, true));
  if (found == floors_.end()) return false;
  const Floor& floor = found->second;
  // A CA may have ended with deltas, and count its complete CRLs by themselves:
  // one made later than the last delta needs none, nor one of its number. Of
  // two made in the same second the numbers tell.
  const bool numbered =
      !floor.crl_number.empty() && !complete.crl_number.empty();
  if (numbered) {
    if (CompareNumbers(floor.crl_number, complete.crl_number) <= 0 ||
        floor.this_update < complete.this_update) {
      return false;
    }
  } else if (floor.this_update <= complete.this_update) {
    return false;
  }
  return delta == nullptr || IsNewer(floor.crl_number, floor.this_update,
                                     delta->crl_number, delta->this_update);
}

void CrlFloors::Raise(const CrlData& crl, Bytes key) {
  const auto [found, is_new] =
      floors_.try_emplace(PartitionOf(crl, key, crl.is_delta));
  Floor& floor = found->second;
  if (!is_new && !IsNewer(crl.crl_number, crl.this_update, floor.crl_number,
                          floor.this_update)) {
    return;
  }
  // One without a number, after one with, does not open the way to those below
  // that number.
  if (!crl.crl_number.empty()) floor.crl_number = crl.crl_number;
  floor.this_update =
      is_new ? crl.this_update : std::max(floor.this_update, crl.this_update);
  floor.crl = crl.sha256;
  raised_ = true;
}

bool CrlFloors::Knows(const std::array<uint8_t, 32>& crl) const {
  return std::any_of(floors_.begin(), floors_.end(),
                     [&](const auto& one) { return one.second.crl == crl; });
}

absl::Status CrlFloors::Save() {
  if (!raised_) return absl::OkStatus();
  std::string text = absl::StrCat(kHead, "\n");
  for (const auto& [partition, floor] : floors_) {
    absl::StrAppend(&text, Hex(partition), " ",
                    floor.crl_number.empty()
                        ? "-"
                        : absl::BytesToHexString(floor.crl_number),
                    " ", floor.this_update, " ", Hex(floor.crl), "\n");
  }
  absl::StrAppend(&text, "end ", floors_.size(), "\n");
  const std::string unfinished = path_ + ".tmp";
  // Before the rename: its name must never lead to half of it.
  if (absl::Status s = WriteAll(unfinished, text); !s.ok()) return s;
  if (std::rename(unfinished.c_str(), path_.c_str()) != 0) {
    return DiskError("rename", unfinished);
  }
  const std::string folder = std::filesystem::path(path_).parent_path();
  const int fd = open(folder.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return DiskError("open", folder);
  const int synced = fsync(fd);
  const int error = errno;
  close(fd);
  errno = error;
  if (synced != 0) return DiskError("sync", folder);
  raised_ = false;
  return absl::OkStatus();
}

}  // namespace inkan
