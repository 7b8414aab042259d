// What a client can do to a server, at its bound and past it.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"
#include "server/operations.h"
#include "server/server.h"
#include "tests/server/raw_client.h"
#include "tests/server/test_world.h"

namespace inkan {
namespace {

using ::testing::HasSubstr;
using testing::RawClient;
using testing::ReasonOf;
using testing::TestWorld;

bool Happens(const std::function<bool()>& condition) {
  const absl::Time end = absl::Now() + absl::Seconds(60);
  while (!condition()) {
    if (absl::Now() > end) return false;
    absl::SleepFor(absl::Milliseconds(20));
  }
  return true;
}

// A TCP connection without any HTTP/2 of its own.
class RawConnection {
 public:
  explicit RawConnection(int port)
      : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{60, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&address),
                      sizeof(address)),
              0);
  }
  RawConnection(RawConnection&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)) {}
  ~RawConnection() {
    if (fd_ >= 0) close(fd_);
  }

  void Send(const std::string& bytes) {
    (void)!send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  // The connection preface and an empty SETTINGS frame.
  void Begin() {
    Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    Send(std::string("\0\0\0\4\0\0\0\0\0", 9));
  }
  // A server that serves says so with its SETTINGS.
  bool IsServed() {
    char byte = 0;
    return recv(fd_, &byte, 1, 0) == 1;
  }
  // Everything until the server closes; fails if it does not.
  std::string ReadToEnd() {
    std::string all;
    char bytes[4096];
    while (true) {
      const ssize_t count = recv(fd_, bytes, sizeof(bytes), 0);
      if (count > 0) {
        all.append(bytes, static_cast<size_t>(count));
        continue;
      }
      EXPECT_TRUE(count == 0 || errno == ECONNRESET) << "still open";
      return all;
    }
  }

 private:
  int fd_;
};

class LimitsTest : public ::testing::Test {
 protected:
  void Start(const std::string& limits) {
    server_ = world_.StartServer(
        world_.ConfigText(absl::StrCat("limits { ", limits, " }")));
  }
  grpc::Status Verify(const RawClient& client,
                      grpc::ClientContext* context) const {
    v1::VerifyRequest request;
    *request.mutable_filing() = world_.GoodFiling();
    v1::VerifyResponse response;
    const grpc::Status status =
        client.verification->Verify(context, request, &response);
    if (status.ok()) {
      EXPECT_EQ(response.verdict().indication(), v1::INDICATION_TOTAL_PASSED);
    }
    return status;
  }
  grpc::Status Verify(const RawClient& client) const {
    grpc::ClientContext context;
    return Verify(client, &context);
  }

  TestWorld world_;
  std::unique_ptr<Server> server_;
};

TEST_F(LimitsTest, ConnectionsUpToTheLimitAreServedAndTheNextIsClosed) {
  Start("connections_max: 3 handshake_seconds_max: 600");
  std::vector<RawConnection> open;
  for (int i = 0; i < 3; ++i) {
    open.emplace_back(server_->port());
    EXPECT_TRUE(open.back().IsServed());
  }
  EXPECT_EQ(server_->intake().acceptor().open_connections(), 3U);
  EXPECT_EQ(RawConnection(server_->port()).ReadToEnd(), "");
  EXPECT_FALSE(Verify(RawClient(server_->port())).ok());
  EXPECT_GE(server_->intake().acceptor().refused(), 2U);
  // One that ends makes room for one.
  open.pop_back();
  EXPECT_TRUE(Happens([&] {
    open.emplace_back(server_->port());
    if (open.back().IsServed()) return true;
    open.pop_back();
    return false;
  }));
  EXPECT_EQ(RawConnection(server_->port()).ReadToEnd(), "");
  open.clear();
  EXPECT_TRUE(Happens([&] { return Verify(RawClient(server_->port())).ok(); }));
}

TEST_F(LimitsTest, AConnectionThatSaysNothingIsClosed) {
  Start("handshake_seconds_max: 1");
  RawConnection silent(server_->port());
  silent.ReadToEnd();
  EXPECT_TRUE(Verify(RawClient(server_->port())).ok());
}

TEST_F(LimitsTest, AConnectionWhosePeerIsGoneIsClosed) {
  Start("keepalive_seconds: 1 keepalive_timeout_seconds: 1");
  RawConnection gone(server_->port());
  gone.Begin();
  gone.ReadToEnd();  // pings among it, which nobody answers
  EXPECT_TRUE(Verify(RawClient(server_->port())).ok());
}

TEST_F(LimitsTest, AConnectionWithoutCallsIsClosedAfterAWhile) {
  Start("connection_idle_seconds_max: 1");
  RawClient client(server_->port());
  ASSERT_TRUE(Verify(client).ok());
  EXPECT_TRUE(Happens(
      [&] { return client.channel->GetState(false) != GRPC_CHANNEL_READY; }));
  EXPECT_TRUE(Verify(client).ok()) << "and opened again when needed";
}

TEST_F(LimitsTest, AnOldConnectionIsReplacedWithoutAFailedCall) {
  Start("connection_age_seconds_max: 1 connection_grace_seconds_max: 60");
  RawClient client(server_->port());
  EXPECT_TRUE(Happens([&] {
    EXPECT_TRUE(Verify(client).ok());
    return server_->intake().acceptor().accepted() >= 3;
  }));
}

TEST_F(LimitsTest, AFloodOfPingsClosesItsConnection) {
  Start("ping_seconds_min: 60 ping_strikes_max: 2");
  RawConnection flood(server_->port());
  flood.Begin();
  for (int i = 0; i < 20; ++i) {
    flood.Send(std::string("\0\0\10\6\0\0\0\0\0abcdefgh", 17));
  }
  EXPECT_THAT(flood.ReadToEnd(), HasSubstr("too_many_pings"));
  EXPECT_TRUE(Verify(RawClient(server_->port())).ok());
}

TEST_F(LimitsTest, MetadataOverTheLimitIsRefused) {
  Start("metadata_bytes_max: 8192");
  RawClient client(server_->port());
  grpc::ClientContext fits;
  fits.AddMetadata("x-token", std::string(7000, 'x'));
  EXPECT_TRUE(Verify(client, &fits).ok());
  grpc::ClientContext large;
  large.AddMetadata("x-token", std::string(9000, 'x'));
  EXPECT_EQ(Verify(client, &large).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  // gRPC closes the connection too. A call made before the client has seen
  // that is lost, UNAVAILABLE, which is the status to try again on.
  EXPECT_TRUE(Happens([&] {
    const grpc::Status status = Verify(client);
    EXPECT_TRUE(status.ok() ||
                status.error_code() == grpc::StatusCode::UNAVAILABLE)
        << status.error_message();
    return status.ok();
  }));
}

TEST_F(LimitsTest, AConnectionHasSoManyCallsAtOnceAndTheNextWaits) {
  Start("concurrent_streams_max: 2");
  RawClient client(server_->port());
  const auto asks =
      [&](grpc::ClientReaderWriter<v1::StreamVerifyRequest,
                                   v1::StreamVerifyResponse>& stream) {
        v1::StreamVerifyRequest request;
        *request.add_filings() = world_.GoodFiling();
        v1::StreamVerifyResponse response;
        return stream.Write(request) && stream.Read(&response);
      };
  grpc::ClientContext first_context;
  grpc::ClientContext second_context;
  auto first = client.verification->StreamVerify(&first_context);
  auto second = client.verification->StreamVerify(&second_context);
  EXPECT_TRUE(asks(*first));
  EXPECT_TRUE(asks(*second));
  grpc::ClientContext third_context;
  third_context.set_deadline(std::chrono::system_clock::now() +
                             std::chrono::seconds(1));
  EXPECT_EQ(Verify(client, &third_context).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  first->WritesDone();
  EXPECT_TRUE(first->Finish().ok());
  EXPECT_TRUE(Verify(client).ok());
  second->WritesDone();
  EXPECT_TRUE(second->Finish().ok());
}

TEST_F(LimitsTest, StreamsOverTheLimitAreRefusedWithPushBack) {
  Start("stream_calls_max: 2");
  RawClient client(server_->port());
  grpc::ClientContext contexts[2];
  std::vector<std::unique_ptr<grpc::ClientReaderWriter<
      v1::StreamVerifyRequest, v1::StreamVerifyResponse>>>
      streams;
  v1::StreamVerifyRequest request;
  *request.add_filings() = world_.GoodFiling();
  v1::StreamVerifyResponse response;
  for (grpc::ClientContext& context : contexts) {
    streams.push_back(client.verification->StreamVerify(&context));
    ASSERT_TRUE(streams.back()->Write(request));
    ASSERT_TRUE(streams.back()->Read(&response));
  }
  grpc::ClientContext third_context;
  auto third = client.verification->StreamVerify(&third_context);
  EXPECT_FALSE(third->Read(&response));
  const grpc::Status status = third->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(status), "inkan.dev/QUEUE_FULL");
  EXPECT_EQ(
      third_context.GetServerTrailingMetadata().count("grpc-retry-pushback-ms"),
      1U);
  streams[0]->WritesDone();
  EXPECT_TRUE(streams[0]->Finish().ok());
  EXPECT_TRUE(Happens([&] {
    grpc::ClientContext context;
    auto stream = client.verification->StreamVerify(&context);
    stream->WritesDone();
    return stream->Finish().ok();
  }));
}

TEST_F(LimitsTest, AStreamSilentForLongMakesRoomForAnother) {
  Start("stream_calls_max: 1 stream_idle_seconds_max: 1");
  RawClient client(server_->port());
  v1::StreamVerifyRequest request;
  *request.add_filings() = world_.GoodFiling();
  v1::StreamVerifyResponse response;
  grpc::ClientContext silent_context;
  auto silent = client.verification->StreamVerify(&silent_context);
  ASSERT_TRUE(silent->Write(request));
  ASSERT_TRUE(silent->Read(&response));
  EXPECT_TRUE(Happens([&] {
    grpc::ClientContext context;
    auto next = client.verification->StreamVerify(&context);
    const bool judged = next->Write(request) && next->Read(&response);
    next->WritesDone();
    return next->Finish().ok() && judged;
  }));
  EXPECT_FALSE(silent->Read(&response));
  const grpc::Status ended = silent->Finish();
  EXPECT_EQ(ended.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(ended), "inkan.dev/STREAM_IDLE");
}

// What gRPC inflates it does not bound, so nothing is inflated: see also the
// fault suite, which looks at the memory.
TEST_F(LimitsTest, CompressedRequestsAreRefusedByEveryListener) {
  server_ = world_.StartServer(world_.ConfigText(absl::StrCat(
      "operations_listener { address: \"127.0.0.1:0\" plaintext: \"",
      kPlaintextWords, "\" }")));
  const RawClient intake(server_->port());
  const RawClient operations(server_->operations_port());
  for (const auto algorithm : {GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP}) {
    const auto expect_refused = [&](const auto& call) {
      grpc::ClientContext context;
      context.set_compression_algorithm(algorithm);
      const grpc::Status status = call(&context);
      EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
      EXPECT_THAT(status.error_message(), HasSubstr("ompression"));
    };
    expect_refused([&](auto* context) { return Verify(intake, context); });
    for (const RawClient* client : {&intake, &operations}) {
      expect_refused([&](auto* context) {
        grpc::health::v1::HealthCheckResponse response;
        return client->health->Check(context, {}, &response);
      });
    }
    expect_refused([&](auto* context) {
      v1::GetStatusResponse response;
      return operations.operations->GetStatus(context, {}, &response);
    });
  }
  EXPECT_TRUE(Verify(intake).ok());
}

// --- Memory ---

// Sends and never reads, until it is cancelled or ended by the server.
class NeverReads {
 public:
  NeverReads(int port, const v1::StreamVerifyRequest& request)
      : client_(port), stream_(client_.verification->StreamVerify(&context_)) {
    writer_ = std::thread([this, request] {
      while (stream_->Write(request)) {
      }
      ended_ = true;
    });
  }
  ~NeverReads() {
    if (!writer_.joinable()) return;
    context_.TryCancel();
    Status();
  }
  bool ended() const { return ended_.load(); }
  // Reads what came before the end after all. REQUIRES: ended().
  grpc::Status Status() {
    writer_.join();
    v1::StreamVerifyResponse response;
    while (stream_->Read(&response)) {
    }
    return stream_->Finish();
  }

 private:
  std::atomic<bool> ended_{false};
  RawClient client_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::StreamVerifyRequest,
                                           v1::StreamVerifyResponse>>
      stream_;
  std::thread writer_;
};

TEST_F(LimitsTest, ClientsThatNeverReadHoldABoundedShareAndGiveItBack) {
  constexpr uint64_t kBound = 8U << 20;
  Start("queue_bytes_max: 8388608 message_bytes_max: 2097152");
  v1::StreamVerifyRequest request;
  // Answers of 200 verdicts pass what gRPC sends unread (64 KiB).
  for (int i = 0; i < 200; ++i) *request.add_filings() = world_.GoodFiling();
  std::vector<std::unique_ptr<NeverReads>> clients;
  for (int i = 0; i < 24; ++i) {
    clients.push_back(std::make_unique<NeverReads>(server_->port(), request));
  }
  const auto held = [&] { return server_->batcher().counters().bytes_held; };
  // Together they want more than they get: they hold the bulk part, nearly, or
  // some have been refused for that and hold nothing any more.
  uint64_t most = 0;
  EXPECT_TRUE(Happens([&] {
    const BatcherCounters counters = server_->batcher().counters();
    most = std::max(most, counters.bytes_held);
    return most > kBound / 2 ||
           counters.refused[static_cast<size_t>(Refusal::kBytes)] > 0;
  }));
  for (int i = 0; i < 50; ++i) {
    most = std::max(most, held());
    absl::SleepFor(absl::Milliseconds(20));
  }
  EXPECT_LE(most, kBound / 4 * 3);
  EXPECT_TRUE(Verify(RawClient(server_->port())).ok())
      << "a person is served all the same";
  clients.clear();
  EXPECT_TRUE(Happens([&] { return held() == 0; }));
  EXPECT_EQ(server_->batcher().counters().filings_held_back, 0U);
}

TEST_F(LimitsTest, AnAnswerThatNobodyReadsEndsItsStreamAndFreesItsMemory) {
  Start("unread_answer_seconds_max: 2");
  v1::StreamVerifyRequest request;
  for (int i = 0; i < 200; ++i) *request.add_filings() = world_.GoodFiling();
  std::vector<std::unique_ptr<NeverReads>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<NeverReads>(server_->port(), request));
  }
  const auto held = [&] { return server_->batcher().counters().bytes_held; };
  EXPECT_TRUE(Happens([&] { return held() > 0; }));
  for (const auto& client : clients) {
    EXPECT_TRUE(Happens([&] { return client->ended(); }));
  }
  // They are still here and connected, and hold nothing.
  EXPECT_TRUE(Happens([&] { return held() == 0; }));
  EXPECT_GE(server_->answers().ended(), 3U);
  EXPECT_EQ(server_->answers().under_way(), 0U);
  for (const auto& client : clients) {
    const grpc::Status status = client->Status();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
    EXPECT_THAT(status.error_message(),
                HasSubstr("limits.unread_answer_seconds_max"));
  }
  EXPECT_TRUE(Verify(RawClient(server_->port())).ok());
}

// A call whose client never reads: its answer is larger than what gRPC sends
// unread.
class NeverReadCall {
 public:
  NeverReadCall(int port, const std::string& method,
                const google::protobuf::Message& request,
                const std::string& service = "VerificationService")
      : client_(port, grpc::InsecureChannelCredentials(), LittleUnread()),
        stub_(client_.channel),
        call_(stub_.PrepareCall(
            &context_, absl::StrCat("/inkan.v1.", service, "/", method),
            &queue_)) {
    call_->StartCall(nullptr);
    Await();
    const grpc::Slice slice(request.SerializeAsString());
    call_->WriteLast(grpc::ByteBuffer(&slice, 1), {}, nullptr);
    Await();
  }
  ~NeverReadCall() {
    context_.TryCancel();
    grpc::Status status;
    call_->Finish(&status, nullptr);
    Await();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    EXPECT_FALSE(queue_.Next(&tag, &ok));
  }

 private:
  static grpc::ChannelArguments LittleUnread() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 5);  // the least
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    return arguments;
  }
  void Await() {
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue_.Next(&tag, &ok));
  }

  RawClient client_;
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
};

TEST_F(LimitsTest, AnUnreadAnswerHoldsWhatItIsAndNotWhatWasSent) {
  constexpr size_t kSent = size_t{8} << 20;
  constexpr uint64_t kAnswer = 65536;
  Start("");
  const auto held = [&] { return server_->batcher().counters().bytes_held; };
  v1::VerifyRequest one;
  *one.mutable_filing() = world_.FilingOver(std::string(kSent, 'x'));
  v1::BatchVerifyRequest batch;
  *batch.add_filings() = one.filing();
  v1::StreamVerifyRequest message;
  *message.add_filings() = one.filing();
  const std::pair<std::string, const google::protobuf::Message*> calls[] = {
      {"Verify", &one}, {"BatchVerify", &batch}, {"StreamVerify", &message}};
  for (const auto& [method, request] : calls) {
    {
      const NeverReadCall call(server_->port(), method, *request);
      EXPECT_TRUE(Happens([&] {
        return server_->answers().under_way() == 1 && held() <= kAnswer;
      })) << method
          << " holds " << held();
      EXPECT_GT(held(), 0U) << method;
    }
    EXPECT_TRUE(Happens([&] { return held() == 0; })) << method;
  }
}

TEST_F(LimitsTest, LongAnswersOfOperationsThatNobodyReadsAreBounded) {
  Start("");
  RawClient client(server_->port());
  const auto get_status = [&](grpc::ClientContext* context) {
    v1::GetStatusResponse response;
    return client.operations->GetStatus(context, v1::GetStatusRequest(),
                                        &response);
  };
  std::vector<std::unique_ptr<NeverReadCall>> unread;
  for (size_t i = 1; i < kAnswersMax; ++i) {
    unread.push_back(std::make_unique<NeverReadCall>(
        server_->port(), "GetStatus", v1::GetStatusRequest(),
        "OperationsService"));
  }
  const auto under_way = [&](size_t count) {
    return Happens([&] { return server_->answers().under_way() == count; });
  };
  ASSERT_TRUE(under_way(kAnswersMax - 1));
  grpc::ClientContext last;
  EXPECT_TRUE(get_status(&last).ok());
  // The server hears a little later that it was sent.
  ASSERT_TRUE(under_way(kAnswersMax - 1));
  v1::LookupRevocationRequest look_up;
  look_up.set_profile("signature");
  look_up.set_serial_number("01");
  unread.push_back(std::make_unique<NeverReadCall>(
      server_->port(), "LookupRevocation", look_up, "OperationsService"));
  ASSERT_TRUE(under_way(kAnswersMax));
  grpc::ClientContext one_more;
  const grpc::Status refused = get_status(&one_more);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(refused), "inkan.dev/TOO_MANY_AT_ONCE");
  EXPECT_EQ(
      one_more.GetServerTrailingMetadata().count("grpc-retry-pushback-ms"), 1U);
  grpc::ClientContext look_up_context;
  v1::LookupRevocationResponse found;
  EXPECT_EQ(
      client.operations->LookupRevocation(&look_up_context, look_up, &found)
          .error_code(),
      grpc::StatusCode::UNAVAILABLE);
  // Nobody keeps the others out by not reading.
  EXPECT_TRUE(Happens([&] {
    grpc::ClientContext context;
    return get_status(&context).ok();
  }));
}

// What limits.unread_answer_seconds_max is worked out from.
TEST_F(LimitsTest, TheLargestAnswerByDefaultIsBelowWhatItsTimeAllowsFor) {
  Start("");
  RawClient client(server_->port());
  v1::BatchVerifyRequest request;
  for (int i = 0; i < 1000; ++i) *request.add_filings() = world_.GoodFiling();
  request.set_want_checks(true);
  v1::BatchVerifyResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(
      client.verification->BatchVerify(&context, request, &response).ok());
  const double octets = static_cast<double>(response.ByteSizeLong());
  RecordProperty("octets", static_cast<int>(octets));
  constexpr double kLine = 256'000.0 / 8;
  EXPECT_LT(1.5 * octets / kLine, Limits().unread_answer_seconds_max) << octets;
}

// Two dozen answers, each well within the time, together well beyond it.
TEST_F(LimitsTest, AStreamMayTakeLongerThanOneAnswerMay) {
  Start("unread_answer_seconds_max: 6");
  RawClient client(server_->port());
  grpc::ClientContext context;
  auto stream = client.verification->StreamVerify(&context);
  v1::StreamVerifyRequest request;
  for (int i = 0; i < 200; ++i) *request.add_filings() = world_.GoodFiling();
  std::thread writer([&] {
    for (int i = 0; i < 24; ++i) EXPECT_TRUE(stream->Write(request));
    stream->WritesDone();
  });
  v1::StreamVerifyResponse response;
  for (int i = 0; i < 24; ++i) {
    absl::SleepFor(absl::Milliseconds(300));
    ASSERT_TRUE(stream->Read(&response));
  }
  writer.join();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(server_->answers().ended(), 0U);
}

TEST_F(LimitsTest, ASlowReaderGetsEveryAnswerInOrder) {
  Start("queue_bytes_max: 8388608 message_bytes_max: 4194304");
  RawClient client(server_->port());
  grpc::ClientContext context;
  auto stream = client.verification->StreamVerify(&context);
  constexpr uint64_t kMessages = 30;
  std::thread writer([&] {
    v1::StreamVerifyRequest request;
    for (int i = 0; i < 200; ++i) *request.add_filings() = world_.GoodFiling();
    for (uint64_t i = 0; i < kMessages; ++i) {
      request.set_sequence(i);
      EXPECT_TRUE(stream->Write(request));
    }
    stream->WritesDone();
  });
  v1::StreamVerifyResponse response;
  for (uint64_t i = 0; i < kMessages; ++i) {
    absl::SleepFor(absl::Milliseconds(30));
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.sequence(), i);
    EXPECT_EQ(response.verdicts_size(), 200);
  }
  writer.join();
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_TRUE(
      Happens([&] { return server_->batcher().counters().bytes_held == 0; }));
}

}  // namespace
}  // namespace inkan
