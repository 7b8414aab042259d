#include "server/statusz.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "cache/crl_data.h"
#include "crypto/rsa.h"
#include "server/build_info.h"
#include "server/statusz_html.h"
#include "server/statusz_style.h"

namespace inkan {
namespace {

// Seconds that "now" is the mean of.
constexpr size_t kNowSamples = 5;

// --- Cards ---

// One value a second, the newest at the right; 60 of them fill the width.
void Spark(const std::vector<double>& values, const char* label, Html* html) {
  constexpr double kWidth = 240;
  constexpr double kHeight = 44;
  const double top =
      values.empty() ? 0 : *std::max_element(values.begin(), values.end());
  const auto x = [&](size_t i) {
    const double from_right = static_cast<double>(values.size() - 1 - i);
    return kWidth - from_right * kWidth /
                        static_cast<double>(StatusSampler::kSamples - 1);
  };
  const auto y = [&](double value) {
    return kHeight - 1.5 - (top > 0 ? value / top * (kHeight - 4) : 0);
  };
  html->Raw(
          "<svg class=\"spark\" viewBox=\"0 0 240 44\" "
          "preserveAspectRatio=\"none\" role=\"img\" aria-label=\"")
      .Text(label)
      .Raw("\">");
  if (values.size() > 1) {
    for (const bool area : {true, false}) {
      if (area) {
        html->Raw("<path class=\"area\" d=\"M");
        html->Number(x(0)).Raw(" 44L");
      } else {
        html->Raw("<path class=\"line\" d=\"M");
      }
      for (size_t i = 0; i < values.size(); ++i) {
        if (i > 0) html->Raw("L");
        html->Number(x(i)).Raw(" ").Number(y(values[i]));
      }
      if (area) html->Raw("L240 44Z");
      html->Raw("\"/>");
    }
  }
  html->Raw("</svg>");
}

void Bar(double share, Html* html) {
  html->Raw("<div class=\"bar\"><i style=\"width:")
      .Number(std::clamp(share, 0.0, 1.0) * 100)
      .Raw("%\"></i></div>");
}

double RatePerSecond(const std::vector<StatusSample>& samples, size_t last) {
  double filings = 0;
  double seconds = 0;
  for (size_t i = samples.size() - std::min(last, samples.size());
       i < samples.size(); ++i) {
    filings += static_cast<double>(samples[i].filings);
    seconds += samples[i].seconds;
  }
  return seconds > 0 ? filings / seconds : 0;
}

void ThroughputCard(const StatusPage& page, Html* html) {
  std::vector<double> rates;
  for (const StatusSample& sample : page.samples) {
    rates.push_back(static_cast<double>(sample.filings) / sample.seconds);
  }
  html->Raw("<div class=\"card\"><div class=\"label\">Filings a second</div>");
  html->Raw("<div class=\"big\" id=\"rate\">")
      .Count(
          static_cast<uint64_t>(RatePerSecond(page.samples, kNowSamples) + 0.5))
      .Raw(" <small>now</small></div>");
  Spark(rates, "filings a second, last minute", html);
  html->Raw("<div class=\"sub\">")
      .Count(page.totals.filings())
      .Raw(" judged since the start</div></div>");
}

void LatencyCard(const StatusPage& page, Html* html) {
  SecondsHistogram minute;
  SecondsHistogram streams;
  std::vector<double> p99s;
  for (const StatusSample& sample : page.samples) {
    minute += sample.calls;
    streams += sample.stream_waits;
    p99s.push_back(Quantile(sample.calls, kSecondsBoundsNs, 0.99));
  }
  html->Raw(
      "<div class=\"card\"><div class=\"label\">Time of a call, last "
      "minute</div><div class=\"big\">");
  html->Text(LatencyText(Quantile(minute, kSecondsBoundsNs, 0.5)))
      .Raw(" <small>half of them</small></div>");
  Spark(p99s, "99th percentile of call times, last minute", html);
  html->Raw("<div class=\"sub\">99 of 100 below ")
      .Text(LatencyText(Quantile(minute, kSecondsBoundsNs, 0.99)))
      .Raw(" · ")
      .Count(minute.count())
      .Raw(" calls</div>");
  if (streams.count() > 0) {
    html->Raw("<div class=\"sub\">streams: ")
        .Count(streams.count())
        .Raw(" messages, 99 of 100 waited less than ")
        .Text(LatencyText(Quantile(streams, kSecondsBoundsNs, 0.99)))
        .Raw("</div>");
  }
  html->Raw("</div>");
}

double ShareOf(uint64_t part, uint64_t all) {
  return all == 0 ? 0 : static_cast<double>(part) / static_cast<double>(all);
}

void QueueCard(const StatusPage& page, Html* html) {
  // Each lane is full by itself; the fullest is what somebody is refused by.
  size_t fullest = 0;
  std::array<double, kLanes> shares = {};
  for (size_t lane = 0; lane < kLanes; ++lane) {
    shares[lane] =
        ShareOf(page.counters.lane_filings[lane], page.lane_filings_max[lane]);
    if (shares[lane] > shares[fullest]) fullest = lane;
  }
  html->Raw(
      "<div class=\"card\"><div class=\"label\">Filings waiting</div><div "
      "class=\"big\">");
  html->Count(page.counters.filings_waiting)
      .Raw(" <small>")
      .Count(static_cast<uint64_t>(std::min(shares[fullest], 1.0) * 100 + 0.5))
      .Raw(" % of ")
      .Count(page.lane_filings_max[fullest])
      .Raw(" in lane ")
      .Text(kLaneNames[fullest])
      .Raw("</small></div>");
  Bar(std::max(
          {shares[fullest],
           ShareOf(page.counters.filings_held_back, page.held_back_filings_max),
           ShareOf(page.counters.bytes_held, page.queue_bytes_max)}),
      html);
  html->Raw("<div class=\"sub\">")
      .Text(BytesText(page.counters.bytes_held))
      .Raw(" held · ")
      .Count(page.counters.filings_held_back)
      .Raw(" held back in streams · ")
      .Count(RejectsOf(page.counters))
      .Raw(" refused or dropped since the start</div></div>");
}

// Lanes of a kernel of crypto/rsa_kernels.h.
size_t LanesOf(std::string_view kernel) {
  if (kernel == "avx512ifma") return 8;
  return kernel == "avx2" ? 4 : 1;
}

void WorkersCard(const StatusPage& page, Html* html) {
  double busy = 0;
  double seconds = 0;
  for (const StatusSample& sample : page.samples) {
    busy += static_cast<double>(sample.busy_ns) / 1e9;
    seconds += sample.seconds;
  }
  const double share =
      seconds > 0 && page.workers > 0
          ? busy / (seconds * static_cast<double>(page.workers))
          : 0;
  uint64_t groups = 0;
  uint64_t jobs = 0;
  for (size_t lanes = 1; lanes < page.totals.rsa_groups.size(); ++lanes) {
    groups += page.totals.rsa_groups[lanes];
    jobs += lanes * page.totals.rsa_groups[lanes];
  }
  html->Raw(
      "<div class=\"card\"><div class=\"label\">Workers busy, last "
      "minute</div><div class=\"big\">");
  html->Count(static_cast<uint64_t>(std::min(share, 1.0) * 100 + 0.5))
      .Raw(" % <small>of ")
      .Count(page.workers)
      .Raw("</small></div>");
  Bar(share, html);
  html->Raw("<div class=\"sub\">kernel <b>").Text(page.kernel).Raw("</b>");
  if (groups > 0 && LanesOf(page.kernel) > 1) {
    html->Raw(", ")
        .Number(static_cast<double>(jobs) / static_cast<double>(groups))
        .Raw(" of ")
        .Count(LanesOf(page.kernel))
        .Raw(" lanes filled");
  }
  html->Raw("</div></div>");
}

// --- What is wrong ---

void Findings(const StatusPage& page, Html* html) {
  html->Raw("<h2>What is wrong, and what to do</h2>");
  if (page.findings.empty()) {
    html->Raw("<div class=\"calm\">Nothing. Filings get their verdicts.</div>");
    return;
  }
  for (size_t i = 0; i < page.findings.size(); ++i) {
    if (i == kStatuszRowsMax) {
      html->Raw("<p class=\"sub\">and ")
          .Count(page.findings.size() - i)
          .Raw(" more</p>");
      break;
    }
    const OpsFinding& finding = page.findings[i];
    if (finding.severe) {
      html->Raw("<div class=\"finding bad\"><b>");
    } else {
      html->Raw("<div class=\"finding\"><b>");
    }
    html->Text(finding.what).Raw("</b>").Text(finding.remedy).Raw("</div>");
  }
}

// --- Verdicts ---

struct OutcomeText {
  std::string_view indication;
  std::string_view sub_indication;
};
constexpr OutcomeText kOutcomes[] = {
#define INKAN_TEXT(name, indication, sub_indication) \
  {#indication, #sub_indication},
    INKAN_OUTCOMES(INKAN_TEXT)
#undef INKAN_TEXT
};

// 0 passed, 1 indeterminate, 2 failed.
size_t KindOf(size_t outcome) {
  if (outcome == static_cast<size_t>(Outcome::kPassed)) return 0;
  return kOutcomes[outcome].indication == "INDETERMINATE" ? 1 : 2;
}

void Swatch(size_t kind, Html* html) {
  if (kind == 0) html->Raw("<i class=\"good\"");
  if (kind == 1) html->Raw("<i class=\"warn\"");
  if (kind == 2) html->Raw("<i class=\"bad\"");
}

void VerdictRow(const StatusPage& page, size_t slot, Html* html) {
  const auto& counts = page.totals.verdicts[slot];
  html->Raw("<tr><td>").Text(page.profiles[slot]).Raw("</td><td class=\"n\">");
  html->Count(counts[static_cast<size_t>(Outcome::kPassed)])
      .Raw("</td><td class=\"wide\">");
  bool any = false;
  for (size_t outcome = 0; outcome < kOutcomeCount; ++outcome) {
    if (counts[outcome] == 0 || KindOf(outcome) == 0) continue;
    if (any) html->Raw(" · ");
    any = true;
    if (KindOf(outcome) == 1) {
      html->Raw("<span class=\"warn\">");
    } else {
      html->Raw("<span class=\"bad\">");
    }
    html->Text(kOutcomes[outcome].sub_indication)
        .Raw("</span> ")
        .Count(counts[outcome]);
  }
  html->Raw("</td></tr>");
}

void Verdicts(const StatusPage& page, Html* html) {
  std::array<uint64_t, 3> kinds{};
  for (const auto& profile : page.totals.verdicts) {
    for (size_t outcome = 0; outcome < kOutcomeCount; ++outcome) {
      kinds[KindOf(outcome)] += profile[outcome];
    }
  }
  const uint64_t all = kinds[0] + kinds[1] + kinds[2];
  html->Raw("<h2>Verdicts since the start</h2><div class=\"card\">");
  html->Raw("<div class=\"bar\">");
  for (size_t kind = 0; kind < 3; ++kind) {
    if (all == 0) break;
    Swatch(kind, html);
    html->Raw(" style=\"width:")
        .Number(100 * static_cast<double>(kinds[kind]) /
                static_cast<double>(all))
        .Raw("%\"></i>");
  }
  html->Raw("</div><div class=\"legend\">");
  constexpr const char* kNames[] = {"TOTAL_PASSED", "INDETERMINATE",
                                    "TOTAL_FAILED"};
  for (size_t kind = 0; kind < 3; ++kind) {
    html->Raw("<span>");
    Swatch(kind, html);
    html->Raw("></i>").Text(kNames[kind]).Raw(" <b>").Count(kinds[kind]);
    html->Raw("</b></span>");
  }
  html->Raw("</div>");
  if (all > 0) {
    html->Raw(
        "<div class=\"scroll\" style=\"margin-top:12px\"><table><tr>"
        "<th>Profile</th><th class=\"n\">Passed</th><th>Not passed</th></tr>");
    for (size_t slot = 0; slot < page.profiles.size(); ++slot) {
      uint64_t judged = 0;
      for (const uint64_t n : page.totals.verdicts[slot]) judged += n;
      if (judged > 0) VerdictRow(page, slot, html);
    }
    html->Raw("</table></div>");
  }
  html->Raw("</div>");
}

// --- CRLs ---

// "in 5 h 3 min", "2 d 1 h ago", in the colour of what it means.
void Ends(std::optional<int64_t> at, absl::Time now, Html* html) {
  if (!at.has_value()) {
    html->Raw("never");
    return;
  }
  if (*at == std::numeric_limits<int64_t>::min()) {
    html->Raw("<span class=\"bad\">not at all</span>");
    return;
  }
  const absl::Duration left = absl::FromUnixSeconds(*at) - now;
  if (left <= absl::ZeroDuration()) {
    html->Raw("<span class=\"bad\">").Text(SpanText(-left)).Raw(" ago</span>");
  } else if (left < absl::Hours(4)) {
    html->Raw("<span class=\"warn\">in ").Text(SpanText(left)).Raw("</span>");
  } else {
    html->Raw("in ").Text(SpanText(left));
  }
}

size_t RowsMax(const StatusPage& page) {
  return page.all ? std::numeric_limits<size_t>::max() : kStatuszRowsMax;
}

void CrlRows(const StatusPage& page, const CrlGroup& group, Html* html) {
  html->Raw(
      "<div class=\"scroll\"><table><tr><th>Scope</th><th>Number</th><th "
      "class=\"n\">Entries</th><th class=\"n\">Age</th><th "
      "class=\"n\">nextUpdate</th><th class=\"n\">Believed "
      "until</th><th>From</th></tr>");
  const size_t rows_max = RowsMax(page);
  for (size_t i = 0; i < std::min(group.rows.size(), rows_max); ++i) {
    const CrlRow& row = group.rows[i];
    const CrlData& crl = *row.crl;
    html->Raw("<tr><td class=\"wide\">")
        .Text(crl.scope_text.empty() ? "all certificates of the issuer"
                                     : crl.scope_text);
    if (row.is_delta) html->Raw(" <b>(delta)</b>");
    html->Raw("</td><td><code>")
        .Text(absl::BytesToHexString(crl.crl_number))
        .Raw("</code></td><td class=\"n\">")
        .Count(crl.entries())
        .Raw("</td><td class=\"n\">")
        .Text(SpanText(page.now - absl::FromUnixSeconds(crl.this_update)))
        .Raw("</td><td class=\"n\">");
    Ends(crl.has_next_update ? std::optional<int64_t>(crl.next_update)
                             : std::nullopt,
         page.now, html);
    html->Raw("</td><td class=\"n\">");
    Ends(row.stale_at, page.now, html);
    html->Raw("</td><td class=\"wide\"><code>")
        .Text(crl.source)
        .Raw("</code></td></tr>");
  }
  html->Raw("</table></div>");
  if (group.rows.size() > rows_max) {
    html->Raw("<p class=\"sub\">The first to end of ")
        .Count(group.rows.size())
        .Raw("; <a href=\"/statusz/all\">all of them</a>.</p>");
  }
}

void CrlGroupDetails(const StatusPage& page, const CrlGroup& group,
                     Html* html) {
  html->Raw("<details><summary><span class=\"who\">")
      .Text(group.issuer)
      .Raw(" <span>· ")
      .Text(group.profile)
      .Raw("</span></span><span>")
      .Count(group.partitions);
  if (group.partitions == 1) {
    html->Raw(" CRL");
  } else {
    html->Raw(" CRLs");
  }
  if (group.stale > 0) {
    html->Raw(", <span class=\"bad\">")
        .Count(group.stale)
        .Raw(" too old</span>");
  }
  html->Raw("</span><span>").Count(group.entries).Raw(" entries</span><span>");
  html->Raw("oldest ")
      .Text(
          SpanText(page.now - absl::FromUnixSeconds(group.oldest_this_update)))
      .Raw("</span><span>first ends ");
  Ends(group.earliest_stale_at, page.now, html);
  html->Raw("</span></summary>");
  CrlRows(page, group, html);
  html->Raw("</details>");
}

void Crls(const StatusPage& page, Html* html) {
  html->Raw("<h2>CRLs in force, worst first</h2><div class=\"card\">");
  if (page.groups.empty()) html->Raw("<p class=\"sub\">There are none.</p>");
  for (size_t i = 0; i < page.groups.size(); ++i) {
    if (i == kStatuszGroupsMax && !page.all) {
      html->Raw("<p class=\"sub\">and ")
          .Count(page.groups.size() - i)
          .Raw(" more issuers; <a href=\"/statusz/all\">all of them</a></p>");
      break;
    }
    CrlGroupDetails(page, page.groups[i], html);
  }
  html->Raw("</div>");
  if (page.source_errors.empty()) return;
  html->Raw(
      "<h2>Sources that cannot be used</h2><div class=\"card scroll\"><table>"
      "<tr><th>Source</th><th>Why</th><th class=\"n\">Last tried</th><th>Its "
      "last good CRL</th></tr>");
  for (size_t i = 0; i < page.source_errors.size(); ++i) {
    if (i == RowsMax(page)) break;
    const CrlSourceError& error = page.source_errors[i];
    html->Raw("<tr><td class=\"wide\"><code>")
        .Text(error.source)
        .Raw("</code></td><td class=\"wide\">")
        .Text(error.error)
        .Raw("</td><td class=\"n\">")
        .Text(SpanText(page.now - error.last_attempt))
        .Raw(" ago</td><td>");
    if (error.last_good_in_use) {
      html->Raw("stays in use</td></tr>");
    } else {
      html->Raw("there is none</td></tr>");
    }
  }
  html->Raw("</table></div>");
  if (page.source_errors.size() > RowsMax(page)) {
    html->Raw("<p class=\"sub\">of ")
        .Count(page.source_errors.size())
        .Raw(" in all</p>");
  }
}

// --- The rest ---

void Term(const char* term, std::string_view text, Html* html) {
  html->Raw("<dt>").Text(term).Raw("</dt><dd>").Text(text).Raw("</dd>");
}

void Facts(const StatusPage& page, Html* html) {
  html->Raw("<h2>The server</h2><div class=\"cards\">");
  html->Raw("<div class=\"card\"><dl>");
  Term("Snapshot", absl::StrCat(page.snapshot->generation), html);
  Term("In force for", SpanText(page.now - page.snapshot_since), html);
  html->Raw("<dt>Digest</dt><dd><code>")
      .Text(absl::BytesToHexString(absl::string_view(
          reinterpret_cast<const char*>(page.snapshot->digest.data()), 8)))
      .Raw("…</code></dd>");
  Term("Profiles", absl::StrCat(page.snapshot->profiles.size()), html);
  html->Raw("</dl></div><div class=\"card\"><dl>");
  if (page.audit.has_value()) {
    Term("Audit log", page.audit->failing ? "FAILS" : "written", html);
    Term("Lines", WithCommas(page.audit->lines), html);
    Term("Lost lines", WithCommas(page.audit->dropped_lines), html);
    Term("File", page.audit_file, html);
  } else {
    Term("Audit log", "not configured", html);
  }
  html->Raw("</dl></div><div class=\"card\"><dl>");
  Term("Resident memory", BytesText(page.process.resident_bytes), html);
  Term("Processor time", SpanText(absl::Seconds(page.process.cpu_seconds)),
       html);
  Term("File descriptors",
       absl::StrCat(WithCommas(page.process.open_fds), " of ",
                    WithCommas(page.process.max_fds)),
       html);
  Term("Threads", absl::StrCat(page.process.threads), html);
  html->Raw("</dl></div><div class=\"card\"><dl>");
  Term("Version", page.version, html);
  Term("Build", page.build, html);
  Term("Libraries", page.libraries, html);
  Term("RSA kernel", absl::StrCat(page.kernel, ": ", page.kernel_reason), html);
  html->Raw("</dl></div></div>");
}

void Header(const StatusPage& page, Html* html) {
  // The seal: a ring and the character's strokes, drawn, so that no font has to
  // have it.
  html->Raw(
      "<header><svg width=\"46\" height=\"46\" viewBox=\"0 0 46 46\" "
      "aria-hidden=\"true\"><g fill=\"none\" stroke=\"#c23a28\" "
      "stroke-linecap=\"round\"><circle cx=\"23\" cy=\"23\" r=\"20.5\" "
      "stroke-width=\"3\"/><path stroke-width=\"2.6\" d=\"M20 11.5L13.5 "
      "14.5V32M13.5 22.5H20.5M13.5 31.5H20.5M25.5 13.5H33V25.5L31 "
      "27.5M25.5 13.5V35.5\"/></g></svg>");
  html->Raw("<div><h1>Inkan</h1><div class=\"sub\">")
      .Text(page.version)
      .Raw(" · up ")
      .Text(SpanText(page.now - page.started_at))
      .Raw(" · ")
      .Text(TimeText(page.now))
      .Raw("</div></div>");
  if (!page.readiness.ready) {
    html->Raw("<div class=\"pill bad\" id=\"state\">Not ready</div>");
  } else if (!page.findings.empty()) {
    html->Raw("<div class=\"pill warn\" id=\"state\">Serving, see below</div>");
  } else {
    html->Raw("<div class=\"pill good\" id=\"state\">Serving</div>");
  }
  html->Raw("</header>");
}

}  // namespace

std::string RenderStatusPage(const StatusPage& page) {
  Html html;
  html.Raw(
      "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\">");
  if (page.live) html.Raw("<meta http-equiv=\"refresh\" content=\"5\">");
  // An icon of its own, so that no browser asks for one.
  html.Raw(
      "<title>Inkan status</title><link rel=\"icon\" "
      "href=\"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' "
      "viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='6.5' fill='none' "
      "stroke='%23c23a28' stroke-width='3'/%3E%3C/svg%3E\"><style>");
  html.Raw(kStatuszStyle);
  html.Raw("</style></head><body><main>");
  Header(page, &html);
  html.Raw("<div class=\"cards\">");
  ThroughputCard(page, &html);
  LatencyCard(page, &html);
  QueueCard(page, &html);
  WorkersCard(page, &html);
  html.Raw("</div>");
  Findings(page, &html);
  Verdicts(page, &html);
  Crls(page, &html);
  Facts(page, &html);
  html.Raw("<footer>");
  if (page.live) {
    html.Raw(
        "Loads itself again every 5 s. <a href=\"/statusz\">Stop that</a>");
  } else {
    html.Raw("<a href=\"/statusz/live\">Load again every 5 s</a>");
  }
  html.Raw(" · <a href=\"/statusz/all\">every CRL</a>");
  html.Raw(
      " · <a href=\"/metrics\">metrics</a> · <a href=\"/healthz\">healthz</a> "
      "· <a href=\"/readyz\">readyz</a></footer></main></body></html>\n");
  return html.Take();
}

StatusPage CollectStatusPage(const OpsView& view, const StatusSampler& sampler,
                             absl::Time now) {
  StatusPage page;
  page.now = now;
  page.started_at = view.started_at;
  page.readiness = ReadinessNow(view, now);
  page.findings = FindingsNow(view, now);
  page.samples = sampler.samples();
  page.totals = view.metrics->SumOfWorkers();
  page.profiles = view.metrics->profile_names();
  page.workers = view.metrics->workers();
  page.counters = view.batcher->counters();
  const BatcherOptions& queue = view.batcher->options();
  std::copy(queue.lane_filings_max.begin(), queue.lane_filings_max.end(),
            page.lane_filings_max.begin());
  page.held_back_filings_max = queue.held_back_filings_max;
  page.queue_bytes_max = view.options->limits.queue_bytes_max;
  page.snapshot = view.keeper->Current();
  page.snapshot_since = sampler.snapshot_since();
  page.groups = GroupCrls(*page.snapshot, now);
  page.source_errors = view.keeper->source_errors();
  page.kernel = GetRsaKernelInfo().name;
  page.kernel_reason = GetRsaKernelInfo().reason;
  if (view.audit != nullptr) {
    page.audit = view.audit->counters();
    page.audit_file = view.audit->options().file;
  }
  page.process = ReadProcessFacts();
  page.version = BuildVersion();
  page.build = BuildDescription();
  page.libraries = absl::StrCat(OpenSSL_version(OPENSSL_VERSION_STRING),
                                " OpenSSL, ", view.grpc_version, " gRPC");
  uint64_t rejects = 0;
  for (const StatusSample& sample : page.samples) rejects += sample.rejects;
  if (rejects > 0) {
    page.findings.push_back(
        {false,
         absl::StrCat(WithCommas(rejects),
                      " filings were refused or dropped unjudged in the last "
                      "minute."),
         "If the queue above is full, there are more filings than this machine "
         "can judge: add a server."});
  }
  return page;
}

}  // namespace inkan
