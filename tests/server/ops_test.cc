// Metrics, readiness, status page and audit log of a running server.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "bench/lab/calendar.h"
#include "bench/lab/crl_builder.h"
#include "bench/lab/extensions.h"
#include "bench/lab/keys.h"
#include "cache/crl_data.h"
#include "cache/crl_error_class.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/metrics_crl.h"
#include "server/metrics_list.h"
#include "server/ops_port.h"
#include "server/ops_view.h"
#include "server/statusz.h"
#include "server/statusz_html.h"
#include "server/steady_clock.h"
#include "tests/server/http_client.h"
#include "tests/server/raw_client.h"
#include "tests/server/test_world.h"

namespace inkan {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using testing::HttpBody;
using testing::HttpGet;
using ::testing::Not;
using testing::RawClient;
using ::testing::StartsWith;
using testing::TestWorld;
using testing::WorldTime;

constexpr char kOpsHttp[] = "ops_http { address: \"127.0.0.1:0\" }\n";

// Of a world whose CRL has ended long ago, ready all the same.
std::string ReadyConfig(const TestWorld& world, const std::string& more = "") {
  return absl::StrReplaceAll(
      world.ConfigText(absl::StrCat(kOpsHttp, more)),
      {{"anchor_files: \"ca.cer\"",
        "anchor_files: \"ca.cer\" revocation: REVOCATION_MODE_OFF"}});
}

void Verify(const Server& server, const v1::Filing& filing, int count = 1) {
  RawClient client(server.port());
  v1::BatchVerifyRequest request;
  for (int i = 0; i < count; ++i) *request.add_filings() = filing;
  grpc::ClientContext context;
  v1::BatchVerifyResponse response;
  const grpc::Status status =
      client.verification->BatchVerify(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
}

// A single call some time after the last: one that gRPC's thread may judge.
void VerifyAlone(const Server& server, const v1::Filing& filing) {
  RawClient client(server.port());
  // The connection is there before.
  grpc::ClientContext health_context;
  grpc::health::v1::HealthCheckResponse health;
  ASSERT_TRUE(client.health->Check(&health_context, {}, &health).ok());
  absl::SleepFor(absl::Milliseconds(5));
  v1::VerifyRequest request;
  *request.mutable_filing() = filing;
  grpc::ClientContext context;
  v1::VerifyResponse response;
  const grpc::Status status =
      client.verification->Verify(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
}

// Sample name with labels -> value.
std::map<std::string, std::string> Samples(const std::string& text) {
  std::map<std::string, std::string> samples;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    const size_t space = line.rfind(' ');
    if (line.empty() || line[0] == '#') continue;
    samples[line.substr(0, space)] = line.substr(space + 1);
  }
  return samples;
}

// name -> type and labels, sorted.
struct Described {
  std::string type;
  std::set<std::string> labels;
  bool operator==(const Described& other) const = default;
};
using Descriptions = std::map<std::string, Described>;

std::ostream& operator<<(std::ostream& out, const Described& described) {
  out << described.type;
  for (const std::string& label : described.labels) out << " " << label;
  return out;
}

Descriptions InTheDocument() {
  Descriptions found;
  std::ifstream in(INKAN_SOURCE_DIR "/docs/METRICS.md");
  for (std::string line; std::getline(in, line);) {
    if (!absl::StartsWith(line, "| `")) continue;
    const std::vector<std::string> cells = absl::StrSplit(line, " | ");
    if (cells.size() != 4) continue;
    Described& described =
        found[absl::StrReplaceAll(cells[0], {{"| ", ""}, {"`", ""}})];
    described.type = cells[1];
    for (const auto label :
         absl::StrSplit(cells[2], ",", absl::SkipWhitespace())) {
      described.labels.insert(
          absl::StrReplaceAll(label, {{"`", ""}, {" ", ""}}));
    }
  }
  return found;
}

Descriptions InTheCode() {
  Descriptions found;
  for (const MetricSpec& spec : MetricList()) {
    Described& described = found[std::string(spec.name)];
    described.type = spec.type == MetricType::kCounter ? "counter"
                     : spec.type == MetricType::kGauge ? "gauge"
                                                       : "histogram";
    for (const auto label :
         absl::StrSplit(std::string(spec.labels), ',', absl::SkipEmpty())) {
      described.labels.insert(std::string(label));
    }
  }
  return found;
}

std::string FamilyOf(const std::string& sample, const Descriptions& types) {
  const std::string name = sample.substr(0, sample.find('{'));
  if (types.contains(name)) return name;
  for (const char* suffix : {"_bucket", "_sum", "_count"}) {
    if (absl::EndsWith(name, suffix)) {
      return name.substr(0, name.size() - std::string(suffix).size());
    }
  }
  return name;
}

Descriptions OnTheWire(const std::string& text) {
  Descriptions found;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (!absl::StartsWith(line, "# TYPE ")) continue;
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    found[words[2]].type = words[3];
  }
  for (const auto& [sample, value] : Samples(text)) {
    const size_t brace = sample.find('{');
    if (brace == std::string::npos) continue;
    Described& described = found[FamilyOf(sample, found)];
    // label="value",: names end at =" and values hold no quote unescaped.
    size_t at = brace + 1;
    while (at < sample.size() && sample[at] != '}') {
      const size_t equals = sample.find("=\"", at);
      const std::string label = sample.substr(at, equals - at);
      if (label != "le") described.labels.insert(label);
      at = equals + 2;
      while (sample[at] != '"') at += sample[at] == '\\' ? 2 : 1;
      ++at;
      if (at < sample.size() && sample[at] == ',') ++at;
    }
  }
  return found;
}

TEST(OpsTest, DocumentCodeAndServerNameTheSameMetrics) {
  EXPECT_EQ(InTheDocument(), InTheCode());
  TestWorld world;
  auto server = world.StartServer(world.ConfigText(kOpsHttp));
  Verify(*server, world.GoodFiling());
  HttpGet(server->ops_http_port(), "/statusz");
  const Descriptions exposed =
      OnTheWire(HttpBody(HttpGet(server->ops_http_port(), "/metrics")));
  const Descriptions listed = InTheCode();
  for (const auto& [name, described] : exposed) {
    const auto found = listed.find(name);
    ASSERT_NE(found, listed.end()) << name << " is not listed";
    EXPECT_EQ(described.type, found->second.type) << name;
    // Families without a sample now show no labels.
    if (!described.labels.empty()) {
      EXPECT_EQ(described, found->second) << name;
    }
  }
  for (const auto& [name, described] : listed) {
    EXPECT_TRUE(exposed.contains(name)) << name << " is not exposed";
  }
}

TEST(OpsTest, VerdictsCallsAndBatchesAreCounted) {
  TestWorld world;
  auto server = world.StartServer(world.ConfigText(kOpsHttp));
  Verify(*server, world.GoodFiling(), 20);
  Verify(*server, world.RevokedFiling(), 3);
  v1::Filing stranger = world.GoodFiling();
  stranger.set_profile("Yamada Taro, 1-1-1 Chiyoda");
  Verify(*server, stranger, 2);
  v1::Filing without = world.GoodFiling();
  without.clear_signature();
  Verify(*server, without);

  const std::string text =
      HttpBody(HttpGet(server->ops_http_port(), "/metrics"));
  const auto samples = Samples(text);
  const auto value = [&](const std::string& sample) -> std::string {
    const auto found = samples.find(sample);
    return found == samples.end() ? "absent" : found->second;
  };
  EXPECT_EQ(value("inkan_verdicts_total{profile=\"signature\",indication="
                  "\"TOTAL_PASSED\",sub_indication=\"\"}"),
            "20");
  EXPECT_EQ(value("inkan_verdicts_total{profile=\"signature\",indication="
                  "\"TOTAL_FAILED\",sub_indication=\"REVOKED\"}"),
            "3");
  EXPECT_EQ(value("inkan_verdicts_total{profile=\"unknown\",indication="
                  "\"INDETERMINATE\",sub_indication=\"GENERIC\"}"),
            "2");
  // What callers make up is nowhere.
  EXPECT_THAT(text, Not(HasSubstr("Yamada")));
  const std::string method =
      "grpc_type=\"unary\",grpc_service=\"inkan.v1.VerificationService\","
      "grpc_method=\"BatchVerify\"";
  EXPECT_EQ(value(absl::StrCat("grpc_server_started_total{", method, "}")),
            "4");
  EXPECT_EQ(value(absl::StrCat("grpc_server_handled_total{", method,
                               ",grpc_code=\"OK\"}")),
            "4");
  EXPECT_EQ(
      value(absl::StrCat("grpc_server_handling_seconds_count{", method, "}")),
      "4");
  EXPECT_EQ(value("inkan_batch_filings_sum"), "26");
  EXPECT_EQ(value("inkan_queue_wait_seconds_count{lane=\"batch\"}"), "4");
  EXPECT_EQ(value("inkan_serving"), "1");
  EXPECT_EQ(value("inkan_audit_enabled"), "0");
}

TEST(OpsTest, RememberedCertificatesAndTheKernelsWorkAreCounted) {
  TestWorld world;
  auto server = world.StartServer(world.ConfigText(kOpsHttp));
  const auto samples = [&] {
    return Samples(HttpBody(HttpGet(server->ops_http_port(), "/metrics")));
  };
  const auto sum = [](const std::map<std::string, std::string>& all,
                      const std::string& family) {
    double total = 0;
    for (const auto& [sample, value] : all) {
      if (sample.substr(0, sample.find('{')) == family) {
        total += std::stod(value);
      }
    }
    return total;
  };
  for (int i = 0; i < 5; ++i) Verify(*server, world.GoodFiling());
  const auto before = samples();
  const double misses = sum(before, "inkan_certificate_cache_misses_total");
  EXPECT_GE(misses, 1);
  EXPECT_EQ(sum(before, "inkan_certificate_cache_hits_total"), 5 - misses);
  EXPECT_EQ(sum(before, "inkan_certificate_cache_entries"), 1);
  // One for each filing's signature, one for each certificate not remembered.
  EXPECT_EQ(sum(before, "inkan_rsa_operations_total"), 5 + misses);
  EXPECT_EQ(sum(before, "inkan_rsa_kernel_info"), 1);
  Verify(*server, world.GoodFiling());
  const auto after = samples();
  EXPECT_EQ(sum(after, "inkan_certificate_cache_misses_total"), misses);
  EXPECT_EQ(sum(after, "inkan_certificate_cache_hits_total"), 6 - misses);
  EXPECT_EQ(sum(after, "inkan_rsa_operations_total"), 6 + misses);
  // Many at once are for the lanes of a kernel that has some.
  Verify(*server, world.GoodFiling(), 64);
  const auto many = samples();
  EXPECT_EQ(sum(many, "inkan_rsa_operations_total"), 70 + misses);
  if (many.count("inkan_rsa_kernel_info{kernel=\"portable\"}") == 0) {
    EXPECT_GE(sum(many, "inkan_rsa_groups_total"), 1);
  }
  // Whoever judges, and by turns.
  for (int i = 1; i <= 10; ++i) {
    VerifyAlone(*server, world.GoodFiling());
    Verify(*server, world.GoodFiling());
    EXPECT_EQ(sum(samples(), "inkan_rsa_operations_total"),
              70 + misses + 2 * i);
  }
}

TEST(OpsTest, CallsThatFailAreCountedByTheirCode) {
  TestWorld world;
  auto server = world.StartServer(world.ConfigText(kOpsHttp));
  {
    RawClient client(server->port());
    grpc::ClientContext context;
    v1::BatchVerifyResponse response;
    EXPECT_EQ(
        client.verification->BatchVerify(&context, {}, &response).error_code(),
        grpc::StatusCode::INVALID_ARGUMENT);
    // A stream that its client leaves.
    grpc::ClientContext left;
    auto stream = client.verification->StreamVerify(&left);
    v1::StreamVerifyRequest request;
    *request.add_filings() = world.GoodFiling();
    ASSERT_TRUE(stream->Write(request));
    v1::StreamVerifyResponse answer;
    ASSERT_TRUE(stream->Read(&answer));
    left.TryCancel();
    EXPECT_FALSE(stream->Finish().ok());
  }
  EXPECT_THAT(
      HttpBody(HttpGet(server->ops_http_port(), "/metrics")),
      HasSubstr("grpc_method=\"BatchVerify\",grpc_code=\"INVALID_ARGUMENT\"} "
                "1"));
  std::string text;
  for (int i = 0; i < 3000; ++i) {
    text = HttpBody(HttpGet(server->ops_http_port(), "/metrics"));
    // Codes that were never seen are there with 0.
    if (absl::StrContains(
            text, "grpc_method=\"StreamVerify\",grpc_code=\"CANCELLED\"} 1") ||
        absl::StrContains(text,
                          "grpc_method=\"StreamVerify\",grpc_code=\"OK\"} 1")) {
      break;
    }
    absl::SleepFor(absl::Milliseconds(10));
  }
  // The stream's end may be seen before the cancellation is.
  EXPECT_THAT(
      text,
      AnyOf(
          HasSubstr("grpc_method=\"StreamVerify\",grpc_code=\"CANCELLED\"} 1"),
          HasSubstr("grpc_method=\"StreamVerify\",grpc_code=\"OK\"} 1")));
}

std::map<std::string, std::string> SamplesOf(const Server& server) {
  return Samples(HttpBody(HttpGet(server.ops_http_port(), "/metrics")));
}

TEST(OpsTest, LanesHaveTheirOwnDepthsAndWaits) {
  TestWorld world;
  auto server = world.StartServer(
      world.ConfigText(absl::StrCat(kOpsHttp,
                                    "limits { queue_filings_max: 4000 "
                                    "interactive_filings_max: 50 }")));
  RawClient client(server->port());
  {
    grpc::ClientContext context;
    v1::VerifyRequest request;
    *request.mutable_filing() = world.GoodFiling();
    v1::VerifyResponse response;
    ASSERT_TRUE(client.verification->Verify(&context, request, &response).ok());
  }
  for (int i = 0; i < 2; ++i) Verify(*server, world.GoodFiling(), 3);
  {
    grpc::ClientContext context;
    auto stream = client.verification->StreamVerify(&context);
    v1::StreamVerifyRequest request;
    *request.add_filings() = world.GoodFiling();
    v1::StreamVerifyResponse answer;
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(stream->Write(request));
      ASSERT_TRUE(stream->Read(&answer));
    }
    stream->WritesDone();
    EXPECT_TRUE(stream->Finish().ok());
  }
  auto samples = SamplesOf(*server);
  struct Lane {
    const char* name;
    const char* requests;
    const char* filings_max;
  };
  for (const Lane& lane :
       {Lane{"interactive", "1", "50"}, Lane{"batch", "2", "2000"},
        Lane{"stream", "3", "1000"}}) {
    const auto value = [&](const char* metric) {
      return samples[absl::StrCat(metric, "{lane=\"", lane.name, "\"}")];
    };
    EXPECT_EQ(value("inkan_queue_wait_seconds_count"), lane.requests);
    EXPECT_EQ(value("inkan_queue_filings"), "0") << lane.name;
    EXPECT_EQ(value("inkan_queue_filings_max"), lane.filings_max);
  }
}

TEST(OpsTest, WhatIsRefusedIsCountedByItsReason) {
  TestWorld world;
  auto server = world.StartServer(world.ConfigText(
      absl::StrCat(kOpsHttp,
                   "default_client_quota { filings_per_second: 1 "
                   "filings_burst: 10 }")));
  RawClient client(server->port());
  v1::BatchVerifyRequest request;
  for (int i = 0; i < 7; ++i) *request.add_filings() = world.GoodFiling();
  const auto call = [&] {
    grpc::ClientContext context;
    v1::BatchVerifyResponse response;
    return client.verification->BatchVerify(&context, request, &response)
        .error_code();
  };
  EXPECT_EQ(call(), grpc::StatusCode::OK);
  EXPECT_EQ(call(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  const auto rejected = [&](const char* reason) {
    return SamplesOf(*server)[absl::StrCat(
        "inkan_filings_rejected_total{reason=\"", reason, "\"}")];
  };
  EXPECT_EQ(rejected("quota"), "7");
  for (const char* reason :
       {"queue_filings", "queue_bytes", "shutting_down", "deadline",
        "cancelled", "audit_log", "abandoned"}) {
    EXPECT_EQ(rejected(reason), "0") << reason;
  }
}

TEST(OpsTest, EverySourceSaysWhenItWasLastAskedAndLastGood) {
  TestWorld world;
  std::filesystem::create_directories(world.Path("crls"));
  world.Write("crls/broken.crl", "no CRL");
  auto server = world.StartServer(world.ConfigText(kOpsHttp));
  auto samples = SamplesOf(*server);
  const double now = absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch());
  int good = 0;
  int bad = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(world.Path("crls"))) {
    const auto value = [&](const char* metric) {
      const std::string sample = absl::StrCat(
          metric, "{source=\"", entry.path().string(), "\",kind=\"file\"}");
      EXPECT_TRUE(samples.contains(sample)) << sample;
      return std::atof(samples[sample].c_str());
    };
    EXPECT_NEAR(value("inkan_crl_source_last_attempt_timestamp_seconds"), now,
                3600);
    EXPECT_GE(value("inkan_crl_source_attempts_total"), 1);
    const bool broken = entry.path().filename() == "broken.crl";
    EXPECT_EQ(value("inkan_crl_source_errors_total") > 0, broken);
    const double success =
        value("inkan_crl_source_last_success_timestamp_seconds");
    if (broken) {
      EXPECT_EQ(success, 0);
    } else {
      EXPECT_NEAR(success, now, 3600);
    }
    ++(broken ? bad : good);
  }
  EXPECT_EQ(bad, 1);
  EXPECT_GE(good, 1);
}

TEST(OpsTest, MetricsOfCrlsAreThoseOfTheCrlsInForce) {
  TestWorld world;
  world.AddDelta(8, {21, 22, 23});
  world.Write("crls/torn.crl", "nonsense");
  world.Write("crls/text.crl", "-----BEGIN X509 CRL-----\nnonsense\n");
  {
    // Of a CA that nobody here knows.
    const auto key = lab::PrivateKey::RsaFromSeed("stranger");
    world.Write("crls/stranger.crl",
                lab::CrlBuilder()
                    .issuer({{"CN", "Stranger"}})
                    .issued_by(key)
                    .this_update(testing::WorldTime() - 9'000'000)
                    .next_update(testing::WorldTime() - 8'000'000)
                    .add(lab::extension::CrlNumber(1))
                    .Sign(key));
  }
  auto server = world.StartServer(world.ConfigText(kOpsHttp));
  auto samples = SamplesOf(*server);
  const auto value = [&](const std::string& metric) {
    const std::string sample = absl::StrCat(
        metric, "{profile=\"signature\",issuer=\"CN=World CA,C=JP\"}");
    EXPECT_TRUE(samples.contains(sample)) << sample;
    return static_cast<int64_t>(std::atof(samples[sample].c_str()));
  };
  const int64_t day = 86400;
  EXPECT_EQ(value("inkan_crl_partitions"), 1);
  // One of the complete CRL, three of the delta.
  EXPECT_EQ(value("inkan_crl_entries"), 4);
  EXPECT_EQ(value("inkan_crl_oldest_this_update_timestamp_seconds"),
            testing::WorldTime() - day / 2);
  EXPECT_EQ(value("inkan_crl_earliest_next_update_timestamp_seconds"),
            testing::WorldTime() + day);
  const auto snapshot = server->keeper().Current();
  const CrlPartition& partition =
      snapshot->Find("signature")->crls->partitions().front();
  ASSERT_NE(partition.delta, nullptr);
  const uint64_t bytes =
      partition.crl->memory_bytes() + partition.delta->memory_bytes();
  EXPECT_GT(bytes, 100U);
  EXPECT_EQ(value("inkan_crl_index_bytes"), static_cast<int64_t>(bytes));

  std::map<std::string, int> failing;
  for (const std::string_view name : SourceErrorClasses()) {
    failing[std::string(name)] = 0;
  }
  failing["malformed"] = 2;
  failing["issuer"] = 1;
  for (const auto& [name, count] : failing) {
    EXPECT_EQ(samples[absl::StrCat("inkan_crl_source_failures{class=\"", name,
                                   "\"}")],
              absl::StrCat(count))
        << name;
  }
}

TEST(OpsTest, AGroupOfCrlsHasTheEarliestDatesOfAll) {
  TestWorld world;
  world.AddDelta(8, {});
  auto server = world.StartServer(world.ConfigText(kOpsHttp));
  const auto snapshot = server->keeper().Current();
  const int64_t day = 86400;
  const auto group_at = [&](int64_t seconds) {
    const auto groups = GroupCrls(
        *snapshot, absl::FromUnixSeconds(testing::WorldTime() + seconds));
    EXPECT_EQ(groups.size(), 1U);
    return groups.at(0);
  };
  const CrlGroup now = group_at(0);
  EXPECT_EQ(now.partitions, 1U);
  EXPECT_EQ(now.stale, 0U);
  EXPECT_EQ(now.rows.size(), 2U);
  EXPECT_EQ(now.oldest_this_update, testing::WorldTime() - day / 2);
  EXPECT_EQ(now.earliest_next_update, testing::WorldTime() + day);
  // The delta renews the complete CRL.
  EXPECT_EQ(now.earliest_stale_at, testing::WorldTime() + 2 * day);
  EXPECT_EQ(group_at(2 * day).stale, 0U);
  EXPECT_EQ(group_at(2 * day + 1).stale, 1U);
}

TEST(OpsTest, SourcesPastTheBoundArePutTogether) {
  const auto make = [](size_t count) {
    std::vector<CrlSourceStatus> sources(count);
    for (size_t i = 0; i < count; ++i) {
      sources[i].source = absl::StrCat("s", 10'000 + count - i);
      sources[i].last_success =
          absl::FromUnixSeconds(static_cast<int64_t>(1'000'000 + count - i));
      sources[i].attempts_total = 2;
      sources[i].failures_total = 1;
    }
    return BoundedSources(std::move(sources));
  };
  EXPECT_EQ(make(kCrlSourcesMax).size(), kCrlSourcesMax);
  EXPECT_EQ(make(kCrlSourcesMax).back().source, "s12000");
  const auto bounded = make(kCrlSourcesMax + 3);
  ASSERT_EQ(bounded.size(), kCrlSourcesMax + 1);
  EXPECT_EQ(bounded.front().source, "s10001");
  EXPECT_EQ(bounded.back().source, "other");
  EXPECT_EQ(bounded.back().last_success, absl::FromUnixSeconds(1'002'001));
  EXPECT_EQ(bounded.back().attempts_total, 6U);
  EXPECT_EQ(bounded.back().failures_total, 3U);
}

// What health says of a service, and what /readyz says, which is the same for
// the whole.
grpc::health::v1::HealthCheckResponse::ServingStatus HealthOf(
    const Server& server, const std::string& service = "") {
  RawClient client(server.port());
  grpc::ClientContext context;
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  grpc::health::v1::HealthCheckResponse response;
  EXPECT_TRUE(client.health->Check(&context, request, &response).ok());
  return response.status();
}

using grpc::health::v1::HealthCheckResponse;
constexpr char kVerification[] = "inkan.v1.VerificationService";
constexpr char kFreshness[] = " freshness { margin { seconds: 60 } }";

// A world whose only CRL ended on 2026-03-16, with or without a policy.
std::string StaleConfig(const TestWorld& world, const std::string& policy,
                        const std::string& more = "") {
  return absl::StrReplaceAll(
      world.ConfigText(absl::StrCat(kOpsHttp, more)),
      {{"anchor_files: \"ca.cer\"",
        absl::StrCat("anchor_files: \"ca.cer\"", policy)}});
}

TEST(OpsTest, WithoutAPolicyStaleCrlsAreAFindingAndNoReasonToBeNotReady) {
  TestWorld world;
  auto server = world.StartServer(StaleConfig(world, ""));
  EXPECT_EQ(HealthOf(*server), HealthCheckResponse::SERVING);
  EXPECT_THAT(HttpGet(server->ops_http_port(), "/readyz"),
              StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(HttpGet(server->ops_http_port(), "/statusz"),
              HasSubstr("too old. The filings concerned get TRY_LATER."));
  const std::string text =
      HttpBody(HttpGet(server->ops_http_port(), "/metrics"));
  EXPECT_THAT(text, HasSubstr("inkan_profile_ready{profile=\"signature\"} 1"));
  EXPECT_THAT(
      text,
      HasSubstr("inkan_crl_stale_partitions{profile=\"signature\",issuer=\"CN="
                "World CA,C=JP\"} 1"));
}

TEST(OpsTest, APolicyMakesStaleCrlsAReasonInReadyzAndHealthAlike) {
  TestWorld world;
  auto server = world.StartServer(StaleConfig(world, kFreshness));
  EXPECT_EQ(HealthOf(*server), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(HealthOf(*server, kVerification), HealthCheckResponse::NOT_SERVING);
  const std::string answer = HttpGet(server->ops_http_port(), "/readyz");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(answer, HasSubstr("profile signature: 1 CRL partition(s)"));
  EXPECT_THAT(HttpGet(server->ops_http_port(), "/healthz"),
              StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(HttpBody(HttpGet(server->ops_http_port(), "/metrics")),
              HasSubstr("inkan_profile_ready{profile=\"signature\"} 0"));
}

TEST(OpsTest, OneProfileThatIsNotReadyIsNamedAndDoesNotTakeTheOthersAlong) {
  TestWorld world;
  auto server = world.StartServer(StaleConfig(
      world, kFreshness,
      "profiles { name: \"other\" anchor_files: \"./ca.cer\" revocation: "
      "REVOCATION_MODE_OFF }\n"));
  EXPECT_EQ(HealthOf(*server), HealthCheckResponse::SERVING);
  EXPECT_EQ(HealthOf(*server, absl::StrCat(kVerification, "/signature")),
            HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(HealthOf(*server, absl::StrCat(kVerification, "/other")),
            HealthCheckResponse::SERVING);
  const std::string answer = HttpGet(server->ops_http_port(), "/readyz");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(answer, HasSubstr("profile signature: 1 CRL partition(s)"));
}

TEST(OpsTest, AServerThatGivesVerdictsIsReadyUntilItDrains) {
  TestWorld world;
  auto server = world.StartServer(ReadyConfig(world));
  EXPECT_THAT(HttpGet(server->ops_http_port(), "/readyz"),
              StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(HttpGet(server->ops_http_port(), "/"),
              HasSubstr("href=\"/statusz\""));
  const std::string page =
      HttpBody(HttpGet(server->ops_http_port(), "/statusz"));
  EXPECT_THAT(page, HasSubstr("<div class=\"pill good\""));
  EXPECT_THAT(page, HasSubstr("Nothing. Filings get their verdicts."));
  EXPECT_THAT(page, Not(HasSubstr("http-equiv")));
  EXPECT_THAT(HttpGet(server->ops_http_port(), "/statusz/all"),
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("CRL")));
  EXPECT_THAT(HttpBody(HttpGet(server->ops_http_port(), "/statusz/live")),
              HasSubstr("http-equiv=\"refresh\""));
  server->Shutdown();
  EXPECT_THAT(HttpGet(server->ops_http_port(), "/readyz"),
              StartsWith("HTTP/1.1 503"));
}

// A worker that hangs cannot be had, one that was told so can: metrics of their
// own, on the rest of a real server.
TEST(OpsTest, AWorkerAtOneBatchForAMinuteMakesHealthzSayThatItIsNotAlive) {
  TestWorld world;
  auto server = world.StartServer(ReadyConfig(world));
  auto config = ParseConfig(ReadyConfig(world), world.Path("x"));
  ASSERT_TRUE(config.ok()) << config.status();
  Metrics metrics;
  OpsView view;
  view.options = &config->server;
  view.keeper = &server->keeper();
  view.batcher = &server->batcher();
  view.metrics = &metrics;
  view.gate = &server->gate();
  view.answers = &server->answers();
  view.serving = [] { return true; };
  view.started_at = absl::FromUnixSeconds(1'700'000'000);
  const auto port = OpsPort::Start("127.0.0.1:0", view);
  ASSERT_TRUE(port.ok()) << port.status();
  // Not from /proc, of which the unit hides the half that is needed.
  EXPECT_EQ(std::stod(Samples(HttpBody(HttpGet(
                (*port)->port(), "/metrics")))["process_start_time_seconds"]),
            1.7e9);
  const auto health = [&] { return HttpGet((*port)->port(), "/healthz"); };
  EXPECT_THAT(health(), StartsWith("HTTP/1.1 200")) << "no workers";

  metrics.AddWorker();  // idle
  WorkerMetrics* worker = metrics.AddWorker();
  const int64_t minute = absl::ToInt64Nanoseconds(kStuckAfter);
  constexpr int64_t kSecond = 1'000'000'000;
  // Far enough below the limit that this test may be slow.
  worker->BatchBegun(NowNs() - minute / 2);
  EXPECT_THAT(health(), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(WhyNotAlive(view), "");
  worker->BatchBegun(NowNs() - minute - kSecond);
  EXPECT_THAT(health(), AllOf(StartsWith("HTTP/1.1 503"),
                              HasSubstr("not alive: a worker has been at one "
                                        "batch for 1m")));
  EXPECT_THAT(HttpBody(HttpGet((*port)->port(), "/statusz")),
              AllOf(HasSubstr("Not alive: a worker has been at one batch for "
                              "1m"),
                    HasSubstr("Restart the server")));
  // Severe, and so before all else.
  const std::vector<OpsFinding> findings = FindingsNow(view, absl::Now());
  ASSERT_FALSE(findings.empty());
  EXPECT_TRUE(findings.front().severe);
  // It was only slow.
  worker->BatchDropped();
  EXPECT_THAT(health(), StartsWith("HTTP/1.1 200"));
}

TEST(OpsTest, ABrokenCrlIsAFindingWithARemedyAndTheOthersShowTheirAge) {
  TestWorld world;
  world.Write("crls/<b>broken.crl", "nonsense");
  auto server = world.StartServer(world.ConfigText(kOpsHttp));
  const CrlData& crl = *server->keeper()
                            .Current()
                            ->Find("signature")
                            ->crls->partitions()
                            .front()
                            .crl;
  const auto age = [&crl] {
    return SpanText(absl::Now() - absl::FromUnixSeconds(crl.this_update));
  };
  const std::string before = age();
  const std::string page =
      HttpBody(HttpGet(server->ops_http_port(), "/statusz"));
  const std::string after = age();  // the hour may have struck
  EXPECT_THAT(page, HasSubstr("1 CRL source cannot be used (malformed): "));
  EXPECT_THAT(page, HasSubstr("/crls/&lt;b&gt;broken.crl"));
  EXPECT_THAT(page, HasSubstr("Fetch the file again; write elsewhere, then "
                              "rename."));
  // The row of the good one: its number, and since when it is.
  const size_t row = page.find("<code>07</code>");
  ASSERT_NE(row, std::string::npos);
  EXPECT_THAT(page.substr(row, 400),
              AnyOf(HasSubstr(absl::StrCat(">", before, "<")),
                    HasSubstr(absl::StrCat(">", after, "<"))));
  EXPECT_THAT(before, HasSubstr(" d "));
}

double EarliestStale(const Server& server) {
  auto samples = Samples(HttpBody(HttpGet(server.ops_http_port(), "/metrics")));
  return std::stod(
      samples["inkan_crl_earliest_stale_timestamp_seconds{profile="
              "\"signature\",issuer=\"CN=World CA,C=JP\"}"]);
}

// What its newer delta revoked is not known, so it is believed about no time.
TEST(OpsTest, ACrlWhoseNewerDeltaIsNotAtHandIsTooOldWhereverItIsShown) {
  TestWorld world;
  world.Write("crls/delta.crl", world.Delta());
  const std::string config =
      world.ConfigText(absl::StrCat(kOpsHttp, "state_directory: \"state\"\n"));
  world.StartServer(config);
  std::filesystem::remove(world.Path("crls/delta.crl"));
  auto server = world.StartServer(config);
  EXPECT_THAT(HttpBody(HttpGet(server->ops_http_port(), "/statusz")),
              AllOf(HasSubstr("1 of 1 CRL of CN=World CA,C=JP is too old."),
                    HasSubstr("not at all")));
  RawClient client(server->port());
  grpc::ClientContext context;
  v1::GetStatusResponse status;
  ASSERT_TRUE(client.operations->GetStatus(&context, {}, &status).ok());
  ASSERT_EQ(status.partitions_size(), 1);
  EXPECT_EQ(status.partitions(0).stale_at().seconds(),
            status.partitions(0).this_update().seconds());
  EXPECT_EQ(status.profiles(0).stale_partitions(), 1U);
  EXPECT_EQ(EarliestStale(*server), 0);
}

TEST(OpsTest, WhenACrlWillBeTooOldIsByTheRulesOfItsProfile) {
  TestWorld world;
  const int64_t day = lab::kSecondsPerDay;
  const std::pair<const char*, int64_t> rules[] = {
      {"", WorldTime() + day},
      {" crl_grace { seconds: 7200 }", WorldTime() + day + 7200},
      {" crl_max_age { seconds: 3600 }", WorldTime() - day / 2 + 3600}};
  for (const auto& [rule, end] : rules) {
    auto server = world.StartServer(StaleConfig(world, rule));
    EXPECT_EQ(EarliestStale(*server), end) << rule;
  }
}

// Nobody can do anything about it, so it must not call anybody.
TEST(OpsTest, ACrlThatNoPlaceGivesAnyMoreIsNotCountedAsTooOld) {
  TestWorld world;
  auto server = world.StartServer(StaleConfig(world, ""));
  Snapshot snapshot = *server->keeper().Current();
  const auto groups = GroupCrls(snapshot, absl::Now());
  ASSERT_EQ(groups.size(), 1U);
  EXPECT_EQ(groups[0].stale, 1U);
  EXPECT_EQ(groups[0].unplaced, 0U);
  ProfileSnapshot& profile = snapshot.profiles["signature"];
  profile.unplaced =
      std::make_shared<const absl::flat_hash_set<std::array<uint8_t, 32>>>(
          absl::flat_hash_set<std::array<uint8_t, 32>>{
              profile.crls->partitions()[0].crl->sha256});
  const auto lost = GroupCrls(snapshot, absl::Now());
  ASSERT_EQ(lost.size(), 1U);
  EXPECT_EQ(lost[0].stale, 0U);
  EXPECT_EQ(lost[0].unplaced, 1U);
  EXPECT_EQ(lost[0].partitions, 1U);
  EXPECT_FALSE(lost[0].earliest_stale_at.has_value());
}

// --- The audit log of a server ---

std::vector<nlohmann::json> AuditLines(const std::string& path) {
  std::vector<nlohmann::json> lines;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    lines.push_back(nlohmann::json::parse(line));
  }
  return lines;
}

TEST(OpsTest, EveryVerdictSentHasItsLineAfterADrainUnderLoad) {
  for (const char* policy : {"AUDIT_FAILURE_REFUSE", "AUDIT_FAILURE_DROP"}) {
    TestWorld world;
    auto server = world.StartServer(world.ConfigText(absl::StrCat(
        "audit_log { file: \"audit.log\" on_failure: ", policy, " }")));
    std::vector<std::set<std::string>> answered(3);
    std::vector<std::thread> clients;
    for (int t = 0; t < 3; ++t) {
      clients.emplace_back([&, t] {
        RawClient client(server->port());
        for (int i = 0;; ++i) {
          v1::BatchVerifyRequest request;
          for (int k = 0; k < 5; ++k) {
            *request.add_filings() =
                world.GoodFiling(absl::StrCat(t, "-", i, "-", k));
          }
          grpc::ClientContext context;
          v1::BatchVerifyResponse response;
          if (!client.verification->BatchVerify(&context, request, &response)
                   .ok()) {
            return;
          }
          for (const v1::Verdict& verdict : response.verdicts()) {
            answered[static_cast<size_t>(t)].insert(verdict.filing_id());
          }
        }
      });
    }
    for (int i = 0; i < 6000; ++i) {
      if (server->batcher().counters().filings_judged > 300) break;
      absl::SleepFor(absl::Milliseconds(10));
    }
    server->Shutdown();
    for (std::thread& client : clients) client.join();
    std::map<std::string, int> lines;
    for (const auto& line : AuditLines(world.Path("audit.log"))) {
      EXPECT_EQ(line["indication"], "TOTAL_PASSED");
      EXPECT_EQ(line["serial"], "11");
      ++lines[line["id"].get<std::string>()];
    }
    size_t verdicts = 0;
    for (const auto& ids : answered) {
      verdicts += ids.size();
      for (const std::string& id : ids) EXPECT_EQ(lines[id], 1) << id;
    }
    EXPECT_GT(verdicts, 0U);
    EXPECT_EQ(lines.size(), server->batcher().counters().filings_judged);
  }
}

TEST(OpsTest, AnAuditLogInUseKeepsASecondServerFromStarting) {
  TestWorld world;
  const std::string text =
      world.ConfigText("audit_log { file: \"audit.log\" }");
  auto server = world.StartServer(text);
  auto config = ParseConfig(text, world.Path("x"));
  ASSERT_TRUE(config.ok()) << config.status();
  const auto second = Server::Start(*std::move(config), world.Path("x"));
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr("in use by another process"));
}

TEST(OpsTest, ConfigurationMistakesAreNamed) {
  TestWorld world;
  const auto error = [&](const std::string& more) {
    return std::string(ParseConfig(world.ConfigText(more), world.Path("c"))
                           .status()
                           .message());
  };
  EXPECT_THAT(error("ops_http { address: \"nowhere\" }"),
              HasSubstr("ops_http.address"));
  EXPECT_THAT(error("ops_http { address: \"localhost:65536\" }"),
              HasSubstr("ops_http.address"));
  EXPECT_EQ(error("ops_http { address: \"localhost:65535\" }"), "");
  EXPECT_THAT(error("audit_log { }"), HasSubstr("audit_log.file"));
  EXPECT_THAT(error("audit_log { file: \"no/such/folder/a\" }"),
              HasSubstr("audit_log.file"));
  const auto audit = [&](const std::string& field) {
    return error(absl::StrCat("audit_log { file: \"a\" ", field, " }"));
  };
  EXPECT_EQ(audit("rotate_bytes: 4096"), "");
  EXPECT_THAT(audit("rotate_bytes: 4095"), HasSubstr("rotate_bytes"));
  EXPECT_EQ(audit("buffer_bytes_max: 65536"), "");
  EXPECT_THAT(audit("buffer_bytes_max: 65535"), HasSubstr("buffer_bytes_max"));
  EXPECT_EQ(audit("buffer_bytes_max: 1073741824"), "");
  EXPECT_THAT(audit("buffer_bytes_max: 1073741825"),
              HasSubstr("buffer_bytes_max"));
  EXPECT_EQ(audit("sync_interval { seconds: 3600 }"), "");
  EXPECT_THAT(audit("sync_interval { seconds: 3601 }"),
              HasSubstr("sync_interval"));
  EXPECT_THAT(audit("rotate_interval { seconds: 0 }"),
              HasSubstr("rotate_interval"));
}

TEST(OpsTest, ChangesOfPortAuditLogAndStateAreNamedAsNeedingARestart) {
  struct Case {
    const char* running;
    const char* wanted;
    const char* named;
  };
  const Case cases[] = {
      {"", "ops_http { address: \"127.0.0.1:0\" }",
       "ops_http.address: is \"\" and cannot become \"127.0.0.1:0\""},
      {"ops_http { address: \"127.0.0.1:0\" }",
       "ops_http { address: \"localhost:0\" }",
       "ops_http.address: is \"127.0.0.1:0\" and cannot become "
       "\"localhost:0\""},
      {"", "audit_log { file: \"a\" }",
       "audit_log: is absent and cannot become given"},
      {"audit_log { file: \"a\" }", "",
       "audit_log: is given and cannot become absent"},
      {"audit_log { file: \"a\" }", "audit_log { file: \"b\" }",
       "audit_log.file: is "},
      {"audit_log { file: \"a\" }",
       "audit_log { file: \"a\" sync: AUDIT_SYNC_EVERY_BATCH }",
       "audit_log.sync: is AUDIT_SYNC_INTERVAL and cannot become "
       "AUDIT_SYNC_EVERY_BATCH"},
      {"audit_log { file: \"a\" }",
       "audit_log { file: \"a\" sync_interval { seconds: 9 } }",
       "audit_log.sync_interval: is 1s and cannot become 9s"},
      {"audit_log { file: \"a\" }",
       "audit_log { file: \"a\" on_failure: AUDIT_FAILURE_DROP }",
       "audit_log.on_failure: is AUDIT_FAILURE_REFUSE and cannot become "
       "AUDIT_FAILURE_DROP"},
      {"audit_log { file: \"a\" }",
       "audit_log { file: \"a\" rotate_bytes: 4096 }",
       "audit_log.rotate_bytes: is "},
      {"audit_log { file: \"a\" }",
       "audit_log { file: \"a\" rotate_interval { seconds: 3600 } }",
       "audit_log.rotate_interval: is 0 and cannot become 1h"},
      {"audit_log { file: \"a\" }",
       "audit_log { file: \"a\" buffer_bytes_max: 65536 }",
       "audit_log.buffer_bytes_max: is "},
      {"state_directory: \"one\"", "state_directory: \"two\"",
       "/one\" and cannot become \""},
      {"state_directory: \"one\"", "", "cannot become \"\""},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.named);
    TestWorld world;
    auto server = world.StartServer(world.ConfigText(each.running));
    RawClient client(server->port());
    const auto reload = [&client] {
      grpc::ClientContext context;
      v1::ReloadResponse response;
      return client.operations->Reload(&context, {}, &response);
    };
    EXPECT_TRUE(reload().ok());
    // Another profile comes with it: all or nothing.
    world.Write("inkand.textproto",
                world.ConfigText(absl::StrCat(
                    each.wanted,
                    "\nprofiles { name: \"new\" anchor_files: \"ca.cer\" }")));
    const grpc::Status refused = reload();
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
    EXPECT_THAT(refused.error_message(), HasSubstr(each.named));
    EXPECT_EQ(server->keeper().Current()->Find("new"), nullptr);
    Verify(*server, world.GoodFiling());
  }
}

// --- The page ---

StatusPage EmptyPage() {
  StatusPage page;
  page.now = absl::FromUnixSeconds(1773576000);
  page.started_at = page.now - absl::Hours(30);
  page.snapshot_since = page.now - absl::Minutes(3);
  page.snapshot = std::make_shared<Snapshot>();
  page.totals.verdicts.resize(ProfileSlots::kSlots);
  page.profiles = {"unknown"};
  return page;
}

TEST(StatuszTest, NothingFromCertificatesOrFilesBecomesMarkup) {
  const std::string evil =
      "<script>alert('1')</script><img src=x onerror=\"alert(2)\">&\x01";
  auto crl = std::make_shared<CrlData>();
  crl->scope_text = evil;
  crl->source = evil;
  StatusPage page = EmptyPage();
  page.profiles.push_back(evil);
  page.totals.verdicts[1][0] = 5;
  page.kernel = page.kernel_reason = page.version = page.build = evil;
  page.libraries = page.audit_file = evil;
  page.audit = AuditCounters();
  page.findings.push_back({true, evil, evil});
  page.source_errors.push_back({evil, evil, page.now, true});
  CrlGroup group;
  group.issuer = group.profile = evil;
  group.partitions = 1;
  group.rows.push_back({crl.get(), true, 5});
  page.groups.push_back(group);
  const std::string html = RenderStatusPage(page);
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("<img")));
  EXPECT_THAT(html, Not(HasSubstr("onerror=\"")));
  EXPECT_EQ(html.find('\x01'), std::string::npos);
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(&#39;1&#39;)"));
}

TEST(StatuszTest, ThousandsOfCrlsMakeAPageOfBoundedSize) {
  std::vector<std::unique_ptr<CrlData>> crls;
  StatusPage page = EmptyPage();
  for (int g = 0; g < 300; ++g) {
    CrlGroup group;
    group.issuer = absl::StrCat("CN=CA ", g);
    group.profile = "jpki-signature";
    group.partitions = 1900;
    for (int i = 0; i < 1900; ++i) {
      if (crls.size() < 1900) {
        crls.push_back(std::make_unique<CrlData>());
        crls.back()->scope_text = absl::StrCat("CN=municipality ", i);
      }
      group.rows.push_back(
          {crls[static_cast<size_t>(i)].get(), false, 1773576000 + i});
    }
    page.groups.push_back(std::move(group));
    page.source_errors.push_back({"source", "error", page.now, false});
    page.findings.push_back({false, "what", "remedy"});
  }
  const std::string html = RenderStatusPage(page);
  EXPECT_LT(html.size(), 1000000U);
  EXPECT_THAT(html, HasSubstr("CN=municipality 0"));
  EXPECT_THAT(html, HasSubstr("more issuers"));
  EXPECT_THAT(html, HasSubstr("href=\"/statusz/all\""));
  EXPECT_THAT(html, Not(HasSubstr("CN=municipality 1899")));
}

TEST(StatuszTest, EveryCrlIsThereForWhoAsksForAll) {
  std::vector<std::unique_ptr<CrlData>> crls;
  StatusPage page = EmptyPage();
  page.all = true;
  for (int g = 0; g < 50; ++g) {
    CrlGroup group;
    group.issuer = absl::StrCat("CN=CA ", g);
    for (int i = 0; i < 50; ++i) {
      crls.push_back(std::make_unique<CrlData>());
      crls.back()->scope_text = absl::StrCat("CN=", g, " of ", i, ".");
      group.rows.push_back({crls.back().get(), false, 1773576000 + i});
    }
    page.groups.push_back(std::move(group));
    page.source_errors.push_back(
        {absl::StrCat("no ", g, "."), "", page.now, false});
  }
  const std::string html = RenderStatusPage(page);
  for (int g = 0; g < 50; ++g) {
    for (int i = 0; i < 50; ++i) {
      ASSERT_THAT(html, HasSubstr(absl::StrCat("CN=", g, " of ", i, ".")));
    }
    ASSERT_THAT(html, HasSubstr(absl::StrCat("no ", g, ".")));
  }
}

TEST(StatuszTest, TheFullestLaneIsShownAndTheKernelsOwnLanes) {
  StatusPage page = EmptyPage();
  page.lane_filings_max = {4096, 32768, 16384};
  page.queue_bytes_max = 1 << 30;
  page.counters.lane_filings = {4096, 100, 0};
  page.counters.filings_waiting = 4196;
  page.counters.filings_held_back = 77;
  page.kernel = "avx2";
  page.totals.rsa_groups[4] = 10;
  StatusSample sample;
  sample.stream_waits.counts[4] = 1234;
  page.samples.push_back(sample);
  const std::string html = RenderStatusPage(page);
  EXPECT_THAT(html, HasSubstr("100 % of 4,096 in lane interactive"));
  EXPECT_THAT(html, HasSubstr("77 held back in streams"));
  EXPECT_THAT(html, HasSubstr("4.00 of 4 lanes filled"));
  EXPECT_THAT(html, HasSubstr("streams: 1,234 messages"));
}

TEST(StatuszTest, QuantilesLieWhereTheCountsAre) {
  SecondsHistogram histogram;
  EXPECT_EQ(Quantile(histogram, kSecondsBoundsNs, 0.5), 0);
  histogram.counts[4] = 98;  // 500 µs to 1 ms
  histogram.counts[8] = 2;   // 10 ms to 25 ms
  EXPECT_NEAR(Quantile(histogram, kSecondsBoundsNs, 0.49), 750'000, 1);
  EXPECT_NEAR(Quantile(histogram, kSecondsBoundsNs, 0.99), 17'500'000, 1);
  histogram = SecondsHistogram();
  histogram.counts.back() = 1;
  EXPECT_EQ(Quantile(histogram, kSecondsBoundsNs, 0.5), 1e10);
}

TEST(StatuszTest, BucketsTakeTheirBoundAndNotMore) {
  EXPECT_EQ(BucketOf(kBatchBounds, 1), 0U);
  EXPECT_EQ(BucketOf(kBatchBounds, 2), 1U);
  EXPECT_EQ(BucketOf(kBatchBounds, 3), 2U);
  EXPECT_EQ(BucketOf(kBatchBounds, 65536), std::size(kBatchBounds) - 1);
  EXPECT_EQ(BucketOf(kBatchBounds, 65537), std::size(kBatchBounds));
}

}  // namespace
}  // namespace inkan
