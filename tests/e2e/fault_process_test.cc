// Faults of the process and of the machine it runs on: termination, sudden
// death, overload, clock steps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/load/report.h"
#include "tests/e2e/fault_support.h"

namespace inkan {
namespace {

std::set<std::string> CodesOf(const load::Report& report) {
  std::set<std::string> codes;
  for (const auto& [code, count] : report.results.errors_by_code) {
    codes.insert(code);
  }
  return codes;
}

// Every filing is answered or says in words that it was not; the next server at
// the same address takes over.
TEST(FaultProcess, TerminationUnderLoadEndsInOrderAndLosesNoVerdict) {
  FaultServer server(FreshWorkDir());
  const LoadShape shape;
  BackgroundLoad load(server, shape);
  load.AwaitAnswers(2'000);
  server.process().Signal(SIGTERM);
  EXPECT_EQ(server.process().Wait(kPatience), 0) << server.process().Output();
  server.Start();
  load.AwaitAnswers(2'000);
  const load::Report report = load.Stop();
  ExpectNoWrongVerdict(report);
  EXPECT_EQ(
      report.results.answered + report.results.refused + report.results.lost,
      report.issued);
  // Not even what is on the way as the server closes its connections is lost:
  // it is UNAVAILABLE, which every client knows to be worth another try.
  ExpectNothingLost(report);
  ExpectUnharmed(server);
}

// Calls on the way fail, and no half of an answer passes for a whole one.
TEST(FaultProcess, ASuddenDeathUnderLoadLeavesNoWrongVerdictBehind) {
  FaultServer server(FreshWorkDir());
  BackgroundLoad load(server, {});
  for (int death = 0; death < 2 * FaultScale(); ++death) {
    load.AwaitAnswers(2'000);
    server.Kill();
    server.Start();
  }
  load.AwaitAnswers(2'000);
  const load::Report report = load.Stop();
  ExpectNoWrongVerdict(report);
  EXPECT_GT(report.results.refused, 0U);
  ExpectNothingLost(report);
  ExpectUnharmed(server);
}

// One overload: the most the server does, then three times as much.
load::Campaign ThreeTimesTheCapacity(const FaultServer& server) {
  load::Plan plan;
  plan.purpose = load::Purpose::kOverload;
  plan.load.target = server.target();
  plan.load.mix = load::OnlyMode(load::Mode::kBatch);
  plan.load.batch_size = 200;
  plan.load.connections = 4;
  plan.load.duration = load::Seconds(2.0 * FaultScale());
  plan.load.warm_up = load::Seconds(0.5);
  plan.load.timeout = load::Seconds(absl::ToDoubleSeconds(kPatience));
  plan.overload = 3;
  const load::Corpus corpus = LoadCorpus();
  absl::StatusOr<load::Campaign> campaign =
      load::RunCampaign(plan, corpus, load::Watch());
  EXPECT_TRUE(campaign.ok()) << campaign.status();
  return campaign.ok() ? *std::move(campaign) : load::Campaign();
}

// The server says no at once to what it cannot do, and does the rest right, and
// soon.
TEST(FaultProcess,
     ThreeTimesTheCapacityIsRefusedInPartAndNeverAnsweredWrongly) {
  FaultServer server(FreshWorkDir(), "limits { queue_filings_max: 1000 }");
  // How much is left is measured by bench/goals.sh on a quiet machine. Here
  // client and server fight for the same cores with other tests, so the floor
  // is low, the bound high, and the best of a few runs counts. A server that
  // collapses meets neither in any.
  constexpr double kGoodputFloor = 0.4;
  // Thirty times limits.queue_wait_milliseconds_max. Without a bound on the
  // queue two seconds at three times the capacity leave four seconds of work
  // behind.
  constexpr double kP99MaxMs = 3'000;
  constexpr int kRuns = 4;
  double goodput = 0;
  double p99_ms = 0;
  for (int run = 0; run < kRuns; ++run) {
    const load::Campaign campaign = ThreeTimesTheCapacity(server);
    ASSERT_EQ(campaign.steps.size(), 2U);
    for (const load::Step& step : campaign.steps) {
      ExpectNoWrongVerdict(step.report);
      ExpectNothingLost(step.report);
    }
    const load::Results& overloaded = campaign.steps[1].report.results;
    EXPECT_GT(overloaded.refused, 0U);
    goodput = campaign.goodput_share;
    p99_ms = load::Milliseconds(overloaded.latency_ns.Quantile(0.99));
    if (goodput >= kGoodputFloor && p99_ms <= kP99MaxMs) break;
  }
  EXPECT_GE(goodput, kGoodputFloor);
  EXPECT_LE(p99_ms, kP99MaxMs);
  ExpectUnharmed(server);
}

// The server's wall clock, moved by tests/e2e/clock_step.cc.
class SteppedClock {
 public:
  explicit SteppedClock(const std::string& dir) : file_(dir + "/clock") {
    Set(absl::ZeroDuration());
  }
  std::vector<std::string> environment() const {
    return {absl::StrCat("LD_PRELOAD=", INKAN_CLOCK_STEP_LIBRARY),
            absl::StrCat("INKAN_CLOCK_STEP_FILE=", file_)};
  }
  void Set(absl::Duration offset) const {
    const int64_t seconds = absl::ToInt64Seconds(offset);
    std::fstream out(file_, std::ios::binary | std::ios::in | std::ios::out);
    if (!out) out.open(file_, std::ios::binary | std::ios::out);
    out.write(reinterpret_cast<const char*>(&seconds), sizeof(seconds));
  }

 private:
  std::string file_;
};

// Deadlines are kept by the clock that nobody sets, so no step makes a call
// late that waits in the queue.
TEST(FaultProcess, StepsOfTheClockChangeNoVerdictAndEndNoCall) {
  const std::string dir = FreshWorkDir();
  const SteppedClock clock(dir);
  FaultServer server(dir, "", clock.environment());
  BackgroundLoad load(server, {});
  load.AwaitAnswers(1'000);
  for (const absl::Duration step :
       {absl::Hours(1), absl::Hours(-2), absl::Hours(24 * 400),
        absl::Hours(-24 * 400), absl::Seconds(3), absl::ZeroDuration()}) {
    clock.Set(step);
    load.AwaitAnswers(500);
  }
  const load::Report report = load.Stop();
  ExpectNoWrongVerdict(report);
  EXPECT_EQ(report.results.answered, report.issued);
  EXPECT_THAT(CodesOf(report), ::testing::IsEmpty());
  ExpectUnharmed(server);
}

// A filing without a time is judged at the server's present, whatever that is.
TEST(FaultProcess, AFilingWithoutATimeIsJudgedByTheClockAsItIsNow) {
  const std::string dir = FreshWorkDir();
  const SteppedClock clock(dir);
  FaultServer server(dir, "", clock.environment());
  const auto stub = v1::VerificationService::NewStub(server.channel());
  v1::VerifyRequest request;
  for (const auto& entry : ReadCorpus(SharedLab())) {
    if (entry.truth().kind() == "good")
      *request.mutable_filing() = entry.filing();
  }
  const absl::Time filed =
      absl::FromUnixSeconds(request.filing().verification_time().seconds());
  request.mutable_filing()->clear_verification_time();
  // absl::Now counts on from its last look at the system's clock, which may be
  // seconds ago: until it looks again, calls are judged by the clock as it was.
  // Hence the polling.
  const auto comes_to = [&](absl::Time now, v1::SubIndication expected) {
    clock.Set(now - absl::Now());
    return Await([&] {
      grpc::ClientContext context;
      context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
      v1::VerifyResponse response;
      const grpc::Status status = stub->Verify(&context, request, &response);
      const v1::Verdict& verdict = response.verdict();
      return status.ok() && verdict.sub_indication() == expected &&
             (verdict.indication() == v1::INDICATION_TOTAL_PASSED) ==
                 (expected == v1::SUB_INDICATION_UNSPECIFIED);
    });
  };
  const absl::Duration kTwelveYears = absl::Hours(24 * 365 * 12);
  EXPECT_TRUE(comes_to(filed, v1::SUB_INDICATION_UNSPECIFIED));
  EXPECT_TRUE(comes_to(filed + kTwelveYears, v1::SUB_INDICATION_EXPIRED));
  EXPECT_TRUE(comes_to(filed - kTwelveYears, v1::SUB_INDICATION_NOT_YET_VALID));
  EXPECT_TRUE(comes_to(filed, v1::SUB_INDICATION_UNSPECIFIED));
}

}  // namespace
}  // namespace inkan
