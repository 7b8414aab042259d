// Who calls, whether they may, and how much: asked at the start of every call.
//
//   const grpc::Status allowed = gate->CheckAccess(*context, method, &client);
//   const grpc::Status within = gate->TakeQuota(client, filings, &ticket);
//
// A client is known by the certificate it presented and our client CAs vouch
// for: the first URI of its subjectAltName ("uri:..."), else the first DNS name
// ("dns:..."), else the subject ("subject:...", RFC 2253 form). All clients
// without one are a single client, "anonymous": addresses are cheap, and
// several clients may share one behind a proxy.
//
// Thread safety: every method from any thread.
#ifndef INKAN_SERVER_GATE_H_
#define INKAN_SERVER_GATE_H_

#include <atomic>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "cache/mutex.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/status.h"
#include "server/access.h"
#include "server/client_quotas.h"

namespace inkan {

// The identity of a call's client; see above.
std::string ClientOf(const grpc::CallbackServerContext& context);

class Gate {
 public:
  // `identify`: name the client of every call, though no rule asks (for the
  // audit log).
  Gate(AccessRules rules, QuotaOptions quotas, bool identify);

  // OK, or PERMISSION_DENIED; then `client` is who calls, for TakeQuota. Empty
  // if nobody needs to know.
  grpc::Status CheckAccess(const grpc::CallbackServerContext& context,
                           Method method, std::string* client)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // OK, or RESOURCE_EXHAUSTED. The filings count until the ticket is destroyed.
  grpc::Status TakeQuota(const std::string& client, size_t filings,
                         ClientQuotas::Ticket* ticket);

  // Nothing was taken of what TakeQuota gave the ticket for.
  void ReturnQuota(ClientQuotas::Ticket* ticket) { quotas_.Return(ticket); }

  void Replace(AccessRules rules, QuotaOptions quotas)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Another one after Replace: what CheckAccess said before may not hold.
  uint64_t generation() const {
    return generation_.load(std::memory_order_acquire);
  }
  uint64_t denied() const { return denied_.load(); }
  uint64_t filings_over_quota() const { return over_quota_.load(); }
  const ClientQuotas& quotas() const { return quotas_; }

 private:
  std::atomic<uint64_t> denied_{0};
  std::atomic<uint64_t> over_quota_{0};  // filings
  // Nobody needs to know who calls.
  const bool identify_;
  std::atomic<uint64_t> generation_{0};
  std::atomic<bool> open_;
  std::atomic<bool> unbounded_;
  ClientQuotas quotas_;
  Mutex mutex_;
  std::shared_ptr<const AccessRules> rules_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace inkan

#endif  // INKAN_SERVER_GATE_H_
