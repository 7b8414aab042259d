// Counts and times gRPC calls, as other gRPC servers do: started and handled by
// method and code, and a histogram of handling times. An interceptor, so that
// every service is counted, whatever it is made of.
//
//   RpcMetrics metrics;                           // outlives the grpc::Server
//   builder.experimental().SetInterceptorCreators(metrics.MakeInterceptors());
//
// Cost: one small allocation, two clock reads and three additions a call, of
// which a call may carry a thousand filings.
//
// Thread safety: everything from any thread. Threads add to shards, so that
// they seldom share a cache line.
#ifndef INKAN_SERVER_METRICS_RPC_H_
#define INKAN_SERVER_METRICS_RPC_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "grpcpp/support/server_interceptor.h"
#include "server/metrics_totals.h"

namespace inkan {

// gRPC's status codes 0 to 16.
inline constexpr size_t kRpcCodes = 17;
// As gRPC's documentation writes them: "OK", "INVALID_ARGUMENT".
std::string_view RpcCodeName(size_t code);

struct RpcMethodTotals {
  std::string type;  // "unary", "server_stream" ..
  std::string service;
  std::string method;
  uint64_t started = 0;
  std::array<uint64_t, kRpcCodes> handled{};
  SecondsHistogram seconds;
};

class RpcMetrics {
 public:
  RpcMetrics();
  RpcMetrics(const RpcMetrics&) = delete;
  RpcMetrics& operator=(const RpcMetrics&) = delete;

  std::vector<
      std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>>
  MakeInterceptors();

  // One for each method there is, and a last one for all that are not ours.
  std::vector<RpcMethodTotals> Totals() const;

  // For the interceptor.
  size_t IndexOf(std::string_view path) const;
  void Started(size_t method);
  void Handled(size_t method, int code, int64_t ns);

 private:
  static constexpr size_t kShards = 16;
  // Methods of our services and health; more than there are.
  static constexpr size_t kMethodsMax = 24;

  struct Counters {
    std::atomic<uint64_t> started{0};
    std::array<std::atomic<uint64_t>, kRpcCodes> handled{};
    std::array<std::atomic<uint64_t>, kSecondsBuckets> seconds{};
    std::atomic<uint64_t> sum_ns{0};
  };
  struct alignas(64) Shard {
    std::array<Counters, kMethodsMax> methods;
  };
  static size_t ThisThreadsShard();

  std::vector<RpcMethodTotals> methods_;  // names only
  std::map<std::string, size_t, std::less<>> by_path_;
  std::unique_ptr<std::array<Shard, kShards>> shards_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_METRICS_RPC_H_
