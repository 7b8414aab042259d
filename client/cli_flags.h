// What the flags of inkan say, before any file is read: used by client/cli.cc.
#ifndef INKAN_CLIENT_CLI_FLAGS_H_
#define INKAN_CLIENT_CLI_FLAGS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/inkan_client.h"
#include "client/local.h"

namespace inkan {

struct OutputFlags {
  std::string format = "text";
  bool json() const { return format == "json"; }
};

struct ServerFlags {
  std::string target;
  bool plaintext = false;
  std::string tls_ca;
  std::string tls_certificate;
  std::string tls_key;
  double timeout_seconds = 10;
};

// The rules of a profile, for judging in process.
struct LocalFlags {
  bool local = false;
  std::vector<std::string> anchors;
  std::vector<std::string> trusted_certificates;
  std::vector<std::string> crls;
  std::string revocation = "required";
  std::vector<std::string> policies;
  std::vector<std::string> required_key_usage;
  bool require_explicit_policy = false;
  bool inhibit_policy_mapping = false;
  bool inhibit_any_policy = false;
  uint32_t rsa_bits_min = 2048;
};

// What verify and check-certificate share.
struct JudgeFlags {
  OutputFlags output;
  ServerFlags server;
  LocalFlags local;
  std::string profile;
  std::string certificate;
  std::vector<std::string> intermediates;
  std::string at;
  std::string id;
  bool checks = false;
};

struct VerifyFlags {
  JudgeFlags judge;
  std::string document;
  std::string digest;
  std::string signature;
  std::string algorithm;
};

struct ReloadFlags {
  OutputFlags output;
  ServerFlags server;
};

struct LookupFlags {
  OutputFlags output;
  ServerFlags server;
  std::string profile;
  std::string serial;  // SerialFromHex understands it
  std::string issuer;
};

void AddOutputFlags(CLI::App* command, OutputFlags* flags);
void AddServerFlags(CLI::App* command, ServerFlags* flags);
void AddJudgeFlags(CLI::App* command, JudgeFlags* flags);
void AddVerifyFlags(CLI::App* command, VerifyFlags* flags);
void AddReloadFlags(CLI::App* command, ReloadFlags* flags);
void AddLookupFlags(CLI::App* command, LookupFlags* flags);

// Reads the TLS files. kInvalidArgument if the flags do not go together.
absl::StatusOr<ClientOptions> ClientOptionsOf(const ServerFlags& flags);
// Reads the certificate files.
absl::StatusOr<LocalRules> LocalRulesOf(const LocalFlags& flags,
                                        const std::string& profile_name);

}  // namespace inkan

#endif  // INKAN_CLIENT_CLI_FLAGS_H_
