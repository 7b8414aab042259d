// TLS over real sockets: certificates replaced while the server runs, who is
// let in, who may call what, and how much.
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/server.h"
#include "server/tls_expiry.h"
#include "server/tls_keeper.h"
#include "tests/server/happens.h"
#include "tests/server/http_client.h"
#include "tests/server/raw_client.h"
#include "tests/server/test_tls.h"
#include "tests/server/test_world.h"

namespace inkan {
namespace {

using testing::CertificateShownBy;
using testing::DetailOf;
using testing::Happens;
using ::testing::HasSubstr;
using testing::PemPair;
using testing::RawClient;
using testing::ReasonOf;
using testing::TestCa;
using testing::TestWorld;

class TlsTest : public ::testing::Test {
 protected:
  TlsTest() {
    Install(server_ca_.Issue("server one"));
    world_.Write("clients.pem", client_ca_.pem());
  }

  void Install(const PemPair& pair) {
    pair_ = pair;
    world_.Write("server.pem", pair.certificate);
    world_.Write("server.key", pair.key);
  }

  std::string Config(const std::string& tls, const std::string& more) const {
    return absl::StrReplaceAll(
        world_.ConfigText(more),
        {{absl::StrCat("plaintext: \"", kPlaintextWords, "\""),
          absl::StrCat("tls { certificate_chain_file: \"server.pem\" "
                       "private_key_file: \"server.key\" "
                       "poll_interval { seconds: 1 } ",
                       tls, "}")}});
  }
  void Start(const std::string& more = "") {
    server_ = world_.StartServer(Config(kMutual, more));
  }
  absl::Status Reload() {
    std::atomic<bool> done{false};
    absl::Status result;
    server_->reloader().Reload([&](const absl::Status& status) {
      result = status;
      done = true;
    });
    EXPECT_TRUE(Happens([&] { return done.load(); }));
    return result;
  }

  // A connection with a client certificate.
  RawClient As(const PemPair& client) const {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = server_ca_.pem();
    options.pem_cert_chain = client.certificate;
    options.pem_private_key = client.key;
    return RawClient(server_->port(), grpc::SslCredentials(options));
  }
  grpc::Status Verify(const RawClient& client, int filings = 1) const {
    v1::BatchVerifyRequest request;
    for (int i = 0; i < filings; ++i) {
      *request.add_filings() = world_.GoodFiling();
    }
    v1::BatchVerifyResponse response;
    grpc::ClientContext context;
    const grpc::Status status =
        client.verification->BatchVerify(&context, request, &response);
    if (status.ok()) {
      EXPECT_EQ(response.verdicts_size(), filings);
    }
    return status;
  }
  grpc::Status Stream(const RawClient& client) const {
    grpc::ClientContext context;
    auto stream = client.verification->StreamVerify(&context);
    stream->WritesDone();
    return stream->Finish();
  }
  grpc::Status GetStatus(const RawClient& client) const {
    v1::GetStatusResponse response;
    grpc::ClientContext context;
    return client.operations->GetStatus(&context, v1::GetStatusRequest(),
                                        &response);
  }

  static constexpr char kMutual[] = "client_ca_file: \"clients.pem\" ";

  TestWorld world_;
  const TestCa server_ca_{"Server CA"};
  const TestCa client_ca_{"Client CA"};
  PemPair pair_;
  std::unique_ptr<Server> server_;
};

TEST(ChangeWatchTest, FilesAreReadOnceTheyHaveLookedTheSameTwice) {
  using Next = ChangeWatch::Next;
  ChangeWatch watch;
  EXPECT_EQ(watch.See("a"), Next::kLookAgain);
  EXPECT_EQ(watch.See("b"), Next::kLookAgain);
  EXPECT_EQ(watch.See("c"), Next::kLookAgain);
  EXPECT_EQ(watch.See("c"), Next::kRead);
  EXPECT_EQ(watch.See("c"), Next::kNothing);
  EXPECT_EQ(watch.See("d"), Next::kLookAgain);
  EXPECT_EQ(watch.See("c"), Next::kNothing);
  EXPECT_EQ(watch.See("d"), Next::kLookAgain);
  watch.Forget();
  EXPECT_EQ(watch.See("d"), Next::kLookAgain);
  EXPECT_EQ(watch.See("d"), Next::kRead);
}

TEST(TlsExpiryTest, ACertificateOutOfItsTimeIsNamed) {
  const PemPair pair = TestCa("CA").Issue("server");
  const absl::Time now = absl::Now();
  EXPECT_EQ(CertificateTimeProblem(pair.certificate, now), "");
  EXPECT_THAT(CertificateTimeProblem(pair.certificate, now + absl::Hours(2)),
              HasSubstr("ended on"));
  EXPECT_THAT(CertificateTimeProblem(pair.certificate, now - absl::Hours(48)),
              HasSubstr("not valid before"));
}

TEST_F(TlsTest, ABundleOfClientCasThatIsHalfWrittenIsNotTaken) {
  Start();
  TlsKeeper& keeper = *server_->intake().tls();
  const TestCa other_ca("Other CA");
  const PemPair other = other_ca.Issue("client");
  const std::string bundle = client_ca_.pem() + other_ca.pem();
  const size_t second = client_ca_.pem().size();
  // In its base64, in its last line, and in its first.
  for (const size_t cut :
       {second + other_ca.pem().size() / 2, bundle.size() - 10, second + 9}) {
    SCOPED_TRACE(cut);
    const uint64_t refused = keeper.refusals();
    world_.Write("clients.pem", bundle.substr(0, cut));
    EXPECT_TRUE(Happens([&] { return keeper.refusals() > refused; }));
    EXPECT_EQ(keeper.Current()->client_ca, client_ca_.pem());
    EXPECT_EQ(Reload().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(keeper.changes(), 0U);
  world_.Write("clients.pem", bundle);
  EXPECT_TRUE(Happens([&] { return keeper.changes() == 1; }));
  EXPECT_TRUE(Verify(As(other)).ok());
  EXPECT_TRUE(Verify(As(client_ca_.Issue("client"))).ok());
}

TEST_F(TlsTest, AChainThatIsHalfWrittenIsNotTaken) {
  Start();
  TlsKeeper& keeper = *server_->intake().tls();
  const std::string chain = pair_.certificate + server_ca_.pem();
  world_.Write("server.pem", chain.substr(0, chain.size() - 100));
  EXPECT_TRUE(Happens([&] { return keeper.refusals() == 1; }));
  EXPECT_EQ(keeper.Current()->certificate_chain, pair_.certificate);
  // A key beside its chain is no mistake.
  world_.Write("server.pem", chain + pair_.key);
  EXPECT_TRUE(Happens([&] { return keeper.changes() == 1; }));
  EXPECT_TRUE(Verify(As(client_ca_.Issue("client"))).ok());
}

TEST_F(TlsTest, ANewCertificateOnDiskIsShownToNewConnectionsAndOldOnesGoOn) {
  Start();
  const PemPair client = client_ca_.Issue("client");
  RawClient old = As(client);
  ASSERT_TRUE(Verify(old).ok());
  EXPECT_EQ(CertificateShownBy(server_->port(), &client, 0), pair_.certificate);
  Install(server_ca_.Issue("server two"));
  EXPECT_TRUE(Happens([&] {
    return CertificateShownBy(server_->port(), &client, 0) == pair_.certificate;
  }));
  EXPECT_GE(server_->intake().tls()->changes(), 1U);
  EXPECT_TRUE(Verify(old).ok());
  EXPECT_TRUE(Verify(As(client)).ok());
}

TEST_F(TlsTest, AReloadTakesNewCertificatesAndNewClientCas) {
  Start();
  const TestCa other_ca("Other CA");
  const PemPair other = other_ca.Issue("other");
  EXPECT_FALSE(Verify(As(other)).ok());
  Install(server_ca_.Issue("server two"));
  world_.Write("clients.pem", other_ca.pem());
  ASSERT_TRUE(Reload().ok());
  EXPECT_EQ(CertificateShownBy(server_->port(), &other, 0), pair_.certificate);
  EXPECT_TRUE(Verify(As(other)).ok());
  EXPECT_FALSE(Verify(As(client_ca_.Issue("client"))).ok());
}

TEST_F(TlsTest, AKeyThatDoesNotFitIsRefusedByNameAndTheOldPairStays) {
  Start();
  const PemPair client = client_ca_.Issue("client");
  const std::string before = pair_.certificate;
  world_.Write("server.key", server_ca_.Issue("another").key);
  const absl::Status refused = Reload();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("listener.tls.private_key_file: is not the key"));
  EXPECT_TRUE(Happens([&] { return server_->intake().tls()->refusals() > 0; }));
  EXPECT_EQ(CertificateShownBy(server_->port(), &client, 0), before);
  EXPECT_TRUE(Verify(As(client)).ok());
  // Once the files fit again they are used.
  Install(server_ca_.Issue("server two"));
  EXPECT_TRUE(Happens([&] {
    return CertificateShownBy(server_->port(), &client, 0) == pair_.certificate;
  }));
}

// The same certificate as OpenSSL writes one with trust settings.
std::string AsTrusted(const std::string& pem) {
  BIO* in = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509* certificate = PEM_read_bio_X509(in, nullptr, nullptr, nullptr);
  BIO* out = BIO_new(BIO_s_mem());
  EXPECT_EQ(PEM_write_bio_X509_AUX(out, certificate), 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out, &text);
  std::string trusted(text, static_cast<size_t>(size));
  BIO_free(out);
  X509_free(certificate);
  BIO_free(in);
  return trusted;
}

TEST_F(TlsTest, AKeyThatDoesNotFitATrustedCertificateIsRefusedToo) {
  const std::string trusted = AsTrusted(pair_.certificate);
  ASSERT_THAT(trusted, HasSubstr("TRUSTED CERTIFICATE"));
  Start();
  const PemPair client = client_ca_.Issue("client");
  world_.Write("server.pem", trusted);
  world_.Write("server.key", server_ca_.Issue("another").key);
  EXPECT_THAT(std::string(Reload().message()), HasSubstr("is not the key"));
  EXPECT_EQ(CertificateShownBy(server_->port(), &client, 0), pair_.certificate);
  // gRPC takes the first it can read, and so do we.
  world_.Write("server.key", pair_.key);
  world_.Write("server.pem", trusted + server_ca_.Issue("another").certificate);
  EXPECT_TRUE(Reload().ok());
  EXPECT_TRUE(Verify(As(client)).ok());
  EXPECT_GT(CertificateExpiry(trusted), absl::UnixEpoch());
}

// The value of one sample at the operations port; -1: there is none.
double Metric(const Server& server, const std::string& sample) {
  const std::string text =
      testing::HttpBody(testing::HttpGet(server.ops_http_port(), "/metrics"));
  const size_t at = text.find("\n" + sample + " ");
  return at == std::string::npos
             ? -1
             : std::atof(text.c_str() + at + sample.size() + 2);
}

TEST_F(TlsTest, TheMetricsFollowTheCertificateInUse) {
  Start("ops_http { address: \"127.0.0.1:0\" }");
  const auto days_left = [&] {
    return (Metric(*server_,
                   "inkan_tls_certificate_expiry_timestamp_seconds{listener="
                   "\"intake\"}") -
            absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch())) /
           86400;
  };
  const auto changes = [&](const char* result) {
    return Metric(*server_,
                  absl::StrCat("inkan_tls_files_changes_total{listener="
                               "\"intake\",result=\"",
                               result, "\"}"));
  };
  EXPECT_LT(days_left(), 1);
  // By its files alone.
  Install(server_ca_.Issue("server two", "", true, 86400 * 100));
  EXPECT_TRUE(Happens([&] { return days_left() > 99; }));
  EXPECT_LT(days_left(), 101);
  EXPECT_GE(changes("taken"), 1);
  EXPECT_EQ(changes("refused"), 0);
  // A key that does not fit: the old certificate stays, the refusal counts.
  world_.Write("server.key", server_ca_.Issue("another").key);
  EXPECT_TRUE(Happens([&] { return changes("refused") >= 1; }));
  EXPECT_GT(days_left(), 99);
  // By a reload.
  Install(server_ca_.Issue("server three", "", true, 86400 * 200));
  ASSERT_TRUE(Reload().ok());
  EXPECT_GT(days_left(), 199);
}

TEST_F(TlsTest, OnlyTls12And13AreSpoken) {
  Start();
  const PemPair client = client_ca_.Issue("client");
  const int port = server_->port();
  EXPECT_EQ(CertificateShownBy(port, &client, TLS1_3_VERSION),
            pair_.certificate);
  EXPECT_EQ(CertificateShownBy(port, &client, TLS1_2_VERSION),
            pair_.certificate);
  // The server hangs up, with or without a word; the client would have agreed.
  for (const int old : {TLS1_1_VERSION, TLS1_VERSION}) {
    EXPECT_THAT(CertificateShownBy(port, &client, old),
                ::testing::AnyOf(HasSubstr("alert"), HasSubstr("eof")));
  }
}

TEST_F(TlsTest, AClientWithoutACertificateOrWithAStrangersIsRefused) {
  Start();
  EXPECT_FALSE(Verify(As(PemPair())).ok());
  EXPECT_FALSE(Verify(As(server_ca_.Issue("stranger"))).ok());
  EXPECT_THAT(CertificateShownBy(server_->port(), nullptr, TLS1_2_VERSION),
              ::testing::Not(HasSubstr("BEGIN CERTIFICATE")));
  EXPECT_FALSE(Verify(RawClient(server_->port())).ok()) << "plaintext";
  EXPECT_TRUE(Verify(As(client_ca_.Issue("client"))).ok());
}

TEST_F(TlsTest, WhatCannotChangeWhileRunningIsNamedAndNothingChanges) {
  Start();
  world_.Write("inkand.textproto",
               Config("", "worker_threads: 7 limits { intermediates_max: 3 }"));
  const absl::Status refused = Reload();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()),
              ::testing::AllOf(
                  HasSubstr("worker_threads: is 0 and cannot become 7"),
                  HasSubstr("limits.intermediates_max: is 16"),
                  HasSubstr("listener: is TLS with client certificates and "
                            "cannot become TLS without")));
  EXPECT_FALSE(Verify(As(PemPair())).ok());
}

// --- Access ---

TEST_F(TlsTest, OperationsOnAnIntakeListenerAreClosedUntilARuleOpensThem) {
  Start();
  const PemPair operator_pair =
      client_ca_.Issue("operator", "URI:spiffe://agency/operator,");
  const grpc::Status denied = GetStatus(As(operator_pair));
  EXPECT_EQ(denied.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(ReasonOf(denied), "inkan.dev/METHOD_NOT_ALLOWED");
  const auto info = DetailOf<google::rpc::ErrorInfo>(denied);
  EXPECT_EQ(info.metadata().at("method"), "OperationsService/GetStatus");
  EXPECT_TRUE(Verify(As(operator_pair)).ok());
  EXPECT_EQ(server_->gate().denied(), 1U);

  world_.Write("inkand.textproto",
               Config(kMutual,
                      "access_rules { methods: \"OperationsService/*\" "
                      "identities: \"uri:spiffe://agency/operator\" }"));
  ASSERT_TRUE(Reload().ok());
  EXPECT_TRUE(GetStatus(As(operator_pair)).ok());
  EXPECT_EQ(GetStatus(As(client_ca_.Issue("other"))).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(TlsTest, ARuleLetsInWhomItNamesByUriThenDnsThenSubject) {
  Start(
      "access_rules { methods: \"VerificationService/BatchVerify\" methods: "
      "\"VerificationService/StreamVerify\" identities: \"uri:spiffe://a/b\" "
      "identities: \"dns:intake.example\" identities: \"subject:CN=clerk\" }");
  const auto allowed = [&](const PemPair& pair) {
    RawClient client = As(pair);
    const grpc::Status batch = Verify(client);
    EXPECT_EQ(batch.error_code(), Stream(client).error_code());
    if (!batch.ok()) {
      EXPECT_EQ(batch.error_code(), grpc::StatusCode::PERMISSION_DENIED);
    }
    return batch.ok();
  };
  EXPECT_TRUE(allowed(client_ca_.Issue("x", "URI:spiffe://a/b,")));
  EXPECT_TRUE(allowed(client_ca_.Issue("x", "DNS:intake.example,")));
  EXPECT_TRUE(allowed(client_ca_.Issue("clerk", "", false)));
  EXPECT_FALSE(allowed(client_ca_.Issue("x", "", false)));
  // The first URI is who it is, whatever else it says.
  EXPECT_FALSE(allowed(client_ca_.Issue(
      "clerk", "URI:spiffe://a/c,URI:spiffe://a/b,DNS:intake.example,")));
}

// A client that is not to be served any more is not, streams and all.
TEST_F(TlsTest, AReloadBindsStreamsThatAreOpen) {
  Start();
  RawClient client = As(client_ca_.Issue("x", "DNS:former.example,"));
  grpc::ClientContext context;
  auto stream = client.verification->StreamVerify(&context);
  v1::StreamVerifyRequest request;
  *request.add_filings() = world_.GoodFiling();
  v1::StreamVerifyResponse response;
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Read(&response));
  // First a bound, which needs to know who calls, then a rule.
  world_.Write(
      "inkand.textproto",
      Config(kMutual, "default_client_quota { filings_per_second: 1000 }"));
  ASSERT_TRUE(Reload().ok());
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(server_->gate().quotas().clients(), 1U);
  world_.Write("inkand.textproto",
               Config(kMutual,
                      "access_rules { methods: \"VerificationService/*\" "
                      "identities: \"dns:intake.example\" }"));
  ASSERT_TRUE(Reload().ok());
  stream->Write(request);
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

// --- Quotas ---

TEST_F(TlsTest, AQuotaBindsItsClientAndNoOther) {
  Start(
      "client_quotas { identities: \"dns:small.example\" quota { "
      "filings_per_second: 1 filings_burst: 10 } }");
  RawClient small = As(client_ca_.Issue("x", "DNS:small.example,"));
  RawClient large = As(client_ca_.Issue("x", "DNS:large.example,"));
  EXPECT_TRUE(Verify(small, 10).ok());
  grpc::Status refused = grpc::Status::OK;
  // On a slow machine a filing's worth may have come back.
  for (int i = 0; i < 100 && refused.ok(); ++i) refused = Verify(small, 10);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonOf(refused), "inkan.dev/QUOTA_EXCEEDED");
  const auto failure = DetailOf<google::rpc::QuotaFailure>(refused);
  ASSERT_EQ(failure.violations_size(), 1);
  EXPECT_EQ(failure.violations(0).subject(), "client:dns:small.example");
  EXPECT_EQ(failure.violations(0).description(), "filings_per_second");
  EXPECT_GT(DetailOf<google::rpc::RetryInfo>(refused).retry_delay().seconds() +
                DetailOf<google::rpc::RetryInfo>(refused).retry_delay().nanos(),
            0);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Verify(large, 100).ok());
  EXPECT_GE(server_->gate().quotas().refused(), 1U);
}

TEST_F(TlsTest, AStreamOverItsQuotaEndsAfterItsEarlierAnswers) {
  Start("default_client_quota { filings_per_second: 1 filings_burst: 10 }");
  RawClient client = As(client_ca_.Issue("x", "DNS:small.example,"));
  grpc::ClientContext context;
  auto stream = client.verification->StreamVerify(&context);
  v1::StreamVerifyRequest request;
  for (int i = 0; i < 10; ++i) *request.add_filings() = world_.GoodFiling();
  int written = 0;
  while (written < 1000 && stream->Write(request)) ++written;
  v1::StreamVerifyResponse response;
  int answered = 0;
  while (stream->Read(&response)) {
    EXPECT_EQ(response.verdicts_size(), 10);
    ++answered;
  }
  EXPECT_GE(answered, 1);
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonOf(status), "inkan.dev/QUOTA_EXCEEDED");
}

// Though no rule asks who calls, and all of them have one address.
TEST_F(TlsTest, EachClientHasItsShareOfTheStreams) {
  Start("limits { stream_calls_max: 2 stream_idle_seconds_max: 3600 }");
  const RawClient large = As(client_ca_.Issue("x", "DNS:large.example,"));
  const RawClient small = As(client_ca_.Issue("x", "DNS:small.example,"));
  v1::StreamVerifyRequest request;
  *request.add_filings() = world_.GoodFiling();
  v1::StreamVerifyResponse response;
  grpc::ClientContext contexts[2];
  std::vector<std::unique_ptr<grpc::ClientReaderWriter<
      v1::StreamVerifyRequest, v1::StreamVerifyResponse>>>
      silent;
  for (grpc::ClientContext& context : contexts) {
    auto stream = large.verification->StreamVerify(&context);
    ASSERT_TRUE(stream->Write(request));
    ASSERT_TRUE(stream->Read(&response));
    silent.push_back(std::move(stream));
  }
  EXPECT_FALSE(Stream(large).ok());
  // Once one of the two has been silent for long enough.
  EXPECT_TRUE(Happens([&] { return Stream(small).ok(); }));
  int ended = 0;
  for (const auto& stream : silent) {
    stream->WritesDone();
    if (ReasonOf(stream->Finish()) == "inkan.dev/STREAM_IDLE") ++ended;
  }
  EXPECT_EQ(ended, 1);
}

}  // namespace
}  // namespace inkan
