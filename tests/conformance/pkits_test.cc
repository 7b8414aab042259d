// NIST PKITS 1.0.1: every certificate path of the suite through the verifier.
#include <gtest/gtest.h>

#include <string>

#include "cache/snapshot_keeper.h"
#include "crypto/oid.h"
#include "server/verifier.h"
#include "tests/conformance/pkits_suite.h"

namespace inkan {
namespace {

Profile ProfileOf(const PkitsCase& c) {
  Profile profile;
  profile.name = "pkits";
  profile.anchors.push_back({c.anchor, ReadFile(c.anchor)});
  for (const std::string& file : c.intermediates) {
    profile.intermediates.push_back({file, ReadFile(file)});
  }
  for (const std::string& policy : c.initial_policies) {
    profile.initial_policies.push_back(*OidFromText(policy));
  }
  profile.require_explicit_policy = c.require_explicit_policy;
  profile.inhibit_policy_mapping = c.inhibit_policy_mapping;
  profile.inhibit_any_policy = c.inhibit_any_policy;
  return profile;
}

struct Result {
  bool passed = false;
  std::set<std::string> valid_policies;
  std::string said;
};

Result JudgeCase(const PkitsCase& c, int64_t time) {
  SnapshotOptions options;
  options.profiles.push_back(ProfileOf(c));
  for (const std::string& file : c.crls) {
    options.crl_sources.push_back({CrlSourceOptions::Kind::kFile, file});
  }
  auto keeper = SnapshotKeeper::Start(std::move(options), /*watch=*/false);
  // A CA certificate that is not even well-formed (4.1.2: the signature's BIT
  // STRING) is refused before any path is tried.
  if (!keeper.ok()) return {false, {}, std::string(keeper.status().message())};
  const auto snapshot = (*keeper)->Current();
  const std::string target = ReadFile(c.target);
  FilingView filing;
  filing.profile = snapshot->Find("pkits");
  filing.certificate_only = true;
  filing.certificate = AsBytes(target);
  filing.time = time;
  FilingVerdict verdict;
  Verifier verifier;
  verifier.Verify({&filing, 1}, {&verdict, 1});
  Result result;
  result.passed = verdict.outcome == Outcome::kPassed;
  result.said =
      std::string(OutcomeName(verdict.outcome)) + ": " + verdict.diagnostic;
  for (const Bytes oid : verdict.valid_policies) {
    result.valid_policies.insert(OidToText(oid));
  }
  for (const CrlSourceError& error : (*keeper)->source_errors()) {
    result.said += " {" + error.source + ": " + error.error + "}";
  }
  return result;
}

TEST(Pkits, EveryCaseGivesTheExpectedResultAndPolicySet) {
  INKAN_CONFORMANCE(dir);
  const PkitsSuite suite = ReadPkits(dir);
  EXPECT_EQ(suite.cases.size(), 249U);
  for (const PkitsCase& c : suite.cases) {
    SCOPED_TRACE(c.id + " " + c.description);
    const Result result = JudgeCase(c, suite.time);
    ExpectPkits(c, result.passed, result.valid_policies, result.said);
  }
}

}  // namespace
}  // namespace inkan
