#include "crypto/name.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "crypto/der.h"
#include "crypto/oid.h"

namespace inkan {
namespace {

struct Attribute {
  Bytes type;
  uint8_t tag = 0;
  Bytes value;
};

bool ReadAttribute(DerReader* set, Attribute* attribute) {
  Bytes contents;
  if (!set->Read(der::kSequence, &contents)) return false;
  DerReader reader(contents);
  return reader.ReadOid(&attribute->type) &&
         reader.ReadAny(&attribute->tag, &attribute->value) && reader.empty();
}

void AppendUtf8(uint32_t code_point, std::string* out) {
  const auto put = [out](uint32_t octet) {
    out->push_back(static_cast<char>(octet));
  };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xc0 | code_point >> 6);
    put(0x80 | (code_point & 0x3f));
  } else if (code_point < 0x10000) {
    put(0xe0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3f));
    put(0x80 | (code_point & 0x3f));
  } else {
    put(0xf0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3f));
    put(0x80 | (code_point >> 6 & 0x3f));
    put(0x80 | (code_point & 0x3f));
  }
}

// Fixed-width big-endian characters; false if a unit is no code point.
bool WideToUtf8(Bytes value, size_t width, std::string* out) {
  if (value.size() % width != 0) return false;
  for (size_t i = 0; i < value.size(); i += width) {
    uint32_t unit = 0;
    for (size_t j = 0; j < width; ++j) unit = unit << 8 | value[i + j];
    if (unit > 0x10ffff || (unit >= 0xd800 && unit < 0xe000)) return false;
    AppendUtf8(unit, out);
  }
  return true;
}

// The characters of a string value as UTF-8 (as they are for UTF8String); false
// for values that are not strings. TeletexString is read as Latin-1, which is
// what CAs have meant by it.
bool ValueToUtf8(const Attribute& attribute, std::string* out) {
  switch (attribute.tag) {
    case der::kUtf8String:
    case der::kPrintableString:
    case der::kIa5String:
    case der::kNumericString:
    case der::kVisibleString:
      out->append(AsText(attribute.value));
      return true;
    case der::kTeletexString:
      for (const uint8_t octet : attribute.value) AppendUtf8(octet, out);
      return true;
    case der::kBmpString:
      return WideToUtf8(attribute.value, 2, out);
    case der::kUniversalString:
      return WideToUtf8(attribute.value, 4, out);
    default:
      return false;
  }
}

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Drops outer spaces, folds inner runs to one, folds ASCII case.
std::string FoldText(std::string_view text) {
  std::string folded;
  bool pending_space = false;
  for (const char c : text) {
    if (IsSpace(c)) {
      pending_space = !folded.empty();
      continue;
    }
    if (pending_space) folded.push_back(' ');
    pending_space = false;
    folded.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
  }
  return folded;
}

void AppendSized(std::string_view bytes, std::string* out) {
  const auto size = static_cast<uint32_t>(bytes.size());
  for (int shift = 24; shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>(size >> shift & 0xff));
  }
  out->append(bytes);
}

void AppendElement(uint8_t tag, std::string_view contents, std::string* out) {
  out->push_back(static_cast<char>(tag));
  const size_t size = contents.size();
  int octets = 0;
  for (size_t rest = size; rest != 0; rest >>= 8) ++octets;
  if (size < 0x80) {
    out->push_back(static_cast<char>(size));
  } else {
    out->push_back(static_cast<char>(0x80 | octets));
    while (octets-- > 0) out->push_back(static_cast<char>(size >> 8 * octets));
  }
  out->append(contents);
}

std::string CanonicalAttribute(const Attribute& attribute) {
  std::string canonical;
  AppendSized(AsText(attribute.type), &canonical);
  std::string text;
  if (ValueToUtf8(attribute, &text)) {
    canonical.push_back('\0');
    AppendSized(FoldText(text), &canonical);
  } else {
    canonical.push_back(static_cast<char>(attribute.tag));
    AppendSized(AsText(attribute.value), &canonical);
  }
  return canonical;
}

struct ShortName {
  const char* dotted;
  const char* text;
};

// RFC 4514 section 3, then what every tool prints besides.
constexpr ShortName kShortNames[] = {
    {"2.5.4.3", "CN"},
    {"2.5.4.7", "L"},
    {"2.5.4.8", "ST"},
    {"2.5.4.10", "O"},
    {"2.5.4.11", "OU"},
    {"2.5.4.6", "C"},
    {"2.5.4.9", "STREET"},
    {"0.9.2342.19200300.100.1.25", "DC"},
    {"0.9.2342.19200300.100.1.1", "UID"},
    {"2.5.4.4", "SN"},
    {"2.5.4.5", "serialNumber"},
    {"2.5.4.12", "title"},
    {"2.5.4.42", "GN"},
    {"2.5.4.46", "dnQualifier"},
    {"2.5.4.97", "organizationIdentifier"},
    {"1.2.840.113549.1.9.1", "emailAddress"},
};

std::string_view ShortNameOf(Bytes type) {
  struct Entry {
    std::string oid;
    std::string_view text;
  };
  static const auto* const kTable = [] {
    auto* table = new std::vector<Entry>;
    for (const ShortName& name : kShortNames) {
      table->push_back({*OidFromText(name.dotted), name.text});
    }
    return table;
  }();
  for (const Entry& entry : *kTable) {
    if (AsText(type) == entry.oid) return entry.text;
  }
  return {};
}

// Length of the well-formed UTF-8 sequence at the front of `text`; 0 if none.
size_t Utf8SequenceLength(std::string_view text) {
  const auto lead = static_cast<uint8_t>(text[0]);
  const size_t length = lead < 0x80                   ? 1
                        : lead >= 0xc2 && lead < 0xe0 ? 2
                        : lead >= 0xe0 && lead < 0xf0 ? 3
                        : lead >= 0xf0 && lead < 0xf5 ? 4
                                                      : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((static_cast<uint8_t>(text[i]) & 0xc0) != 0x80) return 0;
  }
  if (length < 3) return length;
  const auto second = static_cast<uint8_t>(text[1]);
  const bool overlong =
      (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  const bool outside =
      (lead == 0xed && second >= 0xa0) || (lead == 0xf4 && second >= 0x90);
  return overlong || outside ? 0 : length;
}

void AppendHexEscape(char c, std::string* out) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  const auto octet = static_cast<uint8_t>(c);
  out->push_back('\\');
  out->push_back(kDigits[octet >> 4]);
  out->push_back(kDigits[octet & 15]);
}

void AppendEscaped(std::string_view text, std::string* out) {
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    const size_t length = Utf8SequenceLength(text.substr(i));
    const bool edge_space = c == ' ' && (i == 0 || i + 1 == text.size());
    const bool special =
        std::string_view("\"+,;<>\\").find(c) != std::string_view::npos ||
        (c == '#' && i == 0) || edge_space;
    if (length == 0 || static_cast<uint8_t>(c) < 0x20 || c == 0x7f) {
      AppendHexEscape(c, out);
      ++i;
      continue;
    }
    if (special) out->push_back('\\');
    out->append(text.substr(i, length));
    i += length;
  }
}

void AppendAttributeText(const Attribute& attribute, std::string* out) {
  const std::string_view short_name = ShortNameOf(attribute.type);
  std::string text;
  if (!short_name.empty() && ValueToUtf8(attribute, &text)) {
    out->append(short_name);
    out->push_back('=');
    AppendEscaped(text, out);
    return;
  }
  // RFC 4514 section 2.4: other types as dotted OID and the value's encoding.
  // Values above 127 octets would need a long-form length here; show contents.
  absl::StrAppend(out, OidToText(attribute.type), "=#");
  static constexpr char kDigits[] = "0123456789ABCDEF";
  const auto put = [out](size_t octet) {
    out->push_back(kDigits[octet >> 4 & 15]);
    out->push_back(kDigits[octet & 15]);
  };
  put(attribute.tag);
  if (attribute.value.size() > 127) put(0x82), put(attribute.value.size() >> 8);
  put(attribute.value.size());
  for (const uint8_t octet : attribute.value) put(octet);
}

}  // namespace

bool IsWellFormedName(Bytes name) {
  DerReader outer(name);
  Bytes rdns;
  if (!outer.Read(der::kSequence, &rdns) || !outer.empty()) return false;
  DerReader sequence(rdns);
  while (!sequence.empty()) {
    Bytes rdn;
    if (!sequence.Read(der::kSet, &rdn) || rdn.empty()) return false;
    DerReader set(rdn);
    while (!set.empty()) {
      Attribute attribute;
      if (!ReadAttribute(&set, &attribute)) return false;
    }
  }
  return true;
}

bool IsEmptyName(Bytes name) { return name.size() <= 2; }

bool SameName(Bytes a, Bytes b) {
  if (SameBytes(a, b)) return true;
  return CanonicalName(a) == CanonicalName(b);
}

std::string CanonicalName(Bytes name) {
  std::string canonical;
  DerReader outer(name);
  Bytes rdns;
  if (!outer.Read(der::kSequence, &rdns)) return canonical;
  DerReader sequence(rdns);
  Bytes rdn;
  while (sequence.Read(der::kSet, &rdn)) {
    std::vector<std::string> attributes;
    DerReader set(rdn);
    Attribute attribute;
    while (!set.empty() && ReadAttribute(&set, &attribute)) {
      attributes.push_back(CanonicalAttribute(attribute));
    }
    std::sort(attributes.begin(), attributes.end());
    std::string joined;
    for (const std::string& one : attributes) joined += one;
    AppendSized(joined, &canonical);
  }
  return canonical;
}

std::string NameWithRdn(Bytes name, Bytes rdn) {
  DerReader outer(name);
  Bytes rdns;
  if (!outer.Read(der::kSequence, &rdns)) return "";
  std::string contents(AsText(rdns));
  AppendElement(der::kSet, AsText(rdn), &contents);
  std::string result;
  AppendElement(der::kSequence, contents, &result);
  return IsWellFormedName(AsBytes(result)) ? result : "";
}

std::string NameToText(Bytes name) {
  DerReader outer(name);
  Bytes rdns;
  if (!outer.Read(der::kSequence, &rdns)) return "";
  std::vector<std::string> parts;
  DerReader sequence(rdns);
  Bytes rdn;
  while (sequence.Read(der::kSet, &rdn)) {
    std::string part;
    DerReader set(rdn);
    Attribute attribute;
    while (!set.empty() && ReadAttribute(&set, &attribute)) {
      if (!part.empty()) part += '+';
      AppendAttributeText(attribute, &part);
    }
    parts.push_back(std::move(part));
  }
  std::string text;
  for (auto it = parts.rbegin(); it != parts.rend(); ++it) {
    if (!text.empty()) text += ',';
    text += *it;
  }
  return text;
}

}  // namespace inkan
