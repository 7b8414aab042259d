#include "bench/load/report.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/load/shares.h"

namespace inkan::load {
namespace {

constexpr double kNsPerMs = 1e6;
constexpr double kMsPerSecond = 1e3;
constexpr double kMebibyte = 1 << 20;

// The truth of a kind, from its first entry.
Outcome TruthOf(const Corpus& corpus, uint32_t kind) {
  for (size_t i = 0; i < corpus.entries.size(); ++i) {
    if (corpus.kind_of[i] != kind) continue;
    const lab::v1::Truth& truth = corpus.entries[i].truth();
    return {truth.indication(), truth.sub_indication()};
  }
  return {};
}

// The kinds that pass first, then those that fail alike, each by name.
std::vector<uint32_t> KindsInOrder(const Corpus& corpus) {
  std::vector<std::pair<Outcome, std::string>> keys;
  std::vector<uint32_t> order;
  for (uint32_t kind = 0; kind < corpus.kinds.size(); ++kind) {
    keys.emplace_back(TruthOf(corpus, kind), corpus.kinds[kind]);
    order.push_back(kind);
  }
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return keys[a] < keys[b]; });
  return order;
}

std::string KindTable(const Corpus& corpus, const Results& results) {
  std::string text = absl::StrFormat("  %-27s %9s  %s\n", "kind of filing",
                                     "filings", "verdict");
  for (const uint32_t kind : KindsInOrder(corpus)) {
    const Outcome truth = TruthOf(corpus, kind);
    for (const auto& [outcome, count] : results.by_kind[kind]) {
      absl::StrAppendFormat(
          &text, "%c %-27s %9s  %s%s\n", outcome == truth ? ' ' : '!',
          corpus.kinds[kind], Grouped(count), OutcomeName(outcome),
          outcome == truth
              ? ""
              : absl::StrCat("  (the truth is ", OutcomeName(truth), ")"));
    }
  }
  return text;
}

void AppendLatency(const char* what, const Histogram& latency,
                   std::string* text) {
  if (latency.count() == 0) return;
  absl::StrAppend(text, "  ", what);
  for (const NamedQuantile& q : kQuantiles) {
    absl::StrAppendFormat(text, "  %s %.2f", q.name,
                          Milliseconds(latency.Quantile(q.quantile)));
  }
  absl::StrAppendFormat(text, "  max %.2f\n", Milliseconds(latency.max()));
}

void AppendServer(const Report& report, std::string* text) {
  if (!report.server) return;
  absl::StrAppendFormat(
      text,
      "  server: %.2f processor seconds, %s filings for each; %.1f MiB "
      "resident "
      "at the most\n",
      report.server->cpu_seconds,
      Grouped(static_cast<uint64_t>(report.per_cpu_second())),
      static_cast<double>(report.server->resident_bytes_peak) / kMebibyte);
}

void AppendFaults(const Report& report, std::string* text) {
  const Results& results = report.results;
  absl::StrAppendFormat(text,
                        "  mismatches %s, refused %s, lost %s, unasked %s\n",
                        Grouped(results.mismatches), Grouped(results.refused),
                        Grouped(results.lost), Grouped(results.unasked));
  for (const auto& [code, count] : results.refused_by_code) {
    absl::StrAppendFormat(text, "  refused as %s: %s filings\n", code,
                          Grouped(count));
  }
  for (const auto& [code, count] : results.errors_by_code) {
    absl::StrAppendFormat(text, "  error %s: %s RPCs or messages\n", code,
                          Grouped(count));
  }
  if (report.unsent > 0) {
    absl::StrAppendFormat(
        text,
        "  %s filings were due and not sent: the server kept every connection "
        "full,\n  or this generator is too slow for the rate (--connections, "
        "--in-flight, --batch-size)\n",
        Grouped(report.unsent));
  }
  if (report.stalled) {
    absl::StrAppend(text, "  given up: the server stopped answering\n");
  }
  for (const std::string& example : results.examples) {
    absl::StrAppend(text, "  ! ", example, "\n");
  }
  for (const auto& [code, example] : results.refusal_examples) {
    absl::StrAppend(text, "  refused, for example: ", code, ": ", example,
                    "\n");
  }
}

std::string StepTable(const Campaign& campaign) {
  std::string text = absl::StrFormat(
      "  %12s %12s %9s %9s %9s %10s %10s %12s\n", "rate/s", "answered/s",
      "p50 ms", "p99 ms", "p99.9 ms", "refused", "unsent", "per CPU s");
  for (const Step& step : campaign.steps) {
    const Histogram& latency = step.report.results.latency_ns;
    const auto ms = [&latency](double q) {
      return Milliseconds(latency.Quantile(q));
    };
    absl::StrAppendFormat(
        &text, "  %12s %12s %9.2f %9.2f %9.2f %10s %10s %12s  %s\n",
        step.options.rate > 0
            ? Grouped(static_cast<uint64_t>(step.options.rate))
            : "closed",
        Grouped(static_cast<uint64_t>(step.report.throughput())), ms(0.5),
        ms(0.99), ms(0.999), Grouped(step.report.results.refused),
        Grouped(step.report.unsent),
        Grouped(static_cast<uint64_t>(step.report.per_cpu_second())),
        step.fault);
  }
  return text;
}

std::string Conclusion(const Campaign& campaign) {
  if (campaign.plan.purpose == Purpose::kSearch) {
    const double p99_ms = campaign.plan.p99_max.count() * kMsPerSecond;
    return campaign.best_rate > 0
               ? absl::StrFormat(
                     "  %s filings a second with a p99 of at most %g ms\n",
                     Grouped(static_cast<uint64_t>(campaign.best_rate)), p99_ms)
               : absl::StrFormat("  no rate had a p99 of at most %g ms\n",
                                 p99_ms);
  }
  if (campaign.plan.purpose == Purpose::kOverload &&
      campaign.steps.size() > 1) {
    return absl::StrFormat(
        "  offered %g times the maximum of %s a second: goodput is %.1f %% of "
        "it\n",
        campaign.plan.overload,
        Grouped(static_cast<uint64_t>(campaign.capacity)),
        100 * campaign.goodput_share);
  }
  return "";
}

}  // namespace

uint32_t MessageFilings(const LoadOptions& options) {
  const bool small = options.mix[static_cast<size_t>(Mode::kBatch)] == 0 &&
                     options.mix[static_cast<size_t>(Mode::kStream)] == 0;
  return small ? 1 : options.batch_size;
}

std::string Grouped(uint64_t number) {
  const std::string digits = absl::StrCat(number);
  std::string grouped;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) grouped.push_back(',');
    grouped.push_back(digits[i]);
  }
  return grouped;
}

double Milliseconds(uint64_t ns) { return static_cast<double>(ns) / kNsPerMs; }

std::string PaceName(const LoadOptions& options) {
  if (options.rate <= 0) {
    return absl::StrFormat("closed loop with %d messages in flight each",
                           options.in_flight);
  }
  return absl::StrFormat(
      "open loop at %.0f filings a second, %s", options.rate,
      options.arrivals == Arrivals::kPoisson ? "Poisson" : "even");
}

std::string TextReport(const Step& step, const Corpus& corpus) {
  const LoadOptions& options = step.options;
  const Report& report = step.report;
  std::string text = absl::StrCat(KindTable(corpus, report.results), "\n");
  absl::StrAppendFormat(
      &text, "  %s of %s filings answered in %.2f s: %s a second\n",
      Grouped(report.results.answered), Grouped(report.issued), report.seconds,
      Grouped(static_cast<uint64_t>(report.throughput())));
  absl::StrAppendFormat(
      &text, "  %s, %d filing(s) a message, %d connection%s, %s\n",
      MixName(options.mix), MessageFilings(options), options.connections,
      options.connections == 1 ? "" : "s", PaceName(options));
  if (options.warm_up.count() > 0) {
    absl::StrAppendFormat(
        &text, "  times and rates without the first %g s (warm-up)\n",
        options.warm_up.count());
  }
  AppendLatency("latency ms:", report.results.latency_ns, &text);
  AppendLatency("refusal ms:", report.results.refused_latency_ns, &text);
  AppendServer(report, &text);
  AppendFaults(report, &text);
  return text;
}

std::string TextReport(const Campaign& campaign, const Corpus& corpus) {
  if (campaign.steps.empty()) return "  nothing was sent\n";
  const Step& last = campaign.steps.back();
  if (campaign.plan.purpose == Purpose::kSingle) {
    return TextReport(last, corpus);
  }
  std::string text = absl::StrCat(StepTable(campaign), Conclusion(campaign));
  const bool wrong = ExitCode(last.report) == 1;
  if (wrong) {
    absl::StrAppend(&text,
                    "  ended: the last step's verdicts were not all "
                    "right\n\n",
                    TextReport(last, corpus));
  } else if (campaign.plan.purpose == Purpose::kOverload) {
    for (const Step& step : campaign.steps) {
      absl::StrAppend(&text, "\n  ", PaceName(step.options), "\n");
      AppendLatency("accepted ms:", step.report.results.latency_ns, &text);
      AppendLatency("refusal ms: ", step.report.results.refused_latency_ns,
                    &text);
      AppendServer(step.report, &text);
      AppendFaults(step.report, &text);
    }
  }
  return text;
}

}  // namespace inkan::load
