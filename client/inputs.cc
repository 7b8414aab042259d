#include "client/inputs.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/certificate_files.h"

namespace inkan {
namespace {

struct NamedAlgorithm {
  const char* name;
  v1::SignatureAlgorithm algorithm;
};

constexpr NamedAlgorithm kAlgorithms[] = {
    {"rsa-pkcs1-sha256", v1::SIGNATURE_ALGORITHM_RSA_PKCS1_SHA256},
    {"rsa-pkcs1-sha384", v1::SIGNATURE_ALGORITHM_RSA_PKCS1_SHA384},
    {"rsa-pkcs1-sha512", v1::SIGNATURE_ALGORITHM_RSA_PKCS1_SHA512},
    {"rsa-pss-sha256", v1::SIGNATURE_ALGORITHM_RSA_PSS_SHA256},
    {"rsa-pss-sha384", v1::SIGNATURE_ALGORITHM_RSA_PSS_SHA384},
    {"rsa-pss-sha512", v1::SIGNATURE_ALGORITHM_RSA_PSS_SHA512},
    {"ecdsa-sha256", v1::SIGNATURE_ALGORITHM_ECDSA_SHA256},
    {"ecdsa-sha384", v1::SIGNATURE_ALGORITHM_ECDSA_SHA384},
    {"ecdsa-sha512", v1::SIGNATURE_ALGORITHM_ECDSA_SHA512},
    {"rsa-pkcs1-sha1", v1::SIGNATURE_ALGORITHM_RSA_PKCS1_SHA1},
    {"rsa-pkcs1-md5", v1::SIGNATURE_ALGORITHM_RSA_PKCS1_MD5},
};

// The digits alone; colons and spaces between them are left out.
absl::StatusOr<std::string> HexDigits(const std::string& text) {
  std::string digits;
  for (const char c : text) {
    if (c == ':' || absl::ascii_isspace(static_cast<unsigned char>(c)))
      continue;
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", text, "\" is not hexadecimal"));
    }
    digits.push_back(c);
  }
  return digits;
}

}  // namespace

v1::SignatureAlgorithm AlgorithmFromName(std::string_view name) {
  for (const NamedAlgorithm& known : kAlgorithms) {
    if (name == known.name) return known.algorithm;
  }
  return v1::SIGNATURE_ALGORITHM_UNSPECIFIED;
}

std::vector<std::string> AlgorithmNames() {
  std::vector<std::string> names;
  for (const NamedAlgorithm& known : kAlgorithms) names.push_back(known.name);
  return names;
}

absl::StatusOr<int64_t> TimeFromText(const std::string& text) {
  absl::Time time;
  std::string error;
  // ParseTime knows words such as "infinite-future" too; a time has digits.
  if (text.empty() ||
      !absl::ascii_isdigit(static_cast<unsigned char>(text[0])) ||
      !absl::ParseTime(absl::RFC3339_full, text, &time, &error)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text,
                     "\" is no time; write RFC 3339 with an offset, e.g. "
                     "2026-03-15T23:59:00+09:00"));
  }
  return absl::ToUnixSeconds(time);
}

absl::StatusOr<std::string> OctetsFromHex(const std::string& text) {
  const absl::StatusOr<std::string> digits = HexDigits(text);
  if (!digits.ok()) return digits.status();
  if (digits->size() % 2 != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" has an odd number of digits"));
  }
  return absl::HexStringToBytes(*digits);
}

absl::StatusOr<std::string> SerialFromHex(const std::string& text) {
  absl::StatusOr<std::string> digits =
      HexDigits(absl::StartsWithIgnoreCase(text, "0x") ? text.substr(2) : text);
  if (digits.ok() && digits->empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" has no digits"));
  }
  return digits;
}

absl::StatusOr<SignerCertificate> ReadSignerCertificate(
    const std::string& path) {
  absl::StatusOr<std::string> contents =
      ReadWholeFile(path, kCertificateFileBytesMax);
  if (!contents.ok()) return contents.status();
  SignerCertificate signer;
  if (!absl::StrContains(*contents, "-----BEGIN ")) {
    signer.der = *std::move(contents);
    return signer;
  }
  absl::StatusOr<std::vector<CertificateFile>> certificates =
      DecodeCertificates(*contents, path);
  if (!certificates.ok()) return certificates.status();
  signer.der = std::move(certificates->front().der);
  for (size_t i = 1; i < certificates->size(); ++i) {
    signer.others.push_back(std::move((*certificates)[i].der));
  }
  return signer;
}

absl::StatusOr<std::vector<std::string>> ReadCertificates(
    const std::vector<std::string>& paths) {
  std::vector<std::string> all;
  for (const std::string& path : paths) {
    absl::StatusOr<std::vector<CertificateFile>> certificates =
        ReadCertificateFile(path);
    if (!certificates.ok()) return certificates.status();
    for (CertificateFile& certificate : *certificates) {
      all.push_back(std::move(certificate.der));
    }
  }
  return all;
}

}  // namespace inkan
