#include "server/server.h"

#include <grpcpp/ext/channelz_service_plugin.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "crypto/rsa.h"
#include "grpcpp/impl/server_builder_option.h"
#include "grpcpp/impl/server_builder_plugin.h"
#include "server/health.h"
#include "server/metrics.h"
#include "server/operations.h"
#include "server/ops_port.h"
#include "server/recording_judge.h"
#include "server/service.h"
#include "server/snapshot_judge.h"

namespace inkan {
namespace {

// CPUs this process may use, which in a container are fewer than there are.
unsigned UsableCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return static_cast<unsigned>(std::max(1, CPU_COUNT(&set)));
}

// gRPC adds reflection to every server of a program that is linked with it;
// this takes it away again from servers that were not asked to offer it.
class OnlyAskedForPlugins : public grpc::ServerBuilderOption {
 public:
  explicit OnlyAskedForPlugins(const ServerOptions& options)
      : reflection_(options.reflection), channelz_(options.channelz) {}

  void UpdateArguments(grpc::ChannelArguments* /*arguments*/) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>*
                         plugins) override {
    std::erase_if(*plugins, [this](const auto& plugin) {
      return (!reflection_ &&
              absl::StrContains(plugin->name(), "reflection")) ||
             (!channelz_ && absl::StrContains(plugin->name(), "channelz"));
    });
  }

 private:
  const bool reflection_;
  const bool channelz_;
};

std::shared_ptr<grpc::ServerCredentials> CredentialsOf(
    const ListenerOptions& listener) {
  // The configuration reader lets plaintext through only for the exact words.
  if (!listener.tls.has_value()) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options(
      listener.tls->client_ca.empty()
          ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
          : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = listener.tls->client_ca;
  options.pem_key_cert_pairs.push_back(
      {listener.tls->private_key, listener.tls->certificate_chain});
  return grpc::SslServerCredentials(options);
}

// How long a server that has drained goes on refusing calls before it closes
// its connections: some round trips, even around the world.
constexpr absl::Duration kRefusingTime = absl::Milliseconds(500);

// The process among all that ever wrote to an audit log.
std::string NameOfRun(absl::Time started_at) {
  return absl::StrCat(absl::Hex(absl::ToUnixMicros(started_at)), "-", getpid());
}

}  // namespace

// In the order they are made; destroyed in the opposite one.
struct Server::Parts {
  ServerOptions options;
  absl::Time started_at = absl::Now();
  Metrics metrics;
  std::unique_ptr<AuditLog> audit;  // null: there is none
  std::unique_ptr<SnapshotKeeper> keeper;
  std::unique_ptr<Batcher> batcher;
  std::unique_ptr<Reloader> reloader;
  HealthState health;
  std::unique_ptr<HealthService> health_service;
  std::unique_ptr<HealthService> operations_health_service;
  std::unique_ptr<VerificationServiceImpl> verification;
  std::unique_ptr<OperationsServiceImpl> operations;
  std::unique_ptr<grpc::Server> intake_server;
  std::unique_ptr<grpc::Server> operations_server;
  std::unique_ptr<OpsPort> ops_port;  // null: there is none
  int port = 0;
  int operations_port = 0;
  bool shut_down = false;

  void MakeServices(const std::string& config_path);
  std::unique_ptr<Judge> MakeJudge();
  absl::Status Listen();
  absl::Status OpenOpsPort();
  absl::StatusOr<std::unique_ptr<grpc::Server>> ListenOn(
      const ListenerOptions& listener,
      const std::vector<grpc::Service*>& services, int* bound_port);
};

std::unique_ptr<Judge> Server::Parts::MakeJudge() {
  return std::make_unique<RecordingJudge>(
      std::make_unique<SnapshotJudge>(*keeper), metrics.AddWorker(),
      audit.get(), NameOfRun(started_at));
}

void Server::Parts::MakeServices(const std::string& config_path) {
  BatcherOptions batching;
  batching.workers =
      options.worker_threads == 0 ? UsableCpus() : options.worker_threads;
  batching.worker_batch_filings_max = options.limits.worker_batch_filings_max;
  batching.queue_filings_max = options.limits.queue_filings_max;
  batching.queue_bytes_max = options.limits.queue_bytes_max;
  batcher = std::make_unique<Batcher>(batching, [this] { return MakeJudge(); });
  reloader = std::make_unique<Reloader>(config_path, keeper.get());
  health_service = std::make_unique<HealthService>(&health);
  operations_health_service = std::make_unique<HealthService>(&health);
  verification =
      std::make_unique<VerificationServiceImpl>(options.limits, batcher.get());
  operations = std::make_unique<OperationsServiceImpl>(Operations{
      keeper.get(), batcher.get(), &health, reloader.get(), absl::Now()});
}

absl::StatusOr<std::unique_ptr<grpc::Server>> Server::Parts::ListenOn(
    const ListenerOptions& listener,
    const std::vector<grpc::Service*>& services, int* bound_port) {
  grpc::ServerBuilder builder;
  builder.SetOption(std::make_unique<OnlyAskedForPlugins>(options));
  builder.AddListeningPort(listener.address, CredentialsOf(listener),
                           bound_port);
  builder.SetMaxReceiveMessageSize(
      static_cast<int>(options.limits.message_bytes_max));
  builder.AddChannelArgument(
      GRPC_ARG_MAX_CONCURRENT_STREAMS,
      static_cast<int>(options.limits.concurrent_streams_max));
  // Two servers must not share a port by accident.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  for (grpc::Service* service : services) builder.RegisterService(service);
  builder.experimental().SetInterceptorCreators(
      metrics.rpc().MakeInterceptors());
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", listener.address,
                     ": the address is in use, not this machine's, or its TLS "
                     "files are refused; see the lines above"));
  }
  if (absl::StartsWith(listener.address, "unix:")) *bound_port = 0;
  return server;
}

absl::Status Server::Parts::Listen() {
  std::vector<grpc::Service*> intake = {health_service.get(),
                                        verification.get()};
  if (!options.operations_listener.has_value()) {
    intake.push_back(operations.get());
  } else {
    absl::StatusOr<std::unique_ptr<grpc::Server>> server = ListenOn(
        *options.operations_listener,
        {operations_health_service.get(), operations.get()}, &operations_port);
    if (!server.ok()) return server.status();
    operations_server = *std::move(server);
  }
  absl::StatusOr<std::unique_ptr<grpc::Server>> server =
      ListenOn(options.listener, intake, &port);
  if (!server.ok()) return server.status();
  intake_server = *std::move(server);
  return absl::OkStatus();
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Server::~Server() { Shutdown(); }

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    Config config, const std::string& config_path) {
  const Fault kernel = InitRsaKernel();
  if (!kernel.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat(kernel.field, ": ", kernel.problem));
  }
  if (config.server.reflection) {
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  }
  if (config.server.channelz) {
    grpc::channelz::experimental::InitChannelzService();
  }
  auto parts = std::make_unique<Parts>();
  parts->options = std::move(config.server);
  absl::StatusOr<std::unique_ptr<SnapshotKeeper>> keeper =
      SnapshotKeeper::Start(std::move(config.snapshot));
  if (!keeper.ok()) return keeper.status();
  parts->keeper = *std::move(keeper);
  if (parts->options.audit.has_value()) {
    absl::StatusOr<std::unique_ptr<AuditLog>> audit =
        AuditLog::Open(*parts->options.audit, parts->options.audit_listener);
    if (!audit.ok()) return audit.status();
    parts->audit = *std::move(audit);
  }
  parts->MakeServices(config_path);
  // From here on the destructor shuts down whatever was started.
  auto server = std::unique_ptr<Server>(new Server(std::move(parts)));
  const absl::Status listening = server->parts_->Listen();
  if (!listening.ok()) return listening;
  const absl::Status ops_port = server->parts_->OpenOpsPort();
  if (!ops_port.ok()) return ops_port;
  server->parts_->health.SetServing(true);
  return server;
}

absl::Status Server::Parts::OpenOpsPort() {
  if (options.ops_http_address.empty()) return absl::OkStatus();
  OpsView view;
  view.options = &options;
  view.keeper = keeper.get();
  view.batcher = batcher.get();
  view.metrics = &metrics;
  view.audit = audit.get();
  view.serving = [this] { return health.serving(); };
  view.started_at = started_at;
  view.grpc_version = grpc::Version();
  absl::StatusOr<std::unique_ptr<OpsPort>> started =
      OpsPort::Start(options.ops_http_address, view);
  if (!started.ok()) return started.status();
  ops_port = *std::move(started);
  return absl::OkStatus();
}

void Server::Shutdown() {
  Parts& parts = *parts_;
  if (parts.shut_down) return;
  parts.shut_down = true;
  const absl::Time deadline = absl::Now() + parts.options.drain_timeout;
  parts.health.SetServing(false);
  parts.health.EndWatches();
  parts.verification->BeginDrain();
  // Every accepted filing gets its verdict; from here on calls are refused as
  // UNAVAILABLE, which clients retry elsewhere.
  parts.batcher->Drain();
  // gRPC cancels the calls that come in while it closes its connections, and
  // CANCELLED does not say "try elsewhere". So it closes them only after
  // clients have had the time to hear that they are refused.
  absl::SleepFor(std::min(kRefusingTime, parts.options.drain_timeout / 2));
  // Each returns when its last call is answered; at the deadline it cancels the
  // rest.
  // Whatever comes from here on is refused, so no line comes any more.
  if (parts.audit != nullptr) parts.audit->Close();
  for (grpc::Server* server :
       {parts.intake_server.get(), parts.operations_server.get()}) {
    if (server != nullptr) server->Shutdown(absl::ToChronoTime(deadline));
  }
}

int Server::port() const { return parts_->port; }
int Server::operations_port() const { return parts_->operations_port; }
SnapshotKeeper& Server::keeper() { return *parts_->keeper; }
Batcher& Server::batcher() { return *parts_->batcher; }
Reloader& Server::reloader() { return *parts_->reloader; }
AuditLog* Server::audit() { return parts_->audit.get(); }
int Server::ops_http_port() const {
  return parts_->ops_port == nullptr ? 0 : parts_->ops_port->port();
}

}  // namespace inkan
