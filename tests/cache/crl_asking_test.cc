// What a source asks for and when: only what is new, only the rest of what
// broke off, in time for the next CRL, and no more than is being judged.
#include <atomic>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cache/crl_source_jobs.h"
#include "tests/cache/network_keeper.h"

namespace inkan {
namespace {

using lab::UtcSeconds;
using testing_world::CrlFor;
using testing_world::Eventually;
using testing_world::HttpReplyText;
using testing_world::KeyOf;
using testing_world::Kyoto;
using testing_world::RawConnection;
using testing_world::RawServer;
using testing_world::TempFolder;

class CrlAsking : public testing_world::NetworkKeeper {
 protected:
  // Of the one URL, once it waits for its next turn.
  CrlSourceStatus Waiting() {
    CrlSourceStatus status;
    EXPECT_TRUE(Eventually([&] {
      status = keeper_->source_statuses().at(0);
      return status.attempts_total > 0 &&
             status.next_attempt < absl::InfiniteFuture();
    }));
    return status;
  }
};

TEST_F(CrlAsking, WhatIsInUseIsAskedForWithItsValidators) {
  const std::string kDate = "Mon, 01 Jan 2024 00:00:00 GMT";
  std::atomic<int> whole{0};
  std::atomic<int> not_modified{0};
  server_.Handle([&, body = Kyoto(5, true)](RawConnection& c) {
    const std::string head = c.ReadHead();
    if (absl::StrContains(head, "If-None-Match: \"5\"\r\n") &&
        absl::StrContains(head, absl::StrCat("If-Modified-Since: ", kDate))) {
      c.Send("HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n");
      ++not_modified;
      return;
    }
    ++whole;
    c.Send(HttpReplyText(
        "200 OK", body,
        absl::StrCat("ETag: \"5\"\r\nLast-Modified: ", kDate, "\r\n")));
  });
  Start();
  ASSERT_TRUE(Becomes(RevocationStatus::kRevoked));
  EXPECT_TRUE(Eventually([&] { return not_modified > 2; }));
  EXPECT_EQ(whole, 1);
  EXPECT_EQ(Errors(), "");
  // The validators are on disk, with what they are of.
  Stop();
  const int before = not_modified;
  Start();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  EXPECT_TRUE(Eventually([&] { return not_modified > before + 2; }));
  EXPECT_EQ(whole, 1);
  Stop();  // before the counters go
}

TEST_F(CrlAsking, WhatBrokeOffIsContinuedWhereItEnded) {
  std::atomic<int> begun{0};
  std::atomic<size_t> resumed_at{0};
  const std::string body = Kyoto(5, true);
  server_.Handle([&, body](RawConnection& c) {
    const std::string head = c.ReadHead();
    const size_t range = head.find("Range: bytes=");
    if (range == std::string::npos ||
        !absl::StrContains(head, "If-Range: \"5\"\r\n")) {
      // Nobody gets it in one piece.
      ++begun;
      const std::string reply =
          HttpReplyText("200 OK", body, "ETag: \"5\"\r\n");
      c.Send(reply.substr(0, reply.size() - body.size() / 2));
      return;
    }
    const size_t from =
        std::strtoul(head.c_str() + range + std::string("Range: bytes=").size(),
                     nullptr, 10);
    if (from > body.size()) return;
    resumed_at = from;
    c.Send(HttpReplyText(
        "206 Partial Content", body.substr(from),
        absl::StrCat("ETag: \"5\"\r\nContent-Range: bytes ", from, "-",
                     body.size() - 1, "/", body.size(), "\r\n")));
  });
  Start();
  EXPECT_TRUE(Becomes(RevocationStatus::kRevoked)) << Errors();
  EXPECT_GT(resumed_at, 0U);
  EXPECT_LE(resumed_at, body.size() - body.size() / 2);
  Stop();  // before the counters go
}

TEST_F(CrlAsking, ANewerOneIsAskedForBeforeTheOneInUseEnds) {
  CrlSchedule& schedule = options_.crl_sources[0].schedule;
  schedule.poll_interval = absl::Hours(24);
  const absl::Time now = absl::Now();
  const auto crl = [now](absl::Duration left) {
    return CrlFor("Kyoto", 5)
        .this_update(absl::ToUnixSeconds(now - absl::Hours(45)))
        .next_update(absl::ToUnixSeconds(now + left))
        .Sign(KeyOf("ca"));
  };
  // Due an hour before its end.
  Publish(crl(absl::Hours(3)));
  Start();
  ASSERT_TRUE(Eventually([&] { return Partitions() == 1; })) << Errors();
  absl::Time next = Waiting().next_attempt;
  EXPECT_GE(next, now + absl::Hours(2) - absl::Minutes(1));
  EXPECT_LE(next, now + absl::Hours(2) + absl::Minutes(10));
  // One that ends later than that is not asked about before the interval is
  // over.
  Stop();
  std::filesystem::remove_all(state_.path());
  Publish(crl(absl::Hours(300)));
  Start();
  ASSERT_TRUE(Eventually([&] { return Partitions() == 1; })) << Errors();
  next = Waiting().next_attempt;
  EXPECT_GE(next, now + absl::Hours(21));
}

TEST_F(CrlAsking, APlaceThatAsksForTimeGetsIt) {
  options_.crl_sources[0].schedule.poll_interval = absl::Hours(24);
  server_.Handle([](RawConnection& c) {
    c.ReadHead();
    c.Send(HttpReplyText("503 Busy", "", "Retry-After: 7200\r\n"));
  });
  const absl::Time now = absl::Now();
  Start();
  EXPECT_TRUE(ErrorComes("503")) << Errors();
  const absl::Time next = Waiting().next_attempt;
  EXPECT_GE(next, now + absl::Hours(2) - absl::Minutes(1));
  EXPECT_LE(next, now + absl::Hours(2) + absl::Minutes(10));
}

TEST(CrlRemote, NoMoreIsFetchedThanIsBeingJudged) {
  const TempFolder folder;
  auto spool = CrlSpool::Open(folder.path());
  ASSERT_TRUE(spool.ok()) << spool.status();
  constexpr size_t kBytes = 5000;
  RawServer server([](RawConnection& c) {
    const std::string head = c.ReadHead();
    std::string body = head.substr(0, head.find("\r\n"));
    body.resize(kBytes, 'x');
    c.Send(HttpReplyText("200 OK", body));
  });
  CrlSourceOptions options;
  options.kind = CrlSourceOptions::Kind::kHttp;
  for (int i = 0; i < 5; ++i) {
    options.urls.push_back(server.url(absl::StrCat("/", i)));
  }
  options.limits.bytes_max = kBytes;
  options.parallel = 1;
  std::atomic<int> wakes{0};
  CrlRemote remote(options, *spool, [&] { ++wakes; });
  remote.Start();
  // The second one is more than one CRL may be.
  ASSERT_TRUE(Eventually([&] { return wakes == 2; }));
  absl::SleepFor(absl::Milliseconds(300));
  EXPECT_EQ(server.connections(), 2);
  // Each that is judged makes room for another one.
  for (int judged = 1; judged <= 3; ++judged) {
    const std::vector<CrlDelivery> found = remote.Take(1);
    ASSERT_EQ(found.size(), 1U);
    if (judged % 2 == 0) {
      remote.Accept(found[0].id, found[0].sha256, CrlData());
    } else {
      remote.Refuse(found[0].id, found[0].sha256, "no");
    }
    EXPECT_TRUE(Eventually([&] { return wakes == 2 + judged; }));
  }
}

// Until then what went before it is in force.
TEST(RemoteJobs, NothingIsWaitedForOnceEveryPlaceIsAskedOrInUse) {
  CrlSourceOptions options;
  options.kind = CrlSourceOptions::Kind::kHttp;
  RemoteJobs jobs(options);
  SpoolRecord record;
  const size_t a = jobs.AddJob("a", "a");
  jobs.AddItem("a", "a", a, record);
  const size_t b = jobs.AddJob("b", "b");
  jobs.AddItem("b", "b", b, std::nullopt);
  // What has lost its place does not stand in for what is there.
  record.displaced_from = "b";
  jobs.AddItem("was b", "b", b, record);
  EXPECT_FALSE(jobs.HasAsked());
  RemoteJobs::Judgement used;
  used.used = true;
  for (const RemoteItem& item : jobs.TakeCandidates(9)) {
    jobs.Judge(item.id, FileDigest(), used);
  }
  EXPECT_FALSE(jobs.HasAsked());
  jobs.Release("a", /*superseded=*/false);
  ASSERT_TRUE(jobs.Next().has_value());
  ASSERT_TRUE(jobs.Next().has_value());
  jobs.EndFetch(b, "no route", std::nullopt, 0);
  EXPECT_FALSE(jobs.HasAsked());
  RemoteCandidate news;
  news.sha256 = {1};
  jobs.Deliver("a", "a", a, news);
  jobs.EndFetch(a, "", std::nullopt, 0);
  EXPECT_FALSE(jobs.HasAsked());  // not judged yet
  jobs.Judge("a", news.sha256, used);
  EXPECT_TRUE(jobs.HasAsked());
}

TEST(RemoteJobs, PartsTogetherTakeNoMoreThanOneCrlMay) {
  CrlSourceOptions options;
  options.kind = CrlSourceOptions::Kind::kHttp;
  options.limits.bytes_max = 100;
  RemoteJobs jobs(options);
  for (const char* id : {"a", "b"}) {
    jobs.AddItem(id, id, jobs.AddJob(id, id), std::nullopt);
  }
  const HttpValidators version = {"\"1\"", ""};
  EXPECT_TRUE(jobs.SetPartial("a", version, 60));
  EXPECT_FALSE(jobs.SetPartial("b", version, 41));
  EXPECT_TRUE(jobs.Find("b")->partial.empty());
  EXPECT_TRUE(jobs.SetPartial("b", version, 40));
  // Each counts once, and as long as it is there.
  EXPECT_TRUE(jobs.SetPartial("a", version, 60));
  EXPECT_FALSE(jobs.SetPartial("a", HttpValidators(), 0));
  EXPECT_TRUE(jobs.SetPartial("b", version, 100));
  EXPECT_EQ(jobs.TakeLeftovers().parts, std::vector<std::string>{"b"});
  EXPECT_TRUE(jobs.SetPartial("a", version, 100));
}

}  // namespace
}  // namespace inkan
