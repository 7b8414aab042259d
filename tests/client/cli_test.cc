// The command line as a user meets it: words in, text and an exit code out.
#include "client/cli.h"

#include <google/protobuf/util/json_util.h>

#include <memory>
#include <sstream>
#include <string>
#include <utility>
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

class CliTest : public ::testing::Test {
 protected:
  CliTest() {
    const v1::Filing filing = world_.GoodFiling();
    world_.Write("signature.bin", filing.signature());
    world_.Write("document.txt", filing.document());
  }

  // `words` with files of the world after each "@".
  std::vector<std::string> Words(const std::vector<std::string>& words) {
    std::vector<std::string> out;
    for (const std::string& word : words) {
      out.push_back(word[0] == '@' ? world_.Path(word.substr(1)) : word);
    }
    return out;
  }
  std::vector<std::string> Join(std::vector<std::string> first,
                                const std::vector<std::string>& second) {
    for (const std::string& word : Words(second)) first.push_back(word);
    return first;
  }

  // The words with the value of a flag replaced, or the flag added.
  static std::vector<std::string> With(std::vector<std::string> words,
                                       const std::string& flag,
                                       const std::string& value) {
    for (size_t i = 0; i + 1 < words.size(); ++i) {
      if (words[i] == flag) {
        words[i + 1] = value;
        return words;
      }
    }
    words.push_back(flag);
    words.push_back(value);
    return words;
  }

  // A filing judged in process.
  std::vector<std::string> LocalVerify(const std::vector<std::string>& more) {
    return Join(
        Words({"verify", "--local", "--anchor", "@ca.cer", "--crl", "@crls",
               "--signature", "@signature.bin", "--algorithm",
               "rsa-pkcs1-sha256", "--at", "2026-03-15T21:00:00+09:00"}),
        more);
  }
  std::vector<std::string> LocalCheck(const std::vector<std::string>& more) {
    return Join(Words({"check-certificate", "--local", "--anchor", "@ca.cer",
                       "--at", "2026-03-15T12:00:00Z"}),
                more);
  }

  TestWorld world_;
};

TEST_F(CliTest, ADeltaIsNamedBesideTheCompleteCrl) {
  const std::string complete =
      "  CRL           of 2026-03-15 00:00:00 UTC, next by 2026-03-16 12:00:00 "
      "UTC, number 07\n";
  const std::string delta =
      "  and delta   of 2026-03-15 06:00:00 UTC, next by 2026-03-17 12:00:00 "
      "UTC, number 08";
  const auto check = [&](const char* certificate) {
    return Inkan(LocalCheck({"--crl", "@crls", "--certificate", certificate}));
  };
  EXPECT_THAT(check("@signer.cer").out,
              AllOf(HasSubstr("TOTAL_PASSED"), HasSubstr(complete),
                    Not(HasSubstr("delta"))));
  world_.AddDelta(8, {});
  EXPECT_THAT(check("@signer.cer").out,
              AllOf(HasSubstr("TOTAL_PASSED"),
                    HasSubstr(absl::StrCat(complete, "  ", delta, "\n"))));
  EXPECT_THAT(check("@revoked.cer").out,
              AllOf(HasSubstr("REVOKED"), HasSubstr("(key compromise)"),
                    HasSubstr(absl::StrCat(complete, "  ", delta, "\n"))));
  world_.AddDelta(8, {17});
  EXPECT_THAT(check("@signer.cer").out,
              AllOf(HasSubstr("REVOKED"), HasSubstr("(superseded)"),
                    HasSubstr(absl::StrCat(complete, "  ", delta,
                                           ", which decides\n"))));
}

TEST_F(CliTest, AGoodFilingExitsWithZeroAndReadsLikeANote) {
  const Result result =
      Inkan(LocalVerify({"--certificate", "@signer.cer", "--document",
                         "@document.txt", "--id", "R8-000123"}));
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out,
              AllOf(StartsWith("TOTAL_PASSED: every check passed\n"),
                    HasSubstr("Filing        R8-000123"),
                    HasSubstr("Subject       CN=Signer 17,C=JP"),
                    HasSubstr("Issuer        CN=World CA,C=JP"),
                    HasSubstr("Serial        11\n"),
                    HasSubstr("JPKI digital signature certificate policy "
                              "(1.2.392.200149.8.5.1.1.20)"),
                    HasSubstr("Revocation    good"), HasSubstr("number 07"),
                    HasSubstr("Judged as of  2026-03-15 12:00:00 UTC"),
                    HasSubstr("the files given, snapshot 1")));
  EXPECT_THAT(result.out, Not(HasSubstr("Checks")));
  EXPECT_THAT(result.err, IsEmpty());
}

TEST_F(CliTest, ADigestStandsForTheDocument) {
  const std::string digest =
      absl::BytesToHexString(lab::Sha256Of(world_.GoodFiling().document()));
  EXPECT_EQ(
      Inkan(LocalVerify({"--certificate", "@signer.cer", "--digest", digest}))
          .code,
      0);
}

TEST_F(CliTest, ARevokedSignerExitsWithOneAndSaysWhenAndWhy) {
  const Result result = Inkan(LocalVerify(
      {"--certificate", "@revoked.cer", "--document", "@document.txt"}));
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out,
              AllOf(StartsWith("TOTAL_FAILED REVOKED: must not be accepted"),
                    HasSubstr("revoked at 2026-03-14 12:00:00 UTC"),
                    HasSubstr("key compromise"),
                    HasSubstr("the signer's certificate")));
}

TEST_F(CliTest, AnAlteredDocumentExitsWithOne) {
  world_.Write("other.txt", "another tax return");
  const Result result = Inkan(LocalVerify(
      {"--certificate", "@signer.cer", "--document", "@other.txt"}));
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out, StartsWith("TOTAL_FAILED HASH_FAILURE"));
}

TEST_F(CliTest, WithoutACrlTheVerdictIsIndeterminateAndExitsWithTwo) {
  const std::vector<std::string> words =
      LocalCheck({"--certificate", "@signer.cer"});
  const Result result = Inkan(words);
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.out, StartsWith("INDETERMINATE TRY_LATER"));
  EXPECT_EQ(Inkan(Join(words, {"--revocation", "off"})).code, 0);
  EXPECT_EQ(Inkan(Join(words, {"--crl", "@crls/world.crl"})).code, 0);
}

TEST_F(CliTest, ACrlThatCannotBeUsedIsNamed) {
  world_.Write("not_a_crl", "hello");
  const Result result = Inkan(
      LocalCheck({"--certificate", "@signer.cer", "--crl", "@not_a_crl"}));
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, AllOf(HasSubstr("CRL not used"),
                                HasSubstr(world_.Path("not_a_crl"))));
}

TEST_F(CliTest, CheckCertificateShowsTheNamesWithTheirMeaning) {
  const Result result =
      Inkan(LocalCheck({"--certificate", "@signer.cer", "--crl", "@crls"}));
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(
      result.out,
      HasSubstr("JPKI common name (1.2.392.200149.8.5.5.1): 印鑑 太郎"));
}

TEST_F(CliTest, PemIsReadLikeDer) {
  const auto to_pem = [](const std::string& der) {
    return absl::StrCat("-----BEGIN CERTIFICATE-----\n",
                        absl::Base64Escape(der),
                        "\n-----END CERTIFICATE-----\n");
  };
  world_.Write("ca.pem", to_pem(world_.ca()));
  world_.Write("signer.pem",
               absl::StrCat(to_pem(world_.signer()), to_pem(world_.ca())));
  EXPECT_EQ(Inkan(Words({"check-certificate", "--local", "--anchor", "@ca.pem",
                         "--crl", "@crls", "--certificate", "@signer.pem",
                         "--at", "2026-03-15T12:00:00Z"}))
                .code,
            0);
}

TEST_F(CliTest, ATrustedCertificateNeedsNoAnchor) {
  EXPECT_EQ(
      Inkan(Words({"check-certificate", "--local", "--trusted-certificate",
                   "@signer.cer", "--revocation", "off", "--certificate",
                   "@signer.cer", "--at", "2026-03-15T12:00:00Z"}))
          .code,
      0);
}

TEST_F(CliTest, TheRulesOfTheProfileAreObeyed) {
  const auto with = [&](const std::vector<std::string>& more) {
    return Inkan(Join(
        LocalCheck({"--certificate", "@signer.cer", "--crl", "@crls"}), more));
  };
  EXPECT_EQ(with({"--initial-policy", "1.2.392.200149.8.5.1.1.20"}).code, 0);
  EXPECT_EQ(with({"--policy", "1.2.3", "--require-explicit-policy"}).code, 2);
  EXPECT_EQ(with({"--required-key-usage", "nonRepudiation"}).code, 0);
  EXPECT_EQ(with({"--required-key-usage", "keyAgreement"}).code, 2);
  EXPECT_EQ(with({"--min-rsa-bits", "2048"}).code, 0);
  // The anchor itself is too weak then, so that the profile cannot be used.
  const Result weak = with({"--min-rsa-bits", "2049"});
  EXPECT_EQ(weak.code, 65);
  EXPECT_THAT(weak.err, HasSubstr(world_.Path("ca.cer")));
}

TEST_F(CliTest, ChecksAreListedWhenAskedFor) {
  const Result result =
      Inkan(LocalVerify({"--certificate", "@signer.cer", "--document",
                         "@document.txt", "--checks"}));
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("Checks\n"), HasSubstr("filing_signature"),
                    HasSubstr("RFC 5280 6.1.3 (a)(2)")));
}

TEST_F(CliTest, JsonIsTheVerdictAndNothingElse) {
  const Result result =
      Inkan(LocalVerify({"--certificate", "@revoked.cer", "--document",
                         "@document.txt", "--checks", "--format", "json"}));
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out, HasSubstr("\"subIndication\""));
  v1::Verdict verdict;
  ASSERT_TRUE(
      google::protobuf::util::JsonStringToMessage(result.out, &verdict).ok());
  EXPECT_EQ(verdict.sub_indication(), v1::SUB_INDICATION_REVOKED);
  EXPECT_GT(verdict.checks_size(), 0);
}

TEST_F(CliTest, AGarbledCertificateIsAVerdict) {
  world_.Write("garbage.cer", "this is no certificate");
  const Result result = Inkan(LocalVerify(
      {"--certificate", "@garbage.cer", "--document", "@document.txt"}));
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out, AllOf(StartsWith("TOTAL_FAILED FORMAT_FAILURE"),
                                HasSubstr("could not be read")));
}

TEST_F(CliTest, WrongUsageExitsWith64) {
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"frobnicate"},
      {"verify"},
      {"health"},
      {"status", "--plaintext"},
      // Neither or both of --target and --local.
      {"check-certificate", "--certificate", "x"},
      {"check-certificate", "--certificate", "x", "--local", "--target", "h:1"},
      // No profile for a server, no anchor for --local.
      {"check-certificate", "--certificate", "x", "--target", "h:1"},
      {"check-certificate", "--certificate", "x", "--local"},
      {"health", "--target", "h:1", "--plaintext", "--tls-ca", "x"},
      {"health", "--target", "h:1", "--tls-cert", "x"},
      {"reload"},
      {"reload", "--target", "h:1", "--timeout", "0"},
      // No server, no profile, no serial number.
      {"lookup", "--profile", "p", "--serial", "1f"},
      {"lookup", "--target", "h:1", "--serial", "1f"},
      {"lookup", "--target", "h:1", "--profile", "p"},
      {"lookup", "--target", "h:1", "--profile", "p", "--serial", "xyz"},
      {"lookup", "--target", "h:1", "--profile", "p", "--serial", "0x"},
  };
  for (const std::vector<std::string>& words : wrong) {
    EXPECT_EQ(Inkan(words).code, 64) << ::testing::PrintToString(words);
  }
  const auto good = LocalVerify(
      {"--certificate", "@signer.cer", "--document", "@document.txt"});
  ASSERT_EQ(Inkan(good).code, 0);
  const std::pair<const char*, const char*> values[] = {
      {"--digest", "00"},          {"--algorithm", "rsa"},
      {"--format", "xml"},         {"--revocation", "maybe"},
      {"--at", "yesterday"},       {"--at", "2026-03-15T12:00:00"},
      {"--at", "infinite-future"}, {"--min-rsa-bits", "2047"},
      {"--min-rsa-bits", "4097"},  {"--initial-policy", "jpki"},
      {"--timeout", "0"},          {"--required-key-usage", "signing"}};
  for (const auto& [flag, value] : values) {
    EXPECT_EQ(Inkan(With(good, flag, value)).code, 64) << flag << " " << value;
  }
  EXPECT_EQ(Inkan(LocalVerify({"--certificate", "@signer.cer"})).code, 64);
  EXPECT_EQ(
      Inkan(LocalVerify({"--certificate", "@signer.cer", "--digest", "0g"}))
          .code,
      64);
}

TEST_F(CliTest, HelpAndVersionExitWithZero) {
  for (const char* word : {"--help", "--version"}) {
    const Result result = Inkan({word});
    EXPECT_EQ(result.code, 0);
    EXPECT_THAT(result.out, HasSubstr("inkan"));
  }
}

TEST_F(CliTest, AnInputThatCannotBeOpenedExitsWith66) {
  for (const auto& words :
       {LocalVerify({"--certificate", "@gone", "--document", "@document.txt"}),
        LocalVerify({"--certificate", "@signer.cer", "--document", "@gone"}),
        LocalVerify({"--certificate", "@signer.cer", "--document",
                     "@document.txt", "--anchor", "@gone"}),
        LocalVerify({"--certificate", "@signer.cer", "--document",
                     "@document.txt", "--intermediate", "@crls"})}) {
    const Result result = Inkan(words);
    EXPECT_EQ(result.code, 66) << result.err;
    EXPECT_THAT(result.err, HasSubstr("cannot read"));
    EXPECT_THAT(result.out, IsEmpty());
  }
}

TEST_F(CliTest, AnAnchorThatIsNoCertificateExitsWith65) {
  const Result result =
      Inkan(Words({"check-certificate", "--local", "--anchor", "@document.txt",
                   "--certificate", "@signer.cer"}));
  EXPECT_EQ(result.code, 65);
  EXPECT_THAT(result.err, HasSubstr("no certificate in it"));
}

TEST_F(CliTest, AnAnswerThatCannotBeWrittenExitsWith74) {
  std::ostringstream out;
  out.setstate(std::ios::badbit);
  std::ostringstream err;
  EXPECT_EQ(RunCli(LocalVerify({"--certificate", "@signer.cer", "--document",
                                "@document.txt"}),
                   out, err),
            74);
}

TEST_F(CliTest, WithoutAServerTheExitCodeIs69) {
  for (const char* command : {"status", "health", "reload"}) {
    EXPECT_EQ(Inkan({command, "--target", "127.0.0.1:1", "--plaintext",
                     "--timeout", "2"})
                  .code,
              69);
  }
}

class CliServerTest : public CliTest {
 protected:
  CliServerTest() : server_(world_.StartServer()) {}

  std::vector<std::string> ToServer(const std::vector<std::string>& words) {
    return Join(Words(words), {"--plaintext", "--target",
                               absl::StrCat("127.0.0.1:", server_->port())});
  }

  std::unique_ptr<Server> server_;
};

TEST_F(CliServerTest, AServerGivesTheSameVerdicts) {
  const auto verify = [&](const char* certificate) {
    return Inkan(ToServer(
        {"verify", "--profile", "signature", "--certificate", certificate,
         "--document", "@document.txt", "--signature", "@signature.bin",
         "--algorithm", "rsa-pkcs1-sha256", "--at", "2026-03-15T12:00:00Z"}));
  };
  const Result good = verify("@signer.cer");
  EXPECT_EQ(good.code, 0) << good.err;
  EXPECT_THAT(good.out, HasSubstr(absl::StrCat("127.0.0.1:", server_->port())));
  EXPECT_EQ(verify("@revoked.cer").code, 1);
  const Result check =
      Inkan(ToServer({"check-certificate", "--profile", "nobody",
                      "--certificate", "@signer.cer"}));
  EXPECT_EQ(check.code, 2);
  EXPECT_THAT(check.out, HasSubstr("GENERIC"));
}

TEST_F(CliServerTest, ARefusedRequestExitsWith65) {
  const Result result = Inkan(
      ToServer({"check-certificate", "--profile", "signature", "--certificate",
                "@signer.cer", "--id", std::string(129, 'x')}));
  EXPECT_EQ(result.code, 65);
  EXPECT_THAT(result.err, HasSubstr("request_id"));
}

TEST_F(CliServerTest, StatusIsReadableAndJson) {
  const Result text = Inkan(ToServer({"status"}));
  EXPECT_EQ(text.code, 0);
  EXPECT_THAT(text.out,
              AllOf(HasSubstr("SERVING"), HasSubstr("Profile signature"),
                    HasSubstr("CRLs: 1 partition(s), 1 entries"),
                    HasSubstr(world_.Path("crls/world.crl"))));
  const Result json = Inkan(ToServer({"status", "--format", "json"}));
  v1::GetStatusResponse status;
  ASSERT_TRUE(
      google::protobuf::util::JsonStringToMessage(json.out, &status).ok());
  EXPECT_TRUE(status.serving());
  EXPECT_EQ(status.partitions_size(), 1);
  const Result brief = Inkan(ToServer({"status", "--omit-partitions"}));
  EXPECT_THAT(brief.out, Not(HasSubstr("CRLs:")));
}

TEST_F(CliServerTest, HealthExitsWithZeroOnlyWhenServing) {
  const Result serving = Inkan(ToServer({"health"}));
  EXPECT_EQ(serving.code, 0);
  EXPECT_EQ(serving.out, "SERVING\n");
  EXPECT_EQ(
      Inkan(ToServer({"health", "--service", "inkan.v1.VerificationService"}))
          .code,
      0);
  EXPECT_NE(Inkan(ToServer({"health", "--service", "nobody"})).code, 0);
  server_->Shutdown();
  EXPECT_NE(Inkan(ToServer({"health", "--timeout", "2"})).code, 0);
}

TEST(TextTest, HostileTextCannotReachTheTerminal) {
  EXPECT_EQ(Printable("印鑑 太郎"), "印鑑 太郎");
  EXPECT_EQ(Printable("a\x1b[31mb\n"), "a\\x1b[31mb\\x0a");
  EXPECT_EQ(Printable("\xc2\x9b"), "\\xc2\\x9b");  // C1 control
  EXPECT_EQ(Printable("\xff\xe3\x81"), "\\xff\\xe3\\x81");
  EXPECT_EQ(Printable("\x7f"), "\\x7f");
}

TEST_F(CliTest, AFileOfTlsThatIsNotThereIsAnInputNotAMisuse) {
  const Result missing = Inkan(
      Words({"health", "--target", "127.0.0.1:1", "--tls-ca", "@nowhere.pem"}));
  EXPECT_EQ(missing.code, 66);
  EXPECT_THAT(missing.err, HasSubstr("nowhere.pem"));
  EXPECT_EQ(Inkan({"health", "--target", "127.0.0.1:1", "--plaintext",
                   "--tls-ca", "ca.pem"})
                .code,
            64);
}

TEST_F(CliServerTest, AClientOverItsQuotaMayTryAgain) {
  server_.reset();
  server_ = world_.StartServer(world_.ConfigText(
      "default_client_quota { filings_in_flight_max: 1 filings_per_second: 1 "
      "filings_burst: 1 }"));
  const auto words =
      ToServer({"verify", "--profile", "signature", "--certificate",
                "@signer.cer", "--document", "@document.txt", "--signature",
                "@signature.bin", "--algorithm", "rsa-pkcs1-sha256"});
  Result last;
  // The bucket holds one filing; a slow machine may see it filled again.
  for (int i = 0; i < 1000 && last.code != 75; ++i) last = Inkan(words);
  EXPECT_EQ(last.code, 75) << last.err;
  EXPECT_THAT(last.err, HasSubstr("quota"));
}

v1::GetStatusResponse AllIsWell() {
  v1::GetStatusResponse status;
  status.set_serving(true);
  v1::ProfileStatus* profile = status.add_profiles();
  profile->set_name("signature");
  profile->set_ready(true);
  return status;
}

TEST(TextTest, AServerThatIsNotReadyIsWrongAndSaysWhy) {
  EXPECT_THAT(StatusText(AllIsWell()),
              AllOf(HasSubstr("Nothing is wrong."), HasSubstr(" SERVING, "),
                    Not(HasSubstr("WRONG"))));
  v1::GetStatusResponse ending = AllIsWell();
  ending.set_serving(false);
  EXPECT_THAT(StatusText(ending),
              AllOf(HasSubstr("WRONG: health says NOT_SERV"),
                    Not(HasSubstr("Nothing is wrong."))));
  v1::GetStatusResponse waiting = AllIsWell();
  waiting.mutable_profiles(0)->set_ready(false);
  waiting.mutable_profiles(0)->set_not_ready_reason("no CRL is here yet");
  EXPECT_THAT(
      StatusText(waiting),
      AllOf(HasSubstr("WRONG: profile signature is not ready: no CRL is here"),
            Not(HasSubstr("Nothing is wrong."))));
  v1::GetStatusResponse unrecorded = AllIsWell();
  unrecorded.set_audit_log_error("cannot write to audit.log");
  EXPECT_THAT(StatusText(unrecorded),
              AllOf(HasSubstr("WRONG: the audit log cannot be written: cannot "
                              "write to audit.log; verdicts leave unrecorded"),
                    Not(HasSubstr("Nothing is wrong."))));
  unrecorded.set_audit_log_refuses(true);
  EXPECT_THAT(StatusText(unrecorded), HasSubstr("; filings are refused\n"));
}

TEST(TextTest, StaleCrlsAndFailedSourcesAreWrong) {
  v1::GetStatusResponse status = AllIsWell();
  v1::CrlPartitionStatus* partition = status.add_partitions();
  partition->mutable_this_update()->set_seconds(1000);
  partition->mutable_next_update()->set_seconds(2000);
  partition->mutable_stale_at()->set_seconds(2500);  // crl_grace
  partition->mutable_age()->set_seconds(1500);
  EXPECT_THAT(StatusText(status),
              AllOf(HasSubstr("next by 1970-01-01 00:33:20 UTC"),
                    HasSubstr("Nothing is wrong.")));
  partition->mutable_age()->set_seconds(1501);
  status.mutable_profiles(0)->set_stale_partitions(1);
  EXPECT_THAT(StatusText(status),
              AllOf(HasSubstr("STALE since 1970-01-01 00:41:40 UTC"),
                    HasSubstr("WRONG: profile signature: 1 CRL"),
                    Not(HasSubstr("Nothing is wrong."))));
  // Believed about no time, though it has not ended.
  partition->mutable_stale_at()->set_seconds(1000);
  partition->mutable_age()->set_seconds(1);
  EXPECT_THAT(StatusText(status), HasSubstr("STALE since"));
  v1::CrlSourceError* error = status.add_source_errors();
  error->set_source("x.crl");
  error->set_error("no CRL");
  error->set_last_good_in_use(true);
  EXPECT_THAT(StatusText(status),
              AllOf(HasSubstr("WRONG: x.crl: no CRL"),
                    HasSubstr("its last good CRL stays in use")));
  v1::GetStatusResponse other = AllIsWell();
  other.set_crl_indexes_unwritten(2);
  other.set_crl_index_error("no room");
  EXPECT_THAT(StatusText(other),
              AllOf(HasSubstr("WRONG: 2 CRL index(es) cannot be kept: no room"),
                    Not(HasSubstr("Nothing is wrong."))));
}

}  // namespace
}  // namespace inkan
