// The parts of the configuration that say who may call what, and how much.
// Used by server/config.cc. Thread safety: free functions without state.
#ifndef INKAN_SERVER_CONFIG_ACCESS_H_
#define INKAN_SERVER_CONFIG_ACCESS_H_

#include "inkan/config/v1/config.pb.h"
#include "server/access.h"
#include "server/client_quotas.h"
#include "server/config_text.h"
#include "server/limits.h"

namespace inkan {

// Mistakes are reported on `root`, the node of `config`.
AccessRules ReadAccessRules(const config::v1::ServerConfig& config,
                            const ConfigNode& root);
QuotaOptions ReadQuotas(const config::v1::ServerConfig& config,
                        const Limits& limits, const ConfigNode& root);

}  // namespace inkan

#endif  // INKAN_SERVER_CONFIG_ACCESS_H_
