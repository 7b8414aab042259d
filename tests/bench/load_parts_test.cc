// The parts of the load generator that need no server.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "bench/load/arrivals.h"
#include "bench/load/campaign.h"
#include "bench/load/histogram.h"
#include "bench/load/job_source.h"
#include "bench/load/load_flags.h"
#include "bench/load/rate_search.h"
#include "bench/load/server_process.h"
#include "bench/load/shares.h"
#include "bench/load/target.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace inkan::load {
namespace {

using ::testing::HasSubstr;

TEST(Histogram, QuantilesAreWithinOnePercent) {
  Histogram histogram;
  for (uint64_t i = 1; i <= 1'000'000; ++i) histogram.Record(i * 1'000);
  for (const double q : {0.5, 0.99, 0.999}) {
    const double exact = q * 1e9;
    const auto got = static_cast<double>(histogram.Quantile(q));
    EXPECT_GE(got, exact);
    EXPECT_LE(got, exact * 1.01);
  }
  EXPECT_EQ(histogram.Quantile(1.0), 1'000'000'000U);
  EXPECT_EQ(histogram.max(), 1'000'000'000U);
}

TEST(Histogram, SmallValuesAreExactAndTheLargestFits) {
  Histogram histogram;
  EXPECT_EQ(histogram.Quantile(0.5), 0U);
  for (uint64_t i = 0; i < 256; ++i) histogram.Record(i);
  EXPECT_EQ(histogram.Quantile(0.5), 127U);
  histogram.Record(UINT64_MAX);
  EXPECT_EQ(histogram.Quantile(1.0), UINT64_MAX);
}

TEST(Histogram, MergingIsTheSameAsRecordingInOne) {
  Histogram one;
  Histogram two;
  Histogram both;
  for (uint64_t i = 0; i < 10'000; ++i) {
    (i % 3 == 0 ? one : two).Record(i * i, i % 5);
    both.Record(i * i, i % 5);
  }
  one.Merge(two);
  EXPECT_EQ(one.count(), both.count());
  for (const double q : {0.01, 0.5, 0.9, 0.9999}) {
    EXPECT_EQ(one.Quantile(q), both.Quantile(q));
  }
}

// Against sorted lists, on the shapes latencies have: never below the exact
// quantile, and above by less than the 1/128 the header promises.
TEST(Histogram, AgreesWithExactQuantilesWithinItsBound) {
  std::mt19937_64 random(1);
  std::lognormal_distribution<double> usual(13, 1);  // about half a millisecond
  std::exponential_distribution<double> slow(1e-9);
  std::uniform_int_distribution<uint64_t> any;
  for (int shape = 0; shape < 3; ++shape) {
    Histogram histogram;
    std::vector<uint64_t> exact;
    for (int i = 0; i < 50'000; ++i) {
      const uint64_t value = shape == 0   ? static_cast<uint64_t>(usual(random))
                             : shape == 1 ? static_cast<uint64_t>(slow(random))
                                          : any(random) >> (any(random) % 64);
      exact.push_back(value);
      histogram.Record(value);
    }
    std::sort(exact.begin(), exact.end());
    for (const double q :
         {0.0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
      const auto rank = static_cast<size_t>(
          std::max(1.0, std::ceil(q * static_cast<double>(exact.size()))));
      const uint64_t truth = exact[rank - 1];
      const uint64_t got = histogram.Quantile(q);
      EXPECT_GE(got, truth) << shape << " " << q;
      EXPECT_LE(got - truth, truth / 128) << shape << " " << q;
    }
  }
}

TEST(ArrivalClock, AnEvenBeatIsExactAndDoesNotDrift) {
  LoadOptions options;
  options.rate = 3'000;
  const Clock::time_point start = Clock::now();
  ArrivalClock arrivals(options, start);
  for (int i = 0; i < 3'000'000; ++i) arrivals.Advance(1);
  const double seconds = Seconds(arrivals.due() - start).count();
  EXPECT_NEAR(seconds, 1'000, 1e-3);
}

// The gaps of a Poisson process have the mean and the deviation of an
// exponential distribution, and are the same for the same seed.
TEST(ArrivalClock, PoissonGapsAreExponential) {
  LoadOptions options;
  options.rate = 1'000;
  options.arrivals = Arrivals::kPoisson;
  const Clock::time_point start = Clock::now();
  ArrivalClock arrivals(options, start);
  ArrivalClock same(options, start);
  constexpr int kGaps = 100'000;
  double sum = 0;
  double squares = 0;
  int above_mean = 0;
  for (int i = 0; i < kGaps; ++i) {
    const Clock::time_point before = arrivals.due();
    arrivals.Advance(1);
    same.Advance(1);
    const double ms = Seconds(arrivals.due() - before).count() * 1e3;
    sum += ms;
    squares += ms * ms;
    above_mean += ms > 1 ? 1 : 0;
  }
  EXPECT_EQ(arrivals.due(), same.due());
  const double mean = sum / kGaps;
  EXPECT_NEAR(mean, 1, 0.02);
  EXPECT_NEAR(squares / kGaps - mean * mean, 1, 0.05);
  EXPECT_NEAR(static_cast<double>(above_mean) / kGaps, std::exp(-1), 0.01);
}

TEST(RateSearch, FindsTheHighestGoodRateAsCloselyAsAsked) {
  for (const double limit : {3.0, 999.0, 1'000.0, 54'321.0, 3e6}) {
    RateSearch search(1'000, 0.01);
    while (const auto rate = search.Next()) search.Report(*rate <= limit);
    EXPECT_LE(search.best(), limit);
    EXPECT_GE(search.best(), limit / 1.0101) << limit;
    EXPECT_LE(search.steps(), RateSearch::kStepsMax);
  }
}

TEST(RateSearch, EndsWhateverItIsTold) {
  for (const bool always : {true, false}) {
    RateSearch search(1'000, 0.01);
    while (search.Next()) search.Report(always);
    EXPECT_LE(search.steps(), RateSearch::kStepsMax);
    EXPECT_EQ(search.best() > 0, always);
  }
}

TEST(RateSearch, AStepInWhichNothingWasMeasuredIsNotGood) {
  Report report;
  EXPECT_THAT(FaultOf(report, std::chrono::milliseconds(5)),
              HasSubstr("nothing was due after the warm-up"));
  report.results.latency_ns.Record(5'000'000);
  EXPECT_EQ(FaultOf(report, std::chrono::milliseconds(5)), "");
  report.results.latency_ns.Record(7'000'000);
  EXPECT_THAT(FaultOf(report, std::chrono::milliseconds(5)), HasSubstr("p99"));
}

TEST(Shares, AreReadAndDividedByTheirSum) {
  const auto shares = ParseShares("--mix", "unary=3,batch=1");
  ASSERT_TRUE(shares.ok());
  const auto mix = ModeSharesOf("--mix", *shares);
  ASSERT_TRUE(mix.ok());
  EXPECT_DOUBLE_EQ((*mix)[static_cast<size_t>(Mode::kUnary)], 0.75);
  EXPECT_DOUBLE_EQ((*mix)[static_cast<size_t>(Mode::kBatch)], 0.25);
  EXPECT_EQ(MixName(*mix), "unary 75 %, batch 25 %");
}

TEST(Shares, WhatIsWrongIsNamedWithItsFlag) {
  for (const char* text : {"", "unary", "unary=", "unary=-1", "=1", "unary=nan",
                           "unary=0", "unary=1,unary=1", "unary=inf"}) {
    const auto shares = ParseShares("--mix", text);
    EXPECT_THAT(std::string(shares.status().message()), HasSubstr("--mix:"))
        << text;
  }
  EXPECT_THAT(
      std::string(ModeSharesOf("--mix", {{"bulk", 1}}).status().message()),
      HasSubstr("\"bulk\" is no call mode"));
}

TEST(Target, OnlyLoopbackCountsAsThisMachine) {
  for (const char* target :
       {"127.0.0.1:50051", "127.8.9.1:1", "localhost:50051", "[::1]:50051",
        "unix:/run/inkan.sock", "dns:///localhost:1", "ipv4:127.0.0.1:1"}) {
    EXPECT_TRUE(IsLoopback(target)) << target;
  }
  for (const char* target :
       {"10.0.0.1:50051", "inkan.example.jp:443", "127.0.0.1.example.jp:1",
        "localhost.example.jp:1", "[2001:db8::1]:1", "0.0.0.0:1",
        "dns://8.8.8.8/localhost:1", "ipv4:127.0.0.1:1,10.0.0.1:1"}) {
    EXPECT_FALSE(IsLoopback(target)) << target;
  }
}

TEST(Target, AnotherMachineIsRefusedUnlessItIsTheCallersOwn) {
  LoadOptions options;
  options.target = "10.0.0.1:50051";
  EXPECT_EQ(Connect(options).status().code(),
            absl::StatusCode::kInvalidArgument);
  options.own_target = true;
  EXPECT_TRUE(Connect(options).ok());
}

TEST(Target, HalfAClientCertificateIsRefused) {
  LoadOptions options;
  options.tls_certificate = "client.pem";
  EXPECT_FALSE(Connect(options).ok());
}

Corpus CorpusOf(int filings) {
  std::vector<lab::v1::CorpusEntry> entries(static_cast<size_t>(filings));
  for (size_t i = 0; i < entries.size(); ++i) {
    entries[i].mutable_filing()->set_filing_id(std::to_string(i));
  }
  return MakeCorpus(std::move(entries));
}

// Counts how often each filing is handed out.
std::vector<int> Drain(const Corpus& corpus, const LoadOptions& options) {
  JobSource source(corpus, options);
  source.Start(Clock::now());
  std::vector<int> times(corpus.entries.size(), 0);
  while (const auto job = source.Next(Clock::now())) {
    for (uint32_t i = 0; i < job->message->count; ++i) {
      ++times[job->message->first + i];
    }
  }
  return times;
}

TEST(JobSource, ACountIsMetToTheFilingInCorpusOrder) {
  const Corpus corpus = CorpusOf(10);
  LoadOptions options;
  for (const Mode mode : {Mode::kUnary, Mode::kBatch, Mode::kStream}) {
    options.mix = OnlyMode(mode);
    for (const uint32_t batch : {1U, 3U, 10U, 64U}) {
      options.batch_size = batch;
      for (const uint64_t count : {1U, 9U, 10U, 11U, 25U, 30U}) {
        options.count = count;
        const std::vector<int> times = Drain(corpus, options);
        for (uint64_t i = 0; i < 10; ++i) {
          const auto expected =
              static_cast<int>(count / 10) + (i < count % 10 ? 1 : 0);
          EXPECT_EQ(times[i], expected) << batch << " " << count << " " << i;
        }
      }
    }
  }
}

TEST(JobSource, NothingIsDueAfterTheDuration) {
  const Corpus corpus = CorpusOf(10);
  LoadOptions options;
  options.duration = std::chrono::seconds(1);
  JobSource source(corpus, options);
  const Clock::time_point start = Clock::now();
  source.Start(start);
  EXPECT_TRUE(source.Next(start));
  EXPECT_FALSE(source.Next(start + std::chrono::seconds(1)));
  EXPECT_TRUE(source.exhausted());
}

// Half of the filings on their own and half in batches of 100 means 100 small
// messages for each large one.
TEST(JobSource, AMixIsByFilingsNotByMessages) {
  const Corpus corpus = CorpusOf(1'000);
  LoadOptions options;
  options.mix = {0.5, 0.5, 0, 0};
  options.batch_size = 100;
  options.count = 400'000;
  JobSource source(corpus, options);
  source.Start(Clock::now());
  uint64_t single = 0;
  uint64_t batched = 0;
  while (const auto job = source.Next(Clock::now())) {
    (job->message->mode == Mode::kUnary ? single : batched) +=
        job->message->count;
  }
  EXPECT_NEAR(static_cast<double>(single) / 400'000, 0.5, 0.03);
  EXPECT_GE(single + batched, 400'000U);
  EXPECT_LT(single + batched, 400'100U);
}

TEST(JobSource, WarmUpComesBeforeTheDuration) {
  LoadOptions options;
  options.warm_up = std::chrono::seconds(2);
  options.duration = std::chrono::seconds(1);
  JobSource source(CorpusOf(10), options);
  const Clock::time_point start = Clock::now();
  source.Start(start);
  EXPECT_TRUE(source.Next(start + std::chrono::milliseconds(2'900)));
  EXPECT_FALSE(source.Next(start + std::chrono::seconds(3)));
}

Corpus CorpusOfKinds() {
  std::vector<lab::v1::CorpusEntry> entries(1'000);
  for (size_t i = 0; i < entries.size(); ++i) {
    entries[i].mutable_filing()->set_filing_id(std::to_string(i));
    entries[i].mutable_truth()->set_kind(i % 100 == 0 ? "expired"
                                         : i % 2 == 0 ? "revoked"
                                                      : "good");
  }
  return MakeCorpus(std::move(entries));
}

TEST(SelectKinds, GivesTheSharesAskedForWithTheirTruth) {
  const Corpus corpus = CorpusOfKinds();
  const auto mixed = SelectKinds("--kinds", {{"good", 0.9}, {"expired", 0.1}},
                                 corpus, /*seed=*/1);
  ASSERT_TRUE(mixed.ok());
  ASSERT_EQ(mixed->entries.size(), 1'000U);
  std::set<std::string> expired;
  int good = 0;
  for (const lab::v1::CorpusEntry& entry : mixed->entries) {
    const int id = std::stoi(entry.filing().filing_id());
    if (entry.truth().kind() == "good") {
      ++good;
      EXPECT_EQ(id % 2, 1);
    } else {
      EXPECT_EQ(id % 100, 0);
      expired.insert(entry.filing().filing_id());
    }
  }
  EXPECT_EQ(good, 900);
  EXPECT_EQ(expired.size(), 10U);  // all there are, each ten times
}

TEST(SelectKinds, AKindThatTheCorpusLacksIsNamed) {
  const auto mixed =
      SelectKinds("--kinds", {{"stolen", 1}}, CorpusOfKinds(), /*seed=*/1);
  EXPECT_THAT(std::string(mixed.status().message()),
              HasSubstr("no filing of kind \"stolen\""));
}

TEST(ServerProcess, TimeAndMemoryOfThisProcessAreRead) {
  const auto before = ReadProcessUsage(getpid());
  ASSERT_TRUE(before.ok()) << before.status();
  EXPECT_GT(before->resident_bytes, 1'000'000U);
  EXPECT_GE(before->resident_bytes_peak, before->resident_bytes / 2);
  // Until a few of the kernel's ticks of processor time have been used.
  const Clock::time_point bound = Clock::now() + std::chrono::seconds(60);
  double used = 0;
  while (used < 0.05 && Clock::now() < bound) {
    used = ReadProcessUsage(getpid())->cpu_seconds - before->cpu_seconds;
  }
  EXPECT_GE(used, 0.05);
}

// The status of a command line, beside the target and corpus it needs.
absl::Status StatusOf(std::vector<std::string> flags, Arguments* arguments) {
  CLI::App app("test");
  DescribeFlags(&app, arguments);
  flags.insert(flags.begin(), {"--corpus", "c"});
  std::reverse(flags.begin(), flags.end());
  app.parse(flags);
  return Complete(arguments);
}

TEST(LoadFlags, TimesMixesAndPurposesAreUnderstood) {
  Arguments search;
  ASSERT_TRUE(StatusOf({"--search", "--p99-max", "5ms", "--mix",
                        "unary=0.7,stream=0.3", "--warmup", "500ms"},
                       &search)
                  .ok());
  EXPECT_EQ(search.plan.purpose, Purpose::kSearch);
  EXPECT_DOUBLE_EQ(search.plan.p99_max.count(), 0.005);
  EXPECT_DOUBLE_EQ(search.plan.load.warm_up.count(), 0.5);
  EXPECT_DOUBLE_EQ(search.plan.load.duration.count(), 5);
  EXPECT_DOUBLE_EQ(search.plan.load.rate, 1'000);
  EXPECT_DOUBLE_EQ(search.plan.load.mix[0], 0.7);
  Arguments rates;
  ASSERT_TRUE(
      StatusOf({"--rates", "100,200.5", "--arrivals", "poisson"}, &rates).ok());
  EXPECT_THAT(rates.plan.rates, ::testing::ElementsAre(100, 200.5));
  EXPECT_EQ(rates.plan.load.arrivals, Arrivals::kPoisson);
  Arguments plain;
  ASSERT_TRUE(StatusOf({"--mode", "stream", "--count", "5"}, &plain).ok());
  EXPECT_EQ(plain.plan.purpose, Purpose::kSingle);
  EXPECT_EQ(plain.plan.load.duration.count(), 0);
}

TEST(LoadFlags, WhatIsWrongIsNamedWithItsFlag) {
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{"--search"}, "--p99-max"},
      {{"--p99-max", "5ms"}, "--search"},
      {{"--search", "--p99-max", "0s"}, "--p99-max"},
      {{"--search", "--p99-max", "fast"}, "--p99-max"},
      {{"--search", "--p99-max", "5ms", "--overload", "3"}, "one at a time"},
      {{"--overload", "0.5"}, "--overload"},
      {{"--overload", "3", "--rate", "5"}, "--rate"},
      {{"--rates", "100,none"}, "--rates"},
      {{"--rates", "100", "--count", "5"}, "--count"},
      {{"--duration", "0"}, "--duration"},
      {{"--duration", "25h"}, "--duration"},
      {{"--warmup", "-1s"}, "--warmup"},
      {{"--timeout", "0"}, "--timeout"},
      {{"--mix", "bulk=1"}, "--mix"},
      {{"--kinds", "good"}, "--kinds"},
      {{"--in-flight", "1001", "--connections", "1000"}, "--in-flight"},
  };
  for (const auto& [flags, part] : cases) {
    Arguments arguments;
    const absl::Status status = StatusOf(flags, &arguments);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << part;
    EXPECT_THAT(std::string(status.message()), HasSubstr(part));
  }
  Arguments at_the_limit;
  EXPECT_TRUE(StatusOf({"--in-flight", "1000", "--connections", "1000",
                        "--duration", "24h"},
                       &at_the_limit)
                  .ok());
}

}  // namespace
}  // namespace inkan::load
