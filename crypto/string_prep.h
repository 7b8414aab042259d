// Preparation of attribute values for comparison: RFC 4518 section 2, as RFC
// 5280 section 7.1 asks for names, with case folding (caseIgnoreMatch).
//
//   std::string prepared;
//   if (!PrepareText(utf8, &prepared)) compare the octets instead;
//
// The steps: characters of the string's type become Unicode; what is invisible
// is dropped and what separates becomes a space; case is folded and the text
// normalised (form KC); prohibited characters are told; outer and repeated
// spaces are dropped. Unicode data are those of libutf8proc, which is newer
// than the version 3.2 that the RFC names: characters added since are not
// prohibited as unassigned. Pure functions; any thread.
#ifndef INKAN_CRYPTO_STRING_PREP_H_
#define INKAN_CRYPTO_STRING_PREP_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "crypto/bytes.h"

namespace inkan {

// Length of the well-formed UTF-8 sequence at the front of `text`, which is not
// empty; 0 if there is none.
size_t Utf8SequenceLength(std::string_view text);

bool IsUtf8(std::string_view text);

// Section 2.1: the characters of a string value of type `tag` as UTF-8 (as they
// are where its octets are its characters); false for values that are not
// strings. TeletexString is read as Latin-1, which is what CAs have meant by
// it.
bool StringToUtf8(uint8_t tag, Bytes value, std::string* out);

// Whether the octets of the value are its characters.
bool IsPlainStringType(uint8_t tag);

// Whether all octets are printable ASCII or ASCII white space, for which
// preparing is no more than folding A to Z and compressing spaces.
bool IsSimpleText(std::string_view text);

// Version of the Unicode data in use, e.g. "14.0.0". Under another one a text
// with characters that were assigned in between may be prepared otherwise.
std::string_view UnicodeVersion();

// Sections 2.2 to 2.6. False if `text` is not UTF-8 or has a prohibited
// character: comparing it is then undefined.
bool PrepareText(std::string_view text, std::string* prepared);

}  // namespace inkan

#endif  // INKAN_CRYPTO_STRING_PREP_H_
