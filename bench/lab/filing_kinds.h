// Every kind of filing the lab makes, with its truth: one table.
#ifndef INKAN_BENCH_LAB_FILING_KINDS_H_
#define INKAN_BENCH_LAB_FILING_KINDS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "inkan/v1/verification.pb.h"

namespace inkan::lab {

// The public contract; plain v1 would be the corpus's own package here.
namespace api = ::inkan::v1;

enum class FilingKind : uint8_t {
  kGood,
  kGoodDigest,
  kGoodSha384,
  kGoodSha512,
  kGoodPss,
  kGoodAuthentication,
  kRevokedAfter,
  kDocumentAltered,
  kSignatureAltered,
  kSignatureOfAnotherKey,
  kWrongAlgorithm,
  kCertificateAltered,
  kExpired,
  kNotYetValid,
  kRevokedBefore,
  kOnHold,
  kUnknownIssuer,
  kWrongCaKey,
  kAuthenticationCertificate,
  kMisissuedAuthentication,
  kWeakKey,
  kSha1Signature,
  kUnknownCriticalExtension,
  kTrailingBytes,
  kTruncatedCertificate,
  kStaleCrl,
  kMissingPartition,
};

struct KindFacts {
  FilingKind kind;
  // As it stands in the corpus and in the folder names of samples.
  const char* name;
  // Filings in ten thousand; what is left over is kGood.
  uint32_t share;
  api::Indication indication;
  api::SubIndication sub_indication;
  // One line for people.
  const char* what;
};

// In the order of FilingKind.
absl::Span<const KindFacts> AllKinds();
const KindFacts& FactsOf(FilingKind kind);

// How many of each kind make up `filings`: every kind at least once when there
// are as many filings as kinds, good ones only if there are fewer.
std::vector<uint64_t> CountsOfKinds(uint64_t filings);

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_FILING_KINDS_H_
