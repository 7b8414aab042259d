// The operations port: metrics, health, readiness and the status page of one
// server, over HTTP.
//
//   absl::StatusOr<std::unique_ptr<OpsPort>> port = OpsPort::Start(address,
//   view);
//
// Plain HTTP without authentication, and nothing on it changes anything: bind
// it to loopback or to a network that only operators reach.
//
// Thread safety: any thread. Ownership: the view's parts must outlive it.
#ifndef INKAN_SERVER_OPS_PORT_H_
#define INKAN_SERVER_OPS_PORT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/ops_view.h"

namespace inkan {

class OpsPort {
 public:
  static absl::StatusOr<std::unique_ptr<OpsPort>> Start(
      const std::string& address, const OpsView& view);
  ~OpsPort();
  OpsPort(const OpsPort&) = delete;
  OpsPort& operator=(const OpsPort&) = delete;

  int port() const;

 private:
  struct Parts;
  explicit OpsPort(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_OPS_PORT_H_
