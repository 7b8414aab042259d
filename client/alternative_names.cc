// The part of client/text.h that reads certificates.
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/text.h"
#include "crypto/certificate.h"
#include "crypto/der.h"
#include "crypto/name.h"
#include "crypto/oid.h"

namespace inkan {
namespace {

constexpr uint8_t kOtherName = der::ContextConstructed(0);
constexpr uint8_t kRfc822Name = der::Context(1);
constexpr uint8_t kDnsName = der::Context(2);
constexpr uint8_t kDirectoryName = der::ContextConstructed(4);
constexpr uint8_t kUri = der::Context(6);

std::string Hex(Bytes bytes) {
  std::string out;
  for (const uint8_t octet : bytes) absl::StrAppendFormat(&out, "%02x", octet);
  return out;
}

// otherName ::= SEQUENCE { type-id OID, value [0] EXPLICIT ANY }, implicitly
// tagged: `contents` is what is inside the SEQUENCE.
std::string OtherNameText(Bytes contents) {
  DerReader reader(contents);
  Bytes oid;
  Bytes explicit_value;
  if (!reader.ReadOid(&oid) ||
      !reader.Read(der::ContextConstructed(0), &explicit_value)) {
    return absl::StrCat("otherName, malformed: ", Hex(contents));
  }
  DerReader value_reader(explicit_value);
  uint8_t tag = 0;
  Bytes value;
  if (!value_reader.ReadAny(&tag, &value)) {
    return absl::StrCat(OidDisplay(oid), ": malformed");
  }
  const bool is_text = tag == der::kUtf8String ||
                       tag == der::kPrintableString || tag == der::kIa5String ||
                       tag == der::kNumericString || tag == der::kVisibleString;
  return absl::StrCat(OidDisplay(oid), ": ",
                      is_text ? Printable(AsText(value)) : Hex(value));
}

std::string GeneralNameText(uint8_t tag, Bytes contents) {
  switch (tag) {
    case kOtherName:
      return OtherNameText(contents);
    case kRfc822Name:
      return absl::StrCat("e-mail: ", Printable(AsText(contents)));
    case kDnsName:
      return absl::StrCat("DNS name: ", Printable(AsText(contents)));
    case kUri:
      return absl::StrCat("URI: ", Printable(AsText(contents)));
    case kDirectoryName:
      if (IsWellFormedName(contents)) {
        return absl::StrCat("directory name: ",
                            Printable(NameToText(contents)));
      }
      break;
    default:
      break;
  }
  return absl::StrFormat("name of form [%d]: %s", tag & 0x1f, Hex(contents));
}

}  // namespace

std::string AlternativeNamesText(Bytes certificate) {
  Certificate view;
  if (!ParseCertificate(certificate, &view).ok() ||
      view.subject_alt_names.empty()) {
    return "";
  }
  std::string out = "Names in the certificate\n";
  DerReader reader(view.subject_alt_names);
  uint8_t tag = 0;
  Bytes contents;
  while (reader.ReadAny(&tag, &contents)) {
    absl::StrAppend(&out, "  ", GeneralNameText(tag, contents), "\n");
  }
  return out;
}

}  // namespace inkan
