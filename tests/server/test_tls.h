// TLS material for tests: fresh CAs and certificates as PEM texts. One thread.
#ifndef INKAN_TESTS_SERVER_TEST_TLS_H_
#define INKAN_TESTS_SERVER_TEST_TLS_H_

#include <openssl/types.h>

#include <memory>
#include <string>

namespace inkan::testing {

struct PemPair {
  std::string certificate;
  std::string key;
};

// Issues certificates for 127.0.0.1 (a name would be looked up by c-ares, which
// leaks some octets for "localhost").
class TestCa {
 public:
  explicit TestCa(const std::string& name);
  ~TestCa();
  TestCa(const TestCa&) = delete;
  TestCa& operator=(const TestCa&) = delete;

  const std::string& pem() const { return pem_; }
  // `more_names` is an OpenSSL subjectAltName value put before the address,
  // e.g. "URI:spiffe://x/y,"; with `address` false there is none. Valid for an
  // hour, or `seconds`.
  PemPair Issue(const std::string& common_name,
                const std::string& more_names = "", bool address = true,
                long seconds = 3600) const;

 private:
  EVP_PKEY* key_;
  X509* certificate_;
  std::string pem_;
};

// A client's TLS connection to 127.0.0.1:port that says nothing by itself.
class TlsConnection {
 public:
  // `client` may be null. `version` as in SSL_CTX_set_max_proto_version, 0:
  // any.
  TlsConnection(int port, const PemPair* client, int version = 0);
  ~TlsConnection();
  TlsConnection(const TlsConnection&) = delete;
  TlsConnection& operator=(const TlsConnection&) = delete;

  // Why there is no connection; empty if there is one.
  const std::string& fault() const { return fault_; }
  // The server's certificate as PEM.
  std::string Shown() const;
  // False if the server has closed.
  bool Send(const std::string& bytes) const;
  // The descriptor below, for octets that are no TLS.
  int fd() const { return fd_; }

 private:
  int fd_;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
  std::string fault_;
};

// The PEM certificate a server presents on 127.0.0.1:port, or what went wrong.
// `client` may be null. `version` as in SSL_CTX_set_max_proto_version, 0: any.
std::string CertificateShownBy(int port, const PemPair* client, int version);

}  // namespace inkan::testing

#endif  // INKAN_TESTS_SERVER_TEST_TLS_H_
