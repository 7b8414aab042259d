// Certificates from files, as PEM (any number, with text between them) or DER.
//
//   absl::StatusOr<std::vector<CertificateFile>> anchors =
//       ReadCertificateFile("/etc/inkan/anchors.pem");
//
// Only the armour is decoded here; whether the bytes are a certificate is
// decided by whoever parses them. Errors name the file, the place in it and the
// remedy: kNotFound or kPermissionDenied if it cannot be opened,
// kInvalidArgument if it holds no certificate. Thread safety: free functions
// without state.
#ifndef INKAN_SERVER_CERTIFICATE_FILES_H_
#define INKAN_SERVER_CERTIFICATE_FILES_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cache/profile.h"

namespace inkan {

// The largest certificate file read: a national trust list is below 1 MB.
inline constexpr size_t kCertificateFileBytesMax = 16U << 20;

// A whole regular file of at most `bytes_max` octets.
absl::StatusOr<std::string> ReadWholeFile(const std::string& path,
                                          size_t bytes_max);

// At least one certificate. The source of the n-th of several is "path#n".
absl::StatusOr<std::vector<CertificateFile>> ReadCertificateFile(
    const std::string& path);

// The same from bytes already read; `source` is for messages.
absl::StatusOr<std::vector<CertificateFile>> DecodeCertificates(
    const std::string& contents, const std::string& source);

}  // namespace inkan

#endif  // INKAN_SERVER_CERTIFICATE_FILES_H_
