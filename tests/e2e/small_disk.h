// A disk of 16 MiB that can be filled: a tmpfs that only this test and the
// servers it starts from this thread see.
//
//   const SmallDisk disk(dir + "/state");
//   .. start a server that writes there ..
//   disk.Fill(server.pid(), 0);
//   disk.MakeRoom(server.pid());
//
// Who may not mount has the next best: a bound on the size of the files that
// the server writes, wherever they are.
#ifndef INKAN_TESTS_E2E_SMALL_DISK_H_
#define INKAN_TESTS_E2E_SMALL_DISK_H_

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <string>

namespace inkan {

class SmallDisk {
 public:
  explicit SmallDisk(std::string path);
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  // From now on the server can write nothing more; or, where nothing could be
  // mounted, no file beyond this size.
  void Fill(pid_t server, uint64_t file_bytes) const;
  void MakeRoom(pid_t server) const;

 private:
  static void BoundFiles(pid_t server, rlim_t bytes);

  const std::string path_;
  bool mounted_ = false;
};

}  // namespace inkan

#endif  // INKAN_TESTS_E2E_SMALL_DISK_H_
