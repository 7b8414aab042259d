#include "bench/lab/files.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace inkan::lab {
namespace {

absl::Status PathError(std::string_view what, const std::string& path,
                       std::string_view why) {
  return absl::UnavailableError(
      absl::StrCat(std::string(what), " ", path, ": ", std::string(why)));
}

}  // namespace

absl::Status WriteFile(const std::string& path, std::string_view contents) {
  const std::filesystem::path folder =
      std::filesystem::path(path).parent_path();
  if (!folder.empty()) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) {
      return PathError("cannot make folder", folder.string(), error.message());
    }
  }
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(contents.data(), static_cast<std::streamsize>(contents.size()));
  out.close();
  if (!out) return PathError("cannot write", path, std::strerror(errno));
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream contents;
  if (in) contents << in.rdbuf();
  if (!in) return PathError("cannot read", path, std::strerror(errno));
  return std::move(contents).str();
}

void AppendDelimited(std::string_view message, std::string* out) {
  for (size_t rest = message.size();;) {
    const auto low = static_cast<char>(rest & 0x7fU);
    rest >>= 7U;
    if (rest == 0) {
      out->push_back(low);
      break;
    }
    out->push_back(static_cast<char>(low | 0x80));
  }
  out->append(message);
}

}  // namespace inkan::lab
