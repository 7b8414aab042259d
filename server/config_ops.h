// The parts of the configuration about the operations port and the audit log.
//
// Used by server/config.cc; mistakes are reported on `node`. Thread safety:
// free functions without state.
#ifndef INKAN_SERVER_CONFIG_OPS_H_
#define INKAN_SERVER_CONFIG_OPS_H_

#include <string>

#include "inkan/config/v1/config.pb.h"
#include "server/audit_options.h"
#include "server/config_text.h"

namespace inkan {

// Whether it is "host:port", "[v6]:port" or "unix:/path".
bool IsAddress(const std::string& address);

// The address.
std::string ReadOpsHttp(const config::v1::OpsHttp& ops_http,
                        const ConfigNode& node);

AuditOptions ReadAuditLog(const config::v1::AuditLog& audit,
                          const ConfigNode& node, const std::string& folder);

}  // namespace inkan

#endif  // INKAN_SERVER_CONFIG_OPS_H_
