// The parts of the load generator that need no server.
#include <cstdint>
#include <string>
#include <vector>

#include "bench/load/histogram.h"
#include "bench/load/job_source.h"
#include "bench/load/target.h"
#include "gtest/gtest.h"

namespace inkan::load {
namespace {

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
  options.tls_cert = "client.pem";
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
    options.mode = mode;
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

}  // namespace
}  // namespace inkan::load
