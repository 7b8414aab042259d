// CRLs from files, by way of compiled ones: what belongs to the CRL is used,
// anything else is built anew, and whoever is killed while writing changes no
// answer.
#include "cache/crl_loader.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <thread>

#include "absl/strings/str_replace.h"
#include "cache/crl_file.h"
#include "cache/pem.h"
#include "crypto/digest.h"
#include "crypto/string_prep.h"
#include "gmock/gmock.h"
#include "tests/support/lab_world.h"
#include "tests/support/temp_folder.h"

namespace inkan {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing_world::CrlFor;
using testing_world::KeyOf;
using testing_world::Revoked;
using testing_world::TempFolder;

// Revokes every `step`-th serial from 1000 on.
std::string CrlOfEvery(uint64_t step, uint64_t number = 1,
                       uint64_t entries = 600) {
  return CrlFor("point", number)
      .entries(entries,
               [step](uint64_t i, lab::CrlEntry* entry) {
                 *entry = Revoked(1000 + i * step,
                                  lab::UtcSeconds(2025, 1, 1) +
                                      static_cast<int64_t>(i * 1000 + step));
               })
      .Sign(KeyOf("ca"));
}

bool Revokes(const CrlData& crl, uint64_t serial) {
  Revocation found;
  return crl.index.Find(AsBytes(lab::SerialContents(serial)), &found);
}

// Whether it says what CrlOfEvery(step) says, and nothing else.
testing::AssertionResult IsEvery(const CrlData& crl, uint64_t step,
                                 uint64_t entries = 600) {
  if (crl.entries() != entries) {
    return testing::AssertionFailure() << crl.entries() << " entries";
  }
  for (uint64_t serial = 990; serial < 1010 + entries * step; ++serial) {
    const bool listed = serial >= 1000 && (serial - 1000) % step == 0 &&
                        (serial - 1000) / step < entries;
    Revocation found;
    if (crl.index.Find(AsBytes(lab::SerialContents(serial)), &found) !=
        listed) {
      return testing::AssertionFailure() << serial;
    }
    if (listed &&
        found.revoked_at !=
            lab::UtcSeconds(2025, 1, 1) +
                static_cast<int64_t>((serial - 1000) / step * 1000 + step)) {
      return testing::AssertionFailure() << "date of " << serial;
    }
  }
  return testing::AssertionSuccess();
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(file)), {});
}

// Files written to a moment ago are not trusted to stay as they are.
void LetSettle() { std::this_thread::sleep_for(std::chrono::milliseconds(60)); }

class CrlLoaderTest : public testing::Test {
 protected:
  CrlLoaderTest() { std::filesystem::create_directory(cache_); }

  std::shared_ptr<const CrlData> Load(const std::string& path) const {
    auto crl = loader_.Load(path, "source");
    EXPECT_TRUE(crl.ok()) << crl.status();
    return crl.ok() ? *crl : nullptr;
  }
  // A CRL file that has been compiled.
  std::string Compiled(uint64_t step) const {
    const std::string path = folder_.Replace("a.crl", CrlOfEvery(step));
    LetSettle();
    Load(path);
    EXPECT_EQ(loader_.unwritten().crls, 0U) << loader_.unwritten().error;
    EXPECT_TRUE(std::filesystem::exists(loader_.CompiledPath(path)));
    return path;
  }

  TempFolder folder_;
  std::string cache_ = folder_.path() + "/cache";
  CrlLoader loader_{{.cache_folder = cache_, .bytes_max = 1 << 20}};
};

TEST_F(CrlLoaderTest, ACompiledCrlSaysAllThatTheCrlSaid) {
  const std::string path = Compiled(3);
  const auto compiled = OpenCompiledCrl(loader_.CompiledPath(path), "source");
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  const CrlData& crl = *compiled->crl;
  const auto read = ReadCrl(AsBytes(ReadAll(path)), "source");
  ASSERT_TRUE(read.ok());
  const CrlData& truth = **read;
  EXPECT_TRUE(IsEvery(crl, 3));
  EXPECT_EQ(crl.source, "source");
  EXPECT_EQ(crl.sha256, truth.sha256);
  EXPECT_EQ(crl.issuer, truth.issuer);
  EXPECT_EQ(crl.canonical_issuer, truth.canonical_issuer);
  EXPECT_EQ(crl.authority_key_id, truth.authority_key_id);
  EXPECT_EQ(crl.this_update, truth.this_update);
  EXPECT_EQ(crl.has_next_update, truth.has_next_update);
  EXPECT_EQ(crl.next_update, truth.next_update);
  EXPECT_EQ(crl.crl_number, truth.crl_number);
  EXPECT_EQ(crl.scope_names, truth.scope_names);
  EXPECT_EQ(crl.scope_encoding, truth.scope_encoding);
  EXPECT_EQ(crl.scope_text, truth.scope_text);
  EXPECT_EQ(crl.scope.present, truth.scope.present);
  EXPECT_EQ(crl.scope.some_reasons, truth.scope.some_reasons);
  EXPECT_EQ(crl.signature_algorithm, truth.signature_algorithm);
  EXPECT_EQ(crl.tbs_digest, truth.tbs_digest);
  EXPECT_EQ(crl.signature, truth.signature);
  EXPECT_EQ(compiled->origin.path, path);
  EXPECT_EQ(compiled->origin.size, ReadAll(path).size());
}

TEST_F(CrlLoaderTest, IndirectCrlsKeepTheirIssuersApart) {
  lab::IssuingDistributionPointFields where;
  where.indirect = true;
  lab::CrlEntry other = Revoked(17, lab::UtcSeconds(2025, 1, 1));
  other.certificate_issuer = {lab::DirectoryName({{"CN", "another"}})};
  const std::string der =
      lab::CrlBuilder()
          .issuer(testing_world::CaName())
          .add(lab::extension::CrlNumber(1))
          .add(lab::extension::IssuingDistributionPoint(where))
          .revoke(Revoked(16, lab::UtcSeconds(2025, 1, 1)))
          .revoke(other)
          .Sign(KeyOf("ca"));
  const std::string path = folder_.Replace("a.crl", der);
  LetSettle();
  Load(path);
  const auto compiled = OpenCompiledCrl(loader_.CompiledPath(path), "");
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  EXPECT_TRUE(Revokes(*compiled->crl, 16));
  EXPECT_FALSE(Revokes(*compiled->crl, 17));
  ASSERT_EQ(compiled->crl->indirect.size(), 1U);
  Revocation found;
  EXPECT_TRUE(compiled->crl->indirect.begin()->second.Find(
      AsBytes(lab::SerialContents(17)), &found));
}

TEST_F(CrlLoaderTest, TheCompiledCrlIsUsedWhileTheFileIsTheSame) {
  const std::string path = Compiled(3);
  // A compiled one that says something else shows which of them was read.
  const auto honest = OpenCompiledCrl(loader_.CompiledPath(path), "");
  ASSERT_TRUE(honest.ok());
  const auto other = ReadCrl(AsBytes(CrlOfEvery(5)), "");
  ASSERT_TRUE(other.ok());
  ASSERT_TRUE(
      WriteCompiledCrl(**other, honest->origin, loader_.CompiledPath(path))
          .ok());
  EXPECT_TRUE(IsEvery(*Load(path), 5));
  // Without it the CRL itself is read.
  std::filesystem::remove(loader_.CompiledPath(path));
  EXPECT_TRUE(IsEvery(*Load(path), 3));
}

// A clock that was set back says of every file that it will be written to some
// day: an index is of the same file all the same.
TEST_F(CrlLoaderTest, AClockThatIsBehindTakesNoIndexAway) {
  const std::string path = Compiled(3);
  const CrlLoader behind({.cache_folder = cache_, .clock_ns = [] {
                            return WallClockNs() - 3'600'000'000'000;
                          }});
  const auto honest = OpenCompiledCrl(loader_.CompiledPath(path), "");
  ASSERT_TRUE(honest.ok());
  const auto other = ReadCrl(AsBytes(CrlOfEvery(5)), "");
  ASSERT_TRUE(other.ok());
  ASSERT_TRUE(
      WriteCompiledCrl(**other, honest->origin, loader_.CompiledPath(path))
          .ok());
  auto crl = behind.Load(path, "");
  ASSERT_TRUE(crl.ok());
  EXPECT_TRUE(IsEvery(**crl, 5));
  // And is made of what takes longer to read than a write can be overlooked
  // for, but not of what was read in a moment.
  std::filesystem::remove(loader_.CompiledPath(path));
  CrlControl slow;
  slow.progress = [](uint64_t, uint64_t) { LetSettle(); };
  crl = behind.Load(path, "", slow);
  ASSERT_TRUE(crl.ok());
  EXPECT_TRUE(IsEvery(**crl, 3));
  EXPECT_TRUE(OpenCompiledCrl(loader_.CompiledPath(path), "").ok());
}

// What a file is written to within a clock tick of is not compiled.
TEST_F(CrlLoaderTest, WhatWasWrittenToAMomentAgoIsNotCompiled) {
  const std::string path = folder_.Replace("a.crl", CrlOfEvery(3));
  struct stat status;
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  static int64_t just_after;
  just_after =
      status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec + 1;
  const CrlLoader loader(
      {.cache_folder = cache_, .clock_ns = [] { return just_after; }});
  ASSERT_TRUE(loader.Load(path, "").ok());
  EXPECT_FALSE(std::filesystem::exists(loader.CompiledPath(path)));
  just_after += 20'000'000;
  ASSERT_TRUE(loader.Load(path, "").ok());
  EXPECT_TRUE(std::filesystem::exists(loader.CompiledPath(path)));
}

TEST_F(CrlLoaderTest, AChangedCrlIsReadAnew) {
  const std::string path = Compiled(3);
  folder_.Replace("a.crl", CrlOfEvery(4));
  EXPECT_TRUE(IsEvery(*Load(path), 4));
  LetSettle();
  EXPECT_TRUE(IsEvery(*Load(path), 4));
  // In place, the same size, the modification time set back.
  const auto before = std::filesystem::last_write_time(path);
  folder_.Write("a.crl", CrlOfEvery(7));
  std::filesystem::last_write_time(path, before);
  EXPECT_TRUE(IsEvery(*Load(path), 7));
  LetSettle();
  EXPECT_TRUE(IsEvery(*Load(path), 7));
}

TEST_F(CrlLoaderTest, AnotherFilesCompiledCrlIsNotTaken) {
  const std::string path = Compiled(3);
  const std::string other = folder_.Replace("b.crl", CrlOfEvery(4));
  LetSettle();
  std::filesystem::copy_file(loader_.CompiledPath(path),
                             loader_.CompiledPath(other));
  EXPECT_TRUE(IsEvery(*Load(other), 4));
}

TEST_F(CrlLoaderTest, EveryFlippedBitAndEveryTornFileIsFoundAndRebuilt) {
  const std::string path = Compiled(3);
  const std::string compiled = loader_.CompiledPath(path);
  const std::string sound = ReadAll(compiled);
  ASSERT_GT(sound.size(), 1000U);
  for (size_t i = 0; i < sound.size(); ++i) {
    std::string changed = sound;
    changed[i] = static_cast<char>(changed[i] ^ (1 << (i % 8)));
    auto memory = MemoryBlock::Allocate(changed.size());
    ASSERT_TRUE(memory.ok());
    std::memcpy(memory->data(), changed.data(), changed.size());
    const auto read = ReadCompiledCrl(
        std::make_shared<const MemoryBlock>(*std::move(memory)), "");
    ASSERT_TRUE(absl::IsDataLoss(read.status())) << i;
  }
  for (size_t i = 0; i < sound.size(); i += 199) {
    folder_.Replace("torn", i % 2 == 0
                                ? sound.substr(0, i)
                                : std::string(i, '\0') + sound.substr(i));
    std::filesystem::rename(folder_.path() + "/torn", compiled);
    EXPECT_FALSE(OpenCompiledCrl(compiled, "").ok());
    ASSERT_TRUE(IsEvery(*Load(path), 3)) << i;
    ASSERT_EQ(ReadAll(compiled), sound) << i;
  }
  for (const std::string& foreign :
       {std::string(), std::string("junk"), CrlOfEvery(9),
        std::string(4096, '\0'), sound + "x"}) {
    std::ofstream(compiled, std::ios::binary) << foreign;
    EXPECT_FALSE(OpenCompiledCrl(compiled, "").ok());
    EXPECT_TRUE(IsEvery(*Load(path), 3));
  }
}

// With the checksum made right again, what is behind it has to hold by itself.
TEST_F(CrlLoaderTest, ChangesUnderARightChecksumDoNoHarm) {
  const std::string path = Compiled(3);
  const std::string sound = ReadAll(loader_.CompiledPath(path));
  for (size_t i = 0; i < sound.size(); ++i) {
    if (i >= kCompiledCrlChecksumOffset && i < kCompiledCrlChecksumOffset + 32)
      continue;
    std::string changed = sound;
    changed[i] = static_cast<char>(changed[i] ^ (1 << (i % 8)));
    changed.replace(kCompiledCrlChecksumOffset, 32, 32, '\0');
    const auto digest = Sha256(AsBytes(changed));
    changed.replace(kCompiledCrlChecksumOffset, 32,
                    reinterpret_cast<const char*>(digest.data()), 32);
    auto memory = MemoryBlock::Allocate(changed.size());
    ASSERT_TRUE(memory.ok());
    std::memcpy(memory->data(), changed.data(), changed.size());
    const auto read = ReadCompiledCrl(
        std::make_shared<const MemoryBlock>(*std::move(memory)), "");
    if (!read.ok()) continue;
    for (uint64_t serial = 990; serial < 2900; serial += 7) {
      Revokes(*read->crl, serial);
    }
  }
}

// Disks that cannot give back what they have: everything, or some octets.
ssize_t Unreadable(int, void*, size_t, off_t) {
  errno = EIO;
  return -1;
}
ssize_t UnreadableInTheMiddle(int fd, void* to, size_t size, off_t offset) {
  constexpr off_t kBadSector = 200'000;
  if (offset <= kBadSector && kBadSector < offset + static_cast<off_t>(size)) {
    errno = EIO;
    return -1;
  }
  return pread(fd, to, size, offset);
}
// And one whose file is cut short as soon as its end has been read.
ssize_t CutShort(int fd, void* to, size_t size, off_t offset) {
  const ssize_t got = pread(fd, to, size, offset);
  struct stat status;
  if (fstat(fd, &status) == 0 && offset + got == status.st_size) {
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    EXPECT_EQ(truncate(path.c_str(), offset), 0);
  }
  return got;
}
ssize_t AFewAtATime(int fd, void* to, size_t size, off_t offset) {
  static int calls = 0;
  if (++calls % 3 == 0) {
    errno = EINTR;
    return -1;
  }
  return pread(fd, to, std::min<size_t>(size, 777), offset);
}

// An error, and no signal.
TEST_F(CrlLoaderTest, ACompiledCrlThatCannotBeReadIsUnavailable) {
  constexpr uint64_t kEntries = 200'000;
  const std::string path = folder_.path() + "/large.crlx";
  const auto crl = ReadCrl(AsBytes(CrlOfEvery(3, 1, kEntries)), "");
  ASSERT_TRUE(crl.ok());
  ASSERT_TRUE(WriteCompiledCrl(**crl, {}, path).ok());
  ASSERT_GT(std::filesystem::file_size(path), 400'000U);
  for (const auto access :
       {CompiledCrlAccess::kMap, CompiledCrlAccess::kCopy}) {
    const auto error = [&](ReadAt read) {
      return OpenCompiledCrl(path, "", {.access = access, .read = read})
          .status();
    };
    EXPECT_TRUE(absl::IsUnavailable(error(&Unreadable)));
    EXPECT_TRUE(absl::IsUnavailable(error(&UnreadableInTheMiddle)));
    EXPECT_THAT(std::string(error(&UnreadableInTheMiddle).message()),
                HasSubstr("Input/output error"));
    const auto sound =
        OpenCompiledCrl(path, "", {.access = access, .read = &AFewAtATime});
    ASSERT_TRUE(sound.ok()) << sound.status();
    EXPECT_TRUE(IsEvery(*sound->crl, 3, kEntries));
  }
  const absl::Status cut =
      OpenCompiledCrl(path, "", {.read = &CutShort}).status();
  EXPECT_TRUE(absl::IsUnavailable(cut)) << cut;
  EXPECT_THAT(std::string(cut.message()), HasSubstr("size changed"));
}

// A name that leads in a circle cannot be opened by anybody.
TEST_F(CrlLoaderTest, AnIndexThatCannotBeReadIsRebuilt) {
  const std::string path = Compiled(3);
  const std::string compiled = loader_.CompiledPath(path);
  std::filesystem::remove(compiled);
  std::filesystem::create_symlink(compiled, compiled);
  EXPECT_TRUE(absl::IsUnavailable(OpenCompiledCrl(compiled, "").status()));
  EXPECT_TRUE(IsEvery(*Load(path), 3));
  EXPECT_TRUE(OpenCompiledCrl(compiled, "").ok());
}

TEST_F(CrlLoaderTest, AnotherVersionIsRebuilt) {
  const std::string path = Compiled(3);
  std::string old = ReadAll(loader_.CompiledPath(path));
  // The version before, whose entries for one serial came to something else.
  ASSERT_EQ(old[8], 3);
  old[8] = 2;
  old.replace(kCompiledCrlChecksumOffset, 32, 32, '\0');
  const auto digest = Sha256(AsBytes(old));
  old.replace(kCompiledCrlChecksumOffset, 32,
              reinterpret_cast<const char*>(digest.data()), 32);
  std::ofstream(loader_.CompiledPath(path), std::ios::binary) << old;
  EXPECT_THAT(
      std::string(
          OpenCompiledCrl(loader_.CompiledPath(path), "").status().message()),
      HasSubstr("another version"));
  EXPECT_TRUE(IsEvery(*Load(path), 3));
  EXPECT_TRUE(OpenCompiledCrl(loader_.CompiledPath(path), "").ok());
}

// Names that another libutf8proc has prepared are not compared with ours.
TEST_F(CrlLoaderTest, AnotherVersionOfUnicodeIsRebuilt) {
  const std::string path = Compiled(3);
  std::string old = ReadAll(loader_.CompiledPath(path));
  const size_t at = old.find(UnicodeVersion());
  ASSERT_NE(at, std::string::npos);
  old[at] = '0';
  old.replace(kCompiledCrlChecksumOffset, 32, 32, '\0');
  const auto digest = Sha256(AsBytes(old));
  old.replace(kCompiledCrlChecksumOffset, 32,
              reinterpret_cast<const char*>(digest.data()), 32);
  std::ofstream(loader_.CompiledPath(path), std::ios::binary) << old;
  EXPECT_THAT(
      std::string(
          OpenCompiledCrl(loader_.CompiledPath(path), "").status().message()),
      HasSubstr("Unicode"));
  EXPECT_TRUE(IsEvery(*Load(path), 3));
  EXPECT_TRUE(OpenCompiledCrl(loader_.CompiledPath(path), "").ok());
}

TEST_F(CrlLoaderTest, CompiledCrlsThatAnOperatorPlacedAreTakenByTheirName) {
  const std::string path = Compiled(3);
  const std::string placed = folder_.path() + "/placed.crlx";
  std::filesystem::copy_file(loader_.CompiledPath(path), placed);
  EXPECT_TRUE(IsEvery(*Load(placed), 3));
  // Under any other name the same bytes are no CRL.
  const std::string named =
      folder_.Replace("placed.crl", ReadAll(loader_.CompiledPath(path)));
  const auto refused = loader_.Load(named, "");
  EXPECT_TRUE(absl::IsInvalidArgument(refused.status())) << refused.status();
  folder_.Replace("placed.crlx", "junk");
  EXPECT_TRUE(absl::IsInvalidArgument(loader_.Load(placed, "").status()));
}

TEST_F(CrlLoaderTest, WhatCannotBeReadIsNamed) {
  const auto error = [&](const std::string& path) {
    return loader_.Load(path, "").status();
  };
  EXPECT_TRUE(absl::IsUnavailable(error(folder_.path() + "/none")));
  EXPECT_TRUE(absl::IsInvalidArgument(error(folder_.path())));
  const std::string large =
      folder_.Replace("large", std::string((1 << 20) + 1, 'x'));
  EXPECT_THAT(std::string(error(large).message()), HasSubstr("crl_bytes_max"));
  const std::string full = folder_.Replace("full", std::string(1 << 20, 'x'));
  EXPECT_THAT(std::string(error(full).message()), HasSubstr("certificateList"));
}

TEST_F(CrlLoaderTest, WithoutAWritableCacheFolderItOnlyTakesLonger) {
  const std::string nowhere = folder_.path() + "/nowhere";
  const CrlLoader loader({.cache_folder = nowhere});
  const std::string path = folder_.Replace("a.crl", CrlOfEvery(3));
  const std::string other = folder_.Replace("b.crl", CrlOfEvery(5));
  LetSettle();
  const auto crl = loader.Load(path, "the source");
  ASSERT_TRUE(crl.ok());
  EXPECT_TRUE(IsEvery(**crl, 3));
  EXPECT_THAT(loader.unwritten().error,
              AllOf(HasSubstr("the source"), HasSubstr("cannot create"),
                    HasSubstr(nowhere)));
  const auto second = loader.Load(other, "another");
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(loader.unwritten().crls, 2U);

  // Not before its time, and not without a folder.
  std::filesystem::create_directory(nowhere);
  loader.WriteAgain(absl::Hours(1));
  EXPECT_EQ(loader.unwritten().crls, 2U);
  std::filesystem::remove(nowhere);
  loader.WriteAgain(absl::ZeroDuration());
  EXPECT_EQ(loader.unwritten().crls, 2U);
  // Of the first only: the other's file is another one by now.
  std::filesystem::create_directory(nowhere);
  folder_.Replace("b.crl", CrlOfEvery(7));
  loader.WriteAgain(absl::ZeroDuration());
  EXPECT_EQ(loader.unwritten().crls, 0U);
  EXPECT_EQ(loader.unwritten().error, "");
  const auto compiled = OpenCompiledCrl(loader.CompiledPath(path), "");
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  EXPECT_TRUE(IsEvery(*compiled->crl, 3));
  EXPECT_FALSE(std::filesystem::exists(loader.CompiledPath(other)));
  EXPECT_TRUE(IsEvery(**loader.Load(path, ""), 3));
}

TEST_F(CrlLoaderTest, OfCrlsThatNobodyHoldsNoIndexIsMissed) {
  const CrlLoader loader({.cache_folder = folder_.path() + "/nowhere"});
  const std::string path = folder_.Replace("a.crl", CrlOfEvery(3));
  LetSettle();
  auto crl = loader.Load(path, "");
  ASSERT_TRUE(crl.ok());
  EXPECT_EQ(loader.unwritten().crls, 1U);
  const std::weak_ptr<const CrlData> held = *crl;
  crl->reset();
  EXPECT_TRUE(held.expired());
  loader.WriteAgain(absl::ZeroDuration());
  EXPECT_EQ(loader.unwritten().crls, 0U);
}

// However many come and go while the folder cannot be written.
TEST_F(CrlLoaderTest, IndexesOfCrlsThatAreGoneAreForgottenByTheNextFailure) {
  const CrlLoader loader({.cache_folder = folder_.path() + "/nowhere"});
  std::vector<std::shared_ptr<const CrlData>> held;
  const auto load = [&](const std::string& name, uint64_t step) {
    const std::string path = folder_.Replace(name, CrlOfEvery(step));
    LetSettle();
    auto crl = loader.Load(path, name);
    ASSERT_TRUE(crl.ok());
    held.push_back(*std::move(crl));
  };
  load("a.crl", 3);
  load("b.crl", 4);
  load("c.crl", 5);
  EXPECT_EQ(loader.unwritten().crls, 3U);
  held.erase(held.begin() + 1, held.end());
  load("d.crl", 6);
  EXPECT_EQ(loader.unwritten().crls, 2U);

  // Behind one that cannot be written either, too.
  folder_.Replace("d.crl", CrlOfEvery(7));
  loader.WriteAgain(absl::ZeroDuration());
  EXPECT_EQ(loader.unwritten().crls, 1U);
  EXPECT_THAT(loader.unwritten().error, HasSubstr("a.crl"));
}

// Where CRLs come all the time, each that fails would put the others off.
TEST_F(CrlLoaderTest, FailuresSinceDoNotPutTheNextAttemptOff) {
  const std::string nowhere = folder_.path() + "/nowhere";
  const CrlLoader loader({.cache_folder = nowhere});
  const std::string path = folder_.Replace("a.crl", CrlOfEvery(3));
  const std::string other = folder_.Replace("b.crl", CrlOfEvery(4));
  LetSettle();
  const auto first = loader.Load(path, "");
  std::this_thread::sleep_for(std::chrono::seconds(2));
  const auto second = loader.Load(other, "");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(loader.unwritten().crls, 2U);
  std::filesystem::create_directory(nowhere);
  loader.WriteAgain(absl::Seconds(2));
  EXPECT_EQ(loader.unwritten().crls, 0U);
}

TEST_F(CrlLoaderTest, ProgressIsReportedAndCancellingEndsTheWork) {
  const std::string path = folder_.Replace("a.crl", CrlOfEvery(3));
  std::atomic<bool> cancelled = false;
  uint64_t reports = 0;
  CrlControl control;
  control.cancelled = &cancelled;
  control.progress = [&](uint64_t done, uint64_t total) {
    EXPECT_LE(done, total);
    ++reports;
  };
  EXPECT_TRUE(loader_.Load(path, "", control).ok());
  EXPECT_GT(reports, 1U);
  cancelled = true;
  EXPECT_TRUE(absl::IsCancelled(loader_.Load(path, "", control).status()));
  // Of what is compiled, too, from its first octets on; then nothing is read.
  cancelled = false;
  LetSettle();
  EXPECT_TRUE(loader_.Load(path, "").ok());
  reports = 0;
  control.progress = [&](uint64_t, uint64_t) {
    ++reports;
    cancelled = true;
  };
  EXPECT_TRUE(loader_.Load(path, "", control).ok());
  EXPECT_EQ(reports, 1U);
  EXPECT_TRUE(absl::IsCancelled(
      OpenCompiledCrl(loader_.CompiledPath(path), "", {.control = control})
          .status()));
}

TEST_F(CrlLoaderTest, AMappedCrlOutlivesItsFile) {
  const std::string path = Compiled(3);
  const auto crl = Load(path);
  std::filesystem::remove(loader_.CompiledPath(path));
  EXPECT_TRUE(IsEvery(*crl, 3));
}

// What is under way in a folder.
std::vector<std::filesystem::path> UnfinishedIn(const std::string& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().filename().string().front() == '.') {
      paths.push_back(entry.path());
    }
  }
  return paths;
}

// A process that writes the CRL again and again until it is killed: a moment
// after it was seen to write. False if it was found between two writes.
bool KillAWriter(const CrlData& crl, const CrlOrigin& origin,
                 const std::string& compiled, std::mt19937* dice) {
  const std::string folder = std::filesystem::path(compiled).parent_path();
  const pid_t writer = fork();
  if (writer == 0) {
    while (WriteCompiledCrl(crl, origin, compiled).ok()) {
    }
    _exit(1);
  }
  EXPECT_GT(writer, 0);
  // A minute, for a machine that stands still.
  for (int i = 0; i < 600'000 && UnfinishedIn(folder).empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  std::this_thread::sleep_for(std::chrono::microseconds((*dice)() % 5000));
  kill(writer, SIGKILL);
  int status = 0;
  EXPECT_EQ(waitpid(writer, &status, 0), writer);
  EXPECT_TRUE(WIFSIGNALED(status));
  return !UnfinishedIn(folder).empty();
}

// Every tenth time the CRL is another one.
TEST_F(CrlLoaderTest, AWriterKilledAtAnyMomentChangesNoAnswer) {
  constexpr int kInterrupted = 50;
  constexpr int kRoundsMax = 20 * kInterrupted;
  constexpr uint64_t kEntries = 3000;
  const std::string ders[2] = {CrlOfEvery(3, 1, kEntries),
                               CrlOfEvery(4, 2, kEntries)};
  const CrlLoader loader({.cache_folder = cache_});
  std::mt19937 dice(1);
  int interrupted = 0;
  std::string path;
  int round = 0;
  for (; interrupted < kInterrupted && round < kRoundsMax; ++round) {
    const int which = round / 10 % 2;
    if (round % 10 == 0) {
      path = folder_.Replace("a.crl", ders[which]);
      LetSettle();
    }
    const auto crl = loader.Load(path, "");
    ASSERT_TRUE(crl.ok());
    ASSERT_TRUE(IsEvery(**crl, 3 + static_cast<uint64_t>(which), kEntries))
        << round;
    const auto compiled = OpenCompiledCrl(loader.CompiledPath(path), "");
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    if (KillAWriter(**crl, compiled->origin, loader.CompiledPath(path),
                    &dice)) {
      ++interrupted;
    }
    RemoveUnfinishedCrls(cache_);
    ASSERT_TRUE(UnfinishedIn(cache_).empty());
    // Half of the time the next start finds nothing but the CRL.
    if (round % 2 == 1) std::filesystem::remove(loader.CompiledPath(path));
  }
  EXPECT_EQ(interrupted, kInterrupted) << "of " << round;
}

TEST_F(CrlLoaderTest, WhatKilledWritersLeftIsRemovedWhenItIsSurelyDead) {
  const std::string path = Compiled(3);
  const std::string left = cache_ + "/.crlx-unfinished-1-1-a.crlx";
  const auto leave = [&](std::chrono::minutes age) {
    std::ofstream(left) << "half";
    std::filesystem::last_write_time(
        left, std::filesystem::file_time_type::clock::now() - age);
  };
  const auto write = [&] {
    const auto crl = OpenCompiledCrl(loader_.CompiledPath(path), "");
    ASSERT_TRUE(crl.ok());
    ASSERT_TRUE(
        WriteCompiledCrl(*crl->crl, crl->origin, loader_.CompiledPath(path))
            .ok());
  };
  // It may be another program's, which writes still.
  leave(std::chrono::minutes(50));
  write();
  EXPECT_TRUE(std::filesystem::exists(left));
  leave(std::chrono::minutes(70));
  write();
  EXPECT_FALSE(std::filesystem::exists(left));
  // Who has the folder for himself need not wait.
  leave(std::chrono::minutes(0));
  RemoveUnfinishedCrls(cache_);
  EXPECT_FALSE(std::filesystem::exists(left));
  EXPECT_TRUE(std::filesystem::exists(loader_.CompiledPath(path)));
}

TEST(Pem, AnyTextAroundALargeCrlIsPassedOver) {
  std::string der(100'000, '\0');
  for (size_t i = 0; i < der.size(); ++i) der[i] = static_cast<char>(i * 7);
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text = "-----BEGIN X509 CRL-----\n";
  for (size_t i = 0; i < der.size(); i += 3) {
    uint32_t word = 0;
    for (size_t j = 0; j < 3; ++j) {
      word = word << 8 |
             (i + j < der.size() ? static_cast<uint8_t>(der[i + j]) : 0U);
    }
    for (size_t j = 0; j < 4; ++j) {
      text += i + j > der.size() ? '=' : kDigits[word >> (18 - 6 * j) & 63];
    }
    if (i % 48 == 45) text += "\r\n";
  }
  text += "\n-----END X509 CRL-----\n";
  EXPECT_TRUE(LooksLikePem(AsBytes(text)));
  const auto decode = [](const std::string& from, std::string_view label) {
    auto memory = MemoryBlock::Allocate(from.size());
    EXPECT_TRUE(memory.ok());
    std::memcpy(memory->data(), from.data(), from.size());
    return PemToDer(*std::move(memory), label);
  };
  // In one line, too.
  for (const std::string& from :
       {text, absl::StrReplaceAll(text, {{"\r\n", ""}}),
        "before it\n" + text + "after it"}) {
    const auto read = decode(from, "X509 CRL");
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(std::string(AsText(read->bytes())), der);
  }
  EXPECT_FALSE(decode(text, "CERTIFICATE").ok());
  EXPECT_FALSE(decode(text.substr(0, 5000), "X509 CRL").ok());
}

}  // namespace
}  // namespace inkan
