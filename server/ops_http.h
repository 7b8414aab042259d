// A small HTTP server for the operations port: a table of paths, GET and HEAD,
// one request a connection.
//
//   auto http = OpsHttp::Start("127.0.0.1:9464", handlers, &counters);
//   (*http)->port()
//
// Requests are parsed and answered by cpp-httplib; connections are ours, so
// that whatever a client does is bounded: octets of its request, time to send
// it and to take the answer, connections at once, threads. Handler threads run
// at a lower priority than those that judge filings. Bodies are never read for
// what they say.
//
// Thread safety: handlers are called on several threads at once. Ownership: the
// counters must outlive it; the destructor ends every connection.
#ifndef INKAN_SERVER_OPS_HTTP_H_
#define INKAN_SERVER_OPS_HTTP_H_

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/ops_counters.h"

namespace inkan {

struct OpsReply {
  int code = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
};

// By path, exactly.
using HttpHandlers = std::map<std::string, std::function<OpsReply()>>;

// What one client may do. A browser's request has about 1 KB; Prometheus gives
// up after 10 s.
struct OpsHttpLimits {
  size_t head_bytes_max = 8192;
  absl::Duration read_timeout = absl::Seconds(5);    // the whole head
  absl::Duration write_timeout = absl::Seconds(10);  // the whole answer
  size_t threads = 2;
  size_t connections_max = 32;  // being served or waiting
};

class OpsHttp {
 public:
  // kInvalidArgument if `address` is not "host:port" or "[v6]:port";
  // kUnavailable if it cannot be listened on.
  static absl::StatusOr<std::unique_ptr<OpsHttp>> Start(
      const std::string& address, HttpHandlers handlers, OpsCounters* counters,
      const OpsHttpLimits& limits = OpsHttpLimits());
  ~OpsHttp();
  OpsHttp(const OpsHttp&) = delete;
  OpsHttp& operator=(const OpsHttp&) = delete;

  int port() const;

 private:
  class Impl;
  explicit OpsHttp(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_OPS_HTTP_H_
