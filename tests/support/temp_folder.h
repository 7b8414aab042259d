// A folder of its own for a test, removed with everything in it.
#ifndef INKAN_TESTS_SUPPORT_TEMP_FOLDER_H_
#define INKAN_TESTS_SUPPORT_TEMP_FOLDER_H_

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include "gtest/gtest.h"

namespace inkan::testing_world {

class TempFolder {
 public:
  TempFolder() {
    std::string name = testing::TempDir() + "/inkan_cache_XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }

  // In place, as a careless writer does.
  std::string Write(const std::string& name,
                    const std::string& contents) const {
    const std::string path = path_ + "/" + name;
    std::ofstream(path, std::ios::binary) << contents;
    return path;
  }
  // Through a hidden name, as a careful one does.
  std::string Replace(const std::string& name,
                      const std::string& contents) const {
    const std::string hidden = Write("." + name, contents);
    std::filesystem::rename(hidden, path_ + "/" + name);
    return path_ + "/" + name;
  }

 private:
  std::string path_;
};

}  // namespace inkan::testing_world

#endif  // INKAN_TESTS_SUPPORT_TEMP_FOLDER_H_
