#include "client/cli_flags.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/inputs.h"
#include "crypto/certificate.h"
#include "crypto/oid.h"
#include "server/certificate_files.h"

namespace inkan {
namespace {

struct NamedBit {
  const char* name;
  uint16_t bit;
};

constexpr NamedBit kKeyUsageBits[] = {
    {"digitalSignature", key_usage::kDigitalSignature},
    {"nonRepudiation", key_usage::kNonRepudiation},
    {"keyEncipherment", key_usage::kKeyEncipherment},
    {"dataEncipherment", key_usage::kDataEncipherment},
    {"keyAgreement", key_usage::kKeyAgreement},
    {"keyCertSign", key_usage::kKeyCertSign},
    {"cRLSign", key_usage::kCrlSign},
};

std::vector<std::string> KeyUsageNames() {
  std::vector<std::string> names;
  for (const NamedBit& known : kKeyUsageBits) names.push_back(known.name);
  return names;
}

uint16_t KeyUsageOf(const std::vector<std::string>& names) {
  uint16_t usage = 0;
  for (const std::string& name : names) {
    for (const NamedBit& known : kKeyUsageBits) {
      if (name == known.name) usage = static_cast<uint16_t>(usage | known.bit);
    }
  }
  return usage;
}

// A reload reads all CRLs that are files, on threads that give way to requests,
// after the reload that may be under way: minutes under load. A server that is
// not there is found out in seconds all the same.
constexpr double kReloadTimeoutSeconds = 600;

// Validators of the command line: what is wrong with a word, or nothing.
std::string TimeFault(const std::string& text) {
  return std::string(TimeFromText(text).status().message());
}
std::string HexFault(const std::string& text) {
  return std::string(OctetsFromHex(text).status().message());
}
std::string SerialFault(const std::string& text) {
  return std::string(SerialFromHex(text).status().message());
}
std::string OidFault(const std::string& text) {
  if (OidFromText(text).has_value()) return "";
  return absl::StrCat("\"", text, "\" is no object identifier");
}

void AddLocalFlags(CLI::App* command, LocalFlags* flags) {
  const char* group = "Judging in process (--local)";
  command->add_flag("--local", flags->local, "Judge here, by the files given")
      ->group(group);
  command->add_option("--anchor", flags->anchors, "Trust anchors, PEM or DER")
      ->group(group);
  command
      ->add_option("--trusted-certificate", flags->trusted_certificates,
                   "Signers' certificates trusted as they are")
      ->group(group);
  command->add_option("--crl", flags->crls, "CRL files, or folders of them")
      ->group(group);
  command
      ->add_option("--revocation", flags->revocation,
                   "required (default) or off")
      ->check(CLI::IsMember({"required", "off"}))
      ->group(group);
  command
      ->add_option("--initial-policy,--policy", flags->policies,
                   "Acceptable certificate policies, dotted OIDs; none: any")
      ->check(OidFault)
      ->group(group);
  command
      ->add_option("--required-key-usage", flags->required_key_usage,
                   "keyUsage bits the signer's certificate must have")
      ->check(CLI::IsMember(KeyUsageNames()))
      ->group(group);
  command
      ->add_flag("--require-explicit-policy", flags->require_explicit_policy,
                 "RFC 5280 initial-explicit-policy")
      ->group(group);
  command
      ->add_flag("--inhibit-policy-mapping", flags->inhibit_policy_mapping,
                 "RFC 5280 initial-policy-mapping-inhibit")
      ->group(group);
  command
      ->add_flag("--inhibit-any-policy", flags->inhibit_any_policy,
                 "RFC 5280 initial-any-policy-inhibit")
      ->group(group);
  command
      ->add_option("--min-rsa-bits", flags->rsa_bits_min,
                   "Smallest RSA modulus accepted, 2048 to 4096")
      ->check(CLI::Range(static_cast<unsigned>(kRsaModulusBitsMin),
                         static_cast<unsigned>(kRsaModulusBitsMax)))
      ->group(group);
}

}  // namespace

void AddOutputFlags(CLI::App* command, OutputFlags* flags) {
  command->add_option("--format", flags->format, "text (default) or json")
      ->check(CLI::IsMember({"text", "json"}));
}

void AddServerFlags(CLI::App* command, ServerFlags* flags) {
  const char* group = "Server";
  command->add_option("--target", flags->target, "host:port of the server")
      ->group(group);
  command
      ->add_flag("--plaintext", flags->plaintext, "Connect without encryption")
      ->group(group);
  command
      ->add_option("--tls-ca", flags->tls_ca,
                   "PEM file of CAs of the server; none: the system's")
      ->group(group);
  command
      ->add_option("--tls-cert", flags->tls_certificate,
                   "PEM file of our certificate (mutual TLS)")
      ->group(group);
  command
      ->add_option("--tls-key", flags->tls_key, "PEM file of its private key")
      ->group(group);
  command
      ->add_option("--timeout", flags->timeout_seconds,
                   absl::StrCat("Seconds to wait for an answer, default ",
                                flags->timeout_seconds))
      ->check(CLI::PositiveNumber)
      ->group(group);
}

void AddJudgeFlags(CLI::App* command, JudgeFlags* flags) {
  AddOutputFlags(command, &flags->output);
  AddServerFlags(command, &flags->server);
  AddLocalFlags(command, &flags->local);
  command->add_option("--profile", flags->profile, "Profile to judge by");
  command
      ->add_option("--certificate", flags->certificate,
                   "The signer's certificate, PEM or DER")
      ->required();
  command->add_option("--intermediate", flags->intermediates,
                      "CA certificates that may help, PEM or DER");
  command
      ->add_option("--at", flags->at,
                   "Time to judge at, RFC 3339; default: now")
      ->check(TimeFault);
  command->add_option("--id", flags->id, "Name echoed in the verdict");
  command->add_flag("--checks", flags->checks, "List every check");
}

void AddVerifyFlags(CLI::App* command, VerifyFlags* flags) {
  AddJudgeFlags(command, &flags->judge);
  CLI::Option* document = command->add_option("--document", flags->document,
                                              "File of the signed octets");
  command
      ->add_option("--digest", flags->digest, "Their hash instead, hexadecimal")
      ->check(HexFault)
      ->excludes(document);
  command->add_option("--signature", flags->signature, "File of the signature")
      ->required();
  command->add_option("--algorithm", flags->algorithm, "How it was made")
      ->required()
      ->check(CLI::IsMember(AlgorithmNames()));
}

void AddReloadFlags(CLI::App* command, ReloadFlags* flags) {
  flags->server.timeout_seconds = kReloadTimeoutSeconds;
  AddServerFlags(command, &flags->server);
  AddOutputFlags(command, &flags->output);
}

void AddLookupFlags(CLI::App* command, LookupFlags* flags) {
  AddServerFlags(command, &flags->server);
  AddOutputFlags(command, &flags->output);
  command
      ->add_option("--profile", flags->profile, "Profile whose CRLs to search")
      ->required();
  command
      ->add_option("--serial", flags->serial,
                   "Hexadecimal, as Inkan prints serials: 0x1f, 1f, 1F:20")
      ->required()
      ->check(SerialFault);
  command->add_option("--issuer", flags->issuer,
                      "Search the CRLs of this issuer alone: its name as "
                      "lookup and status --format json print it");
}

absl::StatusOr<ClientOptions> ClientOptionsOf(const ServerFlags& flags) {
  ClientOptions options;
  options.target = flags.target;
  options.timeout = absl::Seconds(flags.timeout_seconds);
  const bool tls = !flags.tls_ca.empty() || !flags.tls_certificate.empty() ||
                   !flags.tls_key.empty();
  if (flags.plaintext && tls) {
    return absl::InvalidArgumentError("--plaintext excludes --tls-*");
  }
  if (flags.tls_certificate.empty() != flags.tls_key.empty()) {
    return absl::InvalidArgumentError("--tls-cert and --tls-key go together");
  }
  if (flags.plaintext) return options;
  options.tls.emplace();
  const std::pair<const std::string*, std::string*> files[] = {
      {&flags.tls_ca, &options.tls->ca},
      {&flags.tls_certificate, &options.tls->certificate},
      {&flags.tls_key, &options.tls->private_key}};
  for (const auto& [path, text] : files) {
    if (path->empty()) continue;
    absl::StatusOr<std::string> read =
        ReadWholeFile(*path, kCertificateFileBytesMax);
    if (!read.ok()) return read.status();
    *text = *std::move(read);
  }
  return options;
}

absl::StatusOr<LocalRules> LocalRulesOf(const LocalFlags& flags,
                                        const std::string& profile_name) {
  LocalRules rules;
  Profile& profile = rules.profile;
  profile.name = profile_name;
  const std::pair<const std::vector<std::string>*,
                  std::vector<CertificateFile>*>
      files[] = {{&flags.anchors, &profile.anchors},
                 {&flags.trusted_certificates, &profile.trusted_certificates}};
  for (const auto& [paths, certificates] : files) {
    for (const std::string& path : *paths) {
      auto read = ReadCertificateFile(path);
      if (!read.ok()) return read.status();
      for (CertificateFile& certificate : *read) {
        certificates->push_back(std::move(certificate));
      }
    }
  }
  for (const std::string& dotted : flags.policies) {
    // The flag's validator has let only object identifiers through.
    profile.initial_policies.push_back(OidFromText(dotted).value_or(""));
  }
  profile.require_explicit_policy = flags.require_explicit_policy;
  profile.inhibit_policy_mapping = flags.inhibit_policy_mapping;
  profile.inhibit_any_policy = flags.inhibit_any_policy;
  profile.required_key_usage = KeyUsageOf(flags.required_key_usage);
  profile.rsa_modulus_bits_min = flags.rsa_bits_min;
  profile.revocation = flags.revocation == "off" ? RevocationMode::kOff
                                                 : RevocationMode::kRequired;
  rules.crls = flags.crls;
  return rules;
}

}  // namespace inkan
