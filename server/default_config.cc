#include <string>

#include "absl/strings/str_cat.h"
#include "server/config.h"

namespace inkan {

std::string DefaultConfigText() {
  std::string text = absl::StrCat(
      R"(# Configuration of inkand: protobuf text format of inkan.config.v1.ServerConfig.
# Relative paths are relative to the folder of this file.
# Check it with: inkand --config THIS_FILE --check-config

# Where intake systems connect.
listener {
  address: "0.0.0.0:8443"
  tls {
    certificate_chain_file: "tls/server.pem"
    private_key_file: "tls/server.key"
    # Given: clients must present a certificate of one of these CAs.
    # client_ca_file: "tls/client-ca.pem"
  }
  # Or, instead of tls:
  # plaintext: ")",
      kPlaintextWords, R"("
}

# Given: OperationsService is served here and no longer to intake clients.
# operations_listener { address: "127.0.0.1:8444" ... }

# Given: metrics (/metrics), /healthz, /readyz and a status page (/statusz) over
# plain HTTP. Keep it to loopback or to a network of operators.
# ops_http { address: "127.0.0.1:9464" }

# Given: one line for each verdict, without personal data.
# audit_log { file: "audit.log" on_failure: AUDIT_FAILURE_REFUSE }

profiles {
  name: "jpki-signature"
  anchor_files: "anchors/jpki-signature.pem"
  policies: "1.2.392.200149.8.5.1.1.20"
  required_key_usage: KEY_USAGE_NON_REPUDIATION
  revocation: REVOCATION_MODE_REQUIRED
  # Given: a CRL is believed for so long past its nextUpdate.
  # crl_grace { seconds: 3600 }
  # Given: and in no case for longer than this after its thisUpdate.
  # crl_max_age { seconds: 172800 }
  # Given: health says NOT_SERVING of this profile while its CRLs are not fresh.
  # freshness { margin { seconds: 3600 } fresh_partitions_min: 1 }
}
profiles {
  name: "jpki-authentication"
  anchor_files: "anchors/jpki-authentication.pem"
  policies: "1.2.392.200149.8.5.1.3.30"
  required_key_usage: KEY_USAGE_DIGITAL_SIGNATURE
  forbidden_key_usage: KEY_USAGE_NON_REPUDIATION
  revocation: REVOCATION_MODE_REQUIRED
}

# A folder that is watched: drop new CRLs here (write elsewhere, then rename).
crl_sources {
  directory: "crls"
  poll_interval { seconds: 60 }
}
# Indexes of CRLs and the number of the newest of each are kept in a folder of this
# server's own, so that a start is quick and takes no older CRL than was in force:
# state_directory: "/var/lib/inkan/state"
# Or fetched (see OPERATIONS.md), for which state_directory is needed:
# crl_sources { http { urls: "https://crl.example/ca.crl" } }
# crl_sources { ldap { url: "ldaps://ldap.example" base_dn: "o=JPKI,c=JP" } }

# Who may call what, and how much, by the certificate a client presents.
# access_rules {
#   methods: "OperationsService/*"
#   identities: "uri:spiffe://agency.example/operator"
# }
# default_client_quota { filings_per_second: 2000 filings_in_flight_max: 10000 }
# client_quotas {
#   identities: "dns:bulk.agency.example"
#   quota { filings_per_second: 50000 }
# }

# Every limit, at its default.
limits {
)");
#define INKAN_PRINT(type, name, standard, least, greatest) \
  absl::StrAppend(&text, "  ", #name, ": ", (standard), "\n");
  INKAN_LIMITS(INKAN_PRINT)
#undef INKAN_PRINT
  absl::StrAppend(&text, R"(}

reflection: false
channelz: false
# 0: one for each CPU the process may use.
worker_threads: 0
# How long SIGTERM waits for accepted work.
drain_timeout { seconds: 30 }
# Certificates whose issuer's signature is remembered as verified; 80 octets of
# memory each. 0: none.
verified_certificates_max: )",
                  kVerifiedCertificatesMax, "\n");
  return text;
}

}  // namespace inkan
