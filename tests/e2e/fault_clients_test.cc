// Clients that misbehave: slow readers, half-open connections, resets, crowds,
// and octets that are no HTTP/2.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <random>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/e2e/fault_support.h"
#include "tests/e2e/raw_http2.h"
#include "tests/server/http_client.h"

namespace inkan {
namespace {

using ::testing::HasSubstr;

constexpr char kVerify[] = "/inkan.v1.VerificationService/Verify";
constexpr char kBatchVerify[] = "/inkan.v1.VerificationService/BatchVerify";
constexpr char kStreamVerify[] = "/inkan.v1.VerificationService/StreamVerify";
constexpr uint64_t kMebibyte = uint64_t{1} << 20U;
// What a fault may add to the server's memory: the largest message twice, and
// the allocator's slack. A queue or buffer without bound passes it within
// seconds.
constexpr uint64_t kGrowthMax = 256 * kMebibyte;

// What one client may add that sends and does not read: gRPC's window for a
// stream, which grows to 16 MiB on a fast network, the same for the connection,
// the messages in work, and what the allocator keeps of all that was there at
// once. 38 MiB are usual; 50 have been measured on a busy machine.
constexpr uint64_t kDeafGrowthMax = 64 * kMebibyte;
constexpr int kDeaf = 8;

// In the report of the test, for people.
void RecordGrowth(const FaultServer& server, uint64_t before) {
  const int64_t growth = static_cast<int64_t>(server.resident_bytes()) -
                         static_cast<int64_t>(before);
  ::testing::Test::RecordProperty(
      "growth_mib", static_cast<int>(growth / static_cast<int64_t>(kMebibyte)));
}

void ExpectBounded(const FaultServer& server, uint64_t before) {
  EXPECT_LT(server.resident_bytes(), before + kGrowthMax);
}

v1::StreamVerifyRequest LargeMessage() {
  v1::StreamVerifyRequest message;
  message.set_want_checks(true);  // long answers
  for (const auto& entry : ReadCorpus(SharedLab())) {
    if (message.filings_size() == 200) break;
    *message.add_filings() = entry.filing();
  }
  return message;
}

// Sends as much as the server takes and reads nothing, until told to end.
class DeafStream {
 public:
  explicit DeafStream(const FaultServer& server)
      : stub_(v1::VerificationService::NewStub(server.channel())),
        stream_(stub_->StreamVerify(&context_)),
        thread_([this] {
          const v1::StreamVerifyRequest message = LargeMessage();
          while (stream_->Write(message)) ++written_;
          ended_ = true;
        }) {}
  ~DeafStream() {
    context_.TryCancel();
    thread_.join();
    // A status waits behind the answers that came before it.
    v1::StreamVerifyResponse response;
    while (stream_->Read(&response)) {
    }
    stream_->Finish();
  }
  int written() const { return written_.load(); }
  bool ended() const { return ended_.load(); }

 private:
  std::unique_ptr<v1::VerificationService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::StreamVerifyRequest,
                                           v1::StreamVerifyResponse>>
      stream_;
  std::atomic<int> written_ = 0;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

TEST(FaultClients, ClientsThatDoNotReadAreHeldBackAndHurtNobodyElse) {
  FaultServer server(FreshWorkDir());
  BackgroundLoad load(server, {});
  load.AwaitAnswers(1'000);
  const uint64_t before = server.resident_bytes();
  {
    std::vector<std::unique_ptr<DeafStream>> deaf;
    for (int i = 0; i < kDeaf; ++i) {
      deaf.push_back(std::make_unique<DeafStream>(server));
    }
    // Until none of them gets anything more through.
    const auto written = [&deaf] {
      int sum = 0;
      for (const auto& stream : deaf) sum += stream->written();
      return sum;
    };
    int last = -1;
    EXPECT_TRUE(Await([&] {
      absl::SleepFor(absl::Milliseconds(700));
      return std::exchange(last, written()) == last && last > 0;
    }));
    load.AwaitAnswers(1'000);
    RecordGrowth(server, before);
    EXPECT_LT(server.resident_bytes(), before + kDeaf * kDeafGrowthMax);
  }
  const load::Report report = load.Stop();
  ExpectNoWrongVerdict(report);
  ExpectNothingLost(report);
  ExpectUnharmed(server);
}

// Short, for the tests; long enough for a busy machine to read in.
constexpr char kUnread[] =
    "limits { unread_answer_seconds_max: 5 }\n"
    "ops_http { address: \"127.0.0.1:0\" }";

void ExpectNothingHeld(FaultServer& server) {
  EXPECT_TRUE(Await([&] { return server.metric("inkan_queue_bytes") == 0; }))
      << server.metric("inkan_queue_bytes");
  EXPECT_EQ(server.metric("inkan_answers_unread"), 0);
}

TEST(FaultClients, StreamsThatNobodyReadsEndAndLeaveNothingBehind) {
  FaultServer server(FreshWorkDir(), kUnread);
  const uint64_t before = server.resident_bytes();
  std::vector<std::unique_ptr<DeafStream>> deaf;
  for (int i = 0; i < kDeaf; ++i) {
    deaf.push_back(std::make_unique<DeafStream>(server));
  }
  for (const auto& stream : deaf) {
    EXPECT_TRUE(Await([&] { return stream->ended(); }));
  }
  // The clients are here still.
  ExpectNothingHeld(server);
  EXPECT_GE(server.metric("inkan_answers_given_up_total"), kDeaf);
  RecordGrowth(server, before);
  EXPECT_LT(server.resident_bytes(), before + kDeaf * kDeafGrowthMax);
  deaf.clear();
  ExpectUnharmed(server);
}

// A whole call, which fits into one frame.
std::string Call(uint32_t stream, const char* method,
                 const google::protobuf::Message& request) {
  const std::string octets = request.SerializeAsString();
  return Frame(FrameType::kHeaders, kEndHeaders, stream, CallHeaders(method)) +
         Frame(FrameType::kData, kEndStream, stream,
               std::string(1, '\0') +
                   BigEndian32(static_cast<uint32_t>(octets.size())) + octets);
}

// HTTP/2's way of not reading: a window of no octets for each stream.
TEST(FaultClients, ACallWhoseAnswerHasNoRoomEndsAndSaysWhy) {
  FaultServer server(FreshWorkDir(), kUnread);
  RawConnection client(server.port());
  ASSERT_TRUE(client.connected());
  const std::string no_window = Frame(
      FrameType::kSettings, 0, 0, std::string("\x00\x04\x00\x00\x00\x00", 6));
  ASSERT_TRUE(client.Send(kHttp2Preface + no_window));
  v1::VerifyRequest request;
  *request.mutable_filing() = ReadCorpus(SharedLab()).front().filing();
  ASSERT_TRUE(client.Send(Call(1, kVerify, request)));
  EXPECT_TRUE(
      Await([&] { return server.metric("inkan_answers_unread") == 1; }));
  EXPECT_GT(server.metric("inkan_queue_bytes"), 0);
  std::string received;
  EXPECT_TRUE(Await([&] {
    received += client.Receive(100);
    return received.find("unread_answer_seconds_max") != std::string::npos;
  }));
  ExpectNothingHeld(server);
  EXPECT_EQ(server.metric("inkan_answers_given_up_total"), 1);
  ExpectUnharmed(server);
}

// TCP's way of not reading: all the windows in the world, and nobody at the
// socket.
TEST(FaultClients, AConnectionThatNobodyReadsEnds) {
  FaultServer server(FreshWorkDir(), kUnread);
  RawConnection client(server.port());
  ASSERT_TRUE(client.connected());
  client.KeepLittleRoom();
  const std::string wide = Frame(FrameType::kSettings, 0, 0,
                                 std::string("\x00\x04\x7f\xff\xff\xff", 6));
  ASSERT_TRUE(client.Send(
      kHttp2Preface + wide +
      Frame(FrameType::kWindowUpdate, 0, 0, BigEndian32(0x7fff0000 - 65535))));
  EXPECT_TRUE(Await([&] {
    return server.metric("inkan_connections{listener=\"intake\"}") == 1;
  }));
  // Filings of nothing are short to ask about and long to answer: 24 calls of
  // 2 KB, which pass without the window being made wider, get some megabytes.
  v1::BatchVerifyRequest request;
  for (int i = 0; i < 1000; ++i) request.add_filings();
  request.set_want_checks(true);
  for (uint32_t i = 0; i < 24; ++i) {
    ASSERT_TRUE(client.Send(Call(2 * i + 1, kBatchVerify, request)));
  }
  EXPECT_TRUE(Await([&] { return server.metric("inkan_answers_unread") > 0; }));
  EXPECT_TRUE(Await([&] {
    return server.metric("inkan_connections{listener=\"intake\"}") == 0;
  }));
  ExpectNothingHeld(server);
  ExpectUnharmed(server);
}

TEST(FaultClients, HalfOpenConnectionsHurtNobody) {
  FaultServer server(FreshWorkDir());
  BackgroundLoad load(server, {});
  load.AwaitAnswers(500);
  const uint64_t before = server.resident_bytes();
  const std::string settings = Frame(FrameType::kSettings, 0, 0, "");
  const std::string headers =
      Frame(FrameType::kHeaders, kEndHeaders, 1, CallHeaders(kVerify));
  const std::string beginnings[] = {
      "",
      kHttp2Preface.substr(0, 10),
      kHttp2Preface,
      kHttp2Preface + settings.substr(0, 5),
      kHttp2Preface + settings + headers.substr(0, 20),
      kHttp2Preface + settings + headers,
      // A message of a megabyte is announced, ten octets of it come.
      kHttp2Preface + settings + headers +
          Frame(FrameType::kData, 0, 1,
                std::string("\0\0\x10\0\0", 5) + std::string(10, 'x')),
  };
  std::vector<RawConnection> silent;
  for (int round = 0; round < 40 * FaultScale(); ++round) {
    for (const std::string& beginning : beginnings) {
      silent.emplace_back(server.port());
      ASSERT_TRUE(silent.back().connected());
      silent.back().Send(beginning);
      RawConnection reset(server.port());
      reset.Send(beginning);
      reset.Reset();
    }
  }
  load.AwaitAnswers(1'000);
  ExpectUnharmed(server);
  ExpectBounded(server, before);
  const load::Report report = load.Stop();
  ExpectNoWrongVerdict(report);
  ExpectNothingLost(report);
}

// Calls and streams that are given up at any moment, from before the first
// octet to after the last answer.
TEST(FaultClients, CallsAndStreamsResetMidwayHurtNobody) {
  FaultServer server(FreshWorkDir());
  BackgroundLoad load(server, {});
  load.AwaitAnswers(500);
  const uint64_t before = server.resident_bytes();
  const auto stub = v1::VerificationService::NewStub(server.channel());
  const v1::StreamVerifyRequest message = LargeMessage();
  v1::BatchVerifyRequest batch;
  *batch.mutable_filings() = message.filings();
  std::mt19937 random(1);
  for (int i = 0; i < 150 * FaultScale(); ++i) {
    grpc::ClientContext context;
    std::thread reset([&context, after = random() % 8'000] {
      absl::SleepFor(absl::Microseconds(after));
      context.TryCancel();
    });
    if (i % 2 == 0) {
      v1::BatchVerifyResponse response;
      const grpc::Status status = stub->BatchVerify(&context, batch, &response);
      EXPECT_TRUE(status.ok() ||
                  status.error_code() == grpc::StatusCode::CANCELLED)
          << status.error_message();
    } else {
      const auto stream = stub->StreamVerify(&context);
      v1::StreamVerifyResponse response;
      while (stream->Write(message) && stream->Read(&response)) {
      }
      EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
    }
    reset.join();
  }
  const load::Report report = load.Stop();
  ExpectNoWrongVerdict(report);
  ExpectNothingLost(report);
  ExpectUnharmed(server);
  ExpectBounded(server, before);
}

// Lets this process, and the server it starts, open so many files if the system
// has it: what it may open now.
rlim_t AllowFiles(rlim_t wanted) {
  rlimit files = {};
  EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &files), 0);
  if (files.rlim_max < wanted) {
    const rlimit more = {wanted, wanted};
    if (setrlimit(RLIMIT_NOFILE, &more) == 0) return wanted;  // root's way
  }
  files.rlim_cur = files.rlim_max;
  EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
  return files.rlim_cur;
}

// 10,000 connections, each with HTTP/2 greetings exchanged.
TEST(FaultClients, TenThousandConnectionsAreServedBesideTheUsualOnes) {
  constexpr size_t kCrowd = 10'000;
  constexpr rlim_t kOthers = 500;  // libraries, logs, the load
  const rlim_t allowed = AllowFiles(kCrowd + kOthers);
  if (allowed < kCrowd + kOthers) {
    const std::string why =
        absl::StrCat(kCrowd, " connections need ", kCrowd + kOthers,
                     " open files and the system allows ", allowed,
                     ": raise the hard limit (ulimit -Hn 16384 as root, "
                     "LimitNOFILE=16384 in "
                     "a unit, --ulimit nofile=16384 for a container)");
    ASSERT_EQ(std::getenv("CI"), nullptr) << why;
    GTEST_SKIP() << why;
  }
  FaultServer server(FreshWorkDir());
  const uint64_t before = server.resident_bytes();
  BackgroundLoad load(server, {});
  load.AwaitAnswers(500);
  const std::string greeting =
      kHttp2Preface + Frame(FrameType::kSettings, 0, 0, "");
  std::vector<RawConnection> crowd;
  crowd.reserve(kCrowd);
  size_t greeted = 0;
  for (size_t i = 0; i < kCrowd; ++i) {
    crowd.emplace_back(server.port());
    ASSERT_TRUE(crowd.back().connected()) << i;
    crowd.back().Send(greeting);
    // Answers are fetched in a row behind, so that the server is not waited
    // for.
    constexpr size_t kBehind = 200;
    if (i >= kBehind) {
      const std::string answer = crowd[i - kBehind].Receive(30'000);
      greeted += answer.size() >= 9 && answer[3] == 4 ? 1 : 0;  // SETTINGS
    }
  }
  EXPECT_GE(greeted, kCrowd - 200);
  load.AwaitAnswers(1'000);
  ExpectUnharmed(server);
  const double per_connection = (static_cast<double>(server.resident_bytes()) -
                                 static_cast<double>(before)) /
                                static_cast<double>(kCrowd);
  RecordProperty("bytes_a_connection", static_cast<int>(per_connection));
  EXPECT_LT(per_connection, 128.0 * 1024);
  crowd.clear();
  ExpectUnharmed(server);
  const load::Report report = load.Stop();
  ExpectNoWrongVerdict(report);
  ExpectNothingLost(report);
}

}  // namespace
}  // namespace inkan
