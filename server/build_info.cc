#include "server/build_info.h"

#include <google/protobuf/stubs/common.h>
#include <openssl/crypto.h>

#include "absl/strings/str_cat.h"

namespace inkan {

const char* BuildVersion() { return INKAN_VERSION; }
const char* BuildDescription() { return INKAN_BUILD; }

std::string LibraryVersions(const std::string& grpc_version) {
  return absl::StrCat(
      OpenSSL_version(OPENSSL_VERSION), ", gRPC ", grpc_version, ", protobuf ",
      google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION));
}

}  // namespace inkan
