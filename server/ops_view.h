// What the operations port looks at: metrics, status page, health and readiness
// all see the server through this.
//
// Thread safety: everything it points to may be read from any thread.
// Ownership: everything must outlive whoever holds it.
#ifndef INKAN_SERVER_OPS_VIEW_H_
#define INKAN_SERVER_OPS_VIEW_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cache/snapshot_keeper.h"
#include "cache/verified_certificates.h"
#include "server/audit_log.h"
#include "server/batcher.h"
#include "server/config.h"
#include "server/metrics.h"

namespace inkan {

class AnswerWatch;
class Gate;
class GrpcListener;

struct OpsView {
  const ServerOptions* options = nullptr;
  const SnapshotKeeper* keeper = nullptr;
  const Batcher* batcher = nullptr;
  const Metrics* metrics = nullptr;
  const AuditLog* audit = nullptr;                     // null: there is none
  const VerifiedCertificates* certificates = nullptr;  // null: there are none
  const Gate* gate = nullptr;
  const AnswerWatch* answers = nullptr;
  struct Listener {
    const char* name;  // "intake" or "operations"
    const ListenerOptions* options;
    GrpcListener* listener;
  };
  std::vector<Listener> listeners;
  // What health says of the whole.
  std::function<bool()> serving;
  absl::Time started_at;
  std::string grpc_version;
};

// Whether a profile is ready by its freshness policy, and if not, why. One
// without a policy always is: that is what leaving it out says.
struct ProfileState {
  std::string name;
  bool ready = true;
  std::string reason;
};

// Something that is wrong, in words, and what to do about it.
struct OpsFinding {
  bool severe = false;  // filings do not get verdicts because of it
  std::string what;
  std::string remedy;
};

// The server as a whole: ready while health says SERVING, never otherwise, so
// that whichever of the two a load balancer asks, it hears the same.
struct ServerReadiness {
  bool ready = true;
  // Why it is not, or which of its profiles are not.
  std::vector<std::string> reasons;
  std::vector<ProfileState> profiles;
};

ServerReadiness ReadinessNow(const OpsView& view, absl::Time now);

// Worst first; empty if all is well.
std::vector<OpsFinding> FindingsNow(const OpsView& view, absl::Time now);

// A batch takes milliseconds; a worker that is at one for this long hangs.
inline constexpr absl::Duration kStuckAfter = absl::Seconds(60);

// When the certificate that a TLS listener shows to new connections now ends;
// none for one without TLS.
std::optional<absl::Time> TlsExpiryNow(const OpsView::Listener& listener);

// Why the process should be restarted; empty if it is alive.
std::string WhyNotAlive(const Metrics& metrics);
inline std::string WhyNotAlive(const OpsView& view) {
  return WhyNotAlive(*view.metrics);
}

}  // namespace inkan

#endif  // INKAN_SERVER_OPS_VIEW_H_
