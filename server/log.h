// The server's log: one line an event, to standard error, as text or JSON. No
// personal data: no names, subjects, documents or filing ids.
//
//   InitLog(LogFormat::kJson);
//   spdlog::info("listening on {}", address);
#ifndef INKAN_SERVER_LOG_H_
#define INKAN_SERVER_LOG_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace inkan {

enum class LogFormat : uint8_t { kText, kJson };

// Sets up spdlog's default logger. Call once, before threads are started.
void InitLog(LogFormat format);

// `text` as the inside of a JSON string.
std::string JsonEscape(std::string_view text);

}  // namespace inkan

#endif  // INKAN_SERVER_LOG_H_
