// The status page: what a person wants to know about a running server, on one
// page without scripts or anything from elsewhere.
//
//   std::string html = RenderStatusPage(CollectStatusPage(view, sampler, now));
//
// Every text is escaped: names of issuers come from certificates, errors from
// files. However many CRLs there are, the page stays below a few hundred KB;
// with `all` it has every one of them, some 600 octets each. Thread safety:
// free functions without state.
#ifndef INKAN_SERVER_STATUSZ_H_
#define INKAN_SERVER_STATUSZ_H_

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cache/snapshot.h"
#include "server/metrics_crl.h"
#include "server/metrics_process.h"
#include "server/ops_view.h"
#include "server/statusz_sampler.h"

namespace inkan {

// Shown of each issuer, worst first, and of failed sources.
inline constexpr size_t kStatuszRowsMax = 40;
// Issuers shown, worst first.
inline constexpr size_t kStatuszGroupsMax = 40;

struct StatusPage {
  absl::Time now;
  absl::Time started_at;
  bool live = false;  // refreshes itself
  bool all = false;   // every CRL and every source

  ServerReadiness readiness;
  std::vector<OpsFinding> findings;

  std::vector<StatusSample> samples;
  WorkerTotals totals;
  std::vector<std::string> profiles;  // by slot
  size_t workers = 0;
  BatcherCounters counters;
  std::array<uint64_t, kLanes> lane_filings_max = {};  // by Lane
  uint64_t held_back_filings_max = 0;
  uint64_t queue_bytes_max = 0;

  std::shared_ptr<const Snapshot> snapshot;  // groups point into it
  absl::Time snapshot_since;
  std::vector<CrlGroup> groups;
  std::vector<CrlSourceError> source_errors;

  std::string kernel;
  std::string kernel_reason;
  std::optional<AuditCounters> audit;
  std::string audit_file;
  ProcessFacts process;
  std::string version;
  std::string build;
  std::string libraries;
};

StatusPage CollectStatusPage(const OpsView& view, const StatusSampler& sampler,
                             absl::Time now);

std::string RenderStatusPage(const StatusPage& page);

}  // namespace inkan

#endif  // INKAN_SERVER_STATUSZ_H_
