// Random paths and CRLs before two judges: ours and OpenSSL's
// X509_verify_cert. Every difference is explained by a class of
// differential_exceptions.cc, or fails.
//
// INKAN_DIFFERENTIAL_CASES says how many, INKAN_DIFFERENTIAL_SEED which ones,
// INKAN_DIFFERENTIAL_FIRST from which number on.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "bench/lab/parallel.h"
#include "tests/conformance/differential_case.h"
#include "tests/conformance/differential_exceptions.h"

namespace inkan {
namespace {

constexpr uint64_t kCasesDefault = 40'000;
constexpr uint64_t kSeedDefault = 5280;
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

TEST(Differential, EveryDifferenceFromOpenSslIsExplained) {
  const uint64_t cases =
      FromEnvironment("INKAN_DIFFERENTIAL_CASES", kCasesDefault);
  const uint64_t seed =
      FromEnvironment("INKAN_DIFFERENTIAL_SEED", kSeedDefault);
  const uint64_t first = FromEnvironment("INKAN_DIFFERENTIAL_FIRST", 0);
  const uint64_t reports =
      FromEnvironment("INKAN_DIFFERENTIAL_REPORTS", kReportsDefault);
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
  std::string summary = absl::StrCat(
      cases, " cases of seed ", seed, ": ", all.both_pass, " pass, ",
      all.both_fail, " fail, ", all.unexplained.size(), " unexplained");
  for (const auto& [why, count] : all.excepted) {
    absl::StrAppend(&summary, "\n  ", count, " excepted: ", why);
  }
  std::printf("%s\n", summary.c_str());
  for (size_t i = 0; i < all.unexplained.size() && i < reports; ++i) {
    ADD_FAILURE() << all.unexplained[i];
  }
  EXPECT_EQ(all.unexplained.size(), 0U);
  if (cases >= 1000) {
    EXPECT_GT(all.both_pass, cases / 5) << "the cases say too little";
    EXPECT_GT(all.both_fail, cases / 5) << "the cases say too little";
  }
}

}  // namespace
}  // namespace inkan
