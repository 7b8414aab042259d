#include "server/log.h"

#include <grpc/support/log.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/formatter.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/log_json.h"

namespace inkan {
namespace {

constexpr std::chrono::seconds kRepeatAfter{60};
// Different lines remembered; past it all are forgotten, and some repeats come
// out after all.
constexpr size_t kLinesMax = 256;

std::atomic<uint64_t> suppressed_lines{0};

// %v as it would stand inside a JSON string.
class JsonMessageFlag : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm& /*time*/,
              spdlog::memory_buf_t& out) override {
    std::string escaped;
    AppendJsonEscaped(
        std::string_view(message.payload.data(), message.payload.size()),
        &escaped);
    out.append(escaped.data(), escaped.data() + escaped.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<JsonMessageFlag>();
  }
};

// Passes lines on, but none twice in a minute.
class NoRepeatsSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit NoRepeatsSink(std::shared_ptr<spdlog::sinks::sink> next)
      : next_(std::move(next)) {}

 private:
  struct Seen {
    spdlog::log_clock::time_point at;
    uint64_t left_out = 0;
  };

  void sink_it_(const spdlog::details::log_msg& message) override {
    if (message.level >= spdlog::level::critical) {
      next_->log(message);
      return;
    }
    const std::string_view text(message.payload.data(), message.payload.size());
    const auto found = seen_.find(text);
    if (found == seen_.end()) {
      if (seen_.size() >= kLinesMax) seen_.clear();
      seen_.emplace(std::string(text), Seen{message.time, 0});
      next_->log(message);
      return;
    }
    Seen& seen = found->second;
    // A clock that was set back must not silence a line for long.
    const auto since = message.time - seen.at;
    if (since >= std::chrono::seconds(0) && since < kRepeatAfter) {
      ++seen.left_out;
      suppressed_lines.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    const uint64_t left_out = std::exchange(seen.left_out, 0);
    seen.at = message.time;
    if (left_out == 0) {
      next_->log(message);
      return;
    }
    const std::string more =
        absl::StrCat(std::string(text), " (and ", left_out,
                     " times more since it was last said)");
    spdlog::details::log_msg longer = message;
    longer.payload = more;
    next_->log(longer);
  }
  void flush_() override { next_->flush(); }
  void set_formatter_(std::unique_ptr<spdlog::formatter> formatter) override {
    next_->set_formatter(std::move(formatter));
  }
  void set_pattern_(const std::string& pattern) override {
    next_->set_pattern(pattern);
  }

  const std::shared_ptr<spdlog::sinks::sink> next_;
  std::map<std::string, Seen, std::less<>> seen_;
};

// Never destroyed: gRPC's threads write until the process is gone.
std::shared_ptr<spdlog::logger>& GrpcLogger() {
  static auto* const logger = new std::shared_ptr<spdlog::logger>;
  return *logger;
}

// Lines of one place of gRPC's sources in a minute: what peers do wrong comes
// with their ports, so that no two lines are the same.
constexpr int kGrpcErrorsMax = 10;

bool IsTooMany(const gpr_log_func_args& line) {
  struct Said {
    std::chrono::steady_clock::time_point since;
    int lines = 0;
  };
  static std::mutex mutex;
  static auto* const places = new std::map<std::pair<const char*, int>, Said>;
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex);
  Said& said = (*places)[{line.file, line.line}];
  if (now - said.since >= kRepeatAfter || said.lines == 0) said = {now, 0};
  if (said.lines == kGrpcErrorsMax) {
    suppressed_lines.fetch_add(1, std::memory_order_relaxed);
    return true;
  }
  ++said.lines;
  return false;
}

void LogGrpcLine(gpr_log_func_args* line) {
  const bool error = line->severity == GPR_LOG_SEVERITY_ERROR;
  if (error && IsTooMany(*line)) return;
  const std::string_view file = line->file;
  GrpcLogger()->log(error ? spdlog::level::err : spdlog::level::info,
                    "gRPC: {} ({}:{})", line->message,
                    file.substr(file.rfind('/') + 1), line->line);
}

}  // namespace

std::shared_ptr<spdlog::logger> MakeLogger(
    LogFormat format, std::shared_ptr<spdlog::sinks::sink> sink) {
  auto logger = std::make_shared<spdlog::logger>(
      "inkand", std::make_shared<NoRepeatsSink>(std::move(sink)));
  auto formatter = std::make_unique<spdlog::pattern_formatter>(
      spdlog::pattern_time_type::utc);
  if (format == LogFormat::kJson) {
    formatter->add_flag<JsonMessageFlag>('*').set_pattern(
        R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","message":"%*"})");
  } else {
    formatter->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v");
  }
  logger->set_formatter(std::move(formatter));
  logger->flush_on(spdlog::level::info);
  return logger;
}

void InitLog(LogFormat format) {
  spdlog::set_default_logger(
      MakeLogger(format, std::make_shared<spdlog::sinks::stderr_sink_mt>()));
  GrpcLogger() = spdlog::default_logger();
  gpr_set_log_function(LogGrpcLine);
}

uint64_t SuppressedLogLines() {
  return suppressed_lines.load(std::memory_order_relaxed);
}

}  // namespace inkan
