#include "crypto/general_name.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "crypto/name.h"
#include "crypto/string_prep.h"

namespace inkan {
namespace {

bool IsConstructedKind(uint8_t number) {
  return number == 0 || number == 3 || number == 4 || number == 5;
}

bool IsIa5(Bytes text) {
  for (const uint8_t c : text) {
    if (c >= 0x80) return false;
  }
  return true;
}

// One string in an element of `tag`: what RFC 5280 calls a DirectoryString.
bool ReadExplicitString(DerReader* reader, uint8_t tag) {
  Bytes contents;
  if (!reader->Read(tag, &contents)) return false;
  DerReader inner(contents);
  uint8_t type;
  Bytes value;
  std::string ignored;
  return inner.ReadAny(&type, &value) && inner.empty() &&
         StringToUtf8(type, value, &ignored);
}

bool IsEdiPartyName(Bytes contents) {
  DerReader reader(contents);
  constexpr uint8_t kNameAssigner = der::ContextConstructed(0);
  constexpr uint8_t kPartyName = der::ContextConstructed(1);
  return (!reader.NextIs(kNameAssigner) ||
          ReadExplicitString(&reader, kNameAssigner)) &&
         ReadExplicitString(&reader, kPartyName) && reader.empty();
}

// Whether an OBJECT IDENTIFIER may have these contents: arcs without leading
// zeros, the last one complete.
bool IsOid(Bytes contents) {
  uint8_t before = 0;
  for (const uint8_t octet : contents) {
    if (octet == 0x80 && before < 0x80) return false;
    before = octet;
  }
  return !contents.empty() && before < 0x80;
}

}  // namespace

bool ReadGeneralName(DerReader* reader, GeneralName* name) {
  DerReader next = *reader;
  uint8_t tag;
  Bytes value;
  if (!next.ReadAny(&tag, &value)) return false;
  const auto number = static_cast<uint8_t>(tag & 0x1f);
  if (number > 8) return false;
  const uint8_t expected = IsConstructedKind(number)
                               ? der::ContextConstructed(number)
                               : der::Context(number);
  if (tag != expected) return false;
  const auto kind = static_cast<GeneralNameKind>(number);
  switch (kind) {
    case GeneralNameKind::kRfc822Name:
    case GeneralNameKind::kDnsName:
    case GeneralNameKind::kUri:
      if (!IsIa5(value)) return false;
      break;
    case GeneralNameKind::kDirectoryName:
      if (!IsWellFormedName(value)) return false;
      break;
    case GeneralNameKind::kOtherName: {
      DerReader other(value);
      Bytes type;
      Bytes any;
      if (!other.ReadOid(&type) ||
          !other.Read(der::ContextConstructed(0), &any) || !other.empty()) {
        return false;
      }
      break;
    }
    case GeneralNameKind::kEdiPartyName:
      if (!IsEdiPartyName(value)) return false;
      break;
    case GeneralNameKind::kRegisteredId:
      if (!IsOid(value)) return false;
      break;
    case GeneralNameKind::kX400Address:  // an ORAddress: compared as it is
    case GeneralNameKind::kIpAddress:
      break;
  }
  *name = {kind, value};
  *reader = next;
  return true;
}

bool AreWellFormedGeneralNames(Bytes contents) {
  DerReader reader(contents);
  if (reader.empty()) return false;
  GeneralName name;
  while (!reader.empty()) {
    if (!ReadGeneralName(&reader, &name)) return false;
  }
  return true;
}

std::string CanonicalGeneralName(const GeneralName& name) {
  std::string canonical(1, static_cast<char>(name.kind));
  canonical += name.kind == GeneralNameKind::kDirectoryName
                   ? CanonicalName(name.value)
                   : std::string(AsText(name.value));
  return canonical;
}

std::string GeneralNameToText(const GeneralName& name) {
  const std::string raw(AsText(name.value));
  const std::string text = absl::CHexEscape(raw);
  switch (name.kind) {
    case GeneralNameKind::kDirectoryName:
      return NameToText(name.value);
    case GeneralNameKind::kUri:
      return absl::StrCat("URI:", text);
    case GeneralNameKind::kDnsName:
      return absl::StrCat("DNS:", text);
    case GeneralNameKind::kRfc822Name:
      return absl::StrCat("email:", text);
    default:
      return absl::StrCat("[", static_cast<int>(name.kind),
                          "]:", absl::BytesToHexString(raw));
  }
}

}  // namespace inkan
