#include "server/config_access.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace inkan {
namespace {

Quota ReadQuota(const config::v1::Quota& quota, const Limits& limits,
                const ConfigNode& node) {
  if (quota.filings_burst() != 0 && quota.filings_per_second() == 0) {
    node.Error("filings_burst",
               "given without filings_per_second; give that too");
  }
  Quota out;
  out.filings_per_second = quota.filings_per_second();
  out.filings_burst =
      quota.filings_burst() != 0
          ? quota.filings_burst()
          : std::max(quota.filings_per_second(), limits.batch_filings_max);
  out.filings_in_flight_max = quota.filings_in_flight_max();
  return out;
}

}  // namespace

AccessRules ReadAccessRules(const config::v1::ServerConfig& config,
                            const ConfigNode& root) {
  AccessRules rules;
  // Operators' calls, offered to intake clients that have identities: only to
  // those that are named.
  if (!config.has_operations_listener() &&
      !config.listener().tls().client_ca_file().empty()) {
    for (const Method method : MethodsNamed("OperationsService/*")) {
      rules.CloseByDefault(method);
    }
  }
  for (int i = 0; i < config.access_rules_size(); ++i) {
    const config::v1::AccessRule& rule = config.access_rules(i);
    const ConfigNode node = root.Child("access_rules", i);
    if (rule.methods().empty()) {
      node.Error("methods", "missing; name at least one method");
    }
    if (rule.identities().empty()) {
      node.Error("identities", "missing; name at least one client");
    }
    for (int j = 0; j < rule.identities_size(); ++j) {
      const std::string fault = IdentityFault(rule.identities(j));
      if (!fault.empty()) {
        node.Error("identities", j,
                   absl::StrCat("\"", rule.identities(j), "\" ", fault));
      }
    }
    for (int j = 0; j < rule.methods_size(); ++j) {
      const std::vector<Method> methods = MethodsNamed(rule.methods(j));
      if (methods.empty()) {
        node.Error("methods", j,
                   absl::StrCat("\"", rule.methods(j),
                                "\" is no method; write "
                                "\"VerificationService/Verify\" or "
                                "\"OperationsService/*\", for example"));
      }
      for (const Method method : methods) {
        for (const std::string& identity : rule.identities()) {
          rules.Allow(method, identity);
        }
      }
    }
  }
  return rules;
}

QuotaOptions ReadQuotas(const config::v1::ServerConfig& config,
                        const Limits& limits, const ConfigNode& root) {
  QuotaOptions out;
  out.clients_max = limits.client_states_max;
  if (config.has_default_client_quota()) {
    out.standard = ReadQuota(config.default_client_quota(), limits,
                             root.Child("default_client_quota"));
  }
  for (int i = 0; i < config.client_quotas_size(); ++i) {
    const config::v1::ClientQuota& entry = config.client_quotas(i);
    const ConfigNode node = root.Child("client_quotas", i);
    if (entry.identities().empty()) {
      node.Error("identities", "missing; name at least one client");
    }
    const Quota quota = ReadQuota(entry.quota(), limits, node.Child("quota"));
    for (int j = 0; j < entry.identities_size(); ++j) {
      const std::string& identity = entry.identities(j);
      std::string fault = IdentityFault(identity);
      if (identity == kAnyCertificate) {
        fault = "names every client; give default_client_quota instead";
      } else if (!out.named.emplace(identity, quota).second) {
        fault = "has a quota already; keep one";
      }
      if (!fault.empty()) {
        node.Error("identities", j, absl::StrCat("\"", identity, "\" ", fault));
      }
    }
  }
  return out;
}

}  // namespace inkan
