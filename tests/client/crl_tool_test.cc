// inkan crl as a user meets it.
#include "client/crl_tool.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "cache/crl_file.h"
#include "cache/crl_loader.h"
#include "cache/snapshot_keeper.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/lab_world.h"
#include "tests/support/temp_folder.h"

namespace inkan {
namespace {

using testing::HasSubstr;
using testing_world::CaDer;
using testing_world::CrlFor;
using testing_world::KeyOf;
using testing_world::LeafBuilder;
using testing_world::OwnedLeaf;
using testing_world::Revoked;
using testing_world::TempFolder;

struct Result {
  int code = -1;
  std::string out;
  std::string err;
};

Result Inkan(std::vector<std::string> arguments, bool is_terminal = false) {
  std::ostringstream out;
  std::ostringstream err;
  CLI::App app;
  CrlToolFlags flags;
  AddCrlCommand(&app, &flags);
  std::reverse(arguments.begin(), arguments.end());
  try {
    app.parse(arguments);
  } catch (const CLI::ParseError& error) {
    return {64, "", error.what()};
  }
  Result result;
  result.code = RunCrlCommand(flags, out, err, is_terminal);
  result.out = out.str();
  result.err = err.str();
  return result;
}

class CrlToolTest : public testing::Test {
 protected:
  CrlToolTest() {
    lab::CrlEntry compromised = Revoked(300, lab::UtcSeconds(2025, 2, 3, 4));
    compromised.invalidity_date = lab::UtcSeconds(2025, 1, 2, 3);
    folder_.Write("a.crl", CrlFor("Kyoto", 0x17)
                               .revoke(Revoked(
                                   17, lab::UtcSeconds(2025, 1, 1, 10, 20, 30),
                                   lab::Reason::kSuperseded))
                               .revoke(compromised)
                               .Sign(KeyOf("ca")));
    folder_.Write("ca.cer", CaDer("ca"));
    folder_.Write("other.cer", CaDer("other"));
  }
  std::string Path(const std::string& name) const {
    return folder_.path() + "/" + name;
  }

  TempFolder folder_;
};

TEST_F(CrlToolTest, BuildsWhatInspectAndLookupRead) {
  const Result built = Inkan({"crl", "build", Path("a.crl"), Path("a.crlx"),
                              "--issuer", Path("ca.cer")});
  EXPECT_EQ(built.code, 0) << built.err;
  EXPECT_THAT(built.out, HasSubstr("2 entries"));
  EXPECT_EQ(built.err, "");
  for (const std::string file : {"a.crl", "a.crlx"}) {
    SCOPED_TRACE(file);
    const Result shown = Inkan({"crl", "inspect", Path(file)});
    EXPECT_EQ(shown.code, 0) << shown.err;
    EXPECT_THAT(shown.out, HasSubstr("number         0x17"));
    EXPECT_THAT(shown.out, HasSubstr("Kyoto"));
    EXPECT_THAT(shown.out, HasSubstr("thisUpdate     2026-03-15 00:00:00 UTC"));
    EXPECT_THAT(shown.out, HasSubstr("entries        2"));
    EXPECT_THAT(shown.out, HasSubstr("blocks"));
    EXPECT_THAT(shown.out, HasSubstr("2025-01"));
    EXPECT_THAT(shown.out, HasSubstr("superseded"));
    EXPECT_EQ(shown.out.find("signer's key") != std::string::npos,
              file == "a.crlx");
    const Result listed = Inkan({"crl", "lookup", Path(file), "0x11"});
    EXPECT_EQ(listed.code, 1);
    EXPECT_EQ(listed.out,
              "0x11: listed: superseded, revoked 2025-01-01 10:20:30 UTC\n");
    EXPECT_EQ(listed.err, "");
    const Result since = Inkan({"crl", "lookup", Path(file), "01:2C"});
    EXPECT_EQ(since.code, 1);
    EXPECT_THAT(since.out, HasSubstr("invalid since 2025-01-02 03:00:00 UTC"));
    const Result free = Inkan({"crl", "lookup", Path(file), "0x12"});
    EXPECT_EQ(free.code, 0);
    EXPECT_EQ(free.out, "0x12: not listed\n");
  }
}

// All that `inkan crl inspect` is for: number, dates, entries, octets an entry,
// codings, and the entries by month and reason.
TEST_F(CrlToolTest, InspectShowsNumberDatesSizesCodingsAndTheHistogram) {
  const auto at = [](int year, int month, int day, int64_t second = 36'000) {
    return lab::UtcSeconds(year, month, day) + second;
  };
  lab::CrlBuilder builder = CrlFor("Nara", 0x1234);
  builder.next_update(lab::UtcSeconds(2026, 4, 5, 6, 7, 8))
      .revoke(Revoked(11, at(2025, 1, 1, 0), lab::Reason::kSuperseded))
      .revoke(Revoked(12, at(2025, 1, 15)))
      .revoke(Revoked(13, at(2025, 1, 31, 86'399), lab::Reason::kSuperseded))
      .revoke(Revoked(14, at(2025, 2, 1, 0), lab::Reason::kSuperseded))
      .revoke(Revoked(15, at(2025, 12, 31), std::nullopt))
      .revoke(Revoked(16, at(2026, 1, 1, 0)))
      .revoke(Revoked(19, at(2026, 1, 2)));
  folder_.Write("b.crl", builder.Sign(KeyOf("ca")));
  ASSERT_EQ(Inkan({"crl", "build", Path("b.crl"), Path("b.crlx")}).code, 0);
  for (const std::string file : {"b.crl", "b.crlx"}) {
    SCOPED_TRACE(file);
    const Result shown = Inkan({"crl", "inspect", Path(file)});
    EXPECT_EQ(shown.code, 0) << shown.err;
    EXPECT_THAT(shown.out, HasSubstr("number         0x1234\n"));
    EXPECT_THAT(shown.out,
                HasSubstr("thisUpdate     2026-03-15 00:00:00 UTC\n"
                          "nextUpdate     2026-04-05 06:07:08 UTC\n"));
    const auto crl = CrlLoader(CrlLoaderOptions()).Load(Path(file), "");
    ASSERT_TRUE(crl.ok());
    EXPECT_THAT(shown.out,
                HasSubstr(absl::StrFormat(
                    "entries        7, %.2f octets each\n",
                    static_cast<double>((*crl)->memory_bytes()) / 7)));
    EXPECT_THAT(shown.out, HasSubstr("7 serials in 1 blocks of 2^"));
    EXPECT_THAT(shown.out, HasSubstr("dates: 7 days x "));
    EXPECT_THAT(shown.out, HasSubstr("reasons: 3, "));
    std::string histogram =
        absl::StrFormat("  by month    %20s %20s %20s\n", "unspecified",
                        "keyCompromise", "superseded");
    const auto row = [&](const char* month, int none, int compromised,
                         int superseded) {
      absl::StrAppendFormat(&histogram, "  %-11s %20d %20d %20d\n", month, none,
                            compromised, superseded);
    };
    row("2025-01", 0, 1, 2);
    row("2025-02", 0, 0, 1);
    row("2025-12", 1, 0, 0);
    row("2026-01", 0, 2, 0);
    row("all", 1, 3, 3);
    EXPECT_THAT(shown.out, HasSubstr(histogram));
  }
}

TEST_F(CrlToolTest, LongWorkShowsHowFarItIsOnATerminalAlone) {
  const std::vector<std::string> build = {"crl", "build", Path("a.crl"),
                                          Path("a.crlx")};
  const std::vector<std::string> inspect = {"crl", "inspect", Path("a.crlx")};
  const Result built = Inkan(build, /*is_terminal=*/true);
  EXPECT_EQ(built.code, 0);
  EXPECT_THAT(built.err, HasSubstr("reading " + Path("a.crl") + ": 0 of 0 MB"));
  EXPECT_THAT(built.err,
              HasSubstr("writing " + Path("a.crlx") + ": 0 of 0 MB"));
  const Result shown = Inkan(inspect, /*is_terminal=*/true);
  EXPECT_THAT(shown.err, HasSubstr("reading " + Path("a.crlx")));
  EXPECT_THAT(shown.err,
              HasSubstr("counting " + Path("a.crlx") + ": 1 of 2 entries"));
  // Nothing of it stays.
  EXPECT_THAT(shown.err, testing::EndsWith("\r\x1b[K"));
  EXPECT_EQ(Inkan(inspect).err, "");
  EXPECT_EQ(Inkan(build).err.find("ing "), std::string::npos);
}

TEST_F(CrlToolTest, AFolderOfWhatItBuildsIsServed) {
  const TempFolder compiled;
  const auto build = [&](uint64_t number, bool lists_17) {
    lab::CrlBuilder builder = CrlFor("Kyoto", number);
    if (lists_17) {
      builder.revoke(Revoked(17, lab::UtcSeconds(2025, 1, 1, 10, 20, 30),
                             lab::Reason::kSuperseded));
    }
    folder_.Write("b.crl", builder.Sign(KeyOf("ca")));
    ASSERT_EQ(Inkan({"crl", "build", Path("b.crl"), compiled.path() + "/b.crlx",
                     "--issuer", Path("ca.cer")})
                  .code,
              0);
  };
  SnapshotOptions options;
  Profile profile;
  profile.name = "lab";
  profile.anchors.push_back({"ca.cer", CaDer("ca")});
  options.profiles.push_back(std::move(profile));
  options.crl_sources.push_back({CrlSourceOptions::Kind::kDirectory,
                                 compiled.path(), absl::Milliseconds(100)});
  build(1, false);
  const auto keeper = SnapshotKeeper::Start(options, /*watch=*/false);
  ASSERT_TRUE(keeper.ok()) << keeper.status();
  const OwnedLeaf leaf(LeafBuilder(17, "ca", "Kyoto").Sign(KeyOf("ca")));
  const auto status = [&] {
    const auto snapshot = (*keeper)->Current();
    const ProfileSnapshot* lab = snapshot->Find("lab");
    return lab->crls
        ->Check(leaf.view, *lab->issuer_paths->Find(leaf.view.issuer)[0],
                lab::UtcSeconds(2026, 3, 16))
        .status;
  };
  EXPECT_THAT((*keeper)->source_errors(), testing::IsEmpty());
  EXPECT_EQ(status(), RevocationStatus::kGood);
  build(2, true);
  ASSERT_TRUE((*keeper)->Refresh().ok());
  EXPECT_EQ(status(), RevocationStatus::kRevoked);
  // Written over in place, as it must not be: what is in force is a copy.
  std::ofstream(compiled.path() + "/b.crlx", std::ios::trunc) << "junk";
  EXPECT_EQ(status(), RevocationStatus::kRevoked);
  ASSERT_TRUE((*keeper)->Refresh().ok());
  EXPECT_EQ(status(), RevocationStatus::kRevoked);
  ASSERT_EQ((*keeper)->source_errors().size(), 1U);
  EXPECT_TRUE((*keeper)->source_errors()[0].last_good_in_use);
}

TEST_F(CrlToolTest, WhatCannotBeDoneIsSaidWithItsExitCode) {
  EXPECT_EQ(Inkan({"crl", "inspect", Path("none")}).code, 66);
  folder_.Write("junk", "junk");
  EXPECT_EQ(Inkan({"crl", "lookup", Path("junk"), "1"}).code, 65);
  EXPECT_EQ(Inkan({"crl", "build", Path("a.crl"), Path("a.idx")}).code, 64);
  EXPECT_EQ(Inkan({"crl", "build", Path("a.crl"), Path("no/where.crlx")}).code,
            74);
  const Result stranger = Inkan({"crl", "build", Path("a.crl"), Path("b.crlx"),
                                 "--issuer", Path("other.cer")});
  EXPECT_EQ(stranger.code, 65);
  EXPECT_THAT(stranger.err, HasSubstr("does not verify"));
  EXPECT_FALSE(OpenCompiledCrl(Path("b.crlx"), "").ok());
  const Result unverified =
      Inkan({"crl", "build", Path("a.crl"), Path("b.crlx")});
  EXPECT_EQ(unverified.code, 0);
  EXPECT_THAT(unverified.err, HasSubstr("not been verified"));
  EXPECT_EQ(Inkan({"crl", "lookup", Path("a.crl"), "seventeen"}).code, 64);
  EXPECT_EQ(Inkan({"crl"}).code, 64);
}

// Verdicts and audit lines show serials in hexadecimal, without 0x.
TEST_F(CrlToolTest, DigitsAloneAreLookedUpInBothWaysAndAreListedIfEitherIs) {
  folder_.Write("b.crl",
                CrlFor("Kyoto", 0x17)
                    .revoke(Revoked(0x1234, lab::UtcSeconds(2025, 1, 1),
                                    lab::Reason::kSuperseded))
                    .Sign(KeyOf("ca")));
  const Result hex = Inkan({"crl", "lookup", Path("b.crl"), "1234"});
  EXPECT_EQ(hex.code, 1);
  EXPECT_EQ(hex.out,
            "0x04d2: not listed\n"
            "0x1234: listed: superseded, revoked 2025-01-01 00:00:00 UTC\n");
  EXPECT_THAT(hex.err, HasSubstr("1234 may be any of 2 numbers"));
  EXPECT_EQ(Inkan({"crl", "lookup", Path("b.crl"), "4660"}).code, 1);
  EXPECT_EQ(Inkan({"crl", "lookup", Path("b.crl"), "4661"}).code, 0);
  const Result decimal =
      Inkan({"crl", "lookup", Path("b.crl"), "1234", "--decimal"});
  EXPECT_EQ(decimal.code, 0);
  EXPECT_EQ(decimal.out, "0x04d2: not listed\n");
  EXPECT_EQ(decimal.err, "");
  EXPECT_EQ(Inkan({"crl", "lookup", Path("b.crl"), "0x1234", "--decimal"}).code,
            64);
}

using Readings = std::vector<std::string>;

TEST(SerialReadings, ReadsDecimalAndHexadecimal) {
  using std::string_literals::operator""s;
  const auto decimal = [](const std::string& text) {
    return *SerialReadings(text, true);
  };
  EXPECT_EQ(decimal("0"), Readings{"\0"s});
  EXPECT_EQ(decimal("127"), Readings{"\x7f"});
  EXPECT_EQ(decimal("128"), Readings{"\0\x80"s});
  // 2^160 - 1.
  EXPECT_EQ(decimal("1461501637330902918203684832716283019655932542975"),
            Readings{"\0"s + std::string(20, '\xff')});
  const auto either = [](const std::string& text) {
    return *SerialReadings(text, false);
  };
  EXPECT_EQ(either("9"), Readings{"\x09"});
  EXPECT_EQ(either("10"), (Readings{"\x0a", "\x10"}));
  EXPECT_EQ(either("01:00"), Readings{"\x01\0"s});
  EXPECT_EQ(either("0x0012"), Readings{"\x12"});
  // Of a CA that forgot the sign octet, too.
  EXPECT_EQ(either("0x0080"), (Readings{"\x80", "\0\x80"s}));
  EXPECT_EQ(either("ff"), (Readings{"\xff", "\0\xff"s}));
  EXPECT_EQ(either("0x7f" + std::string(40, 'f'))[0].size(), 21U);
  // Too large in hexadecimal.
  EXPECT_EQ(either("1461501637330902918203684832716283019655932542975").size(),
            1U);
  for (const std::string& bad :
       {""s, "-1"s, "12 "s, "0xg"s, "0x80" + std::string(40, '0'),
        std::string(65, '0')}) {
    EXPECT_FALSE(SerialReadings(bad, false).ok()) << bad;
  }
  EXPECT_FALSE(SerialReadings("1f", true).ok());
}

}  // namespace
}  // namespace inkan
