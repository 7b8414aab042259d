// gRPC server credentials that ask a TlsKeeper for each new connection, so that
// a new certificate is used from the next handshake on.
//
// TLS 1.2 and 1.3 with forward-secret AEAD suites; gRPC's default, which the
// environment variable GRPC_SSL_CIPHER_SUITES may narrow.
//
// Thread safety: as gRPC calls it. Ownership: the keeper must outlive the
// server.
#ifndef INKAN_SERVER_TLS_CREDENTIALS_H_
#define INKAN_SERVER_TLS_CREDENTIALS_H_

#include <memory>

#include "grpcpp/security/server_credentials.h"
#include "server/tls_keeper.h"

namespace inkan {

// Clients must present a certificate if the keeper's options name client CAs at
// this moment; whether they do cannot change later.
std::shared_ptr<grpc::ServerCredentials> ReloadableTlsCredentials(
    const TlsKeeper* keeper);

}  // namespace inkan

#endif  // INKAN_SERVER_TLS_CREDENTIALS_H_
