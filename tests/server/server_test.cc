// The server as a whole: life cycle, overload, health, operations, TLS.
#include "server/server.h"

#include <grpcpp/generic/generic_stub.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "client/inkan_client.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/health.h"
#include "server/readiness.h"
#include "tests/server/happens.h"
#include "tests/server/raw_client.h"
#include "tests/server/test_world.h"

namespace inkan {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using testing::DetailOf;
using testing::FieldOf;
using testing::Happens;
using ::testing::HasSubstr;
using testing::RawClient;
using testing::ReasonOf;
using testing::TestWorld;
using testing::WorldTime;

v1::BatchVerifyRequest BatchOf(const v1::Filing& filing, int count) {
  v1::BatchVerifyRequest request;
  for (int i = 0; i < count; ++i) *request.add_filings() = filing;
  return request;
}

// --- Overload ---

TEST(ServerTest, BeyondTheQueueCallsAreRefusedWithPushBack) {
  TestWorld world;
  auto server = world.StartServer(world.ConfigText(
      "worker_threads: 1 limits { batch_filings_max: 1000 queue_filings_max: "
      "1000 }"));
  const v1::BatchVerifyRequest request = BatchOf(world.GoodFiling(), 1000);
  std::atomic<int> served{0};
  std::atomic<int> refused{0};
  std::vector<std::thread> clients;
  for (int t = 0; t < 12; ++t) {
    clients.emplace_back([&] {
      RawClient client(server->port());
      grpc::ClientContext context;
      context.set_wait_for_ready(true);  // a connection may fail at first
      v1::BatchVerifyResponse response;
      const grpc::Status status =
          client.verification->BatchVerify(&context, request, &response);
      if (status.ok()) {
        EXPECT_EQ(response.verdicts_size(), 1000);
        served.fetch_add(1);
        return;
      }
      refused.fetch_add(1);
      EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
      EXPECT_EQ(ReasonOf(status), "inkan.dev/QUEUE_FULL")
          << status.error_message();
      EXPECT_GT(DetailOf<google::rpc::RetryInfo>(status).retry_delay().nanos(),
                0);
      EXPECT_EQ(
          context.GetServerTrailingMetadata().count("grpc-retry-pushback-ms"),
          1U);
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_GE(served.load(), 1);
  EXPECT_GE(refused.load(), 1);
  // A batch refused before it was sent counts as one filing.
  const auto calls = static_cast<uint64_t>(refused.load());
  EXPECT_GE(server->batcher().counters().filings_refused, calls);
  EXPECT_LE(server->batcher().counters().filings_refused, calls * 1000U);
}

TEST(ServerTest, BeyondTheQueueStreamsWaitAndLoseNothing) {
  TestWorld world;
  auto server = world.StartServer(world.ConfigText(
      "worker_threads: 1 limits { batch_filings_max: 200 queue_filings_max: "
      "200 }"));
  v1::StreamVerifyRequest request;
  for (int i = 0; i < 200; ++i) *request.add_filings() = world.GoodFiling();
  std::vector<std::thread> clients;
  for (int t = 0; t < 4; ++t) {
    clients.emplace_back([&] {
      RawClient client(server->port());
      grpc::ClientContext context;
      auto stream = client.verification->StreamVerify(&context);
      for (int i = 0; i < 10; ++i) ASSERT_TRUE(stream->Write(request));
      stream->WritesDone();
      v1::StreamVerifyResponse response;
      for (int i = 0; i < 10; ++i) ASSERT_TRUE(stream->Read(&response));
      EXPECT_FALSE(stream->Read(&response));
      EXPECT_TRUE(stream->Finish().ok());
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(server->batcher().counters().filings_judged, 4U * 10U * 200U);
  EXPECT_EQ(server->batcher().counters().filings_refused, 0U);
}

// --- Shutdown ---

// Calls until the server goes away; every answer must be a verdict or a refusal
// that says the server is leaving.
struct Answers {
  std::atomic<uint64_t> verdicts{0};
  std::atomic<int> started{0};
};

void CallUntilGone(int port, const v1::Filing& filing, Answers* answers) {
  RawClient client(port);
  while (true) {
    v1::VerifyRequest request;
    *request.mutable_filing() = filing;
    grpc::ClientContext context;
    v1::VerifyResponse response;
    const grpc::Status status =
        client.verification->Verify(&context, request, &response);
    answers->started.fetch_add(1);
    if (!status.ok()) {
      EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE)
          << status.error_message();
      return;
    }
    EXPECT_EQ(response.verdict().indication(), v1::INDICATION_TOTAL_PASSED);
    answers->verdicts.fetch_add(1);
  }
}

void StreamUntilGone(int port, const v1::Filing& filing, Answers* answers) {
  RawClient client(port);
  grpc::ClientContext context;
  auto stream = client.verification->StreamVerify(&context);
  std::thread writer([&] {
    v1::StreamVerifyRequest request;
    for (int i = 0; i < 50; ++i) *request.add_filings() = filing;
    for (uint64_t sequence = 0;; ++sequence) {
      request.set_sequence(sequence);
      if (!stream->Write(request)) return;
    }
  });
  v1::StreamVerifyResponse response;
  for (uint64_t expected = 0; stream->Read(&response); ++expected) {
    EXPECT_EQ(response.sequence(), expected);
    answers->verdicts.fetch_add(
        static_cast<uint64_t>(response.verdicts_size()));
    answers->started.fetch_add(1);
  }
  writer.join();
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(status), "inkan.dev/SHUTTING_DOWN");
}

TEST(ServerTest, ShutdownUnderLoadAnswersAllThatWasAccepted) {
  TestWorld world;
  auto server = world.StartServer();
  const v1::Filing filing = world.GoodFiling();
  Answers answers;
  std::vector<std::thread> clients;
  for (int t = 0; t < 3; ++t) {
    clients.emplace_back(
        [&] { CallUntilGone(server->port(), filing, &answers); });
    clients.emplace_back(
        [&] { StreamUntilGone(server->port(), filing, &answers); });
  }
  while (answers.started.load() < 100) std::this_thread::yield();
  const absl::Time before = absl::Now();
  server->Shutdown();
  EXPECT_LT(absl::Now() - before, absl::Seconds(10));
  for (std::thread& client : clients) client.join();
  // Every filing that was judged reached its client, and none was dropped.
  const BatcherCounters counters = server->batcher().counters();
  EXPECT_EQ(counters.filings_judged, answers.verdicts.load());
  EXPECT_EQ(counters.filings_cancelled, 0U);
  EXPECT_EQ(counters.filings_expired, 0U);
}

TEST(ServerTest, IdleStreamsDoNotHoldUpShutdown) {
  TestWorld world;
  auto server = world.StartServer();
  RawClient client(server->port());
  grpc::ClientContext context;
  auto stream = client.verification->StreamVerify(&context);
  v1::StreamVerifyRequest request;
  *request.add_filings() = world.GoodFiling();
  ASSERT_TRUE(stream->Write(request));
  v1::StreamVerifyResponse response;
  ASSERT_TRUE(stream->Read(&response));
  const absl::Time before = absl::Now();
  server->Shutdown();
  EXPECT_LT(absl::Now() - before, absl::Seconds(5));
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(ReasonOf(stream->Finish()), "inkan.dev/SHUTTING_DOWN");
}

TEST(ServerTest, APortThatIsTakenIsReported) {
  TestWorld world;
  auto server = world.StartServer();
  const std::string text = absl::StrReplaceAll(
      world.ConfigText(),
      {{"127.0.0.1:0", absl::StrCat("127.0.0.1:", server->port())}});
  absl::StatusOr<Config> config = ParseConfig(text, world.Path("x"));
  ASSERT_TRUE(config.ok()) << config.status();
  const auto second = Server::Start(*std::move(config), world.Path("x"));
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr("cannot listen on 127.0.0.1:"));
}

// --- Health ---

grpc::Status CheckHealth(const RawClient& client, const std::string& service,
                         HealthCheckResponse* response) {
  HealthCheckRequest request;
  request.set_service(service);
  grpc::ClientContext context;
  return client.health->Check(&context, request, response);
}

TEST(ServerTest, HealthKnowsTheServerAndItsServices) {
  TestWorld world;
  auto server = world.StartServer();
  RawClient client(server->port());
  HealthCheckResponse response;
  for (const char* service :
       {"", "inkan.v1.VerificationService", "inkan.v1.OperationsService"}) {
    ASSERT_TRUE(CheckHealth(client, service, &response).ok()) << service;
    EXPECT_EQ(response.status(), HealthCheckResponse::SERVING) << service;
  }
  EXPECT_EQ(CheckHealth(client, "nobody", &response).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST(ServerTest, AWorkerThatHangsIsSeenByLivenessAndByNothingElse) {
  TestWorld world;
  auto server = world.StartServer();
  std::atomic<bool> alive{true};
  HealthState health;
  health.SetServing(true);
  const Readiness readiness(
      &server->keeper(), nullptr, [&alive] { return alive.load(); }, &health);
  EXPECT_TRUE(health.Serves("inkan.v1.OperationsService"));
  alive = false;
  EXPECT_TRUE(
      Happens([&] { return !health.Serves("inkan.v1.OperationsService"); }));
  EXPECT_TRUE(health.Serves("inkan.v1.VerificationService"));
  EXPECT_TRUE(health.serving());
  alive = true;
  EXPECT_TRUE(
      Happens([&] { return health.Serves("inkan.v1.OperationsService"); }));
}

TEST(ServerTest, AHealthWatchSeesShutdownAndEnds) {
  TestWorld world;
  auto server = world.StartServer();
  RawClient client(server->port());
  grpc::ClientContext context;
  auto watch = client.health->Watch(&context, HealthCheckRequest());
  HealthCheckRequest unknown;
  unknown.set_service("nobody");
  grpc::ClientContext unknown_context;
  auto unknown_watch = client.health->Watch(&unknown_context, unknown);
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  ASSERT_TRUE(unknown_watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVICE_UNKNOWN);
  const absl::Time before = absl::Now();
  server->Shutdown();
  EXPECT_LT(absl::Now() - before, absl::Seconds(5));
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_FALSE(watch->Read(&response));
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

// --- Operations ---

TEST(ServerTest, AHealthWatchThatNobodyReadsDoesNotHoldUpShutdown) {
  TestWorld world;
  auto server = world.StartServer(world.ConfigText(""));
  // Room for less than one answer: its write stays under way.
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 5);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  RawClient client(server->port(), grpc::InsecureChannelCredentials(),
                   arguments);
  grpc::ClientContext context;
  auto watch = client.health->Watch(&context, HealthCheckRequest());
  // Another call on the same connection: the watch has been opened by now.
  grpc::ClientContext check_context;
  HealthCheckResponse response;
  ASSERT_TRUE(
      client.health->Check(&check_context, HealthCheckRequest(), &response)
          .ok());
  const absl::Time begin = absl::Now();
  server->Shutdown();
  EXPECT_LT(absl::Now() - begin, absl::Seconds(10));
  context.TryCancel();
  EXPECT_FALSE(watch->Finish().ok());
}

TEST(ServerTest, TheStatusTellsWhatRunsAndWhatIsWrong) {
  TestWorld world;
  world.Write("crls/not_a_crl.txt", "hello");
  auto server = world.StartServer();
  auto client =
      Client::Connect({.target = absl::StrCat("127.0.0.1:", server->port())});
  v1::Filing filing = world.GoodFiling();
  ASSERT_TRUE(client->Verify(filing).ok());
  const auto status = client->GetStatus();
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_TRUE(status->serving());
  EXPECT_EQ(status->filings_total(), 1U);
  EXPECT_EQ(status->snapshot().generation(), 1U);
  EXPECT_FALSE(status->build().version().empty());
  EXPECT_FALSE(status->build().rsa_kernel().empty());
  EXPECT_THAT(status->build().libraries(), HasSubstr("gRPC"));
  ASSERT_EQ(status->profiles_size(), 1);
  EXPECT_EQ(status->profiles(0).name(), "signature");
  ASSERT_EQ(status->profiles(0).anchors_size(), 1);
  EXPECT_EQ(status->profiles(0).anchors(0).subject(), "CN=World CA,C=JP");
  ASSERT_EQ(status->partitions_size(), 1);
  EXPECT_EQ(status->partitions(0).crl_number(), "07");
  EXPECT_EQ(status->partitions(0).entries(), 1U);
  EXPECT_EQ(status->partitions(0).source(), world.Path("crls/world.crl"));
  ASSERT_EQ(status->source_errors_size(), 1);
  EXPECT_EQ(status->source_errors(0).source(),
            world.Path("crls/not_a_crl.txt"));
  EXPECT_FALSE(status->source_errors(0).last_good_in_use());
  EXPECT_EQ(client->GetStatus(true)->partitions_size(), 0);
}

TEST(ServerTest, WhatHasBeenReplacedIsFreedThoughNobodyCalls) {
  TestWorld world;
  auto server = world.StartServer(
      world.ConfigText("worker_threads: 4 ops_http { address: "
                       "\"127.0.0.1:0\" }"));
  auto client =
      Client::Connect({.target = absl::StrCat("127.0.0.1:", server->port())});
  const v1::Filing filing = world.GoodFiling();
  std::weak_ptr<const Snapshot> snapshot;
  std::weak_ptr<const CrlData> crl;
  for (uint64_t number = 8; number < 11; ++number) {
    // Every worker, and whatever reports, has seen the one before.
    const v1::BatchVerifyRequest batch = BatchOf(filing, 100);
    RawClient caller(server->port());
    for (int i = 0; i < 20; ++i) {
      grpc::ClientContext context;
      v1::BatchVerifyResponse response;
      ASSERT_TRUE(
          caller.verification->BatchVerify(&context, batch, &response).ok());
    }
    ASSERT_TRUE(client->GetStatus().ok());
    {
      const auto current = server->keeper().Current();
      snapshot = current;
      crl = current->Find("signature")->crls->partitions()[0].crl;
    }
    EXPECT_FALSE(snapshot.expired());
    world.ReplaceCrl(number, {});
    ASSERT_TRUE(server->keeper().Refresh().ok());
    // From here on nobody calls.
    const absl::Time deadline = absl::Now() + absl::Seconds(90);
    while (!(snapshot.expired() && crl.expired()) && absl::Now() < deadline) {
      absl::SleepFor(absl::Milliseconds(10));
    }
    EXPECT_TRUE(snapshot.expired());
    EXPECT_TRUE(crl.expired());
  }
}

TEST(ServerTest, ASerialNumberIsLookedUpAsPeopleWriteIt) {
  TestWorld world;
  auto server = world.StartServer();
  auto client =
      Client::Connect({.target = absl::StrCat("127.0.0.1:", server->port())});
  v1::LookupRevocationRequest request;
  request.set_profile("signature");
  for (const char* revoked : {"12", "00:12", " 1 2 ", "0012"}) {
    request.set_serial_number(revoked);
    const auto found = client->LookupRevocation(request);
    ASSERT_TRUE(found.ok()) << found.status();
    ASSERT_EQ(found->entries_size(), 1) << revoked;
    EXPECT_EQ(found->entries(0).issuer(), "CN=World CA,C=JP");
    EXPECT_EQ(found->entries(0).evidence().status(),
              v1::REVOCATION_STATUS_REVOKED);
    EXPECT_EQ(found->entries(0).evidence().reason(),
              v1::REVOCATION_REASON_KEY_COMPROMISE);
    EXPECT_EQ(found->partitions_searched(), 1U);
  }
  request.set_issuer("CN=Somebody else");
  EXPECT_EQ(client->LookupRevocation(request)->partitions_searched(), 0U);
  request.set_issuer("CN=World CA,C=JP");
  EXPECT_EQ(client->LookupRevocation(request)->entries_size(), 1);
  request.set_serial_number("11");
  EXPECT_EQ(client->LookupRevocation(request)->entries_size(), 0);

  for (const char* wrong : {"", "xyz", "::"}) {
    request.set_serial_number(wrong);
    EXPECT_EQ(client->LookupRevocation(request).status().code(),
              absl::StatusCode::kInvalidArgument)
        << wrong;
  }
  // 21 octets are looked up, 22 are no serial number.
  request.set_serial_number(std::string(42, '1'));
  EXPECT_TRUE(client->LookupRevocation(request).ok());
  request.set_serial_number(std::string(44, '1'));
  EXPECT_FALSE(client->LookupRevocation(request).ok());
  request.set_serial_number("11");
  request.set_profile("nobody");
  EXPECT_THAT(std::string(client->LookupRevocation(request).status().message()),
              HasSubstr("there are: signature"));
}

TEST(ServerTest, ReloadTakesNewProfilesAndRefusesBadOnes) {
  TestWorld world;
  auto server = world.StartServer();
  auto client =
      Client::Connect({.target = absl::StrCat("127.0.0.1:", server->port())});
  v1::Filing filing = world.GoodFiling();
  filing.set_profile("second");
  EXPECT_EQ(client->Verify(filing)->sub_indication(),
            v1::SUB_INDICATION_GENERIC);

  world.Write("inkand.textproto",
              world.ConfigText("profiles { name: \"second\" anchor_files: "
                               "\"ca.cer\" }"));
  auto reloaded = client->Reload();
  ASSERT_TRUE(reloaded.ok()) << reloaded.status();
  EXPECT_GT(reloaded->snapshot().generation(), 1U);
  EXPECT_EQ(client->Verify(filing)->indication(), v1::INDICATION_TOTAL_PASSED);

  world.Write("inkand.textproto", "profiles { nam: \"third\" }");
  const absl::Status refused = client->Reload().status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("nam"));
  EXPECT_EQ(client->Verify(filing)->indication(), v1::INDICATION_TOTAL_PASSED);
  EXPECT_EQ(client->GetStatus()->snapshot().generation(),
            reloaded->snapshot().generation());
}

TEST(ServerTest, OperationsCanHaveAListenerOfTheirOwn) {
  TestWorld world;
  auto server = world.StartServer(world.ConfigText(absl::StrCat(
      "operations_listener { address: \"127.0.0.1:0\" plaintext: \"",
      kPlaintextWords, "\" }")));
  ASSERT_NE(server->operations_port(), 0);
  auto intake =
      Client::Connect({.target = absl::StrCat("127.0.0.1:", server->port())});
  auto operations = Client::Connect(
      {.target = absl::StrCat("127.0.0.1:", server->operations_port())});
  EXPECT_TRUE(intake->Verify(world.GoodFiling()).ok());
  EXPECT_EQ(intake->GetStatus().status().code(),
            absl::StatusCode::kUnimplemented);
  EXPECT_EQ(intake->Reload().status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_TRUE(operations->GetStatus().ok());
  EXPECT_EQ(operations->Verify(world.GoodFiling()).status().code(),
            absl::StatusCode::kUnimplemented);
  EXPECT_TRUE(*intake->IsServing());
  EXPECT_TRUE(*operations->IsServing("inkan.v1.OperationsService"));
}

// --- Reflection ---

// Whether a method exists, asked without its message types.
bool Exists(int port, const std::string& method) {
  RawClient client(port);
  grpc::GenericStub stub(client.channel);
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  auto call = stub.PrepareCall(&context, method, &queue);
  const auto next = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
  };
  call->StartCall(nullptr);
  next();
  call->WritesDone(nullptr);
  next();
  grpc::Status status;
  call->Finish(&status, nullptr);
  next();
  return status.error_code() != grpc::StatusCode::UNIMPLEMENTED;
}

TEST(ServerTest, ReflectionIsThereOnlyIfAskedFor) {
  const std::string method =
      "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  TestWorld world;
  {
    auto server = world.StartServer();
    EXPECT_FALSE(Exists(server->port(), method));
  }
  {
    auto server = world.StartServer(world.ConfigText("reflection: true"));
    EXPECT_TRUE(Exists(server->port(), method));
  }
  {
    auto server = world.StartServer(world.ConfigText("channelz: true"));
    EXPECT_TRUE(
        Exists(server->port(), "/grpc.channelz.v1.Channelz/GetServers"));
  }
  auto server = world.StartServer();
  EXPECT_FALSE(Exists(server->port(), method));
  EXPECT_FALSE(Exists(server->port(), "/grpc.channelz.v1.Channelz/GetServers"));
}

// --- TLS ---

struct PemPair {
  std::string certificate;
  std::string key;
};

template <typename Write>
std::string ToPem(const Write& write) {
  BIO* bio = BIO_new(BIO_s_mem());
  write(bio);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<size_t>(size));
  BIO_free(bio);
  return text;
}

// A self-signed certificate for 127.0.0.1, its own CA. (A host name would be
// looked up by c-ares, which leaks some octets for "localhost".)
PemPair MakeTls() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(
      name, "CN", MBSTRING_ASC,
      reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_EXTENSION* address = X509V3_EXT_conf_nid(
      nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1");
  X509_add_ext(certificate, address, -1);
  X509_EXTENSION_free(address);
  X509_set_pubkey(certificate, key);
  X509_sign(certificate, key, EVP_sha256());
  PemPair pair{ToPem([&](BIO* bio) { PEM_write_bio_X509(bio, certificate); }),
               ToPem([&](BIO* bio) {
                 PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0,
                                          nullptr, nullptr);
               })};
  X509_free(certificate);
  EVP_PKEY_free(key);
  return pair;
}

class TlsTest : public ::testing::Test {
 protected:
  TlsTest() {
    world_.Write("server.pem", server_tls_.certificate);
    world_.Write("server.key", server_tls_.key);
    world_.Write("clients.pem", client_tls_.certificate);
  }

  std::unique_ptr<Server> Start(const std::string& more) {
    return world_.StartServer(absl::StrReplaceAll(
        world_.ConfigText(),
        {{absl::StrCat("plaintext: \"", kPlaintextWords, "\""),
          absl::StrCat("tls { certificate_chain_file: \"server.pem\" "
                       "private_key_file: \"server.key\" ",
                       more, "}")}}));
  }

  absl::StatusOr<v1::Verdict> Ask(const Server& server,
                                  std::optional<ClientTls> tls) {
    return Client::Connect({.target = absl::StrCat("127.0.0.1:", server.port()),
                            .tls = std::move(tls),
                            .timeout = absl::Seconds(5)})
        ->Verify(world_.GoodFiling());
  }

  TestWorld world_;
  const PemPair server_tls_ = MakeTls();
  const PemPair client_tls_ = MakeTls();
};

TEST_F(TlsTest, AClientThatKnowsTheServersCaIsServed) {
  auto server = Start("");
  const auto verdict = Ask(*server, ClientTls{.ca = server_tls_.certificate,
                                              .certificate = {},
                                              .private_key = {}});
  ASSERT_TRUE(verdict.ok()) << verdict.status();
  EXPECT_EQ(verdict->indication(), v1::INDICATION_TOTAL_PASSED);
  EXPECT_FALSE(Ask(*server, std::nullopt).ok()) << "plaintext";
  EXPECT_FALSE(Ask(*server, ClientTls{.ca = client_tls_.certificate,
                                      .certificate = {},
                                      .private_key = {}})
                   .ok())
      << "another CA";
}

TEST_F(TlsTest, MutualTlsServesOnlyClientsOfTheCa) {
  auto server = Start("client_ca_file: \"clients.pem\"");
  const auto with = [&](const PemPair& pair) {
    return ClientTls{.ca = server_tls_.certificate,
                     .certificate = pair.certificate,
                     .private_key = pair.key};
  };
  EXPECT_TRUE(Ask(*server, with(client_tls_)).ok());
  EXPECT_FALSE(Ask(*server, with(MakeTls())).ok());
  EXPECT_FALSE(Ask(*server, with(PemPair())).ok());
}

}  // namespace
}  // namespace inkan
