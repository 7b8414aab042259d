// Files and folders of CRLs as they change.
#include "cache/crl_source.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "tests/support/lab_world.h"
#include "tests/support/temp_folder.h"

namespace inkan {
namespace {

using testing::HasSubstr;
using testing_world::CrlFor;
using testing_world::KeyOf;
using testing_world::TempFolder;
namespace fs = std::filesystem;

std::string CrlDer(uint64_t number) {
  return CrlFor("Kyoto", number).Sign(KeyOf("ca"));
}

CrlSource FolderSource(const TempFolder& folder) {
  return CrlSource({CrlSourceOptions::Kind::kDirectory, folder.path()},
                   1 << 20);
}

std::string Pem(const std::string& der, const std::string& head = "") {
  return "-----BEGIN X509 CRL-----\n" + head + absl::Base64Escape(der) +
         "\n-----END X509 CRL-----\n";
}

TEST(CrlSource, ReadsDerAndPem) {
  const TempFolder folder;
  const std::string der = CrlDer(1);
  const auto pem = ReadCrlFile(folder.Write("a.pem", Pem(der)), 1 << 20);
  const auto raw = ReadCrlFile(folder.Write("a.crl", der), 1 << 20);
  ASSERT_TRUE(pem.ok()) << pem.status();
  ASSERT_TRUE(raw.ok()) << raw.status();
  EXPECT_EQ((*pem)->sha256, (*raw)->sha256);
  EXPECT_THAT((*raw)->source, HasSubstr("a.crl"));
}

TEST(CrlSource, RefusesWhatIsNoCrlFile) {
  const TempFolder folder;
  const auto error = [&](const std::string& contents, uint64_t max = 1 << 20) {
    return std::string(
        ReadCrlFile(folder.Write("x", contents), max).status().message());
  };
  EXPECT_THAT(error(""), HasSubstr("certificateList"));
  EXPECT_THAT(error("<html>"), HasSubstr("certificateList"));
  EXPECT_THAT(error("-----BEGIN CERTIFICATE-----\n"), HasSubstr("PEM"));
  EXPECT_THAT(error("-----BEGIN X509 CRL-----\n!"), HasSubstr("PEM"));
  // One that says it is encrypted is refused: no pass phrase is asked for.
  EXPECT_THAT(error(Pem(CrlDer(1),
                        "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
                        "00112233445566778899AABBCCDDEEFF\n\n")),
              HasSubstr("PEM"));
  const std::string der = CrlDer(1);
  EXPECT_EQ(error(der, der.size()), "");
  EXPECT_THAT(error(der, der.size() - 1), HasSubstr("crl_bytes_max"));
  EXPECT_THAT(std::string(ReadCrlFile(folder.path(), 1).status().message()),
              HasSubstr("not a regular file"));
  const std::string fifo = folder.path() + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THAT(std::string(ReadCrlFile(fifo, 1 << 20).status().message()),
              HasSubstr("not a regular file"));
}

TEST(CrlSource, SeesFilesComeChangeAndGo) {
  const TempFolder folder;
  CrlSource source = FolderSource(folder);
  EXPECT_FALSE(source.Rescan());
  const std::string path = folder.Write("a.crl", CrlDer(1));
  EXPECT_TRUE(source.Rescan());
  ASSERT_EQ(source.files().size(), 1U);
  CrlFile& file = source.files().at(path);
  ASSERT_NE(file.newest, nullptr);
  file.last_good = file.newest;
  EXPECT_FALSE(source.Rescan());

  // The same again is no change.
  folder.Write("a.crl", CrlDer(1));
  EXPECT_FALSE(source.Rescan());
  EXPECT_EQ(file.newest, file.last_good);

  folder.Write("a.crl", CrlDer(2));
  EXPECT_TRUE(source.Rescan());
  EXPECT_EQ(file.newest->crl_number, "\x02");

  folder.Write("a.crl", CrlDer(3).substr(0, 100));
  EXPECT_TRUE(source.Rescan());
  EXPECT_EQ(file.newest, nullptr);
  EXPECT_EQ(file.last_good->crl_number, "\x01");
  EXPECT_THAT(file.error, HasSubstr("truncated"));
  EXPECT_FALSE(source.Rescan());

  fs::remove(path);
  EXPECT_TRUE(source.Rescan());
  EXPECT_EQ(file.error, "the file is gone");
  EXPECT_NE(file.last_good, nullptr);
  EXPECT_FALSE(source.Rescan());
  file.last_good = nullptr;
  EXPECT_TRUE(source.Rescan());
  EXPECT_TRUE(source.files().empty());
}

TEST(CrlSource, WhatIsCancelledIsReadAnotherTime) {
  const TempFolder folder;
  CrlSource source = FolderSource(folder);
  const std::string path = folder.Write("a.crl", CrlDer(1));
  ASSERT_TRUE(source.Rescan());
  CrlFile& file = source.files().at(path);
  const auto before = file.newest;
  lab::CrlBuilder next = CrlFor("Kyoto", 2);
  for (const uint64_t serial : {7, 5}) {
    next.revoke(testing_world::Revoked(serial, lab::UtcSeconds(2023, 1, 1)));
  }
  folder.Write("a.crl", next.Sign(KeyOf("ca")));
  // In the midst of the work, which takes more than one reading.
  std::atomic<bool> cancelled{false};
  CrlControl control;
  control.cancelled = &cancelled;
  control.progress = [&cancelled](uint64_t, uint64_t) { cancelled = true; };
  EXPECT_FALSE(source.Rescan(control));
  EXPECT_TRUE(cancelled);
  EXPECT_EQ(file.newest, before);
  EXPECT_EQ(file.error, "");
  EXPECT_FALSE(source.Rescan(control));  // nor begun
  EXPECT_EQ(file.newest, before);
  EXPECT_TRUE(source.Rescan());
  EXPECT_EQ(file.newest->crl_number, "\x02");
}

TEST(CrlSource, SeesAWriteOfTheSameSizeAtTheSameTime) {
  const TempFolder folder;
  CrlSource source = FolderSource(folder);
  const std::string path = folder.Write("a.crl", CrlDer(1));
  const auto time = fs::last_write_time(path);
  ASSERT_TRUE(source.Rescan());
  for (uint64_t number = 2; number < 50; ++number) {
    // In place, back to back, and with the old modification time put back.
    std::fstream(path, std::ios::in | std::ios::out | std::ios::binary)
        << CrlDer(number);
    fs::last_write_time(path, time);
    ASSERT_TRUE(source.Rescan()) << number;
    ASSERT_EQ(source.files().at(path).newest->crl_number,
              std::string(1, static_cast<char>(number)));
  }
}

TEST(CrlSource, AChangeTimeAheadOfTheClockIsReadTwiceAndNotForEver) {
  struct stat status = {};
  status.st_size = 5;
  status.st_ino = 3;
  status.st_ctim.tv_sec = 1'000'000;
  const absl::Time changed = absl::FromUnixSeconds(1'000'000);
  CrlFile file;
  const auto settled = [&](absl::Duration age, absl::Duration steady) {
    CrlSource::Note(status, changed + age, steady, &file);
    return file.size == status.st_size;
  };
  const absl::Duration tick = absl::Milliseconds(20);
  const absl::Duration ahead = -absl::Hours(1);
  const absl::Duration start = absl::Seconds(77);
  EXPECT_FALSE(settled(ahead, start));
  EXPECT_FALSE(settled(ahead, start + tick));
  EXPECT_TRUE(settled(ahead, start + tick * 2));
  // Another file begins anew.
  ++status.st_ctim.tv_nsec;
  EXPECT_FALSE(settled(ahead, start + tick * 4));
  ++status.st_ino;
  EXPECT_FALSE(settled(ahead, start + tick * 6));
  ++status.st_size;
  EXPECT_FALSE(settled(ahead, start + tick * 8));
  EXPECT_TRUE(settled(ahead, start + tick * 10));
  // Just now, by the clock: only its age counts.
  file = CrlFile();
  status.st_ctim.tv_nsec = 0;
  EXPECT_FALSE(settled(absl::ZeroDuration(), start));
  EXPECT_FALSE(settled(tick, start + tick * 9));
  EXPECT_TRUE(settled(tick + absl::Nanoseconds(1), start + tick * 9));
}

TEST(CrlSource, PassesOverHiddenFilesAndFolders) {
  const TempFolder folder;
  folder.Write(".a.crl.tmp", CrlDer(1));
  fs::create_directory(folder.path() + "/sub");
  CrlSource source = FolderSource(folder);
  EXPECT_FALSE(source.Rescan());
  EXPECT_TRUE(source.files().empty());
}

// Their allocators do not bear a limit on memory.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(CrlSource, AFileThatThereWasNoMemoryForIsReadAgain) {
  const TempFolder folder;
  constexpr size_t kLarge = size_t{32} << 20;
  CrlSource source({CrlSourceOptions::Kind::kDirectory, folder.path()},
                   2 * kLarge);
  const std::string path =
      folder.Write("a.crl", Pem(CrlDer(1)) + std::string(kLarge, '\n'));
  // Until another write would show, a file is read each time anyway.
  while (source.files()[path].size < 0) {
    source.Rescan();
    absl::SleepFor(absl::Milliseconds(5));
  }
  source.files().clear();
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit tight = before;
  // Enough for all that is small.
  tight.rlim_cur =
      pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) + kLarge / 4;
  ASSERT_EQ(setrlimit(RLIMIT_AS, &tight), 0);
  source.Rescan();
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
  const CrlFile& file = source.files().at(path);
  ASSERT_EQ(file.newest, nullptr);
  ASSERT_THAT(file.error, HasSubstr("memory"));
  EXPECT_TRUE(source.Rescan());
  EXPECT_NE(file.newest, nullptr);
  EXPECT_EQ(file.error, "");
}
#endif

TEST(CrlSource, SaysThatAFolderOrFileCannotBeRead) {
  const TempFolder folder;
  CrlSource missing(
      {CrlSourceOptions::Kind::kDirectory, folder.path() + "/none"}, 1 << 20);
  EXPECT_FALSE(missing.Rescan());
  EXPECT_THAT(missing.error(), HasSubstr("cannot list the folder"));

  const std::string path = folder.path() + "/one.crl";
  CrlSource one({CrlSourceOptions::Kind::kFile, path}, 1 << 20);
  EXPECT_TRUE(one.Rescan());
  EXPECT_THAT(one.files().at(path).error, HasSubstr("cannot stat"));
  EXPECT_FALSE(one.Rescan());
  folder.Write("one.crl", CrlDer(1));
  EXPECT_TRUE(one.Rescan());
  EXPECT_EQ(one.files().at(path).error, "");
  fs::remove(path);
  EXPECT_TRUE(one.Rescan());
  EXPECT_EQ(one.files().at(path).newest, nullptr);
  EXPECT_THAT(one.files().at(path).error, HasSubstr("cannot stat"));
}

}  // namespace
}  // namespace inkan
