#include "bench/load/html_report.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/load/report.h"
#include "bench/load/shares.h"
#include "bench/load/svg_chart.h"

namespace inkan::load {
namespace {

constexpr double kMsPerSecond = 1e3;
// Percentile curves in one chart; more cannot be told apart.
constexpr size_t kCurvesMax = std::size(kChartColours);

constexpr char kStyle[] = R"(
:root { --ground: #fff; --ink: #1c1e21; --muted: #60656c; --grid: #e3e5e8;
        --bad: #b3261e; color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #16181b; --ink: #e8eaed; --muted: #9aa0a6; --grid: #33373c;
          --bad: #f2948c; } }
body { background: var(--ground); color: var(--ink); margin: 2rem auto;
       max-width: 60rem; padding: 0 1rem; font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin-bottom: 0; } .about { color: var(--muted); }
.result { font-size: 1.15rem; margin: 1.2rem 0; }
svg { width: 100%; height: auto; margin: 1rem 0; font: 12px system-ui, sans-serif; }
svg text { fill: var(--ink); } svg .title { font-size: 16px; font-weight: 600; }
svg .tick, svg .axis { fill: var(--muted); } svg .grid { stroke: var(--grid); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid var(--grid);
         white-space: nowrap; }
th { color: var(--muted); font-weight: 500; } td:last-child { text-align: left; }
.bad { color: var(--bad); }
)";

bool IsGood(const Step& step) {
  return ExitCode(step.report) == 0 && step.fault.empty();
}

// What was asked of the server: the rate, or what a closed loop came to.
double LoadOf(const Step& step) {
  return step.options.rate > 0 ? step.options.rate : step.report.throughput();
}

std::string LoadName(const Step& step) {
  return absl::StrCat(Grouped(static_cast<uint64_t>(LoadOf(step))),
                      step.options.rate > 0 ? "/s" : "/s closed");
}

std::vector<const Step*> ByLoad(const Campaign& campaign) {
  std::vector<const Step*> steps;
  for (const Step& step : campaign.steps) {
    if (step.report.results.latency_ns.count() > 0) steps.push_back(&step);
  }
  std::sort(steps.begin(), steps.end(), [](const Step* a, const Step* b) {
    return LoadOf(*a) < LoadOf(*b);
  });
  return steps;
}

std::string LatencyAgainstLoad(const Campaign& campaign) {
  const std::vector<const Step*> steps = ByLoad(campaign);
  SvgChart chart("Latency against load", {"filings a second offered"},
                 {"milliseconds", /*log=*/true});
  size_t colour = 0;
  for (const NamedQuantile& q : kQuantiles) {
    if (q.quantile == 0.9 || q.quantile > 0.999) continue;
    ChartLine line{q.name, {}, kChartColours[colour++]};
    for (const Step* step : steps) {
      const double ms =
          Milliseconds(step->report.results.latency_ns.Quantile(q.quantile));
      line.points.push_back(
          {LoadOf(*step), ms,
           absl::StrFormat(
               "%s: %s %.2f ms%s%s", LoadName(*step), q.name, ms,
               step->fault.empty() ? "" : ", not good: ", step->fault),
           !IsGood(*step)});
    }
    chart.AddLine(std::move(line));
  }
  if (campaign.plan.purpose == Purpose::kSearch && !steps.empty()) {
    const double bound = campaign.plan.p99_max.count() * kMsPerSecond;
    chart.AddLine({absl::StrFormat("p99 bound %g ms", bound),
                   {{0, bound, ""}, {LoadOf(*steps.back()), bound, ""}},
                   "var(--muted)",
                   /*dashed=*/true});
  }
  return chart.Draw();
}

std::string AnsweredAgainstLoad(const Campaign& campaign) {
  SvgChart chart("Answered against offered", {"filings a second offered"},
                 {"filings a second answered"});
  ChartLine line{"answered", {}, kChartColours[0]};
  for (const Step* step : ByLoad(campaign)) {
    line.points.push_back(
        {LoadOf(*step), step->report.throughput(),
         absl::StrCat(LoadName(*step), " offered, ",
                      Grouped(static_cast<uint64_t>(step->report.throughput())),
                      "/s answered"),
         !IsGood(*step)});
  }
  const double end = line.points.empty() ? 1 : line.points.back().x;
  chart.AddLine({"all answered",
                 {{0, 0, ""}, {end, end, ""}},
                 "var(--muted)",
                 /*dashed=*/true});
  chart.AddLine(std::move(line));
  return chart.Draw();
}

// Percentiles by their nines: 90 %, 99 %, 99.9 % are equally far apart.
std::string Percentiles(const Campaign& campaign) {
  std::vector<const Step*> steps = ByLoad(campaign);
  if (steps.size() > kCurvesMax) {  // an even choice, first and last included
    std::vector<const Step*> some;
    for (size_t i = 0; i < kCurvesMax; ++i) {
      some.push_back(steps[i * (steps.size() - 1) / (kCurvesMax - 1)]);
    }
    steps = some;
  }
  double nines_max = 1;
  for (const Step* step : steps) {
    const auto count =
        static_cast<double>(step->report.results.latency_ns.count());
    nines_max = std::max(nines_max, std::log10(std::max(count, 10.0)));
  }
  static constexpr const char* kNames[] = {
      "0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %"};
  ChartAxis x{"share of filings answered within"};
  const auto last = static_cast<size_t>(std::ceil(nines_max));
  for (size_t i = 0; i <= last && i < std::size(kNames); ++i) {
    x.ticks.emplace_back(static_cast<double>(i), kNames[i]);
  }
  SvgChart chart("Latency by percentile", x, {"milliseconds", /*log=*/true});
  for (size_t i = 0; i < steps.size(); ++i) {
    const Histogram& latency = steps[i]->report.results.latency_ns;
    ChartLine line{LoadName(*steps[i]), {}, kChartColours[i]};
    const double end = std::min({std::log10(static_cast<double>(
                                     std::max<uint64_t>(latency.count(), 2))),
                                 x.ticks.back().first});
    constexpr int kSamples = 200;
    for (int k = 0; k <= kSamples; ++k) {
      const double nines = end * k / kSamples;
      line.points.push_back(
          {nines, Milliseconds(latency.Quantile(1 - std::pow(10, -nines))), "",
           false});
    }
    chart.AddLine(std::move(line));
  }
  return chart.Draw();
}

std::string StepsTable(const Campaign& campaign) {
  std::string html =
      "<div class='scroll'><table><tr><th>offered/s<th>answered/s";
  for (const NamedQuantile& q : kQuantiles) {
    absl::StrAppend(&html, "<th>", q.name, " ms");
  }
  absl::StrAppend(&html,
                  "<th>refused<th>unsent<th>wrong or lost"
                  "<th>per CPU s<th>MiB<th></tr>\n");
  for (const Step& step : campaign.steps) {
    const Report& report = step.report;
    const Results& results = report.results;
    absl::StrAppend(&html, "<tr><td>",
                    step.options.rate > 0
                        ? Grouped(static_cast<uint64_t>(step.options.rate))
                        : "closed loop",
                    "<td>",
                    Grouped(static_cast<uint64_t>(report.throughput())));
    for (const NamedQuantile& q : kQuantiles) {
      absl::StrAppendFormat(
          &html, "<td>%.2f",
          Milliseconds(results.latency_ns.Quantile(q.quantile)));
    }
    absl::StrAppend(
        &html, "<td>", Grouped(results.refused), "<td>", Grouped(report.unsent),
        "<td>", Grouped(results.mismatches + results.lost + results.unasked));
    if (report.server) {
      absl::StrAppend(&html, "<td>",
                      Grouped(static_cast<uint64_t>(report.per_cpu_second())),
                      "<td>",
                      Grouped(report.server->resident_bytes_peak >> 20U));
    } else {
      absl::StrAppend(&html, "<td>&ndash;<td>&ndash;");
    }
    absl::StrAppend(&html, "<td", IsGood(step) ? ">" : " class='bad'>",
                    EscapeHtml(step.fault), "</tr>\n");
  }
  return html + "</table></div>\n";
}

std::string Result(const Campaign& campaign) {
  if (campaign.steps.empty()) return "Nothing was sent.";
  switch (campaign.plan.purpose) {
    case Purpose::kSearch:
      return absl::StrFormat(
          "<b>%s filings a second</b> with a p99 of at most %g ms.",
          Grouped(static_cast<uint64_t>(campaign.best_rate)),
          campaign.plan.p99_max.count() * kMsPerSecond);
    case Purpose::kOverload:
      return absl::StrFormat(
          "Offered %g times its maximum of %s filings a second, the server "
          "answered <b>%.1f %%</b> of that maximum.",
          campaign.plan.overload,
          Grouped(static_cast<uint64_t>(campaign.capacity)),
          100 * campaign.goodput_share);
    default:
      return absl::StrFormat(
          "<b>%s filings a second</b> answered%s.",
          Grouped(
              static_cast<uint64_t>(campaign.steps.back().report.throughput())),
          campaign.steps.size() > 1 ? " in the last step" : "");
  }
}

}  // namespace

std::string HtmlReport(const Campaign& campaign, const std::string& when) {
  const LoadOptions& options = campaign.plan.load;
  std::string html = absl::StrCat(
      "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>\n"
      "<meta name='viewport' content='width=device-width'>\n"
      "<title>inkan-load</title><style>",
      kStyle, "</style></head><body>\n<h1>Load on ", EscapeHtml(options.target),
      "</h1>\n<p class='about'>");
  absl::StrAppendFormat(
      &html,
      "%s; %s, %d filing(s) a message, %d connection%s, %s arrivals; each "
      "step %g s after %g s of warm-up</p>\n<p class='result'>",
      EscapeHtml(when), EscapeHtml(MixName(options.mix)),
      MessageFilings(options), options.connections,
      options.connections == 1 ? "" : "s",
      options.arrivals == Arrivals::kPoisson ? "Poisson" : "even",
      options.duration.count(), options.warm_up.count());
  absl::StrAppend(&html, Result(campaign), "</p>\n");
  if (campaign.steps.size() > 1) {
    absl::StrAppend(&html, LatencyAgainstLoad(campaign),
                    AnsweredAgainstLoad(campaign));
  }
  if (!ByLoad(campaign).empty()) absl::StrAppend(&html, Percentiles(campaign));
  absl::StrAppend(
      &html, StepsTable(campaign),
      "<p class='about'>Latency counts from the moment a message was due, "
      "however late it left, and is within 0.8 %. Hollow points and rows in "
      "red "
      "did not meet their goal.</p>\n</body></html>\n");
  return html;
}

}  // namespace inkan::load
