// inkan-load: sends a corpus to a server and holds every verdict against the
// truth.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>

#include "bench/load/corpus_file.h"
#include "bench/load/report.h"
#include "bench/load/runner.h"

namespace {

using inkan::load::LoadOptions;
using inkan::load::Mode;

constexpr int kUsage = 64;        // sysexits.h EX_USAGE
constexpr int kFailure = 70;      // EX_SOFTWARE
constexpr int kNoInput = 66;      // EX_NOINPUT
constexpr int kUnavailable = 69;  // EX_UNAVAILABLE

constexpr uint32_t kInFlightUnary = 32;
constexpr uint32_t kInFlightBatch = 4;
constexpr uint32_t kInFlightOpenLoop = 1024;
constexpr double kDefaultSeconds = 10;

std::atomic<bool> g_stop = false;

struct Arguments {
  LoadOptions load;
  std::string corpus;
  std::string mode = "batch";
  std::string format = "text";
  double duration_seconds = 0;
  double timeout_seconds = 30;
  uint32_t in_flight = 0;
};

void DescribeLoad(CLI::App* app, Arguments* arguments) {
  LoadOptions& load = arguments->load;
  app->add_option("--target", load.target, "gRPC target, host:port")
      ->capture_default_str();
  app->add_option("--corpus", arguments->corpus,
                  "Filings with their truth, as inkan-lab writes them")
      ->required();
  app->add_option("--mode", arguments->mode,
                  "Verify, BatchVerify or StreamVerify")
      ->check(CLI::IsMember({"unary", "batch", "stream"}))
      ->capture_default_str();
  app->add_option("--batch-size", load.batch_size, "Filings a message")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app->add_option("--connections", load.connections, "Connections")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  app->add_option("--in-flight", arguments->in_flight,
                  "Messages on the way on a connection; default 32 unary, 4 "
                  "batch or stream,\nat most 1024 in an open loop");
  app->add_option("--rate", load.rate,
                  "Filings a second, sent by the clock; 0: as answers come in")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app->add_option("--duration", arguments->duration_seconds,
                  "Seconds to run; default 10 unless --count is given")
      ->check(CLI::NonNegativeNumber);
  app->add_option("--count", load.count,
                  "Stop after so many filings, taken in the corpus's order");
  app->add_option("--timeout", arguments->timeout_seconds,
                  "Seconds a message may wait for its answer")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

void DescribeRest(CLI::App* app, Arguments* arguments) {
  LoadOptions& load = arguments->load;
  app->add_option("--format", arguments->format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  app->add_option("--tls-ca", load.tls_ca, "PEM file of the server's CA: TLS");
  app->add_option("--tls-cert", load.tls_cert,
                  "PEM file of the client's certificate: mutual TLS");
  app->add_option("--tls-key", load.tls_key, "PEM file of its private key");
  app->add_flag("--i-own-this-target", load.own_target,
                "Allow a target that is not on this machine");
  app->footer(
      "Exit code: 0 every filing got its right verdict; 1 a wrong verdict, or "
      "none;\n2 the server refused some filings; 64 and up usage, files, "
      "connection.");
}

void PrintProgress(const inkan::load::ProgressReport& progress) {
  if (isatty(STDERR_FILENO) == 0) return;
  std::fprintf(stderr, "\r%6.1f s  %12llu filings  %10.0f/s  %llu mismatches ",
               progress.seconds,
               static_cast<unsigned long long>(progress.answered),
               progress.seconds > 0
                   ? static_cast<double>(progress.answered) / progress.seconds
                   : 0.0,
               static_cast<unsigned long long>(progress.mismatches));
}

void Complete(Arguments* arguments) {
  LoadOptions& load = arguments->load;
  load.mode = arguments->mode == "unary"   ? Mode::kUnary
              : arguments->mode == "batch" ? Mode::kBatch
                                           : Mode::kStream;
  if (arguments->duration_seconds == 0 && load.count == 0) {
    arguments->duration_seconds = kDefaultSeconds;
  }
  load.duration = std::chrono::duration<double>(arguments->duration_seconds);
  load.timeout = std::chrono::duration<double>(arguments->timeout_seconds);
  load.in_flight = arguments->in_flight != 0   ? arguments->in_flight
                   : load.rate > 0             ? kInFlightOpenLoop
                   : load.mode == Mode::kUnary ? kInFlightUnary
                                               : kInFlightBatch;
}

int Run(int argc, char** argv) {
  CLI::App app(
      "inkan-load sends filings to an Inkan server and holds every verdict "
      "against the truth.",
      "inkan-load");
  Arguments arguments;
  DescribeLoad(&app, &arguments);
  DescribeRest(&app, &arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  Complete(&arguments);
  const auto fail = [](const absl::Status& status, int code) {
    std::fprintf(stderr, "inkan-load: %s\n",
                 std::string(status.message()).c_str());
    return status.code() == absl::StatusCode::kInvalidArgument ? kUsage : code;
  };
  const absl::StatusOr<inkan::load::Corpus> corpus =
      inkan::load::ReadCorpus(arguments.corpus);
  if (!corpus.ok()) return fail(corpus.status(), kNoInput);
  std::signal(SIGINT, [](int) { g_stop = true; });
  const absl::StatusOr<inkan::load::Report> report =
      inkan::load::RunLoad(arguments.load, *corpus, PrintProgress, &g_stop);
  if (isatty(STDERR_FILENO) == 1) std::fprintf(stderr, "\n");
  if (!report.ok()) return fail(report.status(), kUnavailable);
  const std::string text =
      arguments.format == "json"
          ? inkan::load::JsonReport(arguments.load, *corpus, *report)
          : inkan::load::TextReport(arguments.load, *corpus, *report);
  std::fputs(text.c_str(), stdout);
  return inkan::load::ExitCode(*report);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return kFailure;
  }
}
