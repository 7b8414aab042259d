// The log: lines that parse, and no flood of the same.
#include "server/log.h"

#include <grpc/support/log.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace inkan {
namespace {

using ::testing::HasSubstr;

class LogTest : public ::testing::Test {
 protected:
  std::shared_ptr<spdlog::logger> Logger(LogFormat format) {
    return MakeLogger(format,
                      std::make_shared<spdlog::sinks::ostream_sink_mt>(out_));
  }
  std::vector<std::string> Lines() const {
    std::vector<std::string> lines;
    std::istringstream in(out_.str());
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }
  std::ostringstream out_;
};

TEST_F(LogTest, EveryJsonLineParsesWhateverIsInIt) {
  auto logger = Logger(LogFormat::kJson);
  std::string all;
  for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
  logger->info("{}", all);
  logger->warn("a \"quoted\" C:\\path\nand a second line");
  logger->error("印鑑 {} %v %l", "{}");
  const std::vector<std::string> lines = Lines();
  ASSERT_EQ(lines.size(), 3U);
  std::vector<std::string> levels;
  for (const std::string& line : lines) {
    const auto parsed = nlohmann::json::parse(line);
    EXPECT_EQ(parsed.size(), 3U);
    EXPECT_EQ(parsed["time"].get<std::string>().size(), 24U);
    levels.push_back(parsed["level"]);
  }
  EXPECT_THAT(levels, ::testing::ElementsAre("info", "warning", "error"));
  EXPECT_EQ(nlohmann::json::parse(lines[1])["message"],
            "a \"quoted\" C:\\path\nand a second line");
  EXPECT_EQ(nlohmann::json::parse(lines[2])["message"], "印鑑 {} %v %l");
}

TEST_F(LogTest, RepeatsAreLeftOutAndCounted) {
  auto logger = Logger(LogFormat::kText);
  const uint64_t before = SuppressedLogLines();
  for (int i = 0; i < 100; ++i) {
    logger->warn("the same");
    logger->warn("the same too");
  }
  logger->warn("another");
  EXPECT_EQ(Lines().size(), 3U);
  EXPECT_EQ(SuppressedLogLines() - before, 198U);
}

TEST_F(LogTest, AfterAWhileALineIsSaidAgainWithTheNumberLeftOut) {
  auto logger = Logger(LogFormat::kText);
  const auto start = spdlog::log_clock::now();
  const auto say = [&](std::chrono::seconds at) {
    logger->log(start + at, spdlog::source_loc{}, spdlog::level::warn,
                "the same");
  };
  say(std::chrono::seconds(0));
  say(std::chrono::seconds(1));
  say(std::chrono::seconds(59));
  EXPECT_EQ(Lines().size(), 1U);
  say(std::chrono::seconds(60));
  ASSERT_EQ(Lines().size(), 2U);
  EXPECT_THAT(Lines()[1], HasSubstr("(and 2 times more"));
  // A clock that is set back silences nothing.
  say(std::chrono::seconds(-1000));
  EXPECT_EQ(Lines().size(), 3U);
}

TEST_F(LogTest, CriticalLinesAlwaysComeOut) {
  auto logger = Logger(LogFormat::kText);
  for (int i = 0; i < 5; ++i) logger->critical("the end");
  EXPECT_EQ(Lines().size(), 5U);
}

TEST_F(LogTest, ManyDifferentLinesAreNotRememberedForEver) {
  auto logger = Logger(LogFormat::kText);
  for (int i = 0; i < 10000; ++i) logger->warn("line {}", i);
  EXPECT_EQ(Lines().size(), 10000U);
}

TEST(GrpcLogTest, LinesOfGrpcAreLinesOfTheServer) {
  ::testing::internal::CaptureStderr();
  InitLog(LogFormat::kJson);
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);  // as grpc_init would
  const uint64_t before = SuppressedLogLines();
  for (int i = 0; i < 3; ++i) gpr_log(GPR_ERROR, "what %s says", "gRPC");
  gpr_log(GPR_DEBUG, "what nobody asked for");
  const std::string line = ::testing::internal::GetCapturedStderr();
  gpr_set_log_function(nullptr);
  const auto parsed = nlohmann::json::parse(line);  // one line, not three
  EXPECT_EQ(parsed["level"], "error");
  EXPECT_THAT(parsed["message"].get<std::string>(),
              ::testing::MatchesRegex(
                  R"(gRPC: what gRPC says \(log_test\.cc:[0-9]+\))"));
  EXPECT_EQ(SuppressedLogLines(), before + 2);
}

TEST(GrpcLogTest, ErrorsOfOnePlaceAreFewThoughNoTwoAreTheSame) {
  ::testing::internal::CaptureStderr();
  InitLog(LogFormat::kText);
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
  const uint64_t before = SuppressedLogLines();
  for (int i = 0; i < 1000; ++i) gpr_log(GPR_ERROR, "of port %d", i);
  gpr_log(GPR_ERROR, "of another place");
  const std::string lines = ::testing::internal::GetCapturedStderr();
  gpr_set_log_function(nullptr);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 11);
  EXPECT_THAT(lines, HasSubstr("of another place"));
  EXPECT_EQ(SuppressedLogLines(), before + 990);
}

}  // namespace
}  // namespace inkan
