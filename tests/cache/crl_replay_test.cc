// What a server on the network, or whoever sits in between, can do with genuine
// CRLs of other partitions and of other days: nothing older than what was in
// force comes into force, over restarts too.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "crypto/digest.h"
#include "tests/cache/network_keeper.h"

namespace inkan {
namespace {

namespace fs = std::filesystem;
using lab::UtcSeconds;
using testing::HasSubstr;
using testing_world::CrlFor;
using testing_world::DeltaDer;
using testing_world::Eventually;
using testing_world::HttpReplyText;
using testing_world::KeyOf;
using testing_world::Kyoto;
using testing_world::LdapEntry;
using testing_world::LdapResult;
using testing_world::Other;
using testing_world::RawConnection;
using testing_world::Revoked;
using testing_world::TempFolder;

class CrlReplay : public testing_world::NetworkKeeper {};

TEST_F(CrlReplay, WhatLostItsPlaceComesBackAfterARestartAndIsNotSetBack) {
  Publish(Kyoto(5, true));
  Start();
  ASSERT_TRUE(Becomes(RevocationStatus::kRevoked));
  Publish(Other());
  ASSERT_TRUE(ErrorComes("another partition"));
  ASSERT_EQ(Partitions(), 2U);
  CutOff();
  for (int restart = 0; restart < 2; ++restart) {
    Start();
    EXPECT_EQ(Status(), RevocationStatus::kRevoked);  // from disk, at once
    EXPECT_EQ(Partitions(), 2U);
    EXPECT_TRUE(AnyError("another partition")) << Errors();
  }
  Publish(Kyoto(4, false));
  Start();
  EXPECT_TRUE(ErrorComes("older")) << Errors();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  // Nor as another source, of a new configuration.
  options_.crl_sources[0].limits.connect_timeout = absl::Seconds(7);
  ASSERT_TRUE(keeper_->Reload(options_).ok());
  AskedAnew();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  // A newer one ends it, and what lost its place goes from the disk.
  Publish(Kyoto(6, false));
  EXPECT_TRUE(Becomes(RevocationStatus::kGood));
  EXPECT_EQ(Partitions(), 2U);  // Osaka's has lost its place now
  EXPECT_TRUE(Eventually([&] { return Spooled(".meta").size() == 2; }));
  EXPECT_TRUE(Eventually([&] { return Spooled(".crl").size() == 2; }));
  CutOff();
  Start();
  EXPECT_EQ(Status(), RevocationStatus::kGood);
  EXPECT_EQ(Partitions(), 2U);
}

TEST_F(CrlReplay, ADeltaAtTheBasesPlaceOpensNoWayBackOverARestart) {
  Publish(Kyoto(5, false));
  Start();
  ASSERT_TRUE(Becomes(RevocationStatus::kGood));
  Publish(DeltaDer(7, 5));
  ASSERT_TRUE(Becomes(RevocationStatus::kRevoked));
  CutOff();
  Start();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  Publish(Kyoto(4, false));
  Start();
  EXPECT_TRUE(ErrorComes("older")) << Errors();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  // The other way round: the delta gives its place to an older delta.
  Publish(CrlFor("Kyoto", 6)
              .this_update(UtcSeconds(2024, 1, 2))
              .next_update(UtcSeconds(2040, 1, 1))
              .add(lab::extension::DeltaCrlIndicator(4))
              .Sign(KeyOf("ca")));
  Start();
  EXPECT_TRUE(ErrorComes("older")) << Errors();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
}

// A delta of Kyoto's fifth CRL that lists serial 7 and ends at `next_update`.
std::string Delta(uint64_t number, int64_t next_update) {
  return CrlFor("Kyoto", number)
      .this_update(UtcSeconds(2024, 1, 2))
      .next_update(next_update)
      .add(lab::extension::DeltaCrlIndicator(5))
      .revoke(Revoked(7, UtcSeconds(2023, 1, 1)))
      .Sign(KeyOf("ca"));
}

// The complete CRL says nothing about what a delta revoked: without that delta
// nothing is good.
TEST_F(CrlReplay, WithoutTheDeltaThatWasInForceNothingIsGood) {
  AddUrl("/d.crl");
  PublishTwo(Kyoto(5, false), Delta(7, UtcSeconds(2040, 1, 1)));
  Start();
  ASSERT_TRUE(Becomes(RevocationStatus::kRevoked));
  Stop();
  // Its copy is lost, and its place gives an older one, or none.
  for (const fs::path& path : Spooled(".crl")) {
    std::ifstream in(path);
    const std::string octets{std::istreambuf_iterator<char>(in), {}};
    if (octets == Delta(7, UtcSeconds(2040, 1, 1))) fs::remove(path);
  }
  ASSERT_EQ(Spooled(".crl").size(), 1U);
  for (const std::string& instead :
       {std::string(), Delta(6, UtcSeconds(2040, 1, 1))}) {
    PublishTwo(Kyoto(5, false), instead);
    Start();
    EXPECT_EQ(Status(), RevocationStatus::kUnknown);
    AskedAnew();
    EXPECT_EQ(Status(), RevocationStatus::kUnknown);
    EXPECT_EQ(ReadinessAt(UtcSeconds(2026, 3, 16)).stale_partitions, 1U);
  }
  // One as new brings it back; a complete CRL made later needs none.
  PublishTwo(Kyoto(5, false), Delta(8, UtcSeconds(2040, 1, 1)));
  EXPECT_TRUE(Becomes(RevocationStatus::kRevoked));
  PublishTwo(CrlFor("Kyoto", 9)
                 .this_update(UtcSeconds(2024, 1, 3))
                 .next_update(UtcSeconds(2040, 1, 1))
                 .Sign(KeyOf("ca")),
             "");
  EXPECT_TRUE(Becomes(RevocationStatus::kGood));
}

TEST_F(CrlReplay, ADeltaThatLostItsPlaceStaysAfterItsEnd) {
  AddUrl("/d.crl");
  const int64_t end = absl::ToUnixSeconds(absl::Now()) + 3;
  PublishTwo(Kyoto(5, false), Delta(7, end));
  Start();
  ASSERT_TRUE(Becomes(RevocationStatus::kRevoked));
  PublishTwo(Kyoto(5, false), Other());
  ASSERT_TRUE(ErrorComes("another partition")) << Errors();
  ASSERT_TRUE(
      Eventually([&] { return absl::ToUnixSeconds(absl::Now()) > end + 1; }));
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(keeper_->Refresh().ok());
    EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  }
  Start();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
}

TEST_F(CrlReplay, APlaceKeepsSoManyPartitionsOnDiskAndTheFirstOfAll) {
  Publish(Kyoto(5, true));
  Start();
  ASSERT_TRUE(Becomes(RevocationStatus::kRevoked));
  const size_t others = CrlRemote::kDisplacedMax + 3;
  for (size_t i = 1; i <= others; ++i) {
    Publish(Other(absl::StrCat("Town ", i)));
    ASSERT_TRUE(Eventually([&] { return Partitions() == i + 1; })) << Errors();
  }
  EXPECT_TRUE(ErrorComes("cannot both be kept")) << Errors();
  EXPECT_EQ(Spooled(".meta").size(), CrlRemote::kDisplacedMax + 1);
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  CutOff();
  Start();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  EXPECT_EQ(Partitions(), CrlRemote::kDisplacedMax + 1);
  // Of what could not be kept nothing older is taken either.
  Publish(Other(absl::StrCat("Town ", others), 0));
  Start();
  EXPECT_TRUE(ErrorComes("in force before")) << Errors();
  EXPECT_EQ(Partitions(), CrlRemote::kDisplacedMax + 1);
}

TEST_F(CrlReplay, WhatGoesBackAndForthAddsUpToNothing) {
  Publish(Kyoto(5, true));
  Start();
  ASSERT_TRUE(Becomes(RevocationStatus::kRevoked));
  std::atomic<int> asked{0};
  server_.Handle(
      [&asked, one = Kyoto(5, true), two = Other()](RawConnection& c) {
        c.ReadHead();
        c.Send(HttpReplyText("200 OK", asked++ % 2 == 0 ? two : one));
      });
  EXPECT_TRUE(Eventually([&] { return asked > 9; }));
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  EXPECT_EQ(Partitions(), 2U);
  Stop();
  EXPECT_LE(Spooled(".meta").size(), 2U);
  CutOff();
  Start();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  EXPECT_EQ(Partitions(), 2U);
  EXPECT_EQ(Spooled(".crl").size(), 2U);
}

TEST_F(CrlReplay, WhatHasLostItsPlaceGoesWhenItHasEnded) {
  Publish(Other("Osaka", 2, absl::ToUnixSeconds(absl::Now()) + 3));
  Start();
  ASSERT_TRUE(Eventually([&] { return Partitions() == 1; }));
  Publish(Kyoto(5, true));
  ASSERT_TRUE(Becomes(RevocationStatus::kRevoked));
  EXPECT_TRUE(Eventually([&] {
    EXPECT_TRUE(keeper_->Refresh().ok());
    return Partitions() == 1 && Errors().empty();
  })) << Errors();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  EXPECT_EQ(Spooled(".meta").size(), 1U);
  EXPECT_EQ(Spooled(".crl").size(), 1U);
  // Nothing older comes in its stead.
  Publish(Other("Osaka", 1));
  EXPECT_TRUE(ErrorComes("in force before")) << Errors();
  EXPECT_EQ(Partitions(), 1U);
}

TEST_F(CrlReplay, AClockThatIsBehindMakesNoWayForAnOlderCrl) {
  const int64_t later = absl::ToUnixSeconds(absl::Now()) + 3600;
  const std::string crl = CrlFor("Kyoto", 5)
                              .this_update(later)
                              .next_update(later + 86400)
                              .revoke(Revoked(7, UtcSeconds(2023, 1, 1)))
                              .Sign(KeyOf("ca"));
  {
    auto spool = CrlSpool::Open(state_.path());
    ASSERT_TRUE(spool.ok()) << spool.status();
    SpoolRecord record;
    record.place = server_.url();
    record.source = "http";
    record.sha256 = record.crl_sha256 = Sha256(AsBytes(crl));
    const std::string id = CrlSpool::IdOf(server_.url());
    std::ofstream((*spool)->CrlPath(id, record.sha256)) << crl;
    ASSERT_TRUE((*spool)->Keep(id, record, record.sha256).ok());
  }
  Publish(Kyoto(4, false));
  Start();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  EXPECT_TRUE(ErrorComes("older")) << Errors();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  // What has not been in force is taken only when its time has come.
  Publish(CrlFor("Kyoto", 6)
              .this_update(later)
              .next_update(later + 86400)
              .Sign(KeyOf("ca")));
  EXPECT_TRUE(ErrorComes("future")) << Errors();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
}

TEST_F(CrlReplay, ACopyThatIsDamagedMakesNoWayForAnOlderCrl) {
  Publish(Kyoto(5, true));
  Start();
  ASSERT_TRUE(Becomes(RevocationStatus::kRevoked));
  Stop();
  ASSERT_EQ(Spooled(".crl").size(), 1U);
  std::ofstream(Spooled(".crl")[0], std::ios::binary) << "junk";
  Publish(Kyoto(4, false));
  Start();
  EXPECT_TRUE(ErrorComes("in force before")) << Errors();
  EXPECT_THAT(Errors(), HasSubstr(FloorsPath()));
  EXPECT_EQ(Status(), RevocationStatus::kUnknown);
  AskedAnew();
  EXPECT_EQ(Status(), RevocationStatus::kUnknown);
  Publish(Kyoto(5, true));
  EXPECT_TRUE(Becomes(RevocationStatus::kRevoked));
  EXPECT_TRUE(Eventually([&] { return Errors().empty(); })) << Errors();
  // Whoever has to take an older one can.
  Stop();
  fs::remove_all(state_.path() + "/spool");
  fs::remove(FloorsPath());
  Publish(Kyoto(4, false));
  Start();
  EXPECT_TRUE(Becomes(RevocationStatus::kGood));
}

TEST_F(CrlReplay, AStateDirectoryWithoutFloorsGetsThemAtTheNextStart) {
  Publish(Kyoto(5, true));
  Start();
  ASSERT_TRUE(Becomes(RevocationStatus::kRevoked));
  Stop();
  ASSERT_TRUE(fs::remove(FloorsPath()));
  Publish(Kyoto(4, false));
  Start();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  EXPECT_TRUE(fs::exists(FloorsPath()));
  // A file that is not whole is a matter for a person.
  Stop();
  std::ofstream(FloorsPath(), std::ios::binary) << "inkan-floors 1\nend 1\n";
  const auto failed = SnapshotKeeper::Start(options_);
  EXPECT_THAT(std::string(failed.status().message()),
              testing::AllOf(HasSubstr("floors"), HasSubstr("damaged")));
}

TEST_F(CrlReplay, ACopyWithoutAFloorIsReadBeforeAnyOtherIsTaken) {
  Publish(Kyoto(5, true));
  Start();
  ASSERT_TRUE(Becomes(RevocationStatus::kRevoked));
  Stop();
  // As a server from before there were floors leaves it, on a disk that has its
  // troubles.
  ASSERT_TRUE(fs::remove(FloorsPath()));
  ASSERT_EQ(Spooled(".crl").size(), 1U);
  const fs::path copy = Spooled(".crl")[0];
  fs::rename(copy, copy.string() + ".away");
  fs::create_symlink(copy, copy);
  Publish(Kyoto(4, false));
  Start();
  EXPECT_TRUE(ErrorComes("not known whether this one is older")) << Errors();
  EXPECT_EQ(Status(), RevocationStatus::kUnknown);
  fs::rename(copy.string() + ".away", copy);
  EXPECT_TRUE(Becomes(RevocationStatus::kRevoked));
  EXPECT_TRUE(ErrorComes("older than the CRL in use")) << Errors();
  // Whoever removes the copy takes what comes.
  Stop();
  ASSERT_TRUE(fs::remove(FloorsPath()));
  ASSERT_TRUE(fs::remove(copy));
  Start();
  EXPECT_TRUE(Becomes(RevocationStatus::kGood));
}

// Whatever is in it: a floor keeps out what is older than its CRL was.
TEST_F(CrlReplay, ACopyThatWasSupersededHoldsNothingUp) {
  const TempFolder folder;
  CrlSourceOptions files;
  files.kind = CrlSourceOptions::Kind::kDirectory;
  files.path = folder.path();
  options_.crl_sources.push_back(files);
  Publish(Kyoto(5, true));
  Start();
  ASSERT_TRUE(Becomes(RevocationStatus::kRevoked));
  folder.Replace("kyoto.crl", Kyoto(6, false));
  ASSERT_TRUE(Becomes(RevocationStatus::kGood));
  Stop();
  ASSERT_EQ(Spooled(".crl").size(), 1U);
  const fs::path copy = Spooled(".crl")[0];
  fs::remove(copy);
  fs::create_symlink(copy, copy);
  Publish(Kyoto(7, true));
  Start();
  EXPECT_TRUE(Becomes(RevocationStatus::kRevoked)) << Errors();
  EXPECT_FALSE(AnyError("not known whether")) << Errors();
}

TEST_F(CrlReplay, ADamagedCopyOfWhatLostItsPlaceIsNamedOnceAndForgotten) {
  Publish(Kyoto(5, true));
  Start();
  ASSERT_TRUE(Becomes(RevocationStatus::kRevoked));
  Publish(Other());
  ASSERT_TRUE(ErrorComes("another partition"));
  Stop();
  for (const fs::path& path : Spooled(".crl")) {
    std::ifstream in(path, std::ios::binary);
    const std::string octets{std::istreambuf_iterator<char>(in), {}};
    if (octets == Kyoto(5, true)) std::ofstream(path) << "junk";
  }
  ASSERT_EQ(Spooled(".meta").size(), 2U);
  CutOff();
  Start();
  EXPECT_TRUE(AnyError("lost until one as new comes")) << Errors();
  EXPECT_EQ(Partitions(), 1U);
  EXPECT_EQ(Spooled(".meta").size(), 1U);
  EXPECT_EQ(Spooled(".crl").size(), 1U);
  // Nothing older comes in its stead.
  Publish(Kyoto(4, false));
  EXPECT_TRUE(ErrorComes("in force before")) << Errors();
  EXPECT_TRUE(AnyError("lost until one as new comes")) << Errors();
  EXPECT_EQ(Status(), RevocationStatus::kUnknown);
  CutOff();
  Start();
  EXPECT_FALSE(AnyError("damaged")) << Errors();
}

TEST_F(CrlReplay, WhatCouldNotBeKeptIsNoGoodNewsAndNotSetBack) {
  server_.Handle([body = Kyoto(5, false)](RawConnection& c) {
    c.ReadHead();
    c.Send(HttpReplyText("200 OK", body, "ETag: \"5\"\r\n"));
  });
  Start();
  ASSERT_TRUE(Becomes(RevocationStatus::kGood));
  ASSERT_EQ(Spooled(".meta").size(), 1U);
  // Where the record would be written, as on a disk that is full.
  const std::string in_the_way = Spooled(".meta")[0].string() + ".tmp";
  fs::create_directory(in_the_way);
  std::ofstream(in_the_way + "/file") << "x";
  std::atomic<bool> sent{false};
  server_.Handle([&sent, body = Kyoto(6, true)](RawConnection& c) {
    if (absl::StrContains(c.ReadHead(), "If-None-Match") && sent) {
      c.Send("HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n");
    } else {
      sent = c.Send(HttpReplyText("200 OK", body, "ETag: \"6\"\r\n"));
    }
  });
  ASSERT_TRUE(Becomes(RevocationStatus::kRevoked));
  for (int look = 0; look < 3; ++look) {
    AskedAnew();
    EXPECT_TRUE(AnyError("cannot write")) << Errors();
  }
  // What the record names is not in use, though it comes again.
  Publish(Kyoto(5, false));
  EXPECT_TRUE(ErrorComes("older")) << Errors();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  Start();
  EXPECT_NE(Status(), RevocationStatus::kGood);
  AskedAnew();
  EXPECT_NE(Status(), RevocationStatus::kGood);
  EXPECT_TRUE(AnyError("in force before")) << Errors();
  fs::remove_all(in_the_way);
  Publish(Kyoto(6, true));
  EXPECT_TRUE(Becomes(RevocationStatus::kRevoked));
  EXPECT_TRUE(Eventually([&] { return Errors().empty(); })) << Errors();
  Stop();  // before `sent` goes
}

TEST_F(CrlReplay, ADirectoryMakesNothingOfOneCrlWrittenInManyWays) {
  UseDirectory();
  Answer({{"cn=a", Kyoto(5, true)}});
  Start();
  ASSERT_TRUE(Becomes(RevocationStatus::kRevoked));
  std::atomic<int> searches{0};
  server_.Handle([&searches, der = Kyoto(5, true)](RawConnection& c) {
    const std::string name = absl::StrCat("cn=b", ++searches);
    const std::string pem =
        absl::StrCat("-----BEGIN X509 CRL-----\n", absl::Base64Escape(der),
                     "\n-----END X509 CRL-----\n", name);
    c.Send(LdapEntry("cn=a", {{"certificateRevocationList;binary", {der}}}) +
           LdapEntry(name, {{"certificateRevocationList;binary", {pem}}}) +
           LdapResult());
    c.Hold();
  });
  EXPECT_TRUE(Eventually([&] { return searches > 6; }));
  EXPECT_TRUE(ErrorComes("PEM")) << Errors();
  EXPECT_EQ(Spooled(".meta").size(), 1U);
  EXPECT_LE(keeper_->source_statuses().size(), 4U);
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  Stop();  // before `searches` goes
}

TEST_F(CrlReplay, WhatIsDeadCannotComeFromADirectoryAndTurnHealthOff) {
  UseDirectory();
  options_.profiles[0].freshness = FreshnessPolicy{/*margin=*/0};
  Answer({{"cn=a", Kyoto(5, true)},
          {"cn=b", Other("Osaka", 1, UtcSeconds(2024, 1, 2))}});
  Start();
  ASSERT_TRUE(Becomes(RevocationStatus::kRevoked));
  EXPECT_TRUE(ErrorComes("has expired")) << Errors();
  EXPECT_EQ(Partitions(), 1U);
  EXPECT_TRUE(ReadinessAt(UtcSeconds(2027, 1, 1)).ready);
  // What ends later, and then is there no longer, ends unnoticed.
  Answer({{"cn=a", Kyoto(5, true)},
          {"cn=c", Other("Nara", 1, UtcSeconds(2036, 1, 1))}});
  ASSERT_TRUE(Eventually([&] { return Partitions() == 2; }));
  ASSERT_TRUE(
      Eventually([&] { return !ReadinessAt(UtcSeconds(2036, 2, 1)).ready; }));
  Answer({{"cn=a", Kyoto(5, true)}});
  EXPECT_TRUE(
      Eventually([&] { return ReadinessAt(UtcSeconds(2036, 2, 1)).ready; }));
  EXPECT_EQ(Partitions(), 2U);
  EXPECT_FALSE(ReadinessAt(UtcSeconds(2040, 2, 1)).ready);
  // Until it is back.
  Answer({{"cn=a", Kyoto(5, true)},
          {"cn=c", Other("Nara", 1, UtcSeconds(2036, 1, 1))}});
  EXPECT_TRUE(
      Eventually([&] { return !ReadinessAt(UtcSeconds(2036, 2, 1)).ready; }));
}

// In whatever order they come.
TEST_F(CrlReplay, WhatIsDeadIsSeenBesideAllThatLives) {
  UseDirectory();
  const std::string dead = Other("Osaka", 1, UtcSeconds(2024, 1, 2));
  Answer({{"cn=0", dead}, {"cn=a", Kyoto(5, true)}});
  Start();
  ASSERT_TRUE(Becomes(RevocationStatus::kRevoked));
  EXPECT_TRUE(ErrorComes("has expired")) << Errors();
  EXPECT_EQ(Partitions(), 1U);
  // Over slices, too: one CRL each.
  Stop();
  fs::remove_all(state_.path() + "/spool");
  options_.read_time_max = absl::ZeroDuration();
  Start();
  ASSERT_TRUE(Becomes(RevocationStatus::kRevoked));
  EXPECT_TRUE(ErrorComes("has expired")) << Errors();
  EXPECT_EQ(Partitions(), 1U);
  // Where nothing lives, all that is dead is taken.
  Stop();
  fs::remove_all(state_.path() + "/spool");
  Answer({{"cn=0", dead},
          {"cn=1", Other("Nara", 1, UtcSeconds(2024, 1, 2))},
          {"cn=2", Other("Kobe", 1, UtcSeconds(2024, 1, 2))}});
  Start();
  EXPECT_TRUE(Eventually([&] { return Partitions() == 3; })) << Errors();
}

TEST_F(CrlReplay, WhatHasLostItsPlaceIsNotWaitedFor) {
  options_.profiles[0].freshness = FreshnessPolicy{/*margin=*/0};
  Publish(Other("Osaka", 1, UtcSeconds(2036, 1, 1)));
  Start();
  ASSERT_TRUE(Eventually([&] { return Partitions() == 1; }));
  EXPECT_FALSE(ReadinessAt(UtcSeconds(2036, 2, 1)).ready);
  Publish(Kyoto(5, true));
  ASSERT_TRUE(Becomes(RevocationStatus::kRevoked));
  EXPECT_TRUE(
      Eventually([&] { return ReadinessAt(UtcSeconds(2036, 2, 1)).ready; }));
  EXPECT_FALSE(ReadinessAt(UtcSeconds(2040, 2, 1)).ready);
  CutOff();
  Start();
  EXPECT_EQ(Partitions(), 2U);
  EXPECT_TRUE(ReadinessAt(UtcSeconds(2036, 2, 1)).ready);
}

TEST_F(CrlReplay, NoSourceWaitsForAllThatAnotherOneHas) {
  // Each has more than is read in one slice, which is one CRL here.
  options_.read_time_max = absl::ZeroDuration();
  options_.crl_sources[0].urls.clear();
  for (int i = 0; i < 12; ++i) {
    options_.crl_sources[0].urls.push_back(
        server_.url(absl::StrCat("/town", i)));
  }
  AddUrl("/kyoto");
  std::atomic<bool> ready{false};
  std::map<std::string, std::string> bodies = {{"/kyoto", Kyoto(1, true)}};
  for (int i = 0; i < 12; ++i) {
    bodies[absl::StrCat("/town", i)] = Other(absl::StrCat("Town ", i));
  }
  server_.Handle([&ready, bodies](RawConnection& c) {
    const std::string head = c.ReadHead();
    while (!ready && !c.ending()) absl::SleepFor(absl::Milliseconds(5));
    for (const auto& [path, body] : bodies) {
      if (absl::StrContains(head, absl::StrCat(" ", path, " "))) {
        c.Send(HttpReplyText("200 OK", body));
        return;
      }
    }
  });
  options_.crl_sources[0].parallel = 16;
  Start();
  std::atomic<int> published{0};
  keeper_->SetPublishListener([&](const Snapshot&) { ++published; });
  ready = true;
  EXPECT_TRUE(Eventually([&] { return Partitions() == 13; })) << Errors();
  EXPECT_GE(published, 13);
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  Stop();
}

TEST_F(CrlReplay, ACrlThatNobodyHereMayHaveIssuedIsNotIndexed) {
  Publish(lab::CrlBuilder()
              .issuer({{"O", "Stranger"}})
              .add(lab::extension::CrlNumber(1))
              // Nobody gets as far as this, which is refused: the serial.
              .revoke([] {
                lab::CrlEntry entry;
                entry.serial = std::string(30, '\x7f');
                entry.revoked_at = UtcSeconds(2023, 1, 1);
                return entry;
              }())
              .Sign(KeyOf("someone")));
  Start();
  EXPECT_TRUE(ErrorComes("no profile has a CA of this name")) << Errors();
  EXPECT_FALSE(AnyError("userCertificate"));
}

TEST_F(CrlReplay, ACrlThatIsNotSignedIsNotIndexed) {
  const auto with_bad_serial = [](const std::string& key) {
    lab::CrlEntry entry;
    entry.serial = std::string(30, '\x7f');
    entry.revoked_at = UtcSeconds(2023, 1, 1);
    return CrlFor("Kyoto", 6)
        .this_update(UtcSeconds(2024, 1, 1))
        .next_update(UtcSeconds(2040, 1, 1))
        .revoke(entry)
        .Sign(KeyOf(key));
  };
  Publish(with_bad_serial("someone"));
  Start();
  EXPECT_TRUE(ErrorComes("signatureValue: does not verify")) << Errors();
  EXPECT_FALSE(AnyError("userCertificate"));
  // One that is signed is read as far as it goes.
  Publish(with_bad_serial("ca"));
  EXPECT_TRUE(ErrorComes("userCertificate")) << Errors();
  Publish(Kyoto(7, true));
  EXPECT_TRUE(Becomes(RevocationStatus::kRevoked));
}

}  // namespace
}  // namespace inkan
