// The status page of a real server, looked at with a real browser: headless
// Chromium makes a picture of it, light and dark, wide and narrow, and says
// what its document is after all scripts (there are none) have run.
//
// The pictures stay in build/.../tests/e2e-work/StatusPage.*/ for people.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "tests/e2e/lab_server.h"
#include "tests/server/http_client.h"
#include "tests/support/conformance.h"

namespace inkan {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kChromium[] = "/usr/bin/chromium";
// A browser starts in seconds, on a machine that builds and tests at the same
// time in minutes.
constexpr absl::Duration kPatience = absl::Seconds(200);

struct Visit {
  int exit_code = -1;
  std::string dom;
  std::string errors;  // the browser's log
  std::string picture;
  std::string network;  // the browser's record of its requests
};

Visit Look(const std::string& url, const std::string& dir, int width,
           int height, const std::vector<std::string>& more) {
  fs::create_directories(dir);
  const auto at = [&](const char* name) { return dir + "/" + name; };
  std::vector<std::string> browser = {
      kChromium, "--headless", "--no-sandbox", "--disable-gpu",
      "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--disable-extensions",
      "--disable-dev-shm-usage", "--enable-logging=stderr", "--hide-scrollbars",
      // Whatever it asks for by name is not there.
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
      absl::StrCat("--user-data-dir=", at("profile")),
      absl::StrCat("--log-net-log=", at("net.json")),
      absl::StrCat("--window-size=", width, ",", height),
      absl::StrCat("--screenshot=", at("page.png")), "--dump-dom"};
  browser.insert(browser.end(), more.begin(), more.end());
  browser.push_back(url);
  // Its document and its log apart.
  std::vector<std::string> command = {
      "sh",
      "-c",
      "out=$1 err=$2; shift 2; exec \"$@\" >\"$out\" 2>\"$err\"",
      "sh",
      at("dom.html"),
      at("browser.log")};
  command.insert(command.end(), browser.begin(), browser.end());
  Visit visit;
  Process process(command, at("shell.log"));
  visit.exit_code = process.Wait(kPatience);
  visit.dom = ReadFile(at("dom.html"));
  visit.errors = ReadFile(at("browser.log"));
  if (fs::exists(at("page.png"))) visit.picture = ReadFile(at("page.png"));
  if (fs::exists(at("net.json"))) visit.network = ReadFile(at("net.json"));
  fs::remove_all(at("profile"));
  return visit;
}

uint32_t BigEndian(const std::string& bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) {
    value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  }
  return value;
}

void ExpectRealPicture(const Visit& visit, int width, int height) {
  ASSERT_GT(visit.picture.size(), 24U) << visit.errors;
  EXPECT_EQ(visit.picture.substr(0, 8), "\x89PNG\r\n\x1a\n");
  EXPECT_EQ(BigEndian(visit.picture, 16), static_cast<uint32_t>(width));
  EXPECT_EQ(BigEndian(visit.picture, 20), static_cast<uint32_t>(height));
  // One colour all over compresses to a few kB.
  EXPECT_GT(visit.picture.size(), 20'000U);
}

void ExpectQuiet(const Visit& visit) {
  EXPECT_EQ(visit.exit_code, 0) << visit.errors;
  EXPECT_THAT(visit.errors, Not(HasSubstr("CONSOLE")));
  // The page asked for nothing. What the browser asks for by itself ("not an
  // origin": the page first of all, and its maker's services) is its own
  // affair.
  EXPECT_THAT(visit.network, HasSubstr("/statusz\""));
  const std::regex request("\"initiator\":\"(http[^\"]*)\"");
  for (std::sregex_iterator
           at(visit.network.begin(), visit.network.end(), request),
       end;
       at != end; ++at) {
    ADD_FAILURE() << "a request by " << (*at)[1];
  }
  EXPECT_THAT(visit.dom, Not(HasSubstr("src=")));
  EXPECT_THAT(visit.dom, Not(HasSubstr("url(")));
}

void Judge(const LabServer& server, size_t filings) {
  const auto corpus = ReadCorpus(server.lab());
  const auto stub = server.verification();
  for (size_t first = 0; first < filings; first += 50) {
    v1::BatchVerifyRequest request;
    for (size_t i = first; i < first + 50; ++i) {
      *request.add_filings() = corpus[i % corpus.size()].filing();
    }
    grpc::ClientContext context;
    v1::BatchVerifyResponse response;
    const grpc::Status status = stub->BatchVerify(&context, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
}

TEST(StatusPage, LooksAsItShouldInARealBrowser) {
  if (!fs::exists(kChromium)) {
    ASSERT_EQ(std::getenv("CI"), nullptr) << "no " << kChromium;
    GTEST_SKIP() << "no " << kChromium << "; ./dev setup installs it";
  }
  const std::string dir = FreshWorkDir();
  LabServer server(dir,
                   "ops_http { address: \"127.0.0.1:0\" }\n"
                   "audit_log { file: \"audit.log\" }\n");
  ASSERT_NE(server.ops_http_port(), 0);
  // A few seconds of traffic, so that there is something to see.
  const absl::Time until = absl::Now() + absl::Seconds(4);
  do {
    Judge(server, 2000);
  } while (absl::Now() < until);
  std::ofstream(server.lab() + "/crls/<b>not a CRL<b>.crl") << "nonsense";
  const auto page = [&server] {
    return testing::HttpBody(
        testing::HttpGet(server.ops_http_port(), "/statusz"));
  };
  constexpr char kFinding[] = "1 CRL source cannot be used (malformed): ";
  const absl::Time noticed_by = absl::Now() + absl::Minutes(2);
  while (page().find(kFinding) == std::string::npos) {
    ASSERT_LT(absl::Now(), noticed_by) << page();
    absl::SleepFor(absl::Milliseconds(100));
  }

  const std::string url =
      absl::StrCat("http://127.0.0.1:", server.ops_http_port(), "/statusz");
  const Visit wide = Look(url, dir + "/wide", 1200, 1500, {});
  ExpectQuiet(wide);
  ExpectRealPicture(wide, 1200, 1500);
  EXPECT_THAT(wide.dom, HasSubstr("<h1>Inkan</h1>"));
  EXPECT_THAT(wide.dom, HasSubstr("id=\"state\""));
  EXPECT_THAT(wide.dom, HasSubstr("Filings a second"));
  EXPECT_THAT(wide.dom, HasSubstr("TOTAL_PASSED"));
  EXPECT_THAT(wide.dom, HasSubstr("jpki-signature"));
  EXPECT_THAT(wide.dom, HasSubstr("OU=JPKI for digital signature"));
  EXPECT_THAT(wide.dom, HasSubstr("class=\"line\" d=\"M"));
  EXPECT_THAT(wide.dom, Not(HasSubstr("<script")));
  EXPECT_THAT(wide.dom, HasSubstr(kFinding));
  EXPECT_THAT(wide.dom, HasSubstr("&lt;b&gt;not a CRL&lt;b&gt;.crl"));
  EXPECT_THAT(wide.dom, HasSubstr("Fetch the file again"));
  const Visit narrow = Look(url, dir + "/narrow-dark", 500, 1800,
                            {"--blink-settings=preferredColorScheme=0"});
  ExpectQuiet(narrow);
  ExpectRealPicture(narrow, 500, 1800);
  EXPECT_NE(narrow.picture, wide.picture);
  // The page with its lists of CRLs unfolded, as a click would.
  const std::string unfolded = dir + "/unfolded/statusz";
  fs::create_directories(dir + "/unfolded");
  std::ofstream(unfolded + ".html")
      << absl::StrReplaceAll(page(), {{"<details>", "<details open>"}});
  const Visit rows =
      Look("file://" + unfolded + ".html", dir + "/unfolded", 1200, 3000, {});
  EXPECT_EQ(rows.exit_code, 0) << rows.errors;
  ExpectRealPicture(rows, 1200, 3000);
  EXPECT_THAT(rows.dom, HasSubstr("<details open"));
  EXPECT_TRUE(server.process().Running());
}

}  // namespace
}  // namespace inkan
