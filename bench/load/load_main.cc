// inkan-load: sends a corpus to a server and holds every verdict against the
// truth.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <exception>
#include <fstream>
#include <string>

#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "bench/load/campaign.h"
#include "bench/load/corpus_file.h"
#include "bench/load/html_report.h"
#include "bench/load/load_flags.h"
#include "bench/load/report.h"

namespace inkan::load {
namespace {

constexpr int kUsage = 64;         // sysexits.h EX_USAGE
constexpr int kNoInput = 66;       // EX_NOINPUT
constexpr int kUnavailable = 69;   // EX_UNAVAILABLE
constexpr int kFailure = 70;       // EX_SOFTWARE
constexpr int kCannotCreate = 73;  // EX_CANTCREAT

std::atomic<bool> g_stop = false;

// The first ^C ends the run in order, the second the program.
void TakeInterrupts() {
  std::signal(SIGINT, [](int) {
    g_stop = true;
    std::signal(SIGINT, SIG_DFL);
  });
}

// One line on a terminal, written over a few times a second.
class ProgressLine {
 public:
  void Begin(const LoadOptions& options) {
    last_ = ProgressReport();
    rate_ = 0;
    offered_ = options.rate;
  }

  void Show(const ProgressReport& now) {
    if (!terminal_) return;
    if (now.seconds - last_.seconds >= kRefreshSeconds) {
      rate_ = static_cast<double>(now.answered - last_.answered) /
              (now.seconds - last_.seconds);
      last_ = now;
    }
    const auto number = [](double value) {
      return Grouped(static_cast<uint64_t>(value));
    };
    std::fprintf(
        stderr, "\r\033[K%6.1f s  %s%s filings  %s/s now  %s refused  %s wrong",
        now.seconds,
        offered_ > 0 ? (number(offered_) + "/s offered  ").c_str() : "",
        Grouped(now.answered).c_str(), number(rate_).c_str(),
        Grouped(now.refused).c_str(), Grouped(now.wrong).c_str());
  }

  void End() const {
    if (terminal_) std::fputs("\r\033[K", stderr);
  }

 private:
  static constexpr double kRefreshSeconds = 0.5;
  const bool terminal_ = isatty(STDERR_FILENO) == 1;
  ProgressReport last_;
  double rate_ = 0;
  double offered_ = 0;
};

// With several steps, one line for each on standard error as it ends.
void TellStep(const Plan& plan, const Step& step) {
  if (plan.purpose == Purpose::kSingle) return;
  std::fprintf(stderr, "  %s: %s/s answered, p99 %.2f ms%s%s\n",
               PaceName(step.options).c_str(),
               Grouped(static_cast<uint64_t>(step.report.throughput())).c_str(),
               Milliseconds(step.report.results.latency_ns.Quantile(0.99)),
               step.fault.empty() ? "" : ", not good: ", step.fault.c_str());
}

int Fail(const absl::Status& status, int code) {
  std::fprintf(stderr, "inkan-load: %s\n",
               std::string(status.message()).c_str());
  return status.code() == absl::StatusCode::kInvalidArgument ? kUsage : code;
}

absl::StatusOr<Corpus> ReadFilings(const Arguments& arguments) {
  absl::StatusOr<Corpus> corpus = ReadCorpus(arguments.corpus);
  if (!corpus.ok() || arguments.kinds.empty()) return corpus;
  return SelectKinds("--kinds", arguments.kinds, *corpus,
                     arguments.plan.load.seed);
}

int Print(const Arguments& arguments, const Corpus& corpus,
          const Campaign& campaign) {
  const std::string text =
      arguments.format == "json"  ? JsonReport(campaign, corpus)
      : arguments.format == "csv" ? CsvReport(campaign)
                                  : TextReport(campaign, corpus);
  std::fputs(text.c_str(), stdout);
  if (!arguments.html.empty()) {
    const std::string when = absl::FormatTime("%Y-%m-%d %H:%M:%S UTC",
                                              absl::Now(), absl::UTCTimeZone());
    std::ofstream out(arguments.html);
    out << HtmlReport(campaign, when);
    out.close();
    if (!out) {
      std::fprintf(stderr, "inkan-load: --html: cannot write %s\n",
                   arguments.html.c_str());
      return kCannotCreate;
    }
  }
  return ExitCode(campaign);
}

int Run(int argc, char** argv) {
  CLI::App app(
      "inkan-load sends filings to an Inkan server and holds every verdict "
      "against the truth.",
      "inkan-load");
  Arguments arguments;
  DescribeFlags(&app, &arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  const absl::Status complete = Complete(&arguments);
  if (!complete.ok()) return Fail(complete, kUsage);
  const absl::StatusOr<Corpus> corpus = ReadFilings(arguments);
  if (!corpus.ok()) return Fail(corpus.status(), kNoInput);
  TakeInterrupts();
  ProgressLine line;
  Watch watch;
  watch.step_begins = [&](const LoadOptions& options) { line.Begin(options); };
  watch.progress = [&](const ProgressReport& now) { line.Show(now); };
  watch.step_ends = [&](const Step& step) {
    line.End();
    TellStep(arguments.plan, step);
  };
  const absl::StatusOr<Campaign> campaign =
      RunCampaign(arguments.plan, *corpus, watch, &g_stop);
  if (!campaign.ok()) return Fail(campaign.status(), kUnavailable);
  return Print(arguments, *corpus, *campaign);
}

}  // namespace
}  // namespace inkan::load

int main(int argc, char** argv) {
  // As inkand does, and for the same reason.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  try {
    return inkan::load::Run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return inkan::load::kFailure;
  }
}
