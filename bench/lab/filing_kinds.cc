#include "bench/lab/filing_kinds.h"

#include <algorithm>
#include <iterator>

#include "bench/lab/check.h"

namespace inkan::lab {
namespace {

// Shares of a usual and of a defective kind, in ten thousand.
constexpr uint32_t kDefect = 70;

constexpr auto kPassed = api::INDICATION_TOTAL_PASSED;
constexpr auto kFailed = api::INDICATION_TOTAL_FAILED;
constexpr auto kUndecided = api::INDICATION_INDETERMINATE;

constexpr KindFacts kKinds[] = {
    {FilingKind::kGood, "good", 0, kPassed, api::SUB_INDICATION_UNSPECIFIED,
     "a filing as it should be"},
    {FilingKind::kGoodDigest, "good_digest", 600, kPassed,
     api::SUB_INDICATION_UNSPECIFIED,
     "the digest sent in place of the document"},
    {FilingKind::kGoodSha384, "good_sha384", 100, kPassed,
     api::SUB_INDICATION_UNSPECIFIED, "signed with SHA-384"},
    {FilingKind::kGoodSha512, "good_sha512", 100, kPassed,
     api::SUB_INDICATION_UNSPECIFIED, "signed with SHA-512"},
    {FilingKind::kGoodPss, "good_pss", 300, kPassed,
     api::SUB_INDICATION_UNSPECIFIED, "signed with RSASSA-PSS"},
    {FilingKind::kGoodAuthentication, "good_authentication", 400, kPassed,
     api::SUB_INDICATION_UNSPECIFIED,
     "a log-in challenge under profile jpki-authentication"},
    {FilingKind::kRevokedAfter, "revoked_after", 200, kPassed,
     api::SUB_INDICATION_UNSPECIFIED,
     "the certificate was revoked, but after the filing came in"},
    {FilingKind::kDocumentAltered, "document_altered", kDefect, kFailed,
     api::SUB_INDICATION_HASH_FAILURE, "one bit of the document changed"},
    {FilingKind::kSignatureAltered, "signature_altered", kDefect, kFailed,
     api::SUB_INDICATION_SIG_CRYPTO_FAILURE,
     "one bit of the signature changed"},
    {FilingKind::kSignatureOfAnotherKey, "signature_of_another_key", kDefect,
     kFailed, api::SUB_INDICATION_SIG_CRYPTO_FAILURE,
     "signed with someone else's key"},
    {FilingKind::kWrongAlgorithm, "wrong_algorithm", kDefect, kFailed,
     api::SUB_INDICATION_SIG_CRYPTO_FAILURE,
     "signed with SHA-256 and sent as SHA-512"},
    {FilingKind::kCertificateAltered, "certificate_altered", kDefect,
     kUndecided, api::SUB_INDICATION_CERTIFICATE_CHAIN_GENERAL_FAILURE,
     "one digit of the certificate's subject changed"},
    {FilingKind::kExpired, "expired", kDefect, kFailed,
     api::SUB_INDICATION_EXPIRED, "filed after the certificate expired"},
    {FilingKind::kNotYetValid, "not_yet_valid", kDefect, kFailed,
     api::SUB_INDICATION_NOT_YET_VALID,
     "filed before the certificate was valid"},
    {FilingKind::kRevokedBefore, "revoked_before", kDefect, kFailed,
     api::SUB_INDICATION_REVOKED,
     "the certificate was revoked before the filing came in"},
    {FilingKind::kOnHold, "on_hold", kDefect, kFailed,
     api::SUB_INDICATION_REVOKED, "the card is reported lost: certificateHold"},
    {FilingKind::kUnknownIssuer, "unknown_issuer", kDefect, kUndecided,
     api::SUB_INDICATION_NO_CERTIFICATE_CHAIN_FOUND,
     "issued by a CA that is no anchor"},
    {FilingKind::kWrongCaKey, "wrong_ca_key", kDefect, kUndecided,
     api::SUB_INDICATION_NO_CERTIFICATE_CHAIN_FOUND,
     "issued in the CA's name with another key"},
    {FilingKind::kAuthenticationCertificate, "authentication_certificate",
     kDefect, kUndecided, api::SUB_INDICATION_NO_CERTIFICATE_CHAIN_FOUND,
     "a filing signed with the log-in key"},
    {FilingKind::kMisissuedAuthentication, "misissued_authentication", kDefect,
     kUndecided, api::SUB_INDICATION_CHAIN_CONSTRAINTS_FAILURE,
     "from the signature CA, but with a log-in certificate's usage and policy"},
    {FilingKind::kWeakKey, "weak_key", kDefect, kUndecided,
     api::SUB_INDICATION_CRYPTO_CONSTRAINTS_FAILURE, "an RSA key of 1024 bits"},
    {FilingKind::kSha1Signature, "sha1_signature", kDefect, kUndecided,
     api::SUB_INDICATION_CRYPTO_CONSTRAINTS_FAILURE, "signed with SHA-1"},
    {FilingKind::kUnknownCriticalExtension, "unknown_critical_extension",
     kDefect, kUndecided, api::SUB_INDICATION_CHAIN_CONSTRAINTS_FAILURE,
     "the certificate has a critical extension no one knows"},
    {FilingKind::kTrailingBytes, "trailing_bytes", kDefect, kFailed,
     api::SUB_INDICATION_FORMAT_FAILURE, "bytes after the certificate's end"},
    {FilingKind::kTruncatedCertificate, "truncated_certificate", kDefect,
     kFailed, api::SUB_INDICATION_FORMAT_FAILURE,
     "the end of the certificate is missing"},
    {FilingKind::kStaleCrl, "stale_crl", kDefect, kUndecided,
     api::SUB_INDICATION_TRY_LATER,
     "the municipality's CRL ended before the filing came in"},
    {FilingKind::kMissingPartition, "missing_partition", kDefect, kUndecided,
     api::SUB_INDICATION_TRY_LATER, "the municipality has no CRL"},
};

}  // namespace

absl::Span<const KindFacts> AllKinds() { return kKinds; }

const KindFacts& FactsOf(FilingKind kind) {
  const KindFacts& facts = kKinds[static_cast<size_t>(kind)];
  Require(facts.kind == kind, "the table is out of order");
  return facts;
}

std::vector<uint64_t> CountsOfKinds(uint64_t filings) {
  std::vector<uint64_t> counts(std::size(kKinds), 0);
  counts[0] = filings;
  if (filings < counts.size()) return counts;
  for (size_t i = 1; i < counts.size(); ++i) {
    counts[i] = std::max<uint64_t>(1, filings * kKinds[i].share / 10'000);
    counts[0] -= counts[i];
  }
  return counts;
}

}  // namespace inkan::lab
