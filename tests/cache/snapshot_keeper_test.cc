// The snapshot in force while files come, change, are wrong, and go.
#include "cache/snapshot_keeper.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cache/mutex.h"
#include "gmock/gmock.h"
#include "tests/support/lab_world.h"
#include "tests/support/temp_folder.h"

namespace inkan {
namespace {

using lab::UtcSeconds;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing_world::CaDer;
using testing_world::CrlFor;
using testing_world::DeltaDer;
using testing_world::KeyOf;
using testing_world::LeafBuilder;
using testing_world::OwnedLeaf;
using testing_world::Revoked;
using testing_world::TempFolder;

const int64_t kNow = UtcSeconds(2026, 3, 16);

Profile LabProfile(const std::string& key = "ca") {
  Profile profile;
  profile.name = "lab";
  profile.anchors.push_back({"ca.cer", CaDer(key)});
  return profile;
}

SnapshotOptions OptionsFor(const TempFolder& folder) {
  SnapshotOptions options;
  options.profiles.push_back(LabProfile());
  options.crl_sources.push_back({CrlSourceOptions::Kind::kDirectory,
                                 folder.path(), absl::Milliseconds(100)});
  return options;
}

// thisUpdate as given: it must not lie in the future of the test's clock.
std::string CrlDer(uint64_t number, bool lists_7 = false,
                   const std::string& key = "ca",
                   int64_t this_update = UtcSeconds(2024, 1, 1)) {
  lab::CrlBuilder builder = CrlFor("Kyoto", number);
  builder.this_update(this_update).next_update(UtcSeconds(2040, 1, 1));
  if (lists_7) builder.revoke(Revoked(7, UtcSeconds(2023, 1, 1)));
  return builder.Sign(KeyOf(key));
}

// Of another partition than that of serial 7, with the same key.
std::string OtherCrlDer(const std::string& point = "Osaka",
                        uint64_t number = 1) {
  return CrlFor(point, number)
      .this_update(UtcSeconds(2024, 1, 1))
      .next_update(UtcSeconds(2040, 1, 1))
      .Sign(KeyOf("ca"));
}

RevocationStatus StatusIn(const Snapshot& snapshot) {
  static const auto* const kLeaf =
      new OwnedLeaf(LeafBuilder(7, "ca", "Kyoto").Sign(KeyOf("ca")));
  const ProfileSnapshot* profile = snapshot.Find("lab");
  return profile->crls
      ->Check(kLeaf->view, *profile->issuer_paths->Find(kLeaf->view.issuer)[0],
              kNow)
      .status;
}

class SnapshotKeeperTest : public testing::Test {
 protected:
  void Start(bool watch = false) {
    auto keeper = SnapshotKeeper::Start(OptionsFor(folder_), watch);
    ASSERT_TRUE(keeper.ok()) << keeper.status();
    keeper_ = *std::move(keeper);
  }
  RevocationStatus Status() { return StatusIn(*keeper_->Current()); }
  // The only error there is.
  CrlSourceError Error() {
    const auto errors = keeper_->source_errors();
    EXPECT_THAT(errors, SizeIs(1));
    return errors.empty() ? CrlSourceError() : errors.front();
  }
  void Refresh() { ASSERT_TRUE(keeper_->Refresh().ok()); }
  size_t Partitions() {
    return keeper_->Current()->Find("lab")->crls->partitions().size();
  }

  TempFolder folder_;
  std::unique_ptr<SnapshotKeeper> keeper_;
};

TEST_F(SnapshotKeeperTest, AFileThatIsNoCrlChangesNothingButTheErrors) {
  folder_.Write("a.crl", CrlDer(1));
  Start();
  const auto before = keeper_->Current();
  EXPECT_EQ(Status(), RevocationStatus::kGood);
  EXPECT_THAT(keeper_->source_errors(), IsEmpty());
  folder_.Write("junk", "this is no CRL");
  Refresh();
  EXPECT_EQ(keeper_->Current(), before);
  EXPECT_THAT(Error().source, HasSubstr("junk"));
  EXPECT_THAT(Error().error, HasSubstr("certificateList"));
  EXPECT_FALSE(Error().last_good_in_use);
  std::filesystem::remove(folder_.path() + "/junk");
  Refresh();
  EXPECT_EQ(keeper_->Current(), before);
  EXPECT_THAT(keeper_->source_errors(), IsEmpty());
}

TEST_F(SnapshotKeeperTest, AGoodNewCrlTakesEffect) {
  folder_.Write("a.crl", CrlDer(1));
  Start();
  const auto before = keeper_->Current();
  folder_.Replace("a.crl", CrlDer(2, /*lists_7=*/true));
  Refresh();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  EXPECT_GT(keeper_->Current()->generation, before->generation);
  EXPECT_EQ(keeper_->generation(), keeper_->Current()->generation);
  EXPECT_NE(keeper_->Current()->digest, before->digest);
  // What was pinned says what it said.
  EXPECT_EQ(StatusIn(*before), RevocationStatus::kGood);
}

bool Eventually(const std::function<bool()>& holds) {
  for (int i = 0; i < 6000; ++i) {
    if (holds()) return true;
    absl::SleepFor(absl::Milliseconds(10));
  }
  return false;
}

TEST_F(SnapshotKeeperTest, AnIndexThatCannotBeKeptIsToldOnceAndSoIsItsEnd) {
  const TempFolder state;
  const std::string compiled = state.path() + "/compiled";
  SnapshotOptions options = OptionsFor(folder_);
  options.state_directory = state.path();
  auto keeper = SnapshotKeeper::Start(options);
  ASSERT_TRUE(keeper.ok()) << keeper.status();
  keeper_ = *std::move(keeper);
  Mutex mutex;
  std::vector<size_t> told;
  const auto listener = [&](const UnwrittenIndexes& unwritten) {
    const MutexLock lock(&mutex);
    told.push_back(unwritten.crls);
    EXPECT_EQ(unwritten.error.empty(), unwritten.crls == 0);
  };
  const auto told_so_far = [&] {
    const MutexLock lock(&mutex);
    return told;
  };
  keeper_->SetUnwrittenListener(listener);
  EXPECT_EQ(keeper_->unwritten_indexes().crls, 0U);
  std::filesystem::remove_all(compiled);
  folder_.Replace("a.crl", CrlDer(1, /*lists_7=*/true));
  ASSERT_TRUE(Eventually([&] { return !told_so_far().empty(); }));
  EXPECT_THAT(keeper_->unwritten_indexes().error, HasSubstr("a.crl"));
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  EXPECT_THAT(keeper_->source_errors(), IsEmpty());
  // Nothing new is found out by looking again, nor by a reload.
  Refresh();
  ASSERT_TRUE(keeper_->Reload(options).ok());
  EXPECT_EQ(keeper_->unwritten_indexes().crls, 1U);
  EXPECT_THAT(told_so_far(), testing::ElementsAre(1U));
  // Who listens later hears of it as well.
  keeper_->SetUnwrittenListener(listener);
  EXPECT_THAT(told_so_far(), testing::ElementsAre(1U, 1U));
  std::filesystem::create_directory(compiled);
  folder_.Replace("a.crl", CrlDer(2));
  EXPECT_TRUE(Eventually([&] { return told_so_far().size() == 3; }));
  EXPECT_THAT(told_so_far(), testing::ElementsAre(1U, 1U, 0U));
  EXPECT_EQ(keeper_->unwritten_indexes().error, "");
  EXPECT_TRUE(Eventually([&] {
    return std::distance(std::filesystem::directory_iterator(compiled),
                         std::filesystem::directory_iterator()) == 1;
  }));
  keeper_ = nullptr;  // before what it tells
}

TEST_F(SnapshotKeeperTest, AStartRemovesAtOnceWhatKilledWritersLeft) {
  const TempFolder state;
  SnapshotOptions options = OptionsFor(folder_);
  options.state_directory = state.path();
  const std::string left =
      state.path() + "/compiled/.crlx-unfinished-1-1-a.crlx";
  std::filesystem::create_directory(state.path() + "/compiled");
  std::ofstream(left) << "half";
  // Nothing of a server that runs, which has it for itself.
  {
    const auto other = CrlSpool::Open(state.path());
    ASSERT_TRUE(other.ok());
    EXPECT_FALSE(std::filesystem::exists(left));
    std::ofstream(left) << "half";
    EXPECT_FALSE(SnapshotKeeper::Start(options).ok());
    EXPECT_TRUE(SnapshotKeeper::Start(options, /*watch=*/false).ok());
    EXPECT_TRUE(std::filesystem::exists(left));
  }
  auto keeper = SnapshotKeeper::Start(options);
  ASSERT_TRUE(keeper.ok()) << keeper.status();
  EXPECT_FALSE(std::filesystem::exists(left));
}

// Whether this process has the file open.
bool IsOpen(const std::string& path) {
  std::error_code error;
  for (const std::filesystem::path& one : FilesIn("/proc/self/fd")) {
    if (std::filesystem::read_symlink(one, error) == path) return true;
  }
  return false;
}

TEST_F(SnapshotKeeperTest, AnEndDoesNotWaitForWhatIsBeingRead) {
  // Out of order, which takes its time.
  constexpr uint64_t kEntries = 300000;
  const std::string large =
      CrlFor("Kyoto", 1)
          .this_update(UtcSeconds(2024, 1, 1))
          .next_update(UtcSeconds(2040, 1, 1))
          .entries(kEntries,
                   [](uint64_t i, lab::CrlEntry* entry) {
                     *entry = Revoked(1 + i * 104729 % kEntries,
                                      UtcSeconds(2023, 1, 1));
                   })
          .Sign(KeyOf("ca"));
  // Whoever reads to the end leaves an index. It may well come to its end
  // before it is stopped, now and then.
  bool left_off = false;
  for (int i = 0; i < 20 && !left_off; ++i) {
    const TempFolder state;
    const TempFolder folder;
    SnapshotOptions options = OptionsFor(folder);
    options.state_directory = state.path();
    auto keeper = SnapshotKeeper::Start(options);
    ASSERT_TRUE(keeper.ok()) << keeper.status();
    const std::string path = folder.Replace("large.crl", large);
    while (!IsOpen(path) && (*keeper)->generation() == 1) {
      absl::SleepFor(absl::Microseconds(200));
    }
    keeper->reset();
    left_off = FilesIn(state.path() + "/compiled").empty();
  }
  EXPECT_TRUE(left_off);
}

struct BadReplacement {
  const char* what;
  std::string contents;
  const char* error;
};

TEST_F(SnapshotKeeperTest, ABadReplacementIsRefusedAndTheLastGoodOneStays) {
  std::string altered = CrlDer(4, /*lists_7=*/false);
  altered[altered.size() - 1] = static_cast<char>(altered.back() ^ 1);
  const BadReplacement kCases[] = {
      {"truncated", CrlDer(4).substr(0, 200), "truncated"},
      {"empty", "", "truncated"},
      {"an older number", CrlDer(2), "older"},
      {"another signer", CrlDer(4, false, "someone"), "signatureValue"},
      {"one bit changed", altered, "signatureValue"},
      {"from the future",
       CrlDer(4, false, "ca", absl::ToUnixSeconds(absl::Now()) + 3600),
       "future"},
  };
  for (const BadReplacement& c : kCases) {
    SCOPED_TRACE(c.what);
    folder_.Replace("a.crl", CrlDer(3, /*lists_7=*/true));
    Start();
    ASSERT_EQ(Status(), RevocationStatus::kRevoked);
    const auto before = keeper_->Current();
    folder_.Replace("a.crl", c.contents);
    for (int look = 0; look < 3; ++look) {
      Refresh();
      EXPECT_EQ(keeper_->Current(), before);
      EXPECT_THAT(Error().error, HasSubstr(c.error));
      EXPECT_TRUE(Error().last_good_in_use);
    }
    folder_.Replace("a.crl", CrlDer(5));
    Refresh();
    EXPECT_EQ(Status(), RevocationStatus::kGood);
    EXPECT_THAT(keeper_->source_errors(), IsEmpty());
  }
}

TEST_F(SnapshotKeeperTest, ARemovedFileKeepsItsLastGoodCrl) {
  const std::string path = folder_.Write("a.crl", CrlDer(1, true));
  Start();
  const auto before = keeper_->Current();
  std::filesystem::remove(path);
  Refresh();
  EXPECT_EQ(keeper_->Current(), before);
  EXPECT_EQ(Error().error, "the file is gone");
  EXPECT_TRUE(Error().last_good_in_use);
  // And an older one under another name does not take its place.
  folder_.Write("b.crl", CrlDer(0));
  Refresh();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  // Nor a whole folder that is gone.
  std::filesystem::remove_all(folder_.path());
  Refresh();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
}

TEST_F(SnapshotKeeperTest, AForgedFileNeverProfitsFromOneThatWasVerified) {
  folder_.Write("a.crl", CrlDer(9, /*lists_7=*/true));
  Start();
  for (int i = 0; i < 20; ++i) {
    folder_.Replace("b.crl", CrlDer(1));  // verified, and older
    Refresh();
    folder_.Replace("b.crl", "junk");
    Refresh();
    folder_.Replace("b.crl", CrlDer(99, false, "someone"));
    Refresh();
    ASSERT_EQ(Status(), RevocationStatus::kRevoked);
    ASSERT_THAT(Error().error, HasSubstr("signatureValue"));
  }
}

TEST_F(SnapshotKeeperTest, ACopyOfTheBaseTakesNoDeltaOutOfForce) {
  folder_.Write("base.crl", CrlDer(1));
  folder_.Write("delta.crl", DeltaDer(2, 1));
  Start();
  ASSERT_EQ(Status(), RevocationStatus::kRevoked);
  folder_.Replace("delta.crl", CrlDer(1));
  for (int look = 0; look < 3; ++look) {
    Refresh();
    EXPECT_EQ(Status(), RevocationStatus::kRevoked);
    EXPECT_THAT(Error().source, HasSubstr("delta.crl"));
    EXPECT_THAT(Error().error, HasSubstr("CN=Kyoto (delta)"));
    EXPECT_TRUE(Error().last_good_in_use);
    EXPECT_TRUE(look != 1 || keeper_->Reload(OptionsFor(folder_)).ok());
  }
  // Nor does the file's end.
  std::filesystem::remove(folder_.path() + "/delta.crl");
  for (int look = 0; look < 3; ++look) {
    Refresh();
    EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  }
  // A newer word ends it.
  folder_.Replace("base.crl", CrlDer(3));
  Refresh();
  Refresh();
  EXPECT_EQ(Status(), RevocationStatus::kGood);
  EXPECT_THAT(keeper_->source_errors(), IsEmpty());
}

TEST_F(SnapshotKeeperTest, NoPartitionIsSetBackByWayOfAnotherOne) {
  folder_.Write("osaka.crl", OtherCrlDer());
  folder_.Write("a.crl", CrlDer(5, /*lists_7=*/true));
  Start();
  for (const std::string& other : {OtherCrlDer(), OtherCrlDer("Nara")}) {
    folder_.Replace("a.crl", other);
    Refresh();
    EXPECT_EQ(Status(), RevocationStatus::kRevoked);
    EXPECT_THAT(Error().error, HasSubstr("another partition"));
    folder_.Replace("a.crl", CrlDer(4));
    Refresh();
    Refresh();
    EXPECT_EQ(Status(), RevocationStatus::kRevoked);
    const auto errors = keeper_->source_errors();
    ASSERT_FALSE(errors.empty());
    EXPECT_THAT(errors[0].error, HasSubstr("older"));
  }
  folder_.Replace("a.crl", CrlDer(6));
  Refresh();
  EXPECT_EQ(Status(), RevocationStatus::kGood);
  // What only passed through is the newest of its partition, too.
  EXPECT_EQ(Partitions(), 3U);
  EXPECT_THAT(Error().error, HasSubstr("CN=Nara"));
}

TEST_F(SnapshotKeeperTest, FilesThatChangeNamesChangeNothingElse) {
  folder_.Write("a.crl", CrlDer(5, /*lists_7=*/true));
  folder_.Write("b.crl", OtherCrlDer());
  Start();
  folder_.Replace("a.crl", OtherCrlDer());
  folder_.Replace("b.crl", CrlDer(5, /*lists_7=*/true));
  Refresh();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  EXPECT_THAT(keeper_->source_errors(), IsEmpty());
  folder_.Replace("b.crl", CrlDer(6));
  Refresh();
  EXPECT_EQ(Status(), RevocationStatus::kGood);
  EXPECT_EQ(Partitions(), 2U);
  EXPECT_THAT(keeper_->source_errors(), IsEmpty());
}

// A mistake at one place, found and mended: nothing is locked out by it.
TEST_F(SnapshotKeeperTest, ADeltaAtTheBasesPlaceIsInForceAndGivesWay) {
  folder_.Write("base.crl", CrlDer(1));
  Start();
  ASSERT_EQ(Status(), RevocationStatus::kGood);
  folder_.Replace("base.crl", DeltaDer(2, 1));
  for (int look = 0; look < 3; ++look) {
    Refresh();
    EXPECT_EQ(Status(), RevocationStatus::kRevoked);
    EXPECT_THAT(Error().error, HasSubstr("another partition"));
  }
  folder_.Replace("base.crl", CrlDer(3));
  Refresh();
  Refresh();
  EXPECT_EQ(Status(), RevocationStatus::kGood);
  EXPECT_THAT(keeper_->source_errors(), IsEmpty());
}

TEST_F(SnapshotKeeperTest, DeltasThatChangePlacesAreBothInForce) {
  folder_.Write("base.crl", CrlDer(1));
  folder_.Write("osaka.crl", OtherCrlDer());
  const auto osaka_delta = [](uint64_t number) {
    return CrlFor("Osaka", number)
        .this_update(UtcSeconds(2024, 1, 2))
        .next_update(UtcSeconds(2040, 1, 1))
        .add(lab::extension::DeltaCrlIndicator(1))
        .Sign(KeyOf("ca"));
  };
  folder_.Write("d1.crl", osaka_delta(2));
  folder_.Write("d2.crl", CrlFor("Kyoto", 2)
                              .this_update(UtcSeconds(2024, 1, 2))
                              .next_update(UtcSeconds(2040, 1, 1))
                              .add(lab::extension::DeltaCrlIndicator(1))
                              .Sign(KeyOf("ca")));
  Start();
  ASSERT_EQ(Status(), RevocationStatus::kGood);
  ASSERT_THAT(keeper_->source_errors(), IsEmpty());
  folder_.Replace("d1.crl", DeltaDer(3, 1));  // Kyoto's, which lists 7
  Refresh();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  folder_.Replace("d2.crl", osaka_delta(3));
  Refresh();
  Refresh();
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  EXPECT_THAT(keeper_->source_errors(), IsEmpty());
}

TEST_F(SnapshotKeeperTest, AnExpiredCrlOfAnotherPartitionIsNotTakenIn) {
  folder_.Write("a.crl", CrlDer(5, /*lists_7=*/true));
  Start();
  folder_.Replace("a.crl", CrlFor("Osaka", 9)
                               .this_update(UtcSeconds(2024, 1, 1))
                               .next_update(UtcSeconds(2024, 1, 2))
                               .Sign(KeyOf("ca")));
  for (int look = 0; look < 3; ++look) {
    Refresh();
    EXPECT_EQ(Status(), RevocationStatus::kRevoked);
    EXPECT_EQ(Partitions(), 1U);
    EXPECT_THAT(Error().error, HasSubstr("expired CRL of another partition"));
    EXPECT_TRUE(Error().last_good_in_use);
  }
  folder_.Replace("a.crl", CrlDer(6));
  Refresh();
  EXPECT_EQ(Status(), RevocationStatus::kGood);
  EXPECT_THAT(keeper_->source_errors(), IsEmpty());
}

TEST_F(SnapshotKeeperTest, APlaceHoldsEveryPartitionThatWasEverThere) {
  folder_.Write("a.crl", CrlDer(5, /*lists_7=*/true));
  Start();
  constexpr size_t kOthers = 40;
  for (size_t i = 1; i <= kOthers; ++i) {
    folder_.Replace("a.crl", OtherCrlDer(absl::StrCat("Town ", i)));
    Refresh();
    ASSERT_EQ(Partitions(), i + 1);
    ASSERT_THAT(keeper_->source_errors(), SizeIs(i));
  }
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  // Until a newer one comes from anywhere.
  folder_.Write("kyoto.crl", CrlDer(6));
  Refresh();
  EXPECT_EQ(Status(), RevocationStatus::kGood);
  EXPECT_EQ(Partitions(), kOthers + 1);
  EXPECT_THAT(keeper_->source_errors(), SizeIs(kOthers - 1));
  // All of them belong to the place, and go with it.
  SnapshotOptions without = OptionsFor(folder_);
  without.crl_sources[0].path += "/none";
  ASSERT_TRUE(keeper_->Reload(without).ok());
  EXPECT_EQ(Partitions(), 0U);
}

TEST_F(SnapshotKeeperTest, ReloadKeepsWhatIsGoodAndTrustsOnlyTheNewProfiles) {
  const std::string path = folder_.Write("a.crl", CrlDer(1, true));
  Start();
  folder_.Replace("a.crl", "junk");
  ASSERT_TRUE(keeper_->Reload(OptionsFor(folder_)).ok());
  EXPECT_EQ(Status(), RevocationStatus::kRevoked);
  EXPECT_TRUE(Error().last_good_in_use);
  const auto before = keeper_->Current();

  SnapshotOptions broken = OptionsFor(folder_);
  broken.profiles[0].anchors[0].der = "junk";
  EXPECT_FALSE(keeper_->Reload(broken).ok());
  EXPECT_EQ(keeper_->Current(), before);

  SnapshotOptions other = OptionsFor(folder_);
  other.profiles[0] = LabProfile("ca 2019");
  ASSERT_TRUE(keeper_->Reload(other).ok());
  EXPECT_THAT(keeper_->Current()->Find("lab")->crls->partitions(), IsEmpty());
  EXPECT_GT(keeper_->Current()->generation, before->generation);
}

TEST_F(SnapshotKeeperTest, StartNamesWhatIsUnusable) {
  const auto error = [](const SnapshotOptions& options) {
    return std::string(
        SnapshotKeeper::Start(options, false).status().message());
  };
  EXPECT_THAT(error({}), HasSubstr("no profile"));
  SnapshotOptions twice = OptionsFor(folder_);
  twice.profiles.push_back(twice.profiles[0]);
  EXPECT_THAT(error(twice), HasSubstr("lab"));
  SnapshotOptions bad = OptionsFor(folder_);
  bad.profiles[0].anchors[0].der.pop_back();
  EXPECT_THAT(error(bad),
              testing::AllOf(HasSubstr("profile lab"), HasSubstr("ca.cer")));
  SnapshotOptions missing = OptionsFor(folder_);
  missing.crl_sources[0].path += "/none";
  EXPECT_EQ(error(missing), "");
}

TEST_F(SnapshotKeeperTest, TheDigestTellsRulesAndCrlsApart) {
  folder_.Write("a.crl", CrlDer(1));
  const auto digest = [&](const SnapshotOptions& options) {
    return (*SnapshotKeeper::Start(options, false))->Current()->digest;
  };
  const SnapshotOptions options = OptionsFor(folder_);
  EXPECT_EQ(digest(options), digest(options));
  SnapshotOptions off = options;
  off.profiles[0].revocation = RevocationMode::kOff;
  SnapshotOptions usage = options;
  usage.profiles[0].required_key_usage = key_usage::kNonRepudiation;
  SnapshotOptions policy = options;
  policy.profiles[0].initial_policies = {"\x2a\x03"};
  SnapshotOptions anchor = options;
  anchor.profiles[0] = LabProfile("ca 2019");
  for (const SnapshotOptions& other : {off, usage, policy, anchor}) {
    EXPECT_NE(digest(options), digest(other));
  }
}

// A delta that one profile takes, and another one does not, was in force all
// the same: that the other one misses it is published though its CRLs are the
// same.
TEST_F(SnapshotKeeperTest, WhatIsFoundMissingIsPublished) {
  const TempFolder state;
  SnapshotOptions options = OptionsFor(folder_);
  options.state_directory = state.path();
  Profile lenient = LabProfile();
  lenient.name = "lenient";
  lenient.allow_crl_without_next_update = true;
  lenient.crl_max_age = int64_t{20} * 366 * 86400;
  options.profiles.push_back(lenient);
  folder_.Write("a.crl", CrlDer(5));
  folder_.Write("d.crl", CrlFor("Kyoto", 7)
                             .this_update(UtcSeconds(2024, 1, 2))
                             .no_next_update()
                             .add(lab::extension::DeltaCrlIndicator(5))
                             .revoke(Revoked(7, UtcSeconds(2023, 1, 1)))
                             .Sign(KeyOf("ca")));
  auto keeper = SnapshotKeeper::Start(options, false);
  ASSERT_TRUE(keeper.ok()) << keeper.status();
  keeper_ = *std::move(keeper);
  const auto before = keeper_->Current();
  EXPECT_EQ(StatusIn(*before), RevocationStatus::kGood);
  folder_.Write("copy.crl", CrlDer(5));  // changes nothing but links anew
  Refresh();
  EXPECT_EQ(Status(), RevocationStatus::kUnknown);
  EXPECT_NE(keeper_->Current()->digest, before->digest);
}

TEST_F(SnapshotKeeperTest, AWatchedFolderIsFollowedWithoutBeingAsked) {
  SnapshotOptions options = OptionsFor(folder_);
  options.crl_sources[0].poll_interval = absl::Hours(1);
  auto keeper = SnapshotKeeper::Start(options);
  ASSERT_TRUE(keeper.ok());
  keeper_ = *std::move(keeper);
  // At once: the keeper's thread may not be watching yet.
  folder_.Replace("a.crl", CrlDer(1));
  EXPECT_TRUE(Eventually([&] { return Status() == RevocationStatus::kGood; }));
  folder_.Write("a.crl", CrlDer(2, true));
  EXPECT_TRUE(
      Eventually([&] { return Status() == RevocationStatus::kRevoked; }));
}

TEST_F(SnapshotKeeperTest, AReaderThatMovesOnFreesNothing) {
  folder_.Write("a.crl", CrlDer(1));
  Start(/*watch=*/true);
  int held = 0;
  for (uint64_t number = 2; number < 8; ++number) {
    SnapshotReader reader(*keeper_);
    std::weak_ptr<const Snapshot> before = reader.Pin();
    folder_.Replace("a.crl", CrlDer(number));
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    while (keeper_->generation() == before.lock()->generation &&
           absl::Now() < deadline) {
      absl::SleepFor(absl::Milliseconds(5));
    }
    ASSERT_NE(reader.Pin(), nullptr);
    // The reader was the last who used it. The keeper's thread may have looked
    // in between, but not each time.
    if (!before.expired()) ++held;
    while (!before.expired() && absl::Now() < deadline) {
      absl::SleepFor(absl::Milliseconds(5));
    }
    EXPECT_TRUE(before.expired());
  }
  EXPECT_GT(held, 0);
}

TEST_F(SnapshotKeeperTest, ReadersSeeWholeSnapshotsWhileTheyChange) {
  folder_.Write("a.crl", CrlDer(1));
  folder_.Write("b.crl", CrlFor("Osaka", 1).Sign(KeyOf("ca")));
  Start(/*watch=*/true);
  std::atomic<uint64_t> published = 0;
  keeper_->SetPublishListener([&](const Snapshot& snapshot) {
    EXPECT_GT(snapshot.generation, published.exchange(snapshot.generation));
  });
  std::atomic<bool> done = false;
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      SnapshotReader reader(*keeper_);
      uint64_t last = 0;
      while (!done) {
        const auto& snapshot = reader.Pin();
        EXPECT_GE(snapshot->generation, last);
        last = snapshot->generation;
        // A CRL with an even number lists the serial, one with an odd does not.
        const auto& partitions = snapshot->Find("lab")->crls->partitions();
        bool listed = false;
        for (const CrlPartition& partition : partitions) {
          if (partition.crl->scope_text != "CN=Kyoto") continue;
          listed = partition.crl->crl_number.back() % 2 == 0;
        }
        EXPECT_EQ(StatusIn(*snapshot), listed ? RevocationStatus::kRevoked
                                              : RevocationStatus::kGood);
        (void)keeper_->source_errors();
      }
    });
  }
  for (uint64_t number = 2; number < 60; ++number) {
    folder_.Replace("a.crl", CrlDer(number, number % 2 == 0));
    if (number % 3 == 0) Refresh();
    if (number % 7 == 0) folder_.Write("junk", "junk");
    if (number % 10 == 0) {
      EXPECT_TRUE(keeper_->Reload(OptionsFor(folder_)).ok());
    }
  }
  EXPECT_TRUE(Eventually([&] { return Status() == RevocationStatus::kGood; }));
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_TRUE(Eventually([&] { return published == keeper_->generation(); }));
  keeper_ = nullptr;  // the listener's last word, while what it writes lives
}

}  // namespace
}  // namespace inkan
