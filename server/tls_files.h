// The PEM files of one TLS listener, read and checked to fit together, so that
// a wrong file is reported at start and by its name rather than by the first
// client's handshake.
//
// Used by server/config.cc. Thread safety: a free function without state.
#ifndef INKAN_SERVER_TLS_FILES_H_
#define INKAN_SERVER_TLS_FILES_H_

#include <string>

#include "absl/status/statusor.h"
#include "inkan/config/v1/config.pb.h"
#include "server/config.h"
#include "server/config_text.h"

namespace inkan {

// Mistakes are reported on `node`: a file that cannot be read, is not PEM, a
// key that is not the certificate's.
TlsOptions ReadTlsFiles(const config::v1::Tls& tls, const ConfigNode& node,
                        const std::string& folder);

// The same files again. kInvalidArgument naming each mistake.
absl::StatusOr<TlsOptions> RereadTlsFiles(const TlsOptions& before);

}  // namespace inkan

#endif  // INKAN_SERVER_TLS_FILES_H_
