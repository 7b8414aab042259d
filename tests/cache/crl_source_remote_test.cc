// CRLs from a web server that publishes, fails in every way, and recovers, as
// the keeper and the spool see it.
#include "cache/crl_source_remote.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cache/crl_freshness.h"
#include "cache/snapshot_keeper.h"
#include "crypto/digest.h"
#include "gmock/gmock.h"
#include "tests/support/lab_world.h"
#include "tests/support/ldap_answer.h"
#include "tests/support/raw_server.h"
#include "tests/support/temp_folder.h"

namespace inkan {
namespace {

namespace fs = std::filesystem;
using lab::UtcSeconds;
using testing::HasSubstr;
using testing::IsEmpty;
using testing_world::CaDer;
using testing_world::CrlFor;
using testing_world::DeltaDer;
using testing_world::HttpReplyText;
using testing_world::KeyOf;
using testing_world::LdapEntry;
using testing_world::LdapResult;
using testing_world::LeafBuilder;
using testing_world::OwnedLeaf;
using testing_world::RawConnection;
using testing_world::RawServer;
using testing_world::Revoked;
using testing_world::TempFolder;

// A CRL that lists serial 7 or does not.
std::string CrlDer(uint64_t number, bool lists_7,
                   const std::string& key = "ca") {
  lab::CrlBuilder builder = CrlFor("Kyoto", number);
  builder.this_update(UtcSeconds(2024, 1, 1))
      .next_update(UtcSeconds(2040, 1, 1));
  if (lists_7) builder.revoke(Revoked(7, UtcSeconds(2023, 1, 1)));
  return builder.Sign(KeyOf(key));
}

RevocationStatus StatusOf7(const Snapshot& snapshot) {
  static const auto* const kLeaf =
      new OwnedLeaf(LeafBuilder(7, "ca", "Kyoto").Sign(KeyOf("ca")));
  const ProfileSnapshot* profile = snapshot.Find("lab");
  return profile->crls
      ->Check(kLeaf->view, *profile->issuer_paths->Find(kLeaf->view.issuer)[0],
              UtcSeconds(2026, 3, 16))
      .status;
}

bool Eventually(const std::function<bool()>& holds) {
  for (int i = 0; i < 6000; ++i) {
    if (holds()) return true;
    absl::SleepFor(absl::Milliseconds(10));
  }
  return false;
}

// What a well-behaved server answers: the body by its version, 304 where that
// is known.
std::string Serve(const std::string& head, const std::string& body,
                  const std::string& etag) {
  if (head.find("If-None-Match: " + etag) != std::string::npos) {
    return "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n";
  }
  return HttpReplyText("200 OK", body, "ETag: " + etag + "\r\n");
}

class RemoteSource : public testing::Test {
 protected:
  SnapshotOptions Options() {
    SnapshotOptions options;
    Profile profile;
    profile.name = "lab";
    profile.anchors.push_back({"ca.cer", CaDer("ca")});
    options.profiles.push_back(std::move(profile));
    options.state_directory = state_.path();
    CrlSourceOptions source;
    source.kind = CrlSourceOptions::Kind::kHttp;
    source.urls = {server_.url()};
    source.limits.bytes_max = options.crl_bytes_max = 1 << 20;
    source.limits.stall_timeout = absl::Seconds(2);
    source.limits.total_timeout = absl::Seconds(2);
    source.poll_interval = source.schedule.poll_interval =
        absl::Milliseconds(100);
    source.schedule.retry_first = source.schedule.retry_max =
        absl::Milliseconds(100);
    options.crl_sources.push_back(std::move(source));
    return options;
  }
  void Start() {
    auto keeper = SnapshotKeeper::Start(Options());
    ASSERT_TRUE(keeper.ok()) << keeper.status();
    keeper_ = *std::move(keeper);
  }
  RevocationStatus Status() { return StatusOf7(*keeper_->Current()); }
  std::string Error() {
    const auto errors = keeper_->source_errors();
    return errors.empty() ? "" : errors.front().error;
  }
  bool AnyError(const std::string& text) {
    for (const CrlSourceError& error : keeper_->source_errors()) {
      if (error.error.find(text) != std::string::npos) return true;
    }
    return false;
  }
  CrlSourceStatus SourceStatus() { return keeper_->source_statuses().at(0); }
  void Publish(const std::string& body, const std::string& etag) {
    server_.Handle([body, etag](RawConnection& c) {
      c.Send(Serve(c.ReadHead(), body, etag));
    });
  }
  // The files in the spool with this extension.
  std::vector<fs::path> Spooled(const std::string& extension) {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(state_.path() + "/spool")) {
      if (entry.path().extension() == extension) found.push_back(entry.path());
    }
    return found;
  }

  TempFolder state_;
  RawServer server_{[](RawConnection& c) {
    c.ReadHead();
    c.Send(HttpReplyText("404 Not Found", ""));
  }};
  std::unique_ptr<SnapshotKeeper> keeper_;
};

TEST_F(RemoteSource, EveryFaultIsNamedAndTheLastGoodCrlStays) {
  Publish(CrlDer(1, true), "\"1\"");
  Start();
  ASSERT_TRUE(
      Eventually([&] { return Status() == RevocationStatus::kRevoked; }));
  EXPECT_EQ(Error(), "");
  const auto before = keeper_->Current();
  // Each of these bodies would say "good" if it were believed.
  const std::string good = CrlDer(5, false);
  struct Fault {
    const char* error;
    RawServer::Handler handler;
  };
  const auto whole = [](std::string status, std::string body) {
    return [status, body](RawConnection& c) {
      c.ReadHead();
      c.Send(HttpReplyText(status, body));
    };
  };
  const Fault kFaults[] = {
      {"404", whole("404 Not Found", good)},
      {"500", whole("500 Oops", good)},
      {"304",
       [](RawConnection& c) {
         // To whatever was asked, which the spool's damage makes unconditional
         // below; here it only shows that nothing changes.
         c.ReadHead();
         c.Send("HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n");
       }},
      {"signatureValue", whole("200 OK", CrlDer(5, false, "someone"))},
      {"certificateList", whole("200 OK", "<html>Please log in</html>")},
      {"cRLNumber", whole("200 OK", CrlDer(0, false))},
      {"truncated", whole("200 OK", good.substr(0, good.size() / 2))},
      {"octets",
       [good](RawConnection& c) {
         c.ReadHead();
         c.Send(HttpReplyText("200 OK", good).substr(0, 300));
       }},
      {"crl_bytes_max", whole("200 OK", std::string((1 << 20) + 1, '\x30'))},
      {"gzip",
       [good](RawConnection& c) {
         c.ReadHead();
         c.Send(HttpReplyText("200 OK", good, "Content-Encoding: gzip\r\n"));
       }},
      {"too slow",
       [good](RawConnection& c) {
         c.ReadHead();
         c.Drip(HttpReplyText("200 OK", good));
       }},
  };
  for (const Fault& fault : kFaults) {
    SCOPED_TRACE(fault.error);
    server_.Handle(fault.handler);
    if (std::string(fault.error) != "304") {
      EXPECT_TRUE(Eventually([&] {
        return Error().find(fault.error) != std::string::npos;
      })) << Error();
      EXPECT_TRUE(keeper_->source_errors().front().last_good_in_use);
      EXPECT_EQ(SourceStatus().last_error, Error());
    }
    EXPECT_EQ(keeper_->Current(), before);
    EXPECT_EQ(Spooled(".crl").size() <= 2, true);
    // And recovers.
    Publish(CrlDer(1, true), "\"1\"");
    EXPECT_TRUE(Eventually([&] { return Error().empty(); })) << Error();
    EXPECT_EQ(keeper_->Current(), before);
  }
  Publish(good, "\"5\"");
  EXPECT_TRUE(Eventually([&] { return Status() == RevocationStatus::kGood; }));
}

TEST_F(RemoteSource, ARestartServesTheLastGoodCrlWithoutTheNetwork) {
  Publish(CrlDer(3, true), "\"3\"");
  Start();
  ASSERT_TRUE(
      Eventually([&] { return Status() == RevocationStatus::kRevoked; }));
  // A refused one in between must not take its place on disk.
  Publish(CrlDer(9, false, "someone"), "\"9\"");
  ASSERT_TRUE(Eventually([&] { return !Error().empty(); }));
  keeper_ = nullptr;
  server_.Handle([](RawConnection& c) { c.Hold(); });
  Start();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);  // at once
  EXPECT_EQ(Error(), "");
  // For looking only, too, beside the running server.
  auto looker = SnapshotKeeper::Start(Options(), /*watch=*/false);
  ASSERT_TRUE(looker.ok()) << looker.status();
  EXPECT_EQ(StatusOf7(*(*looker)->Current()), RevocationStatus::kRevoked);
  // But not to serve from.
  const auto second = SnapshotKeeper::Start(Options());
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr("in use by another server"));
}

TEST_F(RemoteSource, ADamagedCopyIsNotBelievedAndIsMendedByTheSameCrl) {
  Publish(CrlDer(3, true), "\"3\"");
  Start();
  ASSERT_TRUE(
      Eventually([&] { return Status() == RevocationStatus::kRevoked; }));
  keeper_ = nullptr;
  ASSERT_EQ(Spooled(".crl").size(), 1U);
  const fs::path copy = Spooled(".crl")[0];
  // What somebody with a valid, other CRL in hand would do.
  std::ofstream(copy, std::ios::binary) << CrlDer(2, false);
  server_.Handle([](RawConnection& c) { c.Hold(); });
  Start();
  EXPECT_EQ(Status(), RevocationStatus::kUnknown);
  EXPECT_THAT(Error(), HasSubstr("damaged"));
  // The server, knowing nothing of this, would say "not modified" if asked so.
  Publish(CrlDer(3, true), "\"3\"");
  EXPECT_TRUE(
      Eventually([&] { return Status() == RevocationStatus::kRevoked; }));
  // And while running: whoever looks at the disk next finds it whole.
  std::ofstream(copy, std::ios::binary) << "junk";
  EXPECT_TRUE(Eventually([&] {
    std::ifstream file(copy, std::ios::binary);
    const std::string now{std::istreambuf_iterator<char>(file), {}};
    return now == CrlDer(3, true);
  }));
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
}

// What each path of a server answers.
RawServer::Handler Paths(std::map<std::string, std::string> body_by_path) {
  return [bodies = std::move(body_by_path)](RawConnection& c) {
    const std::string head = c.ReadHead();
    for (const auto& [path, body] : bodies) {
      if (head.find(absl::StrCat(" ", path, " ")) == std::string::npos) {
        continue;
      }
      c.Send(HttpReplyText("200 OK", body));
      return;
    }
    c.Send(HttpReplyText("404 Not Found", ""));
  };
}

TEST_F(RemoteSource, ACopyOfTheBaseTakesNoDeltaOutOfForceNorOffTheDisk) {
  SnapshotOptions options = Options();
  options.crl_sources[0].urls = {server_.url("/base"), server_.url("/delta")};
  const auto start = [&] {
    keeper_ = nullptr;
    auto keeper = SnapshotKeeper::Start(options);
    ASSERT_TRUE(keeper.ok()) << keeper.status();
    keeper_ = *std::move(keeper);
  };
  server_.Handle(
      Paths({{"/base", CrlDer(1, false)}, {"/delta", DeltaDer(5, 1)}}));
  start();
  ASSERT_TRUE(
      Eventually([&] { return Status() == RevocationStatus::kRevoked; }));
  ASSERT_TRUE(Eventually([&] { return Error().empty(); }));
  // Nor does a newer one, which would speak alone after the next start.
  for (const uint64_t number : {1, 3}) {
    server_.Handle(Paths(
        {{"/base", CrlDer(1, false)}, {"/delta", CrlDer(number, false)}}));
    EXPECT_TRUE(Eventually([&] {
      return AnyError("this is the CRL of") || AnyError("does not take it");
    })) << Error();
    EXPECT_EQ(Status(), RevocationStatus::kRevoked);
    ASSERT_TRUE(keeper_->Reload(options).ok());
    EXPECT_EQ(Status(), RevocationStatus::kRevoked);
    start();
    EXPECT_EQ(Status(), RevocationStatus::kRevoked);  // from disk, at once
    EXPECT_TRUE(Eventually([&] { return !Error().empty(); }));
    EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  }
  server_.Handle(
      Paths({{"/base", CrlDer(6, false)}, {"/delta", DeltaDer(7, 6)}}));
  EXPECT_TRUE(Eventually([&] { return Error().empty(); })) << Error();
  EXPECT_TRUE(
      Eventually([&] { return Status() == RevocationStatus::kRevoked; }));
}

TEST_F(RemoteSource, NoPartitionIsSetBackByWayOfAnotherOne) {
  Publish(CrlDer(5, true), "\"5\"");
  Start();
  ASSERT_TRUE(
      Eventually([&] { return Status() == RevocationStatus::kRevoked; }));
  Publish(CrlFor("Osaka", 1)
              .this_update(UtcSeconds(2024, 1, 1))
              .next_update(UtcSeconds(2040, 1, 1))
              .Sign(KeyOf("ca")),
          "\"o\"");
  EXPECT_TRUE(Eventually([&] {
    return Error().find("another partition") != std::string::npos;
  })) << Error();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  EXPECT_EQ(keeper_->Current()->Find("lab")->crls->partitions().size(), 2U);
  // Another source of the same place goes on with both.
  SnapshotOptions other = Options();
  other.crl_sources[0].limits.connect_timeout = absl::Seconds(7);
  ASSERT_TRUE(keeper_->Reload(other).ok());
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  Publish(CrlDer(4, false), "\"4\"");
  const auto refused = [&] {
    for (const CrlSourceError& error : keeper_->source_errors()) {
      if (error.error.find("older") != std::string::npos) return true;
    }
    return false;
  };
  EXPECT_TRUE(Eventually(refused)) << Error();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  Publish(CrlDer(6, false), "\"6\"");
  EXPECT_TRUE(Eventually([&] { return Status() == RevocationStatus::kGood; }));
  EXPECT_EQ(keeper_->Current()->Find("lab")->crls->partitions().size(), 2U);
}

TEST_F(RemoteSource, OneFetchAtATimeOverQuickReloads) {
  std::atomic<int> at_once{0};
  std::atomic<int> most{0};
  server_.Handle([&](RawConnection& c) {
    c.ReadHead();
    most = std::max(most.load(), ++at_once);
    absl::SleepFor(absl::Milliseconds(300));
    --at_once;
    c.Send(HttpReplyText("200 OK", CrlDer(1, true)));
  });
  // No time-out on our side: the server would still be at work on what we have
  // given up.
  SnapshotOptions patient = Options();
  patient.crl_sources[0].limits.stall_timeout = absl::Seconds(600);
  patient.crl_sources[0].limits.total_timeout = absl::Seconds(600);
  auto keeper = SnapshotKeeper::Start(patient);
  ASSERT_TRUE(keeper.ok()) << keeper.status();
  keeper_ = *std::move(keeper);
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(keeper_->Reload(patient).ok());
    absl::SleepFor(absl::Milliseconds(20));
  }
  EXPECT_TRUE(
      Eventually([&] { return Status() == RevocationStatus::kRevoked; }));
  EXPECT_EQ(most, 1);
  // As another source with the same URL: the fetch under way is given up, and
  // the place asked again when it has ended.
  for (int i = 0; i < 10; ++i) {
    SnapshotOptions options = Options();
    options.crl_sources[0].limits.connect_timeout = absl::Seconds(5 + i % 2);
    ASSERT_TRUE(keeper_->Reload(options).ok());
    absl::SleepFor(absl::Milliseconds(20));
    EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  }
  const uint64_t asked = SourceStatus().attempts_total;
  EXPECT_TRUE(
      Eventually([&] { return SourceStatus().attempts_total > asked; }));
}

TEST_F(RemoteSource, AnEndIsQuickWhateverAServerDoes) {
  server_.Handle([](RawConnection& c) {
    c.ReadHead();
    c.Hold();
  });
  SnapshotOptions options = Options();
  options.crl_sources[0].limits.stall_timeout = absl::Seconds(600);
  options.crl_sources[0].limits.total_timeout = absl::Seconds(600);
  auto keeper = SnapshotKeeper::Start(options);
  ASSERT_TRUE(keeper.ok());
  ASSERT_TRUE(Eventually([&] { return server_.connections() > 0; }));
  // Neither status nor a reload waits for it.
  EXPECT_EQ((*keeper)->source_statuses().size(), 1U);
  EXPECT_TRUE((*keeper)->Reload(options).ok());
  keeper->reset();
}

TEST_F(RemoteSource, CertificatesNeverMakeTheServerCallAnybody) {
  RawServer trap([](RawConnection& c) { c.Hold(); });
  Publish(CrlDer(1, true), "\"1\"");
  Start();
  ASSERT_TRUE(
      Eventually([&] { return Status() == RevocationStatus::kRevoked; }));
  lab::DistributionPoint where;
  where.full_name = {lab::UriName(trap.url("/crl"))};
  const OwnedLeaf leaf(LeafBuilder(8, "ca", "")
                           .add(lab::extension::CrlDistributionPoints({where}))
                           .Sign(KeyOf("ca")));
  const auto snapshot = keeper_->Current();
  const ProfileSnapshot* profile = snapshot->Find("lab");
  EXPECT_EQ(
      profile->crls
          ->Check(leaf.view, *profile->issuer_paths->Find(leaf.view.issuer)[0],
                  UtcSeconds(2026, 3, 16))
          .status,
      RevocationStatus::kUnknown);
  ASSERT_TRUE(keeper_->Reload(Options()).ok());
  const int asked = server_.connections();
  ASSERT_TRUE(Eventually([&] { return server_.connections() > asked + 1; }));
  EXPECT_EQ(trap.connections(), 0);
}

TEST_F(RemoteSource, ReadinessFollowsThePolicyAndTheClock) {
  Publish(CrlDer(1, true), "\"1\"");
  SnapshotOptions options = Options();
  options.profiles[0].freshness = FreshnessPolicy{/*margin=*/3600};
  auto keeper = SnapshotKeeper::Start(options);
  ASSERT_TRUE(keeper.ok());
  keeper_ = *std::move(keeper);
  ASSERT_TRUE(
      Eventually([&] { return Status() == RevocationStatus::kRevoked; }));
  const auto snapshot = keeper_->Current();
  const ProfileSnapshot& profile = *snapshot->Find("lab");
  const absl::Time end = absl::FromUnixSeconds(UtcSeconds(2040, 1, 1));
  EXPECT_TRUE(ReadinessOf(profile, end - absl::Hours(1)).ready);
  const ProfileReadiness late =
      ReadinessOf(profile, end - absl::Hours(1) + absl::Seconds(1));
  EXPECT_FALSE(late.ready);
  EXPECT_THAT(late.reason, HasSubstr("Kyoto"));
  EXPECT_EQ(late.stale_partitions, 0U);
  EXPECT_EQ(ReadinessOf(profile, end + absl::Seconds(1)).stale_partitions, 1U);
  Profile lenient = *profile.profile;
  lenient.freshness->stale_partitions_max = 1;
  lenient.freshness->fresh_partitions_min = 0;
  ProfileSnapshot other = profile;
  other.profile = std::make_shared<const Profile>(lenient);
  EXPECT_TRUE(ReadinessOf(other, end + absl::Hours(1)).ready);
  lenient.freshness->fresh_partitions_min = 1;
  other.profile = std::make_shared<const Profile>(lenient);
  EXPECT_FALSE(ReadinessOf(other, end + absl::Hours(1)).ready);
  lenient.freshness.reset();
  other.profile = std::make_shared<const Profile>(lenient);
  EXPECT_TRUE(ReadinessOf(other, end + absl::Hours(1)).ready);
}

using Entries = std::vector<std::pair<std::string, std::string>>;

// Entries with one CRL each, then the result.
std::string LdapAnswer(const Entries& crl_by_dn, char result = 0) {
  std::string answer;
  for (const auto& [dn, crl] : crl_by_dn) {
    answer += LdapEntry(dn, {{"certificateRevocationList;binary", {crl}}});
  }
  return answer + LdapResult(result);
}

RawServer::Handler Directory(const Entries& crl_by_dn) {
  return [answer = LdapAnswer(crl_by_dn)](RawConnection& c) {
    c.Send(answer);
    c.Hold();
  };
}

TEST(CrlRemote, ASearchGoesOnWhateverOfTheSpoolWasOfferedMeanwhile) {
  const TempFolder folder;
  auto spool = CrlSpool::Open(folder.path());
  ASSERT_TRUE(spool.ok()) << spool.status();
  RawServer server(Directory({{"cn=a", "A1"}, {"cn=b", "B1"}}));
  CrlSourceOptions options;
  options.kind = CrlSourceOptions::Kind::kLdap;
  options.ldap.url = absl::StrCat("ldap://127.0.0.1:", server.port());
  options.schedule.poll_interval = absl::Hours(1);
  std::atomic<int> wakes{0};
  CrlRemote remote(options, *spool, [&] { ++wakes; });
  remote.Start();
  ASSERT_TRUE(Eventually([&] { return wakes == 1; }));
  std::vector<CrlDelivery> found = remote.Take();
  ASSERT_EQ(found.size(), 2U);
  const std::string a = found[0].id;
  const std::string b = found[1].id;
  const FileDigest kept_a = found[0].sha256;
  remote.Accept(a, kept_a, CrlData());
  remote.Accept(b, found[1].sha256, CrlData());

  // A reload offers again what is kept and not in use, and asks.
  server.Handle(Directory({{"cn=b", "B2"}}));
  remote.Release(a);
  remote.AskNow();
  found = remote.Take();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found[0].expected.has_value());
  remote.Refuse(a, kept_a, "of no use");
  ASSERT_TRUE(Eventually([&] { return wakes == 2; }));

  // The next one comes while the search's find waits to be judged, and what it
  // offers is judged last.
  remote.AskNow();
  found = remote.Take(1);
  ASSERT_EQ(found.size(), 1U);
  const CrlDelivery first = found[0];
  found = remote.Take(1);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_NE(found[0].id, first.id);
  EXPECT_TRUE(remote.Take().empty());
  server.Handle(Directory({{"cn=b", "B3"}}));
  remote.Accept(b, first.id == b ? first.sha256 : found[0].sha256, CrlData());
  remote.Refuse(a, kept_a, "of no use");
  EXPECT_TRUE(Eventually([&] { return wakes == 3; }))
      << "the place is claimed for ever";
  // And what the directory has no longer and is not in use, once more.
  found = remote.Take();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].id, b);
  EXPECT_FALSE(found[0].expected.has_value());
  EXPECT_EQ(found[1].sha256, kept_a);
}

std::string Contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

CrlSourceOptions DirectoryOptions(const RawServer& server) {
  CrlSourceOptions options;
  options.kind = CrlSourceOptions::Kind::kLdap;
  options.ldap.url = absl::StrCat("ldap://127.0.0.1:", server.port());
  options.limits.bytes_max = 1 << 20;
  options.limits.stall_timeout = options.limits.total_timeout =
      absl::Seconds(20);
  options.schedule.poll_interval = options.schedule.retry_first =
      options.schedule.retry_max = absl::Milliseconds(100);
  return options;
}

std::string ErrorsOf(const CrlRemote& remote) {
  std::vector<CrlSourceError> errors;
  remote.AppendErrors(&errors);
  std::string text;
  for (const CrlSourceError& error : errors) text += error.error + "\n";
  return text;
}

TEST(CrlRemote, ANameThatComesTwiceIsTakenOnceNamedAndAskedAgain) {
  for (const std::string second : {"first", "other"}) {
    SCOPED_TRACE(second);
    const TempFolder folder;
    auto spool = CrlSpool::Open(folder.path());
    ASSERT_TRUE(spool.ok()) << spool.status();
    RawServer server(
        Directory({{"cn=a", "first"}, {"cn=a", second}, {"cn=b", "B"}}));
    std::atomic<int> wakes{0};
    CrlRemote remote(DirectoryOptions(server), *spool, [&] { ++wakes; });
    remote.Start();
    ASSERT_TRUE(Eventually([&] { return wakes == 1; }));
    std::vector<CrlDelivery> found = remote.Take();
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(Contents(found[0].path), "first");
    EXPECT_THAT(ErrorsOf(remote), HasSubstr("cn=a?certificateRevocationList"));
    EXPECT_THAT(ErrorsOf(remote), HasSubstr("twice"));
    server.Handle(Directory({{"cn=a", "third"}, {"cn=b", "B"}}));
    for (const CrlDelivery& one : found) {
      remote.Accept(one.id, one.sha256, CrlData());
    }
    const std::string a = found[0].id;
    EXPECT_TRUE(Eventually([&] { return wakes == 2; })) << "never asked again";
    found = remote.Take();
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].id, a);
    EXPECT_EQ(Contents(found[0].path), "third");
    EXPECT_EQ(ErrorsOf(remote), "");
  }
}

TEST(CrlRemote, NamesThatAreNewEachTimeAreForgottenThoughEverySearchFails) {
  const TempFolder folder;
  auto spool = CrlSpool::Open(folder.path());
  ASSERT_TRUE(spool.ok()) << spool.status();
  std::atomic<int> searches{0};
  RawServer server([&](RawConnection& c) {
    const std::string dn = absl::StrCat("cn=", ++searches);
    c.Send(LdapAnswer({{dn + "a", "junk"}, {dn + "b", "junk"}}, 80));
    c.Hold();
  });
  CrlRemote remote(DirectoryOptions(server), *spool, [] {});
  remote.Start();
  ASSERT_TRUE(Eventually([&] {
    for (const CrlDelivery& one : remote.Take()) {
      remote.Refuse(one.id, one.sha256, "junk");
    }
    return searches > 5;
  }));
  remote.Stop();
  for (const CrlDelivery& one : remote.Take()) {
    remote.Refuse(one.id, one.sha256, "junk");
  }
  std::vector<CrlSourceStatus> statuses;
  remote.AppendStatuses(&statuses);
  // The search itself, and what came last, or the last but one.
  EXPECT_LE(statuses.size(), 5U);
  EXPECT_EQ(FilesIn(folder.path() + "/spool").size(), 0U);
}

size_t StatusCountOf(const CrlRemote& remote) {
  std::vector<CrlSourceStatus> statuses;
  remote.AppendStatuses(&statuses);
  return statuses.size();
}

TEST(CrlRemote, ACrlThatComesUnderEverNewNamesIsHeldOnce) {
  const TempFolder folder;
  auto spool = CrlSpool::Open(folder.path());
  ASSERT_TRUE(spool.ok()) << spool.status();
  std::atomic<int> searches{0};
  RawServer server([&](RawConnection& c) {
    const std::string dn = absl::StrCat("cn=", ++searches);
    c.Send(LdapAnswer({{dn, "A"}, {dn + "b", "A"}}));
    c.Hold();
  });
  std::atomic<int> wakes{0};
  CrlRemote remote(DirectoryOptions(server), *spool, [&] { ++wakes; });
  remote.Start();
  ASSERT_TRUE(Eventually([&] { return wakes == 1; }));
  std::vector<CrlDelivery> found = remote.Take();
  ASSERT_EQ(found.size(), 1U);
  remote.Accept(found[0].id, found[0].sha256, CrlData());
  const std::string first = found[0].id;
  EXPECT_TRUE(Eventually([&] { return searches > 6; }));
  EXPECT_EQ(wakes, 1);
  EXPECT_EQ(StatusCountOf(remote), 2U);  // the search itself is one
  EXPECT_EQ(FilesIn(folder.path() + "/spool").size(), 2U);
  EXPECT_EQ(ErrorsOf(remote), "");
  // Of use no more under the first name, it is worth another look: under a new
  // name, or the first one if a search was under way.
  remote.Release(first);
  ASSERT_TRUE(Eventually([&] { return wakes == 2; }));
  found = remote.Take();
  ASSERT_FALSE(found.empty());
  EXPECT_TRUE(std::any_of(found.begin(), found.end(), [&](const auto& one) {
    return !one.expected.has_value() && Contents(one.path) == "A";
  }));
}

TEST(CrlRemote, ValuesThatChangePlacesAreNoNewsAndOneThatIsGoneIs) {
  const TempFolder folder;
  auto spool = CrlSpool::Open(folder.path());
  ASSERT_TRUE(spool.ok()) << spool.status();
  std::atomic<int> searches{0};
  const auto values = [&searches](std::vector<std::string> all) {
    return [&searches, all](RawConnection& c) {
      c.Send(LdapEntry("cn=a", {{"certificateRevocationList;binary", all}}) +
             LdapResult());
      ++searches;
      c.Hold();
    };
  };
  RawServer server(values({"A", "B", "C"}));
  std::atomic<int> wakes{0};
  CrlRemote remote(DirectoryOptions(server), *spool, [&] { ++wakes; });
  remote.Start();
  ASSERT_TRUE(Eventually([&] { return wakes == 1; }));
  std::vector<CrlDelivery> found = remote.Take();
  ASSERT_EQ(found.size(), 3U);
  server.Handle(values({"C", "A", "B"}));
  const int asked = searches;
  for (const CrlDelivery& one : found) {
    remote.Accept(one.id, one.sha256, CrlData());
  }
  EXPECT_TRUE(Eventually([&] { return searches > asked + 2; }));
  EXPECT_EQ(wakes, 1);
  EXPECT_EQ(ErrorsOf(remote), "");
  server.Handle(values({"B"}));
  EXPECT_TRUE(Eventually(
      [&] { return ErrorsOf(remote).find("no longer") != std::string::npos; }));
  std::vector<CrlSourceError> errors;
  remote.AppendErrors(&errors);
  ASSERT_EQ(errors.size(), 2U);  // A and C
  for (const CrlSourceError& error : errors) {
    EXPECT_NE(error.source, found[1].place);
    EXPECT_TRUE(error.last_good_in_use);
  }
  EXPECT_TRUE(remote.Take().empty());
  EXPECT_EQ(remote.Gone().size(), 2U);
}

// A set has no order, and one of its values may be new.
TEST(CrlRemote, AValueThatIsNewTakesThePlaceOfNoneThatHasOnlyMoved) {
  const TempFolder folder;
  auto spool = CrlSpool::Open(folder.path());
  ASSERT_TRUE(spool.ok()) << spool.status();
  const auto values = [](std::vector<std::string> all) {
    return [all](RawConnection& c) {
      c.Send(LdapEntry("cn=a", {{"certificateRevocationList;binary", all}}) +
             LdapResult());
      c.Hold();
    };
  };
  RawServer server(values({"A", "B", "C"}));
  std::atomic<int> wakes{0};
  CrlRemote remote(DirectoryOptions(server), *spool, [&] { ++wakes; });
  remote.Start();
  std::map<std::string, std::string> ids;  // by contents
  std::vector<CrlDelivery> found;
  const auto take = [&] {
    const bool came = Eventually([&] {
      found = remote.Take();
      return !found.empty();
    });
    for (const CrlDelivery& one : found) {
      ids[Contents(one.path)] = one.id;
      remote.Accept(one.id, one.sha256, CrlData());
    }
    return came;
  };
  ASSERT_TRUE(take());
  ASSERT_EQ(ids.size(), 3U);
  // In front of the others.
  server.Handle(values({"X", "A", "B", "C"}));
  ASSERT_TRUE(take());
  ASSERT_EQ(found.size(), 1U);
  ASSERT_TRUE(ids.contains("X"));
  for (const char* old : {"A", "B", "C"}) EXPECT_NE(ids["X"], ids[old]);
  // Where another one was, which has moved: it gets the place of the one that
  // is not there any more.
  server.Handle(values({"B", "A2", "C", "X"}));
  ASSERT_TRUE(take());
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(ids["A2"], ids["A"]);
  EXPECT_EQ(ErrorsOf(remote), "");
}

// One entry has what another one has, and later something newer: the first has
// taken the name meanwhile.
TEST(CrlRemote, AValueIsTakenThoughItsNameIsTakenByAnotherEntry) {
  const TempFolder folder;
  auto spool = CrlSpool::Open(folder.path());
  ASSERT_TRUE(spool.ok()) << spool.status();
  const auto entries = [](Entries all) {
    return [all](RawConnection& c) {
      c.Send(LdapAnswer(all));
      c.Hold();
    };
  };
  RawServer server(entries({{"cn=e1", "V"}}));
  std::atomic<int> wakes{0};
  CrlRemote remote(DirectoryOptions(server), *spool, [&] { ++wakes; });
  remote.Start();
  std::set<std::string> taken;
  const auto takes = [&](const std::string& contents) {
    return Eventually([&] {
      for (const CrlDelivery& one : remote.Take()) {
        taken.insert(Contents(one.path));
        remote.Accept(one.id, one.sha256, CrlData());
      }
      return taken.contains(contents);
    });
  };
  ASSERT_TRUE(takes("V"));
  server.Handle(entries({{"cn=e0", "V"}, {"cn=e1", "newer"}}));
  EXPECT_TRUE(takes("newer"));
  // And the other way round: what had the name comes later in the answer.
  server.Handle(entries({{"cn=e1", "newest"}, {"cn=e2", "V"}}));
  taken.erase("V");
  EXPECT_TRUE(takes("newest"));
  EXPECT_TRUE(takes("V"));
}

TEST_F(RemoteSource, WhatADirectoryNamesAnewForEveryCrlIsForgotten) {
  std::vector<std::string> crls;
  for (uint64_t number = 1; number <= 8; ++number) {
    crls.push_back(CrlDer(number, true));
  }
  std::atomic<size_t> searches{0};
  server_.Handle([&searches, crls](RawConnection& c) {
    const size_t i = std::min(searches++, crls.size() - 1);
    c.Send(LdapAnswer({{absl::StrCat("cn=", i), crls[i]}}));
    c.Hold();
  });
  SnapshotOptions options = Options();
  options.crl_sources = {DirectoryOptions(server_)};
  auto keeper = SnapshotKeeper::Start(options);
  ASSERT_TRUE(keeper.ok()) << keeper.status();
  keeper_ = *std::move(keeper);
  ASSERT_TRUE(Eventually([&] { return searches > 10; }));
  EXPECT_TRUE(Eventually([&] {
    return Spooled(".meta").size() == 1 && Spooled(".crl").size() == 1;
  }));
  EXPECT_TRUE(
      Eventually([&] { return keeper_->source_statuses().size() == 2; }));
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  EXPECT_EQ(Error(), "");
  keeper_ = nullptr;
}

TEST(CrlRemote, StoppedTwiceItGivesItsClaimBackOnce) {
  const TempFolder folder;
  auto spool = CrlSpool::Open(folder.path());
  ASSERT_TRUE(spool.ok()) << spool.status();
  RawServer server([](RawConnection& c) {
    c.ReadHead();
    c.Send(HttpReplyText("200 OK", "crl"));
  });
  CrlSourceOptions options;
  options.kind = CrlSourceOptions::Kind::kHttp;
  options.urls = {server.url()};
  const std::string id = CrlSpool::IdOf(server.url());
  std::atomic<int> wakes{0};
  {
    CrlRemote remote(options, *spool, [&] { ++wakes; });
    remote.Start();
    ASSERT_TRUE(Eventually([&] { return wakes == 1; }));
    const std::vector<CrlDelivery> found = remote.Take();
    ASSERT_EQ(found.size(), 1U);
    EXPECT_FALSE((*spool)->TryClaim(id));
    remote.Stop();
    // A successor's now.
    EXPECT_TRUE((*spool)->TryClaim(id));
    remote.Accept(found[0].id, found[0].sha256, CrlData());
    remote.Stop();
  }
  EXPECT_FALSE((*spool)->TryClaim(id));
}

TEST_F(RemoteSource, TwoReloadsInARowWithoutTheNetworkEndWithTheLastGoodCrl) {
  Publish(CrlDer(1, true), "\"1\"");
  Start();
  ASSERT_TRUE(
      Eventually([&] { return Status() == RevocationStatus::kRevoked; }));
  server_.Handle([](RawConnection& c) { c.Hold(); });
  SnapshotOptions mistaken = Options();
  mistaken.profiles[0].anchors = {{"ca.cer", CaDer("ca 2019")}};
  ASSERT_TRUE(keeper_->Reload(mistaken).ok());
  EXPECT_THAT(keeper_->Current()->Find("lab")->crls->partitions(), IsEmpty());
  const int asked = server_.connections();
  ASSERT_TRUE(Eventually([&] { return server_.connections() > asked; }));
  ASSERT_TRUE(keeper_->Reload(Options()).ok());  // while it is being asked
  EXPECT_TRUE(
      Eventually([&] { return Status() == RevocationStatus::kRevoked; }));
}

TEST_F(RemoteSource, AClockThatWasBehindAtTheStartIsForgiven) {
  const RawServer::Handler kAnswers[] = {
      [](RawConnection& c) {
        c.ReadHead();
        c.Send(HttpReplyText("404 Not Found", ""));
      },
      [](RawConnection& c) {
        c.ReadHead();
        c.Send(HttpReplyText("200 OK", "<html>Please log in</html>"));
      }};
  for (const RawServer::Handler& answer : kAnswers) {
    keeper_ = nullptr;
    server_.Handle(answer);
    // Five minutes are what clocks may differ by.
    const int64_t soon = absl::ToUnixSeconds(absl::Now()) + 5 * 60 + 3;
    const std::string crl = CrlFor("Kyoto", 1)
                                .this_update(soon)
                                .next_update(soon + 86400)
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
    Start();
    EXPECT_TRUE(Eventually([&] {
      return keeper_->Current()->Find("lab")->crls->partitions().size() == 1;
    }));
    EXPECT_TRUE(Eventually([&] { return !Error().empty(); }));
    EXPECT_TRUE(Eventually([&] {
      const auto errors = keeper_->source_errors();
      return !errors.empty() && errors.front().last_good_in_use;
    }));
    EXPECT_THAT(Error(),
                testing::AnyOf(HasSubstr("404"), HasSubstr("certificateList")));
  }
}

TEST_F(RemoteSource, ARefusedCrlTakesNoIndexFromTheOneInUse) {
  Publish(CrlDer(1, true), "\"1\"");
  Start();
  ASSERT_TRUE(
      Eventually([&] { return Status() == RevocationStatus::kRevoked; }));
  // An index is made of a file that has been there for a moment.
  keeper_ = nullptr;
  absl::SleepFor(absl::Milliseconds(100));
  Start();
  ASSERT_EQ(Spooled(".crl").size(), 1U);
  const std::string compiled = state_.path() + "/compiled";
  const std::string index = CrlLoader(CrlLoaderOptions{compiled})
                                .CompiledPath(Spooled(".crl")[0].string());
  ASSERT_TRUE(fs::exists(index));
  Publish(CrlDer(2, false, "someone"), "\"2\"");
  ASSERT_TRUE(Eventually(
      [&] { return Error().find("signatureValue") != std::string::npos; }));
  ASSERT_TRUE(keeper_->Reload(Options()).ok());  // and sweep
  EXPECT_TRUE(fs::exists(index));
  EXPECT_TRUE(Eventually([&] { return FilesIn(compiled).size() == 1; }));
  // Nor when its source gives way to another one.
  SnapshotOptions other = Options();
  other.crl_sources[0].limits.connect_timeout = absl::Seconds(7);
  ASSERT_TRUE(keeper_->Reload(other).ok());
  EXPECT_TRUE(fs::exists(index));
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
}

TEST_F(RemoteSource, OfTwoCrlsOfOneNameTheRightOneIsInForceAndOnDisk) {
  server_.Handle(
      Directory({{"cn=a", CrlDer(1, true)}, {"cn=a", CrlDer(2, false)}}));
  SnapshotOptions options = Options();
  options.crl_sources = {DirectoryOptions(server_)};
  const auto start = [&] {
    keeper_ = nullptr;
    auto keeper = SnapshotKeeper::Start(options);
    ASSERT_TRUE(keeper.ok()) << keeper.status();
    keeper_ = *std::move(keeper);
  };
  start();
  ASSERT_TRUE(
      Eventually([&] { return Status() == RevocationStatus::kRevoked; }));
  EXPECT_TRUE(
      Eventually([&] { return Error().find("twice") != std::string::npos; }));
  server_.Handle(
      Directory({{"cn=a", CrlDer(4, false)}, {"cn=a", CrlDer(3, true)}}));
  EXPECT_TRUE(Eventually([&] { return Status() == RevocationStatus::kGood; }));
  server_.Handle([](RawConnection& c) { c.Hold(); });
  start();
  EXPECT_EQ(Status(), RevocationStatus::kGood);
  EXPECT_EQ(Error(), "");
}

TEST_F(RemoteSource, ADeltaThatIsReadBeforeItsBaseIsInForceWithIt) {
  // More than are read in one go.
  Entries entries = {{"cn=delta", DeltaDer(2, 1)}};
  for (int i = 0; i < 40; ++i) {
    entries.emplace_back(absl::StrCat("cn=", i),
                         CrlFor(absl::StrCat("Town ", i), 1)
                             .this_update(UtcSeconds(2024, 1, 1))
                             .next_update(UtcSeconds(2040, 1, 1))
                             .Sign(KeyOf("ca")));
  }
  entries.emplace_back("cn=base", CrlDer(1, false));
  std::atomic<bool> ready{false};
  server_.Handle([&ready, answer = LdapAnswer(entries)](RawConnection& c) {
    while (!ready) absl::SleepFor(absl::Milliseconds(5));
    c.Send(answer);
    c.Hold();
  });
  SnapshotOptions options = Options();
  options.crl_sources = {DirectoryOptions(server_)};
  options.read_time_max = absl::ZeroDuration();
  auto keeper = SnapshotKeeper::Start(options);
  ASSERT_TRUE(keeper.ok()) << keeper.status();
  keeper_ = *std::move(keeper);
  std::atomic<int> published{0};
  std::atomic<int> good{0};
  keeper_->SetPublishListener([&](const Snapshot& snapshot) {
    ++published;
    if (StatusOf7(snapshot) == RevocationStatus::kGood) ++good;
  });
  ready = true;
  EXPECT_TRUE(
      Eventually([&] { return Status() == RevocationStatus::kRevoked; }));
  EXPECT_GT(published, 1);
  EXPECT_EQ(good, 0);
  EXPECT_EQ(Error(), "");
  keeper_ = nullptr;
}

TEST_F(RemoteSource, ADeltaWithoutABaseIsRefusedOnceAllHasBeenRead) {
  Entries entries = {{"cn=delta", DeltaDer(2, 1)}};
  for (int i = 0; i < 40; ++i) {
    entries.emplace_back(absl::StrCat("cn=", i), "junk");
  }
  server_.Handle(Directory(entries));
  SnapshotOptions options = Options();
  options.crl_sources = {DirectoryOptions(server_)};
  options.read_time_max = absl::ZeroDuration();
  auto keeper = SnapshotKeeper::Start(options);
  ASSERT_TRUE(keeper.ok()) << keeper.status();
  keeper_ = *std::move(keeper);
  EXPECT_TRUE(Eventually([&] {
    for (const CrlSourceError& error : keeper_->source_errors()) {
      if (error.error.find("no complete CRL") != std::string::npos) return true;
    }
    return false;
  }));
  // And is asked for again.
  server_.Handle(
      Directory({{"cn=delta", DeltaDer(2, 1)}, {"cn=base", CrlDer(1, false)}}));
  EXPECT_TRUE(
      Eventually([&] { return Status() == RevocationStatus::kRevoked; }));
}

}  // namespace
}  // namespace inkan
