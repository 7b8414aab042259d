// The CRLs of a random path.
#ifndef INKAN_TESTS_CONFORMANCE_DIFFERENTIAL_CRLS_H_
#define INKAN_TESTS_CONFORMANCE_DIFFERENTIAL_CRLS_H_

#include <string>
#include <vector>

#include "bench/lab/crl_builder.h"
#include "tests/conformance/differential_path.h"

namespace inkan::differential {

struct SignedCrl {
  std::string der;
  const lab::PrivateKey* key;
};

// For each CA of the path the CRLs about the certificate below it, whose
// distribution points are added to its builder: call before signing it.
// Certificates that are needed besides go to `*more`.
std::vector<SignedCrl> MakeCrls(Dice* dice, const Mood& mood, PathPlan* plan,
                                std::vector<std::string>* more);

}  // namespace inkan::differential

#endif  // INKAN_TESTS_CONFORMANCE_DIFFERENTIAL_CRLS_H_
