// What the command line is given, read: files, times, names of algorithms.
//
// Errors say what was wrong with which word: kInvalidArgument for words,
// kNotFound, kPermissionDenied and kFailedPrecondition for files. Thread
// safety: free functions without state.
#ifndef INKAN_CLIENT_INPUTS_H_
#define INKAN_CLIENT_INPUTS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "inkan/v1/verification.pb.h"

namespace inkan {

// "rsa-pkcs1-sha256" and so on; UNSPECIFIED if there is none of that name.
v1::SignatureAlgorithm AlgorithmFromName(std::string_view name);
// All of them, for help and completion.
std::vector<std::string> AlgorithmNames();

// RFC 3339 with an offset or Z: seconds since 1970.
absl::StatusOr<int64_t> TimeFromText(const std::string& text);

// Pairs of hexadecimal digits; colons and spaces are ignored.
absl::StatusOr<std::string> OctetsFromHex(const std::string& text);

// The hexadecimal digits of a serial number, most significant first: 0x1f, 1f
// and 1F:20 are understood.
absl::StatusOr<std::string> SerialFromHex(const std::string& text);

// The signer's certificate, PEM or DER, and any others in the same PEM file.
// Bytes that are neither come back as they are: judging them is the verifier's
// business.
struct SignerCertificate {
  std::string der;
  std::vector<std::string> others;
};
absl::StatusOr<SignerCertificate> ReadSignerCertificate(
    const std::string& path);

// The certificates of all the files.
absl::StatusOr<std::vector<std::string>> ReadCertificates(
    const std::vector<std::string>& paths);

}  // namespace inkan

#endif  // INKAN_CLIENT_INPUTS_H_
