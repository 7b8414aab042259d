#include "cache/crl_error_class.h"

#include <cstddef>

namespace inkan {
namespace {

// In the words of CrlSourceError::error; docs/OPERATIONS.md lists them.
constexpr char kUnreadable[] = "unreadable";  // a file or folder
constexpr char kMalformed[] = "malformed";
constexpr char kSignature[] = "signature";
constexpr char kIssuer[] = "issuer";
constexpr char kNumber[] = "number";
constexpr char kTime[] = "time";
constexpr char kExtension[] = "extension";
constexpr char kNetwork[] = "network";
constexpr char kPlace[] = "place";  // another CRL is there than was
constexpr char kLimit[] = "limit";
constexpr char kDisk[] = "disk";  // the state directory's
constexpr char kOther[] = "other";

constexpr std::string_view kClasses[] = {
    kUnreadable, kMalformed, kSignature, kIssuer, kNumber, kTime,
    kExtension,  kNetwork,   kPlace,     kLimit,  kDisk,   kOther};

struct Rule {
  std::string_view words;
  const char* error_class;
  bool anywhere = false;  // else an error begins with the words
};

// The first that fits counts.
constexpr Rule kRules[] = {
    // What is said about a place may name the disk, which is not at fault.
    {"another partition's CRL", kPlace},
    {"this place has been", kPlace},
    {"this is ", kPlace},
    // Names of attributes and files stand before these.
    {"larger than limits.", kLimit, true},
    {"redirects; check", kNetwork, true},
    {"the state directory", kDisk, true},
    {"Can't contact LDAP server", kNetwork, true},
    // Who issued a CRL, and when (cache/crl_store_link.cc and the keeper).
    {"issuer: no profile", kIssuer},
    {"cRLNumber: older", kNumber},
    {"deltaCRLIndicator: applies", kNumber},
    {"thisUpdate: lies", kTime},
    {"nextUpdate: absent", kTime},
    {"nextUpdate: this CRL", kTime},
    {"signatureValue: not a", kMalformed},
    {"signature", kSignature},
    {"crlExtensions: unknown critical", kExtension},
    {"crlEntryExtensions: an unknown critical", kExtension},
    // Fields that cannot be read (crypto/crl.cc), and text.
    {"certificateList", kMalformed},
    {"tbsCertList", kMalformed},
    {"version", kMalformed},
    {"issuer", kMalformed},
    {"thisUpdate", kMalformed},
    {"nextUpdate", kMalformed},
    {"revokedCertificates", kMalformed},
    {"userCertificate", kMalformed},
    {"revocationDate", kMalformed},
    {"crlEntryExtensions", kMalformed},
    {"crlExtensions", kMalformed},
    {"reasonCode", kMalformed},
    {"invalidityDate", kMalformed},
    {"certificateIssuer", kMalformed},
    {"expiredCertsOnCRL", kMalformed},
    {"issuingDistributionPoint", kMalformed},
    {"authorityKeyIdentifier", kMalformed},
    {"freshestCRL", kMalformed},
    {"cRLNumber", kMalformed},
    {"deltaCRLIndicator", kMalformed},
    {"compiled CRL", kMalformed},
    {"PEM", kMalformed},
    {"the value is PEM", kMalformed},
    // Fetching (cache/crl_fetch_http.cc, crl_fetch_ldap.cc).
    {"more ", kLimit},
    {"an entry whose name", kLimit},
    {"HTTP status", kNetwork},
    {"Content-Encoding", kNetwork},
    {"cannot connect", kNetwork},
    {"no such host", kNetwork},
    {"too slow", kNetwork},
    {"the connection broke", kNetwork},
    {"the transfer failed", kNetwork},
    {"the server's certificate", kNetwork},
    {"a redirect", kNetwork},
    {"an empty reply", kNetwork},
    {"given up", kNetwork},
    {"the directory ", kNetwork},
    {"the search found no CRL", kNetwork},
    {"connect and search", kNetwork},
    {"search", kNetwork},
    {"bind", kNetwork},
    {"StartTLS", kNetwork},
    {"TLS", kNetwork},
    {"ldap.url", kNetwork},
    // Files and folders.
    {"cannot write", kDisk},
    {"not a regular file", kUnreadable},
    {"the file became shorter", kUnreadable},
    {"cannot ", kUnreadable},
};

}  // namespace

std::string_view ClassOfSourceError(std::string_view error) {
  for (const Rule& rule : kRules) {
    const size_t at = error.find(rule.words);
    if (at == 0 || (rule.anywhere && at != std::string_view::npos)) {
      return rule.error_class;
    }
  }
  return kOther;
}

absl::Span<const std::string_view> SourceErrorClasses() { return kClasses; }

}  // namespace inkan
