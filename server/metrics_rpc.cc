#include "server/metrics_rpc.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "grpc/health/v1/health.pb.h"
#include "inkan/v1/operations.pb.h"
#include "server/metrics_worker.h"

namespace inkan {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerInterceptorFactoryInterface;
using grpc::experimental::ServerRpcInfo;

constexpr char kOther[] = "other";
constexpr size_t kUnknownCode = grpc::StatusCode::UNKNOWN;

// Lives as long as its call.
class RpcInterceptor final : public Interceptor {
 public:
  RpcInterceptor(RpcMetrics* metrics, size_t method)
      : metrics_(metrics), method_(method), begun_ns_(NowNs()) {
    metrics_->Started(method_);
  }
  // A call whose status was never sent: its connection is gone.
  ~RpcInterceptor() override { Handled(grpc::StatusCode::CANCELLED); }

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            InterceptionHookPoints::PRE_SEND_STATUS)) {
      Handled(methods->GetSendStatus().error_code());
    }
    methods->Proceed();
  }

 private:
  void Handled(grpc::StatusCode code) {
    if (handled_) return;
    handled_ = true;
    metrics_->Handled(method_, code, NowNs() - begun_ns_);
  }

  RpcMetrics* const metrics_;
  const size_t method_;
  const int64_t begun_ns_;
  bool handled_ = false;
};

class Factory final : public ServerInterceptorFactoryInterface {
 public:
  explicit Factory(RpcMetrics* metrics) : metrics_(metrics) {}
  Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    return new RpcInterceptor(metrics_, metrics_->IndexOf(info->method()));
  }

 private:
  RpcMetrics* const metrics_;
};

const char* TypeOf(const google::protobuf::MethodDescriptor& method) {
  if (method.client_streaming()) {
    return method.server_streaming() ? "bidi_stream" : "client_stream";
  }
  return method.server_streaming() ? "server_stream" : "unary";
}

}  // namespace

std::string_view RpcCodeName(size_t code) {
  constexpr std::string_view kNames[kRpcCodes] = {"OK",
                                                  "CANCELLED",
                                                  "UNKNOWN",
                                                  "INVALID_ARGUMENT",
                                                  "DEADLINE_EXCEEDED",
                                                  "NOT_FOUND",
                                                  "ALREADY_EXISTS",
                                                  "PERMISSION_DENIED",
                                                  "RESOURCE_EXHAUSTED",
                                                  "FAILED_PRECONDITION",
                                                  "ABORTED",
                                                  "OUT_OF_RANGE",
                                                  "UNIMPLEMENTED",
                                                  "INTERNAL",
                                                  "UNAVAILABLE",
                                                  "DATA_LOSS",
                                                  "UNAUTHENTICATED"};
  return code < kRpcCodes ? kNames[code] : kNames[2];
}

RpcMetrics::RpcMetrics()
    : shards_(std::make_unique<std::array<Shard, kShards>>()) {
  for (const google::protobuf::FileDescriptor* file :
       {v1::Filing::descriptor()->file(),
        v1::GetStatusRequest::descriptor()->file(),
        grpc::health::v1::HealthCheckRequest::descriptor()->file()}) {
    for (int s = 0; s < file->service_count(); ++s) {
      const google::protobuf::ServiceDescriptor& service = *file->service(s);
      for (int m = 0; m < service.method_count(); ++m) {
        if (methods_.size() == kMethodsMax - 1) break;
        const google::protobuf::MethodDescriptor& method = *service.method(m);
        by_path_.emplace(
            absl::StrCat("/", service.full_name(), "/", method.name()),
            methods_.size());
        RpcMethodTotals& names = methods_.emplace_back();
        names.type = TypeOf(method);
        names.service = service.full_name();
        names.method = method.name();
      }
    }
  }
  RpcMethodTotals& other = methods_.emplace_back();
  other.type = other.service = other.method = kOther;
}

std::vector<std::unique_ptr<ServerInterceptorFactoryInterface>>
RpcMetrics::MakeInterceptors() {
  std::vector<std::unique_ptr<ServerInterceptorFactoryInterface>> factories;
  factories.push_back(std::make_unique<Factory>(this));
  return factories;
}

size_t RpcMetrics::IndexOf(std::string_view path) const {
  const auto found = by_path_.find(path);
  return found == by_path_.end() ? methods_.size() - 1 : found->second;
}

size_t RpcMetrics::ThisThreadsShard() {
  static std::atomic<size_t> threads{0};
  thread_local const size_t shard =
      threads.fetch_add(1, std::memory_order_relaxed) % kShards;
  return shard;
}

void RpcMetrics::Started(size_t method) {
  (*shards_)[ThisThreadsShard()].methods[method].started.fetch_add(
      1, std::memory_order_relaxed);
}

void RpcMetrics::Handled(size_t method, int code, int64_t ns) {
  Counters& counters = (*shards_)[ThisThreadsShard()].methods[method];
  const auto index = static_cast<size_t>(code);
  counters.handled[index < kRpcCodes ? index : kUnknownCode].fetch_add(
      1, std::memory_order_relaxed);
  ns = std::max<int64_t>(0, ns);
  counters.seconds[BucketOf(kSecondsBoundsNs, ns)].fetch_add(
      1, std::memory_order_relaxed);
  counters.sum_ns.fetch_add(static_cast<uint64_t>(ns),
                            std::memory_order_relaxed);
}

std::vector<RpcMethodTotals> RpcMetrics::Totals() const {
  std::vector<RpcMethodTotals> totals = methods_;
  for (const Shard& shard : *shards_) {
    for (size_t m = 0; m < totals.size(); ++m) {
      const Counters& counters = shard.methods[m];
      RpcMethodTotals& out = totals[m];
      out.started += counters.started.load(std::memory_order_relaxed);
      for (size_t i = 0; i < kRpcCodes; ++i) {
        out.handled[i] += counters.handled[i].load(std::memory_order_relaxed);
      }
      for (size_t i = 0; i < kSecondsBuckets; ++i) {
        out.seconds.counts[i] +=
            counters.seconds[i].load(std::memory_order_relaxed);
      }
      out.seconds.sum += counters.sum_ns.load(std::memory_order_relaxed);
    }
  }
  return totals;
}

}  // namespace inkan
