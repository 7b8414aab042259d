#include "server/tls_files.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/certificate_files.h"
#include "server/config_profile.h"

namespace inkan {
namespace {

struct Freer {
  void operator()(BIO* bio) const { BIO_free_all(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

std::unique_ptr<BIO, Freer> Reader(const std::string& text) {
  return std::unique_ptr<BIO, Freer>(
      BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// The file's text, or empty with the mistake reported.
std::string ReadField(const std::string& path, absl::string_view field,
                      const ConfigNode& node, const std::string& folder) {
  if (path.empty()) {
    node.Error(field, "missing; name a PEM file");
    return "";
  }
  absl::StatusOr<std::string> text =
      ReadWholeFile(ResolvePath(folder, path), kCertificateFileBytesMax);
  if (!text.ok()) {
    node.Error(field, text.status().message());
    return "";
  }
  return *std::move(text);
}

std::unique_ptr<X509, Freer> FirstCertificate(const std::string& pem) {
  std::unique_ptr<X509, Freer> certificate(
      PEM_read_bio_X509(Reader(pem).get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  return certificate;
}

std::unique_ptr<EVP_PKEY, Freer> PrivateKey(const std::string& pem) {
  // An empty passphrase instead of a prompt: a server has no terminal.
  char no_passphrase[] = "";
  std::unique_ptr<EVP_PKEY, Freer> key(PEM_read_bio_PrivateKey(
      Reader(pem).get(), nullptr, nullptr, no_passphrase));
  ERR_clear_error();
  return key;
}

}  // namespace

TlsOptions ReadTlsFiles(const config::v1::Tls& tls, const ConfigNode& node,
                        const std::string& folder) {
  TlsOptions out;
  out.certificate_chain = ReadField(tls.certificate_chain_file(),
                                    "certificate_chain_file", node, folder);
  out.private_key =
      ReadField(tls.private_key_file(), "private_key_file", node, folder);
  if (!tls.client_ca_file().empty()) {
    out.client_ca =
        ReadField(tls.client_ca_file(), "client_ca_file", node, folder);
    if (!out.client_ca.empty() && FirstCertificate(out.client_ca) == nullptr) {
      node.Error("client_ca_file", "holds no PEM certificate");
    }
  }
  if (out.certificate_chain.empty() || out.private_key.empty()) return out;

  const auto certificate = FirstCertificate(out.certificate_chain);
  const auto key = PrivateKey(out.private_key);
  if (certificate == nullptr) {
    node.Error("certificate_chain_file", "holds no PEM certificate");
  }
  if (key == nullptr) {
    node.Error(
        "private_key_file",
        "holds no PEM private key that can be read without a passphrase");
  }
  if (certificate != nullptr && key != nullptr &&
      X509_check_private_key(certificate.get(), key.get()) != 1) {
    node.Error("private_key_file",
               "is not the key of the first certificate in "
               "certificate_chain_file; name the key it was issued for");
  }
  ERR_clear_error();
  return out;
}

}  // namespace inkan
