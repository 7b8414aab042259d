// When a listener's certificate holds. Thread safety: free functions.
#ifndef INKAN_SERVER_TLS_EXPIRY_H_
#define INKAN_SERVER_TLS_EXPIRY_H_

#include <string>

#include "absl/time/time.h"

namespace inkan {

// notAfter of the first certificate in PEM text; UnixEpoch if there is none.
absl::Time CertificateExpiry(const std::string& pem);

// Why clients will not take the first certificate at that time ("ended on ...",
// "is not valid before ..."); empty if they may.
std::string CertificateTimeProblem(const std::string& pem, absl::Time now);

}  // namespace inkan

#endif  // INKAN_SERVER_TLS_EXPIRY_H_
