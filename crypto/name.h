// X.501 names: comparison by RFC 5280 section 7.1, and text by RFC 4514.
//
// Two names are the same if their attributes match one by one: same type, and
// values that agree after the string preparation of RFC 4518 (string_prep.h:
// case folded, normalised, spaces compressed), whatever the string type. Values
// it prohibits are the same only octet by octet. Equal bytes are the usual case
// and decided without any of that.
#ifndef INKAN_CRYPTO_NAME_H_
#define INKAN_CRYPTO_NAME_H_

#include <cstddef>
#include <string>

#include "crypto/bytes.h"

namespace inkan {

// Octets, in UTF-8, of one string value with characters that preparation is
// more for than folding (beyond printable ASCII and white space). Names are
// compared before any signature is verified, and normalising costs far more
// than reading. X.520's upper bounds are 64 to 128 characters, at most 512
// octets (its ub-name of 32,768 is met by nobody).
inline constexpr size_t kPreparedTextBytesMax = 1024;

// Octets of all RDNs of a name that has such characters anywhere: room for 20
// attributes of 64 Japanese characters. A longer name has none.
inline constexpr size_t kPreparedNameBytesMax = 4096;

// Whether `name`, a whole Name element, is well-formed: a SEQUENCE of SETs of 1
// to 16 SEQUENCE { OID, value }, the values of the attributes of RFC 5280
// appendix A.1 strings, no longer than the two bounds allow.
bool IsWellFormedName(Bytes name);

// The same of the contents of one SET, as the only one of a name.
bool IsWellFormedRdn(Bytes rdn);

// Whether it has no attributes at all.
bool IsEmptyName(Bytes name);

// REQUIRES (both): well-formed names.
bool SameName(Bytes a, Bytes b);

// A key with CanonicalName(a) == CanonicalName(b) exactly if SameName(a, b),
// and CanonicalName(a) a prefix of CanonicalName(b) exactly if b lies in the
// subtree of a (RFC 5280 section 4.2.1.10, directoryName).
std::string CanonicalName(Bytes name);

// `name` with one more RelativeDistinguishedName at its end, as a Name element;
// `rdn` is the contents of the RDN's SET (nameRelativeToCRLIssuer). Empty if
// the result is not well-formed.
std::string NameWithRdn(Bytes name, Bytes rdn);

// RFC 4514 text, most significant attribute last, e.g. "CN=x,O=JPKI,C=JP".
// Control characters and malformed UTF-8 come out escaped.
std::string NameToText(Bytes name);
// The same at the end of `text`: no other memory, for names of every verdict.
void AppendNameText(Bytes name, std::string* text);

}  // namespace inkan

#endif  // INKAN_CRYPTO_NAME_H_
