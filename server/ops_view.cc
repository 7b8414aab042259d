#include "server/ops_view.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cache/crl_error_class.h"
#include "cache/crl_freshness.h"
#include "server/grpc_listener.h"
#include "server/metrics_crl.h"
#include "server/metrics_process.h"
#include "server/tls_expiry.h"

namespace inkan {
namespace {

// A CRL that ends this soon, with no newer one there, is late: JPKI's are made
// once a day and reach operators within minutes.
constexpr int64_t kCrlEndsSoonSeconds = int64_t{4} * 3600;
// Time to get a certificate issued through an office.
constexpr absl::Duration kTlsEndsSoon = absl::Hours(24 * 14);

std::string Count(size_t count, std::string_view one, std::string_view many) {
  return absl::StrCat(count, " ",
                      count == 1 ? std::string(one) : std::string(many));
}

// What to do about a class of source errors; docs/OPERATIONS.md says more.
std::string_view RemedyOf(std::string_view error_class) {
  constexpr std::pair<std::string_view, std::string_view> kRemedies[] = {
      {"unreadable", "Check that the path exists and inkand may read it."},
      {"malformed", "Fetch the file again; write elsewhere, then rename."},
      {"signature",
       "Ask the CA. Until it is explained, treat it as an attack."},
      {"issuer", "Remove the file, or add its CA to a profile."},
      {"number", "Usually nothing; look at what publishes older CRLs."},
      {"time", "Check the clocks (NTP) here and at the CA."},
      {"extension", "Ask the CA: this CRL cannot be used safely."},
      {"network", "Check the network, the address and its certificate."},
      {"place", "Compare the address with what the CA publishes there."},
      {"limit", "Check the address; if it is meant, raise the limit named."},
      {"disk", "Check the state directory: its disk, and its owner."},
  };
  for (const auto& [name, remedy] : kRemedies) {
    if (name == error_class) return remedy;
  }
  return "See what the error says, and docs/OPERATIONS.md.";
}

void FindCrls(const Snapshot& snapshot, absl::Time now,
              std::vector<OpsFinding>* out) {
  for (const CrlGroup& group : GroupCrls(snapshot, now)) {
    if (group.stale > 0) {
      out->push_back(
          {true,
           absl::StrCat("Profile ", group.profile, ": ", group.stale, " of ",
                        Count(group.partitions, "CRL", "CRLs"), " of ",
                        group.issuer, group.stale == 1 ? " is" : " are",
                        " too old. The filings concerned get TRY_LATER."),
           "Look at what publishes the CRLs and at the sources below; the "
           "verdicts come back by themselves with a newer CRL."});
      continue;
    }
    // Only here is it a time: what is believed about no time is stale.
    if (!group.earliest_stale_at.has_value()) continue;
    const int64_t left = *group.earliest_stale_at - absl::ToUnixSeconds(now);
    if (left < kCrlEndsSoonSeconds) {
      out->push_back(
          {false,
           absl::StrCat("Profile ", group.profile, ": a CRL of ", group.issuer,
                        " ends in ", absl::FormatDuration(absl::Seconds(left)),
                        " and no newer one has come."),
           "Look at what publishes the CRLs before they are too old."});
    }
  }
}

void FindSources(const SnapshotKeeper& keeper, std::vector<OpsFinding>* out) {
  std::map<std::string_view, std::vector<CrlSourceError>> by_class;
  for (CrlSourceError& error : keeper.source_errors()) {
    by_class[ClassOfSourceError(error.error)].push_back(std::move(error));
  }
  for (const auto& [name, errors] : by_class) {
    out->push_back(
        {false,
         absl::StrCat(Count(errors.size(), "CRL source", "CRL sources"),
                      " cannot be used (", std::string(name),
                      "): ", errors.front().source, ": ", errors.front().error),
         std::string(RemedyOf(name))});
  }
}

void FindUnwritten(const SnapshotKeeper& keeper, std::vector<OpsFinding>* out) {
  const UnwrittenIndexes unwritten = keeper.unwritten_indexes();
  if (unwritten.crls == 0) return;
  out->push_back(
      {false,
       absl::StrCat(Count(unwritten.crls, "CRL index", "CRL indexes"),
                    " cannot be kept in the state directory: ", unwritten.error,
                    "."),
       "Make room on the state directory's disk, or give it to the server's "
       "account; it goes on by itself."});
}

void FindAudit(const AuditLog* audit, std::vector<OpsFinding>* out) {
  if (audit == nullptr) return;
  const AuditCounters counters = audit->counters();
  const bool refuses = audit->options().on_failure == AuditFailure::kRefuse;
  if (counters.failing) {
    out->push_back(
        {refuses,
         absl::StrCat("The audit log fails: ", counters.last_error,
                      refuses ? ". Filings are refused."
                              : ". Verdicts leave unrecorded."),
         "Make room on its disk, or move it; it goes on by itself."});
  }
  if (counters.dropped_lines > 0) {
    out->push_back(
        {false,
         absl::StrCat(Count(counters.dropped_lines, "line", "lines"),
                      " of the audit log were lost since the start."),
         "Where each verdict must be on record, set audit_log.on_failure to "
         "AUDIT_FAILURE_REFUSE."});
  }
}

void FindListener(const OpsView::Listener& listener, absl::Time now,
                  std::vector<OpsFinding>* out) {
  const std::optional<absl::Time> expiry = TlsExpiryNow(listener);
  if (!expiry.has_value()) {
    const std::string& address = listener.options->address;
    const bool local = absl::StartsWith(address, "127.") ||
                       absl::StartsWith(address, "localhost:") ||
                       absl::StartsWith(address, "[::1]:") ||
                       absl::StartsWith(address, "unix:");
    if (local) return;
    out->push_back({false,
                    absl::StrCat("The ", listener.name, " listener, ", address,
                                 ", is not encrypted."),
                    "Give it tls in the configuration."});
    return;
  }
  if (*expiry - now > kTlsEndsSoon) return;
  out->push_back(
      {*expiry <= now,
       absl::StrCat(
           "The certificate of the ", listener.name, " listener ",
           *expiry <= now ? "ended" : "ends", " on ",
           absl::FormatTime("%Y-%m-%d %H:%M UTC", *expiry, absl::UTCTimeZone()),
           "."),
       "Put the new certificate and key in place."});
}

}  // namespace

ServerReadiness ReadinessNow(const OpsView& view, absl::Time now) {
  ServerReadiness readiness;
  readiness.ready = view.serving();
  const auto snapshot = view.keeper->Current();
  for (const auto& [name, profile] : snapshot->profiles) {
    ProfileReadiness freshness = ReadinessOf(profile, now);
    if (!freshness.ready) {
      readiness.reasons.push_back(
          absl::StrCat("profile ", name, ": ", freshness.reason));
    }
    readiness.profiles.push_back(
        {name, freshness.ready, std::move(freshness.reason)});
  }
  if (view.audit != nullptr && view.audit->Refusing()) {
    readiness.reasons.push_back(
        absl::StrCat("the audit log cannot be written: ",
                     view.audit->counters().last_error));
  }
  if (!readiness.ready && readiness.reasons.empty()) {
    readiness.reasons.push_back("health says NOT_SERVING: starting, or ending");
  }
  return readiness;
}

std::vector<OpsFinding> FindingsNow(const OpsView& view, absl::Time now) {
  std::vector<OpsFinding> findings;
  const ServerReadiness readiness = ReadinessNow(view, now);
  if (!readiness.ready) {
    findings.push_back({true,
                        absl::StrCat("Health says NOT_SERVING: ",
                                     readiness.reasons.front(), "."),
                        "Load balancers send nothing here. If it stays so, "
                        "look at what is named here, and at the log."});
  }
  for (const ProfileState& profile : readiness.profiles) {
    if (profile.ready) continue;
    findings.push_back(
        {true,
         absl::StrCat("Profile ", profile.name, ": ", profile.reason, "."),
         "Look at the sources below, and at what publishes the CRLs."});
  }
  const std::string stuck = WhyNotAlive(view);
  if (!stuck.empty()) {
    findings.push_back({true, absl::StrCat("Not alive: ", stuck, "."),
                        "Restart the server, and keep its log for us."});
  }
  FindAudit(view.audit, &findings);
  FindCrls(*view.keeper->Current(), now, &findings);
  FindSources(*view.keeper, &findings);
  FindUnwritten(*view.keeper, &findings);
  for (const OpsView::Listener& listener : view.listeners) {
    FindListener(listener, now, &findings);
  }
  const ProcessFacts facts = ReadProcessFacts();
  if (facts.open_fds * 10 > facts.max_fds * 9) {
    findings.push_back({false,
                        absl::StrCat(facts.open_fds, " of ", facts.max_fds,
                                     " file descriptors are open."),
                        "Raise LimitNOFILE, or find who opens so many "
                        "connections."});
  }
  std::stable_sort(findings.begin(), findings.end(),
                   [](const OpsFinding& a, const OpsFinding& b) {
                     return a.severe > b.severe;
                   });
  return findings;
}

std::optional<absl::Time> TlsExpiryNow(const OpsView::Listener& listener) {
  if (listener.listener->tls() == nullptr) return std::nullopt;
  return CertificateExpiry(
      listener.listener->tls()->Current()->certificate_chain);
}

std::string WhyNotAlive(const Metrics& metrics) {
  const absl::Duration longest = absl::Nanoseconds(metrics.LongestBatchNs());
  if (longest < kStuckAfter) return "";
  return absl::StrCat(
      "a worker has been at one batch for ",
      absl::FormatDuration(absl::Trunc(longest, absl::Seconds(1))));
}

}  // namespace inkan
