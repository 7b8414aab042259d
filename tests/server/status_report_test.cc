// What GetStatus says of CRLs and of the places they come from, and when: by a
// clock of the test's own, then by that of a running server.
#include "server/status_report.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/inkan_client.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/test_world.h"

namespace inkan {
namespace {

using ::testing::HasSubstr;
using testing::TestWorld;
using testing::WorldTime;

constexpr int64_t kHour = 3600;
constexpr int64_t kDay = 24 * kHour;
using Partitions = google::protobuf::RepeatedPtrField<v1::CrlPartitionStatus>;

// A world's complete CRL is of half a day before WorldTime to one day after it;
// its delta of a quarter of a day before to two days after.
class StatusReportTest : public ::testing::Test {
 protected:
  // Of the profile, at `seconds` after WorldTime.
  Partitions PartitionsAt(const Profile& profile, int64_t seconds,
                          const std::vector<CrlSourceStatus>& sources = {}) {
    SnapshotOptions options;
    options.profiles.push_back(profile);
    options.crl_sources.push_back(
        {CrlSourceOptions::Kind::kDirectory, world_.Path("crls")});
    auto keeper = SnapshotKeeper::Start(std::move(options), /*watch=*/false);
    EXPECT_TRUE(keeper.ok()) << keeper.status();
    Partitions partitions;
    ReportPartitions(*(*keeper)->Current(), sources,
                     absl::FromUnixSeconds(WorldTime() + seconds), &partitions);
    return partitions;
  }
  Profile SignatureProfile() const {
    Profile profile;
    profile.name = "signature";
    profile.anchors.push_back({"ca.cer", world_.ca()});
    return profile;
  }

  TestWorld world_;
};

TEST_F(StatusReportTest, AgeAndTimeToNextUpdateAreOfTheClockGiven) {
  const Profile profile = SignatureProfile();
  const auto at = [&](int64_t seconds) {
    const Partitions partitions = PartitionsAt(profile, seconds);
    EXPECT_EQ(partitions.size(), 1);
    return partitions[0];
  };
  const v1::CrlPartitionStatus now = at(0);
  EXPECT_EQ(now.this_update().seconds(), WorldTime() - kDay / 2);
  EXPECT_EQ(now.next_update().seconds(), WorldTime() + kDay);
  EXPECT_EQ(now.age().seconds(), kDay / 2);
  EXPECT_EQ(now.time_to_next_update().seconds(), kDay);
  const v1::CrlPartitionStatus ended = at(3 * kDay);
  EXPECT_EQ(ended.age().seconds(), 3 * kDay + kDay / 2);
  EXPECT_EQ(ended.time_to_next_update().seconds(), -2 * kDay);
  EXPECT_EQ(at(-kDay).age().seconds(), -kDay / 2);  // a clock that is behind
}

TEST_F(StatusReportTest, StaleAtFollowsGraceAgeAndDelta) {
  const auto stale_at = [&](int64_t grace, std::optional<int64_t> max_age) {
    Profile profile = SignatureProfile();
    profile.crl_grace = grace;
    profile.crl_max_age = max_age;
    std::vector<int64_t> at;
    for (const v1::CrlPartitionStatus& one : PartitionsAt(profile, 0)) {
      at.push_back(one.stale_at().seconds() - WorldTime());
    }
    return at;
  };
  using ::testing::ElementsAre;
  EXPECT_THAT(stale_at(0, std::nullopt), ElementsAre(kDay));
  EXPECT_THAT(stale_at(kHour, std::nullopt), ElementsAre(kDay + kHour));
  EXPECT_THAT(stale_at(kHour, kDay), ElementsAre(kDay / 2));
  EXPECT_THAT(stale_at(0, 5 * kDay), ElementsAre(kDay));
  // A delta renews its complete CRL: both are believed as long.
  world_.AddDelta(8, {});
  EXPECT_THAT(stale_at(kHour, std::nullopt),
              ElementsAre(2 * kDay + kHour, 2 * kDay + kHour));
  EXPECT_THAT(stale_at(0, kDay), ElementsAre(kDay - kDay / 4, kDay - kDay / 4));
  const Partitions both = PartitionsAt(SignatureProfile(), 0);
  ASSERT_EQ(both.size(), 2);
  EXPECT_EQ(both[0].crl_number(), "07");
  EXPECT_EQ(both[0].time_to_next_update().seconds(), kDay);
  EXPECT_EQ(both[1].crl_number(), "08");
  EXPECT_EQ(both[1].time_to_next_update().seconds(), 2 * kDay);
  EXPECT_EQ(both[1].age().seconds(), kDay / 4);
  EXPECT_THAT(both[1].scope(), HasSubstr("(delta)"));
}

TEST_F(StatusReportTest, EachPartitionHasTheTimesAndErrorOfItsOwnPlace) {
  world_.AddDelta(8, {});
  const auto time = [](int64_t seconds) {
    return absl::FromUnixSeconds(WorldTime() + seconds);
  };
  CrlSourceStatus complete;
  complete.source = world_.Path("crls/world.crl");
  complete.last_attempt = time(-10);
  complete.last_success = time(-70);
  complete.next_attempt = time(50);
  complete.last_error = "cannot stat: gone";
  CrlSourceStatus delta;  // never asked, and not by schedule
  delta.source = world_.Path("crls/delta.crl");
  const std::vector<CrlSourceStatus> sources = {complete, delta};
  const Partitions both = PartitionsAt(SignatureProfile(), 0, sources);
  ASSERT_EQ(both.size(), 2);
  EXPECT_EQ(both[0].source(), complete.source);
  EXPECT_EQ(both[0].last_attempt().seconds(), WorldTime() - 10);
  EXPECT_EQ(both[0].last_success().seconds(), WorldTime() - 70);
  EXPECT_EQ(both[0].next_attempt().seconds(), WorldTime() + 50);
  EXPECT_EQ(both[0].last_error(), "cannot stat: gone");
  EXPECT_EQ(both[1].source(), delta.source);
  EXPECT_FALSE(both[1].has_last_attempt());
  EXPECT_FALSE(both[1].has_last_success());
  EXPECT_FALSE(both[1].has_next_attempt());
  EXPECT_EQ(both[1].last_error(), "");

  google::protobuf::RepeatedPtrField<v1::CrlSourceStatus> places;
  ReportSources(sources, &places);
  ASSERT_EQ(places.size(), 2);
  EXPECT_EQ(places[0].last_attempt().seconds(), WorldTime() - 10);
  EXPECT_EQ(places[0].last_success().seconds(), WorldTime() - 70);
  EXPECT_EQ(places[0].next_attempt().seconds(), WorldTime() + 50);
  EXPECT_EQ(places[0].last_error(), "cannot stat: gone");
  EXPECT_FALSE(places[1].has_last_attempt());
}

// The second in which `what` was called, or one of those until it returned.
MATCHER_P2(Within, begin, end, "") {
  return arg.seconds() >= absl::ToUnixSeconds(begin) &&
         arg.seconds() <= absl::ToUnixSeconds(end);
}

TEST_F(StatusReportTest, ARunningServerSaysWhenAFileWentBad) {
  const absl::Time started = absl::Now();
  const auto server = world_.StartServer();
  auto client =
      Client::Connect({.target = absl::StrCat("127.0.0.1:", server->port())});
  auto status = client->GetStatus();
  absl::Time asked = absl::Now();
  ASSERT_TRUE(status.ok()) << status.status();
  ASSERT_EQ(status->partitions_size(), 1);
  v1::CrlPartitionStatus one = status->partitions(0);
  EXPECT_THAT(one.last_attempt(), Within(started, asked));
  EXPECT_THAT(one.last_success(), Within(started, asked));
  EXPECT_EQ(one.last_error(), "");
  EXPECT_GT(one.next_attempt().seconds(), absl::ToUnixSeconds(started));
  // By today's clock: the world's CRL is of the past.
  const int64_t now = absl::ToUnixSeconds(asked);
  const int64_t seconds = now - absl::ToUnixSeconds(started);
  EXPECT_LE(one.age().seconds(), now - one.this_update().seconds());
  EXPECT_GE(one.age().seconds(), now - one.this_update().seconds() - seconds);
  EXPECT_LT(one.time_to_next_update().seconds(), -kDay);

  // In a later second.
  while (absl::ToUnixSeconds(absl::Now()) == now) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  const absl::Time broken = absl::Now();
  world_.Write("crls/world.crl", "no CRL any more");
  const absl::Time written = absl::Now();
  ASSERT_TRUE(server->keeper().Refresh().ok());
  status = client->GetStatus();
  asked = absl::Now();
  ASSERT_TRUE(status.ok()) << status.status();
  ASSERT_EQ(status->partitions_size(), 1);
  one = status->partitions(0);
  EXPECT_EQ(one.crl_number(), "07");
  EXPECT_THAT(one.last_attempt(), Within(broken, asked));
  EXPECT_THAT(one.last_success(), Within(started, written));
  EXPECT_THAT(one.last_error(), HasSubstr("certificateList"));
  ASSERT_EQ(status->sources_size(), 1);
  EXPECT_EQ(status->sources(0).last_error(), one.last_error());
  EXPECT_EQ(status->sources(0).last_success().seconds(),
            one.last_success().seconds());
  EXPECT_TRUE(status->sources(0).in_use());
  EXPECT_GE(status->sources(0).failures_total(), 1U);
}

}  // namespace
}  // namespace inkan
