// kill -9, again and again, of a server that fetches CRLs and writes them and
// their indexes to disk: what was revoked is never good again, the newest CRL
// gets in force, and nothing half done is left.
//
// INKAN_CRASH_KILLS=1000 kills more often; see docs/TESTING.md.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "crypto/digest.h"
#include "tests/e2e/crl_peers.h"
#include "tests/support/conformance.h"

namespace inkan {
namespace {

namespace fs = std::filesystem;

constexpr int kDefaultKills = 200;
// The server is left to itself after so many; every other time in between it
// starts without a network.
constexpr int kKillsARound = 10;
// Some 300 kB, which nginx sends in about a sixth of a second: long enough to
// be met in the middle.
constexpr uint64_t kStrangers = 10'000;
constexpr absl::Duration kSending = absl::Milliseconds(150);
constexpr char kSlowly[] = "limit_rate 2m;";

int Kills() {
  const char* text = std::getenv("INKAN_CRASH_KILLS");
  return text == nullptr ? kDefaultKills : std::max(1, std::atoi(text));
}

// What a writer has under way, by name and inode.
using Files = std::set<std::pair<std::string, uint64_t>>;
Files Unfinished(const std::string& state_directory) {
  Files files;
  for (const char* folder : {"/spool", "/compiled"}) {
    std::error_code error;
    fs::directory_iterator entries(state_directory + folder, error);
    while (!error && entries != fs::directory_iterator()) {
      const std::string path = entries->path();
      const std::string name = entries->path().filename();
      struct stat status;
      if ((absl::EndsWith(name, ".part") || absl::EndsWith(name, ".tmp") ||
           absl::StartsWith(name, ".crlx-unfinished")) &&
          stat(path.c_str(), &status) == 0) {
        files.insert({name, status.st_ino});
      }
      entries.increment(error);
    }
  }
  return files;
}

class CrlCrash : public ::testing::Test {
 protected:
  CrlCrash() : dir_(FreshWorkDir()), corpus_(ReadCorpus(SharedLab())) {
    std::string urls;
    for (const lab::CrlPlan& plan : world_.plans()) {
      web_.Write(plan.file_name,
                 ReadFile(SharedLab() + "/crls/" + plan.file_name));
      absl::StrAppend(&urls, "urls: \"", web_.url(plan.file_name), "\" ");
    }
    server_ = std::make_unique<FetchingServer>(
        dir_,
        absl::StrCat("crl_sources { http { ", urls, "} ", kOften, " }\n"));
    target_ = world_.Find(corpus_, lab::CertificateKind::kSignature);
    for (const auto& entry : corpus_) {
      if (target_.filing_ids.contains(entry.filing().filing_id())) {
        probe_ = entry;
      }
    }
  }

  // Lists the probe's certificate always, and the other one every other time.
  void Publish() {
    ++published_;
    std::vector<uint64_t> serials = {target_.serial};
    if (published_ % 2 == 0) serials.push_back(target_.other_serial);
    const std::string crl = world_.Crl(
        *target_.plan,
        {.ahead = 10 + published_, .revoke = serials, .strangers = kStrangers});
    web_.Write(target_.plan->file_name, crl);
    newest_ = Sha256(AsBytes(crl));
  }
  std::set<std::string> RevokedNow() const {
    std::set<std::string> ids = target_.filing_ids;
    if (published_ % 2 == 0) {
      ids.insert(target_.other_filing_ids.begin(),
                 target_.other_filing_ids.end());
    }
    return ids;
  }

  bool NewestInForce() const {
    const v1::GetStatusResponse status = server_->Status();
    return std::any_of(status.partitions().begin(), status.partitions().end(),
                       [this](const v1::CrlPartitionStatus& partition) {
                         return partition.crl_sha256() ==
                                AsText(Bytes(newest_));
                       });
  }

  // A server that does not answer yet, or any more, says nothing wrong.
  void ExpectProbeRevoked() {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(60)));
    v1::VerifyRequest request;
    *request.mutable_filing() = probe_.filing();
    v1::VerifyResponse response;
    if (!v1::VerificationService::NewStub(server_->channel())
             ->Verify(&context, request, &response)
             .ok()) {
      return;
    }
    ++probes_;
    EXPECT_EQ(response.verdict().sub_indication(), v1::SUB_INDICATION_REVOKED)
        << response.verdict().ShortDebugString();
  }

  // Starts it and kills it: on sight of something half done and a moment
  // later, or at any time a start and a fetch take.
  void StartAndKill(bool on_sight) {
    const Files before = Unfinished(server_->state_directory());
    const absl::Time start = absl::Now();
    server_->Launch();
    if (on_sight) {
      const absl::Time deadline = start + absl::Minutes(1);
      while (!HasNew(before) && absl::Now() < deadline) {
        absl::SleepFor(absl::Microseconds(200));
      }
      // At once, or well into the large one.
      absl::SleepFor(dice_() % 2 == 0
                         ? absl::Microseconds(dice_() % 5'000)
                         : kSending * static_cast<double>(dice_() % 1000) /
                               1000);
    } else {
      const absl::Duration until = settle_time_ * (dice_() % 1000) / 1000;
      if (until > start_time_) {
        server_->AwaitListening();
        ExpectProbeRevoked();
      }
      absl::SleepFor(start + until - absl::Now());
    }
    server_->Kill();
    ++kills_;
    if (HasNew(before)) ++interrupted_;
  }
  // Whether a writer that began since has something under way.
  bool HasNew(const Files& before) const {
    const Files now = Unfinished(server_->state_directory());
    return std::any_of(now.begin(), now.end(), [&before](const auto& file) {
      return !before.contains(file);
    });
  }

  // The newest CRL gets in force, and all is true.
  void Settle() {
    Publish();
    const absl::Time start = absl::Now();
    server_->Start();
    start_time_ = absl::Now() - start;
    ExpectProbeRevoked();
    EXPECT_TRUE(Soon([&] { return NewestInForce(); }));
    settle_time_ = absl::Now() - start;
    ExpectTruth(*server_, corpus_, RevokedNow());
    EXPECT_TRUE(
        Soon([&] { return Unfinished(server_->state_directory()).empty(); }));
    server_->Kill();
  }

  const std::string dir_;
  const Corpus corpus_;
  const LabWorld world_;
  WebServer web_{dir_ + "/web"};
  std::unique_ptr<FetchingServer> server_;
  LabWorld::Target target_;
  lab::v1::CorpusEntry probe_;
  std::mt19937 dice_{1};
  int64_t published_ = 0;
  std::array<uint8_t, 32> newest_{};
  absl::Duration start_time_;
  absl::Duration settle_time_;
  int kills_ = 0;
  int interrupted_ = 0;
  int probes_ = 0;
};

TEST_F(CrlCrash, KilledAtAnyMomentItNeverForgetsWhatWasRevoked) {
  ASSERT_NE(target_.plan, nullptr);
  web_.Start();
  web_.Behave(kSlowly);
  // The first CRL that lists the probe has been seen in force once; before
  // that nobody promised anything.
  Publish();
  server_->Start();
  ASSERT_TRUE(Soon([&] {
    return static_cast<size_t>(server_->Status().partitions_size()) ==
           world_.plans().size();
  }));
  ExpectTruth(*server_, corpus_, RevokedNow());
  server_->Kill();
  Settle();
  bool offline = false;
  while (kills_ < Kills() && !HasFailure()) {
    for (int i = 0; i < kKillsARound && kills_ < Kills(); ++i) {
      Publish();
      StartAndKill(/*on_sight=*/i % 2 == 0);
    }
    offline = !offline;
    if (offline) {
      web_.Stop();
      StartAndKill(/*on_sight=*/false);
      server_->Start();
      ExpectProbeRevoked();
      EXPECT_EQ(static_cast<size_t>(server_->Status().partitions_size()),
                world_.plans().size());
      server_->Kill();
      web_.Start();
      web_.Behave(kSlowly);
    }
    Settle();
  }
  RecordProperty("kills", kills_);
  RecordProperty("interrupted", interrupted_);
  RecordProperty("probes", probes_);
  std::cout << kills_ << " kills, " << interrupted_
            << " in the middle of a write, " << probes_ << " probes\n";
  EXPECT_GE(interrupted_, kills_ / 4);
  EXPECT_GT(probes_, kills_ / kKillsARound);
}

}  // namespace
}  // namespace inkan
