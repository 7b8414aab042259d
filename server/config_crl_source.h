// Reads one `crl_sources` entry of the configuration, with the files it names.
//
// Mistakes go to the node's errors, by field and remedy. Thread safety: free
// functions without state.
#ifndef INKAN_SERVER_CONFIG_CRL_SOURCE_H_
#define INKAN_SERVER_CONFIG_CRL_SOURCE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cache/crl_source.h"
#include "inkan/config/v1/config.pb.h"
#include "server/config_text.h"

namespace inkan {

// URLs of one source; JPKI needs 1,900 for each of its CAs.
inline constexpr size_t kUrlsMax = 10'000;
// Threads of one source.
inline constexpr uint32_t kParallelMax = 16;

// Relative paths are relative to `folder`.
CrlSourceOptions ReadCrlSource(const config::v1::CrlSource& source,
                               const ConfigNode& node,
                               const std::string& folder,
                               uint64_t crl_bytes_max);

// `sources` are all that were read, in order, and `root` is what holds them. A
// place on the network belongs to one source: what was last good from it is
// kept once.
void CheckPlacesDiffer(const std::vector<CrlSourceOptions>& sources,
                       const ConfigNode& root);

}  // namespace inkan

#endif  // INKAN_SERVER_CONFIG_CRL_SOURCE_H_
