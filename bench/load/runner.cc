#include "bench/load/runner.h"

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>

#include "bench/load/connection.h"
#include "bench/load/job_source.h"
#include "bench/load/pacer.h"
#include "bench/load/server_process.h"
#include "bench/load/target.h"

namespace inkan::load {
namespace {

// How often failed slots try again and progress is looked at.
constexpr std::chrono::milliseconds kTick{50};
constexpr std::chrono::milliseconds kSoon{1};
// A server on the same machine or network answers sooner than this or not at
// all.
constexpr std::chrono::seconds kConnectMax{10};
// How much longer than a message may wait the run waits for any sign of life.
constexpr std::chrono::milliseconds kPatience{500};

absl::StatusOr<Connections> ConnectAll(const LoadOptions& options,
                                       const Corpus& corpus, CallLoop* loop,
                                       JobSource* source) {
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (uint32_t i = 0; i < options.connections; ++i) {
    absl::StatusOr<std::shared_ptr<grpc::Channel>> channel = Connect(options);
    if (!channel.ok()) return channel.status();
    (*channel)->GetState(/*try_to_connect=*/true);
    channels.push_back(*std::move(channel));
  }
  // They connect side by side; the bound is for each.
  Connections connections;
  for (auto& channel : channels) {
    if (!channel->WaitForConnected(
            DeadlineAfter(std::min<Seconds>(options.timeout, kConnectMax)))) {
      return absl::UnavailableError("--target: cannot connect to " +
                                    options.target +
                                    "; is the server running, and do --tls-ca "
                                    "and the rest fit its listener?");
    }
    connections.push_back(std::make_unique<Connection>(
        options, corpus, std::move(channel), loop, source));
  }
  return connections;
}

// One run: what is looked at while messages are on the way.
class Run {
 public:
  Run(const LoadOptions& options, const Connections& connections,
      CallLoop* loop, JobSource* source)
      : options_(options),
        connections_(connections),
        loop_(loop),
        source_(source) {}

  absl::Status Start();
  // Until nothing is left to send.
  void WaitForSending(const OnProgress& on_progress,
                      const std::atomic<bool>* stop);
  absl::StatusOr<Report> Finish();

 private:
  bool Sending() const;
  ProgressReport LookAt(uint64_t* ended) const;
  absl::Status SampleServer(ProcessUsage* usage) const;

  const LoadOptions& options_;
  const Connections& connections_;
  CallLoop* const loop_;
  JobSource* const source_;
  std::unique_ptr<Pacer> pacer_;
  std::thread loop_thread_;  // none if the pacer's thread is the loop's
  Clock::time_point start_;
  Clock::time_point measure_from_;
  ProcessUsage before_;
  bool warm_ = false;  // the warm-up is over and before_ is taken
  bool stalled_ = false;
  absl::Status server_status_;
};

absl::Status Run::SampleServer(ProcessUsage* usage) const {
  if (options_.server_pid == 0) return absl::OkStatus();
  absl::StatusOr<ProcessUsage> read = ReadProcessUsage(options_.server_pid);
  if (!read.ok()) return read.status();
  *usage = *read;
  return absl::OkStatus();
}

absl::Status Run::Start() {
  const absl::Status status = SampleServer(&before_);
  if (!status.ok()) return status;
  warm_ = options_.warm_up.count() <= 0;  // else before_ is taken after it
  start_ = Clock::now();
  measure_from_ = start_ + ToClock(options_.warm_up);
  source_->Start(start_);
  for (const auto& connection : connections_) {
    connection->tally().Start(measure_from_);
  }
  if (options_.rate > 0) {
    pacer_ =
        std::make_unique<Pacer>(options_, connections_, loop_, source_, start_);
  }
  if (pacer_ == nullptr || !loop_->busy()) {
    loop_thread_ = std::thread([this] { loop_->Run(); });
  }
  if (pacer_ == nullptr) {
    for (const auto& connection : connections_) connection->StartClosed();
  }
  return absl::OkStatus();
}

bool Run::Sending() const {
  if (pacer_ != nullptr) return !pacer_->done();
  return std::any_of(connections_.begin(), connections_.end(),
                     [](const auto& connection) { return connection->busy(); });
}

ProgressReport Run::LookAt(uint64_t* ended) const {
  ProgressReport progress;
  progress.seconds = Seconds(Clock::now() - start_).count();
  *ended = pacer_ != nullptr ? pacer_->unsent() : 0;
  for (const auto& connection : connections_) {
    const Tally& tally = connection->tally();
    progress.answered += tally.answered();
    progress.refused += tally.refused();
    progress.wrong += tally.wrong();
    *ended += tally.ended();
  }
  return progress;
}

void Run::WaitForSending(const OnProgress& on_progress,
                         const std::atomic<bool>* stop) {
  // Calls have their own deadline; this is for streams, and comes later.
  const Clock::duration patience = ToClock(options_.timeout) + kPatience;
  uint64_t last_ended = 0;
  Clock::time_point last_change = start_;
  while (Sending()) {
    Clock::duration nap = kTick;
    if (!warm_ && Clock::now() < measure_from_) {
      nap = std::min(nap, measure_from_ - Clock::now());
    }
    std::this_thread::sleep_for(nap);
    if (!warm_ && Clock::now() >= measure_from_) {
      warm_ = true;
      server_status_ = SampleServer(&before_);
    }
    if (stop != nullptr && stop->load()) source_->Stop();
    for (const auto& connection : connections_) connection->Unpark();
    uint64_t ended = 0;
    on_progress(LookAt(&ended));
    if (ended != last_ended || source_->filings_issued() == ended) {
      last_ended = ended;
      last_change = Clock::now();
    } else if (Clock::now() - last_change > patience) {
      source_->Stop();
      stalled_ = true;
      return;
    }
  }
}

absl::StatusOr<Report> Run::Finish() {
  // One that was told to stop does, within a nap.
  while (pacer_ != nullptr && !pacer_->done()) {
    std::this_thread::sleep_for(kSoon);
  }
  for (const auto& connection : connections_) connection->Finish();
  loop_->Shutdown();
  if (loop_thread_.joinable()) loop_thread_.join();
  if (pacer_ != nullptr) pacer_->Join();
  Report report;
  ProcessUsage after = before_;
  server_status_.Update(SampleServer(&after));
  if (options_.server_pid != 0 && server_status_.ok()) {
    report.server = ServerUse{after.cpu_seconds - before_.cpu_seconds,
                              after.resident_bytes_peak};
  }
  report.stalled = stalled_;
  report.issued = source_->filings_issued();
  if (pacer_ != nullptr) {
    report.unsent = pacer_->unsent();
    report.issued -= report.unsent + pacer_->withdrawn();
    report.lag_max_seconds = Seconds(pacer_->lag_max()).count();
  }
  for (const auto& connection : connections_) {
    report.results.Merge(connection->tally().Take());
  }
  report.seconds =
      std::max(0.0, Seconds(report.results.last_end - measure_from_).count());
  return report;
}

}  // namespace

double Report::throughput() const {
  return seconds > 0 ? static_cast<double>(results.measured_answered) / seconds
                     : 0;
}

double Report::per_cpu_second() const {
  return server && server->cpu_seconds > 0
             ? static_cast<double>(results.measured_answered) /
                   server->cpu_seconds
             : 0;
}

absl::StatusOr<Report> RunLoad(const LoadOptions& options, const Corpus& corpus,
                               const OnProgress& on_progress,
                               const std::atomic<bool>* stop) {
  JobSource source(corpus, options);
  CallLoop loop(options.busy_poll);
  absl::StatusOr<Connections> connections =
      ConnectAll(options, corpus, &loop, &source);
  if (!connections.ok()) return connections.status();
  Run run(options, *connections, &loop, &source);
  const absl::Status started = run.Start();
  if (!started.ok()) return started;
  run.WaitForSending(on_progress, stop);
  return run.Finish();
}

}  // namespace inkan::load
