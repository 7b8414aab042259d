// One question for two judges: certificates, CRLs, a time and the inputs of RFC
// 5280 section 6.1.1, as bytes.
//
//   DifferentialCase c = MakeDifferentialCase(seed, number);
//   Answer ours = JudgeByInkan(c);
//   Answer theirs = JudgeByOpenSsl(c);
//   if (ours.passed != theirs.passed) ExplainDifference(c, ours, theirs);
//
// Values; any thread.
#ifndef INKAN_TESTS_CONFORMANCE_DIFFERENTIAL_CASE_H_
#define INKAN_TESTS_CONFORMANCE_DIFFERENTIAL_CASE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace inkan {

struct DifferentialCase {
  uint64_t seed = 0;
  uint64_t number = 0;
  int64_t time = 0;  // seconds since 1970
  std::string anchor;
  std::vector<std::string> intermediates;
  std::string leaf;
  std::vector<std::string> crls;
  std::vector<std::string> initial_policies;  // dotted; empty: anyPolicy
  bool require_explicit_policy = false;
  bool inhibit_policy_mapping = false;
  bool inhibit_any_policy = false;
  // What was made unusual, for people.
  std::string story;
};

struct Answer {
  bool passed = false;
  int code = 0;      // X509_V_ERR_...; Outcome
  std::string text;  // for people
  // Ours: positions of CRLs that were refused, and so had no say.
  std::vector<size_t> refused_crls = {};
};

DifferentialCase MakeDifferentialCase(uint64_t seed, uint64_t number);

Answer JudgeByInkan(const DifferentialCase& c);
Answer JudgeByOpenSsl(const DifferentialCase& c);

}  // namespace inkan

#endif  // INKAN_TESTS_CONFORMANCE_DIFFERENTIAL_CASE_H_
