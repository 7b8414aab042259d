// Random paths and CRLs before two judges: ours and OpenSSL's
// X509_verify_cert. Every difference is explained by a class of
// exceptions/, or fails.
//
// INKAN_DIFFERENTIAL_CASES says how many, INKAN_DIFFERENTIAL_SEED which ones
// (in place of the four seeds; run one test then), INKAN_DIFFERENTIAL_FIRST
// from which number on. INKAN_DIFFERENTIAL_REPORTS bounds the differences
// printed, INKAN_DIFFERENTIAL_BRIEF leaves the DER out.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "bench/lab/parallel.h"
#include "tests/conformance/differential_case.h"
#include "tests/conformance/differential_der.h"
#include "tests/conformance/differential_exceptions.h"
#include "tests/conformance/differential_mutation.h"
#include "tests/conformance/differential_path.h"
#include "tests/support/conformance.h"

namespace inkan {
namespace {

using Json = nlohmann::json;

// For each of four seeds, so that 100,000 cases run in four tests.
constexpr uint64_t kCasesDefault = 25'000;
// Damaged copies of each PKITS case.
constexpr uint64_t kPkitsDamagedDefault = 20;
constexpr uint64_t kPkitsSeed = 101;
constexpr uint64_t kPiece = 250;
constexpr uint64_t kReportsDefault = 20;

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::string Hex(const std::string& bytes) {
  return std::string(absl::BytesToHexString(bytes));
}

// What it takes to see the difference again.
std::string Reproducer(const DifferentialCase& c, const Answer& ours,
                       const Answer& theirs) {
  std::string text = absl::StrCat(
      "INKAN_DIFFERENTIAL_SEED=", c.seed,
      " INKAN_DIFFERENTIAL_FIRST=", c.number, " INKAN_DIFFERENTIAL_CASES=1\n  ",
      c.story, "\n  ours:    ", ours.passed ? "PASS " : "fail ", ours.text,
      "\n  OpenSSL: ", theirs.passed ? "PASS " : "fail ", theirs.text,
      "\n  time ", c.time);
  for (const std::string& policy : c.initial_policies) {
    absl::StrAppend(&text, " policy ", policy);
  }
  absl::StrAppend(&text, c.require_explicit_policy ? " explicit" : "",
                  c.inhibit_policy_mapping ? " inhibit-mapping" : "",
                  c.inhibit_any_policy ? " inhibit-any" : "");
  if (std::getenv("INKAN_DIFFERENTIAL_BRIEF") != nullptr) return text;
  absl::StrAppend(&text, "\n  anchor ", Hex(c.anchor));
  for (const std::string& ca : c.intermediates) {
    absl::StrAppend(&text, "\n  intermediate ", Hex(ca));
  }
  absl::StrAppend(&text, "\n  leaf ", Hex(c.leaf));
  for (const std::string& crl : c.crls) {
    absl::StrAppend(&text, "\n  crl ", Hex(crl));
  }
  return text;
}

struct Tally {
  uint64_t both_pass = 0;
  uint64_t both_fail = 0;
  std::map<std::string, uint64_t> excepted;
  std::vector<std::string> unexplained;

  void Add(const DifferentialCase& c) {
    const Answer ours = JudgeByInkan(c);
    const Answer theirs = JudgeByOpenSsl(c);
    if (ours.passed == theirs.passed) {
      ++(ours.passed ? both_pass : both_fail);
    } else if (const char* why = ExplainDifference(c, ours, theirs)) {
      ++excepted[why];
    } else {
      unexplained.push_back(Reproducer(c, ours, theirs));
    }
  }

  void Merge(Tally other) {
    both_pass += other.both_pass;
    both_fail += other.both_fail;
    for (const auto& [why, count] : other.excepted) excepted[why] += count;
    for (std::string& text : other.unexplained) {
      unexplained.push_back(std::move(text));
    }
  }
};

// Prints the sum, and fails for what is unexplained.
void Report(const std::string& what, const Tally& tally) {
  const uint64_t reports =
      FromEnvironment("INKAN_DIFFERENTIAL_REPORTS", kReportsDefault);
  std::string summary =
      absl::StrCat(what, ": ", tally.both_pass, " pass, ", tally.both_fail,
                   " fail, ", tally.unexplained.size(), " unexplained");
  for (const auto& [why, count] : tally.excepted) {
    absl::StrAppend(&summary, "\n  ", count, " excepted: ", why);
  }
  std::printf("%s\n", summary.c_str());
  for (size_t i = 0; i < tally.unexplained.size() && i < reports; ++i) {
    ADD_FAILURE() << tally.unexplained[i];
  }
  EXPECT_EQ(tally.unexplained.size(), 0U);
}

class Differential : public testing::TestWithParam<uint64_t> {};

TEST_P(Differential, EveryDifferenceFromOpenSslIsExplained) {
  const uint64_t cases =
      FromEnvironment("INKAN_DIFFERENTIAL_CASES", kCasesDefault);
  const uint64_t seed = FromEnvironment("INKAN_DIFFERENTIAL_SEED", GetParam());
  const uint64_t first = FromEnvironment("INKAN_DIFFERENTIAL_FIRST", 0);
  std::mutex mutex;
  Tally all;
  lab::ParallelFor((cases + kPiece - 1) / kPiece, 2, [&](uint64_t piece) {
    Tally tally;
    const uint64_t end = std::min(cases, (piece + 1) * kPiece);
    for (uint64_t i = piece * kPiece; i < end; ++i) {
      tally.Add(MakeDifferentialCase(seed, first + i));
    }
    const std::lock_guard<std::mutex> lock(mutex);
    all.Merge(std::move(tally));
  });
  Report(absl::StrCat(cases, " cases of seed ", seed), all);
  if (cases >= 1000) {
    EXPECT_GT(all.both_pass, cases / 5) << "the cases say too little";
    EXPECT_GT(all.both_fail, cases / 5) << "the cases say too little";
  }
}

// A case of NIST PKITS.
DifferentialCase PkitsCase(const std::string& dir, const Json& suite,
                           const Json& test) {
  const auto load = [&dir](const std::string& name) {
    return ReadFile(dir + "/pkits/" + name);
  };
  DifferentialCase c;
  c.time = 1302825600;  // 2011-04-15T00:00:00Z
  c.story = test["id"];
  c.anchor = load("certs/" + std::string(test["trust_anchor"]) + ".crt");
  for (const std::string name : test["intermediates"]) {
    c.intermediates.push_back(load("certs/" + name + ".crt"));
  }
  c.leaf = load("certs/" + std::string(test["target"]) + ".crt");
  for (const std::string name : test["crls"]) {
    c.crls.push_back(load("crls/" + name + ".crl"));
  }
  for (const std::string name : test["initial_policy_set"]) {
    if (name != "anyPolicy") {
      c.initial_policies.push_back(suite["policies"][name]);
    }
  }
  c.require_explicit_policy = test["initial_explicit_policy"];
  c.inhibit_policy_mapping = test["initial_policy_mapping_inhibit"];
  c.inhibit_any_policy = test["initial_inhibit_any_policy"];
  return c;
}

// A copy of `c` with a few octets changed in one of its parts.
DifferentialCase Damaged(DifferentialCase c, differential::Dice* dice) {
  std::vector<std::string*> parts = {&c.leaf};
  for (std::string& der : c.intermediates) parts.push_back(&der);
  for (std::string& der : c.crls) parts.push_back(&der);
  const size_t i = dice->Below(parts.size());
  c.story += absl::StrCat(" part ", i, " damaged");
  differential::FlipOctets(dice, parts[i]);
  return c;
}

TEST(DifferentialPkits, EveryDifferenceFromOpenSslIsExplained) {
  INKAN_CONFORMANCE(dir);
  const Json suite = Json::parse(ReadFile(dir + "/pkits/pkits.json"));
  const uint64_t damaged =
      FromEnvironment("INKAN_DIFFERENTIAL_PKITS", kPkitsDamagedDefault);
  Tally tally;
  uint64_t number = 0;
  for (const Json& test : suite["tests"]) {
    const DifferentialCase c = PkitsCase(dir, suite, test);
    tally.Add(c);
    for (uint64_t i = 0; i < damaged; ++i) {
      differential::Dice dice(kPkitsSeed, number++);
      tally.Add(Damaged(c, &dice));
    }
  }
  Report("PKITS", tally);
}

TEST(DifferentialDer, WhatIsNotDerIsTold) {
  const auto is_der = [](const char* hex) {
    return differential::IsDer(absl::HexStringToBytes(hex));
  };
  for (const char* der : {
           "3000", "3100", "3003020101", "3004020200ff", "30040202ff7f",
           "30030101ff", "3003010100", "30020500", "300403020780", "3003030100",
           "300506032a8648", "a003020101", "800101",
           "300c0603551d13040530030101ff",  // an extension
           "300c06032a030404053003010110",  // whose value is not RFC 5280's
       }) {
    EXPECT_TRUE(is_der(der)) << der;
  }
  for (const char* other :
       {"", "3003020201", "300000", "308103020101", "30800201010000",
        // A SEQUENCE and a SET that are primitive, strings that are not.
        "1000", "1100", "30021000", "a0021000", "2403040100", "2c030c0141",
        // Values in another form.
        "3003010101", "30020200", "300402020001", "30040202ffff", "3003050100",
        "3003030101", "300403020781", "30020300", "30020600", "300506032a8048",
        "300506032a4886",
        // In the value of an extension of RFC 5280.
        "300c0603551d1304053003010110", "300c0603551d13040510030101ff"}) {
    EXPECT_FALSE(is_der(other)) << other;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Differential,
                         testing::Values(5280, 5281, 5282, 5283));

}  // namespace
}  // namespace inkan
