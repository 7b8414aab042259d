// The whole server: snapshot keeper, workers, gRPC listeners, put together and
// taken apart in the right order.
//
//   absl::StatusOr<std::unique_ptr<Server>> server =
//       Server::Start(*std::move(config), config_path);
//   ... traffic ...
//   (*server)->Shutdown();
//
// Thread safety: every method from any thread.
// Errors of Start: kInvalidArgument for what the configuration got wrong,
// kUnavailable if an address cannot be listened on, kFailedPrecondition if the
// RSA kernel asked for cannot be used.
#ifndef INKAN_SERVER_SERVER_H_
#define INKAN_SERVER_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/answer_watch.h"
#include "server/audit_log.h"
#include "server/batcher.h"
#include "server/config.h"
#include "server/gate.h"
#include "server/grpc_listener.h"
#include "server/reloader.h"

namespace inkan {

// CPUs this process may use, which in a container are fewer than there are.
unsigned UsableCpus();

class Server {
 public:
  // What an operator should hear of: OK and what has changed, or what went
  // wrong. Called from any thread.
  using Notice =
      std::function<void(const absl::Status&, const std::string& changed)>;

  // Listens, and says SERVING, once the first snapshot is there.
  // `about_to_serve` is called right before the first call can come in.
  static absl::StatusOr<std::unique_ptr<Server>> Start(
      Config config, const std::string& config_path, Notice notice = nullptr,
      const std::function<void()>& about_to_serve = nullptr);
  // Shuts down.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Ports bound; 0 for a listener that is not there, or not TCP.
  int port() const;
  int operations_port() const;
  int ops_http_port() const;

  // Says NOT_SERVING, takes no new calls, and returns when every accepted
  // filing has its verdict or the drain timeout is over.
  void Shutdown();
  // Lets a Shutdown that is under way, or to come, abandon what is not judged
  // yet and cut off who does not read their answer. May block for a second.
  void Hurry();

  SnapshotKeeper& keeper();
  Batcher& batcher();
  Reloader& reloader();
  const Gate& gate() const;
  const AnswerWatch& answers() const;
  GrpcListener& intake();
  // Null if operations share the intake listener.
  GrpcListener* operations();
  AuditLog* audit();  // null: there is none

 private:
  struct Parts;

  explicit Server(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_SERVER_H_
