#include "tests/e2e/small_disk.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <utility>

namespace inkan {

SmallDisk::SmallDisk(std::string path) : path_(std::move(path)) {
  std::filesystem::create_directories(path_);
  // Gone with this process, whatever becomes of it.
  mounted_ = unshare(CLONE_NEWNS) == 0 &&
             mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
             mount("none", path_.c_str(), "tmpfs", 0, "size=16m") == 0;
  if (!mounted_) {
    std::cout << "no tmpfs can be mounted here: the size of the server's "
                 "files is bounded instead\n";
  }
}

SmallDisk::~SmallDisk() {
  if (mounted_) umount2(path_.c_str(), MNT_DETACH);
}

void SmallDisk::Fill(pid_t server, uint64_t file_bytes) const {
  if (!mounted_) {
    BoundFiles(server, file_bytes);
    return;
  }
  std::ofstream filler(path_ + "/filler", std::ios::binary);
  const std::string block(4096, 'x');
  while (filler.write(block.data(), 4096) && filler.flush()) {
  }
}

void SmallDisk::MakeRoom(pid_t server) const {
  if (mounted_) {
    std::filesystem::remove(path_ + "/filler");
  } else {
    BoundFiles(server, RLIM_INFINITY);
  }
}

void SmallDisk::BoundFiles(pid_t server, rlim_t bytes) {
  const rlimit limit = {bytes, RLIM_INFINITY};
  EXPECT_EQ(prlimit(server, RLIMIT_FSIZE, &limit, nullptr), 0);
}

}  // namespace inkan
