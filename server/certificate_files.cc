#include "server/certificate_files.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"

namespace inkan {
namespace {

struct FileCloser {
  void operator()(FILE* file) const { std::fclose(file); }
};
struct BioFreer {
  void operator()(BIO* bio) const { BIO_free_all(bio); }
};

absl::Status OpenError(const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
}

// What one PEM block was.
struct PemBlock {
  std::string label;
  std::string der;
};

// Reads the next PEM block; false at the end. kInvalidArgument if one begins
// but cannot be decoded.
absl::StatusOr<bool> NextPemBlock(BIO* bio, PemBlock* block) {
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  if (PEM_read_bio(bio, &name, &header, &data, &size) != 1) {
    const unsigned long error = ERR_peek_last_error();
    ERR_clear_error();
    if (ERR_GET_REASON(error) == PEM_R_NO_START_LINE) return false;
    return absl::InvalidArgumentError(
        "a PEM block begins but cannot be decoded (damaged base64 or a missing "
        "END line)");
  }
  block->label = name;
  block->der.assign(reinterpret_cast<const char*>(data),
                    static_cast<size_t>(size));
  OPENSSL_free(name);
  OPENSSL_free(header);
  OPENSSL_free(data);
  return true;
}

bool IsCertificateLabel(std::string_view label) {
  return label == "CERTIFICATE" || label == "X509 CERTIFICATE";
}

absl::StatusOr<std::vector<CertificateFile>> DecodePem(
    const std::string& contents, const std::string& source) {
  std::unique_ptr<BIO, BioFreer> bio(
      BIO_new_mem_buf(contents.data(), static_cast<int>(contents.size())));
  std::vector<CertificateFile> certificates;
  for (int number = 1;; ++number) {
    PemBlock block;
    absl::StatusOr<bool> more = NextPemBlock(bio.get(), &block);
    if (!more.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(
          source, ": PEM block ", number, ": ", more.status().message()));
    }
    if (!*more) break;
    if (!IsCertificateLabel(block.label)) {
      return absl::InvalidArgumentError(
          absl::StrCat(source, ": PEM block ", number, " is a \"", block.label,
                       "\", not a CERTIFICATE; remove it"));
    }
    certificates.push_back({source, std::move(block.der)});
  }
  if (certificates.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(source,
                     ": no certificate in it (neither DER nor a "
                     "\"-----BEGIN CERTIFICATE-----\" line)"));
  }
  if (certificates.size() > 1) {
    for (size_t i = 0; i < certificates.size(); ++i) {
      absl::StrAppend(&certificates[i].source, "#", i + 1);
    }
  }
  return certificates;
}

}  // namespace

absl::StatusOr<std::string> ReadWholeFile(const std::string& path,
                                          size_t bytes_max) {
  const std::unique_ptr<FILE, FileCloser> file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) return OpenError(path);
  struct stat info {};
  if (::fstat(::fileno(file.get()), &info) != 0) return OpenError(path);
  if (S_ISDIR(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot read ", path, ": it is a folder, not a file"));
  }
  std::string contents;
  char buffer[65536];
  size_t got = 0;
  while ((got = std::fread(buffer, 1, sizeof(buffer), file.get())) > 0) {
    contents.append(buffer, got);
    if (contents.size() > bytes_max) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, ": larger than the ", bytes_max, " octets read at most"));
    }
  }
  if (std::ferror(file.get()) != 0) return OpenError(path);
  return contents;
}

absl::StatusOr<std::vector<CertificateFile>> DecodeCertificates(
    const std::string& contents, const std::string& source) {
  if (contents.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(source, ": it is empty"));
  }
  // A certificate is a SEQUENCE of more than 127 octets, so its second octet
  // has the high bit set; PEM is ASCII text.
  if (contents.size() > 1 && static_cast<unsigned char>(contents[0]) == 0x30 &&
      static_cast<unsigned char>(contents[1]) >= 0x80) {
    return std::vector<CertificateFile>{{source, contents}};
  }
  return DecodePem(contents, source);
}

absl::StatusOr<std::vector<CertificateFile>> ReadCertificateFile(
    const std::string& path) {
  absl::StatusOr<std::string> contents =
      ReadWholeFile(path, kCertificateFileBytesMax);
  if (!contents.ok()) return contents.status();
  return DecodeCertificates(*contents, path);
}

}  // namespace inkan
