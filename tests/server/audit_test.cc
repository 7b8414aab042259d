// The audit log: its lines, its file, and what happens when it cannot be
// written.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cache/crl_data.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/audit_file.h"
#include "server/audit_line.h"
#include "server/audit_log.h"
#include "server/log_json.h"
#include "tests/support/temp_folder.h"

namespace {

// Moves this program's wall clock, and only that one, as setting it does.
std::atomic<int64_t> clock_step_seconds{0};

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const long result = syscall(SYS_clock_gettime, clock, time);
  if (result == 0 && clock == CLOCK_REALTIME) {
    time->tv_sec += clock_step_seconds.load();
  }
  return static_cast<int>(result);
}

namespace inkan {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using testing_world::TempFolder;
namespace fs = std::filesystem;

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// Every file of the log, rotated ones included.
std::vector<std::string> AllLines(const std::string& folder) {
  std::vector<std::string> lines;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".lock") continue;
    for (std::string& line : Lines(ReadAll(entry.path().string()))) {
      lines.push_back(std::move(line));
    }
  }
  return lines;
}

// Files of this process may not grow past `bytes` while it lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit now = {bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &now);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_ = {};
};

bool Until(const std::function<bool()>& holds) {
  for (int i = 0; i < 6000; ++i) {
    if (holds()) return true;
    absl::SleepFor(absl::Milliseconds(10));
  }
  return false;
}

bool AppendLine(AuditLog* log, const std::string& text) {
  std::string line = absl::StrCat(text, "\n");
  return log->Append(&line, 1);
}

// --- Lines ---

TEST(AuditLineTest, SaysWhatWasJudgedAndNothingPersonal) {
  CrlData crl;
  crl.sha256.fill(0xab);
  crl.crl_number = std::string("\x00\x81", 2);
  const std::string serial("\x00\xf1\x02", 3);
  FilingVerdict verdict;
  verdict.has_certificate = true;
  verdict.certificate.serial = AsBytes(serial);
  verdict.fingerprint.fill(0xcd);
  verdict.has_revocation = true;
  verdict.revocation.crl = &crl;
  verdict.diagnostic = "CN=Yamada Taro is revoked";
  Snapshot snapshot;
  snapshot.generation = 7;
  snapshot.digest.fill(0x11);
  snapshot.profiles["signature"] = {};
  RequestOrigin origin;
  origin.number = 42;
  origin.client = "intake.example";
  VerdictRecord record;
  record.filing_id = "a \"b\"\n\xff c";
  record.profile = "signature";
  record.outcome = Outcome::kRevoked;
  record.time = 1773576000;
  record.verdict = &verdict;
  record.origin = &origin;

  std::string out;
  AuditFormatter("run1").Append(snapshot, {&record, 1},
                                absl::FromUnixMicros(1773576001000002), &out);
  ASSERT_EQ(Lines(out).size(), 1U);
  const json line = json::parse(out);
  EXPECT_EQ(line["time"], "2026-03-15T12:00:01.000002Z");
  EXPECT_EQ(line["request"], "run1-42");
  EXPECT_EQ(line["kind"], "filing");
  EXPECT_EQ(line["id"], "a \"b\"\n\xef\xbf\xbd c");
  EXPECT_EQ(line["profile"], "signature");
  EXPECT_EQ(line["indication"], "TOTAL_FAILED");
  EXPECT_EQ(line["sub_indication"], "REVOKED");
  EXPECT_EQ(line["certificate_sha256"].get<std::string>().substr(0, 4), "cdcd");
  EXPECT_EQ(line["certificate_sha256"].get<std::string>().size(), 64U);
  EXPECT_EQ(line["serial"], "f102");
  EXPECT_EQ(line["crl_sha256"].get<std::string>().substr(0, 4), "abab");
  EXPECT_EQ(line["crl_number"], "81");
  EXPECT_EQ(line["snapshot"], 7);
  EXPECT_EQ(line["snapshot_digest"].get<std::string>().substr(0, 4), "1111");
  EXPECT_EQ(line["verification_time"], 1773576000);
  EXPECT_EQ(line["client"], "intake.example");
  EXPECT_EQ(line.size(), 15U);
  EXPECT_THAT(out, ::testing::Not(HasSubstr("Yamada")));
}

TEST(AuditLineTest, NamesTheDeltaThatAVerdictRestsOn) {
  CrlData complete;
  complete.sha256.fill(0xab);
  complete.crl_number = std::string("\x00\x81", 2);
  CrlData delta;
  delta.sha256.fill(0xde);
  FilingVerdict verdict;
  verdict.has_revocation = true;
  verdict.revocation.crl = verdict.revocation.complete = &complete;
  verdict.revocation.delta = &delta;
  Snapshot snapshot;
  VerdictRecord record;
  record.verdict = &verdict;
  const auto line_of = [&] {
    std::string out;
    AuditFormatter("run").Append(snapshot, {&record, 1}, absl::UnixEpoch(),
                                 &out);
    return json::parse(out);
  };
  json line = line_of();
  EXPECT_EQ(line["crl_sha256"].get<std::string>().substr(0, 4), "abab");
  EXPECT_EQ(line["crl_number"], "81");
  EXPECT_EQ(line["complete_crl_sha256"], line["crl_sha256"]);
  EXPECT_EQ(line["complete_crl_number"], "81");
  EXPECT_EQ(line["delta_crl_sha256"].get<std::string>().substr(0, 4), "dede");
  EXPECT_EQ(line["delta_crl_sha256"].get<std::string>().size(), 64U);
  EXPECT_TRUE(line["delta_crl_number"].is_null());
  EXPECT_EQ(line.size(), 19U);
  // The delta has the entry.
  delta.crl_number = "\x82";
  verdict.revocation.crl = &delta;
  line = line_of();
  EXPECT_EQ(line["crl_number"], "82");
  EXPECT_EQ(line["complete_crl_number"], "81");
  EXPECT_EQ(line["delta_crl_number"], "82");
}

TEST(AuditLineTest, WhatIsNotKnownIsNull) {
  Snapshot snapshot;
  VerdictRecord record;
  record.profile = "my name is Taro";  // not configured: the caller's own text
  record.outcome = Outcome::kPassed;
  record.certificate_only = true;
  std::string out;
  AuditFormatter("run").Append(snapshot, {&record, 1}, absl::UnixEpoch(), &out);
  const json line = json::parse(out);
  for (const char* key : {"profile", "sub_indication", "certificate_sha256",
                          "serial", "crl_sha256", "crl_number", "client"}) {
    EXPECT_TRUE(line[key].is_null()) << key;
  }
  EXPECT_EQ(line["kind"], "certificate");
  EXPECT_EQ(line["indication"], "TOTAL_PASSED");
}

TEST(AuditLineTest, AnyOctetsMakeALineThatParses) {
  std::string all;
  for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
  // Overlong, surrogate, above U+10FFFF, cut short; and what is good.
  all += "\xc0\x80 \xe0\x80\x80 \xed\xa0\x80 \xf4\x90\x80\x80 \xe3\x81";
  all += "印鑑 \xf0\x9f\x96\x8b";
  for (size_t cut = 0; cut <= all.size(); ++cut) {
    std::string text = "{\"v\":\"";
    AppendJsonEscaped(std::string_view(all).substr(cut), &text);
    text += "\"}";
    ASSERT_TRUE(json::accept(text)) << cut;
    ASSERT_EQ(text.find('\n'), std::string::npos);
  }
  std::string kept;
  AppendJsonEscaped("印鑑", &kept);
  EXPECT_EQ(kept, "印鑑");
}

// --- The file ---

TEST(AuditFileTest, ASecondProcessIsKeptOutByName) {
  TempFolder folder;
  const std::string path = folder.path() + "/audit.log";
  auto first = AuditFile::Open(path);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = AuditFile::Open(path);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr("in use by another process"));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(path));
  first->reset();
  EXPECT_TRUE(AuditFile::Open(path).ok());
}

TEST(AuditFileTest, ATornLineIsEndedAndTheNextOneIsWhole) {
  TempFolder folder;
  const std::string path = folder.path() + "/audit.log";
  std::ofstream(path) << "{\"whole\":1}\n{\"torn";
  auto file = AuditFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE((*file)->Append("{\"next\":1}\n").ok());
  EXPECT_EQ(ReadAll(path), "{\"whole\":1}\n{\"torn\n{\"next\":1}\n");
}

TEST(AuditFileTest, APipeInItsPlaceIsRefusedAndDoesNotHang) {
  TempFolder folder;
  const std::string path = folder.path() + "/audit.log";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_FALSE(AuditFile::Open(path).ok());
}

TEST(AuditFileTest, AFolderThatIsNotThereIsNamed) {
  const auto file = AuditFile::Open("/nonexistent/folder/audit.log");
  // Not kUnavailable, which is tried again.
  EXPECT_EQ(file.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(file.status().message()),
              AllOf(StartsWith("audit_log.file: cannot open "),
                    HasSubstr("/nonexistent/folder/audit.log"),
                    HasSubstr("; give its folder, with room in it, to the "
                              "account")));
}

TEST(AuditFileTest, RotatingTwiceInASecondOverwritesNothing) {
  TempFolder folder;
  const std::string path = folder.path() + "/audit.log";
  auto file = AuditFile::Open(path);
  ASSERT_TRUE(file.ok());
  const absl::Time now = absl::Now();
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE((*file)->Append(absl::StrCat(i, "\n")).ok());
    ASSERT_TRUE((*file)->Rotate(now).ok());
  }
  EXPECT_EQ((*file)->size(), 0U);
  EXPECT_THAT(AllLines(folder.path()),
              ::testing::UnorderedElementsAre("0", "1", "2", "3", "4"));
}

TEST(AuditFileTest, AWriteThatFailsHalfWayLeavesNothingBehind) {
  TempFolder folder;
  const std::string path = folder.path() + "/audit.log";
  auto file = AuditFile::Open(path);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->Append("first\n").ok());
  {
    FileSizeLimit limit(1000);
    const absl::Status status = (*file)->Append(std::string(2000, 'x') + "\n");
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(status.message()), HasSubstr(path));
    EXPECT_EQ(ReadAll(path), "first\n");
  }
  ASSERT_TRUE((*file)->Append("second\n").ok());
  EXPECT_EQ(ReadAll(path), "first\nsecond\n");
}

// --- The log ---

AuditOptions OptionsFor(const TempFolder& folder) {
  AuditOptions options;
  options.file = folder.path() + "/audit.log";
  return options;
}

TEST(AuditLogTest, WithRefuseALineIsInTheFileWhenAppendReturns) {
  TempFolder folder;
  for (const AuditSync sync :
       {AuditSync::kNone, AuditSync::kInterval, AuditSync::kEveryBatch}) {
    AuditOptions options = OptionsFor(folder);
    options.sync = sync;
    auto log = AuditLog::Open(options);
    ASSERT_TRUE(log.ok()) << log.status();
    const size_t before = Lines(ReadAll(options.file)).size();
    ASSERT_TRUE(AppendLine(log->get(), "one"));
    EXPECT_EQ(Lines(ReadAll(options.file)).size(), before + 1);
  }
}

TEST(AuditLogTest, NoLineIsLostOrDoubledUnderManyThreadsAndRotation) {
  for (const AuditFailure on_failure :
       {AuditFailure::kRefuse, AuditFailure::kDrop}) {
    TempFolder folder;
    AuditOptions options = OptionsFor(folder);
    options.on_failure = on_failure;
    options.rotate_bytes = 2000;
    auto log = AuditLog::Open(options);
    ASSERT_TRUE(log.ok());
    constexpr int kThreads = 4;
    constexpr int kBatches = 100;
    std::vector<std::thread> workers;
    for (int t = 0; t < kThreads; ++t) {
      workers.emplace_back([&, t] {
        for (int i = 0; i < kBatches; ++i) {
          std::string lines =
              absl::StrCat(t, "-", i, "-a\n", t, "-", i, "-b\n");
          EXPECT_TRUE((*log)->Append(&lines, 2));
          EXPECT_TRUE(lines.empty());
          if (i % 25 == 0) (*log)->Reopen();
        }
      });
    }
    for (std::thread& worker : workers) worker.join();
    (*log)->Close();
    const AuditCounters counters = (*log)->counters();
    const std::vector<std::string> lines = AllLines(folder.path());
    EXPECT_EQ(lines.size(), size_t{2} * kThreads * kBatches);
    EXPECT_EQ(std::set<std::string>(lines.begin(), lines.end()).size(),
              lines.size());
    EXPECT_EQ(counters.lines, lines.size());
    EXPECT_EQ(counters.dropped_lines, 0U);
    EXPECT_EQ(counters.errors, 0U);
    EXPECT_EQ(counters.buffer_bytes, 0U);
    EXPECT_GE(counters.rotations, 1U);
  }
}

TEST(AuditLogTest, AFullDiskRefusesWithRefuseAndRecoversByItself) {
  TempFolder folder;
  const AuditOptions options = OptionsFor(folder);
  std::atomic<int> bad{0};
  std::atomic<int> good{0};
  auto log = AuditLog::Open(options, [&](const absl::Status& status) {
    (status.ok() ? good : bad).fetch_add(1);
  });
  ASSERT_TRUE(log.ok());
  ASSERT_TRUE(AppendLine(log->get(), "before"));
  {
    FileSizeLimit limit(500);
    EXPECT_TRUE((*log)->Ready());
    EXPECT_FALSE(AppendLine(log->get(), std::string(1000, 'x')));
    EXPECT_TRUE((*log)->counters().failing);
    EXPECT_THAT((*log)->counters().last_error, HasSubstr(options.file));
    // No line of a verdict that was not given.
    EXPECT_EQ(ReadAll(options.file), "before\n");
    EXPECT_EQ((*log)->counters().dropped_lines, 0U);
  }
  // One try a second is let through, and that one succeeds.
  ASSERT_TRUE(Until([&] { return (*log)->Ready(); }));
  ASSERT_TRUE(AppendLine(log->get(), "after"));
  EXPECT_FALSE((*log)->counters().failing);
  EXPECT_TRUE((*log)->Ready());
  EXPECT_EQ(ReadAll(options.file), "before\nafter\n");
  (*log)->Close();
  EXPECT_EQ(bad.load(), 1);
  EXPECT_EQ(good.load(), 1);
}

TEST(AuditLogTest, RoomIsFoundAgainThoughNobodyWritesAnything) {
  TempFolder folder;
  const AuditOptions options = OptionsFor(folder);
  auto log = AuditLog::Open(options);
  ASSERT_TRUE(log.ok());
  {
    FileSizeLimit limit(500);
    EXPECT_FALSE(AppendLine(log->get(), std::string(1000, 'x')));
    EXPECT_TRUE((*log)->Refusing());
    // It was looked for, and not found.
    EXPECT_TRUE(Until([&] { return (*log)->counters().errors >= 2; }));
    EXPECT_TRUE((*log)->Refusing());
  }
  EXPECT_TRUE(Until([&] { return !(*log)->Refusing(); }));
  EXPECT_FALSE((*log)->counters().failing);
  EXPECT_EQ(ReadAll(options.file), "");  // looking writes nothing
  ASSERT_TRUE(AppendLine(log->get(), "after"));
  EXPECT_EQ(ReadAll(options.file), "after\n");
}

TEST(AuditLogTest, WhileItFailsFewBatchesAreWorthTrying) {
  TempFolder folder;
  auto log = AuditLog::Open(OptionsFor(folder));
  ASSERT_TRUE(log.ok());
  FileSizeLimit limit(10);
  const int64_t before = absl::ToUnixMillis(absl::Now());
  ASSERT_FALSE(AppendLine(log->get(), "longer than ten octets"));
  int tries = 0;
  for (int i = 0; i < 200; ++i) {
    if ((*log)->Ready()) ++tries;
    absl::SleepFor(absl::Milliseconds(1));
  }
  const int64_t seconds = (absl::ToUnixMillis(absl::Now()) - before) / 1000;
  EXPECT_LE(tries, seconds + 1);
}

TEST(AuditLogTest, AFullDiskDropsAndCountsWithDrop) {
  TempFolder folder;
  AuditOptions options = OptionsFor(folder);
  options.on_failure = AuditFailure::kDrop;
  auto log = AuditLog::Open(options);
  ASSERT_TRUE(log.ok());
  {
    FileSizeLimit limit(100);
    EXPECT_TRUE(AppendLine(log->get(), std::string(1000, 'x')));
    ASSERT_TRUE(Until([&] { return (*log)->counters().dropped_lines == 1; }));
    EXPECT_TRUE((*log)->counters().failing);
    EXPECT_TRUE((*log)->Ready());
  }
  EXPECT_TRUE(AppendLine(log->get(), "after"));
  (*log)->Close();
  EXPECT_EQ(ReadAll(options.file), "after\n");
  EXPECT_EQ((*log)->counters().lines, 1U);
  EXPECT_FALSE((*log)->counters().failing);
}

TEST(AuditLogTest, TheBufferIsBoundedWithDrop) {
  TempFolder folder;
  AuditOptions options = OptionsFor(folder);
  options.on_failure = AuditFailure::kDrop;
  options.buffer_bytes_max = 100;
  auto log = AuditLog::Open(options);
  ASSERT_TRUE(log.ok());
  // Faster than any disk; how many fit is a matter of luck, not that the sum
  // is right.
  constexpr uint64_t kLines = 20000;
  for (uint64_t i = 0; i < kLines; ++i) {
    EXPECT_TRUE(AppendLine(log->get(), std::string(60, 'x')));
    EXPECT_LE((*log)->counters().buffer_bytes, 100U);
  }
  (*log)->Close();
  const AuditCounters counters = (*log)->counters();
  EXPECT_EQ(counters.lines + counters.dropped_lines, kLines);
  EXPECT_EQ(Lines(ReadAll(options.file)).size(), counters.lines);
}

// Batches larger than the buffer, from workers that never pause, beside small
// ones: each waits for its turn.
TEST(AuditLogTest, AFullBufferMakesBatchesWaitWithRefuse) {
  TempFolder folder;
  AuditOptions options = OptionsFor(folder);
  options.buffer_bytes_max = 65536;
  auto log = AuditLog::Open(options);
  ASSERT_TRUE(log.ok());
  constexpr uint64_t kBatches = 50;
  constexpr uint64_t kThreads = 6;
  std::atomic<uint64_t> refused{0};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < kBatches; ++i) {
        const std::string text(t % 2 == 0 ? 300'000 : 40'000, 'x');
        if (!AppendLine(log->get(), text)) refused.fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(refused.load(), 0U);
  EXPECT_EQ((*log)->counters().lines, kThreads * kBatches);
  EXPECT_EQ((*log)->counters().buffer_bytes, 0U);
}

TEST(AuditLogTest, WhoWaitsForRoomIsRefusedWhenWritingFails) {
  TempFolder folder;
  AuditOptions options = OptionsFor(folder);
  options.buffer_bytes_max = 100;
  auto log = AuditLog::Open(options);
  ASSERT_TRUE(log.ok());
  const FileSizeLimit full(10);
  std::atomic<uint64_t> refused{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        if (!AppendLine(log->get(), std::string(80, 'x'))) refused.fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(refused.load(), 120U);
  EXPECT_EQ((*log)->counters().buffer_bytes, 0U);
}

TEST(AuditLogTest, AfterARenameReopenGoesOnInANewFile) {
  TempFolder folder;
  const AuditOptions options = OptionsFor(folder);
  auto log = AuditLog::Open(options);
  ASSERT_TRUE(log.ok());
  ASSERT_TRUE(AppendLine(log->get(), "old"));
  fs::rename(options.file, options.file + ".1");
  (*log)->Reopen();
  ASSERT_TRUE(Until([&] { return (*log)->counters().rotations == 1; }));
  ASSERT_TRUE(AppendLine(log->get(), "new"));
  EXPECT_EQ(ReadAll(options.file + ".1"), "old\n");
  EXPECT_EQ(ReadAll(options.file), "new\n");
}

TEST(AuditLogTest, ItIsRotatedByTime) {
  TempFolder folder;
  AuditOptions options = OptionsFor(folder);
  options.rotate_interval = absl::Milliseconds(300);
  auto log = AuditLog::Open(options);
  ASSERT_TRUE(log.ok());
  ASSERT_TRUE(AppendLine(log->get(), "one"));
  ASSERT_TRUE(Until([&] { return (*log)->counters().rotations == 1; }));
  EXPECT_EQ(ReadAll(options.file), "");
  // An empty file is not worth a name.
  absl::SleepFor(absl::Milliseconds(700));
  EXPECT_EQ((*log)->counters().rotations, 1U);
}

TEST(AuditLogTest, AClockSetBackDoesNotPutOffARotation) {
  TempFolder folder;
  AuditOptions options = OptionsFor(folder);
  options.rotate_interval = absl::Milliseconds(300);
  auto log = AuditLog::Open(options);
  ASSERT_TRUE(log.ok());
  const absl::Time before = absl::Now();
  clock_step_seconds = -3600;
  // Abseil's clock looks at the system's now and then.
  ASSERT_TRUE(Until([&] { return absl::Now() < before; }));
  ASSERT_TRUE(AppendLine(log->get(), "one"));
  EXPECT_TRUE(Until([&] { return (*log)->counters().rotations == 1; }));
  clock_step_seconds = 0;
}

// A disk that stands still while it is told to.
class SlowDisk {
 public:
  AuditDisk disk(absl::Duration hang_after) {
    AuditDisk disk;
    disk.before_write = [this] { Pass(&writes_stand_); };
    disk.before_sync = [this] {
      syncs_.fetch_add(1);
      Pass(&syncs_stand_);
    };
    disk.hang_after = hang_after;
    return disk;
  }
  void StandWrites(bool stand) { writes_stand_ = stand; }
  void StandSyncs(bool stand) { syncs_stand_ = stand; }
  // Begun, and among them those that stand.
  int syncs() const { return syncs_.load(); }
  int standing() const { return standing_.load(); }

 private:
  void Pass(const std::atomic<bool>* stand) {
    standing_.fetch_add(1);
    while (stand->load()) absl::SleepFor(absl::Milliseconds(1));
    standing_.fetch_sub(1);
  }

  std::atomic<bool> writes_stand_{false};
  std::atomic<bool> syncs_stand_{false};
  std::atomic<int> syncs_{0};
  std::atomic<int> standing_{0};
};

// Long enough that nothing but a disk that stands is taken for one that hangs.
constexpr absl::Duration kNoHang = absl::Hours(1);
constexpr absl::Duration kSoonHangs = absl::Seconds(1);

TEST(AuditLogTest, NobodyWaitsForTheSyncOfAnInterval) {
  TempFolder folder;
  SlowDisk slow;
  AuditOptions options = OptionsFor(folder);
  options.sync_interval = absl::Milliseconds(1);
  auto log = AuditLog::Open(options, nullptr, slow.disk(kNoHang));
  ASSERT_TRUE(log.ok()) << log.status();
  slow.StandSyncs(true);
  ASSERT_TRUE(AppendLine(log->get(), "first"));
  ASSERT_TRUE(Until([&] { return slow.standing() == 1; }));
  // The disk syncs the first line, and goes on doing so.
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(AppendLine(log->get(), "more"));
  EXPECT_EQ(slow.standing(), 1);
  EXPECT_EQ(slow.syncs(), 1);
  EXPECT_EQ(Lines(ReadAll(options.file)).size(), 101U);
  slow.StandSyncs(false);
  (*log)->Close();
  EXPECT_FALSE((*log)->counters().failing);
}

TEST(AuditLogTest, ADiskThatHangsRefusesAndTakesBackWhatWasRefused) {
  TempFolder folder;
  SlowDisk slow;
  AuditOptions options = OptionsFor(folder);
  options.sync = AuditSync::kNone;
  std::atomic<int> bad{0};
  std::atomic<int> good{0};
  auto log = AuditLog::Open(
      options,
      [&](const absl::Status& status) {
        (status.ok() ? good : bad).fetch_add(1);
      },
      slow.disk(kSoonHangs));
  ASSERT_TRUE(log.ok());
  ASSERT_TRUE(AppendLine(log->get(), "before"));
  slow.StandWrites(true);
  std::vector<std::thread> workers;
  std::atomic<int> refused{0};
  for (int t = 0; t < 4; ++t) {
    workers.emplace_back([&] {
      if (!AppendLine(log->get(), "lost")) refused.fetch_add(1);
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(refused.load(), 4);
  EXPECT_TRUE((*log)->Refusing());
  EXPECT_FALSE((*log)->Ready());
  EXPECT_TRUE((*log)->counters().failing);
  EXPECT_THAT((*log)->counters().last_error, HasSubstr("not answered"));
  slow.StandWrites(false);
  ASSERT_TRUE(Until([&] { return !(*log)->Refusing(); }));
  ASSERT_TRUE(AppendLine(log->get(), "after"));
  (*log)->Close();
  EXPECT_EQ(ReadAll(options.file), "before\nafter\n");
  EXPECT_EQ((*log)->counters().buffer_bytes, 0U);
  EXPECT_EQ((*log)->counters().lines, 2U);
  EXPECT_GE(bad.load(), 1);
  EXPECT_GE(good.load(), 1);
}

TEST(AuditLogTest, ASyncThatHangsIsAFailure) {
  TempFolder folder;
  SlowDisk slow;
  AuditOptions options = OptionsFor(folder);
  options.sync_interval = absl::Milliseconds(1);
  auto log = AuditLog::Open(options, nullptr, slow.disk(kSoonHangs));
  ASSERT_TRUE(log.ok());
  slow.StandSyncs(true);
  ASSERT_TRUE(AppendLine(log->get(), "first"));
  ASSERT_TRUE(Until([&] { return (*log)->Refusing(); }));
  EXPECT_FALSE(AppendLine(log->get(), "refused"));
  ASSERT_TRUE(Until([&] { return (*log)->counters().failing; }));
  slow.StandSyncs(false);
  ASSERT_TRUE(Until([&] { return !(*log)->Refusing(); }));
  EXPECT_TRUE(AppendLine(log->get(), "after"));
  EXPECT_EQ(ReadAll(options.file), "first\nafter\n");
}

TEST(AuditLogTest, WithDropADiskThatHangsHoldsUpNobody) {
  for (const AuditSync sync : {AuditSync::kInterval, AuditSync::kEveryBatch}) {
    TempFolder folder;
    SlowDisk slow;
    AuditOptions options = OptionsFor(folder);
    options.on_failure = AuditFailure::kDrop;
    options.sync = sync;
    options.buffer_bytes_max = 100;
    auto log = AuditLog::Open(options, nullptr, slow.disk(kSoonHangs));
    ASSERT_TRUE(log.ok());
    slow.StandWrites(true);
    for (int i = 0; i < 50; ++i) {
      EXPECT_TRUE(AppendLine(log->get(), std::string(30, 'x')));
    }
    EXPECT_GT((*log)->counters().dropped_lines, 0U);
    slow.StandWrites(false);
    (*log)->Close();
    EXPECT_EQ((*log)->counters().lines + (*log)->counters().dropped_lines, 50U);
  }
}

TEST(AuditLogTest, CloseLeavesADiskThatHangsToItself) {
  TempFolder folder;
  SlowDisk slow;
  auto log = AuditLog::Open(OptionsFor(folder), nullptr, slow.disk(kSoonHangs));
  ASSERT_TRUE(log.ok());
  slow.StandWrites(true);
  EXPECT_FALSE(AppendLine(log->get(), "lost"));
  (*log)->Close();
  log->reset();
  ASSERT_EQ(slow.standing(), 1);
  // What was left behind ends by itself, and frees the file for another log.
  slow.StandWrites(false);
  EXPECT_TRUE(Until([&] { return AuditLog::Open(OptionsFor(folder)).ok(); }));
  EXPECT_EQ(ReadAll(OptionsFor(folder).file), "");
}

TEST(AuditLogTest, AfterCloseNothingIsTaken) {
  TempFolder folder;
  auto log = AuditLog::Open(OptionsFor(folder));
  ASSERT_TRUE(log.ok());
  (*log)->Close();
  EXPECT_FALSE(AppendLine(log->get(), "late"));
}

}  // namespace
}  // namespace inkan
