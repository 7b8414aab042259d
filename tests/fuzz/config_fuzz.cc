// Any text as a configuration: accepted or refused with a message, never more.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "server/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto config = inkan::ParseConfig(text, "/nonexistent/fuzz.textproto");
  if (!config.ok() && config.status().message().empty()) std::abort();
  return 0;
}
