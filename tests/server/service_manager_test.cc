#include "server/service_manager.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace inkan {
namespace {

// What systemd has at the other end.
class FakeManager {
 public:
  FakeManager()
      : path_((std::filesystem::temp_directory_path() /
               absl::StrCat("inkan_notify.", getpid()))
                  .string()),
        fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    unlink(path_.c_str());
    EXPECT_EQ(
        bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
        0);
    setenv("NOTIFY_SOCKET", path_.c_str(), 1);
  }
  ~FakeManager() {
    unsetenv("NOTIFY_SOCKET");
    close(fd_);
    unlink(path_.c_str());
  }
  // The next message, or "" if none comes within `patience`.
  std::string Next(absl::Duration patience = absl::Seconds(60)) const {
    const timeval wait = absl::ToTimeval(patience);
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    char bytes[4096];
    const ssize_t count = recv(fd_, bytes, sizeof(bytes), 0);
    return count <= 0 ? "" : std::string(bytes, static_cast<size_t>(count));
  }

 private:
  const std::string path_;
  const int fd_;
};

TEST(ServiceManagerTest, StatesReachTheManager) {
  FakeManager manager;
  NotifyManager("READY=1");
  EXPECT_EQ(manager.Next(), "READY=1");
  NotifyReloading();
  EXPECT_THAT(manager.Next(),
              ::testing::MatchesRegex("RELOADING=1\nMONOTONIC_USEC=[0-9]+"));
}

TEST(ServiceManagerTest, WithoutAManagerNothingHappens) {
  unsetenv("NOTIFY_SOCKET");
  unsetenv("WATCHDOG_USEC");
  NotifyManager("READY=1");
  const Watchdog watchdog([] {
    ADD_FAILURE() << "nobody asked";
    return std::vector<uint64_t>();
  });
}

TEST(ServiceManagerTest, TheWatchdogIsFedOnlyWhileEveryWorkerHasAPulse) {
  FakeManager manager;
  setenv("WATCHDOG_USEC", "200000", 1);
  setenv("WATCHDOG_PID", absl::StrCat(getpid()).c_str(), 1);
  std::atomic<uint64_t> beat{0};
  std::atomic<bool> stuck{false};
  {
    const Watchdog watchdog([&] {
      const uint64_t now = beat.fetch_add(1);
      return std::vector<uint64_t>{now, stuck ? 0 : now};
    });
    for (int i = 0; i < 5; ++i) EXPECT_EQ(manager.Next(), "WATCHDOG=1");
    stuck = true;
    // Some rounds of grace, and then silence, though the other worker is well.
    int more = 0;
    while (!manager.Next(absl::Seconds(2)).empty()) ASSERT_LT(++more, 100);
    stuck = false;
    EXPECT_EQ(manager.Next(), "WATCHDOG=1");
  }
  unsetenv("WATCHDOG_USEC");
  unsetenv("WATCHDOG_PID");
}

}  // namespace
}  // namespace inkan
