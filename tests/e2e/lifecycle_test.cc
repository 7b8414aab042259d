// The server program under signals and under systemd's protocol.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cache/background_thread.h"
#include "tests/e2e/lab_server.h"
#include "tests/support/conformance.h"

namespace inkan {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

bool Happens(const std::function<bool()>& condition) {
  const absl::Time end = absl::Now() + absl::Seconds(60);
  while (!condition()) {
    if (absl::Now() > end) return false;
    absl::SleepFor(absl::Milliseconds(20));
  }
  return true;
}

// The socket systemd would listen on.
class NotifySocket {
 public:
  explicit NotifySocket(const std::string& path)
      : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    EXPECT_LT(path.size(), sizeof(address.sun_path));
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    EXPECT_EQ(
        bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
        0);
    const timeval patience{60, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  ~NotifySocket() {
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    close(fd_);
  }
  // The next message that does not feed the watchdog.
  std::string Next() {
    while (true) {
      const std::string message = Receive();
      if (message != "WATCHDOG=1") return message;
      ++fed_;
    }
  }
  // Waits for the watchdog to be fed.
  bool IsFed() { return fed_ > 0 || Receive() == "WATCHDOG=1"; }

 private:
  std::string Receive() const {
    char bytes[4096];
    const ssize_t count = recv(fd_, bytes, sizeof(bytes), 0);
    return count <= 0 ? "" : std::string(bytes, static_cast<size_t>(count));
  }

  const int fd_;
  int fed_ = 0;
};

TEST(Lifecycle, SystemdHearsOfStartReloadAndEnd) {
  const std::string dir = FreshWorkDir();
  NotifySocket manager(absl::StrCat("/tmp/inkan_lifecycle.", getpid()));
  // Short, so that the test need not wait; the workers beat once a second.
  setenv("WATCHDOG_USEC", "8000000", 1);
  LabServer server(dir);
  EXPECT_EQ(manager.Next(), "READY=1");
  EXPECT_TRUE(manager.IsFed());
  server.process().Signal(SIGHUP);
  EXPECT_THAT(manager.Next(), StartsWith("RELOADING=1\nMONOTONIC_USEC="));
  EXPECT_EQ(manager.Next(), "READY=1");
  server.process().Signal(SIGTERM);
  EXPECT_EQ(manager.Next(), "STOPPING=1");
  EXPECT_EQ(server.process().Wait(absl::Seconds(60)), 0)
      << server.process().Output();
  unlink(absl::StrCat("/tmp/inkan_lifecycle.", getpid()).c_str());
}

// A field of proc(5)'s stat, from the third on -> how many threads of the
// process have it now.
constexpr int kNiceness = 19;
constexpr int kPolicy = 41;
std::map<long, int> ThreadsBy(int field_number, pid_t pid) {
  std::map<long, int> threads;
  std::error_code gone;  // threads come and go
  for (const auto& task : std::filesystem::directory_iterator(
           absl::StrCat("/proc/", pid, "/task"), gone)) {
    std::ifstream stat(task.path() / "stat");
    std::string line;
    std::getline(stat, line);
    const size_t name_end = line.rfind(')');
    if (name_end == std::string::npos) continue;
    std::istringstream fields(line.substr(name_end + 1));
    std::string skipped;
    for (int field = 3; field < field_number; ++field) fields >> skipped;
    long value = 0;
    if (fields >> value) ++threads[value];
  }
  return threads;
}

TEST(Lifecycle, ThreadsThatFetchBuildAndShowPagesGiveWayToRequests) {
  errno = 0;
  const long base = getpriority(PRIO_PROCESS, 0);
  ASSERT_EQ(errno, 0);
  constexpr long kLow = 10;
  if (base >= kLow) GTEST_SKIP() << "everything here has a low priority";
  LabServer server(FreshWorkDir(),
                   "ops_http { address: \"127.0.0.1:0\" }\n"
                   "state_directory: \"state\"\n"
                   "crl_sources { http { urls: \"http://127.0.0.1:1/a.crl\" "
                   "urls: \"http://127.0.0.1:1/b.crl\" } "
                   "fetch { parallel: 2 } }\n"
                   "crl_sources { ldap { url: \"ldap://127.0.0.1:1\" "
                   "base_dn: \"o=lab\" } }\n");
  // What follows CRLs, two threads for HTTP and one for LDAP, two for pages.
  constexpr int kBackground = 1 + 2 + 1 + 2;
  const pid_t pid = server.process().pid();
  EXPECT_TRUE(Happens([&] {
    return ThreadsBy(kNiceness, pid)[kLow] == kBackground;
  })) << ThreadsBy(kNiceness, pid)[kLow];
  EXPECT_GT(ThreadsBy(kNiceness, pid)[base], 1);
  // Pages are waited for: by probes, and by people when all cores are busy.
  const int idle = WhyNoIdleThreads() == 0 ? kBackground - 2 : 0;
  EXPECT_TRUE(Happens([&] {
    return ThreadsBy(kPolicy, pid)[SCHED_IDLE] == idle;
  })) << ThreadsBy(kPolicy, pid)[SCHED_IDLE];
  EXPECT_THAT(server.process().Output(), Not(HasSubstr("low priority")));
}

std::string ConfigOf(const LabServer& server) {
  return server.lab() + "/inkand.textproto";
}

TEST(Lifecycle, WhatSighupCannotChangeIsNamedInTheLogAndNothingChanges) {
  LabServer server(FreshWorkDir());
  const std::string config = ReadFile(ConfigOf(server));
  std::ofstream(ConfigOf(server))
      << config << "\nops_http { address: \"127.0.0.1:0\" }\n"
      << "audit_log { file: \"audit.log\" }\n"
      << "profiles { name: \"new\" anchor_files: \"anchors/authca03.cer\" }\n";
  server.process().Signal(SIGHUP);
  ASSERT_TRUE(Happens([&] {
    return server.process().Output().find("reload refused") !=
           std::string::npos;
  })) << server.process().Output();
  EXPECT_THAT(server.process().Output(),
              HasSubstr("ops_http.address: is \"\" and cannot become"));
  EXPECT_THAT(server.process().Output(),
              HasSubstr("audit_log: is absent and cannot become given"));
  // Taken back, the next one is taken.
  std::ofstream(ConfigOf(server)) << config;
  server.process().Signal(SIGHUP);
  EXPECT_TRUE(Happens([&] {
    return server.process().Output().find("reload done") != std::string::npos;
  }));
}

// A server whose CRLs' disk does not answer while it is held.
class HeldServer {
 public:
  HeldServer() : dir_(FreshWorkDir()) {
    std::filesystem::copy(SharedLab(), dir_ + "/lab",
                          std::filesystem::copy_options::recursive);
  }
  void Hold() const { std::ofstream(hold()) << "hold\n"; }
  void Run(const std::vector<std::string>& flags) {
    std::vector<std::string> command = {
        "env",
        absl::StrCat("LD_PRELOAD=", INKAN_SLOW_OPEN_LIBRARY),
        "INKAN_HOLD_FILE=" + hold(),
        Binary("inkand"),
        "--config",
        dir_ + "/lab/inkand.textproto"};
    command.insert(command.end(), flags.begin(), flags.end());
    process_ = std::make_unique<Process>(command, dir_ + "/inkand.log");
  }
  // Until it waits for the disk.
  void AwaitHeld() const {
    ASSERT_TRUE(Happens([this] {
      return std::filesystem::exists(hold() + ".reached");
    })) << process_->Output();
  }
  bool Says(const std::string& text) const {
    return Happens(
        [&] { return process_->Output().find(text) != std::string::npos; });
  }
  Process& process() { return *process_; }

 private:
  std::string hold() const { return dir_ + "/hold"; }

  const std::string dir_;
  std::unique_ptr<Process> process_;
};

TEST(Lifecycle, SigtermEndsAServerThatIsStillReadingItsCrls) {
  for (const int signal : {SIGTERM, SIGINT}) {
    HeldServer server;
    server.Hold();
    server.Run({});
    server.AwaitHeld();
    server.process().Signal(signal);
    EXPECT_EQ(server.process().Wait(absl::Seconds(60)), 0)
        << server.process().Output();
    EXPECT_THAT(server.process().Output(), HasSubstr("before the server was"));
  }
}

TEST(Lifecycle, SigtermEndsACheckOfTheConfiguration) {
  HeldServer server;
  server.Hold();
  server.Run({"--check-config"});
  server.AwaitHeld();
  server.process().Signal(SIGTERM);
  EXPECT_EQ(server.process().Wait(absl::Seconds(60)), 128 + SIGTERM)
      << server.process().Output();
}

TEST(Lifecycle, SigtermEndsAServerInTheMiddleOfAReload) {
  HeldServer server;
  server.Run({});
  ASSERT_TRUE(server.Says("listening on"));
  server.Hold();
  server.process().Signal(SIGHUP);
  server.AwaitHeld();
  server.process().Signal(SIGTERM);
  EXPECT_EQ(server.process().Wait(absl::Seconds(60)), 0)
      << server.process().Output();
  EXPECT_THAT(server.process().Output(), HasSubstr("given up"));
}

// gRPC reads ahead of whoever asks for nothing, sometimes megabytes; this
// channel does not.
std::shared_ptr<grpc::Channel> ChannelThatReadsLittle(const LabServer& server) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 5);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  return grpc::CreateCustomChannel(
      server.target(), grpc::InsecureChannelCredentials(), arguments);
}

// Sends, and reads nothing, so that its answers hold up a shutdown.
class DeafClient {
 public:
  DeafClient(const std::shared_ptr<grpc::Channel>& channel,
             const v1::StreamVerifyRequest& request)
      : stub_(v1::VerificationService::NewStub(channel)),
        stream_(stub_->StreamVerify(&context_)) {
    writer_ = std::thread([this, request] {
      while (stream_->Write(request)) {
      }
    });
  }
  ~DeafClient() {
    context_.TryCancel();
    if (writer_.joinable()) Listen();
  }

  // Hears at last: verdicts. Once.
  int Listen() {
    int verdicts = 0;
    v1::StreamVerifyResponse response;
    while (stream_->Read(&response)) verdicts += response.verdicts_size();
    writer_.join();
    status_ = stream_->Finish();
    return verdicts;
  }
  // How the stream ended, once it was listened to.
  const grpc::Status& status() const { return status_; }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<v1::VerificationService::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::StreamVerifyRequest,
                                           v1::StreamVerifyResponse>>
      stream_;
  std::thread writer_;
  grpc::Status status_;
};

v1::StreamVerifyRequest LargeRequest(const LabServer& server) {
  v1::StreamVerifyRequest request;
  for (const auto& entry : ReadCorpus(server.lab())) {
    if (request.filings_size() < 500) {
      *request.add_filings() = entry.filing();
    }
  }
  return request;
}

TEST(Lifecycle, ASecondSigtermHurriesAShutdownThatADeafClientHoldsUp) {
  LabServer server(FreshWorkDir(), "drain_timeout { seconds: 1000 }");
  DeafClient deaf(ChannelThatReadsLittle(server), LargeRequest(server));
  const auto operations = server.operations();
  ASSERT_TRUE(Happens([&] {
    grpc::ClientContext context;
    v1::GetStatusResponse status;
    return operations->GetStatus(&context, v1::GetStatusRequest(), &status)
               .ok() &&
           status.filings_total() >= 500;
  }));
  server.process().Signal(SIGTERM);
  ASSERT_TRUE(Happens([&] {
    return server.process().Output().find("no new calls") != std::string::npos;
  }));
  EXPECT_EQ(server.process().Wait(absl::Seconds(3)), -1)
      << "answers that nobody reads hold up the end";
  server.process().Signal(SIGTERM);
  EXPECT_EQ(server.process().Wait(absl::Seconds(60)), 0)
      << server.process().Output();
  EXPECT_THAT(server.process().Output(), HasSubstr("again"));
}

TEST(Lifecycle, ADeafClientHoldsUpAShutdownNoLongerThanTheDrainTimeout) {
  LabServer server(FreshWorkDir(), "drain_timeout { seconds: 2 }");
  DeafClient deaf(ChannelThatReadsLittle(server), LargeRequest(server));
  absl::SleepFor(absl::Milliseconds(500));
  server.process().Signal(SIGTERM);
  EXPECT_EQ(server.process().Wait(absl::Seconds(60)), 0)
      << server.process().Output();
}

// What is judged reaches clients that read while a server ends, however late:
// those that have all of it already, and those that keep the server waiting.
TEST(Lifecycle, WhoReadsLateGetsEveryVerdictThatWasGiven) {
  for (const bool reads_ahead : {true, false}) {
    LabServer server(FreshWorkDir(), "drain_timeout { seconds: 1000 }");
    DeafClient deaf(
        reads_ahead ? server.channel() : ChannelThatReadsLittle(server),
        LargeRequest(server));
    const auto operations = server.operations();
    ASSERT_TRUE(Happens([&] {
      grpc::ClientContext context;
      v1::GetStatusResponse status;
      return operations->GetStatus(&context, v1::GetStatusRequest(), &status)
                 .ok() &&
             status.filings_total() >= 1000;
    }));
    server.process().Signal(SIGTERM);
    // Time to hang up on who does not read, for a server that would.
    absl::SleepFor(absl::Seconds(2));
    const int verdicts = deaf.Listen();
    EXPECT_EQ(deaf.status().error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_THAT(deaf.status().error_message(), HasSubstr("shutting down"));
    EXPECT_EQ(server.process().Wait(absl::Seconds(60)), 0)
        << server.process().Output();
    EXPECT_GE(verdicts, 1000);
    EXPECT_THAT(server.process().Output(),
                HasSubstr(absl::StrCat("ended: ", verdicts, " filing(s)")));
  }
}

}  // namespace
}  // namespace inkan
