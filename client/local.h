// Judging in process, on files: the same verifier, queue item and conversion as
// the server, without one.
//
// Thread safety: free functions without state. Errors: kInvalidArgument naming
// the file and what is wrong with it.
#ifndef INKAN_CLIENT_LOCAL_H_
#define INKAN_CLIENT_LOCAL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/snapshot_keeper.h"
#include "inkan/v1/verification.pb.h"

namespace inkan {

// What to judge by, from the command line.
struct LocalRules {
  Profile profile;                // its name is the filing's too
  std::vector<std::string> crls;  // files and folders
};

struct LocalAnswer {
  v1::Verdict verdict;
  // CRL files that could not be used, with the reason.
  std::vector<std::string> crl_errors;
};

absl::StatusOr<LocalAnswer> VerifyLocally(LocalRules rules,
                                          const v1::Filing& filing,
                                          bool want_checks);
absl::StatusOr<LocalAnswer> CheckCertificateLocally(
    LocalRules rules, const v1::CheckCertificateRequest& request);

}  // namespace inkan

#endif  // INKAN_CLIENT_LOCAL_H_
