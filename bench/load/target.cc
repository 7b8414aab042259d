#include "bench/load/target.h"

#include <arpa/inet.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <fstream>
#include <sstream>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace inkan::load {
namespace {

// "host:port", "[host]:port" or "host" to host.
std::string HostOf(absl::string_view authority) {
  if (absl::ConsumePrefix(&authority, "[")) {
    return std::string(authority.substr(0, authority.find(']')));
  }
  return std::string(authority.substr(0, authority.rfind(':')));
}

absl::StatusOr<std::string> ReadPem(const std::string& path,
                                    const char* option) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  if (!in) {
    return absl::InvalidArgumentError(
        absl::StrCat(option, ": cannot read ", path,
                     "; give a PEM file that this user may read"));
  }
  return std::move(text).str();
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> CredentialsFor(
    const LoadOptions& options) {
  if (options.tls_certificate.empty() != options.tls_key.empty()) {
    return absl::InvalidArgumentError(
        "--tls-certificate and --tls-key go together: give both, or neither");
  }
  if (options.tls_ca.empty()) {
    if (!options.tls_certificate.empty() || !options.tls_server_name.empty()) {
      return absl::InvalidArgumentError(
          "--tls-certificate and --tls-server-name need --tls-ca, the PEM file "
          "of the CA that issued the server's certificate");
    }
    return grpc::InsecureChannelCredentials();
  }
  grpc::SslCredentialsOptions tls;
  const struct {
    const char* option;
    const std::string& path;
    std::string* pem;
  } files[] = {
      {"--tls-ca", options.tls_ca, &tls.pem_root_certs},
      {"--tls-certificate", options.tls_certificate, &tls.pem_cert_chain},
      {"--tls-key", options.tls_key, &tls.pem_private_key}};
  for (const auto& file : files) {
    if (file.path.empty()) continue;
    absl::StatusOr<std::string> pem = ReadPem(file.path, file.option);
    if (!pem.ok()) return pem.status();
    *file.pem = *std::move(pem);
  }
  return grpc::SslCredentials(tls);
}

}  // namespace

bool IsLoopback(const std::string& target) {
  absl::string_view rest = target;
  if (absl::StartsWith(rest, "unix:") ||
      absl::StartsWith(rest, "unix-abstract:")) {
    return true;
  }
  for (const char* scheme : {"dns:///", "dns:", "ipv4:", "ipv6:"}) {
    if (absl::ConsumePrefix(&rest, scheme)) break;
  }
  // A list of addresses might hide a remote one.
  if (absl::StrContains(rest, ',') || absl::StrContains(rest, '/')) {
    return false;
  }
  const std::string host = HostOf(rest);
  in_addr v4 = {};
  in6_addr v6 = {};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) {
    return ntohl(v4.s_addr) >> 24U == 127;
  }
  if (inet_pton(AF_INET6, host.c_str(), &v6) == 1) {
    return IN6_IS_ADDR_LOOPBACK(&v6);
  }
  return host == "localhost";
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(
    const LoadOptions& options) {
  if (!IsLoopback(options.target) && !options.own_target) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--target ", options.target,
        " is not on this machine. Load is an attack on a server that did not "
        "ask for it: say --i-own-this-target if it is yours"));
  }
  absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> credentials =
      CredentialsFor(options);
  if (!credentials.ok()) return credentials.status();
  grpc::ChannelArguments arguments;
  // Otherwise channels to one target share one connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  if (!options.tls_server_name.empty()) {
    arguments.SetSslTargetNameOverride(options.tls_server_name);
  }
  return grpc::CreateCustomChannel(options.target, *credentials, arguments);
}

}  // namespace inkan::load
