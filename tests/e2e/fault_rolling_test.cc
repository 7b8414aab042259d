// A foreign client over two servers that are restarted one after the other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/load/options.h"
#include "cache/mutex.h"
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

// What gRPC's documents give as an example of a policy, with the most attempts
// there can be; no code but UNAVAILABLE.
constexpr char kOrdinaryPolicy[] = R"({
  "loadBalancingConfig": [{"round_robin": {}}],
  "methodConfig": [{
    "name": [{"service": "inkan.v1.VerificationService"}],
    "retryPolicy": {
      "maxAttempts": 5, "initialBackoff": "0.1s", "maxBackoff": "1s",
      "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]
    }
  }]
})";

// So many calls of Verify at any time, spread over the servers.
class PolicyClient {
 public:
  PolicyClient(const std::string& targets, int in_flight)
      : corpus_(LoadCorpus().entries) {
    grpc::ChannelArguments arguments;
    arguments.SetServiceConfigJSON(kOrdinaryPolicy);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    // Servers come back sooner than after the default of up to two minutes.
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
    stub_ = v1::VerificationService::NewStub(grpc::CreateCustomChannel(
        "ipv4:" + targets, grpc::InsecureChannelCredentials(), arguments));
    open_ = in_flight;
    for (int i = 0; i < in_flight; ++i) CallAgain();
  }
  ~PolicyClient() { Stop(); }

  void Stop() {
    stop_ = true;
    EXPECT_TRUE(Await([this] { return open_.load() == 0; }));
  }
  int answered() const { return answered_.load(); }
  int failed() const { return failed_.load(); }
  std::string failures() const {
    MutexLock lock(&mutex_);
    return failures_;
  }

 private:
  struct Call {
    grpc::ClientContext context;
    v1::VerifyRequest request;
    v1::VerifyResponse response;
  };

  void CallAgain() {
    if (stop_) {
      open_.fetch_sub(1);
      return;
    }
    const lab::v1::CorpusEntry& entry =
        corpus_[next_.fetch_add(1) % corpus_.size()];
    auto* call = new Call;
    call->context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    *call->request.mutable_filing() = entry.filing();
    stub_->async()->Verify(
        &call->context, &call->request, &call->response,
        [this, call, &entry](const grpc::Status& status) {
          if (status.ok()) {
            EXPECT_TRUE(IsTrue(entry, call->response.verdict()));
            answered_.fetch_add(1);
          } else {
            failed_.fetch_add(1);
            MutexLock lock(&mutex_);
            if (failures_.size() < 2000) {
              failures_ += absl::StrCat(status.error_code(), " ",
                                        status.error_message(), "\n");
            }
          }
          delete call;
          CallAgain();
        });
  }

  const std::vector<lab::v1::CorpusEntry> corpus_;
  std::unique_ptr<v1::VerificationService::Stub> stub_;
  std::atomic<bool> stop_{false};
  std::atomic<size_t> next_{0};
  std::atomic<int> open_{0};
  std::atomic<int> answered_{0};
  std::atomic<int> failed_{0};
  mutable Mutex mutex_;
  std::string failures_ ABSL_GUARDED_BY(mutex_);
};

// A server that is told to end with seconds of work in its queue refuses for as
// long as that takes. Clients that are pushed back for less spend all their
// attempts on it.
TEST(FaultRolling, AnOrdinaryRetryPolicyLosesNoCallThoughTheQueueIsLong) {
  const std::string dir = FreshWorkDir();
  const std::string config =
      "worker_threads: 1 limits { queue_wait_milliseconds_max: 600000 }";
  FaultServer one(dir + "/one", config);
  FaultServer two(dir + "/two", config);
  PolicyClient client(one.target() + "," + two.target(), 200);
  const auto await_more = [&client](int more) {
    const int enough = client.answered() + more;
    EXPECT_TRUE(Await([&] { return client.answered() >= enough; }));
  };
  await_more(400);
  for (int round = 0; round < FaultScale(); ++round) {
    for (FaultServer* server : {&one, &two, &one}) {
      LoadShape shape;
      shape.mix = load::OnlyMode(load::Mode::kBatch);
      shape.batch_size = 500;
      shape.connections = 2;
      shape.in_flight = 30;
      BackgroundLoad line(*server, shape);
      line.AwaitAnswers(2'000);
      const absl::Time begin = absl::Now();
      server->process().Signal(SIGTERM);
      EXPECT_EQ(server->process().Wait(kPatience), 0)
          << server->process().Output();
      RecordProperty(
          "end_ms",
          absl::StrCat(absl::ToInt64Milliseconds(absl::Now() - begin)));
      line.Stop();
      await_more(400);  // from the other one alone
      server->Start();
      ExpectUnharmed(*server);
      await_more(800);
    }
  }
  client.Stop();
  EXPECT_EQ(client.failed(), 0) << client.failures();
}

}  // namespace
}  // namespace inkan
