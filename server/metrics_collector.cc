#include "server/metrics_collector.h"

#include <prometheus/text_serializer.h>

#include <map>
#include <sstream>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "cache/crl_error_class.h"
#include "crypto/rsa.h"
#include "server/answer_watch.h"
#include "server/build_info.h"
#include "server/gate.h"
#include "server/grpc_listener.h"
#include "server/log.h"
#include "server/metrics_crl.h"
#include "server/metrics_list.h"
#include "server/metrics_process.h"

namespace inkan {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using Labels = std::initializer_list<std::string_view>;

// The families being filled in, in the list's order.
class Families {
 public:
  Families() {
    for (const MetricSpec& spec : MetricList()) {
      MetricFamily& family = families_.emplace_back();
      family.name = spec.name;
      family.help = spec.help;
      switch (spec.type) {
        case MetricType::kCounter:
          family.type = prometheus::MetricType::Counter;
          break;
        case MetricType::kGauge:
          family.type = prometheus::MetricType::Gauge;
          break;
        case MetricType::kHistogram:
          family.type = prometheus::MetricType::Histogram;
          break;
      }
    }
  }

  // A counter or gauge; `labels` in the order of the list.
  void Add(MetricId id, double value, Labels labels = {}) {
    ClientMetric& metric = Sample(id, labels);
    // One of them is looked at.
    metric.counter.value = value;
    metric.gauge.value = value;
  }

  // `unit`: what a bound and the sum are divided by.
  template <size_t kBuckets>
  void AddHistogram(MetricId id, const HistogramTotals<kBuckets>& totals,
                    absl::Span<const int64_t> bounds, double unit,
                    Labels labels = {}) {
    ClientMetric::Histogram& out = Sample(id, labels).histogram;
    uint64_t below = 0;
    for (size_t i = 0; i < bounds.size(); ++i) {
      below += totals.counts[i];
      out.bucket.push_back({below, static_cast<double>(bounds[i]) / unit});
    }
    out.sample_count = below + totals.counts.back();
    out.sample_sum = static_cast<double>(totals.sum) / unit;
  }

  std::vector<MetricFamily> Take() { return std::move(families_); }

 private:
  ClientMetric& Sample(MetricId id, Labels labels) {
    const auto index = static_cast<size_t>(id);
    ClientMetric& metric = families_[index].metric.emplace_back();
    auto value = labels.begin();
    for (const std::string& name : std::vector<std::string>(
             absl::StrSplit(std::string(MetricList()[index].labels), ',',
                            absl::SkipEmpty()))) {
      ClientMetric::Label label;
      label.name = name;
      label.value = std::string(*value++);
      metric.label.push_back(std::move(label));
    }
    return metric;
  }

  std::vector<MetricFamily> families_;
};

constexpr double kNs = 1e9;

double Seconds(absl::Time time) {
  return static_cast<double>(absl::ToUnixMillis(time)) / 1e3;
}

void AddCalls(const Metrics& metrics, Families* out) {
  for (const RpcMethodTotals& method : metrics.rpc().Totals()) {
    const Labels labels = {method.type, method.service, method.method};
    out->Add(MetricId::kRpcStarted, static_cast<double>(method.started),
             labels);
    for (size_t code = 0; code < kRpcCodes; ++code) {
      // Seventeen times as many lines, nearly all of them 0, help nobody; OK
      // is there from the start so that rates of it are.
      if (method.handled[code] == 0 && code != 0) continue;
      out->Add(MetricId::kRpcHandled, static_cast<double>(method.handled[code]),
               {method.type, method.service, method.method, RpcCodeName(code)});
    }
    out->AddHistogram(MetricId::kRpcSeconds, method.seconds, kSecondsBoundsNs,
                      kNs, labels);
  }
}

struct OutcomeNames {
  std::string_view indication;
  std::string_view sub_indication;
};
constexpr OutcomeNames kOutcomeNames[] = {
#define INKAN_NAMES(name, indication, sub_indication) \
  {#indication, Outcome::name == Outcome::kPassed ? "" : #sub_indication},
    INKAN_OUTCOMES(INKAN_NAMES)
#undef INKAN_NAMES
};

void AddWork(const Metrics& metrics, Families* out) {
  const WorkerTotals totals = metrics.SumOfWorkers();
  const std::vector<std::string> profiles = metrics.profile_names();
  for (size_t slot = 0; slot < profiles.size(); ++slot) {
    for (size_t outcome = 0; outcome < kOutcomeCount; ++outcome) {
      const uint64_t count = totals.verdicts[slot][outcome];
      const bool passed =
          outcome == static_cast<size_t>(Outcome::kPassed) && slot > 0;
      if (count == 0 && !passed) continue;
      out->Add(MetricId::kVerdicts, static_cast<double>(count),
               {profiles[slot], kOutcomeNames[outcome].indication,
                kOutcomeNames[outcome].sub_indication});
    }
  }
  for (size_t lane = 0; lane < kLanes; ++lane) {
    out->AddHistogram(MetricId::kQueueWait, totals.waits[lane],
                      kSecondsBoundsNs, kNs, {kLaneNames[lane]});
  }
  out->AddHistogram(MetricId::kBatchFilings, totals.batch, kBatchBounds, 1);
  out->Add(MetricId::kWorkers, static_cast<double>(metrics.workers()));
  out->Add(MetricId::kWorkerBusy, static_cast<double>(totals.busy_ns) / kNs);

  const std::string& kernel = GetRsaKernelInfo().name;
  out->Add(MetricId::kRsaKernel, 1, {kernel});
  std::map<std::string, uint64_t> operations = {
      {GetRsaKernelInfo().few_name, totals.rsa_alone}};
  for (size_t jobs = 1; jobs < totals.rsa_groups.size(); ++jobs) {
    operations[kernel] += jobs * totals.rsa_groups[jobs];
    out->Add(MetricId::kRsaGroups, static_cast<double>(totals.rsa_groups[jobs]),
             {absl::StrCat(jobs)});
  }
  for (const auto& [name, count] : operations) {
    out->Add(MetricId::kRsaOperations, static_cast<double>(count), {name});
  }
}

void AddQueue(const OpsView& view, Families* out) {
  const BatcherCounters counters = view.batcher->counters();
  const auto reject = [&](const char* reason, uint64_t count) {
    out->Add(MetricId::kRejects, static_cast<double>(count), {reason});
  };
  const auto refused = [&counters](Refusal why) {
    return counters.refused[static_cast<size_t>(why)];
  };
  reject("queue_filings", refused(Refusal::kFilings));
  reject("queue_bytes", refused(Refusal::kBytes));
  reject("queue_wait", refused(Refusal::kWait));
  reject("shutting_down", refused(Refusal::kShuttingDown));
  reject("quota", view.gate->filings_over_quota());
  reject("deadline", counters.filings_expired);
  reject("cancelled", counters.filings_cancelled);
  reject("audit_log", counters.filings_unrecorded);
  reject("abandoned", counters.filings_abandoned);
  for (size_t lane = 0; lane < kLanes; ++lane) {
    out->Add(MetricId::kQueueFilings,
             static_cast<double>(counters.lane_filings[lane]),
             {kLaneNames[lane]});
    out->Add(
        MetricId::kQueueFilingsMax,
        static_cast<double>(view.batcher->options().lane_filings_max[lane]),
        {kLaneNames[lane]});
  }
  out->Add(MetricId::kQueueHeldBack,
           static_cast<double>(counters.filings_held_back));
  out->Add(MetricId::kQueueBytes, static_cast<double>(counters.bytes_held));
  out->Add(MetricId::kQueueBytesMax,
           static_cast<double>(view.options->limits.queue_bytes_max));
}

void AddCrlSource(const CrlSourceStatus& source, Families* out) {
  const Labels labels = {source.source, source.kind};
  const auto time = [&](MetricId id, absl::Time at) {
    // Never: 0, so that its age is beyond any bound.
    out->Add(id, at == absl::InfinitePast() ? 0 : Seconds(at), labels);
  };
  time(MetricId::kCrlSourceAttempt, source.last_attempt);
  time(MetricId::kCrlSourceSuccess, source.last_success);
  out->Add(MetricId::kCrlSourceAttempts,
           static_cast<double>(source.attempts_total), labels);
  out->Add(MetricId::kCrlSourceErrors,
           static_cast<double>(source.failures_total), labels);
}

void AddCrlSources(const OpsView& view, Families* out) {
  const std::vector<CrlSourceStatus> sources =
      BoundedSources(view.keeper->source_statuses());
  for (const CrlSourceStatus& source : sources) AddCrlSource(source, out);
}

void AddCrls(const OpsView& view, const StatusSampler& sampler, Families* out) {
  const auto snapshot = view.keeper->Current();
  for (const CrlGroup& group : GroupCrls(*snapshot, absl::Now())) {
    const Labels labels = {group.profile, group.issuer};
    const auto add = [&](MetricId id, auto value) {
      out->Add(id, static_cast<double>(value), labels);
    };
    add(MetricId::kCrlPartitions, group.partitions);
    add(MetricId::kCrlStale, group.stale);
    add(MetricId::kCrlUnplaced, group.unplaced);
    if (group.earliest_stale_at.has_value()) {
      add(MetricId::kCrlStaleAt,
          std::max<int64_t>(0, *group.earliest_stale_at));
    }
    add(MetricId::kCrlEntries, group.entries);
    add(MetricId::kCrlBytes, group.bytes);
    add(MetricId::kCrlThisUpdate, group.oldest_this_update);
    if (group.earliest_next_update.has_value()) {
      add(MetricId::kCrlNextUpdate, *group.earliest_next_update);
    }
  }
  std::map<std::string_view, uint64_t> failures;
  for (const std::string_view name : SourceErrorClasses()) failures[name] = 0;
  for (const CrlSourceError& error : view.keeper->source_errors()) {
    ++failures[ClassOfSourceError(error.error)];
  }
  for (const auto& [name, count] : failures) {
    out->Add(MetricId::kCrlSourcesFailing, static_cast<double>(count), {name});
  }
  out->Add(MetricId::kCrlIndexesUnwritten,
           static_cast<double>(view.keeper->unwritten_indexes().crls));
  out->Add(MetricId::kSnapshotGeneration,
           static_cast<double>(snapshot->generation));
  out->Add(MetricId::kSnapshotTime, Seconds(sampler.snapshot_since()));
}

void AddReadiness(const OpsView& view, Families* out) {
  out->Add(MetricId::kServing, view.serving() ? 1 : 0);
  for (const ProfileState& profile : ReadinessNow(view, absl::Now()).profiles) {
    out->Add(MetricId::kProfileReady, profile.ready ? 1 : 0, {profile.name});
  }
}

void AddAnswers(const AnswerWatch& answers, Families* out) {
  out->Add(MetricId::kAnswersUnread, static_cast<double>(answers.under_way()));
  out->Add(MetricId::kAnswersGivenUp, static_cast<double>(answers.ended()));
}

void AddCache(const VerifiedCertificates* certificates, Families* out) {
  if (certificates == nullptr) return;
  const VerifiedCertificates::Counters counters = certificates->counters();
  out->Add(MetricId::kCacheHits, static_cast<double>(counters.hits));
  out->Add(MetricId::kCacheMisses, static_cast<double>(counters.misses));
  out->Add(MetricId::kCacheEntries,
           static_cast<double>(counters.added - counters.evicted));
}

void AddAudit(const AuditLog* audit, Families* out) {
  const AuditCounters counters =
      audit == nullptr ? AuditCounters() : audit->counters();
  const auto add = [out](MetricId id, uint64_t value) {
    out->Add(id, static_cast<double>(value));
  };
  add(MetricId::kAuditEnabled, audit == nullptr ? 0 : 1);
  add(MetricId::kAuditLines, counters.lines);
  add(MetricId::kAuditBytes, counters.bytes);
  add(MetricId::kAuditDropped, counters.dropped_lines);
  add(MetricId::kAuditErrors, counters.errors);
  add(MetricId::kAuditRotations, counters.rotations);
  add(MetricId::kAuditFailing, counters.failing ? 1 : 0);
  add(MetricId::kAuditBuffer, counters.buffer_bytes);
}

void AddListener(const OpsView::Listener& view, Families* out) {
  const Labels labels = {view.name};
  ConnectionAcceptor& acceptor = view.listener->acceptor();
  out->Add(MetricId::kConnections,
           static_cast<double>(acceptor.open_connections()), labels);
  out->Add(MetricId::kConnectionsAccepted,
           static_cast<double>(acceptor.accepted()), labels);
  out->Add(MetricId::kConnectionsRefused,
           static_cast<double>(acceptor.refused()), labels);
  out->Add(MetricId::kConnectionsEnded, static_cast<double>(acceptor.ended()),
           labels);
  const TlsKeeper* tls = view.listener->tls();
  if (tls == nullptr) return;
  out->Add(MetricId::kTlsExpiry, Seconds(*TlsExpiryNow(view)), labels);
  out->Add(MetricId::kTlsChanges, static_cast<double>(tls->changes()),
           {view.name, "taken"});
  out->Add(MetricId::kTlsChanges, static_cast<double>(tls->refusals()),
           {view.name, "refused"});
}

void AddProcess(const OpsView& view, const OpsCounters& http, Families* out) {
  for (const OpsView::Listener& listener : view.listeners) {
    AddListener(listener, out);
  }
  out->Add(MetricId::kBuild, 1, {BuildVersion(), BuildDescription()});
  for (const auto& [key, count] : http.requests()) {
    out->Add(MetricId::kHttpRequests, static_cast<double>(count),
             {key.first, absl::StrCat(key.second)});
  }
  out->Add(MetricId::kHttpRejected, static_cast<double>(http.dropped()));
  out->Add(MetricId::kLogSuppressed, static_cast<double>(SuppressedLogLines()));
  const ProcessFacts facts = ReadProcessFacts();
  out->Add(MetricId::kProcessCpu, facts.cpu_seconds);
  out->Add(MetricId::kProcessResident,
           static_cast<double>(facts.resident_bytes));
  out->Add(MetricId::kProcessFds, static_cast<double>(facts.open_fds));
  out->Add(MetricId::kProcessFdsMax, static_cast<double>(facts.max_fds));
  out->Add(MetricId::kProcessThreads, static_cast<double>(facts.threads));
  out->Add(MetricId::kProcessStart, Seconds(view.started_at));
}

}  // namespace

std::vector<MetricFamily> MetricsCollector::Collect() const {
  Families families;
  AddCalls(*view_.metrics, &families);
  AddWork(*view_.metrics, &families);
  AddQueue(view_, &families);
  AddAnswers(*view_.answers, &families);
  AddCache(view_.certificates, &families);
  AddCrls(view_, *sampler_, &families);
  AddCrlSources(view_, &families);
  AddReadiness(view_, &families);
  AddAudit(view_.audit, &families);
  AddProcess(view_, *http_, &families);
  return families.Take();
}

std::string MetricsText(const prometheus::Collectable& collector) {
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, collector.Collect());
  return text.str();
}

}  // namespace inkan
