#include "tests/support/conformance.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace inkan {

std::string ConformanceDir() {
  const char* configured = std::getenv("INKAN_CONFORMANCE_DIR");
  const std::filesystem::path dir = configured != nullptr && *configured != '\0'
                                        ? configured
                                        : INKAN_CONFORMANCE_DEFAULT_DIR;
  return std::filesystem::is_directory(dir / "pkits") ? dir.string() : "";
}

std::string ConformanceMissingMessage() {
  return "conformance material not found: set INKAN_CONFORMANCE_DIR, or put it "
         "in tests/conformance/data (pkits/: NIST PKITS 1.0.1 from "
         "csrc.nist.gov; "
         "wycheproof/: C2SP Wycheproof testvectors_v1; jpki/: CA certificates "
         "published by J-LIS; egov/: test fixtures of kufu/kiji); see "
         "tests/conformance/README.md for the layout";
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> ListFiles(const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace inkan
