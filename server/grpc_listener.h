// One gRPC server with everything a client can do to it bounded: connections,
// streams, pings, metadata, messages, idle and old connections, memory.
//
//   auto listener = GrpcListener::Start("listener", options, listening,
//                                       services, log);
//   ... (*listener)->Shutdown(deadline) ...
//
// Thread safety: every method from any thread. Ownership: the services must
// outlive it. Errors of Start: kUnavailable if the address cannot be listened
// on.
#ifndef INKAN_SERVER_GRPC_LISTENER_H_
#define INKAN_SERVER_GRPC_LISTENER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/grpcpp.h"
#include "server/config.h"
#include "server/connection_acceptor.h"
#include "server/tls_keeper.h"

namespace inkan {

class GrpcListener {
 public:
  // Adds to a server that is being built, e.g. interceptors.
  using Prepare = std::function<void(grpc::ServerBuilder*)>;

  // `name` is the listener's field in the configuration; `news` is told of
  // certificates that change on disk; `prepare` may be null.
  static absl::StatusOr<std::unique_ptr<GrpcListener>> Start(
      const std::string& name, const ServerOptions& options,
      const ListenerOptions& listener,
      const std::vector<grpc::Service*>& services, TlsKeeper::NewsListener news,
      const Prepare& prepare = nullptr);
  // Shuts down at once.
  ~GrpcListener();
  GrpcListener(const GrpcListener&) = delete;
  GrpcListener& operator=(const GrpcListener&) = delete;

  // 0 if it is not TCP.
  int port() const { return acceptor_->port(); }
  // Takes no new connections, and tells clients, but these, that those they
  // have are at their end; see ConnectionAcceptor. Before Shutdown.
  size_t HangUp(const absl::flat_hash_set<ConnectionAcceptor::Peer>& but,
                bool only_delivered);
  // Takes no new connections and calls, and returns when the last call is
  // answered; at the deadline, the rest are cancelled.
  void Shutdown(absl::Time deadline);
  // Cancels what keeps a Shutdown waiting.
  void CancelCalls();

  // Null for plaintext.
  TlsKeeper* tls() { return tls_.get(); }
  ConnectionAcceptor& acceptor() { return *acceptor_; }

 private:
  GrpcListener() = default;

  // In the order made; destroyed in the opposite one.
  std::unique_ptr<TlsKeeper> tls_;
  std::unique_ptr<ConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> hand_over_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_GRPC_LISTENER_H_
