// GeneralName (RFC 5280 section 4.2.1.6) as it appears in subjectAltName, name
// constraints, distribution points and certificateIssuer.
#ifndef INKAN_CRYPTO_GENERAL_NAME_H_
#define INKAN_CRYPTO_GENERAL_NAME_H_

#include <string>

#include "crypto/bytes.h"
#include "crypto/der.h"

namespace inkan {

enum class GeneralNameKind : uint8_t {
  kOtherName = 0,
  kRfc822Name = 1,
  kDnsName = 2,
  kX400Address = 3,
  kDirectoryName = 4,
  kEdiPartyName = 5,
  kUri = 6,
  kIpAddress = 7,
  kRegisteredId = 8,
};

struct GeneralName {
  GeneralNameKind kind = GeneralNameKind::kOtherName;
  // Contents of the tag; for directoryName the whole Name element inside.
  Bytes value;
};

// Reads one; false if it is malformed: not one of the nine tags, a
// directoryName that is no Name, text that is not IA5, an ediPartyName or
// registeredID of another form. An x400Address is not looked into.
bool ReadGeneralName(DerReader* reader, GeneralName* name);

// Whether `contents` is one or more well-formed GeneralNames.
bool AreWellFormedGeneralNames(Bytes contents);

// A key that is equal for two names exactly if they name the same:
// directoryNames by RFC 5280 section 7.1, all others by their bytes.
std::string CanonicalGeneralName(const GeneralName& name);

// For people: "URI:http://..." or "CN=..,O=.." for a directoryName.
std::string GeneralNameToText(const GeneralName& name);

}  // namespace inkan

#endif  // INKAN_CRYPTO_GENERAL_NAME_H_
