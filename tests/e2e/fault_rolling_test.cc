// A foreign client over two servers that are restarted one after the other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/e2e/fault_support.h"

namespace inkan {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// The number behind the last "answered " of the client's output.
int Answered(const Process& client) {
  const std::string output = client.Output();
  const size_t at = output.rfind("answered ");
  return at == std::string::npos ? 0 : std::atoi(output.c_str() + at + 9);
}

TEST(FaultRolling,
     AForeignClientSeesNoFailedFilingWhileTwoServersAreRestarted) {
  const std::string dir = FreshWorkDir();
  const std::string folder = std::string(INKAN_SOURCE_DIR) + "/tests/e2e/node";
  ASSERT_TRUE(fs::exists(folder + "/node_modules"))
      << "run ./dev test, which installs the client's packages with npm";
  FaultServer one(dir + "/one");
  FaultServer two(dir + "/two");
  const std::string stop_file = dir + "/stop";
  Process client(
      {"node", folder + "/rolling.mjs", one.target() + "," + two.target(),
       SharedLab() + "/corpus.binpb", std::string(INKAN_SOURCE_DIR) + "/proto",
       stop_file},
      dir + "/client.log");
  const auto await_more = [&client](int more) {
    const int enough = Answered(client) + more;
    EXPECT_TRUE(Await([&] {
      return Answered(client) >= enough || !client.Running();
    })) << client.Output();
    ASSERT_TRUE(client.Running()) << client.Output();
  };
  await_more(400);
  for (int round = 0; round < FaultScale(); ++round) {
    for (FaultServer* server : {&one, &two}) {
      server->process().Signal(SIGTERM);
      EXPECT_EQ(server->process().Wait(kPatience), 0)
          << server->process().Output();
      await_more(400);  // from the other one alone
      server->Start();
      // Not before this one takes its share again; or both would be away.
      ExpectUnharmed(*server);
      await_more(800);
    }
  }
  std::ofstream(stop_file) << "stop\n";
  EXPECT_EQ(client.Wait(kPatience), 0) << client.Output();
  EXPECT_THAT(client.Output(), HasSubstr(" 0 calls failed"));
}

}  // namespace
}  // namespace inkan
