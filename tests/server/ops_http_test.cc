// The operations port's HTTP server against clients of every kind.
#include "server/ops_http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/http_client.h"

namespace inkan {
namespace {

using ::testing::HasSubstr;
using testing::HttpConnect;
using testing::HttpExchange;
using testing::HttpGet;
using ::testing::Not;
using testing::OwnedSocket;
using ::testing::StartsWith;

constexpr size_t kLargeBytes = size_t{32} << 20;

class OpsHttpTest : public ::testing::Test {
 protected:
  void Serve(const OpsHttpLimits& limits = OpsHttpLimits()) {
    HttpHandlers handlers;
    handlers["/page"] = [] {
      OpsReply reply;
      reply.body = "the page";
      return reply;
    };
    handlers["/large"] = [] {
      OpsReply reply;
      reply.body.assign(kLargeBytes, 'x');
      return reply;
    };
    auto started = OpsHttp::Start("127.0.0.1:0", handlers, &counters_, limits);
    ASSERT_TRUE(started.ok()) << started.status();
    http_ = *std::move(started);
  }
  uint64_t Answered(const std::string& path, int code) const {
    const OpsCounters::Requests requests = counters_.requests();
    const auto found = requests.find({path, code});
    return found == requests.end() ? 0 : found->second;
  }

  OpsCounters counters_;
  std::unique_ptr<OpsHttp> http_;
};

TEST_F(OpsHttpTest, GetAndHeadOfAPageThatIsThere) {
  Serve();
  const std::string got = HttpGet(http_->port(), "/page");
  EXPECT_THAT(got, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(got, HasSubstr("\r\n\r\nthe page"));
  EXPECT_THAT(got, HasSubstr("X-Content-Type-Options: nosniff"));
  EXPECT_THAT(got, HasSubstr("Content-Security-Policy: default-src 'none'"));
  const std::string head =
      HttpExchange(http_->port(), "HEAD /page HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(head, HasSubstr("Content-Length: 8"));
  EXPECT_THAT(head, Not(HasSubstr("the page")));
  EXPECT_EQ(Answered("/page", 200), 2U);
}

TEST_F(OpsHttpTest, WhatIsNotThereIs404AndOtherMethodsAre405) {
  Serve();
  EXPECT_THAT(HttpGet(http_->port(), "/nowhere"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(HttpGet(http_->port(), "/page/"), StartsWith("HTTP/1.1 404"));
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    const std::string answer = HttpExchange(
        http_->port(), absl::StrCat(method,
                                    " /page HTTP/1.1\r\nHost: x\r\n"
                                    "Content-Length: 5\r\n\r\nhello"));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 405")) << method;
    EXPECT_THAT(answer, HasSubstr("Allow: GET, HEAD")) << method;
  }
  // Paths nobody made up are not labels.
  EXPECT_EQ(Answered("other", 404), 2U);
  EXPECT_EQ(Answered("/page", 405), 5U);
  EXPECT_EQ(counters_.requests().size(), 2U);
}

TEST_F(OpsHttpTest, NoiseIsRefusedAndHarmsNothing) {
  Serve();
  for (const std::string& noise :
       {std::string("\r\n\r\n"), std::string("GET\r\n\r\n"),
        std::string("GET /page HTTP/9.9\r\n\r\n"),
        std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        std::string("\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 11),
        std::string("GET /%zz%00 HTTP/1.1\r\n\r\n"),
        std::string("GET /page HTTP/1.1\r\nContent-Length: "
                    "99999999999999999999\r\n\r\n"),
        std::string("GET /page HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "ffffffffff\r\n")}) {
    HttpExchange(http_->port(), noise);
  }
  EXPECT_THAT(HttpGet(http_->port(), "/page"), StartsWith("HTTP/1.1 200"));
}

TEST_F(OpsHttpTest, AHeadUpToTheBoundIsTakenAndPastItRefused) {
  Serve();
  const std::string line = "GET /page HTTP/1.1\r\nX: ";
  const size_t most = OpsHttpLimits().head_bytes_max;
  // The library has a bound of its own for one line, below ours.
  const std::string fill =
      std::string(4000, 'a') + "\r\nY: " + std::string(2000, 'b') + "\r\nZ: ";
  const size_t rest = most - line.size() - fill.size() - 4;
  EXPECT_THAT(HttpExchange(http_->port(),
                           line + fill + std::string(rest, 'c') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(
      HttpExchange(http_->port(),
                   line + fill + std::string(rest + 1, 'c') + "\r\n\r\n"),
      StartsWith("HTTP/1.1 431"));
  // Without an end it is not read for ever either.
  EXPECT_THAT(HttpExchange(http_->port(), std::string(50000, 'a')),
              StartsWith("HTTP/1.1 431"));
}

TEST_F(OpsHttpTest, RangesAreNotMultiplied) {
  Serve();
  std::string ranges = "bytes=0-";
  for (int i = 0; i < 2000; ++i) ranges += ",0-";
  const std::string answer = HttpExchange(
      http_->port(),
      absl::StrCat("GET /page HTTP/1.1\r\nrAnGe: ", ranges, "\r\n\r\n"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_LT(answer.size(), 1000U);
}

TEST_F(OpsHttpTest, ClientsThatStaySilentAreSentAway) {
  OpsHttpLimits limits;
  limits.read_timeout = absl::Milliseconds(200);
  Serve(limits);
  std::vector<OwnedSocket> silent;
  for (int i = 0; i < 8; ++i) {
    silent.push_back(HttpConnect(http_->port()));
    ASSERT_GE(silent.back().fd(), 0);
    // One octet does not buy more time.
    ASSERT_EQ(send(silent.back().fd(), "G", 1, MSG_NOSIGNAL), 1);
  }
  EXPECT_THAT(HttpGet(http_->port(), "/page"), StartsWith("HTTP/1.1 200"));
  EXPECT_GE(counters_.dropped(), 7U);
}

TEST_F(OpsHttpTest, ClientsThatDoNotReadAreSentAway) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "sends many megabytes, which ThreadSanitizer makes slow";
#endif
  OpsHttpLimits limits;
  limits.write_timeout = absl::Milliseconds(300);
  Serve(limits);
  std::vector<OwnedSocket> lazy;
  for (int i = 0; i < 3; ++i) {
    lazy.push_back(HttpConnect(http_->port()));
    const std::string request = "GET /large HTTP/1.1\r\nHost: x\r\n\r\n";
    ASSERT_EQ(
        send(lazy.back().fd(), request.data(), request.size(), MSG_NOSIGNAL),
        static_cast<ssize_t>(request.size()));
  }
  EXPECT_THAT(HttpGet(http_->port(), "/page"), StartsWith("HTTP/1.1 200"));
}

TEST_F(OpsHttpTest, PastItsBoundConnectionsAreClosedAtOnce) {
  OpsHttpLimits limits;
  limits.connections_max = 4;
  limits.read_timeout = absl::Seconds(60);
  Serve(limits);
  std::vector<OwnedSocket> silent;
  for (int i = 0; i < 20; ++i) silent.push_back(HttpConnect(http_->port()));
  for (int i = 0; i < 3000 && counters_.dropped() < 16; ++i) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_EQ(counters_.dropped(), 16U);
  silent.clear();
  // There is room again.
  std::string answer;
  for (int i = 0; i < 6000 && answer.empty(); ++i) {
    answer = HttpGet(http_->port(), "/page");
    if (answer.empty()) absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
}

TEST_F(OpsHttpTest, ManyAtOnceAreAllAnswered) {
  OpsHttpLimits limits;
  limits.connections_max = 64;
  Serve(limits);
  std::atomic<int> good{0};
  std::vector<std::thread> clients;
  for (int t = 0; t < 6; ++t) {
    clients.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        if (HttpGet(http_->port(), "/page").starts_with("HTTP/1.1 200")) {
          good.fetch_add(1);
        }
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(good.load(), 120);
}

TEST_F(OpsHttpTest, ItEndsWithConnectionsOpen) {
  OpsHttpLimits limits;
  limits.read_timeout = absl::Seconds(600);
  Serve(limits);
  std::vector<OwnedSocket> silent;
  for (int i = 0; i < 6; ++i) silent.push_back(HttpConnect(http_->port()));
  const absl::Time before = absl::Now();
  http_.reset();
  EXPECT_LT(absl::Now() - before, absl::Seconds(60));
}

TEST_F(OpsHttpTest, AnAddressThatCannotBeHadIsNamed) {
  Serve();
  const std::string taken = absl::StrCat("127.0.0.1:", http_->port());
  const auto second = OpsHttp::Start(taken, {}, &counters_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(taken));
  EXPECT_EQ(OpsHttp::Start("nonsense", {}, &counters_).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace inkan
