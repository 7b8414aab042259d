// What an agency accepts for one purpose, as plain data.
//
// A Profile is made by whoever reads configuration (the server, the command
// line) and handed to SnapshotKeeper. It is a value; once inside a snapshot it
// never changes.
#ifndef INKAN_CACHE_PROFILE_H_
#define INKAN_CACHE_PROFILE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "crypto/public_key.h"
#include "crypto/signature.h"

namespace inkan {

// One certificate as read from a file.
struct CertificateFile {
  std::string source;  // for messages: the path, with "#n" in a PEM bundle
  std::string der;
};

// When a profile is ready for filings, by the age of its CRLs alone.
struct FreshnessPolicy {
  // Seconds before a CRL's end from which on it does not count as fresh.
  int64_t margin = 0;
  size_t stale_partitions_max = 0;
  size_t fresh_partitions_min = 1;
};

enum class RevocationMode : uint8_t { kRequired, kOff };

struct Profile {
  std::string name;

  std::vector<CertificateFile> anchors;
  std::vector<CertificateFile> intermediates;
  // End-entity certificates trusted as they are.
  std::vector<CertificateFile> trusted_certificates;

  // RFC 5280 section 6.1.1 inputs. Policies are OIDs as DER contents; empty
  // means anyPolicy.
  std::vector<std::string> initial_policies;
  bool require_explicit_policy = false;
  bool inhibit_policy_mapping = false;
  bool inhibit_any_policy = false;

  // keyUsage bits (crypto/certificate.h) of the signer's certificate.
  uint16_t required_key_usage = 0;
  uint16_t forbidden_key_usage = 0;
  // OIDs as DER contents.
  std::vector<std::string> required_extended_key_usage;

  // Algorithms accepted on filings; empty: all that CheckAlgorithmStrength
  // accepts.
  std::vector<SignatureAlgorithm> filing_algorithms;
  size_t rsa_modulus_bits_min = kRsaModulusBitsMin;

  RevocationMode revocation = RevocationMode::kRequired;
  // Seconds.
  int64_t crl_grace = 0;
  std::optional<int64_t> crl_max_age;
  bool allow_crl_without_next_update = false;
  // Bears on health, never on a verdict. Nothing: always ready.
  std::optional<FreshnessPolicy> freshness;
};

}  // namespace inkan

#endif  // INKAN_CACHE_PROFILE_H_
