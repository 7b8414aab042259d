// What GetStatus says of CRLs and of the places they come from, and when: by a
// clock of the test's own, then of files that a keeper follows.
#include "server/status_report.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/lab_world.h"
#include "tests/support/temp_folder.h"

namespace inkan {
namespace {

using ::testing::HasSubstr;
using testing_world::CaDer;
using testing_world::CrlFor;
using testing_world::KeyOf;

const int64_t kNow = lab::UtcSeconds(2026, 3, 15, 12);
constexpr int64_t kHour = 3600;
constexpr int64_t kDay = 24 * kHour;
using Partitions = google::protobuf::RepeatedPtrField<v1::CrlPartitionStatus>;

// A complete CRL of half a day before kNow to one day after it; a delta of a
// quarter of a day before to two days after.
class StatusReportTest : public ::testing::Test {
 protected:
  StatusReportTest() {
    folder_.Write("complete.crl", CrlFor("Kyoto", 7)
                                      .this_update(kNow - kDay / 2)
                                      .next_update(kNow + kDay)
                                      .Sign(KeyOf("ca")));
  }
  void AddDelta() {
    folder_.Write("delta.crl", CrlFor("Kyoto", 8)
                                   .this_update(kNow - kDay / 4)
                                   .next_update(kNow + 2 * kDay)
                                   .add(lab::extension::DeltaCrlIndicator(7))
                                   .Sign(KeyOf("ca")));
  }
  std::unique_ptr<SnapshotKeeper> KeeperOf(const Profile& profile) const {
    SnapshotOptions options;
    options.profiles.push_back(profile);
    options.crl_sources.push_back({CrlSourceOptions::Kind::kDirectory,
                                   folder_.path(), absl::Seconds(90)});
    auto keeper = SnapshotKeeper::Start(std::move(options), /*watch=*/false);
    EXPECT_TRUE(keeper.ok()) << keeper.status();
    return *std::move(keeper);
  }
  // Of the profile, at `seconds` after kNow.
  Partitions PartitionsAt(const Profile& profile, int64_t seconds,
                          const std::vector<CrlSourceStatus>& sources = {}) {
    const auto keeper = KeeperOf(profile);
    Partitions partitions;
    ReportPartitions(*keeper->Current(), sources,
                     absl::FromUnixSeconds(kNow + seconds), &partitions);
    return partitions;
  }
  Profile SignatureProfile() const {
    Profile profile;
    profile.name = "signature";
    profile.anchors.push_back({"ca.cer", CaDer("ca")});
    return profile;
  }

  testing_world::TempFolder folder_;
};

TEST_F(StatusReportTest, AgeAndTimeToNextUpdateAreOfTheClockGiven) {
  const Profile profile = SignatureProfile();
  const auto at = [&](int64_t seconds) {
    const Partitions partitions = PartitionsAt(profile, seconds);
    EXPECT_EQ(partitions.size(), 1);
    return partitions[0];
  };
  const v1::CrlPartitionStatus now = at(0);
  EXPECT_EQ(now.this_update().seconds(), kNow - kDay / 2);
  EXPECT_EQ(now.next_update().seconds(), kNow + kDay);
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
      at.push_back(one.stale_at().seconds() - kNow);
    }
    return at;
  };
  using ::testing::ElementsAre;
  EXPECT_THAT(stale_at(0, std::nullopt), ElementsAre(kDay));
  EXPECT_THAT(stale_at(kHour, std::nullopt), ElementsAre(kDay + kHour));
  EXPECT_THAT(stale_at(kHour, kDay), ElementsAre(kDay / 2));
  EXPECT_THAT(stale_at(0, 5 * kDay), ElementsAre(kDay));
  // A delta renews its complete CRL: both are believed as long.
  AddDelta();
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
  AddDelta();
  const auto time = [](int64_t seconds) {
    return absl::FromUnixSeconds(kNow + seconds);
  };
  CrlSourceStatus complete;
  complete.source = folder_.path() + "/complete.crl";
  complete.last_attempt = time(-10);
  complete.last_success = time(-70);
  complete.next_attempt = time(50);
  complete.last_error = "cannot stat: gone";
  CrlSourceStatus delta;  // never asked, and not by schedule
  delta.source = folder_.path() + "/delta.crl";
  const std::vector<CrlSourceStatus> sources = {complete, delta};
  const Partitions both = PartitionsAt(SignatureProfile(), 0, sources);
  ASSERT_EQ(both.size(), 2);
  EXPECT_EQ(both[0].source(), complete.source);
  EXPECT_EQ(both[0].last_attempt().seconds(), kNow - 10);
  EXPECT_EQ(both[0].last_success().seconds(), kNow - 70);
  EXPECT_EQ(both[0].next_attempt().seconds(), kNow + 50);
  EXPECT_EQ(both[0].last_error(), "cannot stat: gone");
  EXPECT_EQ(both[1].source(), delta.source);
  EXPECT_FALSE(both[1].has_last_attempt());
  EXPECT_FALSE(both[1].has_last_success());
  EXPECT_FALSE(both[1].has_next_attempt());
  EXPECT_EQ(both[1].last_error(), "");

  google::protobuf::RepeatedPtrField<v1::CrlSourceStatus> places;
  ReportSources(sources, &places);
  ASSERT_EQ(places.size(), 2);
  EXPECT_EQ(places[0].last_attempt().seconds(), kNow - 10);
  EXPECT_EQ(places[0].last_success().seconds(), kNow - 70);
  EXPECT_EQ(places[0].next_attempt().seconds(), kNow + 50);
  EXPECT_EQ(places[0].last_error(), "cannot stat: gone");
  EXPECT_FALSE(places[1].has_last_attempt());
}

// The second in which `what` was called, or one of those until it returned.
MATCHER_P2(Within, begin, end, "") {
  return arg.seconds() >= absl::ToUnixSeconds(begin) &&
         arg.seconds() <= absl::ToUnixSeconds(end);
}

TEST_F(StatusReportTest, AFileThatWentBadSaysSince) {
  const auto report = [](const SnapshotKeeper& keeper) {
    Partitions partitions;
    ReportPartitions(*keeper.Current(), keeper.source_statuses(), absl::Now(),
                     &partitions);
    EXPECT_EQ(partitions.size(), 1);
    return partitions[0];
  };
  const absl::Time started = absl::Now();
  const auto keeper = KeeperOf(SignatureProfile());
  const absl::Time read = absl::Now();
  v1::CrlPartitionStatus one = report(*keeper);
  EXPECT_THAT(one.last_attempt(), Within(started, read));
  EXPECT_THAT(one.last_success(), Within(started, read));
  EXPECT_EQ(one.last_error(), "");
  // By poll_interval.
  EXPECT_THAT(one.next_attempt(),
              Within(started + absl::Seconds(90), read + absl::Seconds(90)));

  // In a later second.
  while (absl::ToUnixSeconds(absl::Now()) == absl::ToUnixSeconds(read)) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  folder_.Write("complete.crl", "no CRL any more");
  const absl::Time broken = absl::Now();
  ASSERT_TRUE(keeper->Refresh().ok());
  const absl::Time looked = absl::Now();
  one = report(*keeper);
  EXPECT_EQ(one.crl_number(), "07");
  EXPECT_THAT(one.last_attempt(), Within(broken, looked));
  EXPECT_THAT(one.last_success(), Within(started, read));
  EXPECT_THAT(one.last_error(), HasSubstr("certificateList"));
  const std::vector<CrlSourceStatus> places = keeper->source_statuses();
  ASSERT_EQ(places.size(), 1U);
  EXPECT_EQ(places[0].last_error, one.last_error());
  EXPECT_TRUE(places[0].in_use);
  EXPECT_EQ(places[0].failures_total, 1U);
  ASSERT_EQ(keeper->source_errors().size(), 1U);
  const CrlSourceError error = keeper->source_errors()[0];
  EXPECT_EQ(error.last_attempt, places[0].last_attempt);
  EXPECT_TRUE(error.last_good_in_use);
}

}  // namespace
}  // namespace inkan
