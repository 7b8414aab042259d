// What changes while filings are judged: CRLs, configuration.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/e2e/fault_support.h"
#include "tests/support/conformance.h"

namespace inkan {
namespace {

namespace fs = std::filesystem;

v1::GetStatusResponse StatusOf(const FaultServer& server) {
  const auto stub = v1::OperationsService::NewStub(server.channel());
  v1::GetStatusResponse response;
  grpc::Status status;
  // Long answers are few at a time: under load, whoever asks again and again
  // may be told to wait until gRPC has let go of those before.
  EXPECT_TRUE(Await([&] {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    status = stub->GetStatus(&context, {}, &response);
    return status.error_code() != grpc::StatusCode::UNAVAILABLE;
  }));
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response;
}

// The CRLs in force: profile, issuer and scope to the digest of the CRL.
std::map<std::string, std::string> CrlsOf(const FaultServer& server) {
  std::map<std::string, std::string> crls;
  const v1::GetStatusResponse status = StatusOf(server);
  for (const auto& crl : status.partitions()) {
    crls[absl::StrCat(crl.profile(), "|", crl.issuer(), "|", crl.scope())] =
        crl.crl_sha256();
  }
  return crls;
}

// The CRLs that the shared lab's CAs publish so many days later. Keys and lives
// are decided by the seed; revocations made for single filings of the corpus
// are not among those of another day, so that kinds on_hold and revoked_before
// change.
const std::vector<std::string> kChangedKinds = {"on_hold", "revoked_before"};

std::string CrlsOfDay(const std::string& work_dir, int days_later) {
  const std::string lab = absl::StrCat(work_dir, "/day", days_later);
  const CommandResult made = RunCommand(
      {Binary("inkan-lab"), "init", "--out", lab, "--citizens", "200",
       "--municipalities", "12", "--filings", "64", "--seed", "7", "--now",
       absl::StrCat("2026-03-", 15 + days_later, "T12:00:00+09:00"),
       "--quiet"});
  EXPECT_EQ(made.exit_code, 0) << made.output;
  return lab + "/crls";
}

// Puts a file in the place of another in one step, as publishers should.
void Publish(const std::string& bytes, const std::string& path) {
  const fs::path target(path);
  const fs::path hidden =
      target.parent_path() / ("." + target.filename().string());
  std::ofstream(hidden, std::ios::binary) << bytes;
  fs::rename(hidden, target);
}

void PublishAll(const std::string& from, const std::string& to) {
  for (const std::string& file : ListFiles(from)) {
    Publish(ReadFile(file), to + "/" + fs::path(file).filename().string());
  }
}

TEST(FaultReload, NewCrlsComeIntoForceUnderLoadAndOldOrTornOnesDoNot) {
  const std::string dir = FreshWorkDir();
  FaultServer server(dir, "limits { queue_filings_max: 65536 }");
  const std::string crls = server.lab() + "/crls";
  BackgroundLoad load(server, {.without_kinds = kChangedKinds});
  load.AwaitAnswers(500);
  const std::string first_day = SharedLab() + "/crls";
  for (int day = 1; day <= 2 * FaultScale() && day <= 9; ++day) {
    const auto before = CrlsOf(server);
    PublishAll(CrlsOfDay(dir, day), crls);
    // Every CRL is another one than before.
    EXPECT_TRUE(Await([&] {
      const auto now = CrlsOf(server);
      return now.size() == before.size() &&
             std::all_of(now.begin(), now.end(), [&](const auto& crl) {
               const auto old = before.find(crl.first);
               return old != before.end() && old->second != crl.second;
             });
    })) << server.process().Output();
    load.AwaitAnswers(500);
  }
  // Last week's CRLs again, and halves of CRLs: refused, the newest stay.
  const auto newest = CrlsOf(server);
  PublishAll(first_day, crls);
  const size_t files = ListFiles(crls).size();
  EXPECT_TRUE(Await([&] {
    return static_cast<size_t>(StatusOf(server).source_errors_size()) >= files;
  }));
  EXPECT_EQ(CrlsOf(server), newest);
  for (const std::string& file : ListFiles(crls)) {
    const std::string bytes = ReadFile(file);
    Publish(bytes.substr(0, bytes.size() / 2), file);
  }
  EXPECT_TRUE(Await([&] {
    const v1::GetStatusResponse status = StatusOf(server);
    size_t torn = 0;
    for (const auto& error : status.source_errors()) {
      torn += error.error().find("cRLNumber") == std::string::npos ? 1 : 0;
    }
    return torn >= files;
  }));
  EXPECT_EQ(CrlsOf(server), newest);
  load.AwaitAnswers(500);
  const load::Report report = load.Stop();
  ExpectNoWrongVerdict(report);
  ExpectNothingLost(report);
  EXPECT_EQ(report.results.refused, 0U);
  ExpectUnharmed(server, kChangedKinds);
}

TEST(FaultReload, ConfigurationsComeAndGoUnderLoadAndBrokenOnesDoNothing) {
  FaultServer server(FreshWorkDir());
  const std::string config = ReadFile(server.config());
  BackgroundLoad load(server, {});
  load.AwaitAnswers(500);
  for (int round = 1; round <= 4 * FaultScale(); ++round) {
    const std::string name = absl::StrCat("round-", round);
    Publish(config + "\nprofiles { name: \"" + name +
                "\" anchor_files: \"anchors/authca03.cer\" }\n",
            server.config());
    server.process().Signal(SIGHUP);
    const auto has_profile = [&](const std::string& wanted) {
      const v1::GetStatusResponse status = StatusOf(server);
      return std::any_of(
          status.profiles().begin(), status.profiles().end(),
          [&](const auto& profile) { return profile.name() == wanted; });
    };
    EXPECT_TRUE(Await([&] { return has_profile(name); }))
        << server.process().Output();
    // One that cannot be: the old one stays in force, whole.
    Publish(round % 2 == 0 ? "profiles {" : config + "\nno_such_field: 1\n",
            server.config());
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    v1::ReloadResponse response;
    EXPECT_FALSE(v1::OperationsService::NewStub(server.channel())
                     ->Reload(&context, {}, &response)
                     .ok());
    EXPECT_TRUE(has_profile(name));
    load.AwaitAnswers(200);
  }
  const load::Report report = load.Stop();
  ExpectNoWrongVerdict(report);
  ExpectNothingLost(report);
  EXPECT_EQ(report.results.refused, 0U);
  ExpectUnharmed(server);
}

}  // namespace
}  // namespace inkan
