// The audit log on a disk that is full, under load: filings are refused, or
// lines dropped and counted, as configured; and it goes on by itself when there
// is room again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/e2e/fault_support.h"
#include "tests/e2e/small_disk.h"
#include "tests/support/conformance.h"

namespace inkan {
namespace {

namespace fs = std::filesystem;

std::string ConfigWith(const std::string& audit_file, const char* on_failure) {
  return absl::StrCat("ops_http { address: \"127.0.0.1:0\" }\n",
                      "audit_log { file: \"", audit_file,
                      "\" on_failure: ", on_failure, " }\n");
}

bool Serves(const FaultServer& server) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
  grpc::health::v1::HealthCheckResponse response;
  const grpc::Status status =
      grpc::health::v1::Health::NewStub(server.channel())
          ->Check(&context, grpc::health::v1::HealthCheckRequest(), &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.status() == grpc::health::v1::HealthCheckResponse::SERVING;
}

// Every line is whole.
uint64_t CountLines(const std::string& file) {
  std::ifstream in(file);
  uint64_t lines = 0;
  for (std::string line; std::getline(in, line); ++lines) {
    const auto parsed = nlohmann::json::parse(line, nullptr, false);
    if (parsed.is_discarded()) {
      ADD_FAILURE() << "no JSON: " << line;
      break;
    }
  }
  return lines;
}

TEST(FaultDisk, AFullDiskRefusesFilingsUntilThereIsRoomAgain) {
  const std::string dir = FreshWorkDir();
  const SmallDisk disk(dir + "/audit");
  const std::string file = dir + "/audit/audit.log";
  FaultServer server(dir, ConfigWith(file, "AUDIT_FAILURE_REFUSE"));
  BackgroundLoad load(server, {});
  load.AwaitAnswers(500);
  disk.Fill(server.process().pid(), fs::file_size(file));
  EXPECT_TRUE(Await([&] { return !Serves(server); }))
      << server.process().Output();
  // Small batches may still find a gap.
  EXPECT_TRUE(Await([&] { return server.metric("inkan_audit_failing") == 1; }));
  const uint64_t refused = load.refused();
  EXPECT_TRUE(Await([&] { return load.refused() >= refused + 100; }));
  // Health says so, so clients may stay away; nobody has to write for the
  // server to find that there is room.
  disk.MakeRoom(server.process().pid());
  EXPECT_TRUE(Await([&] { return Serves(server); }))
      << server.process().Output();
  load.AwaitAnswers(500);
  const load::Report report = load.Stop();
  ExpectNoWrongVerdict(report);
  ExpectNothingLost(report);
  EXPECT_GE(report.results.refused, 100U);
  // A line for each verdict that was given; and for some of a call whose other
  // filings were refused, if another worker had judged and written down those.
  const uint64_t lines = CountLines(file);
  EXPECT_GE(lines, report.results.answered);
  EXPECT_LT(lines, report.results.answered + report.results.refused);
  EXPECT_EQ(server.metric("inkan_audit_dropped_lines_total"), 0);
  ExpectUnharmed(server);
}

TEST(FaultDisk, AFullDiskDropsLinesAndCountsThemIfSoConfigured) {
  const std::string dir = FreshWorkDir();
  const SmallDisk disk(dir + "/audit");
  const std::string file = dir + "/audit/audit.log";
  FaultServer server(dir, ConfigWith(file, "AUDIT_FAILURE_DROP"));
  BackgroundLoad load(server, {});
  load.AwaitAnswers(500);
  disk.Fill(server.process().pid(), fs::file_size(file));
  EXPECT_TRUE(Await([&] {
    return server.metric("inkan_audit_failing") == 1 &&
           server.metric("inkan_audit_dropped_lines_total") > 0;
  })) << server.process().Output();
  load.AwaitAnswers(500);
  EXPECT_TRUE(Serves(server));
  disk.MakeRoom(server.process().pid());
  EXPECT_TRUE(Await([&] { return server.metric("inkan_audit_failing") == 0; }))
      << server.process().Output();
  const double lines = server.metric("inkan_audit_lines_total");
  load.AwaitAnswers(500);
  EXPECT_TRUE(
      Await([&] { return server.metric("inkan_audit_lines_total") > lines; }));
  const load::Report report = load.Stop();
  ExpectNoWrongVerdict(report);
  ExpectNothingLost(report);
  EXPECT_EQ(report.results.refused, 0U);
  // Every verdict has a line, or is counted as without one.
  const auto accounted = [&] {
    return CountLines(file) + static_cast<uint64_t>(server.metric(
                                  "inkan_audit_dropped_lines_total"));
  };
  EXPECT_TRUE(Await([&] { return accounted() == report.results.answered; }))
      << accounted() << " of " << report.results.answered;
  ExpectUnharmed(server);
}

}  // namespace
}  // namespace inkan
