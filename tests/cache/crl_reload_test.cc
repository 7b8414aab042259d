// Sources on the network that a new configuration leaves out, moves or changes.
#include <atomic>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/cache/network_keeper.h"

namespace inkan {
namespace {

using lab::UtcSeconds;
using testing::HasSubstr;
using testing_world::Eventually;
using testing_world::HttpReplyText;
using testing_world::Kyoto;
using testing_world::Other;
using testing_world::RawConnection;
using testing_world::RawServer;
using testing_world::TempFolder;

class CrlReload : public testing_world::NetworkKeeper {
 protected:
  void Reload() {
    const absl::Status reloaded = keeper_->Reload(options_);
    ASSERT_TRUE(reloaded.ok()) << reloaded;
  }
  // As it would be a while after this time.
  bool IsReadyAfter(int year) {
    return ReadinessAt(UtcSeconds(year, 2, 1)).ready;
  }
};

TEST_F(CrlReload, AUrlThatIsTakenOutTakesItsCrlAlong) {
  options_.profiles[0].freshness = FreshnessPolicy{/*margin=*/0};
  std::vector<std::string>& urls = options_.crl_sources[0].urls;
  urls.push_back(server_.url("/d.crl"));
  PublishTwo(Kyoto(5, true), Other("Osaka", 1, UtcSeconds(2036, 1, 1)));
  Start();
  ASSERT_TRUE(Eventually([&] { return Partitions() == 2; })) << Errors();
  EXPECT_FALSE(IsReadyAfter(2036));
  // Nobody has to be asked for it: the other one is at hand.
  CutOff();
  urls.pop_back();
  Reload();
  EXPECT_EQ(Partitions(), 1U);
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  EXPECT_TRUE(IsReadyAfter(2036));
  EXPECT_FALSE(IsReadyAfter(2040));
  // Put back it is there at once, from the disk.
  urls.push_back(server_.url("/d.crl"));
  Reload();
  EXPECT_EQ(Partitions(), 2U);
  // And with its source, whatever other sources there are.
  AddUrl("/other.crl");
  options_.crl_sources.erase(options_.crl_sources.begin());
  server_.Handle([](RawConnection& c) {
    c.ReadHead();
    c.Send(HttpReplyText("404 Not Found", ""));
  });
  Reload();
  EXPECT_TRUE(Eventually([&] { return Partitions() == 0; })) << Errors();
  options_.crl_sources.clear();
  Reload();
  EXPECT_EQ(Errors(), "");
}

TEST_F(CrlReload, AnAddressThatChangesLeavesNoGap) {
  Publish(Kyoto(5, true));
  Start();
  ASSERT_TRUE(Becomes(RevocationStatus::kRevoked));
  std::atomic<bool> ready{false};
  server_.Handle([&ready](RawConnection& c) {
    c.ReadHead();
    while (!ready && !c.ending()) absl::SleepFor(absl::Milliseconds(5));
    c.Send(HttpReplyText("200 OK", Kyoto(6, true)));
  });
  options_.crl_sources[0].urls = {server_.url("/moved.crl")};
  const int asked = server_.connections();
  Reload();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  ASSERT_TRUE(Eventually([&] { return server_.connections() > asked; }));
  // Over another reload, too.
  Reload();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  EXPECT_EQ(Errors(), "");
  ready = true;
  EXPECT_TRUE(Eventually([&] {
    const auto crl = keeper_->Current()->Find("lab")->crls->partitions()[0].crl;
    return absl::StrContains(crl->source, "/moved.crl");
  }));
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  EXPECT_EQ(Partitions(), 1U);
  Stop();  // before `ready` goes
}

TEST_F(CrlReload, WhatTheNewAddressDoesNotHaveGoesOnceItHasSaidSo) {
  for (const char* status : {"200 OK", "404 Not Found"}) {
    SCOPED_TRACE(status);
    options_.crl_sources[0].urls = {server_.url("/a.crl")};
    Publish(Kyoto(5, true));
    Start();
    ASSERT_TRUE(Becomes(RevocationStatus::kRevoked));
    server_.Handle([status](RawConnection& c) {
      c.ReadHead();
      c.Send(HttpReplyText(status, Other()));
    });
    options_.crl_sources[0].urls = {
        server_.url(absl::StrCat("/moved-", std::string(status).substr(0, 3)))};
    Reload();
    EXPECT_TRUE(Becomes(RevocationStatus::kUnknown)) << Errors();
    EXPECT_EQ(Partitions(), std::string(status) == "200 OK" ? 1U : 0U);
  }
}

TEST_F(CrlReload, ADirectoryThatIsAskedInAnotherWayGoesOnWithWhatItGives) {
  UseDirectory();
  const std::map<std::string, std::string> entries = {{"cn=a", Kyoto(5, true)},
                                                      {"cn=b", Other("Osaka")},
                                                      {"cn=c", Other("Nara")}};
  Answer(entries);
  Start();
  ASSERT_TRUE(Eventually([&] { return Partitions() == 3; })) << Errors();
  options_.crl_sources[0].ldap.filter = "(objectClass=cRLDistributionPoint)";
  Reload();
  EXPECT_EQ(Partitions(), 3U);
  // The search itself, and what it found.
  EXPECT_TRUE(
      Eventually([&] { return keeper_->source_statuses().size() == 4; }));
  AskedAnew();
  EXPECT_EQ(Errors(), "");
  EXPECT_EQ(Partitions(), 3U);
  for (const CrlSourceStatus& status : keeper_->source_statuses()) {
    if (status.source.find("cn=") == std::string::npos) continue;
    EXPECT_TRUE(status.in_use) << status.source;
  }
  CutOff();
  Start();
  EXPECT_EQ(Partitions(), 3U);
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  // What the new question does not find goes.
  options_.crl_sources[0].ldap.filter = "(cn=a)";
  Answer({{"cn=a", Kyoto(5, true)}});
  Reload();
  EXPECT_TRUE(Eventually([&] { return Partitions() == 1; })) << Errors();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
}

TEST_F(CrlReload, AnotherStateDirectoryIsRefusedAndNothingChanges) {
  Publish(Kyoto(5, true));
  Start();
  ASSERT_TRUE(Becomes(RevocationStatus::kRevoked));
  const auto before = keeper_->Current();
  const TempFolder elsewhere;
  for (const std::string& folder : {elsewhere.path(), std::string()}) {
    SnapshotOptions other = options_;
    other.state_directory = folder;
    other.profiles[0].crl_grace = 7;
    if (folder.empty()) other.crl_sources.clear();
    const absl::Status refused = keeper_->Reload(other);
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(refused.message()),
                testing::AllOf(HasSubstr("state_directory: is "),
                               HasSubstr(state_.path()), HasSubstr("restart")));
    EXPECT_EQ(keeper_->Current()->Find("lab")->profile->crl_grace, 0);
  }
  EXPECT_EQ(keeper_->Current(), before);
  EXPECT_EQ(FilesIn(elsewhere.path()).size(), 0U);
}

TEST(CrlRemote, WhatWasNotJudgedGoesWithItsSource) {
  const TempFolder folder;
  auto spool = CrlSpool::Open(folder.path());
  ASSERT_TRUE(spool.ok()) << spool.status();
  RawServer server([](RawConnection& c) {
    const bool whole = absl::StrContains(c.ReadHead(), "/whole");
    const std::string reply =
        HttpReplyText("200 OK", std::string(1000, 'x'), "ETag: \"1\"\r\n");
    c.Send(whole ? reply : reply.substr(0, reply.size() - 500));
  });
  CrlSourceOptions options;
  options.kind = CrlSourceOptions::Kind::kHttp;
  options.urls = {server.url("/whole"), server.url("/half")};
  options.schedule.retry_first = absl::Hours(1);
  const auto files = [&folder] {
    return FilesIn(folder.path() + "/spool").size();
  };
  std::atomic<int> wakes{0};
  CrlRemote remote(options, *spool, [&] { ++wakes; });
  remote.Start();
  ASSERT_TRUE(Eventually([&] { return wakes == 1; }));
  const std::vector<CrlDelivery> found = remote.Take();
  ASSERT_EQ(found.size(), 1U);
  ASSERT_TRUE(Eventually([&] {
    std::vector<CrlSourceError> errors;
    remote.AppendErrors(&errors);
    return errors.size() == 1;
  }));
  EXPECT_EQ(files(), 2U);
  remote.Stop();
  EXPECT_EQ(files(), 0U);
  // Nor is anything said about it any more.
  remote.Accept(found[0].id, found[0].sha256, CrlData());
  EXPECT_EQ(files(), 0U);
}

TEST(CrlRemote, WhatIsKeptStaysWhenItsSourceGoes) {
  const TempFolder folder;
  auto spool = CrlSpool::Open(folder.path());
  ASSERT_TRUE(spool.ok()) << spool.status();
  std::atomic<bool> changed{false};
  RawServer server([&changed](RawConnection& c) {
    c.ReadHead();
    c.Send(HttpReplyText("200 OK", changed ? "two" : "one"));
  });
  CrlSourceOptions options;
  options.kind = CrlSourceOptions::Kind::kHttp;
  options.urls = {server.url()};
  options.schedule.poll_interval = absl::Milliseconds(100);
  std::atomic<int> wakes{0};
  CrlRemote remote(options, *spool, [&] { ++wakes; });
  remote.Start();
  ASSERT_TRUE(Eventually([&] { return wakes == 1; }));
  std::vector<CrlDelivery> found = remote.Take();
  ASSERT_EQ(found.size(), 1U);
  const std::string id = found[0].id;
  const FileDigest kept = found[0].sha256;
  remote.Accept(id, kept, CrlData());
  changed = true;
  ASSERT_TRUE(Eventually([&] { return wakes == 2; }));
  remote.Stop();
  EXPECT_TRUE((*spool)->IsIntact(id, kept));
  EXPECT_EQ(FilesIn(folder.path() + "/spool").size(), 2U);  // and its record
}

}  // namespace
}  // namespace inkan
