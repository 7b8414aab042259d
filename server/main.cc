// inkand: the server program. Flags, signals and log lines; everything else is
// in server/server.h.
#include <grpcpp/grpcpp.h>
#include <malloc.h>
#include <sched.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sysexits.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "cache/background_thread.h"
#include "cache/mutex.h"
#include "cache/steady_time.h"
#include "crypto/rsa.h"
#include "server/build_info.h"
#include "server/config.h"
#include "server/log.h"
#include "server/server.h"
#include "server/service_manager.h"
#include "server/tls_expiry.h"

namespace inkan {
namespace {

struct Flags {
  std::string config;
  std::string log_format = "text";
  std::string port_file;
  bool check_config = false;
  bool print_default_config = false;
};

// Signals are taken by the main thread with sigwait, never by a handler.
sigset_t TakenSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  return signals;
}

// While the server starts: reading CRLs may take minutes, and there is nothing
// yet to finish. SIGTERM or SIGINT ends the process at once, which harms
// nothing that SIGKILL would not.
class StartWatch {
 public:
  StartWatch() : thread_([this] { Run(); }) {}
  // From here on, before the first call is accepted, signals wait for
  // ServeUntilTold.
  ~StartWatch() {
    started_ = true;
    thread_.join();
  }
  StartWatch(const StartWatch&) = delete;
  StartWatch& operator=(const StartWatch&) = delete;

 private:
  void Run() const {
    sigset_t signals = TakenSignals();
    sigdelset(&signals, SIGHUP);
    constexpr timespec kLook{0, 20'000'000};
    while (!started_) {
      const int signal = sigtimedwait(&signals, nullptr, &kLook);
      if (signal <= 0) continue;
      spdlog::info("signal {} before the server was ready: ended", signal);
      spdlog::default_logger()->flush();
      std::_Exit(EX_OK);
    }
  }

  std::atomic<bool> started_{false};
  std::thread thread_;
};

int ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
      return EX_UNAVAILABLE;
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
      return EX_NOINPUT;
    default:
      return EX_CONFIG;
  }
}

int Fail(const absl::Status& status) {
  spdlog::critical("{}", std::string(status.message()));
  return ExitCodeOf(status);
}

// Certificates that clients will not take, which is no reason not to serve.
void WarnOfCertificates(const ServerOptions& options) {
  const auto warn = [](const char* name, const ListenerOptions& listener) {
    if (!listener.tls.has_value()) return;
    const std::string problem =
        CertificateTimeProblem(listener.tls->certificate_chain, absl::Now());
    if (problem.empty()) return;
    spdlog::warn("{}.tls.certificate_chain_file: {}", name, problem);
  };
  warn("listener", options.listener);
  if (options.operations_listener.has_value()) {
    warn("operations_listener", *options.operations_listener);
  }
}

// Reads everything the server would, certificates and CRLs included.
int CheckConfig(Config config) {
  WarnOfCertificates(config.server);
  auto keeper =
      SnapshotKeeper::Start(std::move(config.snapshot), /*watch=*/false);
  if (!keeper.ok()) return Fail(keeper.status());
  for (const CrlSourceError& error : (*keeper)->source_errors()) {
    spdlog::warn("CRL source {}: {}", error.source, error.error);
  }
  std::cout << "The configuration is good: "
            << (*keeper)->Current()->profiles.size() << " profile(s).\n";
  return EX_OK;
}

void LogSnapshot(const Snapshot& snapshot) {
  for (const auto& [name, profile] : snapshot.profiles) {
    spdlog::info(
        "snapshot {}: profile {}: {} anchor(s), {} issuer path(s), {} CRL "
        "partition(s)",
        snapshot.generation, name, profile.issuer_paths->anchors().size(),
        profile.issuer_paths->paths().size(),
        profile.crls->partitions().size());
    for (const std::string& unused : profile.issuer_paths->unused()) {
      spdlog::warn("profile {}: intermediate on no path: {}", name, unused);
    }
  }
}

void LogSourceErrors(const SnapshotKeeper& keeper) {
  for (const CrlSourceError& error : keeper.source_errors()) {
    spdlog::warn(
        "CRL source {}: {}{}", error.source, error.error,
        error.last_good_in_use ? "; its last good CRL stays in use" : "");
  }
}

void LogUnwrittenIndexes(const UnwrittenIndexes& unwritten) {
  if (unwritten.crls > 0) {
    spdlog::warn("CRL indexes cannot be kept: {}", unwritten.error);
  } else {
    spdlog::info("CRL indexes are kept again");
  }
}

// The ports bound, one a line, complete once the file is there.
bool WritePortFile(const std::string& path, const Server& server) {
  const std::string unfinished = path + ".tmp";
  FILE* file = std::fopen(unfinished.c_str(), "w");
  if (file == nullptr) return false;
  std::string text = absl::StrCat(server.port(), "\n");
  // Lines by position: 0 for the second if only the third is there.
  if (server.operations_port() != 0 || server.ops_http_port() != 0) {
    absl::StrAppend(&text, server.operations_port(), "\n");
  }
  if (server.ops_http_port() != 0) {
    absl::StrAppend(&text, server.ops_http_port(), "\n");
  }
  const bool written =
      std::fwrite(text.data(), 1, text.size(), file) == text.size();
  return (std::fclose(file) == 0) && written &&
         std::rename(unfinished.c_str(), path.c_str()) == 0;
}

// What the service manager has been told last counts: READY after STOPPING
// would be a server that goes on.
class Manager {
 public:
  void Ready() {
    MutexLock lock(&mutex_);
    if (!stopping_) NotifyManager("READY=1");
  }
  void Reloading() {
    MutexLock lock(&mutex_);
    if (!stopping_) NotifyReloading();
  }
  void Stopping() {
    MutexLock lock(&mutex_);
    stopping_ = true;
    NotifyManager("STOPPING=1");
  }

 private:
  Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

void Reload(Server* server, Manager* manager) {
  spdlog::info("SIGHUP: reading configuration, certificates and CRLs again");
  manager->Reloading();
  server->reloader().Reload([server, manager](const absl::Status& status) {
    if (status.ok()) {
      spdlog::info("reload done");
      LogSourceErrors(server->keeper());
    } else {
      spdlog::error("reload refused, nothing changed: {}",
                    std::string(status.message()));
    }
    manager->Ready();
  });
}

// Serves until SIGTERM or SIGINT; SIGHUP reloads.
void ServeUntilTold(Server* server, Manager* manager) {
  const sigset_t signals = TakenSignals();
  while (true) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    if (signal != SIGHUP) {
      spdlog::info(
          "signal {}: no new calls; finishing what was accepted (once more: "
          "only what a worker has begun)",
          signal);
      return;
    }
    if (server->audit() != nullptr) server->audit()->Reopen();
    Reload(server, manager);
  }
}

// Shuts down; another SIGTERM or SIGINT hurries it.
void ShutDown(Server* server, Manager* manager) {
  manager->Stopping();
  std::atomic<bool> done{false};
  std::thread shutdown([server, &done] {
    server->Shutdown();
    done = true;
  });
  sigset_t signals = TakenSignals();
  sigdelset(&signals, SIGHUP);
  constexpr timespec kLook{0, 50'000'000};
  while (!done) {
    const int signal = sigtimedwait(&signals, nullptr, &kLook);
    if (signal <= 0) continue;
    spdlog::warn("signal {} again: what no worker has begun is given up",
                 signal);
    server->Hurry();
    break;
  }
  shutdown.join();
}

// Threads that handle a call wake each other some ten times for it. Whoever is
// woken would take the core from whoever woke it; as SCHED_BATCH each goes on
// until it waits, and what came meanwhile is done together. Inherited by all
// threads; a system that refuses it costs nothing but that.
void PreferWholeSlices() {
  const sched_param none{};
  sched_setscheduler(0, SCHED_BATCH, &none);
}

// What one thread allocates for a call another one frees. In arenas of their
// own, which glibc gives to as many threads as eight for each CPU, it then
// waits there while the next call takes memory that is cold.
void ShareHeapArenas() {
  const char* tunables = std::getenv("GLIBC_TUNABLES");
  if (std::getenv("MALLOC_ARENA_MAX") != nullptr ||
      (tunables != nullptr &&
       std::strstr(tunables, "glibc.malloc.arena_max") != nullptr)) {
    return;
  }
  mallopt(M_ARENA_MAX, static_cast<int>(UsableCpus()));
}

// Takes the server apart. A reload that is under way may read and index for
// minutes; it is left, as at any other end of a process, and a thread of ours
// that waits for the network likewise.
void TakeApart(std::unique_ptr<Server> server) {
  constexpr absl::Duration kPatience = absl::Seconds(1);
  std::atomic<bool> done{false};
  std::thread last([&server, &done] {
    server.reset();
    done = true;
  });
  const absl::Duration end = SteadyNow() + kPatience;
  while (!done && SteadyNow() < end) absl::SleepFor(absl::Milliseconds(5));
  if (!done) {
    spdlog::warn("what was still being read is given up");
    spdlog::default_logger()->flush();
    std::_Exit(EX_OK);
  }
  last.join();
}

// Connections need descriptors: takes as many as the system allows, and says so
// if they are too few for the limits.
void RaiseDescriptorLimit(const ServerOptions& options) {
  // For CRLs, logs, and what libraries open.
  constexpr rlim_t kOwn = 256;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t listeners = options.operations_listener.has_value() ? 2 : 1;
  const rlim_t needed = options.limits.connections_max * listeners + kOwn;
  if (limit.rlim_cur < needed) {
    spdlog::warn(
        "limits.connections_max needs {} open files and the system allows {}; "
        "raise LimitNOFILE, or lower the limit",
        needed, limit.rlim_cur);
  }
}

// Asks once, on a thread that ends, for all that will ask: what may refuse it
// holds for the whole process.
void CheckBackgroundPriority() {
  int error = 0;
  std::thread probe([&error] { error = BecomeBackgroundThread(); });
  probe.join();
  if (error == 0) {
    if (const int why = WhyNoIdleThreads(); why != 0) {
      spdlog::info(
          "background threads have niceness {} and cannot be SCHED_IDLE for a "
          "time ({}): requests wait some milliseconds more while CRLs are "
          "built and all cores are busy. RLIMIT_NICE of 10 allows it, in a "
          "systemd unit LimitNICE=+10 and SystemCallFilter=sched_setscheduler",
          kBackgroundNice, std::strerror(why));
    }
    return;
  }
  spdlog::warn(
      "the system refuses background threads their low priority (setpriority: "
      "{}); fetching and building CRLs will slow requests down. Allow the "
      "system call, in a systemd unit by SystemCallFilter=setpriority",
      std::strerror(error));
}

void LogAudit(const absl::Status& status) {
  if (status.ok()) {
    spdlog::info("the audit log is written again");
  } else {
    spdlog::error("audit log: {}", std::string(status.message()));
  }
}

absl::StatusOr<std::unique_ptr<Server>> StartServer(
    const Flags& flags, Config config, std::unique_ptr<StartWatch> watch) {
  return Server::Start(
      std::move(config), flags.config,
      [](const absl::Status& status, const std::string& changed) {
        if (status.ok()) {
          spdlog::info("{}", changed);
        } else {
          spdlog::error("{}", std::string(status.message()));
        }
      },
      [&watch] { watch.reset(); });
}

int Serve(const Flags& flags, Config config,
          std::unique_ptr<StartWatch> watch) {
  config.server.audit_listener = LogAudit;
  const ServerOptions options = config.server;
  RaiseDescriptorLimit(options);
  CheckBackgroundPriority();
  WarnOfCertificates(options);
  absl::StatusOr<std::unique_ptr<Server>> started =
      StartServer(flags, std::move(config), std::move(watch));
  if (!started.ok()) return Fail(started.status());
  Server& server = **started;
  spdlog::info("RSA kernel {}: {}", GetRsaKernelInfo().name,
               GetRsaKernelInfo().reason);
  LogSnapshot(*server.keeper().Current());
  LogSourceErrors(server.keeper());
  server.keeper().SetPublishListener(LogSnapshot);
  server.keeper().SetUnwrittenListener(LogUnwrittenIndexes);
  spdlog::info("listening on {} (port {}, {})", options.listener.address,
               server.port(),
               options.listener.tls.has_value() ? "TLS" : "PLAINTEXT");
  if (options.operations_listener.has_value()) {
    spdlog::info(
        "operations on {} (port {}, {})", options.operations_listener->address,
        server.operations_port(),
        options.operations_listener->tls.has_value() ? "TLS" : "PLAINTEXT");
  }
  if (server.ops_http_port() != 0) {
    spdlog::info("operations port on {} (port {}, plain HTTP)",
                 options.ops_http_address, server.ops_http_port());
  }
  if (!flags.port_file.empty() && !WritePortFile(flags.port_file, server)) {
    spdlog::critical("cannot write {}", flags.port_file);
    return EX_IOERR;
  }
  Manager manager;
  {
    const Watchdog watchdog([&server] { return server.batcher().pulses(); });
    manager.Ready();
    ServeUntilTold(&server, &manager);
  }
  ShutDown(&server, &manager);
  const BatcherCounters counters = server.batcher().counters();
  spdlog::info(
      "ended: {} filing(s) judged, {} refused, {} expired, {} cancelled, {} "
      "given up",
      counters.filings_judged, counters.filings_refused,
      counters.filings_expired, counters.filings_cancelled,
      counters.filings_abandoned);
  TakeApart(*std::move(started));
  return EX_OK;
}

int Run(const Flags& flags) {
  InitLog(flags.log_format == "json" ? LogFormat::kJson : LogFormat::kText);
  if (flags.print_default_config) {
    std::cout << DefaultConfigText();
    return EX_OK;
  }
  if (flags.config.empty()) {
    std::cerr
        << "--config FILE is needed; --print-default-config prints one to "
           "start from\n";
    return EX_USAGE;
  }
  std::unique_ptr<StartWatch> watch;
  if (!flags.check_config) watch = std::make_unique<StartWatch>();
  absl::StatusOr<Config> config = LoadConfig(flags.config);
  if (!config.ok()) return Fail(config.status());
  if (flags.check_config) return CheckConfig(*std::move(config));
  spdlog::info("inkand {} ({})", BuildVersion(), BuildDescription());
  return Serve(flags, *std::move(config), std::move(watch));
}

int Main(int argc, char** argv) {
  Flags flags;
  CLI::App app("inkand: verifies signatures over filings, over gRPC");
  app.set_version_flag(
      "--version",
      absl::StrCat("inkand ", BuildVersion(), " (", BuildDescription(), ")\n",
                   LibraryVersions(grpc::Version())));
  app.add_option("--config", flags.config, "Configuration file");
  app.add_flag("--check-config", flags.check_config,
               "Read everything the configuration names, report, and end");
  app.add_flag("--print-default-config", flags.print_default_config,
               "Print a configuration with every limit at its default");
  app.add_option("--log-format", flags.log_format, "text or json")
      ->check(CLI::IsMember({"text", "json"}));
  app.add_option("--port-file", flags.port_file,
                 "Write the ports bound to this file, one a line: listener, "
                 "operations_listener, ops_http");
  app.footer(
      "Exit codes: 0 ended as told, 64 usage, 66 a file that cannot be opened, "
      "69 an\naddress that is taken, 74 the port file cannot be written, 78 "
      "configuration.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EX_OK : EX_USAGE;
  }
  PreferWholeSlices();
  ShareHeapArenas();
  // Before any thread is started, so that all inherit it. Where nothing is
  // served, signals do what they do to any program.
  if (!flags.check_config) {
    const sigset_t signals = TakenSignals();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  }
  std::signal(SIGPIPE, SIG_IGN);
  // A file that may grow no more is an error to be handled, not the end.
  std::signal(SIGXFSZ, SIG_IGN);
  return Run(flags);
}

}  // namespace
}  // namespace inkan

// What flags and files can get wrong is returned, not thrown.
int main(int argc, char** argv) {  // NOLINT(bugprone-exception-escape)
  // Debian's Abseil is a debug build in this respect: at each lock that gRPC
  // takes it looks for an order that could deadlock, and aborts if it believes
  // in one.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return inkan::Main(argc, argv);
}
