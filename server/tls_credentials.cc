#include "server/tls_credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include <string>
#include <utility>

#include "cache/mutex.h"

namespace inkan {
namespace {

// gRPC's C++ surface has no door to its core's certificate fetcher, which is
// what serves a new certificate to the next handshake.
class FetchingCredentials final : public grpc::ServerCredentials {
 public:
  explicit FetchingCredentials(const TlsKeeper* keeper) : keeper_(keeper) {
    const auto request =
        keeper->Current()->client_ca.empty()
            ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
            : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
    credentials_ = grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(
            request, &FetchingCredentials::Fetch, this));
  }
  ~FetchingCredentials() override {
    grpc_server_credentials_release(credentials_);
  }

  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>& /*processor*/)
      override {}

 private:
  int AddPortToServer(const std::string& address,
                      grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  static grpc_ssl_certificate_config_reload_status Fetch(
      void* self, grpc_ssl_server_certificate_config** config) {
    return static_cast<FetchingCredentials*>(self)->FetchNew(config);
  }

  grpc_ssl_certificate_config_reload_status FetchNew(
      grpc_ssl_server_certificate_config** config) {
    std::shared_ptr<const TlsOptions> now = keeper_->Current();
    MutexLock lock(&mutex_);
    if (now == fetched_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    const grpc_ssl_pem_key_cert_pair pair{now->private_key.c_str(),
                                          now->certificate_chain.c_str()};
    // gRPC insists on client CAs even where it asks for no client certificate,
    // and then makes nothing of them.
    *config = grpc_ssl_server_certificate_config_create(
        now->client_ca.empty() ? now->certificate_chain.c_str()
                               : now->client_ca.c_str(),
        &pair, 1);
    fetched_ = std::move(now);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  const TlsKeeper* const keeper_;
  grpc_server_credentials* credentials_;
  Mutex mutex_;
  // What gRPC was given last; held, so that its address is not another's.
  std::shared_ptr<const TlsOptions> fetched_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> ReloadableTlsCredentials(
    const TlsKeeper* keeper) {
  return std::make_shared<FetchingCredentials>(keeper);
}

}  // namespace inkan
