// CRLs from a real web server and a real directory server that publish, change,
// fail in every way, and recover, with the verdicts of a real inkand compared
// with the truth throughout. What a faulty reply would say if it were believed
// is always wrong: it lists nothing, so that revoked filings would pass.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/lab/crl_builder.h"
#include "bench/lab/extensions.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/e2e/crl_peers.h"
#include "tests/e2e/truth_watch.h"
#include "tests/server/test_tls.h"
#include "tests/support/conformance.h"

namespace inkan {
namespace {

namespace fs = std::filesystem;
using grpc::health::v1::HealthCheckResponse;
using ::testing::HasSubstr;

class CrlSources : public ::testing::Test {
 protected:
  CrlSources()
      : dir_(FreshWorkDir()),
        corpus_(ReadCorpus(SharedLab())),
        web_(dir_ + "/web") {
    std::map<std::string, std::string> entries;
    std::string list;
    for (const lab::CrlPlan& plan : world_.plans()) {
      const std::string der = ReadFile(SharedLab() + "/crls/" + plan.file_name);
      if (plan.ca->kind == lab::CertificateKind::kSignature) {
        web_.Write(plan.file_name, der);
        absl::StrAppend(&list, plan.file_name, "\n");
      } else {
        entries[plan.file_name] = der;
      }
    }
    std::ofstream(dir_ + "/names.txt") << "# one a line\n\n" << list;
    directory_ = std::make_unique<DirectoryServer>(dir_ + "/ldap", entries);
    server_ = std::make_unique<FetchingServer>(
        dir_, absl::StrCat("crl_sources { http { url_list_file: \"", dir_,
                           "/names.txt\" url_template: \"", web_.url("{}"),
                           "\" } ", kOften, " }\ncrl_sources { ldap { url: \"",
                           directory_->url(),
                           "\" base_dn: \"o=lab\" scope: SCOPE_SUBTREE filter: "
                           "\"(objectClass=cRLDistributionPoint)\" } ",
                           kOften, " }\n"));
  }

  void StartAll() {
    web_.Start();
    directory_->Start();
    server_->Start();
    ASSERT_TRUE(AllInUse());
  }
  bool AllInUse() {
    size_t partitions = 0;
    return Soon([&] {
      partitions = static_cast<size_t>(server_->Status().partitions_size());
      return partitions == world_.plans().size();
    });
  }
  // The source reports `error`, and nothing else is any different.
  void ExpectRefused(const std::string& name, const std::string& error,
                     const std::set<std::string>& revoked) {
    SCOPED_TRACE(error);
    EXPECT_TRUE(Soon([&] {
      return server_->ErrorOf(name).find(error) != std::string::npos;
    })) << server_->ErrorOf(name);
    EXPECT_TRUE(server_->InUse(name));
    ExpectTruth(*server_, corpus_, revoked);
    // And nothing was wrong for a moment.
    const uint64_t rounds = watch_->rounds();
    EXPECT_TRUE(Soon([&] { return watch_->rounds() > rounds + 1; }));
  }

  const std::string dir_;
  const Corpus corpus_;
  const LabWorld world_;
  WebServer web_;
  std::unique_ptr<DirectoryServer> directory_;
  std::unique_ptr<FetchingServer> server_;
  std::unique_ptr<TruthWatch> watch_;
};

TEST_F(CrlSources, AWebServerThatPublishesFailsAndRecovers) {
  StartAll();
  ExpectTruth(*server_, corpus_);
  const auto target = world_.Find(corpus_, lab::CertificateKind::kSignature);
  ASSERT_NE(target.plan, nullptr);
  const std::string name = target.plan->file_name;
  watch_ = std::make_unique<TruthWatch>(*server_, corpus_, target.filing_ids);
  // A change is taken.
  watch_->Expect(TruthWatch::Either(target.filing_ids));
  const std::string changed =
      world_.Crl(*target.plan, {.ahead = 10, .revoke = {target.serial}});
  web_.Write(name, changed);
  const std::string filing = *target.filing_ids.begin();
  EXPECT_TRUE(Soon([&] { return IsRevoked(*server_, corpus_, filing); }));
  const std::set<std::string>& revoked = target.filing_ids;
  watch_->Expect(TruthWatch::Revoked(revoked));
  ExpectTruth(*server_, corpus_, revoked);

  const std::string wrong =
      world_.Crl(*target.plan, {.ahead = 20, .empty = true});
  web_.Remove(name);
  ExpectRefused(name, "404", revoked);
  web_.Write(name, world_.Crl(*target.plan, {.ahead = 9, .empty = true}));
  ExpectRefused(name, "cRLNumber", revoked);
  web_.Write(name, world_.Crl(*target.plan,
                              {.ahead = 20, .empty = true, .stranger = true}));
  ExpectRefused(name, "signatureValue", revoked);
  web_.Write(name, wrong.substr(0, wrong.size() / 2));
  ExpectRefused(name, "truncated", revoked);
  web_.Write(name, "<html><body>Sign in to continue</body></html>");
  ExpectRefused(name, "certificateList", revoked);
  web_.Behave("location = /" + name + " { return 500; }");
  ExpectRefused(name, "500", revoked);
  // An octet a second or so.
  web_.Write(name, wrong);
  web_.Behave("limit_rate 1;");
  ExpectRefused(name, "too slow", revoked);
  web_.Stop();
  ExpectRefused(name, "cannot connect", revoked);
  // And recovers, with the change undone: what is in force is what is
  // published.
  watch_->Expect(TruthWatch::Either(revoked));
  web_.Write(name, world_.Crl(*target.plan, {.ahead = 30}));
  web_.Start();
  EXPECT_TRUE(Soon([&] { return server_->ErrorOf(name).empty(); }));
  EXPECT_TRUE(Soon([&] { return !IsRevoked(*server_, corpus_, filing); }));
  watch_->Expect({});
  ExpectTruth(*server_, corpus_);
  watch_->Stop();

  // kill -9, and a start without any network.
  web_.Stop();
  directory_->Stop();
  server_->Kill();
  server_->Start();
  EXPECT_EQ(static_cast<size_t>(server_->Status().partitions_size()),
            world_.plans().size());
  ExpectTruth(*server_, corpus_);
}

TEST_F(CrlSources, ADirectoryThatPublishesFailsAndRecovers) {
  StartAll();
  ExpectTruth(*server_, corpus_);
  const auto target =
      world_.Find(corpus_, lab::CertificateKind::kAuthentication);
  ASSERT_NE(target.plan, nullptr);
  const std::string name = target.plan->file_name;
  watch_ = std::make_unique<TruthWatch>(*server_, corpus_, target.filing_ids);
  watch_->Expect(TruthWatch::Either(target.filing_ids));
  directory_->Replace(
      name, world_.Crl(*target.plan, {.ahead = 10, .revoke = {target.serial}}));
  const std::string filing = *target.filing_ids.begin();
  EXPECT_TRUE(Soon([&] { return IsRevoked(*server_, corpus_, filing); }));
  const std::set<std::string>& revoked = target.filing_ids;
  watch_->Expect(TruthWatch::Revoked(revoked));
  ExpectTruth(*server_, corpus_, revoked);

  directory_->Replace(
      name,
      world_.Crl(*target.plan, {.ahead = 20, .empty = true, .stranger = true}));
  ExpectRefused("cn=" + name, "signatureValue", revoked);
  directory_->Replace(name,
                      world_.Crl(*target.plan, {.ahead = 9, .empty = true}));
  ExpectRefused("cn=" + name, "cRLNumber", revoked);
  directory_->Delete(name);
  ExpectRefused("cn=" + name, "no longer", revoked);
  // It accepts connections and says nothing.
  directory_->Signal(SIGSTOP);
  EXPECT_TRUE(Soon([&] {
    return server_->ErrorOf("o=lab?").find("too slow") != std::string::npos ||
           server_->ErrorOf("o=lab?").find("Timed out") != std::string::npos;
  })) << server_->ErrorOf("o=lab?");
  ExpectTruth(*server_, corpus_, revoked);
  directory_->Stop();
  EXPECT_TRUE(Soon([&] {
    return server_->ErrorOf("o=lab?").find("contact") != std::string::npos;
  })) << server_->ErrorOf("o=lab?");
  ExpectTruth(*server_, corpus_, revoked);
  watch_->Expect(TruthWatch::Either(revoked));
  directory_->Start();
  directory_->Add(name, world_.Crl(*target.plan, {.ahead = 30}));
  EXPECT_TRUE(Soon([&] { return !IsRevoked(*server_, corpus_, filing); }));
  EXPECT_TRUE(Soon([&] { return server_->ErrorOf("cn=" + name).empty(); }));
  watch_->Expect({});
  ExpectTruth(*server_, corpus_);
  watch_->Stop();
  // An end in the middle of a fetch that hangs.
  directory_->Signal(SIGSTOP);
  absl::SleepFor(absl::Seconds(2));
  EXPECT_LT(server_->Terminate(), absl::Seconds(30));
}

TEST_F(CrlSources, WhateverAttributeHoldsThemCrlsAreTakenAndOthersNot) {
  std::ofstream(server_->config_file(), std::ios::app)
      << "crl_sources { ldap { url: \"" << directory_->url()
      << "\" base_dn: \"o=lab\" scope: SCOPE_SUBTREE filter: "
         "\"(objectClass=rawCrlHolder)\" attributes: \"rawCrl\" } "
      << kOften << " }\n";
  StartAll();
  const auto target =
      world_.Find(corpus_, lab::CertificateKind::kAuthentication);
  ASSERT_NE(target.plan, nullptr);
  const std::string name = target.plan->file_name;
  std::set<std::string> revoked = target.filing_ids;
  revoked.insert(target.other_filing_ids.begin(),
                 target.other_filing_ids.end());
  watch_ = std::make_unique<TruthWatch>(*server_, corpus_, revoked);
  watch_->Expect(TruthWatch::Either(revoked));
  directory_->Clear(name, "certificateRevocationList;binary");
  directory_->Set(
      name, "authorityRevocationList;binary",
      world_.Crl(*target.plan, {.ahead = 10, .revoke = {target.serial}}));
  EXPECT_TRUE(Soon([&] {
    return IsRevoked(*server_, corpus_, *target.filing_ids.begin());
  }));
  EXPECT_TRUE(server_->InUse("?authorityRevocationList"));
  ExpectTruth(*server_, corpus_, target.filing_ids);
  // A delta beside it, which lists another one.
  directory_->Set(name, "deltaRevocationList;binary",
                  world_.Crl(*target.plan, {.ahead = 11,
                                            .revoke = {target.other_serial},
                                            .empty = true,
                                            .delta_of = 10}));
  EXPECT_TRUE(Soon([&] {
    return IsRevoked(*server_, corpus_, *target.other_filing_ids.begin());
  }));
  EXPECT_TRUE(server_->InUse("?deltaRevocationList"));
  watch_->Expect(TruthWatch::Revoked(revoked));
  ExpectTruth(*server_, corpus_, revoked);

  // slapd checks the syntax of those attributes, and lets anything into this
  // one.
  const std::string newest =
      world_.Crl(*target.plan,
                 {.ahead = 20, .revoke = {target.serial, target.other_serial}});
  const std::string wrong =
      world_.Crl(*target.plan, {.ahead = 30, .empty = true});
  directory_->AddRaw("raw", newest);
  EXPECT_TRUE(Soon([&] { return server_->InUse("cn=raw"); }));
  ExpectTruth(*server_, corpus_, revoked);
  directory_->Set("raw", "rawCrl", wrong.substr(0, wrong.size() / 2));
  ExpectRefused("cn=raw", "truncated", revoked);
  std::string garbage = wrong;
  for (size_t i = 0; i < garbage.size(); i += 7) garbage[i] = '\x5a';
  directory_->Set("raw", "rawCrl", garbage);
  ExpectRefused("cn=raw", "certificateList", revoked);
  directory_->Set("raw", "rawCrl", newest);
  EXPECT_TRUE(Soon([&] { return server_->ErrorOf("cn=raw").empty(); }));
  ExpectTruth(*server_, corpus_, revoked);
  watch_->Stop();
}

// The same places over TLS: with a CA that the operator trusts they serve, with
// another one nothing is believed.
class CrlSourcesOverTls : public ::testing::Test {
 protected:
  CrlSourcesOverTls()
      : dir_(FreshWorkDir()),
        corpus_(ReadCorpus(SharedLab())),
        ca_("Publisher CA"),
        stranger_("Stranger CA") {
    const testing::PemPair pair = ca_.Issue("127.0.0.1");
    const PeerTls tls = {Put("server.pem", pair.certificate),
                         Put("server.key", pair.key), Put("ca.pem", ca_.pem())};
    Put("stranger.pem", stranger_.pem());
    web_ = std::make_unique<WebServer>(dir_ + "/web", tls);
    std::map<std::string, std::string> entries;
    for (const auto& file : fs::directory_iterator(SharedLab() + "/crls")) {
      const std::string name = file.path().filename();
      const std::string der = ReadFile(file.path());
      ++crls_;
      // Halves of the lab.
      if (name.find("sign") != std::string::npos) {
        web_->Write(name, der);
        absl::StrAppend(&urls_, "urls: \"", web_->url(name), "\" ");
      } else {
        entries[name] = der;
      }
    }
    EXPECT_FALSE(urls_.empty());
    EXPECT_FALSE(entries.empty());
    directory_ =
        std::make_unique<DirectoryServer>(dir_ + "/ldap", entries, tls);
  }

  std::string Put(const std::string& name, const std::string& contents) const {
    std::ofstream(dir_ + "/" + name) << contents;
    return dir_ + "/" + name;
  }
  // The configuration's sources, with this CA file.
  std::string Sources(const std::string& directory_url, bool start_tls,
                      const std::string& ca_file) const {
    const std::string ca =
        absl::StrCat(" ca_file: \"", dir_, "/", ca_file, "\" ");
    return absl::StrCat("crl_sources { http { ", urls_, ca, "} ", kOften,
                        " }\ncrl_sources { ldap { url: \"", directory_url,
                        "\" base_dn: \"o=lab\" scope: SCOPE_SUBTREE filter: "
                        "\"(objectClass=cRLDistributionPoint)\" ",
                        start_tls ? "start_tls: true " : "", ca, "} ", kOften,
                        " }\n");
  }
  void ExpectAllServed(const std::string& name, const std::string& sources) {
    SCOPED_TRACE(name);
    fs::create_directories(dir_ + "/" + name);
    FetchingServer server(dir_ + "/" + name, sources);
    server.Start();
    EXPECT_TRUE(Soon([&] {
      return static_cast<size_t>(server.Status().partitions_size()) == crls_;
    })) << server.Status().DebugString();
    ExpectTruth(server, corpus_);
    EXPECT_LT(server.Terminate(), absl::Seconds(30));
  }

  const std::string dir_;
  const Corpus corpus_;
  const testing::TestCa ca_;
  const testing::TestCa stranger_;
  size_t crls_ = 0;
  std::string urls_;
  std::unique_ptr<WebServer> web_;
  std::unique_ptr<DirectoryServer> directory_;
};

TEST_F(CrlSourcesOverTls, ServeWithTheCaThatIsTrustedAndNotWithAnother) {
  web_->Start();
  directory_->Start();
  ExpectAllServed("ldaps", Sources(directory_->ldaps_url(), false, "ca.pem"));
  ExpectAllServed("starttls", Sources(directory_->url(), true, "ca.pem"));

  for (const bool start_tls : {false, true}) {
    SCOPED_TRACE(start_tls);
    const std::string dir = absl::StrCat(dir_, "/stranger", start_tls);
    fs::create_directories(dir);
    FetchingServer server(
        dir, Sources(start_tls ? directory_->url() : directory_->ldaps_url(),
                     start_tls, "stranger.pem"));
    server.Start();
    const auto complains = [&](const std::string& place,
                               const std::string& remedy) {
      return Soon(
          [&] { return absl::StrContains(server.ErrorOf(place), remedy); });
    };
    EXPECT_TRUE(complains(".crl", "http.ca_file")) << server.ErrorOf(".crl");
    EXPECT_TRUE(complains("o=lab?", "ldap.ca_file"))
        << server.ErrorOf("o=lab?");
    EXPECT_EQ(server.Status().partitions_size(), 0);
    EXPECT_LT(server.Terminate(), absl::Seconds(30));
  }
}

HealthCheckResponse::ServingStatus Health(const FetchingServer& server,
                                          const std::string& service) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(60)));
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  HealthCheckResponse response;
  const grpc::Status status =
      grpc::health::v1::Health::NewStub(server.channel())
          ->Check(&context, request, &response);
  return status.ok() ? response.status() : HealthCheckResponse::SERVICE_UNKNOWN;
}

TEST(CrlFreshness, HealthTurnsBeforeACrlEndsAndBackWithTheNext) {
  const std::string dir = FreshWorkDir();
  WebServer web(dir + "/web");
  web.Start();
  FetchingServer server(
      dir, absl::StrCat("crl_sources { http { urls: \"", web.url("ca.crl"),
                        "\" } ", kOften, " }"));
  const lab::Name ca = {{"CN", "Fresh CA"}};
  const lab::PrivateKey key = lab::PrivateKey::RsaFromSeed("fresh");
  std::ofstream(dir + "/lab/ca.cer", std::ios::binary)
      << lab::SelfSignedCa(ca, key);
  // No profile but this one, so that the whole follows it.
  std::ofstream(server.config_file())
      << "listener { address: \"127.0.0.1:0\" plaintext: \"I understand that "
         "filings travel unencrypted\" }\nstate_directory: \"state\"\n"
         "profiles { name: \"fresh\" anchor_files: \"ca.cer\" freshness { "
         "margin { seconds: 10 } } }\n"
      << absl::StrCat("crl_sources { http { urls: \"", web.url("ca.crl"),
                      "\" } ", kOften, " }\n");
  server.Start();
  const std::string profile = "inkan.v1.VerificationService/fresh";
  const auto are_all = [&](HealthCheckResponse::ServingStatus status) {
    return Health(server, profile) == status && Health(server, "") == status &&
           Health(server, "inkan.v1.VerificationService") == status;
  };
  EXPECT_TRUE(are_all(HealthCheckResponse::NOT_SERVING));
  EXPECT_EQ(Health(server, "inkan.v1.OperationsService"),
            HealthCheckResponse::SERVING);
  EXPECT_EQ(Health(server, "inkan.v1.VerificationService/other"),
            HealthCheckResponse::SERVICE_UNKNOWN);
  uint64_t number = 0;
  const auto publish = [&](absl::Duration life) {
    const int64_t now = absl::ToUnixSeconds(absl::Now());
    web.Write("ca.crl", lab::CrlBuilder()
                            .issuer(ca)
                            .this_update(now)
                            .next_update(now + absl::ToInt64Seconds(life))
                            .issued_by(key)
                            .add(lab::extension::CrlNumber(++number))
                            .Sign(key));
  };
  // A machine may be so slow that a CRL is fetched when it is stale already.
  bool served = false;
  for (const int life : {25, 50, 100}) {
    publish(absl::Seconds(life));
    const absl::Time patience = absl::Now() + absl::Seconds(life);
    while (!served && absl::Now() < patience) {
      served = are_all(HealthCheckResponse::SERVING);
      absl::SleepFor(absl::Milliseconds(50));
    }
    if (served) break;
  }
  EXPECT_TRUE(served);
  // By time alone.
  EXPECT_TRUE(Soon([&] { return are_all(HealthCheckResponse::NOT_SERVING); }));
  const v1::GetStatusResponse status = server.Status();
  ASSERT_EQ(status.profiles_size(), 1);
  EXPECT_FALSE(status.profiles(0).ready());
  EXPECT_THAT(status.profiles(0).not_ready_reason(), HasSubstr("Fresh CA"));
  EXPECT_FALSE(status.serving());
  publish(absl::Hours(24));
  EXPECT_TRUE(Soon([&] { return are_all(HealthCheckResponse::SERVING); }));
  EXPECT_LT(server.Terminate(), absl::Seconds(30));
}

}  // namespace
}  // namespace inkan
