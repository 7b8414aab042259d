// What the fault tests share: a server that can be killed and started again on
// its port, load in the background, and the proof that a server is still the
// server it was.
//
//   FaultServer server(FreshWorkDir());
//   BackgroundLoad load(server, {.in_flight = 8});
//   load.AwaitAnswers(2000);
//   .. do harm ..
//   const load::Report report = load.Stop();
//   ExpectNoWrongVerdict(report);
//   ExpectUnharmed(server);
//
// Bounds are generous: these tests run on slow and busy machines, and judge
// what was answered, never how fast. INKAN_FAULT_SCALE=10 makes the heavy ones
// ten times heavier.
#ifndef INKAN_TESTS_E2E_FAULT_SUPPORT_H_
#define INKAN_TESTS_E2E_FAULT_SUPPORT_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "bench/load/campaign.h"
#include "tests/e2e/lab_server.h"

namespace inkan {

// How long a condition may take to come true before a test fails.
inline constexpr absl::Duration kPatience = absl::Seconds(90);

// INKAN_FAULT_SCALE, 1 if it is not set.
int FaultScale();

// Polls; false if it did not come true in time.
bool Await(const std::function<bool()>& condition,
           absl::Duration patience = kPatience);

class FaultServer {
 public:
  // A copy of the shared lab in `work_dir` with `config_tail` added to its
  // configuration, and inkand running on it. `environment` is "NAME=VALUE"s for
  // the server alone.
  // With `tls_dir` its listener asks for mutual TLS with the files there:
  // ca.pem, server.pem, server.key, and client.pem and client.key for clients;
  // they are looked at every second.
  explicit FaultServer(const std::string& work_dir,
                       const std::string& config_tail = "",
                       std::vector<std::string> environment = {},
                       const std::string& tls_dir = "");

  // Starts it, at the port it had; waits until it listens.
  void Start();
  void Kill();  // SIGKILL

  Process& process() { return *process_; }
  const std::string& target() const { return target_; }
  int port() const { return port_; }
  // That of operations_listener, which `config_tail` has to open; 0: none.
  int operations_port() const { return operations_port_; }
  // The value of a sample at the operations port ("name" or
  // "name{label=\"value\"}"), which `config_tail` has to open; -1: there is
  // none.
  double metric(const std::string& sample) const;
  int ops_http_port() const { return ops_http_port_; }
  std::string lab() const { return work_dir_ + "/lab"; }
  std::string config() const { return lab() + "/inkand.textproto"; }
  const std::string& tls_dir() const { return tls_dir_; }
  uint64_t resident_bytes() const;

  std::shared_ptr<grpc::Channel> channel() const;

 private:
  std::string work_dir_;
  std::vector<std::string> environment_;
  std::string tls_dir_;
  int port_ = 0;
  int operations_port_ = 0;
  int ops_http_port_ = 0;  // 0: none
  std::string target_;
  std::unique_ptr<Process> process_;
};

// The shared lab's corpus for the load generator, without kinds named in
// `without`.
load::Corpus LoadCorpus(const std::vector<std::string>& without = {});

struct LoadShape {
  load::ModeShares mix = {0.2, 0.4, 0.4, 0};
  uint32_t batch_size = 20;
  uint32_t connections = 2;
  uint32_t in_flight = 4;
  double rate = 0;
  std::vector<std::string> without_kinds = {};
};

// A load that runs until it is stopped.
class BackgroundLoad {
 public:
  BackgroundLoad(const FaultServer& server, const LoadShape& shape);
  ~BackgroundLoad();

  uint64_t answered() const { return answered_.load(); }
  uint64_t refused() const { return refused_.load(); }
  // Until so many more filings have been answered.
  void AwaitAnswers(uint64_t more);
  load::Report Stop();

 private:
  load::Corpus corpus_;
  load::LoadOptions options_;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> ended_ = false;
  std::atomic<uint64_t> answered_ = 0;
  std::atomic<uint64_t> refused_ = 0;
  load::Report report_;
  std::thread thread_;
};

// Every answer was the true verdict of the filing it names; none came unasked.
// Failed calls are another matter: see ExpectNothingLost.
void ExpectNoWrongVerdict(const load::Report& report);
// And every filing was answered, or refused with UNAVAILABLE.
void ExpectNothingLost(const load::Report& report);

// The process lives, health is SERVING, and filings of every kind get their
// true verdicts one by one, in a batch and on a stream.
void ExpectUnharmed(FaultServer& server,
                    const std::vector<std::string>& without_kinds = {});

}  // namespace inkan

#endif  // INKAN_TESTS_E2E_FAULT_SUPPORT_H_
