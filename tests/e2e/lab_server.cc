#include "tests/e2e/lab_server.h"

#include <fcntl.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/delimited_message_util.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/conformance.h"

namespace inkan {
namespace {

namespace fs = std::filesystem;

// Test programs run in parallel, so the lab is made under a lock and moved into
// place when it is whole.
std::string MakeSharedLab() {
  fs::create_directories(INKAN_WORK_DIR);
  const std::string lab = std::string(INKAN_WORK_DIR) + "/shared-lab";
  const std::string lock_file = lab + ".lock";
  const int lock = open(lock_file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644);
  EXPECT_EQ(flock(lock, LOCK_EX), 0);
  const fs::path tool = Binary("inkan-lab");
  const bool fresh =
      fs::exists(lab + "/corpus.binpb") &&
      fs::last_write_time(lab + "/corpus.binpb") > fs::last_write_time(tool);
  if (!fresh) {
    fs::remove_all(lab);
    fs::remove_all(lab + ".new");
    const CommandResult made =
        RunCommand({tool.string(), "init", "--out", lab + ".new", "--citizens",
                    "200", "--municipalities", "12", "--filings", "2000",
                    "--seed", "7", "--listen", "127.0.0.1:0", "--quiet"});
    EXPECT_EQ(made.exit_code, 0) << made.output;
    fs::rename(lab + ".new", lab);
  }
  close(lock);
  return lab;
}

}  // namespace

std::string Binary(const std::string& name) {
  return std::string(INKAN_BIN_DIR) + "/" + name;
}

const std::string& SharedLab() {
  static const auto* const kLab = new std::string(MakeSharedLab());
  return *kLab;
}

std::vector<lab::v1::CorpusEntry> ReadCorpus(const std::string& lab_dir) {
  const std::string bytes = ReadFile(lab_dir + "/corpus.binpb");
  google::protobuf::io::ArrayInputStream input(bytes.data(),
                                               static_cast<int>(bytes.size()));
  std::vector<lab::v1::CorpusEntry> corpus;
  bool clean_end = false;
  while (true) {
    lab::v1::CorpusEntry entry;  // parsing merges, so each into a fresh one
    if (!google::protobuf::util::ParseDelimitedFromZeroCopyStream(
            &entry, &input, &clean_end)) {
      break;
    }
    corpus.push_back(std::move(entry));
  }
  EXPECT_TRUE(clean_end);
  return corpus;
}

std::vector<lab::v1::CorpusEntry> OfKind(
    const std::vector<lab::v1::CorpusEntry>& corpus, const std::string& kind,
    size_t count) {
  std::vector<lab::v1::CorpusEntry> found;
  for (const auto& entry : corpus) {
    if (entry.truth().kind() == kind && found.size() < count) {
      found.push_back(entry);
    }
  }
  EXPECT_EQ(found.size(), count) << kind;
  return found;
}

::testing::AssertionResult IsTrue(const lab::v1::CorpusEntry& entry,
                                  const v1::Verdict& verdict) {
  if (verdict.filing_id() == entry.filing().filing_id() &&
      verdict.indication() == entry.truth().indication() &&
      verdict.sub_indication() == entry.truth().sub_indication()) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure()
         << entry.truth().kind() << ": " << verdict.ShortDebugString();
}

std::string FreshWorkDir() {
  const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
  const std::string dir = absl::StrCat(
      INKAN_WORK_DIR, "/", info->test_suite_name(), ".", info->name());
  fs::remove_all(dir);
  fs::create_directories(dir);
  return dir;
}

LabServer::LabServer(const std::string& work_dir,
                     const std::string& config_tail,
                     const std::vector<std::string>& flags)
    : work_dir_(work_dir) {
  fs::copy(SharedLab(), lab(), fs::copy_options::recursive);
  const std::string config = lab() + "/inkand.textproto";
  std::ofstream(config, std::ios::app) << "\n" << config_tail << "\n";
  const std::string port_file = work_dir + "/port";
  std::vector<std::string> command = {Binary("inkand"), "--config", config,
                                      "--port-file", port_file};
  command.insert(command.end(), flags.begin(), flags.end());
  process_ = std::make_unique<Process>(command, work_dir + "/inkand.log");
  for (int i = 0; i < 1000 && process_->Running(); ++i) {
    if (fs::exists(port_file) && fs::file_size(port_file) > 0) break;
    absl::SleepFor(absl::Milliseconds(20));
  }
  EXPECT_TRUE(process_->Running()) << process_->Output();
  if (!process_->Running()) return;
  // The port, the operations listener's (0: none), that of ops_http.
  std::istringstream ports(ReadFile(port_file));
  int port = 0;
  int operations_port = 0;
  ports >> port >> operations_port >> ops_http_port_;
  target_ = absl::StrCat("127.0.0.1:", port);
}

std::shared_ptr<grpc::Channel> LabServer::channel() const {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  // A channel of its own, so that tests do not share connections.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(target_, grpc::InsecureChannelCredentials(),
                                   arguments);
}

}  // namespace inkan
