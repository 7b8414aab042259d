// The load generator against small servers that misbehave in one way each.
#include <grpcpp/grpcpp.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <climits>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/load/campaign.h"
#include "bench/load/html_report.h"
#include "bench/load/report.h"
#include "bench/load/runner.h"
#include "bench/load/shares.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "inkan/v1/verification.grpc.pb.h"

namespace inkan::load {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

Corpus SmallCorpus() {
  std::vector<lab::v1::CorpusEntry> entries(100);
  for (size_t i = 0; i < entries.size(); ++i) {
    entries[i].mutable_filing()->set_filing_id("filing-" + std::to_string(i));
    const bool good = i % 5 != 0;
    lab::v1::Truth* truth = entries[i].mutable_truth();
    truth->set_kind(good ? "good" : "expired");
    truth->set_indication(good ? v1::INDICATION_TOTAL_PASSED
                               : v1::INDICATION_TOTAL_FAILED);
    truth->set_sub_indication(good ? v1::SUB_INDICATION_UNSPECIFIED
                                   : v1::SUB_INDICATION_EXPIRED);
  }
  return MakeCorpus(std::move(entries));
}

// Knows the truth; `before` may delay, refuse or spoil a message.
class FakeService : public v1::VerificationService::Service {
 public:
  using Spoil = std::function<grpc::Status(int message, v1::Verdict* first)>;

  explicit FakeService(const Corpus& corpus) {
    for (const lab::v1::CorpusEntry& entry : corpus.entries) {
      truth_[entry.filing().filing_id()] = entry.truth();
    }
  }

  // Called with the number of the message and its first verdict.
  Spoil spoil = [](int, v1::Verdict*) { return grpc::Status::OK; };
  // Verdicts of a message are turned around.
  bool reverse = false;
  // A message gets one verdict more than it has filings.
  bool surplus = false;

  grpc::Status Verify(grpc::ServerContext*, const v1::VerifyRequest* request,
                      v1::VerifyResponse* response) override {
    Judge(request->filing(), response->mutable_verdict());
    return spoil(messages_++, response->mutable_verdict());
  }

  grpc::Status BatchVerify(grpc::ServerContext*,
                           const v1::BatchVerifyRequest* request,
                           v1::BatchVerifyResponse* response) override {
    return JudgeAll(*request, response);
  }

  grpc::Status StreamVerify(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<v1::StreamVerifyResponse,
                               v1::StreamVerifyRequest>* stream) override {
    v1::StreamVerifyRequest request;
    while (stream->Read(&request)) {
      v1::StreamVerifyResponse response;
      response.set_sequence(request.sequence());
      const grpc::Status status = JudgeAll(request, &response);
      if (!status.ok()) return status;
      stream->Write(response);
    }
    return grpc::Status::OK;
  }

 private:
  void Judge(const v1::Filing& filing, v1::Verdict* verdict) {
    const lab::v1::Truth& truth = truth_[filing.filing_id()];
    verdict->set_filing_id(filing.filing_id());
    verdict->set_indication(truth.indication());
    verdict->set_sub_indication(truth.sub_indication());
  }

  template <typename Request, typename Response>
  grpc::Status JudgeAll(const Request& request, Response* response) {
    const int n = request.filings_size();
    for (int i = 0; i < n; ++i) {
      Judge(request.filings(reverse ? n - 1 - i : i), response->add_verdicts());
    }
    if (surplus) Judge(request.filings(0), response->add_verdicts());
    return spoil(messages_++, response->mutable_verdicts(0));
  }

  std::map<std::string, lab::v1::Truth> truth_;
  std::atomic<int> messages_ = 0;
};

struct Way {
  Mode mode;
  bool busy_poll;
};

std::string Name(const Way& way) {
  return std::string(ModeName(way.mode)) + (way.busy_poll ? "_busy" : "");
}
void PrintTo(const Way& way, std::ostream* out) { *out << Name(way); }

class LoadRun : public ::testing::TestWithParam<Way> {
 protected:
  LoadRun() : corpus_(SmallCorpus()), service_(corpus_) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    options_.target = "127.0.0.1:" + std::to_string(port);
    options_.mix = OnlyMode(mode());
    options_.batch_size = mode() == Mode::kUnary ? 1 : 8;
    options_.busy_poll = GetParam().busy_poll;
    options_.timeout = std::chrono::seconds(5);
    options_.connections = 2;
    options_.count = 1'000;
  }
  ~LoadRun() override { server_->Shutdown(std::chrono::system_clock::now()); }

  static Mode mode() { return GetParam().mode; }

  Report Run() {
    absl::StatusOr<Report> report =
        RunLoad(options_, corpus_, [](const ProgressReport&) {});
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : Report();
  }

  const Corpus corpus_;
  FakeService service_;
  std::unique_ptr<grpc::Server> server_;
  LoadOptions options_;
};

INSTANTIATE_TEST_SUITE_P(Modes, LoadRun,
                         ::testing::Values(Way{Mode::kUnary, false},
                                           Way{Mode::kUnary, true},
                                           Way{Mode::kBatch, false},
                                           Way{Mode::kBatch, true},
                                           Way{Mode::kStream, false}),
                         [](const auto& info) { return Name(info.param); });

TEST_P(LoadRun, EveryFilingIsAnsweredOnceAndNoneIsWrong) {
  options_.batch_size = 8;  // unary messages hold one all the same
  const Report report = Run();
  EXPECT_EQ(report.issued, 1'000U);
  EXPECT_EQ(report.results.answered, 1'000U);
  EXPECT_EQ(report.results.mismatches, 0U);
  EXPECT_EQ(report.results.lost, 0U);
  EXPECT_EQ(report.results.latency_ns.count(), 1'000U);
  EXPECT_EQ(ExitCode(report), 0);
  Campaign campaign;
  campaign.steps.push_back({options_, report, ""});
  EXPECT_THAT(TextReport(campaign, corpus_), HasSubstr("TOTAL_FAILED/EXPIRED"));
  EXPECT_THAT(
      JsonReport(campaign, corpus_),
      AllOf(HasSubstr("\"filings_answered\": 1000"),
            HasSubstr("\"filings_answered_measured\": 1000"),
            // In no certain order, so the last has no comma.
            ContainsRegex(mode() == Mode::kUnary ? "\"batch_size\": 1[,\n]"
                                                 : "\"batch_size\": 8[,\n]")));
}

TEST_P(LoadRun, AWrongVerdictIsAMismatchAndFailsTheRun) {
  service_.spoil = [](int message, v1::Verdict* verdict) {
    if (message == 3) {
      verdict->set_sub_indication(v1::SUB_INDICATION_REVOKED);
    }
    return grpc::Status::OK;
  };
  const Report report = Run();
  EXPECT_EQ(report.results.mismatches, 1U);
  EXPECT_EQ(ExitCode(report), 1);
  EXPECT_FALSE(report.results.examples.empty());
}

TEST_P(LoadRun, VerdictsInAnotherOrderAreMismatches) {
  service_.reverse = true;
  const Report report = Run();
  if (mode() == Mode::kUnary) {
    EXPECT_EQ(report.results.mismatches, 0U);  // one has no order
  } else {
    EXPECT_GT(report.results.mismatches, 900U);
  }
}

TEST_P(LoadRun, ARefusedMessageIsNeitherLostNorWrong) {
  service_.spoil = [](int message, v1::Verdict*) {
    return message == 5 ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "busy")
                        : grpc::Status::OK;
  };
  const Report report = Run();
  EXPECT_GT(report.results.refused, 0U);
  EXPECT_EQ(report.results.lost, 0U);
  EXPECT_EQ(report.results.answered + report.results.refused, 1'000U);
  EXPECT_EQ(report.results.errors_by_code.count("UNAVAILABLE"), 1U);
  EXPECT_EQ(ExitCode(report), 2);
}

// An overload must not hide which filing got a wrong verdict.
TEST_P(LoadRun, RefusalsDoNotCrowdOutAWrongVerdict) {
  options_.connections = 1;
  options_.in_flight = 1;  // so that messages come in order
  service_.spoil = [](int message, v1::Verdict* verdict) {
    if (message < 12) {  // more than the examples that are kept
      return grpc::Status(grpc::StatusCode::UNAVAILABLE, "busy");
    }
    if (message == 40) verdict->set_filing_id("swapped");
    return grpc::Status::OK;
  };
  const Report report = Run();
  EXPECT_GT(report.results.refused, 0U);
  EXPECT_EQ(report.results.mismatches, 1U);
  Campaign campaign;
  campaign.steps.push_back({options_, report, ""});
  for (const std::string& text :
       {TextReport(campaign, corpus_), JsonReport(campaign, corpus_)}) {
    EXPECT_THAT(text, HasSubstr("answered with the verdict of"));
    EXPECT_THAT(text, HasSubstr("busy"));
  }
}

// Without a warm-up the server's processor time counts from the first message,
// even of a run that is over before anybody looks.
TEST_P(LoadRun, TheProcessorTimeOfAShortRunIsAllThere) {
  options_.connections = 1;
  options_.in_flight = 1;
  options_.count = 1;
  options_.server_pid = getpid();
  service_.spoil = [](int, v1::Verdict*) {
    timespec used = {};
    do {
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    } while (used.tv_sec == 0 && used.tv_nsec < 40'000'000);
    return grpc::Status::OK;
  };
  const Report report = Run();
  ASSERT_TRUE(report.server.has_value());
  EXPECT_GE(report.server->cpu_seconds, 0.02);
}

TEST_P(LoadRun, AMessageThatFailsOtherwiseIsLost) {
  service_.spoil = [](int message, v1::Verdict*) {
    return message == 5 ? grpc::Status(grpc::StatusCode::INTERNAL, "bug")
                        : grpc::Status::OK;
  };
  const Report report = Run();
  EXPECT_GT(report.results.lost, 0U);
  EXPECT_EQ(report.results.answered + report.results.lost, 1'000U);
  EXPECT_EQ(ExitCode(report), 1);
}

TEST_P(LoadRun, AServerThatStopsAnsweringEndsTheRun) {
  options_.timeout = std::chrono::milliseconds(300);
  options_.in_flight = 1;
  options_.connections = 1;
  options_.duration = std::chrono::seconds(1);
  service_.spoil = [](int, v1::Verdict*) {
    std::this_thread::sleep_for(std::chrono::seconds(2));
    return grpc::Status::OK;
  };
  const Report report = Run();
  EXPECT_GT(report.results.lost, 0U);
  EXPECT_EQ(report.results.answered, 0U);
  EXPECT_EQ(ExitCode(report), 1);
}

// One stall of half a second at 200 messages a second must show in the latency
// of all the messages that should have left meanwhile.
TEST_P(LoadRun, AnOpenLoopChargesAStallToEveryMessageItDelays) {
  options_.connections = 1;
  options_.in_flight = 1;
  options_.rate = 200.0 * options_.batch_size;
  options_.count = 0;
  options_.duration = std::chrono::seconds(2);
  service_.spoil = [](int message, v1::Verdict*) {
    if (message == 20) {
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
    }
    return grpc::Status::OK;
  };
  const Report report = Run();
  EXPECT_EQ(report.results.lost, 0U);
  EXPECT_GE(report.results.latency_ns.max(), 450'000'000U);
  // A quarter of the run stood still: a tenth at least waited 100 ms or more.
  EXPECT_GE(report.results.latency_ns.Quantile(0.9), 100'000'000U);
}

// A warm-up is checked like the rest, and is in no figure.
TEST_P(LoadRun, AWarmUpIsCheckedButNotMeasured) {
  options_.count = 0;
  options_.warm_up = std::chrono::milliseconds(300);
  options_.duration = std::chrono::milliseconds(300);
  options_.rate = 1'000.0 * options_.batch_size;
  options_.in_flight = 64;
  service_.spoil = [](int message, v1::Verdict* verdict) {
    if (message == 3) verdict->set_filing_id("swapped");
    return grpc::Status::OK;
  };
  const Report report = Run();
  EXPECT_EQ(report.results.mismatches, 1U);
  EXPECT_GT(report.results.measured_answered, 0U);
  EXPECT_GT(report.results.answered, report.results.latency_ns.count());
  EXPECT_GT(report.results.latency_ns.count(), 0U);
}

// What cannot be sent in time is said, not sent late.
TEST_P(LoadRun, AnOpenLoopThatIsHeldBackEndsInTimeAndSaysWhatItDidNotSend) {
  options_.connections = 1;
  options_.in_flight = 1;
  options_.rate = 2'000.0 * options_.batch_size;
  options_.count = 0;
  options_.duration = std::chrono::milliseconds(500);
  service_.spoil = [](int, v1::Verdict*) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return grpc::Status::OK;
  };
  const Report report = Run();
  EXPECT_GT(report.unsent, report.issued);
  EXPECT_NEAR(static_cast<double>(report.unsent + report.issued),
              1'000.0 * options_.batch_size, options_.batch_size);
  EXPECT_EQ(report.results.answered, report.issued);
  EXPECT_EQ(ExitCode(report), 2);
}

TEST_P(LoadRun, ASurplusOfVerdictsIsAFailure) {
  service_.surplus = true;
  const Report report = Run();
  if (mode() == Mode::kUnary) {
    EXPECT_EQ(ExitCode(report), 0);  // a unary answer has one verdict
    return;
  }
  EXPECT_GT(report.results.unasked, 0U);
  EXPECT_EQ(ExitCode(report), 1);
}

TEST_P(LoadRun, AnOverloadIsMeasuredAgainstTheMaximum) {
  Plan plan;
  plan.purpose = Purpose::kOverload;
  plan.load = options_;
  plan.load.count = 0;
  plan.load.duration = std::chrono::milliseconds(400);
  plan.overload = 2;
  std::atomic<int> on_the_way = 0;
  // One message at a time, two milliseconds each; more than 8 are refused.
  std::mutex one;
  service_.spoil = [&](int, v1::Verdict*) {
    if (++on_the_way > 8) {
      --on_the_way;
      return grpc::Status(grpc::StatusCode::UNAVAILABLE, "busy");
    }
    {
      const std::lock_guard<std::mutex> lock(one);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    --on_the_way;
    return grpc::Status::OK;
  };
  plan.in_flight = mode() == Mode::kStream ? 3 : 0;
  const absl::StatusOr<Campaign> campaign = RunCampaign(plan, corpus_, Watch());
  ASSERT_TRUE(campaign.ok()) << campaign.status();
  ASSERT_EQ(campaign->steps.size(), 2U);
  EXPECT_EQ(campaign->steps[0].options.rate, 0);
  EXPECT_DOUBLE_EQ(campaign->steps[1].options.rate, 2 * campaign->capacity);
  EXPECT_GT(campaign->goodput_share, 0);
  if (mode() == Mode::kBatch) {
    EXPECT_GT(campaign->steps[1].report.results.refused, 0U);
    EXPECT_GT(campaign->steps[1].report.results.refused_latency_ns.count(), 0U);
  }
  EXPECT_EQ(ExitCode(*campaign), 0);
  EXPECT_THAT(TextReport(*campaign, corpus_), HasSubstr("goodput"));
}

TEST_P(LoadRun, ASearchReportsItsStepsAndEndsAtAWrongVerdict) {
  Plan plan;
  plan.purpose = Purpose::kSearch;
  plan.load = options_;
  plan.load.count = 0;
  plan.load.duration = std::chrono::milliseconds(200);
  plan.load.rate = 100.0 * options_.batch_size;
  plan.p99_max = std::chrono::seconds(20);
  plan.precision = 0.5;
  std::atomic<bool> wrong = false;
  service_.spoil = [&](int message, v1::Verdict* verdict) {
    if (message > 150) {
      wrong = true;
      verdict->set_sub_indication(v1::SUB_INDICATION_REVOKED);
    }
    return grpc::Status::OK;
  };
  const absl::StatusOr<Campaign> campaign = RunCampaign(plan, corpus_, Watch());
  ASSERT_TRUE(campaign.ok()) << campaign.status();
  EXPECT_TRUE(wrong);
  EXPECT_GE(campaign->steps.size(), 2U);
  EXPECT_EQ(campaign->steps.front().fault, "");
  EXPECT_THAT(campaign->steps.back().fault, HasSubstr("wrong"));
  EXPECT_EQ(ExitCode(*campaign), 1);
  const std::string csv = CsvReport(*campaign);
  EXPECT_EQ(static_cast<size_t>(std::count(csv.begin(), csv.end(), '\n')),
            campaign->steps.size() + 1);
  const std::string html = HtmlReport(*campaign, "today");
  EXPECT_THAT(html, HasSubstr("Latency against load"));
  EXPECT_THAT(html, HasSubstr("<svg"));
  EXPECT_EQ(html.find("http"), std::string::npos);  // nothing is fetched
}

TEST_P(LoadRun, AMixSendsEachModeItsShareOfFilings) {
  options_.mix = {0.5, 0.25, 0.25, 0};
  options_.count = 4'000;
  const Report report = Run();
  EXPECT_GE(report.issued, 4'000U);
  EXPECT_LT(report.issued, 4'000U + options_.batch_size * options_.connections *
                                        options_.in_flight);
  EXPECT_EQ(report.results.answered, report.issued);
  EXPECT_EQ(ExitCode(report), 0);
}

TEST_P(LoadRun, AStopEndsTheRunAndLosesNothing) {
  options_.count = 0;
  options_.duration = std::chrono::seconds(600);
  std::atomic<bool> stop = false;
  for (const double rate : {0.0, 500.0}) {
    stop = false;
    options_.rate = rate;
    const absl::StatusOr<Report> report = RunLoad(
        options_, corpus_,
        [&](const ProgressReport& progress) {
          if (progress.answered > 100) stop = true;
        },
        &stop);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_GT(report->results.answered, 100U);
    EXPECT_EQ(report->results.answered, report->issued);
    EXPECT_EQ(ExitCode(*report), 0);
  }
}

TEST_P(LoadRun, TheServersProcessorTimeIsReported) {
  options_.server_pid = getpid();  // the server is in this process
  const Report report = Run();
  ASSERT_TRUE(report.server.has_value());
  EXPECT_GT(report.server->resident_bytes_peak, 1'000'000U);
  EXPECT_GE(report.server->cpu_seconds, 0);
  options_.server_pid = INT_MAX;
  const auto without = RunLoad(options_, corpus_, [](const auto&) {});
  EXPECT_THAT(std::string(without.status().message()),
              HasSubstr("--server-pid"));
}

TEST(LoadRunWithoutServer, SaysThatItCannotConnect) {
  LoadOptions options;
  options.target = "unix:/nonexistent/inkan.sock";
  options.timeout = std::chrono::milliseconds(300);
  const Corpus corpus = SmallCorpus();
  const absl::StatusOr<Report> report =
      RunLoad(options, corpus, [](const ProgressReport&) {});
  EXPECT_EQ(report.status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace inkan::load
