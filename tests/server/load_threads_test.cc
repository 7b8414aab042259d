// A server doing everything at once: each call style from several clients,
// calls that are cancelled or run out of time, CRLs and configurations that
// change, operators who look, an audit log, and a drain in the end. Each
// verdict is compared with the truth. Made for ThreadSanitizer; true in every
// build.
#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cache/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/http_client.h"
#include "tests/server/raw_client.h"
#include "tests/server/test_world.h"

namespace inkan {
namespace {

using ::testing::HasSubstr;
using testing::HttpGet;
using testing::RawClient;
using ::testing::StartsWith;
using testing::TestWorld;
using testing::WorldTime;

// Revoked by the CRLs with an odd number, and by no other.
constexpr uint64_t kTurncoat = 19;

// What must have happened before the end.
constexpr int kVerdicts = 3000;
constexpr int kCrls = 5;
constexpr int kReloads = 5;
constexpr int kLooks = 5;
constexpr int kCutOff = 10;  // calls cancelled, and as many out of time
constexpr absl::Duration kPatience = absl::Minutes(10);

enum Kind { kGood, kRevoked, kTurning, kAltered, kNobody, kKinds };

struct Progress {
  std::atomic<int> verdicts{0};
  std::atomic<int> turned_revoked{0};
  std::atomic<int> turned_good{0};
  std::atomic<int> cancelled{0};
  std::atomic<int> expired{0};
  std::atomic<int> reloads{0};
  std::atomic<int> looks{0};
  std::atomic<int> crls{0};
  // From here on calls may be refused, and who is leaves.
  std::atomic<bool> draining{false};

  bool Enough() const {
    return verdicts >= kVerdicts && turned_revoked > 0 && turned_good > 0 &&
           cancelled >= kCutOff && expired >= kCutOff && reloads >= kReloads &&
           looks >= kLooks && crls >= kCrls;
  }
};

// Every verdict that reached a client, by filing_id.
class Answered {
 public:
  void Add(const v1::Verdict& verdict) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    const bool first =
        verdicts_.emplace(verdict.filing_id(), verdict.indication()).second;
    EXPECT_TRUE(first) << "answered twice: " << verdict.filing_id();
  }
  std::map<std::string, v1::Indication> Take() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return std::move(verdicts_);
  }

 private:
  Mutex mutex_;
  std::map<std::string, v1::Indication> verdicts_ ABSL_GUARDED_BY(mutex_);
};

class LoadTest : public ::testing::Test {
 protected:
  LoadTest() {
    for (int kind = 0; kind < kKinds; ++kind)
      filings_[kind] = world_.GoodFiling();
    filings_[kRevoked] = world_.RevokedFiling();
    filings_[kTurning].set_certificate(world_.Issue(kTurncoat));
    filings_[kAltered].set_document("another tax return");
    filings_[kNobody].set_profile("nobody");
    server_ = world_.StartServer(Config(0));
  }

  // Configurations that differ in what may change while the server runs.
  std::string Config(int variant) const {
    std::string text = absl::StrCat(
        "listener { address: \"127.0.0.1:0\" plaintext: \"", kPlaintextWords,
        "\" }\n"
        "profiles { name: \"signature\" anchor_files: \"ca.cer\" }\n"
        "crl_sources { directory: \"crls\" poll_interval { seconds: 1 } }\n"
        "worker_threads: 3\n"
        "ops_http { address: \"127.0.0.1:0\" }\n"
        "audit_log { file: \"audit.log\" }\n");
    if (variant % 2 == 1) {
      absl::StrAppend(
          &text, "profiles { name: \"other\" anchor_files: \"ca.cer\" }\n");
    }
    return text;
  }

  // The filing number `n` of a client, and its kind.
  v1::Filing FilingOf(const std::string& client, int n) const {
    v1::Filing filing = filings_[n % kKinds];
    filing.set_filing_id(absl::StrCat(n % kKinds, "-", client, "-", n));
    return filing;
  }

  // Compares a verdict on filing `id` with the truth.
  void Judge(const std::string& id, const v1::Verdict& verdict);
  // Whether a call was served; if not, there must be a reason.
  bool Served(const grpc::Status& status, bool cancelled, bool limited);

  void VerifyUntilDrained(int name);
  void BatchUntilDrained(int name);
  void StreamUntilDrained(int name);
  bool OneStream(const RawClient& client, const std::string& name, int round);
  void CheckUntilDrained();
  void ReplaceCrls();
  void ReloadAgain();
  void LookAround();
  void CompareAuditLog();

  TestWorld world_;
  v1::Filing filings_[kKinds];
  std::unique_ptr<Server> server_;
  Progress progress_;
  Answered answered_;
};

void LoadTest::Judge(const std::string& id, const v1::Verdict& verdict) {
  ASSERT_EQ(verdict.filing_id(), id);
  answered_.Add(verdict);
  progress_.verdicts.fetch_add(1);
  uint64_t crl = 0;
  v1::SubIndication expected = v1::SUB_INDICATION_UNSPECIFIED;
  switch (id[0] - '0') {
    case kGood:
      break;
    case kRevoked:
      expected = v1::SUB_INDICATION_REVOKED;
      break;
    case kTurning:
      ASSERT_TRUE(absl::SimpleHexAtoi(verdict.revocation().crl_number(), &crl));
      if (crl % 2 == 1) expected = v1::SUB_INDICATION_REVOKED;
      if (crl == 7) expected = v1::SUB_INDICATION_UNSPECIFIED;
      (expected == v1::SUB_INDICATION_REVOKED ? progress_.turned_revoked
                                              : progress_.turned_good)
          .fetch_add(1);
      break;
    case kAltered:
      expected = v1::SUB_INDICATION_HASH_FAILURE;
      break;
    case kNobody:
      expected = v1::SUB_INDICATION_GENERIC;
      break;
  }
  ASSERT_EQ(verdict.sub_indication(), expected) << verdict.DebugString();
  ASSERT_EQ(verdict.indication() == v1::INDICATION_TOTAL_PASSED,
            expected == v1::SUB_INDICATION_UNSPECIFIED)
      << verdict.DebugString();
}

bool LoadTest::Served(const grpc::Status& status, bool cancelled,
                      bool limited) {
  if (status.ok()) return true;
  if (cancelled && status.error_code() == grpc::StatusCode::CANCELLED) {
    progress_.cancelled.fetch_add(1);
  } else if (limited &&
             status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    progress_.expired.fetch_add(1);
  } else {
    EXPECT_TRUE(progress_.draining.load()) << status.error_message();
    // gRPC cancels what comes in after the server refused calls for a while,
    // which a client on a busy machine may sleep through.
    EXPECT_TRUE(status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                status.error_code() == grpc::StatusCode::CANCELLED)
        << status.error_code() << ": " << status.error_message();
  }
  return false;
}

// Deadlines that sometimes pass, and now and then are over.
std::chrono::system_clock::time_point Soon(int n) {
  return std::chrono::system_clock::now() + std::chrono::milliseconds(n % 20);
}

// --- Clients ---

void LoadTest::VerifyUntilDrained(int name) {
  RawClient client(server_->port());
  for (int n = 0;; ++n) {
    v1::VerifyRequest request;
    *request.mutable_filing() = FilingOf(absl::StrCat("verify", name), n);
    request.set_want_checks(n % 3 == 0);
    grpc::ClientContext context;
    const bool limited = n % 7 == 3;
    const bool cancelled = n % 11 == 5;
    if (limited) context.set_deadline(Soon(n));
    std::thread canceller;
    if (cancelled) canceller = std::thread([&] { context.TryCancel(); });
    v1::VerifyResponse response;
    const grpc::Status status =
        client.verification->Verify(&context, request, &response);
    if (cancelled) canceller.join();
    if (Served(status, cancelled, limited)) {
      Judge(request.filing().filing_id(), response.verdict());
    } else if (progress_.draining) {
      return;
    }
  }
}

void LoadTest::BatchUntilDrained(int name) {
  RawClient client(server_->port());
  int number = 0;
  for (int n = 0;; ++n) {
    v1::BatchVerifyRequest request;
    for (int i = 0; i < 1 + n % 60; ++i) {
      *request.add_filings() = FilingOf(absl::StrCat("batch", name), number++);
    }
    grpc::ClientContext context;
    const bool limited = n % 5 == 3;
    if (limited) context.set_deadline(Soon(n));
    v1::BatchVerifyResponse response;
    if (!Served(client.verification->BatchVerify(&context, request, &response),
                false, limited)) {
      if (progress_.draining) return;
      continue;
    }
    ASSERT_EQ(response.verdicts_size(), request.filings_size());
    for (int i = 0; i < request.filings_size(); ++i) {
      Judge(request.filings(i).filing_id(), response.verdicts(i));
    }
  }
}

void LoadTest::StreamUntilDrained(int name) {
  RawClient client(server_->port());
  for (int round = 0;; ++round) {
    const std::string stream = absl::StrCat("stream", name, ".", round);
    if (!OneStream(client, stream, round) && progress_.draining) return;
  }
}

// A thread that writes and one that reads. Some streams are cut off mid-way.
bool LoadTest::OneStream(const RawClient& client, const std::string& name,
                         int round) {
  constexpr uint64_t kMessages = 12;
  constexpr int kFilings = 10;
  const bool cancelled = round % 4 == 1;
  const bool limited = round % 4 == 2;
  grpc::ClientContext context;
  if (limited) context.set_deadline(Soon(round * 7));
  auto stream = client.verification->StreamVerify(&context);
  std::thread writer([&] {
    for (uint64_t sequence = 0; sequence < kMessages; ++sequence) {
      v1::StreamVerifyRequest request;
      request.set_sequence(sequence);
      for (int i = 0; i < kFilings; ++i) {
        *request.add_filings() =
            FilingOf(name, static_cast<int>(sequence) * kFilings + i);
      }
      if (!stream->Write(request)) return;
      if (cancelled && sequence == kMessages / 2) context.TryCancel();
    }
    stream->WritesDone();
  });
  v1::StreamVerifyResponse response;
  uint64_t answers = 0;
  for (; stream->Read(&response); ++answers) {
    EXPECT_EQ(response.sequence(), answers);
    EXPECT_EQ(response.verdicts_size(), kFilings);
    for (int i = 0; i < response.verdicts_size(); ++i) {
      const int n = static_cast<int>(answers) * kFilings + i;
      Judge(FilingOf(name, n).filing_id(), response.verdicts(i));
    }
  }
  writer.join();
  const bool served = Served(stream->Finish(), cancelled, limited);
  if (served) {
    EXPECT_EQ(answers, kMessages);
  }
  return served;
}

void LoadTest::CheckUntilDrained() {
  RawClient client(server_->port());
  for (int n = 0;; ++n) {
    v1::CheckCertificateRequest request;
    request.set_request_id(absl::StrCat(n % 2, "-check-", n));
    request.set_profile("signature");
    request.set_certificate(n % 2 == kGood ? world_.signer()
                                           : world_.revoked_signer());
    request.mutable_verification_time()->set_seconds(WorldTime());
    grpc::ClientContext context;
    v1::CheckCertificateResponse response;
    if (Served(
            client.verification->CheckCertificate(&context, request, &response),
            false, false)) {
      Judge(request.request_id(), response.verdict());
    } else if (progress_.draining) {
      return;
    }
  }
}

// --- The world around them ---

void LoadTest::ReplaceCrls() {
  for (uint64_t number = 8; !progress_.draining; ++number) {
    const uint64_t generation = server_->keeper().generation();
    world_.ReplaceCrl(number, number % 2 == 1 ? std::vector<uint64_t>{kTurncoat}
                                              : std::vector<uint64_t>());
    while (server_->keeper().generation() == generation &&
           !progress_.draining) {
      absl::SleepFor(absl::Milliseconds(5));
    }
    progress_.crls.fetch_add(1);
    absl::SleepFor(absl::Milliseconds(100));
  }
}

void LoadTest::ReloadAgain() {
  RawClient client(server_->port());
  for (int variant = 1; !progress_.draining; ++variant) {
    world_.Write("inkand.textproto", Config(variant));
    grpc::ClientContext context;
    v1::ReloadResponse response;
    const grpc::Status status =
        client.operations->Reload(&context, {}, &response);
    if (status.ok()) {
      progress_.reloads.fetch_add(1);
    } else {
      EXPECT_TRUE(progress_.draining.load()) << status.error_message();
    }
    absl::SleepFor(absl::Milliseconds(50));
  }
}

void LoadTest::LookAround() {
  RawClient client(server_->port());
  while (!progress_.draining) {
    grpc::ClientContext contexts[3];
    v1::GetStatusResponse got;
    const bool status =
        client.operations->GetStatus(&contexts[0], {}, &got).ok();
    v1::LookupRevocationRequest request;
    request.set_profile("signature");
    request.set_serial_number("12");
    v1::LookupRevocationResponse found;
    const bool lookup =
        client.operations->LookupRevocation(&contexts[1], request, &found).ok();
    grpc::health::v1::HealthCheckResponse health;
    const bool check = client.health->Check(&contexts[2], {}, &health).ok();
    const std::string metrics = HttpGet(server_->ops_http_port(), "/metrics");
    const std::string page = HttpGet(server_->ops_http_port(), "/statusz");
    HttpGet(server_->ops_http_port(), "/readyz");
    if (progress_.draining) return;
    EXPECT_TRUE(status && lookup && check);
    EXPECT_GE(got.profiles_size(), 1);
    EXPECT_EQ(found.entries_size(), 1);
    EXPECT_THAT(metrics, HasSubstr("inkan_verdicts_total{"));
    EXPECT_THAT(page, StartsWith("HTTP/1.1 200"));
    progress_.looks.fetch_add(1);
  }
}

// Every verdict that reached a client has its line, and no line lies.
void LoadTest::CompareAuditLog() {
  std::map<std::string, std::string> lines;
  std::ifstream in(world_.Path("audit.log"));
  size_t count = 0;
  for (std::string text; std::getline(in, text); ++count) {
    const auto line = nlohmann::json::parse(text);
    lines[line["id"].get<std::string>()] = line["indication"];
  }
  EXPECT_EQ(lines.size(), count) << "a filing has two lines";
  EXPECT_EQ(count, server_->batcher().counters().filings_judged);
  for (const auto& [id, indication] : answered_.Take()) {
    ASSERT_EQ(absl::StrCat("INDICATION_", lines[id]),
              v1::Indication_Name(indication))
        << id;
  }
}

TEST_F(LoadTest, EveryVerdictIsTrueWhileEverythingHappensAtOnce) {
  std::vector<std::thread> clients;
  for (int i = 0; i < 2; ++i) {
    clients.emplace_back([this, i] { VerifyUntilDrained(i); });
    clients.emplace_back([this, i] { StreamUntilDrained(i); });
  }
  clients.emplace_back([this] { BatchUntilDrained(0); });
  clients.emplace_back([this] { CheckUntilDrained(); });
  std::vector<std::thread> operators;
  operators.emplace_back([this] { ReplaceCrls(); });
  operators.emplace_back([this] { ReloadAgain(); });
  operators.emplace_back([this] { LookAround(); });

  const absl::Time end = absl::Now() + kPatience;
  while (!progress_.Enough() && absl::Now() < end) {
    absl::SleepFor(absl::Milliseconds(20));
  }
  EXPECT_TRUE(progress_.Enough())
      << "verdicts " << progress_.verdicts << ", of the turncoat revoked "
      << progress_.turned_revoked << " and good " << progress_.turned_good
      << ", cancelled " << progress_.cancelled << ", expired "
      << progress_.expired << ", reloads " << progress_.reloads << ", looks "
      << progress_.looks << ", CRLs " << progress_.crls;
  progress_.draining = true;
  server_->Shutdown();
  for (std::thread& thread : clients) thread.join();
  for (std::thread& thread : operators) thread.join();
  EXPECT_EQ(server_->batcher().counters().filings_abandoned, 0U);
  EXPECT_EQ(server_->batcher().counters().filings_waiting, 0U);
  CompareAuditLog();
}

}  // namespace
}  // namespace inkan
