// What a lone Verify on an idle server costs beyond what it must: an empty call
// over the same stack, and the cryptography of one filing.
//
//   build/release/bench/lone_bench
//
// Server and client are in this process, over loopback; the empty call
// (grpc.health.v1.Health.Check), Verify, the judgement in process and its
// cryptography alone take turns, so that what else the machine does troubles
// all alike. Wall clock, since waiting and waking are what is asked about;
// leave two cores to it. Every filing has its own certificate, none is
// remembered, and every verdict is checked.
#include <benchmark/benchmark.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/filing_world.h"
#include "crypto/certificate.h"
#include "crypto/digest.h"
#include "crypto/signature.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "inkan/v1/verification.grpc.pb.h"
#include "server/server.h"

namespace inkan {
namespace {

// An idle server and a connection to it.
class IdleServer {
 public:
  explicit IdleServer(const FilingWorld& world) {
    file_ = (std::filesystem::temp_directory_path() /
             absl::StrCat("lone_bench.", getpid(), ".crl"))
                .string();
    std::ofstream(file_, std::ios::binary) << world.Crl(1000);
    Config config;
    config.server.listener.address = "127.0.0.1:0";
    config.server.worker_threads = 1;
    config.server.verified_certificates_max = 0;
    config.snapshot = world.Options(file_);
    auto started = Server::Start(std::move(config), "");
    Require(started.ok(), "the server does not start");
    server_ = *std::move(started);
    const auto channel =
        grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->port()),
                            grpc::InsecureChannelCredentials());
    health_ = grpc::health::v1::Health::NewStub(channel);
    verification_ = v1::VerificationService::NewStub(channel);
  }
  ~IdleServer() { std::filesystem::remove(file_); }

  void EmptyCall() const {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckResponse response;
    Require(health_->Check(&context, {}, &response).ok(),
            "an empty call fails");
  }
  void Verify(const v1::VerifyRequest& request) const {
    grpc::ClientContext context;
    v1::VerifyResponse response;
    Require(verification_->Verify(&context, request, &response).ok(),
            "a Verify fails");
    Require(response.verdict().indication() == v1::INDICATION_TOTAL_PASSED,
            "a verdict is not TOTAL_PASSED");
  }
  std::shared_ptr<const Snapshot> snapshot() const {
    return server_->keeper().Current();
  }

 private:
  std::string file_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<grpc::health::v1::Health::Stub> health_;
  std::unique_ptr<v1::VerificationService::Stub> verification_;
};

v1::VerifyRequest RequestOf(const FilingWorld& world, size_t index) {
  v1::VerifyRequest request;
  v1::Filing* filing = request.mutable_filing();
  filing->set_profile(FilingWorld::kProfile);
  filing->set_document(world.documents[index]);
  filing->set_signature_algorithm(v1::SIGNATURE_ALGORITHM_RSA_PKCS1_SHA256);
  filing->set_signature(world.signatures[index]);
  filing->set_certificate(world.certificates[index]);
  filing->mutable_verification_time()->set_seconds(FilingWorld::Time());
  return request;
}

// The digests and the two signatures of one filing, and nothing else: keys are
// read and prepared before.
class Cryptography {
 public:
  explicit Cryptography(const FilingWorld& world) : world_(world) {
    Require(ParseCertificate(AsBytes(world.ca_certificate()), &ca_).ok(),
            "the CA does not parse");
    leaves_.resize(world.size());
    for (size_t i = 0; i < world.size(); ++i) {
      Require(
          ParseCertificate(AsBytes(world.certificates[i]), &leaves_[i]).ok(),
          "a leaf does not parse");
    }
  }

  void Verify(size_t index) const {
    const Certificate& leaf = leaves_[index];
    std::array<uint8_t, 32> signed_part;
    std::array<uint8_t, 32> document;
    const DigestJob digests[] = {
        {HashAlgorithm::kSha256, leaf.tbs, signed_part.data()},
        {HashAlgorithm::kSha256, AsBytes(world_.documents[index]),
         document.data()}};
    DigestBatch(digests);
    SignatureJob jobs[2];
    jobs[0].key = &ca_.key;
    jobs[0].algorithm = leaf.signature_algorithm;
    jobs[0].digest = Bytes(signed_part.data(), signed_part.size());
    jobs[0].signature = leaf.signature;
    jobs[1].key = &leaf.key;
    jobs[1].algorithm = {SignatureScheme::kRsaPkcs1, HashAlgorithm::kSha256, 0};
    jobs[1].digest = Bytes(document.data(), document.size());
    jobs[1].signature = AsBytes(world_.signatures[index]);
    VerifyBatch(absl::MakeSpan(jobs));
    Require(jobs[0].result == SignatureResult::kValid &&
                jobs[1].result == SignatureResult::kValid,
            "a signature is not valid");
  }

 private:
  const FilingWorld& world_;
  Certificate ca_;
  std::vector<Certificate> leaves_;
};

template <typename Work>
double Seconds(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
      .count();
}

double Median(std::vector<double> values) {
  const auto middle =
      values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// `times`: Verify against an empty call and the cryptography; the goal is 1.3.
// `times_judged`: against an empty call and the whole judgement in process. The
// other counters are medians in microseconds.
void BM_LoneVerify(benchmark::State& state) {
  const FilingWorld& world = FilingWorld::Get();
  const IdleServer server(world);
  const Cryptography cryptography(world);
  const auto snapshot = server.snapshot();
  const std::vector<FilingView> filings = world.Views(*snapshot);
  Verifier verifier;
  std::vector<FilingVerdict> verdict(1);
  std::vector<double> empty;
  std::vector<double> verify;
  std::vector<double> judged;
  std::vector<double> crypto;
  size_t next = 0;
  const auto one_round = [&](bool count) {
    const v1::VerifyRequest request = RequestOf(world, next);
    const double taken[] = {
        Seconds([&] { server.EmptyCall(); }),
        Seconds([&] { server.Verify(request); }), Seconds([&] {
          verifier.Verify(absl::MakeSpan(filings).subspan(next, 1),
                          absl::MakeSpan(verdict));
        }),
        Seconds([&] { cryptography.Verify(next); })};
    RequirePassed(verdict);
    next = (next + 1) % world.size();
    if (!count) return;
    empty.push_back(taken[0]);
    verify.push_back(taken[1]);
    judged.push_back(taken[2]);
    crypto.push_back(taken[3]);
  };
  for (int i = 0; i < 50; ++i) one_round(false);  // connected, caches warm
  for (auto _ : state) one_round(true);
  const double call = Median(empty);
  const double lone = Median(verify);
  state.counters["times"] = lone / (call + Median(crypto));
  state.counters["times_judged"] = lone / (call + Median(judged));
  state.counters["empty_us"] = call * 1e6;
  state.counters["verify_us"] = lone * 1e6;
  state.counters["judged_us"] = Median(judged) * 1e6;
  state.counters["crypto_us"] = Median(crypto) * 1e6;
}
BENCHMARK(BM_LoneVerify)->UseRealTime();

}  // namespace
}  // namespace inkan

BENCHMARK_MAIN();
