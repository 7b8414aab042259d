// Which Inkan this is.
#ifndef INKAN_SERVER_BUILD_INFO_H_
#define INKAN_SERVER_BUILD_INFO_H_

namespace inkan {

// "0.1.0".
const char* BuildVersion();
// Compiler and build type: "GNU 12.2.0, Release".
const char* BuildDescription();

}  // namespace inkan

#endif  // INKAN_SERVER_BUILD_INFO_H_
