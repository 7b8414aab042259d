#include "tests/e2e/fault_support.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "bench/load/server_process.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/server/http_client.h"
#include "tests/support/conformance.h"

namespace inkan {
namespace {

namespace fs = std::filesystem;

// Below the range from which the kernel takes ports for clients, so that a
// server that was killed finds its port free again.
constexpr int kFirstPort = 20'000;
constexpr int kPorts = 12'000;

bool IsFree(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool free = bind(fd, reinterpret_cast<const sockaddr*>(&address),
                         sizeof(address)) == 0;
  close(fd);
  return free;
}

// Test programs run side by side: each begins elsewhere.
int PickPort() {
  static int next = getpid() * 37;
  for (int tries = 0; tries < kPorts; ++tries) {
    const int port = kFirstPort + ++next % kPorts;
    if (IsFree(port)) return port;
  }
  ADD_FAILURE() << "no free port";
  return 0;
}

std::unique_ptr<grpc::ClientContext> Context() {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
  return context;
}

std::vector<lab::v1::CorpusEntry> ProbeSet(
    const std::vector<std::string>& without_kinds) {
  constexpr int kOfEachKind = 3;
  std::map<std::string, int> taken;
  std::vector<lab::v1::CorpusEntry> probes;
  for (const lab::v1::CorpusEntry& entry : LoadCorpus(without_kinds).entries) {
    if (++taken[entry.truth().kind()] <= kOfEachKind) probes.push_back(entry);
  }
  EXPECT_GE(taken.size(), 20U);
  return probes;
}

template <typename Response>
void ExpectTrue(const std::vector<lab::v1::CorpusEntry>& probes,
                const Response& response) {
  ASSERT_EQ(static_cast<size_t>(response.verdicts_size()), probes.size());
  for (size_t i = 0; i < probes.size(); ++i) {
    EXPECT_TRUE(IsTrue(probes[i], response.verdicts(static_cast<int>(i))));
  }
}

}  // namespace

int FaultScale() {
  const char* text = std::getenv("INKAN_FAULT_SCALE");
  return text == nullptr ? 1 : std::max(1, std::atoi(text));
}

bool Await(const std::function<bool()>& condition, absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(10));
  }
  return true;
}

FaultServer::FaultServer(const std::string& work_dir,
                         const std::string& config_tail,
                         std::vector<std::string> environment,
                         const std::string& tls_dir)
    : work_dir_(work_dir),
      environment_(std::move(environment)),
      tls_dir_(tls_dir),
      port_(PickPort()),
      target_(absl::StrCat("127.0.0.1:", port_)) {
  fs::create_directories(work_dir_);
  fs::copy(SharedLab(), lab(), fs::copy_options::recursive);
  std::string text = absl::StrReplaceAll(
      ReadFile(config()), {{"\"127.0.0.1:0\"", "\"" + target_ + "\""}});
  if (!tls_dir_.empty()) {
    text = absl::StrReplaceAll(
        text, {{"plaintext: \"I understand that filings travel unencrypted\"",
                absl::StrCat("tls { certificate_chain_file: \"", tls_dir_,
                             "/server.pem\" private_key_file: \"", tls_dir_,
                             "/server.key\" client_ca_file: \"", tls_dir_,
                             "/ca.pem\" poll_interval { seconds: 1 } }")}});
  }
  std::ofstream(config()) << text << "\n" << config_tail << "\n";
  Start();
}

void FaultServer::Start() {
  const std::string port_file = work_dir_ + "/port";
  fs::remove(port_file);
  std::vector<std::string> command = {"env"};
  command.insert(command.end(), environment_.begin(), environment_.end());
  for (const std::string& part :
       {Binary("inkand"), std::string("--config"), config(),
        std::string("--port-file"), port_file}) {
    command.push_back(part);
  }
  process_ = std::make_unique<Process>(command, work_dir_ + "/inkand.log");
  const bool listening = Await([&] {
    return !process_->Running() ||
           (fs::exists(port_file) && fs::file_size(port_file) > 0);
  });
  EXPECT_TRUE(listening && process_->Running()) << process_->Output();
  if (!listening || !process_->Running()) return;
  // The port, the operations listener's (0: none), that of ops_http.
  std::istringstream ports(ReadFile(port_file));
  int port = 0;
  ports >> port >> operations_port_ >> ops_http_port_;
}

double FaultServer::metric(const std::string& sample) const {
  const std::string text =
      testing::HttpBody(testing::HttpGet(ops_http_port_, "/metrics"));
  const size_t at = text.find("\n" + sample + " ");
  return at == std::string::npos
             ? -1
             : std::atof(text.c_str() + at + sample.size() + 2);
}

void FaultServer::Kill() {
  process_->Signal(SIGKILL);
  EXPECT_EQ(process_->Wait(kPatience), 128 + SIGKILL);
}

// `env` replaces itself by the server, so the process is the server.
uint64_t FaultServer::resident_bytes() const {
  const auto usage = load::ReadProcessUsage(process_->pid());
  return usage.ok() ? usage->resident_bytes : 0;
}

std::shared_ptr<grpc::Channel> FaultServer::channel() const {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  if (tls_dir_.empty()) {
    return grpc::CreateCustomChannel(
        target_, grpc::InsecureChannelCredentials(), arguments);
  }
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = ReadFile(tls_dir_ + "/ca.pem");
  tls.pem_cert_chain = ReadFile(tls_dir_ + "/client.pem");
  tls.pem_private_key = ReadFile(tls_dir_ + "/client.key");
  return grpc::CreateCustomChannel(target_, grpc::SslCredentials(tls),
                                   arguments);
}

load::Corpus LoadCorpus(const std::vector<std::string>& without) {
  std::vector<lab::v1::CorpusEntry> entries = ReadCorpus(SharedLab());
  std::erase_if(entries, [&without](const lab::v1::CorpusEntry& entry) {
    return std::find(without.begin(), without.end(), entry.truth().kind()) !=
           without.end();
  });
  return load::MakeCorpus(std::move(entries));
}

BackgroundLoad::BackgroundLoad(const FaultServer& server,
                               const LoadShape& shape)
    : corpus_(LoadCorpus(shape.without_kinds)) {
  options_.target = server.target();
  if (!server.tls_dir().empty()) {
    options_.tls_ca = server.tls_dir() + "/ca.pem";
    options_.tls_certificate = server.tls_dir() + "/client.pem";
    options_.tls_key = server.tls_dir() + "/client.key";
  }
  options_.mix = shape.mix;
  options_.batch_size = shape.batch_size;
  options_.connections = shape.connections;
  options_.in_flight = shape.in_flight;
  options_.rate = shape.rate;
  options_.duration = load::Seconds(600);
  options_.timeout = load::Seconds(absl::ToDoubleSeconds(kPatience));
  thread_ = std::thread([this] {
    const absl::StatusOr<load::Report> report = load::RunLoad(
        options_, corpus_,
        [this](const load::ProgressReport& now) {
          answered_ = now.answered;
          refused_ = now.refused;
        },
        &stop_);
    EXPECT_TRUE(report.ok()) << report.status();
    if (report.ok()) report_ = *report;
    ended_ = true;
  });
}

BackgroundLoad::~BackgroundLoad() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void BackgroundLoad::AwaitAnswers(uint64_t more) {
  const uint64_t enough = answered() + more;
  EXPECT_TRUE(Await([&] { return answered() >= enough || ended_.load(); }));
  EXPECT_GE(answered(), enough);
}

load::Report BackgroundLoad::Stop() {
  stop_ = true;
  thread_.join();
  return report_;
}

void ExpectNoWrongVerdict(const load::Report& report) {
  EXPECT_GT(report.results.answered, 0U);
  EXPECT_EQ(report.results.mismatches, 0U);
  EXPECT_EQ(report.results.unasked, 0U);
  EXPECT_FALSE(report.stalled);
  if (report.results.mismatches + report.results.unasked > 0) {
    for (const std::string& example : report.results.examples) {
      ADD_FAILURE() << example;
    }
  }
}

void ExpectNothingLost(const load::Report& report) {
  EXPECT_EQ(report.results.lost, 0U);
  EXPECT_EQ(report.results.answered + report.results.refused, report.issued);
  for (const auto& [code, count] : report.results.errors_by_code) {
    EXPECT_EQ(code, "UNAVAILABLE") << count;
  }
  if (report.results.lost > 0) {
    for (const std::string& example : report.results.examples) {
      ADD_FAILURE() << example;
    }
  }
}

void ExpectUnharmed(FaultServer& server,
                    const std::vector<std::string>& without_kinds) {
  ASSERT_TRUE(server.process().Running()) << server.process().Output();
  const auto channel = server.channel();
  ASSERT_TRUE(
      channel->WaitForConnected(absl::ToChronoTime(absl::Now() + kPatience)));
  grpc::health::v1::HealthCheckRequest health_request;
  health_request.set_service("inkan.v1.VerificationService");
  grpc::health::v1::HealthCheckResponse health;
  const grpc::Status health_status =
      grpc::health::v1::Health::NewStub(channel)->Check(
          Context().get(), health_request, &health);
  EXPECT_TRUE(health_status.ok()) << health_status.error_message();
  EXPECT_EQ(health.status(), grpc::health::v1::HealthCheckResponse::SERVING);

  const auto stub = v1::VerificationService::NewStub(channel);
  const std::vector<lab::v1::CorpusEntry> probes = ProbeSet(without_kinds);
  v1::BatchVerifyRequest batch;
  v1::StreamVerifyRequest message;
  for (const lab::v1::CorpusEntry& probe : probes) {
    v1::VerifyRequest request;
    *request.mutable_filing() = probe.filing();
    v1::VerifyResponse response;
    const grpc::Status status =
        stub->Verify(Context().get(), request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_TRUE(IsTrue(probe, response.verdict()));
    *batch.add_filings() = probe.filing();
    *message.add_filings() = probe.filing();
  }
  v1::BatchVerifyResponse batch_response;
  const grpc::Status batch_status =
      stub->BatchVerify(Context().get(), batch, &batch_response);
  ASSERT_TRUE(batch_status.ok()) << batch_status.error_message();
  ExpectTrue(probes, batch_response);
  const auto context = Context();
  const auto stream = stub->StreamVerify(context.get());
  message.set_sequence(1);
  ASSERT_TRUE(stream->Write(message));
  stream->WritesDone();
  v1::StreamVerifyResponse answer;
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_EQ(answer.sequence(), 1U);
  ExpectTrue(probes, answer);
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_TRUE(stream->Finish().ok());
}

}  // namespace inkan
