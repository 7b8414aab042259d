// Which Inkan this is.
#ifndef INKAN_SERVER_BUILD_INFO_H_
#define INKAN_SERVER_BUILD_INFO_H_

#include <string>

namespace inkan {

// "0.1.0".
const char* BuildVersion();
// Compiler and build type: "GNU 12.2.0, Release".
const char* BuildDescription();
// What to compare security notices with: "OpenSSL 3.0.17 1 Jul 2025,
// gRPC 1.51.1, protobuf 3.21.12". `grpc_version` as gRPC names it.
std::string LibraryVersions(const std::string& grpc_version);

}  // namespace inkan

#endif  // INKAN_SERVER_BUILD_INFO_H_
