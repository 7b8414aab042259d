// What is said of a place on the network: when it was asked, when it was last
// good, what was wrong, and when it is asked again.
#include <optional>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "cache/crl_source_jobs.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace inkan {
namespace {

using testing::AllOf;
using testing::Ge;
using testing::Le;

// 1970, which no clock shows any more.
const absl::Time kFetchedAt = absl::FromUnixSeconds(1000);

class CrlSourceStatusTest : public testing::Test {
 protected:
  explicit CrlSourceStatusTest(
      CrlSourceOptions::Kind kind = CrlSourceOptions::Kind::kHttp)
      : jobs_(OptionsOf(kind)), job_(jobs_.AddJob("http://ca/a.crl", "id")) {
    jobs_.AddItem("id", "http://ca/a.crl", job_, std::nullopt);
  }
  static CrlSourceOptions OptionsOf(CrlSourceOptions::Kind kind) {
    CrlSourceOptions options;
    options.kind = kind;
    options.schedule.poll_interval = absl::Hours(8);
    options.schedule.retry_first = options.schedule.retry_max =
        absl::Minutes(10);
    return options;
  }
  CrlSourceStatus Status() {
    std::vector<CrlSourceStatus> all;
    jobs_.AppendStatuses(&all);
    EXPECT_EQ(all.size(), 1U);
    return all.empty() ? CrlSourceStatus() : all[0];
  }
  std::vector<CrlSourceError> Errors() {
    std::vector<CrlSourceError> all;
    jobs_.AppendErrors(&all);
    return all;
  }
  // Asks now; returns between which moments.
  std::pair<absl::Time, absl::Time> Ask() {
    jobs_.AskNow();
    const absl::Time begin = absl::Now();
    EXPECT_TRUE(jobs_.Next().has_value());
    return {begin, absl::Now()};
  }

  RemoteJobs jobs_;
  const size_t job_;
};

TEST_F(CrlSourceStatusTest, APlaceSaysHowItWentEachTime) {
  CrlSourceStatus status = Status();
  EXPECT_EQ(status.source, "http://ca/a.crl");
  EXPECT_STREQ(status.kind, "http");
  EXPECT_EQ(status.last_attempt, absl::InfinitePast());
  EXPECT_EQ(status.last_success, absl::InfinitePast());
  EXPECT_LE(status.next_attempt, absl::Now());
  EXPECT_EQ(status.last_error, "");
  EXPECT_FALSE(status.in_use);

  // It fails.
  const auto [begin, end] = Ask();
  EXPECT_EQ(Status().next_attempt, absl::InfiniteFuture());
  absl::Time before = absl::Now();
  jobs_.EndFetch(job_, "cannot connect: no", std::nullopt, 5);
  status = Status();
  EXPECT_THAT(status.last_attempt, AllOf(Ge(begin), Le(end)));
  EXPECT_EQ(status.last_success, absl::InfinitePast());
  EXPECT_EQ(status.last_error, "cannot connect: no");
  // retry_first, less up to half of it.
  EXPECT_THAT(status.next_attempt,
              AllOf(Ge(before + absl::Minutes(5) - absl::Seconds(1)),
                    Le(absl::Now() + absl::Minutes(10) + absl::Seconds(1))));
  EXPECT_EQ(status.attempts_total, 1U);
  EXPECT_EQ(status.failures_total, 1U);
  EXPECT_EQ(status.bytes_total, 5U);
  ASSERT_EQ(Errors().size(), 1U);
  EXPECT_EQ(Errors()[0].error, "cannot connect: no");
  EXPECT_EQ(Errors()[0].last_attempt, status.last_attempt);
  EXPECT_FALSE(Errors()[0].last_good_in_use);

  // It gives a CRL, which is good.
  const auto [begin2, end2] = Ask();
  RemoteCandidate candidate;
  candidate.sha256 = {1};
  candidate.fetched_at = kFetchedAt;
  jobs_.Deliver("id", "http://ca/a.crl", job_, candidate);
  ASSERT_TRUE(jobs_.EndFetch(job_, "", std::nullopt, 7));
  EXPECT_EQ(Status().last_success, absl::InfinitePast());  // not judged yet
  ASSERT_EQ(jobs_.TakeCandidates(9).size(), 1U);
  RemoteJobs::Judgement judgement;
  judgement.used = true;
  before = absl::Now();
  jobs_.Judge("id", candidate.sha256, judgement);
  status = Status();
  EXPECT_THAT(status.last_attempt, AllOf(Ge(begin2), Le(end2)));
  EXPECT_EQ(status.last_success, kFetchedAt);
  EXPECT_EQ(status.last_error, "");
  EXPECT_THAT(Errors(), testing::IsEmpty());
  EXPECT_TRUE(status.in_use);
  EXPECT_GT(status.next_attempt, before + absl::Minutes(11));
  EXPECT_LE(status.next_attempt, absl::Now() + absl::Hours(9));
  EXPECT_EQ(status.attempts_total, 2U);
  EXPECT_EQ(status.failures_total, 1U);
  EXPECT_EQ(status.bytes_total, 12U);

  // It has nothing newer: as good as a new one.
  Ask();
  before = absl::Now();
  jobs_.Unchanged("id", std::nullopt);
  jobs_.EndFetch(job_, "", std::nullopt, 0);
  EXPECT_THAT(Status().last_success, AllOf(Ge(before), Le(absl::Now())));

  // It gives one that is refused.
  const absl::Time last_success = Status().last_success;
  const auto [begin4, end4] = Ask();
  candidate.sha256 = {2};
  jobs_.Deliver("id", "http://ca/a.crl", job_, candidate);
  ASSERT_TRUE(jobs_.EndFetch(job_, "", std::nullopt, 0));
  ASSERT_EQ(jobs_.TakeCandidates(9).size(), 1U);
  RemoteJobs::Judgement refused;
  refused.error = "cRLNumber: older";
  jobs_.Judge("id", candidate.sha256, refused);
  status = Status();
  EXPECT_THAT(status.last_attempt, AllOf(Ge(begin4), Le(end4)));
  EXPECT_EQ(status.last_success, last_success);
  EXPECT_EQ(status.last_error, "cRLNumber: older");
  EXPECT_TRUE(status.in_use);
  ASSERT_EQ(Errors().size(), 1U);
  EXPECT_TRUE(Errors()[0].last_good_in_use);
}

}  // namespace
}  // namespace inkan
