#include "tests/server/test_tls.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <csignal>

#include "absl/strings/str_cat.h"

namespace inkan::testing {
namespace {

template <typename Write>
std::string ToPem(const Write& write) {
  BIO* bio = BIO_new(BIO_s_mem());
  write(bio);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<size_t>(size));
  BIO_free(bio);
  return text;
}

std::string CertificatePem(X509* certificate) {
  return ToPem([&](BIO* bio) { PEM_write_bio_X509(bio, certificate); });
}

void AddExtension(X509* certificate, int nid, const std::string& value) {
  if (value.empty()) return;
  X509_EXTENSION* extension =
      X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

X509* NewCertificate(const std::string& common_name, EVP_PKEY* key) {
  static std::atomic<long> serial{1};
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial.fetch_add(1));
  X509_NAME_add_entry_by_txt(
      X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
      reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  return certificate;
}

int ConnectTo(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval patience{30, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address),
              sizeof(address)) == 0) {
    return fd;
  }
  close(fd);
  return -1;
}

void UseClient(SSL_CTX* context, const PemPair& client) {
  BIO* bio = BIO_new_mem_buf(client.certificate.data(),
                             static_cast<int>(client.certificate.size()));
  X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  SSL_CTX_use_certificate(context, certificate);
  X509_free(certificate);
  BIO_free(bio);
  bio = BIO_new_mem_buf(client.key.data(), static_cast<int>(client.key.size()));
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  SSL_CTX_use_PrivateKey(context, key);
  EVP_PKEY_free(key);
  BIO_free(bio);
}

}  // namespace

TestCa::TestCa(const std::string& name)
    : key_(EVP_EC_gen("P-256")), certificate_(NewCertificate(name, key_)) {
  X509_set_issuer_name(certificate_, X509_get_subject_name(certificate_));
  AddExtension(certificate_, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(certificate_, NID_key_usage, "critical,keyCertSign");
  X509_sign(certificate_, key_, EVP_sha256());
  pem_ = CertificatePem(certificate_);
}

TestCa::~TestCa() {
  X509_free(certificate_);
  EVP_PKEY_free(key_);
}

PemPair TestCa::Issue(const std::string& common_name,
                      const std::string& more_names, bool address,
                      long seconds) const {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = NewCertificate(common_name, key);
  X509_gmtime_adj(X509_getm_notAfter(certificate), seconds);
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate_));
  AddExtension(certificate, NID_subject_alt_name,
               absl::StrCat(more_names, address ? "IP:127.0.0.1" : ""));
  X509_sign(certificate, key_, EVP_sha256());
  PemPair pair{CertificatePem(certificate), ToPem([&](BIO* bio) {
                 PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0,
                                          nullptr, nullptr);
               })};
  X509_free(certificate);
  EVP_PKEY_free(key);
  return pair;
}

TlsConnection::TlsConnection(int port, const PemPair* client, int version)
    : fd_(ConnectTo(port)) {
  // OpenSSL writes without MSG_NOSIGNAL, also to who has closed.
  std::signal(SIGPIPE, SIG_IGN);
  if (fd_ < 0) {
    fault_ = "no connection";
    return;
  }
  context_ = SSL_CTX_new(TLS_client_method());
  // Debian's OpenSSL would not even offer what the test wants refused.
  SSL_CTX_set_security_level(context_, 0);
  SSL_CTX_set_min_proto_version(context_, TLS1_VERSION);
  SSL_CTX_set_max_proto_version(context_, version);
  if (client != nullptr) UseClient(context_, *client);
  ssl_ = SSL_new(context_);
  static const unsigned char kAlpn[] = {2, 'h', '2'};
  SSL_set_alpn_protos(ssl_, kAlpn, sizeof(kAlpn));
  SSL_set_fd(ssl_, fd_);
  if (SSL_connect(ssl_) != 1) {
    const char* reason = ERR_reason_error_string(ERR_peek_error());
    fault_ = reason == nullptr ? "no handshake" : reason;
  }
  ERR_clear_error();
}

TlsConnection::~TlsConnection() {
  SSL_free(ssl_);
  SSL_CTX_free(context_);
  if (fd_ >= 0) close(fd_);
}

std::string TlsConnection::Shown() const {
  X509* certificate = SSL_get1_peer_certificate(ssl_);
  std::string pem = CertificatePem(certificate);
  X509_free(certificate);
  return pem;
}

bool TlsConnection::Send(const std::string& bytes) const {
  const bool sent =
      bytes.empty() ||
      SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) > 0;
  ERR_clear_error();
  return sent;
}

std::string CertificateShownBy(int port, const PemPair* client, int version) {
  const TlsConnection connection(port, client, version);
  return connection.fault().empty() ? connection.Shown() : connection.fault();
}

}  // namespace inkan::testing
