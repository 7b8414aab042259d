// inkan reload and inkan lookup, against a server in process.
#include <google/protobuf/util/json_util.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "client/text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "inkan/v1/operations.pb.h"
#include "tests/client/run_inkan.h"
#include "tests/server/test_world.h"

namespace inkan {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::Inkan;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::Result;
using ::testing::StartsWith;
using testing::TestWorld;
using Words = std::vector<std::string>;

Words Join(Words first, const Words& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

template <typename Message>
Message FromJson(const std::string& json) {
  Message message;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(json, &message).ok());
  return message;
}

class CliOperationsTest : public ::testing::Test {
 protected:
  CliOperationsTest() : server_(world_.StartServer()) {}

  Result Ask(const Words& words) {
    return Inkan(Join(words, {"--plaintext", "--target",
                              absl::StrCat("127.0.0.1:", server_->port())}));
  }
  // In profile "signature".
  Result Lookup(const Words& more) {
    return Ask(Join({"lookup", "--profile", "signature"}, more));
  }

  TestWorld world_;
  std::unique_ptr<Server> server_;
};

TEST_F(CliOperationsTest, AReloadSaysWhichSnapshotIsInForce) {
  const Result json = Ask({"reload", "--format", "json"});
  EXPECT_EQ(json.code, 0) << json.err;
  const v1::SnapshotId snapshot =
      FromJson<v1::ReloadResponse>(json.out).snapshot();
  EXPECT_GT(snapshot.generation(), 1U);
  EXPECT_EQ(snapshot.digest().size(), 32U);
  const Result same = Ask({"reload"});
  EXPECT_EQ(same.code, 0) << same.err;
  EXPECT_THAT(
      same.out,
      AllOf(StartsWith("Reloaded. The snapshot in force:\n  Generation   "),
            HasSubstr(absl::StrCat("\n  Digest       ",
                                   absl::BytesToHexString(snapshot.digest()),
                                   "\n")),
            Not(HasSubstr("WRONG"))));
  world_.Write("inkand.textproto",
               world_.ConfigText("profiles { name: \"second\" anchor_files: "
                                 "\"ca.cer\" }"));
  EXPECT_EQ(Ask({"reload"}).code, 0);
  EXPECT_THAT(Ask({"status"}).out, HasSubstr("Profile second"));
}

TEST_F(CliOperationsTest, AReloadNamesTheSourcesThatFailedAndExitsWithZero) {
  world_.Write("crls/photo.jpg", "not a CRL");
  world_.Write("crls/world.crl", "not a CRL any more");
  const Result result = Ask({"reload"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(
      result.out,
      AllOf(StartsWith("Reloaded, but 2 source(s) of CRLs failed. The snapshot "
                       "in force:\n"),
            HasSubstr(absl::StrCat("WRONG: ", world_.Path("crls/photo.jpg"))),
            HasSubstr("; nothing from it is in use\n"),
            HasSubstr(absl::StrCat("WRONG: ", world_.Path("crls/world.crl"))),
            HasSubstr("; its last good CRL stays in use\n")));
}

TEST_F(CliOperationsTest, ARefusedReloadExitsWith78AndNamesEachMistake) {
  const auto expect_refused = [&](const auto& why) {
    const Result result = Ask({"reload"});
    EXPECT_EQ(result.code, 78);
    EXPECT_THAT(result.err, AllOf(HasSubstr("refused, and nothing changed:\n"),
                                  why, Not(HasSubstr("\\x0a"))));
    EXPECT_THAT(result.out, IsEmpty());
  };
  // What needs a restart.
  world_.Write("inkand.textproto",
               world_.ConfigText("limits { batch_filings_max: 100 }\n"
                                 "reflection: true\n"));
  expect_refused(AllOf(HasSubstr("\n  limits.batch_filings_max: is 1000"),
                       HasSubstr("\n  reflection: is false")));
  // What is no configuration, and none at all.
  world_.Write("inkand.textproto", "profiles { nam: \"third\" }");
  expect_refused(HasSubstr("\"nam\""));
  std::filesystem::remove(world_.Path("inkand.textproto"));
  expect_refused(
      HasSubstr(absl::StrCat("cannot read ", world_.Path("inkand.textproto"))));
  EXPECT_THAT(Ask({"status"}).out, HasSubstr("  Snapshot     1 ("));
}

TEST_F(CliOperationsTest, AReloadThatIsNotWaitedForIsSaidToGoOn) {
  const Result result = Ask({"reload", "--timeout", "0.000001"});
  EXPECT_EQ(result.code, 69);
  EXPECT_THAT(result.err, HasSubstr("a reload that has begun goes on"));
}

TEST_F(CliOperationsTest, ALookupSaysWhenAndWhyASerialIsListed) {
  const Result listed = Lookup({"--serial", "12"});
  EXPECT_EQ(listed.code, 1) << listed.err;
  EXPECT_THAT(
      listed.out,
      AllOf(StartsWith("0x12: listed\n"),
            HasSubstr("  Searched      1 partition(s) of profile signature, "
                      "snapshot "),
            HasSubstr("  Issuer        CN=World CA,C=JP\n"
                      "  Scope         all certificates of the issuer\n"
                      "  Status        revoked\n"
                      "  Revoked at    2026-03-14 12:00:00 UTC\n"
                      "  Reason        keyCompromise\n"
                      "  CRL           of 2026-03-15 00:00:00 UTC, next by "
                      "2026-03-16 12:00:00 UTC, number 07\n")));
  for (const char* serial : {"0x12", "0X12", "00:12", "1 2", "0012"}) {
    EXPECT_EQ(Lookup({"--serial", serial}).code, 1) << serial;
  }
  const Result json = Lookup({"--serial", "0x12", "--format", "json"});
  EXPECT_EQ(json.code, 1);
  EXPECT_EQ(FromJson<v1::LookupRevocationResponse>(json.out).entries_size(), 1);
}

TEST_F(CliOperationsTest, ALookupSearchesDeltasToo) {
  EXPECT_EQ(Lookup({"--serial", "11"}).code, 0);
  world_.AddDelta(8, {17});
  ASSERT_EQ(Ask({"reload"}).code, 0);
  const Result result = Lookup({"--serial", "11"});
  EXPECT_EQ(result.code, 1) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("2 partition(s)"),
                                HasSubstr("Reason        superseded\n"),
                                HasSubstr("number 08\n")));
}

TEST_F(CliOperationsTest, ALookupSaysHowFarNotListedGoes) {
  const Result free = Lookup({"--serial", "11"});
  EXPECT_EQ(free.code, 0) << free.err;
  EXPECT_THAT(free.out,
              AllOf(StartsWith("0x11: not listed\n"),
                    HasSubstr("1 partition(s) of profile signature"),
                    HasSubstr("no more than the CRLs searched cover")));
  EXPECT_EQ(Lookup({"--serial", "11", "--issuer", "CN=World CA,C=JP"}).code, 0);
  const Words of_nobody = {"--serial", "11", "--issuer", "CN=Nobody"};
  const Result nothing = Lookup(of_nobody);
  EXPECT_EQ(nothing.code, 2);
  EXPECT_THAT(
      nothing.out,
      AllOf(StartsWith("0x11: nothing can be said: no CRL was searched\n"),
            HasSubstr("0 partition(s)"),
            HasSubstr("no CRL of this issuer in use")));
  EXPECT_EQ(Lookup(Join(of_nobody, {"--format", "json"})).code, 2);
}

TEST_F(CliOperationsTest, ALookupThatIsRefusedExitsWith65AndSaysWhy) {
  const Result unknown =
      Ask({"lookup", "--profile", "nobody", "--serial", "1"});
  EXPECT_EQ(unknown.code, 65);
  EXPECT_THAT(unknown.err, HasSubstr("there are: signature"));
  // 21 octets, and 22.
  EXPECT_EQ(Lookup({"--serial", std::string(42, '1')}).code, 0);
  const Result too_long = Lookup({"--serial", std::string(44, '1')});
  EXPECT_EQ(too_long.code, 65);
  EXPECT_THAT(too_long.err, HasSubstr("serial_number"));
}

TEST(OperationsTextTest, ALookupTellsHoldsAndRemovalsFromRevocations) {
  v1::LookupRevocationRequest asked;
  asked.set_profile("signature");
  asked.set_serial_number("1f");
  v1::LookupRevocationResponse found;
  EXPECT_THAT(LookupText(asked, found),
              AllOf(StartsWith("0x1f: nothing can be said"),
                    HasSubstr("The profile has no CRL in use")));
  found.set_partitions_searched(2);
  v1::RevocationEntry* held = found.add_entries();
  held->set_issuer("CN=\x1b[31mCA");
  held->mutable_evidence()->set_status(v1::REVOCATION_STATUS_ON_HOLD);
  held->mutable_evidence()->set_reason(v1::REVOCATION_REASON_CERTIFICATE_HOLD);
  held->mutable_evidence()->mutable_invalidity_date()->set_seconds(1000);
  v1::RevocationEvidence* lifted = found.add_entries()->mutable_evidence();
  lifted->set_status(v1::REVOCATION_STATUS_REVOKED);
  lifted->set_reason(v1::REVOCATION_REASON_REMOVE_FROM_CRL);
  lifted->set_crl_number("08\n");
  EXPECT_THAT(LookupText(asked, found),
              AllOf(StartsWith("0x1f: listed\n"),
                    HasSubstr("Issuer        CN=\\x1b[31mCA\n"),
                    HasSubstr("Status        on hold; counts as revoked\n"),
                    HasSubstr("Reason        certificateHold\n"),
                    HasSubstr("Invalid since 1970-01-01 00:16:40 UTC\n"),
                    HasSubstr("Status        taken off by a delta CRL"),
                    HasSubstr("Reason        removeFromCRL\n"),
                    HasSubstr("number 08\\x0a\n"), Not(HasSubstr("\x1b"))));
}

TEST(OperationsTextTest, WhatSourcesSayCannotReachTheTerminal) {
  v1::ReloadResponse reloaded;
  v1::CrlSourceError* error = reloaded.add_source_errors();
  error->set_source("x\x1b.crl");
  error->set_error("no\nCRL");
  EXPECT_THAT(ReloadText(reloaded),
              AllOf(HasSubstr("1 source(s) of CRLs failed"),
                    HasSubstr("WRONG: x\\x1b.crl: no\\x0aCRL\n"),
                    HasSubstr("nothing from it is in use")));
}

}  // namespace
}  // namespace inkan
