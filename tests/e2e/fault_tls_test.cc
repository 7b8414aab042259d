// Certificates that are replaced while clients with certificates of their own
// file: good ones come into force, broken ones do nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/e2e/fault_support.h"
#include "tests/server/test_tls.h"

namespace inkan {
namespace {

namespace fs = std::filesystem;
using testing::CertificateShownBy;
using ::testing::HasSubstr;
using testing::PemPair;
using testing::TestCa;

// Puts a file in the place of another in one step, as renewals should.
void Publish(const std::string& bytes, const std::string& path) {
  std::ofstream(path + ".new", std::ios::binary) << bytes;
  fs::rename(path + ".new", path);
}

class TlsFiles {
 public:
  explicit TlsFiles(std::string dir) : dir_(std::move(dir)) {
    fs::create_directories(dir_);
    Publish(ca_.pem(), dir_ + "/ca.pem");
    Publish(client_.certificate, dir_ + "/client.pem");
    Publish(client_.key, dir_ + "/client.key");
    Renew("server 0");
  }
  void Renew(const std::string& name) {
    server_ = ca_.Issue(name);
    Install(server_.certificate, server_.key);
  }
  void Install(const std::string& certificate, const std::string& key) const {
    Publish(key, dir_ + "/server.key");
    Publish(certificate, dir_ + "/server.pem");
  }
  const std::string& dir() const { return dir_; }
  const TestCa& ca() const { return ca_; }
  const PemPair& client() const { return client_; }
  const PemPair& server() const { return server_; }

 private:
  const std::string dir_;
  const TestCa ca_{"Fault CA"};
  const PemPair client_ = ca_.Issue("client");
  PemPair server_;
};

// A new connection for each call, one after the other, until it is destroyed.
class NewConnections {
 public:
  explicit NewConnections(const FaultServer& server)
      : thread_([this, &server] {
          v1::VerifyRequest request;
          *request.mutable_filing() = ReadCorpus(SharedLab()).front().filing();
          while (!stop_) {
            grpc::ClientContext context;
            context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
            v1::VerifyResponse response;
            const grpc::Status status =
                v1::VerificationService::NewStub(server.channel())
                    ->Verify(&context, request, &response);
            EXPECT_TRUE(status.ok()) << status.error_message();
            ++made_;
            absl::SleepFor(absl::Milliseconds(20));
          }
        }) {}
  ~NewConnections() {
    stop_ = true;
    thread_.join();
  }
  int made() const { return made_.load(); }

 private:
  std::atomic<bool> stop_ = false;
  std::atomic<int> made_ = 0;
  std::thread thread_;
};

// What a new connection sees.
std::string Shown(const FaultServer& server, const TlsFiles& files) {
  return CertificateShownBy(server.port(), &files.client(), 0);
}

constexpr char kRefused[] =
    "inkan_tls_files_changes_total{listener=\"intake\",result=\"refused\"}";
constexpr char kOps[] = "ops_http { address: \"127.0.0.1:0\" }";

TEST(FaultTls, RenewedCertificatesAreShownToNewConnectionsAndNoCallFails) {
  const std::string dir = FreshWorkDir();
  TlsFiles files(dir + "/tls");
  FaultServer server(dir, kOps, {}, files.dir());
  BackgroundLoad load(server, {});
  load.AwaitAnswers(500);
  {
    const NewConnections connections(server);
    for (int round = 1; round <= 3 * FaultScale(); ++round) {
      const int before = connections.made();
      files.Renew(absl::StrCat("server ", round));
      // Every other time a signal is faster than the look at the files.
      if (round % 2 == 0) server.process().Signal(SIGHUP);
      EXPECT_TRUE(Await([&] {
        return Shown(server, files) == files.server().certificate;
      })) << server.process().Output();
      EXPECT_TRUE(Await([&] { return connections.made() >= before + 3; }));
      load.AwaitAnswers(200);
    }
  }
  // Connections that are open keep what they began with: nothing fails.
  const load::Report report = load.Stop();
  ExpectNoWrongVerdict(report);
  ExpectNothingLost(report);
  EXPECT_EQ(report.results.refused, 0U);
  ExpectUnharmed(server);
}

TEST(FaultTls, BrokenCertificatesAreRefusedByNameAndTheOldOneStays) {
  const std::string dir = FreshWorkDir();
  TlsFiles files(dir + "/tls");
  FaultServer server(dir, kOps, {}, files.dir());
  BackgroundLoad load(server, {});
  load.AwaitAnswers(500);
  const PemPair good = files.server();
  const PemPair other = files.ca().Issue("another");
  struct Broken {
    const char* what;
    std::string certificate;
    std::string key;
    const char* named;
  };
  const Broken all[] = {
      {"another's key", good.certificate, other.key, "private_key_file"},
      {"another's certificate", other.certificate, good.key,
       "private_key_file"},
      {"a certificate cut short",
       good.certificate.substr(0, good.certificate.size() / 2), good.key,
       "certificate_chain_file"},
      {"an empty key", good.certificate, "", "private_key_file"},
  };
  for (const Broken& broken : all) {
    SCOPED_TRACE(broken.what);
    const double refused = server.metric(kRefused);
    files.Install(broken.certificate, broken.key);
    EXPECT_TRUE(Await([&] { return server.metric(kRefused) > refused; }));
    EXPECT_EQ(Shown(server, files), good.certificate);
    // A reload says the same, and changes nothing either.
    server.process().Signal(SIGHUP);
    EXPECT_TRUE(Await([&] {
      return server.process().Output().find(broken.named) != std::string::npos;
    })) << server.process().Output();
    EXPECT_EQ(Shown(server, files), good.certificate);
    load.AwaitAnswers(100);
  }
  EXPECT_THAT(server.process().Output(), HasSubstr("the old ones stay"));
  EXPECT_THAT(server.process().Output(), HasSubstr("reload refused"));
  // Mended, the next ones are used.
  files.Renew("mended");
  EXPECT_TRUE(Await(
      [&] { return Shown(server, files) == files.server().certificate; }));
  const load::Report report = load.Stop();
  ExpectNoWrongVerdict(report);
  ExpectNothingLost(report);
  EXPECT_EQ(report.results.refused, 0U);
  ExpectUnharmed(server);
}

}  // namespace
}  // namespace inkan
