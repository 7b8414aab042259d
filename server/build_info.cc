#include "server/build_info.h"

namespace inkan {

const char* BuildVersion() { return INKAN_VERSION; }
const char* BuildDescription() { return INKAN_BUILD; }

}  // namespace inkan
