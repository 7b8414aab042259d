#include "server/tls_files.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <functional>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/certificate_files.h"
#include "server/config_profile.h"

namespace inkan {
namespace {

constexpr int64_t kPollSecondsMax = 86400;

struct Freer {
  void operator()(BIO* bio) const { BIO_free_all(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

std::unique_ptr<BIO, Freer> Reader(const std::string& text) {
  return std::unique_ptr<BIO, Freer>(
      BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

using Report = std::function<void(const char* field, absl::string_view)>;

// The file's text, or empty with the mistake reported.
std::string ReadField(const std::string& path, const char* field,
                      const Report& report) {
  if (path.empty()) {
    report(field, "missing; name a PEM file");
    return "";
  }
  absl::StatusOr<std::string> text =
      ReadWholeFile(path, kCertificateFileBytesMax);
  if (!text.ok()) {
    report(field, text.status().message());
    return "";
  }
  if (text->empty()) report(field, "the file is empty");
  return *std::move(text);
}

std::unique_ptr<X509, Freer> FirstCertificate(const std::string& pem) {
  // As gRPC reads it, "TRUSTED CERTIFICATE" included.
  std::unique_ptr<X509, Freer> certificate(
      PEM_read_bio_X509_AUX(Reader(pem).get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  return certificate;
}

// Whether the last line is the beginning of another block's first.
bool EndsInAMark(const std::string& pem) {
  const size_t end = pem.rfind('\n');
  const std::string last = end == std::string::npos ? pem : pem.substr(end + 1);
  return !last.empty() && last[0] == '-' &&
         last.compare(0, 9, "-----END ") != 0;
}

std::unique_ptr<EVP_PKEY, Freer> PrivateKey(const std::string& pem) {
  // An empty passphrase instead of a prompt: a server has no terminal.
  char no_passphrase[] = "";
  std::unique_ptr<EVP_PKEY, Freer> key(PEM_read_bio_PrivateKey(
      Reader(pem).get(), nullptr, nullptr, no_passphrase));
  ERR_clear_error();
  return key;
}

// What is wrong with a file of certificates; empty if nothing. Each block has
// to be whole: gRPC takes what it finds before one that is not, and a file that
// is being written, or was cut, begins well. Blocks that are no certificates (a
// key beside its chain) are nobody's business here.
std::string ProblemOfCertificates(const std::string& pem) {
  const auto bio = Reader(pem);
  int blocks = 0;
  int certificates = 0;
  while (true) {
    char* name = nullptr;
    char* header = nullptr;
    unsigned char* data = nullptr;
    long size = 0;
    const bool read =
        PEM_read_bio(bio.get(), &name, &header, &data, &size) == 1;
    const bool end =
        !read && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    if (end) break;
    ++blocks;
    if (!read) {
      return absl::StrCat("PEM block ", blocks,
                          " is damaged or cut short; write the whole file "
                          "elsewhere, then rename it");
    }
    const std::string label = name;
    const unsigned char* at = data;
    std::unique_ptr<X509, Freer> certificate;
    const bool trusted = label == PEM_STRING_X509_TRUSTED;
    const bool is_certificate =
        trusted || label == PEM_STRING_X509 || label == PEM_STRING_X509_OLD;
    if (is_certificate) {
      certificate.reset(trusted ? d2i_X509_AUX(nullptr, &at, size)
                                : d2i_X509(nullptr, &at, size));
    }
    const bool whole =
        !is_certificate || (certificate != nullptr && at == data + size);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
    ERR_clear_error();
    if (!whole) return absl::StrCat("PEM block ", blocks, " is no certificate");
    certificates += is_certificate ? 1 : 0;
  }
  if (certificates == 0) return "holds no PEM certificate";
  return EndsInAMark(pem) ? "ends in the middle of a line of dashes; write the "
                            "whole file elsewhere, then rename it"
                          : "";
}

void CheckPair(const TlsOptions& tls, const Report& report) {
  const auto certificate = FirstCertificate(tls.certificate_chain);
  const auto key = PrivateKey(tls.private_key);
  const std::string problem = ProblemOfCertificates(tls.certificate_chain);
  if (!problem.empty()) {
    report("certificate_chain_file", problem);
  } else if (certificate == nullptr) {
    report("certificate_chain_file", "its first certificate cannot be read");
  }
  if (key == nullptr) {
    report("private_key_file",
           "holds no PEM private key that can be read without a passphrase");
  }
  if (certificate != nullptr && key != nullptr &&
      X509_check_private_key(certificate.get(), key.get()) != 1) {
    report("private_key_file",
           "is not the key of the first certificate in "
           "certificate_chain_file; name the key it was issued for");
  }
  ERR_clear_error();
}

// Reads the files the options name into them.
void ReadInto(TlsOptions* tls, const Report& report) {
  tls->certificate_chain =
      ReadField(tls->certificate_chain_file, "certificate_chain_file", report);
  tls->private_key =
      ReadField(tls->private_key_file, "private_key_file", report);
  if (!tls->client_ca_file.empty()) {
    tls->client_ca = ReadField(tls->client_ca_file, "client_ca_file", report);
    if (!tls->client_ca.empty()) {
      const std::string problem = ProblemOfCertificates(tls->client_ca);
      if (!problem.empty()) report("client_ca_file", problem);
    }
  }
  if (!tls->certificate_chain.empty() && !tls->private_key.empty()) {
    CheckPair(*tls, report);
  }
}

}  // namespace

TlsOptions ReadTlsFiles(const config::v1::Tls& tls, const ConfigNode& node,
                        const std::string& folder) {
  const auto resolve = [&folder](const std::string& path) {
    return path.empty() ? path : ResolvePath(folder, path);
  };
  TlsOptions out;
  out.certificate_chain_file = resolve(tls.certificate_chain_file());
  out.private_key_file = resolve(tls.private_key_file());
  out.client_ca_file = resolve(tls.client_ca_file());
  if (tls.has_poll_interval()) {
    const std::optional<int64_t> seconds =
        ReadSeconds(tls.poll_interval(), node, "poll_interval");
    if (seconds.has_value() && (*seconds < 1 || *seconds > kPollSecondsMax)) {
      node.Error("poll_interval",
                 absl::StrCat(*seconds, " s is out of range; give 1 to ",
                              kPollSecondsMax));
    }
    out.poll_interval = absl::Seconds(seconds.value_or(1));
  }
  ReadInto(&out, [&node](const char* field, absl::string_view problem) {
    node.Error(field, problem);
  });
  return out;
}

absl::StatusOr<TlsOptions> RereadTlsFiles(const TlsOptions& before) {
  TlsOptions out;
  out.certificate_chain_file = before.certificate_chain_file;
  out.private_key_file = before.private_key_file;
  out.client_ca_file = before.client_ca_file;
  out.poll_interval = before.poll_interval;
  std::string problems;
  ReadInto(&out, [&](absl::string_view field, absl::string_view problem) {
    const std::string& path =
        field == "certificate_chain_file" ? out.certificate_chain_file
        : field == "private_key_file"     ? out.private_key_file
                                          : out.client_ca_file;
    absl::StrAppend(&problems, problems.empty() ? "" : "; ", field, " (", path,
                    "): ", problem);
  });
  if (!problems.empty()) return absl::InvalidArgumentError(problems);
  return out;
}

}  // namespace inkan
