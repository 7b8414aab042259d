// Text as the inside of a JSON string: for the log and the audit log.
// Thread safety: a free function without state.
#ifndef INKAN_SERVER_LOG_JSON_H_
#define INKAN_SERVER_LOG_JSON_H_

#include <string>
#include <string_view>

namespace inkan {

// Appends `text`, escaped by RFC 8259 section 7. What is no UTF-8 becomes
// U+FFFD, one for each octet, so that every line parses whatever was in it.
void AppendJsonEscaped(std::string_view text, std::string* out);

}  // namespace inkan

#endif  // INKAN_SERVER_LOG_JSON_H_
