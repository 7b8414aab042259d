// The server's log: one line an event, to standard error, as text or JSON. No
// personal data: no names, subjects, documents or filing ids.
//
//   InitLog(LogFormat::kJson);
//   spdlog::info("listening on {}", address);
//
// Lines of gRPC's own come in the same form, as "gRPC: ..", errors of one place
// in its sources ten times a minute at most; GRPC_VERBOSITY says which (errors
// unless set).
//
// A line that repeats one of the last minute is left out; the next of its kind
// says how many were. Lines of level critical always come out.
#ifndef INKAN_SERVER_LOG_H_
#define INKAN_SERVER_LOG_H_

#include <cstdint>
#include <memory>

namespace spdlog {
class logger;
namespace sinks {
class sink;
}
}  // namespace spdlog

namespace inkan {

enum class LogFormat : uint8_t { kText, kJson };

// Sets up spdlog's default logger, for gRPC too. Call once, before threads are
// started.
void InitLog(LogFormat format);

// The same logger, writing to `sink`.
std::shared_ptr<spdlog::logger> MakeLogger(
    LogFormat format, std::shared_ptr<spdlog::sinks::sink> sink);

// Lines left out by all loggers since the start. Thread-safe.
uint64_t SuppressedLogLines();

}  // namespace inkan

#endif  // INKAN_SERVER_LOG_H_
