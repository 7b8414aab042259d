// When a listener's certificate ends. Thread safety: a free function.
#ifndef INKAN_SERVER_TLS_EXPIRY_H_
#define INKAN_SERVER_TLS_EXPIRY_H_

#include <string>

#include "absl/time/time.h"

namespace inkan {

// notAfter of the first certificate in PEM text; UnixEpoch if there is none.
absl::Time CertificateExpiry(const std::string& pem);

}  // namespace inkan

#endif  // INKAN_SERVER_TLS_EXPIRY_H_
