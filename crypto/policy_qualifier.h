// What a CA says about a certificate policy to whoever relies on it: policy
// qualifiers (RFC 5280 section 4.2.1.4).
//
//   for (const PolicyQualifier& q : ReadPolicyQualifiers(contents)) ...
//
// Pure functions; any thread.
#ifndef INKAN_CRYPTO_POLICY_QUALIFIER_H_
#define INKAN_CRYPTO_POLICY_QUALIFIER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "crypto/bytes.h"

namespace inkan {

// Qualifiers of one policy that are read. CAs write one or two.
inline constexpr size_t kPolicyQualifiersMax = 16;
// Numbers of one notice that are read.
inline constexpr size_t kNoticeNumbersMax = 16;

// One qualifier, as UTF-8 for people: octets that are no characters come out as
// "\xNN".
struct PolicyQualifier {
  std::string cps_uri;              // id-qt-cps
  std::string notice_text;          // id-qt-unotice: explicitText
  std::string notice_organization;  // noticeRef
  std::vector<uint64_t> notice_numbers;
};

// Whether `oid` (DER contents) is one of the two qualifiers RFC 5280 defines.
bool IsKnownPolicyQualifier(Bytes oid);

// `contents`: of SEQUENCE OF PolicyQualifierInfo. Unknown and malformed ones
// are left out.
std::vector<PolicyQualifier> ReadPolicyQualifiers(Bytes contents);

}  // namespace inkan

#endif  // INKAN_CRYPTO_POLICY_QUALIFIER_H_
