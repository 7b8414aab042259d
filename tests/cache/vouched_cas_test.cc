// CAs that callers sent: what is remembered, what is not, and how much.
#include "cache/vouched_cas.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "cache/snapshot_keeper.h"
#include "gmock/gmock.h"
#include "tests/support/lab_world.h"
#include "tests/support/temp_folder.h"

namespace inkan {
namespace {

using lab::UtcSeconds;
using testing::SizeIs;
using testing_world::CrlFor;
using testing_world::KeyOf;
using testing_world::OwnedLeaf;
using testing_world::TempFolder;

lab::Name N(const std::string& name) { return {{"CN", name}}; }

std::string SubCa(const std::string& name, const std::string& issuer,
                  const std::string& issuer_key) {
  lab::CertificateBuilder builder;
  builder.subject(N(name)).issuer(N(issuer)).public_key(KeyOf(name)).ca();
  builder.issued_by(KeyOf(issuer_key));
  return builder.Sign(KeyOf(issuer_key));
}

Profile RootProfile() {
  Profile profile;
  profile.name = "lab";
  profile.anchors.push_back(
      {"root.cer", lab::SelfSignedCa(N("root"), KeyOf("root"))});
  return profile;
}

std::string Numbered(size_t i) { return "certificate " + std::to_string(i); }

TEST(VouchedCas, TakesEachOnceUpToItsLimitsAndNoMore) {
  int woken = 0;
  VouchedCas cas([&woken] { ++woken; });
  EXPECT_FALSE(cas.TakeIn());
  cas.Offer(AsBytes(""));
  cas.Offer(AsBytes(std::string(kVouchedCaBytesMax + 1, 'x')));
  EXPECT_FALSE(cas.TakeIn());
  cas.Offer(AsBytes(std::string(kVouchedCaBytesMax, 'x')));
  for (size_t i = 1; i < kVouchedCasMax; ++i) {
    cas.Offer(AsBytes(Numbered(i)));
    cas.Offer(AsBytes(Numbered(i)));
  }
  EXPECT_EQ(woken, static_cast<int>(kVouchedCasMax));
  EXPECT_TRUE(cas.TakeIn());
  EXPECT_THAT(cas.members(), SizeIs(kVouchedCasMax));
  cas.Offer(AsBytes(Numbered(kVouchedCasMax)));
  EXPECT_FALSE(cas.TakeIn()) << "one too many";
  // What validation did not confirm is gone, and does not come back.
  cas.SetMembers({});
  cas.Offer(AsBytes(Numbered(1)));
  EXPECT_FALSE(cas.TakeIn());
  EXPECT_THAT(cas.members(), SizeIs(0));
}

TEST(VouchedCas, AClosedOneWakesNobody) {
  int woken = 0;
  VouchedCas cas([&woken] { ++woken; });
  cas.Close();
  cas.Offer(AsBytes("a"));
  EXPECT_EQ(woken, 0);
  EXPECT_TRUE(cas.TakeIn());
}

// --- Paths through them ------------------------------------------------------

std::shared_ptr<const IssuerPaths> Build(
    const Profile& profile, const std::vector<std::string>& vouched,
    const IssuerPathLimits& limits = {}) {
  std::vector<CertificateFile> files;
  for (const std::string& der : vouched) files.push_back({"sent", der});
  auto paths = IssuerPaths::Build(profile, limits, files);
  EXPECT_TRUE(paths.ok()) << paths.status();
  return *paths;
}

size_t Count(const IssuerPaths& paths, const std::string& name) {
  return paths.Find(AsBytes(N(name).Encode())).size();
}

TEST(VouchedPaths, OnlyWhatAnAnchorVouchesForIsKept) {
  lab::CertificateBuilder no_ca;
  no_ca.subject(N("c")).issuer(N("root")).public_key(KeyOf("c"));
  const auto paths =
      Build(RootProfile(), {SubCa("b", "a", "a"), SubCa("a", "root", "root"),
                            SubCa("forged", "root", "stranger"),
                            SubCa("stray", "nobody", "root"),
                            no_ca.Sign(KeyOf("root")), "junk"});
  EXPECT_EQ(Count(*paths, "a"), 1U);
  EXPECT_EQ(Count(*paths, "b"), 1U);
  EXPECT_EQ(Count(*paths, "forged"), 0U);
  EXPECT_EQ(Count(*paths, "stray"), 0U);
  EXPECT_EQ(Count(*paths, "c"), 0U);
  EXPECT_THAT(paths->vouched(), SizeIs(2));
  EXPECT_THAT(paths->paths(), SizeIs(3));
}

TEST(VouchedPaths, ConfiguredPathsComeFirstAndAreNeverCrowdedOut) {
  Profile profile = RootProfile();
  profile.intermediates.push_back({"a.cer", SubCa("a", "root", "root")});
  profile.intermediates.push_back({"c.cer", SubCa("c", "b", "b")});
  IssuerPathLimits limits;
  limits.paths_max = 2;
  limits.vouched_paths_max = 2;
  const std::vector<std::string> sent = {
      SubCa("b", "root", "root"), SubCa("d", "a", "a"), SubCa("e", "a", "a")};
  const auto paths = Build(profile, sent, limits);
  EXPECT_EQ(Count(*paths, "a"), 1U);
  EXPECT_THAT(paths->paths(), SizeIs(4)) << "root, a, and two that were sent";
  limits.vouched_paths_max = 3;
  EXPECT_THAT(Build(profile, sent, limits)->paths(), SizeIs(5));
  // A configured CA below one that was sent is found as well.
  limits.vouched_paths_max = 4;
  EXPECT_EQ(Count(*Build(profile, sent, limits), "c"), 1U);
  limits.vouched_signatures_max = 1;
  EXPECT_THAT(Build(profile, sent, limits)->paths(), SizeIs(3));
  limits.vouched_signatures_max = 0;
  EXPECT_THAT(Build(profile, sent, limits)->paths(), SizeIs(2));
}

TEST(VouchedPaths, AnotherSpellingOfANameFindsTheSamePaths) {
  Profile profile = RootProfile();
  profile.intermediates.push_back({"a.cer", SubCa("a", "root", "root")});
  lab::CertificateBuilder spelled;
  spelled.subject(N(" A")).issuer(N("root")).public_key(KeyOf("a2")).ca();
  const auto paths = Build(profile, {spelled.Sign(KeyOf("root"))});
  EXPECT_EQ(Count(*paths, "a"), 2U);
  EXPECT_EQ(Count(*paths, " A"), 2U);
  EXPECT_EQ(Count(*paths, "A  "), 2U);
}

// --- In the keeper -----------------------------------------------------------

class VouchedKeeperTest : public testing::Test {
 protected:
  void Start(bool watch) {
    SnapshotOptions options;
    options.profiles.push_back(RootProfile());
    options.crl_sources.push_back({CrlSourceOptions::Kind::kDirectory,
                                   folder_.path(), absl::Seconds(3600)});
    auto keeper = SnapshotKeeper::Start(options, watch);
    ASSERT_TRUE(keeper.ok()) << keeper.status();
    keeper_ = *std::move(keeper);
    options_ = options;
  }
  const ProfileSnapshot& Lab() {
    snapshot_ = keeper_->Current();
    return *snapshot_->Find("lab");
  }
  void Offer(const std::string& der) { Lab().vouched->Offer(AsBytes(der)); }

  TempFolder folder_;
  SnapshotOptions options_;
  std::unique_ptr<SnapshotKeeper> keeper_;
  std::shared_ptr<const Snapshot> snapshot_;
};

TEST_F(VouchedKeeperTest, ANewSnapshotHasWhatWasOfferedAndBelievesItsCrls) {
  const std::string crl = CrlFor("")
                              .issuer(N("a"))
                              .this_update(UtcSeconds(2024, 1, 1))
                              .next_update(UtcSeconds(2040, 1, 1))
                              .Sign(KeyOf("a"));
  folder_.Write("a.crl", crl);
  Start(/*watch=*/false);
  const auto before = keeper_->Current();
  EXPECT_THAT(before->Find("lab")->crls->partitions(), SizeIs(0));
  Offer(SubCa("a", "root", "root"));
  Offer(SubCa("forged", "root", "stranger"));
  EXPECT_EQ(Lab().issuer_paths->paths().size(), 1U) << "not before the keeper";
  ASSERT_TRUE(keeper_->Refresh().ok());
  EXPECT_NE(Lab().issuer_paths, before->Find("lab")->issuer_paths);
  EXPECT_EQ(Count(*Lab().issuer_paths, "a"), 1U);
  EXPECT_EQ(Count(*Lab().issuer_paths, "forged"), 0U);
  EXPECT_THAT(Lab().crls->partitions(), SizeIs(1));
  EXPECT_NE(keeper_->Current()->digest, before->digest);
  EXPECT_THAT(Lab().vouched->members(), SizeIs(1));
  // The old one is as it was.
  EXPECT_EQ(Count(*before->Find("lab")->issuer_paths, "a"), 0U);
  const uint64_t generation = keeper_->generation();
  Offer(SubCa("a", "root", "root"));
  ASSERT_TRUE(keeper_->Refresh().ok());
  EXPECT_EQ(keeper_->generation(), generation) << "known already";
}

TEST_F(VouchedKeeperTest, AReloadValidatesThemAnew) {
  Start(/*watch=*/false);
  Offer(SubCa("a", "root", "root"));
  ASSERT_TRUE(keeper_->Refresh().ok());
  ASSERT_TRUE(keeper_->Reload(options_).ok());
  EXPECT_EQ(Count(*Lab().issuer_paths, "a"), 1U);
  options_.profiles[0].anchors = {
      {"other.cer", lab::SelfSignedCa(N("root"), KeyOf("other"))}};
  ASSERT_TRUE(keeper_->Reload(options_).ok());
  EXPECT_EQ(Count(*Lab().issuer_paths, "a"), 0U);
  EXPECT_THAT(Lab().vouched->members(), SizeIs(0));
}

TEST_F(VouchedKeeperTest, TheKeepersThreadTakesOffersFromManyThreads) {
  Start(/*watch=*/true);
  const auto first = keeper_->Current();
  const auto& vouched = first->Find("lab")->vouched;
  std::vector<std::string> sent;
  for (const char* name : {"a", "b", "c", "d"}) {
    sent.push_back(SubCa(name, "root", "root"));
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (const std::string& der : sent) vouched->Offer(AsBytes(der));
    });
  }
  for (std::thread& thread : threads) thread.join();
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  while (Lab().issuer_paths->paths().size() < 5 && absl::Now() < deadline) {
    absl::SleepFor(absl::Milliseconds(5));
  }
  EXPECT_EQ(Lab().issuer_paths->paths().size(), 5U);
  // Snapshots outlive the keeper; an offer then comes to nothing.
  snapshot_.reset();
  keeper_.reset();
  vouched->Offer(AsBytes(SubCa("e", "root", "root")));
}

}  // namespace
}  // namespace inkan
