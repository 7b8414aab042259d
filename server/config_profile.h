// One profile of the configuration, converted: used by server/config.cc alone.
#ifndef INKAN_SERVER_CONFIG_PROFILE_H_
#define INKAN_SERVER_CONFIG_PROFILE_H_

#include <optional>
#include <string>

#include "cache/profile.h"
#include "inkan/config/v1/config.pb.h"
#include "server/config_text.h"

namespace inkan {

// `path`, taken relative to `folder` unless absolute.
std::string ResolvePath(const std::string& folder, const std::string& path);

// Whole seconds of a Duration that is neither negative nor above 100 years and
// has no fraction; reports on `node` otherwise.
std::optional<int64_t> ReadSeconds(const google::protobuf::Duration& duration,
                                   const ConfigNode& node,
                                   absl::string_view field);

// Reads the certificate files too. Mistakes are reported on `node`; the result
// is only to be used if there were none.
Profile ReadProfile(const config::v1::Profile& profile, const ConfigNode& node,
                    const std::string& folder);

}  // namespace inkan

#endif  // INKAN_SERVER_CONFIG_PROFILE_H_
