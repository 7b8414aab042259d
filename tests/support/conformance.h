// Where the public conformance material lies, for tests that read it in place.
#ifndef INKAN_TESTS_SUPPORT_CONFORMANCE_H_
#define INKAN_TESTS_SUPPORT_CONFORMANCE_H_

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace inkan {

// The folder INKAN_CONFORMANCE_DIR names, else tests/conformance/data of the
// source tree; empty if it is not there.
std::string ConformanceDir();

// What to tell someone who does not have the material.
std::string ConformanceMissingMessage();

// Whole files; the test fails and the result is empty if one cannot be read.
std::string ReadFile(const std::string& path);
std::vector<std::string> ListFiles(const std::string& folder);

}  // namespace inkan

// Put first in a test that reads conformance material: `INKAN_CONFORMANCE(dir)`
// declares `dir`. Without the material the test is skipped, but fails where
// CI=true, so that a green CI has always seen it.
#define INKAN_CONFORMANCE(dir)                            \
  const std::string dir = ::inkan::ConformanceDir();      \
  if (dir.empty()) {                                      \
    const char* ci = std::getenv("CI");                   \
    if (ci != nullptr && std::string(ci) == "true") {     \
      FAIL() << ::inkan::ConformanceMissingMessage();     \
    }                                                     \
    GTEST_SKIP() << ::inkan::ConformanceMissingMessage(); \
  }                                                       \
  static_assert(true, "")

#endif  // INKAN_TESTS_SUPPORT_CONFORMANCE_H_
