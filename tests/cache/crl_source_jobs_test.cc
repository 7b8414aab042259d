// What a source on the network remembers of its places (RemoteJobs), what it
// keeps on disk (CrlSpool), and when it asks (the schedule).
#include "cache/crl_source_jobs.h"

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cache/crl_schedule.h"
#include "cache/crl_source_remote.h"
#include "cache/crl_spool.h"
#include "crypto/digest.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace inkan {
namespace {

namespace fs = std::filesystem;
using testing::IsEmpty;
using testing_world::TempFolder;

TEST(RemoteJobs, OnlyWhatIsSupersededAndGoneFromAWholeAnswerIsForgotten) {
  CrlSourceOptions options;
  options.kind = CrlSourceOptions::Kind::kLdap;
  RemoteJobs jobs(options);
  const size_t job = jobs.AddJob("place", "claim");
  for (const char* id : {"released", "superseded", "refused", "unwanted"}) {
    SpoolRecord record;
    record.place = id;
    jobs.AddItem(id, id, job, record);
  }
  for (const RemoteItem& item : jobs.TakeCandidates(9)) {
    RemoteJobs::Judgement judgement;
    judgement.used = item.id == "released" || item.id == "superseded";
    judgement.superseded = item.id == "refused";
    jobs.Judge(item.id, FileDigest(), judgement);
  }
  const auto forgotten = [&](const absl::flat_hash_set<std::string>& found,
                             bool whole) {
    std::vector<std::string> ids;
    for (const CrlSpool::Held& held : jobs.MarkGone(job, found, whole)) {
      EXPECT_EQ(held.record.place, held.id);
      EXPECT_FALSE(jobs.Find(held.id).has_value());
      ids.push_back(held.id);
    }
    return ids;
  };
  jobs.Release("released", /*superseded=*/false);
  EXPECT_THAT(forgotten({}, false), IsEmpty());
  EXPECT_THAT(forgotten({"refused"}, true), IsEmpty());
  EXPECT_THAT(forgotten({}, true), testing::ElementsAre("refused"));
  jobs.Release("superseded", /*superseded=*/true);
  EXPECT_THAT(forgotten({}, false), IsEmpty());
  EXPECT_THAT(forgotten({}, true), testing::ElementsAre("superseded"));
  EXPECT_THAT(forgotten({}, true), IsEmpty());
}

TEST(RemoteJobs, WhatReplacesACandidateIsJudgedInItsPlace) {
  CrlSourceOptions options;
  options.kind = CrlSourceOptions::Kind::kLdap;
  options.schedule.poll_interval = absl::Milliseconds(1);
  RemoteJobs jobs(options);
  const size_t job = jobs.AddJob("place", "claim");
  ASSERT_TRUE(jobs.Next().has_value());
  RemoteCandidate a;
  a.sha256 = {1};
  RemoteCandidate b;
  b.sha256 = {2};
  const auto deliver = [&](const RemoteCandidate& candidate) {
    return jobs.Deliver("id", "place", job, candidate);
  };
  EXPECT_EQ(deliver(a), std::nullopt);
  // Not before the fetch is over.
  EXPECT_TRUE(jobs.TakeCandidates(9).empty());
  EXPECT_EQ(jobs.queued(), 0U);
  EXPECT_EQ(deliver(b), a.sha256);
  EXPECT_EQ(deliver(b), b.sha256);
  RemoteJobs::Judgement good;
  good.used = true;
  EXPECT_FALSE(jobs.Judge("id", a.sha256, good).release);
  EXPECT_FALSE(jobs.Find("id")->good);
  EXPECT_TRUE(jobs.EndFetch(job, "", std::nullopt, 0));
  EXPECT_EQ(jobs.queued(), 1U);
  const auto taken = jobs.TakeCandidates(9);
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken[0].candidate->sha256, b.sha256);
  EXPECT_TRUE(jobs.Judge("id", b.sha256, good).release);
  EXPECT_TRUE(jobs.Find("id")->good);
  EXPECT_TRUE(jobs.Next().has_value());
}

// One item of one job, with a record, that was refused at the start.
struct RefusedRecord {
  explicit RefusedRecord(absl::Duration retry) : jobs(Options(retry)) {
    record.sha256 = {1};
    jobs.AddItem("id", "place", jobs.AddJob("place", "id"), record);
    EXPECT_EQ(jobs.TakeCandidates(9).size(), 1U);
    EXPECT_FALSE(Refuse(record.sha256, "not yet").release);
    EXPECT_TRUE(jobs.Next().has_value());
  }
  static CrlSourceOptions Options(absl::Duration retry) {
    CrlSourceOptions options;
    options.kind = CrlSourceOptions::Kind::kHttp;
    options.schedule.retry_first = options.schedule.retry_max = retry;
    return options;
  }
  RemoteJobs::Consequence Refuse(const FileDigest& sha256, std::string why) {
    RemoteJobs::Judgement judgement;
    judgement.error = std::move(why);
    return jobs.Judge("id", sha256, judgement);
  }
  RemoteJobs::Consequence Use(const FileDigest& sha256) {
    RemoteJobs::Judgement judgement;
    judgement.used = true;
    return jobs.Judge("id", sha256, judgement);
  }
  CrlSourceStatus Status() {
    std::vector<CrlSourceStatus> statuses;
    jobs.AppendStatuses(&statuses);
    return statuses.at(0);
  }

  SpoolRecord record;
  RemoteJobs jobs;
};

TEST(RemoteJobs, AFailedFetchOffersTheLastGoodCrlAgainAndBacksOff) {
  RefusedRecord one(absl::Hours(1));
  EXPECT_TRUE(one.jobs.EndFetch(0, "no route", std::nullopt, 0));
  const auto taken = one.jobs.TakeCandidates(9);
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_TRUE(taken[0].candidate->from_spool);
  // Refused once more, it is not offered for ever.
  const auto consequence = one.Refuse(one.record.sha256, "not yet");
  EXPECT_TRUE(consequence.release);
  EXPECT_FALSE(consequence.more);
  EXPECT_TRUE(one.jobs.TakeCandidates(9).empty());
  EXPECT_EQ(one.Status().failures_total, 1U);
  EXPECT_EQ(one.Status().last_error, "no route");
  EXPECT_GT(one.Status().next_attempt, absl::Now() + absl::Minutes(20));
}

TEST(RemoteJobs, ARefusedNewcomerIsFollowedByTheLastGoodCrl) {
  RefusedRecord one(absl::Hours(1));
  RemoteCandidate newcomer;
  newcomer.sha256 = {2};
  one.jobs.Deliver("id", "place", 0, newcomer);
  EXPECT_TRUE(one.jobs.EndFetch(0, "", std::nullopt, 0));
  ASSERT_EQ(one.jobs.TakeCandidates(9).size(), 1U);
  const auto consequence = one.Refuse(newcomer.sha256, "forged");
  EXPECT_FALSE(consequence.release);
  EXPECT_TRUE(consequence.more);
  ASSERT_EQ(one.jobs.TakeCandidates(9).size(), 1U);
  EXPECT_TRUE(one.Use(one.record.sha256).release);
  // In use, and still said: what the place has is wrong.
  EXPECT_TRUE(one.Status().in_use);
  EXPECT_EQ(one.Status().last_error, "forged");
  EXPECT_EQ(one.Status().failures_total, 1U);
  EXPECT_GT(one.Status().next_attempt, absl::Now() + absl::Minutes(20));
}

TEST(CrlSpool, KeepsRecordsAndCleansUpWhatWasLeftHalfDone) {
  const TempFolder folder;
  const std::string id = CrlSpool::IdOf("http://host/a.crl");
  SpoolRecord record;
  record.place = "http://host/a.crl\nwith a line";
  record.source = "http";
  record.validators = {"\"v\"", "then"};
  record.fetched_at = absl::FromUnixSeconds(1234567890);
  {
    auto spool = CrlSpool::Open(folder.path());
    ASSERT_TRUE(spool.ok()) << spool.status();
    EXPECT_FALSE(CrlSpool::Open(folder.path()).ok());
    EXPECT_TRUE((*spool)->TryClaim(id));
    EXPECT_FALSE((*spool)->TryClaim(id));
    (*spool)->Release(id);
    EXPECT_TRUE((*spool)->TryClaim(id));
    std::ofstream((*spool)->PartPath(id)) << "contents";
    const auto digest = (*spool)->Finish(id);
    ASSERT_TRUE(digest.ok());
    record.sha256 = record.crl_sha256 = *digest;
    ASSERT_TRUE((*spool)->Keep(id, record, *digest).ok());
    // Fetched, and never judged.
    std::ofstream((*spool)->PartPath(id)) << "other contents";
    ASSERT_TRUE((*spool)->Finish(id).ok());
    std::ofstream((*spool)->PartPath(id)) << "half";
    // Of places that never had a good one: no record at all, and one that
    // cannot be read, which somebody may want to look at.
    const FileDigest any = record.sha256;
    std::ofstream((*spool)->CrlPath(CrlSpool::IdOf("never"), any)) << "a";
    std::ofstream((*spool)->CrlPath(CrlSpool::IdOf("torn"), any)) << "b";
    std::ofstream(folder.path() + "/spool/" + CrlSpool::IdOf("torn") + ".meta")
        << "inkan-spool";
    std::ofstream(folder.path() + "/spool/not-ours.crl") << "c";
  }
  auto spool = CrlSpool::Open(folder.path());
  ASSERT_TRUE(spool.ok());
  const auto held = (*spool)->Load(id);
  ASSERT_TRUE(held.has_value());
  EXPECT_EQ(held->record.place, record.place);
  EXPECT_EQ(held->record.validators.etag, "\"v\"");
  EXPECT_EQ(held->record.fetched_at, record.fetched_at);
  EXPECT_TRUE((*spool)->IsIntact(id, record.sha256));
  EXPECT_EQ((*spool)->LoadAll("http").size(), 1U);
  EXPECT_EQ((*spool)->LoadAll("other").size(), 0U);
  size_t files = 0;
  for (const auto& entry : fs::directory_iterator(folder.path() + "/spool")) {
    ++files;
    // Torn at every length, a record is no record.
    if (entry.path().extension() != ".meta") continue;
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    for (size_t length = 0; length < text.size(); ++length) {
      std::ofstream(entry.path(), std::ios::binary) << text.substr(0, length);
      EXPECT_FALSE((*spool)->Load(id).has_value()) << length;
    }
  }
  EXPECT_EQ(files, 5U);
  const auto there = [&](const std::string& place) {
    return fs::exists((*spool)->CrlPath(CrlSpool::IdOf(place), record.sha256));
  };
  EXPECT_FALSE(there("never"));
  EXPECT_TRUE(there("torn"));
}

TEST(CrlSpool, ForgetsRecordAndCrl) {
  const TempFolder folder;
  auto spool = CrlSpool::Open(folder.path());
  ASSERT_TRUE(spool.ok());
  std::vector<CrlSpool::Held> held;
  for (const std::string place : {"a", "b", "c"}) {
    CrlSpool::Held one;
    one.id = CrlSpool::IdOf(place);
    std::ofstream((*spool)->PartPath(one.id)) << place;
    one.record.sha256 = *(*spool)->Finish(one.id);
    ASSERT_TRUE((*spool)->Keep(one.id, one.record, one.record.sha256).ok());
    held.push_back(one);
  }
  held.pop_back();
  (*spool)->Forget(held);
  (*spool)->Forget({});
  EXPECT_EQ(FilesIn(folder.path() + "/spool").size(), 2U);
  EXPECT_FALSE((*spool)->Load(held[0].id).has_value());
  EXPECT_TRUE((*spool)->Load(CrlSpool::IdOf("c")).has_value());
}

TEST(CrlSpool, TheCrlBeforeStaysUntilTheRecordIsSynced) {
  const TempFolder folder;
  auto opened = CrlSpool::Open(folder.path());
  ASSERT_TRUE(opened.ok());
  CrlSpool& spool = **opened;
  const std::string id = CrlSpool::IdOf("place");
  const auto keep = [&](const std::string& contents, FileDigest before) {
    std::ofstream(spool.PartPath(id)) << contents;
    const auto digest = spool.Finish(id);
    EXPECT_TRUE(digest.ok());
    SpoolRecord record;
    record.sha256 = record.crl_sha256 = *digest;
    EXPECT_TRUE(spool.Keep(id, record, before).ok());
    return *digest;
  };
  const auto there = [&](const FileDigest& digest) {
    return fs::exists(spool.CrlPath(id, digest));
  };
  const FileDigest a = keep("a", FileDigest());
  const FileDigest b = keep("b", a);
  EXPECT_TRUE(there(a));
  spool.SyncKept();
  EXPECT_FALSE(there(a));
  EXPECT_TRUE(there(b));
  // One that comes back in between is not removed.
  EXPECT_EQ(keep("a", b), a);
  EXPECT_EQ(keep("b", a), b);
  spool.SyncKept();
  EXPECT_FALSE(there(a));
  EXPECT_TRUE(there(b));
  EXPECT_EQ(keep("a", b), a);
  std::ofstream(spool.PartPath(id)) << "b";
  ASSERT_TRUE(spool.Finish(id).ok());  // delivered, and not judged
  spool.SyncKept();
  EXPECT_TRUE(there(a));
  EXPECT_TRUE(there(b));
  EXPECT_EQ(spool.Load(id)->record.sha256, a);
  EXPECT_EQ(FilesIn(folder.path() + "/spool").size(), 3U);
}

TEST(CrlSchedule, AsksInTimeAndNotTooOften) {
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  CrlSchedule schedule;
  schedule.poll_interval = absl::Hours(6);
  for (const double random : {0.0, 0.5, 0.999}) {
    // Far from nextUpdate: the interval, a tenth more or less.
    CrlDates dates = {now, now + absl::Hours(48)};
    absl::Time next = NextAfterSuccess(now, schedule, dates, random);
    EXPECT_GE(next, now + absl::Hours(5));
    EXPECT_LE(next, now + absl::Hours(7));
    // A newer one is due an hour before nextUpdate.
    dates = {now - absl::Hours(45), now + absl::Hours(3)};
    next = NextAfterSuccess(now, schedule, dates, random);
    EXPECT_GE(next, now + absl::Hours(2));
    EXPECT_LE(next, now + absl::Hours(2) + absl::Minutes(1));
    // Due, or overdue: every minute.
    for (const absl::Duration left : {absl::Minutes(30), -absl::Hours(30)}) {
      dates = {now - absl::Hours(48), now + left};
      next = NextAfterSuccess(now, schedule, dates, random);
      EXPECT_GE(next, now + absl::Seconds(54));
      EXPECT_LE(next, now + absl::Seconds(66));
    }
    EXPECT_GE(NextAfterSuccess(now, schedule, CrlDates(), random),
              now + absl::Hours(5));
    // 10, 20, 40 .. 600 s, less up to half.
    for (uint32_t failures = 1; failures < 100; ++failures) {
      const absl::Duration full = std::min(
          absl::Seconds(10) * (failures < 8 ? 1 << (failures - 1) : 99),
          absl::Minutes(10));
      next = NextAfterFailure(now, schedule, failures, std::nullopt, random);
      EXPECT_GE(next, now + full / 2) << failures;
      EXPECT_LE(next, now + full) << failures;
    }
    // What the server asks for, as far as the interval goes.
    EXPECT_EQ(NextAfterFailure(now, schedule, 1, absl::Hours(1), random),
              now + absl::Hours(1));
    EXPECT_EQ(NextAfterFailure(now, schedule, 1, absl::Hours(1000), random),
              now + absl::Hours(6));
  }
}

}  // namespace
}  // namespace inkan
