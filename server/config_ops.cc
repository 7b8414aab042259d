#include "server/config_ops.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>
#include <optional>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/certificate_files.h"
#include "server/config_profile.h"

namespace inkan {
namespace {

// Below it a file would hold a handful of lines.
constexpr uint64_t kRotateBytesMin = 4096;
constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();
// A batch of 512 lines has 300 kB; more than a GiB waiting helps nobody.
constexpr uint64_t kBufferBytesMin = 65536;
constexpr uint64_t kBufferBytesMax = uint64_t{1} << 30;
constexpr int64_t kSyncSecondsMax = 3600;
constexpr int64_t kRotateSecondsMin = 1;
constexpr int64_t kRotateSecondsMax = int64_t{366} * 86400;

// A duration in whole seconds within bounds, or `standard`.
absl::Duration ReadInterval(bool given, const google::protobuf::Duration& value,
                            const ConfigNode& node, const char* field,
                            int64_t least, int64_t greatest,
                            absl::Duration standard) {
  if (!given) return standard;
  const std::optional<int64_t> seconds = ReadSeconds(value, node, field);
  if (!seconds.has_value()) return standard;
  if (*seconds < least || *seconds > greatest) {
    node.Error(field, absl::StrCat(*seconds, " s is out of range; give ", least,
                                   " to ", greatest));
    return standard;
  }
  return absl::Seconds(*seconds);
}

// Why a server of this account could not open the file to write and, where
// there is none, make it; empty if it could. Nothing is made.
std::string WriteFault(const std::string& path, const std::string& folder) {
  struct stat about = {};
  const bool is_there = stat(path.c_str(), &about) == 0;
  if (is_there && !S_ISREG(about.st_mode)) return "it is no regular file";
  const bool may = is_there ? access(path.c_str(), R_OK | W_OK) == 0
                            : access(folder.c_str(), W_OK | X_OK) == 0;
  return may ? "" : std::strerror(errno);
}

}  // namespace

bool IsAddress(const std::string& address) {
  if (absl::StartsWith(address, "unix:")) return address.size() > 5;
  const size_t colon = address.rfind(':');
  uint32_t port = 0;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(address.substr(colon + 1), &port) || port > 65535) {
    return false;
  }
  const std::string host = address.substr(0, colon);
  if (host.front() == '[') return host.back() == ']' && host.size() > 2;
  return !absl::StrContains(host, ':');
}

std::string ReadOpsHttp(const config::v1::OpsHttp& ops_http,
                        const ConfigNode& node) {
  const std::string& address = ops_http.address();
  if (absl::StartsWith(address, "unix:") || !IsAddress(address)) {
    node.Error("address",
               absl::StrCat("\"", address,
                            "\" is no address; write \"host:port\" or "
                            "\"[v6]:port\", e.g. \"127.0.0.1:9464\""));
  }
  return address;
}

AuditOptions ReadAuditLog(const config::v1::AuditLog& audit,
                          const ConfigNode& node, const std::string& folder) {
  AuditOptions out;
  out.file = ResolvePath(folder, audit.file());
  std::error_code error;
  const std::filesystem::path parent =
      std::filesystem::path(out.file).parent_path();
  if (audit.file().empty()) {
    node.Error("file", "missing; name the file to write to");
  } else if (!std::filesystem::is_directory(parent.empty() ? "." : parent,
                                            error)) {
    node.Error("file", absl::StrCat("its folder ", parent.string(),
                                    " is not there; make it, writable for "
                                    "inkand"));
  } else {
    for (const std::string& path : {out.file, out.file + ".lock"}) {
      const std::string fault =
          WriteFault(path, parent.empty() ? "." : parent.string());
      if (fault.empty()) continue;
      node.Error("file", absl::StrCat(path, " cannot be written: ", fault,
                                      "; give it and its folder to the account "
                                      "that inkand runs as, or name another"));
      break;
    }
  }
  switch (audit.sync()) {
    case config::v1::AUDIT_SYNC_NONE:
      out.sync = AuditSync::kNone;
      break;
    case config::v1::AUDIT_SYNC_EVERY_BATCH:
      out.sync = AuditSync::kEveryBatch;
      break;
    default:
      out.sync = AuditSync::kInterval;
  }
  out.sync_interval =
      ReadInterval(audit.has_sync_interval(), audit.sync_interval(), node,
                   "sync_interval", 1, kSyncSecondsMax, out.sync_interval);
  out.on_failure = audit.on_failure() == config::v1::AUDIT_FAILURE_DROP
                       ? AuditFailure::kDrop
                       : AuditFailure::kRefuse;
  out.rotate_interval =
      ReadInterval(audit.has_rotate_interval(), audit.rotate_interval(), node,
                   "rotate_interval", kRotateSecondsMin, kRotateSecondsMax,
                   absl::ZeroDuration());
  if (audit.rotate_bytes() == kNever) {
    out.rotate_bytes = 0;
  } else if (audit.rotate_bytes() != 0) {
    out.rotate_bytes = audit.rotate_bytes();
    if (out.rotate_bytes < kRotateBytesMin) {
      node.Error("rotate_bytes",
                 absl::StrCat(out.rotate_bytes,
                              " is out of range; give at "
                              "least ",
                              kRotateBytesMin, ", or 0 for the default"));
    }
  }
  if (audit.buffer_bytes_max() != 0) {
    out.buffer_bytes_max = audit.buffer_bytes_max();
    if (out.buffer_bytes_max < kBufferBytesMin ||
        out.buffer_bytes_max > kBufferBytesMax) {
      node.Error("buffer_bytes_max",
                 absl::StrCat(out.buffer_bytes_max, " is out of range; give ",
                              kBufferBytesMin, " to ", kBufferBytesMax,
                              ", or 0 for the default"));
    }
  }
  return out;
}

}  // namespace inkan
