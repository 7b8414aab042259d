#include "server/config.h"

#include <filesystem>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "inkan/config/v1/config.pb.h"
#include "server/certificate_files.h"
#include "server/config_access.h"
#include "server/config_crl_source.h"
#include "server/config_ops.h"
#include "server/config_profile.h"
#include "server/config_text.h"
#include "server/tls_files.h"

namespace inkan {
namespace {

constexpr size_t kConfigBytesMax = 4U << 20;
constexpr uint32_t kWorkerThreadsMax = 1024;
// 1.3 GB of memory.
constexpr uint32_t kVerifiedCertificatesGreatest = 16777216;
constexpr int64_t kDrainSecondsMax = 3600;

Limits ReadLimits(const config::v1::Limits& limits, const ConfigNode& node) {
  Limits out;
#define INKAN_READ(type, name, standard, least, greatest)                     \
  if (limits.name() != 0) {                                                   \
    if (limits.name() < (least) || limits.name() > (greatest)) {              \
      node.Error(#name,                                                       \
                 absl::StrCat(limits.name(), " is out of range; give ",       \
                              (least), " to ", (greatest), ", or 0 for the ", \
                              "default of ", (standard)));                    \
    }                                                                         \
    out.name = limits.name();                                                 \
  }
  INKAN_LIMITS(INKAN_READ)
#undef INKAN_READ
  // What one call may bring must fit the empty queue, or it would be refused
  // for ever.
  if (out.queue_filings_max < out.batch_filings_max) {
    node.Error(
        "queue_filings_max",
        absl::StrCat(out.queue_filings_max, " is less than batch_filings_max (",
                     out.batch_filings_max, "); raise it at least to that"));
  }
  if (out.queue_bytes_max < out.message_bytes_max) {
    node.Error(
        "queue_bytes_max",
        absl::StrCat(out.queue_bytes_max, " is less than message_bytes_max (",
                     out.message_bytes_max, "); raise it at least to that"));
  }
  if (out.transport_bytes_max < 2 * uint64_t{out.message_bytes_max}) {
    node.Error(
        "transport_bytes_max",
        absl::StrCat(out.transport_bytes_max,
                     " is less than two messages of message_bytes_max (",
                     out.message_bytes_max, "); raise it at least to that"));
  }
  return out;
}

ListenerOptions ReadListener(const config::v1::Listener& listener,
                             const ConfigNode& node,
                             const std::string& folder) {
  ListenerOptions out;
  out.address = listener.address();
  if (!IsAddress(listener.address())) {
    node.Error("address", absl::StrCat("\"", listener.address(),
                                       "\" is no address; write \"host:port\", "
                                       "\"[v6]:port\" or \"unix:/path\""));
  }
  if (listener.has_tls() && !listener.plaintext().empty()) {
    node.Error("plaintext", "given together with tls; remove one of them");
  } else if (listener.has_tls()) {
    out.tls = ReadTlsFiles(listener.tls(), node.Child("tls"), folder);
  } else if (listener.plaintext().empty()) {
    node.Error("tls",
               absl::StrCat("missing; give tls { certificate_chain_file: ... "
                            "private_key_file: ... }, or, to do without "
                            "encryption, plaintext: \"",
                            kPlaintextWords, "\""));
  } else if (listener.plaintext() != kPlaintextWords) {
    node.Error("plaintext",
               absl::StrCat("must be the words \"", kPlaintextWords,
                            "\" exactly, or give tls instead"));
  }
  return out;
}

void ReadProfiles(const config::v1::ServerConfig& proto, const ConfigNode& root,
                  const std::string& folder, SnapshotOptions* out) {
  if (proto.profiles().empty()) {
    root.Error(
        "profiles",
        "missing; add at least one profile { name: ... anchor_files: ... "
        "}, see --print-default-config");
  }
  std::set<std::string> names;
  for (int i = 0; i < proto.profiles_size(); ++i) {
    const ConfigNode node = root.Child("profiles", i);
    if (!names.insert(proto.profiles(i).name()).second) {
      node.Error("name",
                 absl::StrCat("\"", proto.profiles(i).name(),
                              "\" is the name of an earlier profile too; names "
                              "must differ"));
    }
    out->profiles.push_back(ReadProfile(proto.profiles(i), node, folder));
  }
}

void ReadCrlSources(const config::v1::ServerConfig& proto,
                    const ConfigNode& root, const std::string& folder,
                    uint64_t crl_bytes_max, SnapshotOptions* out) {
  bool remote = false;
  for (int i = 0; i < proto.crl_sources_size(); ++i) {
    const config::v1::CrlSource& source = proto.crl_sources(i);
    remote = remote || source.has_http() || source.has_ldap();
    out->crl_sources.push_back(ReadCrlSource(
        source, root.Child("crl_sources", i), folder, crl_bytes_max));
  }
  CheckPlacesDiffer(out->crl_sources, root);
  if (!proto.state_directory().empty()) {
    out->state_directory = ResolvePath(folder, proto.state_directory());
  } else if (remote) {
    root.Error("state_directory",
               "missing; CRLs from http and ldap are kept in it, so that a "
               "restart has them at once: name a folder of this server's own, "
               "e.g. \"/var/lib/inkan\"");
  }
}

Config ReadConfig(const config::v1::ServerConfig& proto, const ConfigNode& root,
                  const std::string& folder) {
  Config out;
  ServerOptions& server = out.server;
  server.listener =
      ReadListener(proto.listener(), root.Child("listener"), folder);
  if (proto.has_operations_listener()) {
    server.operations_listener = ReadListener(
        proto.operations_listener(), root.Child("operations_listener"), folder);
  }
  if (proto.has_ops_http()) {
    server.ops_http_address =
        ReadOpsHttp(proto.ops_http(), root.Child("ops_http"));
  }
  if (proto.has_audit_log()) {
    server.audit =
        ReadAuditLog(proto.audit_log(), root.Child("audit_log"), folder);
  }
  server.limits = ReadLimits(proto.limits(), root.Child("limits"));
  server.access = ReadAccessRules(proto, root);
  server.quotas = ReadQuotas(proto, server.limits, root);
  server.reflection = proto.reflection();
  server.channelz = proto.channelz();
  if (proto.worker_threads() > kWorkerThreadsMax) {
    root.Error(
        "worker_threads",
        absl::StrCat(proto.worker_threads(), " is out of range; give 0 (",
                     "one for each CPU) to ", kWorkerThreadsMax));
  }
  server.worker_threads = proto.worker_threads();
  if (proto.has_verified_certificates_max()) {
    server.verified_certificates_max = proto.verified_certificates_max();
  }
  if (server.verified_certificates_max > kVerifiedCertificatesGreatest) {
    root.Error("verified_certificates_max",
               absl::StrCat(server.verified_certificates_max,
                            " is out of range; give 0 (none) to ",
                            kVerifiedCertificatesGreatest));
  }
  if (proto.has_drain_timeout()) {
    const std::optional<int64_t> seconds =
        ReadSeconds(proto.drain_timeout(), root, "drain_timeout");
    if (seconds.has_value() && *seconds > kDrainSecondsMax) {
      root.Error("drain_timeout",
                 absl::StrCat(*seconds, " s is out of range; give 0 to ",
                              kDrainSecondsMax));
    }
    server.drain_timeout = absl::Seconds(seconds.value_or(0));
  }

  ReadProfiles(proto, root, folder, &out.snapshot);
  ReadCrlSources(proto, root, folder, server.limits.crl_bytes_max,
                 &out.snapshot);
  server.state_directory = out.snapshot.state_directory;
  out.snapshot.crl_bytes_max = server.limits.crl_bytes_max;
  out.snapshot.path_limits.filing_signatures_max =
      server.limits.path_signatures_max;
  return out;
}

}  // namespace

absl::StatusOr<Config> ParseConfig(const std::string& text,
                                   const std::string& path) {
  ConfigErrors errors(path);
  config::v1::ServerConfig proto;
  ConfigText parsed;
  if (!parsed.Parse(text, &proto, &errors)) return errors.ToStatus();
  const std::string folder = std::filesystem::path(path).parent_path().string();
  Config config = ReadConfig(proto, parsed.Root(proto, &errors), folder);
  if (!errors.empty()) return errors.ToStatus();
  return config;
}

absl::StatusOr<Config> LoadConfig(const std::string& path) {
  absl::StatusOr<std::string> text = ReadWholeFile(path, kConfigBytesMax);
  if (!text.ok()) return text.status();
  return ParseConfig(*text, path);
}

}  // namespace inkan
