// The server's configuration: inkan.config.v1.ServerConfig as text in, plain
// values out, every file it names read and every limit given its default.
//
//   absl::StatusOr<Config> config = LoadConfig("/etc/inkan/inkand.textproto");
//
// Errors (kInvalidArgument; kNotFound and kPermissionDenied for the file
// itself) hold one line for each mistake: file, line, column, field, what is
// wrong and the remedy. Thread safety: free functions without state.
#ifndef INKAN_SERVER_CONFIG_H_
#define INKAN_SERVER_CONFIG_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cache/snapshot_keeper.h"
#include "server/access.h"
#include "server/audit_options.h"
#include "server/client_quotas.h"
#include "server/limits.h"

namespace inkan {

// The words that switch encryption off.
inline constexpr char kPlaintextWords[] =
    "I understand that filings travel unencrypted";

// PEM texts, already read and found to fit together.
struct TlsOptions {
  std::string certificate_chain;
  std::string private_key;
  std::string client_ca;  // empty: clients need no certificate

  // Where they were read from; the last is empty if there is none.
  std::string certificate_chain_file;
  std::string private_key_file;
  std::string client_ca_file;
  absl::Duration poll_interval = absl::Seconds(10);

  bool SameMaterial(const TlsOptions& other) const {
    return certificate_chain == other.certificate_chain &&
           private_key == other.private_key && client_ca == other.client_ca;
  }
};

struct ListenerOptions {
  std::string address;
  std::optional<TlsOptions>
      tls;  // nothing: plaintext, asked for in so many words
};

// The default: Japan has about 80,000 tax accountants, who file for others.
inline constexpr uint32_t kVerifiedCertificatesMax = 131072;

struct ServerOptions {
  ListenerOptions listener;
  std::optional<ListenerOptions> operations_listener;
  std::string ops_http_address;  // empty: none
  std::optional<AuditOptions> audit;
  // Told when the audit log begins or ceases to fail; set by the program.
  std::function<void(const absl::Status&)> audit_listener;
  Limits limits;
  AccessRules access;
  QuotaOptions quotas;
  bool reflection = false;
  bool channelz = false;
  unsigned worker_threads = 0;  // 0: one for each CPU
  absl::Duration drain_timeout = absl::Seconds(30);
  uint32_t verified_certificates_max = kVerifiedCertificatesMax;
  std::string state_directory;  // that of the snapshot
};

struct Config {
  ServerOptions server;
  SnapshotOptions snapshot;
};

absl::StatusOr<Config> LoadConfig(const std::string& path);

// The same from text; `path` is for messages and to find relative paths from.
absl::StatusOr<Config> ParseConfig(const std::string& text,
                                   const std::string& path);

// What differs between the two that a running server cannot take over, one
// line each with both values and the remedy; empty if nothing does.
std::string NeedsRestart(const ServerOptions& running,
                         const ServerOptions& wanted);

// A configuration with every limit at its default and comments, for people to
// start from. ParseConfig accepts it once its files exist.
std::string DefaultConfigText();

}  // namespace inkan

#endif  // INKAN_SERVER_CONFIG_H_
