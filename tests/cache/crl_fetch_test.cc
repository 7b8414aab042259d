// One fetch over HTTP or LDAP, from servers that do not mean well.
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cache/crl_error_class.h"
#include "cache/crl_fetch_http.h"
#include "cache/crl_fetch_ldap.h"
#include "gmock/gmock.h"
#include "tests/support/ldap_answer.h"
#include "tests/support/raw_server.h"
#include "tests/support/temp_folder.h"

namespace inkan {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing_world::HttpReplyText;
using testing_world::LdapAttributes;
using testing_world::LdapEntry;
using testing_world::LdapResult;
using testing_world::RawConnection;
using testing_world::RawServer;
using testing_world::TempFolder;

// What the metric of failing sources counts the error as.
MATCHER_P(OfClass, name, "is of class " + std::string(name)) {
  return ClassOfSourceError(arg) == name;
}

// Generous: what is measured is that there is an end at all.
constexpr absl::Duration kSoon = absl::Seconds(30);

class HttpFetch : public testing::Test {
 protected:
  HttpReply Get(const RawServer& server, const std::string& path = "/a.crl") {
    request_.url = server.url(path);
    return GetUrl();
  }
  HttpReply GetUrl() {
    request_.part_file = folder_.path() + "/part";
    const absl::Time start = absl::Now();
    HttpReply reply = fetcher_.Get(request_, stopping_);
    EXPECT_LT(absl::Now() - start, kSoon);
    return reply;
  }
  std::string Part() const {
    std::ifstream file(folder_.path() + "/part", std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  TempFolder folder_;
  StopFlag stopping_{false};
  HttpFetcher fetcher_;
  HttpRequest request_;
};

TEST_F(HttpFetch, StreamsTheBodyIntoTheFileAndKnowsItsVersion) {
  std::string seen;
  RawServer server([&](RawConnection& c) {
    seen = c.ReadHead();
    c.Send(HttpReplyText("200 OK", "body",
                         "ETag: \"v1\"\r\nLast-Modified: then\r\n"));
  });
  const HttpReply reply = Get(server);
  EXPECT_EQ(reply.outcome, HttpOutcome::kFetched) << reply.error;
  EXPECT_EQ(Part(), "body");
  EXPECT_EQ(reply.validators.etag, "\"v1\"");
  EXPECT_EQ(reply.validators.last_modified, "then");
  EXPECT_EQ(reply.bytes_received, 4U);
  EXPECT_THAT(seen, Not(HasSubstr("If-")));
  EXPECT_THAT(seen, Not(HasSubstr("Accept-Encoding")));
}

TEST_F(HttpFetch, NotModifiedIsAnAnswerOnlyToAConditionalRequest) {
  std::string seen;
  RawServer server([&](RawConnection& c) {
    seen = c.ReadHead();
    c.Send("HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n");
  });
  HttpReply reply = Get(server);
  EXPECT_EQ(reply.outcome, HttpOutcome::kFailed);
  EXPECT_THAT(reply.error, AllOf(HasSubstr("304"), OfClass("network")));
  request_.known = {"\"v1\"", "Wed, 25 Nov 2026 00:00:00 GMT"};
  reply = Get(server);
  EXPECT_EQ(reply.outcome, HttpOutcome::kNotModified) << reply.error;
  EXPECT_THAT(seen, HasSubstr("If-None-Match: \"v1\"\r\n"));
  EXPECT_THAT(seen, HasSubstr("If-Modified-Since: Wed, 25 Nov 2026"));
}

const std::string kLong(1000, 'x');

// 400 of 1,000 octets, then the end.
void Break(RawConnection& c, const std::string& fields) {
  c.ReadHead();
  c.Send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n" + fields + "\r\n" +
         kLong.substr(0, 400));
}

TEST_F(HttpFetch, ABrokenTransferIsContinuedWhereItBroke) {
  RawServer server([&](RawConnection& c) { Break(c, "ETag: \"v1\"\r\n"); });
  HttpReply reply = Get(server);
  EXPECT_EQ(reply.outcome, HttpOutcome::kFailed);
  EXPECT_THAT(reply.error, AllOf(HasSubstr("400 octets"), OfClass("network")));
  EXPECT_EQ(reply.validators.etag, "\"v1\"");
  std::string seen;
  server.Handle([&](RawConnection& c) {
    seen = c.ReadHead();
    c.Send(HttpReplyText("206 Partial Content", std::string(600, 'y'),
                         "ETag: \"v1\"\r\n"
                         "Content-Range: bytes 400-999/1000\r\n"));
  });
  request_.partial = reply.validators;
  reply = Get(server);
  EXPECT_EQ(reply.outcome, HttpOutcome::kFetched) << reply.error;
  EXPECT_THAT(seen, HasSubstr("Range: bytes=400-\r\n"));
  EXPECT_THAT(seen, HasSubstr("If-Range: \"v1\"\r\n"));
  EXPECT_EQ(Part(), kLong.substr(0, 400) + std::string(600, 'y'));
}

TEST_F(HttpFetch, AnotherVersionIsBegunAgain) {
  RawServer server([&](RawConnection& c) { Break(c, "ETag: \"v1\"\r\n"); });
  request_.partial = Get(server).validators;
  server.Handle([](RawConnection& c) {
    c.ReadHead();
    c.Send(HttpReplyText("200 OK", "new", "ETag: \"v2\"\r\n"));
  });
  const HttpReply reply = Get(server);
  EXPECT_EQ(reply.outcome, HttpOutcome::kFetched) << reply.error;
  EXPECT_EQ(Part(), "new");
  EXPECT_EQ(reply.validators.etag, "\"v2\"");
}

TEST_F(HttpFetch, WhatDoesNotContinueThePartIsRefusedAndNotBuiltUpon) {
  const std::string kWrong[] = {
      "Content-Range: bytes 300-999/1000\r\n", "",
      "Content-Range: bytes 400-999/*\r\n",
      "Content-Range: bytes 400-998/1000\r\n",
      "ETag: \"v2\"\r\nContent-Range: bytes 400-999/1000\r\n"};
  for (const std::string& fields : kWrong) {
    RawServer server([&](RawConnection& c) { Break(c, "ETag: \"v1\"\r\n"); });
    request_.partial = {};
    request_.partial = Get(server).validators;
    ASSERT_FALSE(request_.partial.empty());
    server.Handle([&](RawConnection& c) {
      c.ReadHead();
      c.Send(HttpReplyText("206 Partial Content", kLong.substr(400), fields));
    });
    const HttpReply reply = Get(server);
    EXPECT_EQ(reply.outcome, HttpOutcome::kFailed) << fields;
    EXPECT_THAT(reply.error, AllOf(HasSubstr("206"), OfClass("network")));
    EXPECT_TRUE(reply.validators.empty());
  }
}

TEST_F(HttpFetch, AWeakValidatorOrNoneIsNoGroundToContinue) {
  for (const std::string fields : {"ETag: W/\"v1\"\r\n", ""}) {
    RawServer server([&](RawConnection& c) { Break(c, fields); });
    request_.partial = {};
    EXPECT_TRUE(Get(server).validators.empty()) << fields;
  }
}

TEST_F(HttpFetch, TheSizeLimitHoldsWhileStreaming) {
  request_.limits.bytes_max = 1000;
  RawServer server([](RawConnection& c) {
    c.ReadHead();
    c.Send(HttpReplyText("200 OK", std::string(1000, 'x')));
  });
  EXPECT_EQ(Get(server).outcome, HttpOutcome::kFetched);
  // Without end, and without a word on its length.
  server.Handle([](RawConnection& c) {
    c.ReadHead();
    c.Send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    while (c.Send(std::string(65536, 'x'))) {
    }
  });
  const HttpReply reply = Get(server);
  EXPECT_EQ(reply.outcome, HttpOutcome::kFailed);
  EXPECT_THAT(reply.error, AllOf(HasSubstr("crl_bytes_max"), OfClass("limit")));
  EXPECT_LE(std::filesystem::file_size(request_.part_file), 1000U);
  EXPECT_TRUE(reply.validators.empty());
}

TEST_F(HttpFetch, APartLargerThanTheLimitIsNotContinuedPastIt) {
  request_.limits.bytes_max = 1000;
  std::string seen;
  RawServer server([&](RawConnection& c) {
    seen = c.ReadHead();
    if (seen.find("Range: ") == std::string::npos) {
      c.Send(HttpReplyText("200 OK", "body", "ETag: \"v1\"\r\n"));
      return;
    }
    const size_t from = std::stoul(seen.substr(seen.find("bytes=") + 6));
    c.Send(HttpReplyText("206 Partial Content", std::string(5000 - from, 'x'),
                         absl::StrCat("ETag: \"v1\"\r\nContent-Range: bytes ",
                                      from, "-4999/5000\r\n")));
  });
  for (const size_t held : {1000, 1001, 2000}) {
    std::ofstream(folder_.path() + "/part") << std::string(held, 'x');
    request_.partial = {"\"v1\"", ""};
    const HttpReply reply = Get(server);
    EXPECT_EQ(reply.outcome, HttpOutcome::kFetched) << reply.error;
    EXPECT_EQ(Part(), "body") << held;
  }
}

TEST_F(HttpFetch, SilenceAndDrippingComeToAnEnd) {
  RawServer server([](RawConnection& c) {
    c.ReadHead();
    c.Hold();
  });
  request_.limits.stall_timeout = absl::Seconds(1);
  EXPECT_THAT(Get(server).error,
              AllOf(HasSubstr("too slow"), OfClass("network")));
  request_.limits.stall_timeout = absl::Seconds(600);
  request_.limits.total_timeout = absl::Seconds(1);
  server.Handle([](RawConnection& c) {
    c.ReadHead();
    c.Send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    c.Drip(std::string(60000, 'x'));
  });
  EXPECT_THAT(Get(server).error,
              AllOf(HasSubstr("too slow"), OfClass("network")));
  server.Handle([](RawConnection& c) {
    c.ReadHead();
    c.Drip("HTTP/1.1 200 OK\r\n" + std::string(100000, 'x'));
  });
  EXPECT_THAT(Get(server).error,
              AllOf(HasSubstr("too slow"), OfClass("network")));
}

TEST_F(HttpFetch, TheStopFlagEndsATransfer) {
  RawServer server([](RawConnection& c) {
    c.ReadHead();
    c.Hold();
  });
  std::thread stopper([&] {
    absl::SleepFor(absl::Milliseconds(100));
    stopping_ = true;
  });
  EXPECT_THAT(Get(server).error,
              AllOf(HasSubstr("shutting down"), OfClass("network")));
  stopper.join();
}

TEST_F(HttpFetch, RedirectsStayWithinTheSchemeAndAreBounded) {
  std::string target;
  RawServer server([&](RawConnection& c) {
    const std::string head = c.ReadHead();
    if (head.find("GET /final") == 0) {
      c.Send(HttpReplyText("200 OK", "here", "ETag: \"final\"\r\n"));
    } else {
      c.Send(
          HttpReplyText("302 Found", "an explanation",
                        "ETag: \"redirect\"\r\nLocation: " + target + "\r\n"));
    }
  });
  target = server.url("/final");
  const HttpReply reply = Get(server);
  EXPECT_EQ(reply.outcome, HttpOutcome::kFetched) << reply.error;
  EXPECT_EQ(Part(), "here");
  EXPECT_EQ(reply.validators.etag, "\"final\"");
  target = server.url("/again");
  const int before = server.connections();
  EXPECT_THAT(Get(server).error,
              AllOf(HasSubstr("redirects"), OfClass("network")));
  EXPECT_EQ(server.connections() - before, kHttpRedirectsMax + 1);
  std::ofstream(folder_.path() + "/secret") << "secret";
  for (const std::string& elsewhere :
       {"file://" + folder_.path() + "/secret",
        "https://127.0.0.1:" + std::to_string(server.port()) + "/",
        std::string("ftp://127.0.0.1/x"), std::string("gopher://127.0.0.1/")}) {
    target = elsewhere;
    EXPECT_EQ(Get(server).outcome, HttpOutcome::kFailed) << elsewhere;
    EXPECT_THAT(Part(), Not(HasSubstr("secret")));
  }
}

TEST_F(HttpFetch, RepliesThatAreNoCrlAreNamed) {
  const auto error = [&](const std::string& status, const std::string& fields) {
    RawServer server([&](RawConnection& c) {
      c.ReadHead();
      c.Send(HttpReplyText(status, std::string(200'000, 'x'), fields));
    });
    const HttpReply reply = Get(server);
    EXPECT_EQ(reply.outcome, HttpOutcome::kFailed) << status;
    return reply.error;
  };
  EXPECT_THAT(error("404 Not Found", ""),
              AllOf(HasSubstr("404"), OfClass("network")));
  EXPECT_THAT(error("403 Forbidden", ""),
              AllOf(HasSubstr("403"), OfClass("network")));
  EXPECT_THAT(error("500 Oops", ""),
              AllOf(HasSubstr("500"), OfClass("network")));
  EXPECT_THAT(error("200 OK", "Content-Encoding: gzip\r\n"),
              AllOf(HasSubstr("Content-Encoding: gzip"), OfClass("network")));
  std::string flood;
  for (int i = 0; i < 1000; ++i)
    flood += "X-" + std::string(100, 'x') + ": y\r\n";
  EXPECT_THAT(error("200 OK", flood),
              AllOf(HasSubstr("header"), OfClass("limit")));
  RawServer empty([](RawConnection& c) {
    c.ReadHead();
    c.Send(HttpReplyText("200 OK", ""));
  });
  EXPECT_THAT(Get(empty).error, AllOf(HasSubstr("empty"), OfClass("network")));
}

// In seconds or as a date, of the last reply alone.
TEST_F(HttpFetch, RetryAfterIsPassedOn) {
  const auto retry_after = [&](const std::string& value) {
    RawServer server([&value](RawConnection& c) {
      c.ReadHead();
      c.Send(HttpReplyText("503 Busy", "", "Retry-After: " + value + "\r\n"));
    });
    return Get(server).retry_after;
  };
  const auto date = [](absl::Duration from_now) {
    return absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT", absl::Now() + from_now,
                            absl::UTCTimeZone());
  };
  EXPECT_EQ(retry_after("17"), absl::Seconds(17));
  const std::optional<absl::Duration> in_hours =
      retry_after(date(absl::Hours(10)));
  ASSERT_TRUE(in_hours.has_value());
  EXPECT_LE(*in_hours, absl::Hours(10));
  EXPECT_GE(*in_hours, absl::Hours(9));
  for (const std::string& now : {date(-absl::Hours(10)), std::string("0"),
                                 std::string("-5"), std::string("soon")}) {
    EXPECT_EQ(retry_after(now), std::nullopt) << now;
  }
  RawServer moved([](RawConnection& c) {
    if (c.ReadHead().find("GET /else") == std::string::npos) {
      c.Send(HttpReplyText("302 Found", "",
                           "Location: /else\r\nRetry-After: 99\r\n"));
    } else {
      c.Send(HttpReplyText("404 Not Found", ""));
    }
  });
  const HttpReply reply = Get(moved);
  EXPECT_THAT(reply.error, HasSubstr("404"));
  EXPECT_EQ(reply.retry_after, std::nullopt);
}

TEST_F(HttpFetch, WhatIsNotThereIsNamed) {
  int port = 0;
  {
    RawServer gone([](RawConnection&) {});
    port = gone.port();
  }
  request_.url = "http://127.0.0.1:" + std::to_string(port) + "/";
  EXPECT_THAT(GetUrl().error,
              AllOf(HasSubstr("cannot connect"), OfClass("network")));
}

// Sets a variable of the environment for as long as it lives.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    const char* before = std::getenv(name);
    if (before != nullptr) before_ = before;
    setenv(name, value.c_str(), /*overwrite=*/1);
  }
  ~Environment() {
    if (before_.has_value()) {
      setenv(name_, before_->c_str(), /*overwrite=*/1);
    } else {
      unsetenv(name_);
    }
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* const name_;
  std::optional<std::string> before_;
};

TEST_F(HttpFetch, AProxyOfTheEnvironmentIsAskedForTheWholeUrl) {
  std::string asked;  // the proxy's until the reply has come
  RawServer proxy([&asked](RawConnection& c) {
    asked = c.ReadHead();
    c.Send(HttpReplyText("200 OK", "by the proxy"));
  });
  const std::string address =
      absl::StrCat("http://127.0.0.1:", proxy.port(), "/");
  const Environment http("http_proxy", address);
  const Environment https("https_proxy", address);
  const Environment none("no_proxy", "");
  request_.url = "http://crl.example.invalid/a.crl";
  const HttpReply reply = GetUrl();
  EXPECT_EQ(reply.outcome, HttpOutcome::kFetched) << reply.error;
  EXPECT_EQ(Part(), "by the proxy");
  EXPECT_THAT(asked, testing::StartsWith(
                         "GET http://crl.example.invalid/a.crl HTTP/1.1\r\n"));
  // Through it to a server with TLS, which this is not.
  request_.url = "https://crl.example.invalid/a.crl";
  EXPECT_EQ(GetUrl().outcome, HttpOutcome::kFailed);
  EXPECT_THAT(asked, testing::StartsWith(
                         "CONNECT crl.example.invalid:443 HTTP/1.1\r\n"));
}

TEST_F(HttpFetch, HostsOfNoProxyAreAskedThemselves) {
  RawServer proxy([](RawConnection& c) {
    c.ReadHead();
    c.Send(HttpReplyText("200 OK", "by the proxy"));
  });
  RawServer server([](RawConnection& c) {
    c.ReadHead();
    c.Send(HttpReplyText("200 OK", "by the server"));
  });
  const Environment http("http_proxy",
                         absl::StrCat("http://127.0.0.1:", proxy.port()));
  {
    const Environment none("no_proxy", "other.example");
    EXPECT_EQ(Get(server).outcome, HttpOutcome::kFetched);
    EXPECT_EQ(Part(), "by the proxy");
  }
  const int asked = proxy.connections();
  const Environment none("no_proxy", "other.example,127.0.0.1");
  EXPECT_EQ(Get(server).outcome, HttpOutcome::kFetched);
  EXPECT_EQ(Part(), "by the server");
  EXPECT_EQ(proxy.connections(), asked);
}

// An SSL client hello, answered with something else.
TEST_F(HttpFetch, HttpsNeedsACertificate) {
  RawServer server(
      [](RawConnection& c) { c.Send(HttpReplyText("200 OK", "body")); });
  request_.url = "https://127.0.0.1:" + std::to_string(server.port()) + "/";
  EXPECT_EQ(GetUrl().outcome, HttpOutcome::kFailed);
}

LdapRequest RequestFor(const RawServer& server) {
  // As the caller's threads do: libldap writes to what has been shut down.
  std::signal(SIGPIPE, SIG_IGN);
  LdapRequest request;
  request.url = "ldap://127.0.0.1:" + std::to_string(server.port());
  request.base_dn = "o=lab";
  request.limits.stall_timeout = absl::Seconds(60);
  request.limits.total_timeout = absl::Seconds(2);
  return request;
}

std::string SearchError(const LdapRequest& request) {
  const StopFlag stopping{false};
  const absl::Time start = absl::Now();
  const LdapReply reply = SearchLdap(
      request, stopping,
      [](const std::string&, absl::Span<const Bytes>) { return true; });
  EXPECT_FALSE(reply.ok);
  EXPECT_LT(absl::Now() - start, kSoon);
  EXPECT_THAT(reply.error, OfClass("network"));
  return reply.error;
}

TEST(LdapSearch, AServerThatSaysNothingOrHalfAMessageIsLeft) {
  RawServer server([](RawConnection& c) { c.Hold(); });
  EXPECT_THAT(SearchError(RequestFor(server)), HasSubstr("too slow"));
  // The beginning of a message of 1,000 octets.
  server.Handle([](RawConnection& c) {
    c.Send("\x30\x82\x03\xe8\x02\x01\x01");
    c.Hold();
  });
  EXPECT_THAT(SearchError(RequestFor(server)), HasSubstr("too slow"));
  server.Handle([](RawConnection& c) {
    c.Send("\x30\x82\x03\xe8\x02\x01\x01");
    c.Drip(std::string(1000, '\x04'));
  });
  EXPECT_THAT(SearchError(RequestFor(server)), HasSubstr("too slow"));
}

TEST(LdapSearch, StallTimeoutEndsBeforeTheTotal) {
  RawServer server([](RawConnection& c) { c.Hold(); });
  LdapRequest request = RequestFor(server);
  request.limits.stall_timeout = absl::Seconds(1);
  request.limits.total_timeout = absl::Seconds(600);
  EXPECT_THAT(SearchError(request), HasSubstr("stall_timeout"));
}

TEST(LdapSearch, TlsThatNeverComesIsLeft) {
  RawServer server([](RawConnection& c) { c.Hold(); });
  LdapRequest request = RequestFor(server);
  request.url = "ldaps://127.0.0.1:" + std::to_string(server.port());
  SearchError(request);
  request = RequestFor(server);
  request.start_tls = true;
  SearchError(request);
}

TEST(LdapSearch, AMessageLargerThanTheLimitIsNotWaitedFor) {
  RawServer server([](RawConnection& c) {
    c.Send(std::string("\x30\x84\x7f\xff\xff\xff\x02\x01\x01", 9));
    while (c.Send(std::string(65536, 'x'))) {
    }
  });
  LdapRequest request = RequestFor(server);
  request.limits.bytes_max = 1000;
  request.limits.total_timeout = absl::Seconds(600);
  EXPECT_NE(SearchError(request), "");
}

TEST(LdapSearch, GarbageAndSilenceOfTheGraveAreErrors) {
  RawServer server(
      [](RawConnection& c) { c.Send("HTTP/1.1 400 Bad\r\n\r\n"); });
  EXPECT_NE(SearchError(RequestFor(server)), "");
  server.Handle([](RawConnection&) {});
  EXPECT_NE(SearchError(RequestFor(server)), "");
}

TEST(LdapSearch, TheStopFlagEndsASearch) {
  RawServer server([](RawConnection& c) { c.Hold(); });
  LdapRequest request = RequestFor(server);
  request.limits.total_timeout = absl::Seconds(600);
  StopFlag stopping{false};
  std::thread stopper([&] {
    absl::SleepFor(absl::Milliseconds(100));
    stopping = true;
  });
  const LdapReply reply = SearchLdap(
      request, stopping,
      [](const std::string&, absl::Span<const Bytes>) { return true; });
  stopper.join();
  EXPECT_FALSE(reply.ok);
  EXPECT_THAT(reply.error,
              AllOf(HasSubstr("shutting down"), OfClass("network")));
}

// Keeps every value that comes.
LdapSink Collect(std::vector<std::string>* taken) {
  return [taken](const std::string&, absl::Span<const Bytes> values) {
    for (const Bytes value : values) taken->emplace_back(AsText(value));
    return true;
  };
}

// One entry, cn=a, with these attributes.
RawServer::Handler EntryOf(const LdapAttributes& attributes) {
  return [answer =
              LdapEntry("cn=a", attributes) + LdapResult()](RawConnection& c) {
    c.Send(answer);
    c.Hold();
  };
}

TEST(LdapSearch, OnlyWhatWasAskedForIsTaken) {
  RawServer server(EntryOf({{"cn", {"a"}},
                            {"certificaterevocationlist;BINARY", {"full"}},
                            {"userCertificate;binary", {"certificate"}},
                            {"authorityRevocationList", {"for CAs"}},
                            {"deltaRevocationList;x-other", {"other"}},
                            {"certificateRevocationLists", {"longer"}},
                            {"2.5.4.53", {"delta"}}}));
  std::vector<std::string> taken;
  LdapReply reply;
  const auto search = [&](LdapRequest request) {
    taken.clear();
    const StopFlag stopping{false};
    request.limits.total_timeout = absl::Seconds(20);
    reply = SearchLdap(request, stopping, Collect(&taken));
  };
  LdapRequest request = RequestFor(server);
  search(request);
  EXPECT_TRUE(reply.ok) << reply.error;
  EXPECT_THAT(taken, testing::ElementsAre("full", "for CAs", "delta"));
  // By another of its names.
  request.attributes = {"2.5.4.39"};
  search(request);
  EXPECT_TRUE(reply.ok) << reply.error;
  EXPECT_THAT(taken, testing::ElementsAre("full"));
  request.attributes = {"caCertificate;binary"};
  search(request);
  EXPECT_FALSE(reply.ok);
  EXPECT_THAT(reply.error,
              AllOf(HasSubstr("found no CRL"), OfClass("network")));
  EXPECT_THAT(taken, testing::IsEmpty());
}

TEST(LdapSearch, AnEntryHasNoMoreAttributesThanWereAskedFor) {
  const std::pair<std::string, std::vector<std::string>> one = {
      "certificateRevocationList;binary", {"crl"}};
  RawServer server(EntryOf({one, one, one}));
  LdapRequest request = RequestFor(server);
  request.limits.total_timeout = absl::Seconds(20);
  const StopFlag stopping{false};
  int taken = 0;
  const auto search = [&] {
    return SearchLdap(request, stopping,
                      [&](const std::string&, absl::Span<const Bytes>) {
                        ++taken;
                        return true;
                      });
  };
  EXPECT_TRUE(search().ok);  // three were
  EXPECT_EQ(taken, 3);
  request.attributes.pop_back();
  taken = 0;
  const LdapReply reply = search();
  EXPECT_FALSE(reply.ok);
  EXPECT_EQ(taken, 2);
  EXPECT_THAT(reply.error, HasSubstr("cn=a"));
  EXPECT_THAT(reply.error,
              AllOf(HasSubstr("more attributes"), OfClass("limit")));
}

TEST(LdapSearch, ANameIsNoLongerThanARecordCanHold) {
  const StopFlag stopping{false};
  const auto search = [&](size_t name_bytes) {
    const std::string answer =
        LdapEntry(std::string(name_bytes, 'n'),
                  {{"certificateRevocationList;binary", {"crl"}}}) +
        LdapResult();
    RawServer server([&answer](RawConnection& c) {
      c.Send(answer);
      c.Hold();
    });
    LdapRequest request = RequestFor(server);
    request.limits.total_timeout = absl::Seconds(20);
    return SearchLdap(
        request, stopping,
        [](const std::string&, absl::Span<const Bytes>) { return true; });
  };
  EXPECT_TRUE(search(4096).ok);
  const LdapReply reply = search(4097);
  EXPECT_FALSE(reply.ok);
  EXPECT_THAT(reply.error,
              AllOf(HasSubstr("more than 4096 octets"), OfClass("limit")));
}

TEST(LdapSearch, WhatAServerSaysWentWrongIsCut) {
  RawServer server([](RawConnection& c) {
    c.Send(LdapResult(/*code=*/53, std::string(100000, 'x')));
    c.Hold();
  });
  LdapRequest request = RequestFor(server);
  request.limits.total_timeout = absl::Seconds(20);
  const StopFlag stopping{false};
  const LdapReply reply = SearchLdap(
      request, stopping,
      [](const std::string&, absl::Span<const Bytes>) { return true; });
  EXPECT_FALSE(reply.ok);
  EXPECT_THAT(reply.error, AllOf(HasSubstr("xxxx"), OfClass("network")));
  EXPECT_LT(reply.error.size(), 800U);
}

TEST(LdapSearch, EveryValueIsTakenAndOneTooManyEndsIt) {
  RawServer server(
      EntryOf({{"certificateRevocationList;binary", {"1", "", "3"}},
               {"deltaRevocationList;binary", {}},
               {"authorityRevocationList;binary", {"4"}}}));
  LdapRequest request = RequestFor(server);
  request.limits.total_timeout = absl::Seconds(20);
  const StopFlag stopping{false};
  std::vector<std::string> taken;
  const auto search = [&] {
    taken.clear();
    return SearchLdap(request, stopping, Collect(&taken));
  };
  request.values_max = 3;
  EXPECT_TRUE(search().ok);
  EXPECT_THAT(taken, testing::ElementsAre("1", "", "3", "4"));
  request.values_max = 2;
  const LdapReply reply = search();
  EXPECT_FALSE(reply.ok);
  EXPECT_THAT(reply.error,
              AllOf(HasSubstr("more than 2 values"), OfClass("limit")));
  EXPECT_THAT(taken, testing::ElementsAre("1", ""));
}

TEST(LdapSearch, AnAnswerHasNoMoreEntriesThanItMay) {
  std::string answer;
  for (const char* name : {"cn=a", "cn=b", "cn=c"}) {
    answer += LdapEntry(name, {{"certificateRevocationList;binary", {name}}});
  }
  answer += LdapResult();
  RawServer server([&answer](RawConnection& c) {
    c.Send(answer);
    c.Hold();
  });
  LdapRequest request = RequestFor(server);
  request.limits.total_timeout = absl::Seconds(20);
  const StopFlag stopping{false};
  std::vector<std::string> taken;
  const auto search = [&] {
    taken.clear();
    return SearchLdap(request, stopping, Collect(&taken));
  };
  request.entries_max = 3;
  LdapReply reply = search();
  EXPECT_TRUE(reply.ok) << reply.error;
  EXPECT_THAT(taken, testing::ElementsAre("cn=a", "cn=b", "cn=c"));
  request.entries_max = 2;
  reply = search();
  EXPECT_FALSE(reply.ok);
  EXPECT_THAT(reply.error,
              AllOf(HasSubstr("more than 2 entries"), OfClass("limit")));
  EXPECT_THAT(reply.error, HasSubstr("ldap.entries_max"));
  EXPECT_THAT(taken, testing::ElementsAre("cn=a", "cn=b"));
}

TEST(LdapSearch, StopFlagAndClockEndItWithinAnEntry) {
  RawServer server(EntryOf({{"certificateRevocationList;binary", {"1"}},
                            {"deltaRevocationList;binary", {"2"}},
                            {"authorityRevocationList;binary", {"3", "4"}}}));
  LdapRequest request = RequestFor(server);
  request.limits.total_timeout = absl::Seconds(600);
  StopFlag stopping{false};
  int taken = 0;
  LdapReply reply = SearchLdap(
      request, stopping, [&](const std::string&, absl::Span<const Bytes>) {
        stopping = ++taken == 2;
        return true;
      });
  EXPECT_FALSE(reply.ok);
  EXPECT_EQ(taken, 2);
  EXPECT_THAT(reply.error,
              AllOf(HasSubstr("shutting down"), OfClass("network")));

  stopping = false;
  taken = 0;
  request.limits.total_timeout = absl::Seconds(5);
  reply = SearchLdap(request, stopping,
                     [&](const std::string&, absl::Span<const Bytes>) {
                       if (++taken == 2) absl::SleepFor(absl::Seconds(6));
                       return true;
                     });
  EXPECT_FALSE(reply.ok);
  EXPECT_EQ(taken, 2);
  EXPECT_THAT(reply.error, AllOf(HasSubstr("too slow"), OfClass("network")));
}

}  // namespace
}  // namespace inkan
