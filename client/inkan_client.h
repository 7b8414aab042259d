// A small C++ client of Inkan.
//
//   auto client = Client::Connect({.target = "inkan:8443", .tls = {{...}}});
//   absl::StatusOr<v1::Verdict> verdict = client->Verify(filing);
//
// A verdict is an answer, whatever it says; a Status that is not OK means there
// was none: kUnavailable (no connection, overload, shutdown: try again),
// kDeadlineExceeded, kInvalidArgument (the request is wrong; the message names
// the field), and the other gRPC codes by their usual names.
//
// Thread safety: a Client may be used from any thread.
#ifndef INKAN_CLIENT_INKAN_CLIENT_H_
#define INKAN_CLIENT_INKAN_CLIENT_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "inkan/v1/operations.pb.h"
#include "inkan/v1/verification.pb.h"

namespace inkan {

// PEM texts. Empty ca: the system's roots. Certificate and key: mutual TLS.
struct ClientTls {
  std::string ca;
  std::string certificate;
  std::string private_key;
};

struct ClientOptions {
  std::string target;                           // "host:port" or any gRPC name
  std::optional<ClientTls> tls = std::nullopt;  // nothing: plaintext
  absl::Duration timeout = absl::Seconds(10);   // of each unary call
};

class Client {
 public:
  // Connects when first used.
  static std::unique_ptr<Client> Connect(const ClientOptions& options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  absl::StatusOr<v1::Verdict> Verify(const v1::Filing& filing,
                                     bool want_checks = false);
  // One verdict for each filing, in their order.
  absl::StatusOr<std::vector<v1::Verdict>> BatchVerify(
      absl::Span<const v1::Filing> filings, bool want_checks = false);
  absl::StatusOr<v1::Verdict> CheckCertificate(
      const v1::CheckCertificateRequest& request);

  absl::StatusOr<v1::GetStatusResponse> GetStatus(bool omit_partitions = false);
  absl::StatusOr<v1::LookupRevocationResponse> LookupRevocation(
      const v1::LookupRevocationRequest& request);
  // May take minutes where CRLs are big; goes on if it is not waited for.
  absl::StatusOr<v1::ReloadResponse> Reload();
  // Whether health says SERVING of a service ("": the whole server).
  // kNotFound if it does not know it.
  absl::StatusOr<bool> IsServing(const std::string& service = "");

 private:
  struct Stubs;
  explicit Client(std::unique_ptr<Stubs> stubs);

  std::unique_ptr<Stubs> stubs_;
};

}  // namespace inkan

#endif  // INKAN_CLIENT_INKAN_CLIENT_H_
