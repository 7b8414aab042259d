#include "server/gate.h"

#include <grpc/grpc_security_constants.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cache/steady_time.h"
#include "server/rpc_status.h"

namespace inkan {

std::string ClientOf(const grpc::CallbackServerContext& context) {
  const std::shared_ptr<const grpc::AuthContext> peer = context.auth_context();
  if (peer == nullptr) return kAnonymous;
  // A listener that asks for certificates lets only verified ones in, and one
  // that does not gets none; so what is here can be trusted.
  struct Source {
    const char* property;
    const char* prefix;
  };
  for (const Source& source :
       {Source{GRPC_PEER_URI_PROPERTY_NAME, "uri:"},
        Source{GRPC_PEER_DNS_PROPERTY_NAME, "dns:"},
        Source{GRPC_X509_SUBJECT_PROPERTY_NAME, "subject:"}}) {
    const std::vector<grpc::string_ref> values =
        peer->FindPropertyValues(source.property);
    if (!values.empty() && !values.front().empty()) {
      return absl::StrCat(
          source.prefix,
          absl::string_view(values.front().data(), values.front().size()));
    }
  }
  return kAnonymous;
}

Gate::Gate(AccessRules rules, QuotaOptions quotas, bool identify)
    : identify_(identify),
      open_(false),
      unbounded_(false),
      quotas_(QuotaOptions()) {
  Replace(std::move(rules), std::move(quotas));
}

grpc::Status Gate::CheckAccess(const grpc::CallbackServerContext& context,
                               Method method, std::string* client) {
  const bool open = open_.load(std::memory_order_acquire);
  if (!identify_ && open && unbounded_.load(std::memory_order_acquire)) {
    client->clear();
    return grpc::Status::OK;
  }
  *client = ClientOf(context);
  if (open) return grpc::Status::OK;
  std::shared_ptr<const AccessRules> rules;
  {
    MutexLock lock(&mutex_);
    rules = rules_;
  }
  if (rules->Allows(method, *client)) return grpc::Status::OK;
  denied_.fetch_add(1);
  return NotAllowed(std::string(NameOf(method)));
}

grpc::Status Gate::TakeQuota(const std::string& client, size_t filings,
                             ClientQuotas::Ticket* ticket) {
  if (client.empty() || unbounded_.load(std::memory_order_acquire)) {
    return grpc::Status::OK;
  }
  ClientQuotas::Answer answer = quotas_.Admit(client, filings, SteadyNow());
  if (answer.result == QuotaResult::kAdmitted) {
    *ticket = std::move(answer.ticket);
    return grpc::Status::OK;
  }
  over_quota_.fetch_add(filings);
  return QuotaExceeded(answer.result == QuotaResult::kTooFast
                           ? "filings_per_second"
                           : "filings_in_flight_max",
                       client, answer.retry_after);
}

void Gate::Replace(AccessRules rules, QuotaOptions quotas) {
  const bool open = rules.open();
  const bool unbounded = !quotas.bounded();
  quotas_.Replace(std::move(quotas));
  {
    MutexLock lock(&mutex_);
    rules_ = std::make_shared<const AccessRules>(std::move(rules));
  }
  open_.store(open, std::memory_order_release);
  unbounded_.store(unbounded, std::memory_order_release);
  generation_.fetch_add(1, std::memory_order_release);
}

}  // namespace inkan
