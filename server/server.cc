#include "server/server.h"

#include <grpcpp/ext/channelz_service_plugin.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cache/background_thread.h"
#include "cache/mutex.h"
#include "cache/steady_time.h"
#include "crypto/rsa.h"
#include "server/answer_watch.h"
#include "server/gate.h"
#include "server/grpc_listener.h"
#include "server/health.h"
#include "server/machine.h"
#include "server/memory_watch.h"
#include "server/metrics.h"
#include "server/operations.h"
#include "server/ops_port.h"
#include "server/readiness.h"
#include "server/recording_judge.h"
#include "server/rpc_status.h"
#include "server/service.h"
#include "server/snapshot_judge.h"
#include "server/steady_clock.h"

namespace inkan {
namespace {

// The process among all that ever wrote to an audit log.
std::string NameOfRun(absl::Time started_at) {
  return absl::StrCat(absl::Hex(absl::ToUnixMicros(started_at)), "-", getpid());
}

}  // namespace

unsigned UsableCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return static_cast<unsigned>(std::max(1, CPU_COUNT(&set)));
}

// In the order they are made; destroyed in the opposite one.
struct Server::Parts {
  // Held while a configuration is applied, and while listeners are made.
  Mutex apply_mutex;
  bool closing ABSL_GUARDED_BY(apply_mutex) = false;

  Mutex mutex;
  CondVar hurried;
  bool shut_down ABSL_GUARDED_BY(mutex) = false;
  bool hurry ABSL_GUARDED_BY(mutex) = false;
  absl::Duration hurried_at ABSL_GUARDED_BY(mutex);  // by SteadyNow

  ServerOptions options;
  Notice notice;
  absl::Time started_at = absl::Now();
  Metrics metrics;
  std::unique_ptr<AuditLog> audit;  // null: there is none
  std::unique_ptr<SnapshotKeeper> keeper;
  std::unique_ptr<VerifiedCertificates> verified;
  std::unique_ptr<Batcher> batcher;
  std::unique_ptr<Gate> gate;
  std::unique_ptr<AnswerWatch> answers;
  HealthState health;
  std::unique_ptr<Readiness> readiness;
  std::unique_ptr<HealthService> health_service;
  std::unique_ptr<HealthService> operations_health_service;
  std::unique_ptr<VerificationServiceImpl> verification;
  std::unique_ptr<Reloader> reloader;
  std::unique_ptr<OperationsServiceImpl> operations;
  std::unique_ptr<GrpcListener> intake;
  std::unique_ptr<GrpcListener> operations_listener;
  std::unique_ptr<MemoryWatch> memory;
  std::unique_ptr<OpsPort> ops_port;  // null: there is none

  void MakeServices(const std::string& config_path);
  std::unique_ptr<Judge> MakeJudge();
  absl::Status OpenOpsPort();
  absl::Status Listen() ABSL_LOCKS_EXCLUDED(apply_mutex);
  absl::Status Apply(Config config) ABSL_LOCKS_EXCLUDED(apply_mutex);
  void WaitUnlessHurried(absl::Duration time) ABSL_LOCKS_EXCLUDED(mutex);
  std::vector<GrpcListener*> Listeners() const;
  void HangUp(absl::Duration deadline) ABSL_LOCKS_EXCLUDED(mutex);
};

std::unique_ptr<Judge> Server::Parts::MakeJudge() {
  return std::make_unique<RecordingJudge>(
      std::make_unique<SnapshotJudge>(*keeper, verified.get()),
      metrics.AddWorker(), audit.get(), NameOfRun(started_at));
}

void Server::Parts::MakeServices(const std::string& config_path) {
  BatcherOptions batching;
  batching.workers =
      options.worker_threads == 0 ? UsableCpus() : options.worker_threads;
  batching.worker_batch_filings_max = options.limits.worker_batch_filings_max;
  const size_t queue = options.limits.queue_filings_max;
  batching.wait_ns_max =
      int64_t{options.limits.queue_wait_milliseconds_max} * 1'000'000;
  batching.lane_filings_max = {
      std::min<size_t>(options.limits.interactive_filings_max,
                       std::max<size_t>(1, queue / 4)),
      std::max<size_t>(1, queue / 2), std::max<size_t>(1, queue / 4)};
  // Some seconds of work; a stream that finds no room to wait in tries
  // elsewhere.
  batching.held_back_filings_max = queue * 4;
  batching.bytes_max = options.limits.queue_bytes_max;
  // What the audit log may make a worker wait for is nothing for a thread of
  // gRPC's.
  batching.judge_lone_at_once = !options.audit.has_value();
  batching.interactive_weight = options.limits.interactive_weight;
  batching.bulk_weight = options.limits.bulk_weight;
  verified =
      std::make_unique<VerifiedCertificates>(options.verified_certificates_max);
  batcher = std::make_unique<Batcher>(batching, [this] { return MakeJudge(); });
  gate = std::make_unique<Gate>(options.access, options.quotas,
                                options.audit.has_value());
  answers = std::make_unique<AnswerWatch>(
      absl::Seconds(options.limits.unread_answer_seconds_max));
  reloader = std::make_unique<Reloader>(
      config_path, [this](Config config) { return Apply(std::move(config)); });
  readiness = std::make_unique<Readiness>(
      keeper.get(), audit.get(),
      [this] { return WhyNotAlive(metrics).empty(); }, &health);
  health_service = std::make_unique<HealthService>(&health);
  operations_health_service = std::make_unique<HealthService>(&health);
  verification = std::make_unique<VerificationServiceImpl>(
      options.limits, batcher.get(), gate.get(), answers.get());
  operations = std::make_unique<OperationsServiceImpl>(
      Operations{keeper.get(), batcher.get(), &health, reloader.get(),
                 started_at, gate.get(), answers.get(), audit.get()});
}

absl::Status Server::Parts::Listen() {
  MutexLock lock(&apply_mutex);
  const auto news = [this](const absl::Status& status) {
    notice(status.ok() ? absl::OkStatus() : status,
           "new TLS files are in use from the next connection on");
  };
  // Calls are counted where somebody can look at the counts.
  GrpcListener::Prepare prepare;
  if (!options.ops_http_address.empty()) {
    prepare = [this](grpc::ServerBuilder* builder) {
      builder->experimental().SetInterceptorCreators(
          metrics.rpc().MakeInterceptors());
    };
  }
  std::vector<grpc::Service*> services = {health_service.get(),
                                          verification.get()};
  if (!options.operations_listener.has_value()) {
    services.push_back(operations.get());
  } else {
    auto listener = GrpcListener::Start(
        "operations_listener", options, *options.operations_listener,
        {operations_health_service.get(), operations.get()}, news, prepare);
    if (!listener.ok()) return listener.status();
    operations_listener = *std::move(listener);
  }
  auto listener = GrpcListener::Start("listener", options, options.listener,
                                      services, news, prepare);
  if (!listener.ok()) return listener.status();
  intake = *std::move(listener);
  std::vector<ConnectionAcceptor*> acceptors = {&intake->acceptor()};
  if (operations_listener != nullptr) {
    acceptors.push_back(&operations_listener->acceptor());
  }
  memory = std::make_unique<MemoryWatch>(
      std::move(acceptors), options.limits.concurrent_streams_max,
      options.limits.transport_bytes_max, options.limits.stream_calls_max);
  return absl::OkStatus();
}

// Puts another configuration in force, all of it or nothing.
absl::Status Server::Parts::Apply(Config config) {
  MutexLock lock(&apply_mutex);
  if (closing) return absl::UnavailableError("the server is shutting down");
  const std::string restart = NeedsRestart(options, config.server);
  if (!restart.empty()) return absl::FailedPreconditionError(restart);
  absl::Status reloaded;  // whoever files meanwhile must not feel it
  DoInBackground(
      [&] { reloaded = keeper->Reload(std::move(config.snapshot)); });
  if (!reloaded.ok()) return reloaded;
  // Nothing below can fail.
  gate->Replace(std::move(config.server.access),
                std::move(config.server.quotas));
  if (intake->tls() != nullptr) {
    intake->tls()->Replace(*std::move(config.server.listener.tls));
  }
  if (operations_listener != nullptr && operations_listener->tls() != nullptr) {
    operations_listener->tls()->Replace(
        *std::move(config.server.operations_listener->tls));
  }
  return absl::OkStatus();
}

void Server::Parts::WaitUnlessHurried(absl::Duration time) {
  const absl::Duration end = SteadyNow() + time;
  MutexLock lock(&mutex);
  while (!hurry) {
    const absl::Duration left = end - SteadyNow();
    if (left <= absl::ZeroDuration()) return;
    hurried.WaitFor(&mutex, absl::ToChronoMilliseconds(left) +
                                std::chrono::milliseconds(1));
  }
}

std::vector<GrpcListener*> Server::Parts::Listeners() const {
  std::vector<GrpcListener*> listeners;
  for (GrpcListener* listener : {intake.get(), operations_listener.get()}) {
    if (listener != nullptr) listeners.push_back(listener);
  }
  return listeners;
}

// Ends every connection, those first on which no answer is still to be sent,
// or on its way: whoever does not read keeps nobody else here. Until the
// deadline, by SteadyNow, which a hurry brings near.
void Server::Parts::HangUp(absl::Duration deadline) {
  // Refusals are on their way all the time, but none is at two looks in a row
  // for long, unless its client does not read. Later an answer is one that was
  // there at the look before: a stream has few that are owed, and would have
  // sent them by now if each were faster.
  constexpr absl::Duration kLook = absl::Milliseconds(50);
  const int looks_for_all = std::max(
      40, 2 * static_cast<int>(options.limits.stream_requests_in_flight_max));
  using Peers = absl::flat_hash_set<ConnectionAcceptor::Peer>;
  Peers before;
  for (int look = 0;; ++look) {
    const bool for_all = look < looks_for_all;
    const int64_t begun_before =
        for_all ? kNeverNs : NowNs() - absl::ToInt64Nanoseconds(kLook);
    Peers now;
    for (const std::string& peer : answers->PeersOfBefore(begun_before)) {
      const PeerAddress address = AddressOfPeer(peer);
      now.insert({address.octets, address.port});
    }
    {
      MutexLock lock(&mutex);
      if (hurry) deadline = std::min(deadline, hurried_at + kLastWords);
    }
    const bool late = SteadyNow() >= deadline;
    // Between two answers of a stream there is a moment without one.
    Peers slow = now;
    slow.insert(before.begin(), before.end());
    if (late) slow.clear();
    size_t left = slow.size();
    if (look > 0 || late) {
      const bool only_delivered = for_all && !late;
      for (GrpcListener* listener : Listeners()) {
        left += listener->HangUp(slow, only_delivered);
      }
    }
    if (late || (look > 0 && left == 0)) return;
    before = std::move(now);
    absl::SleepFor(kLook);
  }
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Server::~Server() {
  Shutdown();
  // A reload that is under way ends before what it would change does.
  MutexLock lock(&parts_->apply_mutex);
  parts_->closing = true;
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    Config config, const std::string& config_path, Notice notice,
    const std::function<void()>& about_to_serve) {
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
  parts->notice = notice ? std::move(notice)
                         : [](const absl::Status&, const std::string&) {};
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
  if (about_to_serve) about_to_serve();
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
  view.certificates = verified.get();
  view.gate = gate.get();
  view.answers = answers.get();
  view.listeners.push_back({"intake", &options.listener, intake.get()});
  if (operations_listener != nullptr) {
    view.listeners.push_back({"operations", &*options.operations_listener,
                              operations_listener.get()});
  }
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
  {
    MutexLock lock(&parts.mutex);
    if (parts.shut_down) return;
    parts.shut_down = true;
  }
  const absl::Duration begun = SteadyNow();
  parts.health.SetServing(false);
  parts.health.EndWatches();
  parts.batcher->BeginDrain(parts.options.drain_timeout);
  parts.verification->BeginDrain();
  parts.operations->BeginDrain();
  // Every accepted filing gets its verdict; from here on calls are refused as
  // UNAVAILABLE, which clients retry elsewhere, after a push-back that is
  // longer than this server has left.
  parts.batcher->Drain(parts.options.drain_timeout);
  parts.WaitUnlessHurried(
      std::min(kRefusingTime, parts.options.drain_timeout / 2));
  parts.health.CancelWatches();
  // Answers that are ready have kLastWords even if draining took all the time
  // there was.
  const absl::Duration deadline =
      std::max(begun + parts.options.drain_timeout, SteadyNow() + kLastWords);
  // gRPC cancels the calls that come in while it closes its connections, and
  // CANCELLED does not say "try elsewhere". That a connection is at its end
  // does: clients make UNAVAILABLE of it.
  parts.HangUp(deadline);
  // No line has come since the drain. Not before: a disk that hangs takes its
  // time, in which clients would ask in vain.
  if (parts.audit != nullptr) parts.audit->Close();
  // Each returns when its clients have gone; at the deadline it cancels the
  // rest.
  for (GrpcListener* listener : parts.Listeners()) {
    const bool hurry = [&parts] {
      MutexLock lock(&parts.mutex);
      return parts.hurry;
    }();
    listener->Shutdown(absl::Now() + (hurry ? kLastWords
                                            : std::max(deadline - SteadyNow(),
                                                       absl::ZeroDuration())));
  }
}

void Server::Hurry() {
  Parts& parts = *parts_;
  {
    MutexLock lock(&parts.mutex);
    if (!parts.hurry) parts.hurried_at = SteadyNow();
    parts.hurry = true;
    parts.hurried.SignalAll();
  }
  parts.batcher->Hurry();
  // What is ready, and the refusal of what was abandoned, is sent first.
  absl::SleepFor(kLastWords);
  for (GrpcListener* listener : parts.Listeners()) listener->CancelCalls();
}

int Server::port() const { return parts_->intake->port(); }
int Server::operations_port() const {
  return parts_->operations_listener == nullptr
             ? 0
             : parts_->operations_listener->port();
}
SnapshotKeeper& Server::keeper() { return *parts_->keeper; }
Batcher& Server::batcher() { return *parts_->batcher; }
Reloader& Server::reloader() { return *parts_->reloader; }
const AnswerWatch& Server::answers() const { return *parts_->answers; }
const Gate& Server::gate() const { return *parts_->gate; }
GrpcListener& Server::intake() { return *parts_->intake; }
GrpcListener* Server::operations() { return parts_->operations_listener.get(); }
AuditLog* Server::audit() { return parts_->audit.get(); }
int Server::ops_http_port() const {
  return parts_->ops_port == nullptr ? 0 : parts_->ops_port->port();
}

}  // namespace inkan
