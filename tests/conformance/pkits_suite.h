// NIST PKITS 1.0.1 as pkits.json describes it: what goes in, what must come
// out.
//
//   const PkitsSuite suite = ReadPkits(dir);
//   for (const PkitsCase& c : suite.cases) ...
#ifndef INKAN_TESTS_CONFORMANCE_PKITS_SUITE_H_
#define INKAN_TESTS_CONFORMANCE_PKITS_SUITE_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/conformance.h"

namespace inkan {

// Cases whose expected result we do not give, each with its reason.
inline const std::map<std::string, std::string>& PkitsExceptions() {
  static const auto* const kExceptions = new std::map<std::string, std::string>{
      {"4.1.4", "DSA signatures: refused as an unsupported algorithm"},
      {"4.1.5", "DSA signatures: refused as an unsupported algorithm"},
  };
  return *kExceptions;
}

// Paths are of files.
struct PkitsCase {
  std::string id;
  std::string description;
  std::string anchor;
  std::vector<std::string> intermediates;
  std::string target;
  std::vector<std::string> crls;
  std::vector<std::string> initial_policies;  // dotted; empty: anyPolicy
  bool require_explicit_policy = false;
  bool inhibit_policy_mapping = false;
  bool inhibit_any_policy = false;
  bool should_validate = false;
  std::set<std::string> valid_policies;  // dotted
};

struct PkitsSuite {
  int64_t time = 1302825600;  // 2011-04-15T00:00:00Z
  std::vector<PkitsCase> cases;
};

inline PkitsSuite ReadPkits(const std::string& dir) {
  const auto json = nlohmann::json::parse(ReadFile(dir + "/pkits/pkits.json"));
  EXPECT_EQ(json["verification_time"], "2011-04-15T00:00:00Z");
  const auto certificate = [&](const std::string& name) {
    return dir + "/pkits/certs/" + name + ".crt";
  };
  PkitsSuite suite;
  for (const auto& test : json["tests"]) {
    PkitsCase c;
    c.id = test["id"];
    c.description = test["description"];
    c.anchor = certificate(test["trust_anchor"]);
    for (const std::string name : test["intermediates"]) {
      c.intermediates.push_back(certificate(name));
    }
    c.target = certificate(test["target"]);
    for (const std::string name : test["crls"]) {
      c.crls.push_back(dir + "/pkits/crls/" + name + ".crl");
    }
    for (const std::string name : test["initial_policy_set"]) {
      if (name != "anyPolicy") {
        c.initial_policies.push_back(json["policies"][name]);
      }
    }
    c.require_explicit_policy = test["initial_explicit_policy"];
    c.inhibit_policy_mapping = test["initial_policy_mapping_inhibit"];
    c.inhibit_any_policy = test["initial_inhibit_any_policy"];
    c.should_validate = test["should_validate"];
    if (c.should_validate) {
      for (const std::string name : test["user_constrained_policy_set"]) {
        c.valid_policies.insert(json["policies"][name].get<std::string>());
      }
    }
    suite.cases.push_back(std::move(c));
  }
  return suite;
}

// Holds a case's answer against what must come out; `said` is for people.
inline void ExpectPkits(const PkitsCase& c, bool passed,
                        const std::set<std::string>& valid_policies,
                        const std::string& said) {
  if (PkitsExceptions().contains(c.id)) {
    EXPECT_FALSE(passed) << "an exception that is none any more";
    return;
  }
  EXPECT_EQ(passed, c.should_validate) << said;
  if (passed && c.should_validate) {
    EXPECT_EQ(valid_policies, c.valid_policies);
  }
}

}  // namespace inkan

#endif  // INKAN_TESTS_CONFORMANCE_PKITS_SUITE_H_
