#include "server/config_profile.h"

#include <filesystem>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "crypto/certificate.h"
#include "crypto/oid.h"
#include "server/certificate_files.h"
#include "server/convert.h"

namespace inkan {
namespace {

constexpr size_t kProfileNameBytesMax = 64;

using Paths = google::protobuf::RepeatedPtrField<std::string>;

void CheckName(const std::string& name, const ConfigNode& node) {
  if (name.empty()) {
    node.Error("name",
               "missing; give the name that filings use, e.g. "
               "name: \"jpki-signature\"");
    return;
  }
  bool good = name.size() <= kProfileNameBytesMax;
  for (const char c : name) {
    good = good && (absl::ascii_islower(static_cast<unsigned char>(c)) ||
                    absl::ascii_isdigit(static_cast<unsigned char>(c)) ||
                    c == '-' || c == '_' || c == '.');
  }
  if (!good) {
    node.Error("name",
               absl::StrCat("\"", name,
                            "\" is no profile name; use 1 to 64 of a-z, "
                            "0-9, '-', '_' and '.'"));
  }
}

std::vector<CertificateFile> ReadFiles(const Paths& paths,
                                       absl::string_view field,
                                       const ConfigNode& node,
                                       const std::string& folder) {
  std::vector<CertificateFile> certificates;
  for (int i = 0; i < paths.size(); ++i) {
    absl::StatusOr<std::vector<CertificateFile>> read =
        ReadCertificateFile(ResolvePath(folder, paths[i]));
    if (!read.ok()) {
      node.Error(field, i, read.status().message());
      continue;
    }
    for (CertificateFile& certificate : *read) {
      certificates.push_back(std::move(certificate));
    }
  }
  return certificates;
}

std::vector<std::string> ReadOids(const Paths& dotted, absl::string_view field,
                                  const ConfigNode& node) {
  std::vector<std::string> oids;
  for (int i = 0; i < dotted.size(); ++i) {
    std::optional<std::string> oid = OidFromText(dotted[i]);
    if (!oid.has_value()) {
      node.Error(field, i,
                 absl::StrCat("\"", dotted[i],
                              "\" is no object identifier; write it as dotted "
                              "numbers, e.g. \"1.2.392.200149.8.5.1.1.20\""));
      continue;
    }
    oids.push_back(*std::move(oid));
  }
  return oids;
}

uint16_t ReadKeyUsage(const google::protobuf::RepeatedField<int>& bits,
                      absl::string_view field, const ConfigNode& node) {
  uint16_t usage = 0;
  for (int i = 0; i < bits.size(); ++i) {
    if (bits[i] == config::v1::KEY_USAGE_UNSPECIFIED) {
      node.Error(field, i, "KEY_USAGE_UNSPECIFIED names no bit; remove it");
      continue;
    }
    // The enumeration counts the named bits from 1 in the order of RFC 5280.
    usage = static_cast<uint16_t>(usage | (1U << (bits[i] - 1)));
  }
  return usage;
}

std::vector<SignatureAlgorithm> ReadAlgorithms(
    const google::protobuf::RepeatedField<int>& algorithms,
    const ConfigNode& node) {
  std::vector<SignatureAlgorithm> read;
  for (int i = 0; i < algorithms.size(); ++i) {
    const SignatureAlgorithm algorithm =
        AlgorithmFromProto(static_cast<v1::SignatureAlgorithm>(algorithms[i]));
    const Fault fault = CheckAlgorithmStrength(algorithm);
    if (!fault.ok()) {
      node.Error(
          "filing_algorithms", i,
          absl::StrCat(v1::SignatureAlgorithm_Name(
                           static_cast<v1::SignatureAlgorithm>(algorithms[i])),
                       " is never accepted (", fault.problem, "); remove it"));
      continue;
    }
    read.push_back(algorithm);
  }
  return read;
}

void ReadKeyRules(const config::v1::Profile& profile, const ConfigNode& node,
                  Profile* out) {
  out->required_key_usage =
      ReadKeyUsage(profile.required_key_usage(), "required_key_usage", node);
  out->forbidden_key_usage =
      ReadKeyUsage(profile.forbidden_key_usage(), "forbidden_key_usage", node);
  if ((out->required_key_usage & out->forbidden_key_usage) != 0) {
    node.Error("forbidden_key_usage",
               "forbids a bit that required_key_usage requires, so that no "
               "certificate could pass; remove it from one of them");
  }
  out->required_extended_key_usage =
      ReadOids(profile.required_extended_key_usage(),
               "required_extended_key_usage", node);
  out->filing_algorithms = ReadAlgorithms(profile.filing_algorithms(), node);
  const uint32_t bits = profile.rsa_modulus_bits_min();
  if (bits != 0 && (bits < kRsaModulusBitsMin || bits > kRsaModulusBitsMax)) {
    node.Error("rsa_modulus_bits_min",
               absl::StrCat(bits, " is out of range; give ", kRsaModulusBitsMin,
                            " to ", kRsaModulusBitsMax));
  } else if (bits != 0) {
    out->rsa_modulus_bits_min = bits;
  }
}

void ReadRevocation(const config::v1::Profile& profile, const ConfigNode& node,
                    Profile* out) {
  out->revocation = profile.revocation() == config::v1::REVOCATION_MODE_OFF
                        ? RevocationMode::kOff
                        : RevocationMode::kRequired;
  if (profile.has_crl_grace()) {
    out->crl_grace =
        ReadSeconds(profile.crl_grace(), node, "crl_grace").value_or(0);
  }
  if (profile.has_crl_max_age()) {
    out->crl_max_age = ReadSeconds(profile.crl_max_age(), node, "crl_max_age");
    if (out->crl_max_age == 0) {
      node.Error("crl_max_age",
                 "0 would accept no CRL; give the oldest age that may speak, "
                 "e.g. { seconds: 172800 }, or remove it");
    }
  }
  out->allow_crl_without_next_update = profile.allow_crl_without_next_update();
  if (profile.allow_crl_without_next_update() && !profile.has_crl_max_age()) {
    node.Error("allow_crl_without_next_update",
               "needs crl_max_age, or such a CRL would be believed for ever; "
               "give crl_max_age, e.g. { seconds: 172800 }");
  }
}

void ReadFreshness(const config::v1::Profile& profile, const ConfigNode& node,
                   Profile* out) {
  if (!profile.has_freshness()) return;
  const config::v1::FreshnessPolicy& policy = profile.freshness();
  if (out->revocation == RevocationMode::kOff) {
    node.Error("freshness",
               "is about CRLs, and revocation is off; remove one of them");
  }
  const ConfigNode child = node.Child("freshness");
  FreshnessPolicy& read = out->freshness.emplace();
  if (policy.has_margin()) {
    read.margin = ReadSeconds(policy.margin(), child, "margin").value_or(0);
    if (out->crl_max_age.has_value() && read.margin >= *out->crl_max_age) {
      child.Error("margin",
                  "is not less than crl_max_age, so that no CRL would ever be "
                  "fresh; lower it");
    }
  }
  read.stale_partitions_max = policy.stale_partitions_max();
  if (policy.fresh_partitions_min() != 0) {
    read.fresh_partitions_min = policy.fresh_partitions_min();
  }
}

}  // namespace

std::string ResolvePath(const std::string& folder, const std::string& path) {
  return (std::filesystem::path(folder) / path).lexically_normal().string();
}

std::optional<int64_t> ReadSeconds(const google::protobuf::Duration& duration,
                                   const ConfigNode& node,
                                   absl::string_view field) {
  constexpr int64_t kHundredYears = int64_t{100} * 366 * 86400;
  if (duration.nanos() != 0) {
    node.Error(field,
               "has a fraction of a second; give whole seconds, e.g. "
               "{ seconds: 60 }");
    return std::nullopt;
  }
  if (duration.seconds() < 0 || duration.seconds() > kHundredYears) {
    node.Error(field,
               absl::StrCat(duration.seconds(),
                            " s is out of range; give 0 to ", kHundredYears));
    return std::nullopt;
  }
  return duration.seconds();
}

Profile ReadProfile(const config::v1::Profile& profile, const ConfigNode& node,
                    const std::string& folder) {
  Profile out;
  out.name = profile.name();
  CheckName(profile.name(), node);
  out.anchors = ReadFiles(profile.anchor_files(), "anchor_files", node, folder);
  out.intermediates = ReadFiles(profile.intermediate_files(),
                                "intermediate_files", node, folder);
  out.trusted_certificates =
      ReadFiles(profile.trusted_certificate_files(),
                "trusted_certificate_files", node, folder);
  if (profile.anchor_files().empty() &&
      profile.trusted_certificate_files().empty()) {
    node.Error("anchor_files",
               "missing; name at least one file with a trust anchor, e.g. "
               "anchor_files: \"anchors/root.pem\"");
  }
  out.initial_policies = ReadOids(profile.policies(), "policies", node);
  out.require_explicit_policy =
      profile.require_explicit_policy() || !profile.policies().empty();
  out.inhibit_policy_mapping = profile.inhibit_policy_mapping();
  out.inhibit_any_policy = profile.inhibit_any_policy();
  ReadKeyRules(profile, node, &out);
  ReadRevocation(profile, node, &out);
  ReadFreshness(profile, node, &out);
  return out;
}

}  // namespace inkan
