#include "server/grpc_listener.h"

#include <grpc/compression.h>
#include <grpc/grpc.h>
#include <grpcpp/resource_quota.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "grpcpp/impl/server_builder_option.h"
#include "grpcpp/impl/server_builder_plugin.h"
#include "server/tls_credentials.h"

namespace inkan {
namespace {

// gRPC adds reflection to every server of a program that is linked with it;
// this takes it away again from servers that were not asked to offer it.
class OnlyAskedForPlugins : public grpc::ServerBuilderOption {
 public:
  explicit OnlyAskedForPlugins(const ServerOptions& options)
      : reflection_(options.reflection), channelz_(options.channelz) {}

  void UpdateArguments(grpc::ChannelArguments* /*arguments*/) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>*
                         plugins) override {
    std::erase_if(*plugins, [this](const auto& plugin) {
      return (!reflection_ &&
              absl::StrContains(plugin->name(), "reflection")) ||
             (!channelz_ && absl::StrContains(plugin->name(), "channelz"));
    });
  }

 private:
  const bool reflection_;
  const bool channelz_;
};

constexpr int kReadBytesMax = 256 << 10;
// How much of a message, and of all on one connection, may come before somebody
// asks for it; a larger one that is asked for gets all the room it needs. Also
// what a connection's small messages have together for each round trip.
constexpr int kUnaskedBytesMax = 256 << 10;

// gRPC takes milliseconds as int.
int Milliseconds(uint32_t seconds) {
  return static_cast<int>(std::min<int64_t>(int64_t{seconds} * 1000, INT_MAX));
}

void SetLimits(const Limits& limits, grpc::ServerBuilder* builder) {
  const auto set = [builder](const char* name, int value) {
    builder->AddChannelArgument(name, value);
  };
  builder->SetMaxReceiveMessageSize(static_cast<int>(limits.message_bytes_max));
  // gRPC holds a message to its bound as it was sent, and inflates it before it
  // looks again: a few octets would become any number. So nothing is inflated,
  // and a call whose header names a compression is refused for that
  // (UNIMPLEMENTED), or its octets would be taken for a message as they are.
  set(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  set(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET,
      1 << GRPC_COMPRESS_NONE);
  set(GRPC_ARG_MAX_CONCURRENT_STREAMS,
      static_cast<int>(limits.concurrent_streams_max));
  set(GRPC_ARG_MAX_METADATA_SIZE, static_cast<int>(limits.metadata_bytes_max));
  // Clients may ping, also between calls, but not faster than this.
  set(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  set(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
      Milliseconds(limits.ping_seconds_min));
  set(GRPC_ARG_HTTP2_MAX_PING_STRIKES,
      static_cast<int>(limits.ping_strikes_max));
  // A peer that is gone without a word is noticed.
  set(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(limits.keepalive_seconds));
  set(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
      Milliseconds(limits.keepalive_timeout_seconds));
  set(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  set(GRPC_ARG_MAX_CONNECTION_IDLE_MS,
      Milliseconds(limits.connection_idle_seconds_max));
  set(GRPC_ARG_MAX_CONNECTION_AGE_MS,
      Milliseconds(limits.connection_age_seconds_max));
  set(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
      Milliseconds(limits.connection_grace_seconds_max));
  set(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
      Milliseconds(limits.handshake_seconds_max));
  // One read is worked through before anything else about its connection, and
  // may open a call for every 16 octets: see MemoryWatch.
  set(GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, kReadBytesMax);
  // Left to itself gRPC widens its windows by the speed of the line, and whole
  // batches come only to be refused.
  set(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  set(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kUnaskedBytesMax);
  // What gRPC holds for connections, calls, and messages on their way. (It also
  // bounds threads, but only those of the synchronous API, which we do not
  // use: callbacks run on threads whose number follows that of the CPUs.)
  grpc::ResourceQuota quota("inkan");
  quota.Resize(limits.transport_bytes_max);
  builder->SetResourceQuota(quota);
}

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcListener>> GrpcListener::Start(
    const std::string& name, const ServerOptions& options,
    const ListenerOptions& listener,
    const std::vector<grpc::Service*>& services, TlsKeeper::NewsListener news,
    const Prepare& prepare) {
  auto out = std::unique_ptr<GrpcListener>(new GrpcListener);
  auto acceptor = ConnectionAcceptor::Listen(
      listener.address, options.limits.connections_max,
      std::chrono::seconds(options.limits.unread_answer_seconds_max));
  if (!acceptor.ok()) {
    return absl::Status(
        acceptor.status().code(),
        absl::StrCat(name, ".address: ", acceptor.status().message()));
  }
  out->acceptor_ = *std::move(acceptor);

  // The configuration reader lets plaintext through only for the exact words.
  std::shared_ptr<grpc::ServerCredentials> credentials =
      grpc::InsecureServerCredentials();
  if (listener.tls.has_value()) {
    out->tls_ =
        std::make_unique<TlsKeeper>(name, *listener.tls, std::move(news));
    credentials = ReloadableTlsCredentials(out->tls_.get());
  }
  grpc::ServerBuilder builder;
  builder.SetOption(std::make_unique<OnlyAskedForPlugins>(options));
  SetLimits(options.limits, &builder);
  out->hand_over_ = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      credentials);
  for (grpc::Service* service : services) builder.RegisterService(service);
  if (prepare) prepare(&builder);
  out->server_ = builder.BuildAndStart();
  if (out->server_ == nullptr) {
    return absl::UnavailableError(absl::StrCat(
        name, ": gRPC cannot serve on ", listener.address,
        ": the TLS files are refused, perhaps; see the lines above"));
  }
  out->acceptor_->Start(
      [hand_over = out->hand_over_.get()](int listening, int connection) {
        grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters
            parameters;
        parameters.listener_fd = listening;
        parameters.fd = connection;
        hand_over->HandleNewConnection(&parameters);
      });
  return out;
}

GrpcListener::~GrpcListener() { Shutdown(absl::InfinitePast()); }

size_t GrpcListener::HangUp(
    const absl::flat_hash_set<ConnectionAcceptor::Peer>& but,
    bool only_delivered) {
  acceptor_->Stop();
  return acceptor_->HangUp(but, only_delivered);
}

void GrpcListener::Shutdown(absl::Time deadline) {
  if (acceptor_ != nullptr) acceptor_->Stop();
  if (server_ != nullptr) server_->Shutdown(absl::ToChronoTime(deadline));
}

void GrpcListener::CancelCalls() {
  grpc_server_cancel_all_calls(server_->c_server());
}

}  // namespace inkan
