// NIST PKITS 1.0.1 by the two other ways an answer is had: from a running
// server's CheckCertificate, and from `inkan check-certificate --local`.
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/cli.h"
#include "client/inkan_client.h"
#include "crypto/certificate.h"
#include "server/config.h"
#include "server/server.h"
#include "tests/conformance/pkits_suite.h"
#include "tests/support/process.h"

namespace inkan {
namespace {

std::string Quoted(const std::string& text) {
  return absl::StrCat("\"", text, "\"");
}

std::string ProfileName(const PkitsCase& c) {
  return absl::StrReplaceAll(absl::StrCat("pkits-", c.id), {{"#", "-"}});
}

// One profile for each case. An intermediate that is not even a certificate
// (4.1.2) would have the configuration refused; it is sent with the request.
std::string ProfileText(const PkitsCase& c,
                        std::vector<std::string>* to_be_sent) {
  std::string text =
      absl::StrCat("profiles {\n  name: ", Quoted(ProfileName(c)),
                   "\n  anchor_files: ", Quoted(c.anchor), "\n");
  for (const std::string& file : c.intermediates) {
    const std::string der = ReadFile(file);
    Certificate view;
    if (!ParseCertificate(AsBytes(der), &view).ok()) {
      to_be_sent->push_back(der);
      continue;
    }
    absl::StrAppend(&text, "  intermediate_files: ", Quoted(file), "\n");
  }
  for (const std::string& policy : c.initial_policies) {
    absl::StrAppend(&text, "  policies: ", Quoted(policy), "\n");
  }
  absl::StrAppend(
      &text,
      c.require_explicit_policy ? "  require_explicit_policy: true\n" : "",
      c.inhibit_policy_mapping ? "  inhibit_policy_mapping: true\n" : "",
      c.inhibit_any_policy ? "  inhibit_any_policy: true\n" : "",
      "  revocation: REVOCATION_MODE_REQUIRED\n}\n");
  return text;
}

std::set<std::string> PoliciesOf(const v1::Verdict& verdict) {
  const auto& policies = verdict.certificate().valid_policies();
  return {policies.begin(), policies.end()};
}

bool Passed(const v1::Verdict& verdict) {
  return verdict.indication() == v1::INDICATION_TOTAL_PASSED;
}

std::string Said(const v1::Verdict& verdict) {
  return absl::StrCat(v1::SubIndication_Name(verdict.sub_indication()), ": ",
                      verdict.diagnostic());
}

TEST(PkitsWays, ARunningServerGivesTheExpectedResults) {
  INKAN_CONFORMANCE(dir);
  const PkitsSuite suite = ReadPkits(dir);
  const std::filesystem::path folder = std::filesystem::temp_directory_path() /
                                       absl::StrCat("inkan_pkits.", ::getpid());
  std::filesystem::create_directories(folder);
  std::string text =
      absl::StrCat("listener { address: \"127.0.0.1:0\" plaintext: ",
                   Quoted(kPlaintextWords), " }\n");
  std::map<std::string, std::vector<std::string>> to_be_sent;
  for (const PkitsCase& c : suite.cases) {
    absl::StrAppend(&text, ProfileText(c, &to_be_sent[c.id]));
  }
  absl::StrAppend(
      &text, "crl_sources { directory: ", Quoted(dir + "/pkits/crls"), " }\n");
  const std::string file = (folder / "inkand.textproto").string();
  std::ofstream(file) << text;
  auto config = LoadConfig(file);
  ASSERT_TRUE(config.ok()) << config.status();
  auto server = Server::Start(*std::move(config), file);
  std::filesystem::remove_all(folder);
  ASSERT_TRUE(server.ok()) << server.status();
  const auto client =
      Client::Connect({.target = absl::StrCat("127.0.0.1:", (*server)->port()),
                       .timeout = absl::Seconds(60)});
  for (const PkitsCase& c : suite.cases) {
    SCOPED_TRACE(c.id + " " + c.description);
    v1::CheckCertificateRequest request;
    request.set_profile(ProfileName(c));
    request.set_certificate(ReadFile(c.target));
    for (const std::string& der : to_be_sent[c.id]) {
      request.add_intermediates(der);
    }
    request.mutable_verification_time()->set_seconds(suite.time);
    const auto verdict = client->CheckCertificate(request);
    ASSERT_TRUE(verdict.ok()) << verdict.status();
    ExpectPkits(c, Passed(*verdict), PoliciesOf(*verdict), Said(*verdict));
  }
}

// The words after `inkan` for a case.
std::vector<std::string> CommandLine(const PkitsCase& c) {
  std::vector<std::string> words = {"check-certificate",
                                    "--local",
                                    "--format",
                                    "json",
                                    "--at",
                                    "2011-04-15T00:00:00Z",
                                    "--anchor",
                                    c.anchor,
                                    "--certificate",
                                    c.target};
  const auto add = [&words](const char* flag, const std::string& value) {
    words.emplace_back(flag);
    words.push_back(value);
  };
  for (const std::string& one : c.intermediates) add("--intermediate", one);
  for (const std::string& one : c.crls) add("--crl", one);
  for (const std::string& one : c.initial_policies) {
    add("--initial-policy", one);
  }
  if (c.require_explicit_policy) words.push_back("--require-explicit-policy");
  if (c.inhibit_policy_mapping) words.push_back("--inhibit-policy-mapping");
  if (c.inhibit_any_policy) words.push_back("--inhibit-any-policy");
  return words;
}

// Exit code 0 and only that is a pass; the JSON must agree with it.
void ExpectAnswer(const PkitsCase& c, int exit_code, const std::string& out) {
  v1::Verdict verdict;
  const bool is_verdict =
      google::protobuf::util::JsonStringToMessage(out, &verdict).ok();
  // Refused input (4.1.2) has no verdict.
  EXPECT_TRUE(is_verdict || exit_code == 65) << exit_code << ": " << out;
  EXPECT_EQ(Passed(verdict), exit_code == 0);
  ExpectPkits(c, exit_code == 0, PoliciesOf(verdict), out);
}

TEST(PkitsWays, TheCommandLineGivesTheExpectedResults) {
  INKAN_CONFORMANCE(dir);
  for (const PkitsCase& c : ReadPkits(dir).cases) {
    SCOPED_TRACE(c.id + " " + c.description);
    std::ostringstream out;
    std::ostringstream err;
    const int exit_code = RunCli(CommandLine(c), out, err);
    ExpectAnswer(c, exit_code, out.str());
  }
}

// The same code as a process of its own, where exit codes are what a shell
// sees.
TEST(PkitsWays, TheProgramItselfAgrees) {
  INKAN_CONFORMANCE(dir);
  const std::set<std::string> ids = {"4.1.1",  "4.1.4",   "4.4.2", "4.8.1.1",
                                     "4.13.1", "4.14.30", "4.15.4"};
  for (const PkitsCase& c : ReadPkits(dir).cases) {
    if (!ids.contains(c.id)) continue;
    SCOPED_TRACE(c.id + " " + c.description);
    std::vector<std::string> words = CommandLine(c);
    words.insert(words.begin(), INKAN_BIN_DIR "/inkan");
    const CommandResult result = RunCommand(words);
    EXPECT_EQ(result.exit_code == 0,
              c.should_validate && !PkitsExceptions().contains(c.id))
        << result.output;
    EXPECT_LE(result.exit_code, 2) << result.output;
  }
}

}  // namespace
}  // namespace inkan
