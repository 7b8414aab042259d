// Octets that are no HTTP/2, and HTTP/2 that is an attack: none may harm the
// server or the clients beside.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <zlib.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/load/server_process.h"
#include "tests/e2e/fault_support.h"
#include "tests/e2e/raw_http2.h"
#include "tests/server/test_tls.h"

namespace inkan {
namespace {

using ::testing::HasSubstr;

constexpr char kVerify[] = "/inkan.v1.VerificationService/Verify";
constexpr char kBatchVerify[] = "/inkan.v1.VerificationService/BatchVerify";
constexpr uint64_t kGrowthMax = uint64_t{256} << 20U;

const std::string& Greeting() {
  static const auto* const kGreeting =
      new std::string(kHttp2Preface + Frame(FrameType::kSettings, 0, 0, ""));
  return *kGreeting;
}

std::string Headers(uint32_t stream, uint8_t flags = kEndHeaders,
                    const char* method = kVerify) {
  return Frame(FrameType::kHeaders, flags, stream, CallHeaders(method));
}

std::string Repeat(const std::string& bytes, int times) {
  std::string all;
  all.reserve(bytes.size() * static_cast<size_t>(times));
  for (int i = 0; i < times; ++i) all += bytes;
  return all;
}

// The most a DATA frame may have unless the peer says more (RFC 9113 6.5.2).
constexpr size_t kDataMax = 16'384;

std::string Gzip(const std::string& bytes) {
  z_stream stream = {};
  // A window of 32 KiB, and 16 more for a gzip header.
  EXPECT_EQ(deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 8,
                         Z_DEFAULT_STRATEGY),
            Z_OK);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

struct Nonsense {
  const char* what;
  std::string bytes;
};

std::string Noise(size_t size) {
  std::mt19937 random(1);
  std::string noise(size, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  return noise;
}

// What breaks RFC 9113 in one way each.
std::vector<Nonsense> AllNonsense() {
  const auto frame = [](FrameType type, uint8_t flags, uint32_t stream,
                        const std::string& payload) {
    return Greeting() + Frame(type, flags, stream, payload);
  };
  std::string too_large = Frame(FrameType::kData, 0, 1, "");
  too_large.replace(0, 3, "\xff\xff\xff");
  std::string grown = Frame(FrameType::kHeaders, 0, 1, CallHeaders(kVerify));
  return {
      {"nothing", ""},
      {"HTTP/1.1", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"},
      {"a TLS greeting",
       std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) +
           Noise(500)},
      {"noise", Noise(100'000)},
      {"noise after the preface", kHttp2Preface + Noise(100'000)},
      {"noise after the greeting", Greeting() + Noise(100'000)},
      {"the preface twice", kHttp2Preface + kHttp2Preface},
      {"a frame of 16 MiB", Greeting() + too_large + Noise(100'000)},
      {"DATA on a stream that is not open", frame(FrameType::kData, 0, 1, "x")},
      {"DATA on stream 0", frame(FrameType::kData, 0, 0, "x")},
      {"HEADERS on stream 0",
       frame(FrameType::kHeaders, kEndHeaders, 0, CallHeaders(kVerify))},
      {"HEADERS on an even stream", Greeting() + Headers(2)},
      {"streams that go backwards", Greeting() + Headers(9) + Headers(3)},
      {"the same stream twice", Greeting() + Headers(1) + Headers(1)},
      {"padding longer than the frame",
       frame(FrameType::kData, 0x8, 1, "\xff")},
      {"HPACK of an index that is not there",
       frame(FrameType::kHeaders, kEndHeaders, 1, "\xff\xff\xff\xff\x07")},
      {"HPACK cut short", frame(FrameType::kHeaders, kEndHeaders, 1,
                                CallHeaders(kVerify).substr(0, 30))},
      {"HPACK with a string of 4 GiB",
       frame(FrameType::kHeaders, kEndHeaders, 1,
             std::string("\x00\x7f\xff\xff\xff\xff\x0f", 7))},
      {"HPACK with a table of 4 GiB",
       frame(FrameType::kHeaders, kEndHeaders, 1, "\x3f\xe1\xff\xff\xff\x0f")},
      {"SETTINGS of 5 octets", frame(FrameType::kSettings, 0, 0, "12345")},
      {"SETTINGS on stream 1", frame(FrameType::kSettings, 0, 1, "")},
      {"a window of 2^31", frame(FrameType::kSettings, 0, 0,
                                 std::string("\x00\x04\xff\xff\xff\xff", 6))},
      {"a frame size of 1", frame(FrameType::kSettings, 0, 0,
                                  std::string("\x00\x05\x00\x00\x00\x01", 6))},
      {"WINDOW_UPDATE by 0",
       frame(FrameType::kWindowUpdate, 0, 0, BigEndian32(0))},
      {"WINDOW_UPDATE beyond 2^31",
       frame(FrameType::kWindowUpdate, 0, 0, BigEndian32(0x7fffffff)) +
           Frame(FrameType::kWindowUpdate, 0, 0, BigEndian32(0x7fffffff))},
      {"PING of 3 octets", frame(FrameType::kPing, 0, 0, "abc")},
      {"PING on stream 1", frame(FrameType::kPing, 0, 1, "12345678")},
      {"RST_STREAM of an idle stream",
       frame(FrameType::kRstStream, 0, 99, BigEndian32(8))},
      {"GOAWAY of 2 octets", frame(FrameType::kGoaway, 0, 0, "ab")},
      {"PUSH_PROMISE by a client",
       frame(FrameType::kPushPromise, kEndHeaders, 1,
             BigEndian32(2) + CallHeaders(kVerify))},
      {"CONTINUATION of nothing",
       frame(FrameType::kContinuation, kEndHeaders, 1, "")},
      {"DATA inside a header block",
       Greeting() + grown + Frame(FrameType::kData, 0, 1, "x")},
      {"frames of unknown types",
       Greeting() +
           Repeat(Frame(static_cast<FrameType>(0xee), 0xff, 1, "unknown"),
                  100)},
      {"a gRPC message of 4 GiB",
       Greeting() + Headers(1) +
           Frame(FrameType::kData, 0, 1,
                 std::string("\x00\xff\xff\xff\xff", 5) + "x")},
      {"a gRPC message that is no protobuf",
       Greeting() + Headers(1) +
           Frame(FrameType::kData, kEndStream, 1,
                 std::string("\x00\x00\x00\x00\x05\xff\xff\xff\xff\xff", 10))},
      {"a compressed message that is not compressed",
       Greeting() + Headers(1) +
           Frame(FrameType::kData, kEndStream, 1,
                 std::string("\x01\x00\x00\x00\x05hello", 10))},
      {"a call without end or message",
       Greeting() + Headers(1, kEndHeaders | kEndStream)},
      {"a method that is not there",
       Greeting() + Frame(FrameType::kHeaders, kEndHeaders | kEndStream, 1,
                          CallHeaders("/no/such"))},
      {"a deadline that is none",
       Greeting() + Frame(FrameType::kHeaders, kEndHeaders, 1,
                          CallHeaders(kVerify, {{"grpc-timeout",
                                                 "99999999999999999S"}}))},
  };
}

// Lets `send` put each piece of nonsense onto connections of its own while a
// load runs beside, and has the server prove that it is what it was.
void ExpectNonsenseHarmsNobody(
    FaultServer& server,
    const std::function<void(const Nonsense& nonsense)>& send) {
  BackgroundLoad load(server, {});
  load.AwaitAnswers(200);
  const uint64_t before = server.resident_bytes();
  for (const Nonsense& nonsense : AllNonsense()) {
    ASSERT_NO_FATAL_FAILURE(send(nonsense)) << nonsense.what;
    ASSERT_TRUE(server.process().Running())
        << nonsense.what << server.process().Output();
  }
  load.AwaitAnswers(500);
  ExpectUnharmed(server);
  EXPECT_LT(server.resident_bytes(), before + kGrowthMax);
  const load::Report report = load.Stop();
  ExpectNoWrongVerdict(report);
  ExpectNothingLost(report);
}

// A few connections at once, each of which says `nonsense` in the clear.
void SayInTheClear(int port, const Nonsense& nonsense) {
  std::vector<RawConnection> connections;
  for (int i = 0; i < 3 * FaultScale(); ++i) {
    connections.emplace_back(port);
    ASSERT_TRUE(connections.back().connected());
    connections.back().Send(nonsense.bytes);
    connections.back().Receive(5);
  }
}

TEST(FaultHttp2, OctetsThatAreNoHttp2HarmNobody) {
  FaultServer server(FreshWorkDir());
  ExpectNonsenseHarmsNobody(server, [&](const Nonsense& nonsense) {
    SayInTheClear(server.port(), nonsense);
  });
}

// In place of a handshake, within TLS after one, and by a client that was let
// in and then says what is no TLS record.
TEST(FaultHttp2, OctetsThatAreNoHttp2HarmNobodyWhereThereIsTls) {
  const std::string dir = FreshWorkDir();
  const testing::TestCa ca("Fault CA");
  const testing::PemPair client = ca.Issue("client");
  const testing::PemPair own = ca.Issue("server");
  const std::string tls_dir = dir + "/tls";
  std::filesystem::create_directories(tls_dir);
  const std::pair<const char*, std::string> files[] = {
      {"ca.pem", ca.pem()},
      {"client.pem", client.certificate},
      {"client.key", client.key},
      {"server.pem", own.certificate},
      {"server.key", own.key}};
  for (const auto& [name, contents] : files) {
    std::ofstream(tls_dir + "/" + name, std::ios::binary) << contents;
  }
  FaultServer server(dir, "", {}, tls_dir);
  ExpectNonsenseHarmsNobody(server, [&](const Nonsense& nonsense) {
    SayInTheClear(server.port(), nonsense);
    const testing::TlsConnection within(server.port(), &client);
    ASSERT_EQ(within.fault(), "");
    within.Send(nonsense.bytes);
    const testing::TlsConnection below(server.port(), &client);
    ASSERT_EQ(below.fault(), "");
    send(below.fd(), nonsense.bytes.data(), nonsense.bytes.size(),
         MSG_NOSIGNAL | MSG_DONTWAIT);
  });
}

// The listener of the operations has bounds of its own.
TEST(FaultHttp2, OctetsThatAreNoHttp2HarmNobodyAtTheOperationsListener) {
  FaultServer server(
      FreshWorkDir(),
      "operations_listener { address: \"127.0.0.1:0\" plaintext: \"I "
      "understand that filings travel unencrypted\" }");
  ASSERT_NE(server.operations_port(), 0);
  ExpectNonsenseHarmsNobody(server, [&](const Nonsense& nonsense) {
    SayInTheClear(server.operations_port(), nonsense);
  });
  grpc::ClientContext context;
  v1::GetStatusResponse status;
  const auto stub = v1::OperationsService::NewStub(
      grpc::CreateChannel(absl::StrCat("127.0.0.1:", server.operations_port()),
                          grpc::InsecureChannelCredentials()));
  EXPECT_TRUE(stub->GetStatus(&context, {}, &status).ok());
}

class FaultHttp2Flood : public ::testing::Test {
 protected:
  // Sends `round` for each round number, from a few connections in turn, while
  // a load runs beside.
  static void RunFlood(const std::string& start, int rounds,
                       const std::function<std::string(int)>& round) {
    FaultServer server(FreshWorkDir());
    BackgroundLoad load(server, {});
    load.AwaitAnswers(200);
    const uint64_t before = server.resident_bytes();
    for (int connection = 0; connection < 3 * FaultScale(); ++connection) {
      const RawConnection flood(server.port());
      ASSERT_TRUE(flood.connected());
      flood.Send(start);
      for (int i = 0; i < rounds && flood.Send(round(i)); ++i) {
        // Reading now and then, or the server stops reading as well.
        if (i % 16 == 0) flood.Receive(0);
      }
      ASSERT_TRUE(server.process().Running()) << server.process().Output();
      EXPECT_LT(server.resident_bytes(), before + kGrowthMax);
    }
    load.AwaitAnswers(500);
    ExpectUnharmed(server);
    EXPECT_LT(server.resident_bytes(), before + kGrowthMax);
    const load::Report report = load.Stop();
    ExpectNoWrongVerdict(report);
    ExpectNothingLost(report);
  }
};

TEST_F(FaultHttp2Flood, Pings) {
  const std::string pings =
      Repeat(Frame(FrameType::kPing, 0, 0, "12345678"), 100);
  RunFlood(Greeting(), 200, [&](int) { return pings; });
}

TEST_F(FaultHttp2Flood, Settings) {
  const std::string settings =
      Repeat(Frame(FrameType::kSettings, 0, 0,
                   std::string("\x00\x04\x00\x00\xff\xff", 6)),
             100);
  RunFlood(Greeting(), 200, [&](int) { return settings; });
}

TEST_F(FaultHttp2Flood, EmptyData) {
  const std::string nothing = Repeat(Frame(FrameType::kData, 0, 1, ""), 100);
  RunFlood(Greeting() + Headers(1), 200, [&](int) { return nothing; });
}

// CVE-2023-44487: streams opened and reset at once.
TEST_F(FaultHttp2Flood, RapidResets) {
  RunFlood(Greeting(), 30, [](int round) {
    std::string resets;
    for (int i = 0; i < 100; ++i) {
      const auto stream = static_cast<uint32_t>(2 * (round * 100 + i) + 1);
      resets += Headers(stream) +
                Frame(FrameType::kRstStream, 0, stream, BigEndian32(8));
    }
    return resets;
  });
}

// CVE-2024-27316 and its kin: a header block that never ends.
TEST_F(FaultHttp2Flood, EndlessHeaderBlock) {
  const std::string more =
      Frame(FrameType::kContinuation, 0, 1,
            Hpack({{"x-padding", std::string(8'000, 'x')}}));
  RunFlood(Greeting() + Frame(FrameType::kHeaders, 0, 1, CallHeaders(kVerify)),
           2'000, [&](int) { return more; });
}

// Metadata beyond what a call may have, in blocks that do end.
TEST_F(FaultHttp2Flood, GiantHeaders) {
  RunFlood(Greeting(), 300, [](int round) {
    return Frame(FrameType::kHeaders, kEndHeaders,
                 static_cast<uint32_t>(2 * round + 1),
                 CallHeaders(kVerify, {{"x-large", std::string(15'000, 'x')}}));
  });
}

// Calls that never say more, by clients who never acknowledge how many they may
// have: they are cut off, and what they held goes back to the system.
TEST(FaultHttp2, CallsThatNeverSpeakAreCutOff) {
  constexpr int kConnections = 4;
  constexpr uint32_t kCallsTried = 500'000;
  FaultServer server(FreshWorkDir());
  BackgroundLoad load(server, {});
  load.AwaitAnswers(200);
  const uint64_t before = server.resident_bytes();
  uint64_t peak = before;
  for (int i = 0; i < kConnections * FaultScale(); ++i) {
    const RawConnection flood(server.port());
    ASSERT_TRUE(flood.connected());
    bool open = flood.Send(Greeting());
    for (uint32_t call = 0; open && call < kCallsTried; ++call) {
      // Batches are met before their request has come, others are not.
      open = flood.Send(Headers(2 * call + 1, kEndHeaders,
                                i % 2 == 0 ? kBatchVerify : kVerify));
      if (call % 1000 == 0) peak = std::max(peak, server.resident_bytes());
    }
    EXPECT_FALSE(open) << "it may open calls for ever";
    ASSERT_TRUE(server.process().Running()) << server.process().Output();
  }
  // All that was tried would take 24 GB.
  EXPECT_LT(peak, before + 8 * kGrowthMax);
  load.AwaitAnswers(500);
  ExpectUnharmed(server);
  EXPECT_TRUE(Await([&] {
    return server.resident_bytes() < before + kGrowthMax;
  })) << server.resident_bytes();
  const load::Report report = load.Stop();
  ExpectNoWrongVerdict(report);
  ExpectNothingLost(report);
}

// Windows of one octet: answers leave a crumb at a time.
TEST_F(FaultHttp2Flood, TinyWindows) {
  const std::string tiny_window = Frame(
      FrameType::kSettings, 0, 0, std::string("\x00\x04\x00\x00\x00\x01", 6));
  RunFlood(kHttp2Preface + tiny_window, 50, [](int round) {
    std::string calls;
    for (int i = 0; i < 20; ++i) {
      const auto stream = static_cast<uint32_t>(2 * (round * 20 + i) + 1);
      calls += Headers(stream) +
               Frame(FrameType::kData, kEndStream, stream,
                     std::string("\0\0\0\0\0", 5)) +
               Frame(FrameType::kWindowUpdate, 0, stream, BigEndian32(1));
    }
    return calls;
  });
}

// How much the server's peak grows by calls that take 64 MiB once inflated, and
// a few kilobytes on the line.
class FaultCompression : public ::testing::Test {
 protected:
  static constexpr size_t kInflated = size_t{64} << 20U;

  FaultCompression() : server_(FreshWorkDir()), before_(Peak()) {}

  uint64_t Peak() {
    const auto usage = load::ReadProcessUsage(server_.process().pid());
    EXPECT_TRUE(usage.ok());
    return usage.ok() ? usage->resident_bytes_peak : 0;
  }
  void ExpectRefused(const grpc::Status& status, const char* method) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED)
        << method << ": " << status.error_message();
    EXPECT_LT(Peak(), before_ + kInflated / 2) << method;
  }
  static std::unique_ptr<grpc::ClientContext> Context(
      grpc_compression_algorithm algorithm) {
    auto context = std::make_unique<grpc::ClientContext>();
    context->set_compression_algorithm(algorithm);
    context->set_deadline(std::chrono::system_clock::now() +
                          absl::ToChronoSeconds(kPatience));
    return context;
  }

  FaultServer server_;
  const uint64_t before_;
};

TEST_F(FaultCompression, CompressedRequestsAreRefusedByTheirHeaders) {
  const auto channel = server_.channel();
  const auto verification = v1::VerificationService::NewStub(channel);
  const auto operations = v1::OperationsService::NewStub(channel);
  v1::VerifyRequest one;
  one.mutable_filing()->set_document(std::string(kInflated, '\0'));
  v1::BatchVerifyRequest batch;
  *batch.add_filings() = one.filing();
  v1::StreamVerifyRequest message;
  *message.add_filings() = one.filing();
  v1::LookupRevocationRequest lookup;
  lookup.set_serial_number(std::string(kInflated, '0'));
  for (const auto algorithm : {GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP}) {
    v1::VerifyResponse verdict;
    ExpectRefused(verification->Verify(Context(algorithm).get(), one, &verdict),
                  "Verify");
    v1::BatchVerifyResponse verdicts;
    ExpectRefused(
        verification->BatchVerify(Context(algorithm).get(), batch, &verdicts),
        "BatchVerify");
    v1::LookupRevocationResponse found;
    ExpectRefused(
        operations->LookupRevocation(Context(algorithm).get(), lookup, &found),
        "LookupRevocation");
    const auto context = Context(algorithm);
    const auto stream = verification->StreamVerify(context.get());
    stream->Write(message);
    v1::StreamVerifyResponse answer;
    EXPECT_FALSE(stream->Read(&answer));
    ExpectRefused(stream->Finish(), "StreamVerify");
  }
  ExpectUnharmed(server_);
}

// What calls itself compressed without saying how, or says that it is not.
TEST_F(FaultCompression, AFlagWithoutAHeaderInflatesNothing) {
  const std::string bomb = Gzip(std::string(kInflated, '\0'));
  const std::string message = std::string(1, '\1') +
                              BigEndian32(static_cast<uint32_t>(bomb.size())) +
                              bomb;
  std::vector<std::vector<std::pair<std::string, std::string>>> headers = {
      {}, {{"grpc-encoding", "identity"}}, {{"grpc-encoding", "br"}}};
  for (const auto& more : headers) {
    const RawConnection connection(server_.port());
    ASSERT_TRUE(connection.connected());
    std::string call = Greeting() + Frame(FrameType::kHeaders, kEndHeaders, 1,
                                          CallHeaders(kVerify, more));
    for (size_t at = 0; at < message.size(); at += kDataMax) {
      call += Frame(FrameType::kData, 0, 1, message.substr(at, kDataMax));
    }
    call += Frame(FrameType::kData, kEndStream, 1, "");
    ASSERT_TRUE(connection.Send(call));
    // Not a verdict: a status, which has the words in clear in its HPACK.
    std::string answer;
    EXPECT_TRUE(Await([&] {
      answer += connection.Receive(100);
      return answer.find("grpc-status") != std::string::npos;
    }));
    EXPECT_THAT(answer, ::testing::Not(HasSubstr("TOTAL_PASSED")));
    EXPECT_LT(Peak(), before_ + kInflated / 2);
  }
  ExpectUnharmed(server_);
}

// A well-behaved HTTP/2 client that knows nothing of gRPC, in bulk.
TEST(FaultHttp2, PlainHttp2InBulkHarmsNobody) {
  FaultServer server(FreshWorkDir());
  BackgroundLoad load(server, {});
  load.AwaitAnswers(200);
  const std::string url = absl::StrCat("http://", server.target(), kVerify);
  const std::string requests = absl::StrCat(3'000 * FaultScale());
  const CommandResult h2load =
      RunCommand({"h2load", "-n", requests, "-c", "20", "-m", "20", url});
  ASSERT_EQ(h2load.exit_code, 0)
      << "h2load comes with Debian's nghttp2-client, which ./dev setup "
         "installs: "
      << h2load.output;
  EXPECT_THAT(h2load.output, HasSubstr("finished in"));
  load.AwaitAnswers(500);
  ExpectUnharmed(server);
  const load::Report report = load.Stop();
  ExpectNoWrongVerdict(report);
  ExpectNothingLost(report);
}

}  // namespace
}  // namespace inkan
