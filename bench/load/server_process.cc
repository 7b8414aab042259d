#include "bench/load/server_process.h"

#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace inkan::load {
namespace {

// Fields of /proc/PID/stat after the command's name (proc(5)): field 3 is
// first.
constexpr size_t kUserTime = 14 - 3;
constexpr size_t kSystemTime = 15 - 3;
constexpr uint64_t kKilobyte = 1024;

std::string ReadWhole(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

uint64_t KilobytesOf(const std::string& status, const std::string& name) {
  for (const std::string& line :
       std::vector<std::string>(absl::StrSplit(status, '\n'))) {
    const std::vector<std::string> words =
        absl::StrSplit(line, absl::ByAnyChar(": \t"), absl::SkipEmpty());
    uint64_t value = 0;
    if (words.size() >= 2 && words[0] == name &&
        absl::SimpleAtoi(words[1], &value)) {
      return value;
    }
  }
  return 0;
}

}  // namespace

absl::StatusOr<ProcessUsage> ReadProcessUsage(int pid) {
  const std::string folder = absl::StrCat("/proc/", pid);
  const std::string stat = ReadWhole(folder + "/stat");
  // The name is in parentheses and may hold anything, parentheses included.
  const size_t name_end = stat.rfind(')');
  std::vector<std::string> fields;
  if (name_end != std::string::npos) {
    fields = absl::StrSplit(stat.substr(name_end + 1), ' ', absl::SkipEmpty());
  }
  uint64_t user = 0;
  uint64_t system = 0;
  if (fields.size() <= kSystemTime ||
      !absl::SimpleAtoi(fields[kUserTime], &user) ||
      !absl::SimpleAtoi(fields[kSystemTime], &system)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--server-pid ", pid,
        ": no such process on this machine; give inkand's process id"));
  }
  ProcessUsage usage;
  usage.cpu_seconds = static_cast<double>(user + system) /
                      static_cast<double>(sysconf(_SC_CLK_TCK));
  const std::string status = ReadWhole(folder + "/status");
  usage.resident_bytes = KilobytesOf(status, "VmRSS") * kKilobyte;
  usage.resident_bytes_peak = KilobytesOf(status, "VmHWM") * kKilobyte;
  return usage;
}

}  // namespace inkan::load
