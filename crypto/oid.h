// Object identifiers: the ones we act on, and names for the ones people meet.
#ifndef INKAN_CRYPTO_OID_H_
#define INKAN_CRYPTO_OID_H_

#include <optional>
#include <string>
#include <string_view>

#include "crypto/bytes.h"

namespace inkan {

// DER contents (no header) to dotted text; arcs of any size. Of more than 128
// octets, only how many.
std::string OidToText(Bytes oid);
// The same at the end of `text`.
void AppendOidText(Bytes oid, std::string* text);

// Dotted text to DER contents; nothing if the text is no OID.
std::optional<std::string> OidFromText(std::string_view dotted);

// What people call it: "commonName", "JPKI signature certificate policy". Empty
// if we have no name.
std::string_view OidName(Bytes oid);

// "name (dotted)" or "dotted".
std::string OidDisplay(Bytes oid);

}  // namespace inkan

#endif  // INKAN_CRYPTO_OID_H_
