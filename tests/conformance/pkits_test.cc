// NIST PKITS 1.0.1: every certificate path of the suite through the verifier.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "cache/snapshot_keeper.h"
#include "crypto/oid.h"
#include "server/verifier.h"
#include "tests/support/conformance.h"

namespace inkan {
namespace {

using Json = nlohmann::json;

// Cases whose expected result we do not give, each with its reason.
const std::map<std::string, std::string>& Exceptions() {
  static const auto* const kExceptions = new std::map<std::string, std::string>{
      {"4.1.4", "DSA signatures: refused as an unsupported algorithm"},
      {"4.1.5", "DSA signatures: refused as an unsupported algorithm"},
  };
  return *kExceptions;
}

CertificateFile Load(const std::string& dir, const std::string& name) {
  return {name, ReadFile(dir + "/pkits/certs/" + name + ".crt")};
}

Profile ProfileOf(const std::string& dir, const Json& policies,
                  const Json& test) {
  Profile profile;
  profile.name = "pkits";
  profile.anchors.push_back(Load(dir, test["trust_anchor"]));
  for (const std::string name : test["intermediates"]) {
    profile.intermediates.push_back(Load(dir, name));
  }
  for (const std::string name : test["initial_policy_set"]) {
    if (name == "anyPolicy") continue;
    profile.initial_policies.push_back(
        *OidFromText(policies[name].get<std::string>()));
  }
  profile.require_explicit_policy = test["initial_explicit_policy"];
  profile.inhibit_policy_mapping = test["initial_policy_mapping_inhibit"];
  profile.inhibit_any_policy = test["initial_inhibit_any_policy"];
  return profile;
}

struct Result {
  FilingVerdict verdict;
  std::set<std::string> valid_policies;
};

Result JudgeCase(const std::string& dir, const Json& suite, const Json& test,
                 int64_t time) {
  SnapshotOptions options;
  options.profiles.push_back(ProfileOf(dir, suite["policies"], test));
  for (const std::string name : test["crls"]) {
    options.crl_sources.push_back(
        {CrlSourceOptions::Kind::kFile, dir + "/pkits/crls/" + name + ".crl"});
  }
  auto keeper = SnapshotKeeper::Start(std::move(options), /*watch=*/false);
  Result result;
  if (!keeper.ok()) {
    // A CA certificate that is not even well-formed (4.1.2: the signature's BIT
    // STRING) is refused before any path is tried.
    result.verdict.diagnostic = std::string(keeper.status().message());
    return result;
  }
  const auto snapshot = (*keeper)->Current();
  const CertificateFile target = Load(dir, test["target"]);
  FilingView filing;
  filing.profile = snapshot->Find("pkits");
  filing.certificate_only = true;
  filing.certificate = AsBytes(target.der);
  filing.time = time;
  Verifier verifier;
  verifier.Verify({&filing, 1}, {&result.verdict, 1});
  for (const Bytes oid : result.verdict.valid_policies) {
    result.valid_policies.insert(OidToText(oid));
  }
  for (const CrlSourceError& error : (*keeper)->source_errors()) {
    result.verdict.diagnostic +=
        " {" + error.source.substr(error.source.rfind('/') + 1) + ": " +
        error.error + "}";
  }
  // What lives in the snapshot must not be looked at after it.
  result.verdict.revocation.crl = nullptr;
  result.verdict.valid_policies.clear();
  return result;
}

TEST(Pkits, EveryCaseGivesTheExpectedResultAndPolicySet) {
  INKAN_CONFORMANCE(dir);
  const Json suite = Json::parse(ReadFile(dir + "/pkits/pkits.json"));
  constexpr int64_t kTime = 1302825600;  // 2011-04-15T00:00:00Z
  ASSERT_EQ(suite["verification_time"], "2011-04-15T00:00:00Z");
  int agreed = 0;
  int excepted = 0;
  for (const Json& test : suite["tests"]) {
    const std::string id = test["id"];
    SCOPED_TRACE(id + " " + test["description"].get<std::string>());
    const Result result = JudgeCase(dir, suite, test, kTime);
    const bool passed = result.verdict.outcome == Outcome::kPassed;
    const bool expected = test["should_validate"];
    const std::string said = std::string(OutcomeName(result.verdict.outcome)) +
                             ": " + result.verdict.diagnostic;
    if (Exceptions().contains(id)) {
      ++excepted;
      EXPECT_FALSE(passed) << "an exception that is none any more";
      continue;
    }
    EXPECT_EQ(passed, expected) << said;
    if (passed && expected) {
      std::set<std::string> policies;
      for (const std::string name : test["user_constrained_policy_set"]) {
        policies.insert(suite["policies"][name]);
      }
      EXPECT_EQ(result.valid_policies, policies);
    }
    agreed += passed == expected ? 1 : 0;
  }
  EXPECT_EQ(agreed + excepted, 249);
}

}  // namespace
}  // namespace inkan
