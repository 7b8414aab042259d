#include "crypto/name.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "crypto/der.h"
#include "crypto/oid.h"
#include "crypto/string_prep.h"

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

// Whether RFC 5280 (appendix A.1) defines values of this type as strings.
bool IsStringAttribute(Bytes type) {
  // id-at (2.5.4.n): commonName, surname, serialNumber, countryName,
  // localityName, stateOrProvinceName; organizationName, organizationalUnitName
  // and title; name, givenName, initials, generationQualifier, dnQualifier and
  // pseudonym.
  constexpr uint8_t kIdAt[] = {3,  4,  5,  6,  7,  8,  10, 11,
                               12, 41, 42, 43, 44, 46, 65};
  constexpr std::string_view kDomainComponent(
      "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", 10);
  constexpr std::string_view kEmailAddress(
      "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", 9);
  if (type.size() == 3 && type[0] == 0x55 && type[1] == 0x04) {
    return std::find(std::begin(kIdAt), std::end(kIdAt), type[2]) !=
           std::end(kIdAt);
  }
  return AsText(type) == kDomainComponent || AsText(type) == kEmailAddress;
}

// Octets of a text that is not simple, in a name whose RDNs are of this size.
size_t PreparedTextMax(size_t rdns_size) {
  return rdns_size > kPreparedNameBytesMax ? 0 : kPreparedTextBytesMax;
}

// Whether the value can be one of its attribute's type, and its octets
// characters of its string type, not too many. Which string type it is, and the
// alphabets of PrintableString and its like, are not held against anyone: CAs
// have put "*",
// "@" and "&" into them for as long as there are certificates. A countryName
// that is no string at all would be the same as no other, and so slip through
// every excluded subtree.
bool IsWellFormedValue(const Attribute& attribute, size_t prepared_max) {
  const auto is_short_or_simple = [prepared_max](std::string_view text) {
    return text.size() <= prepared_max || IsSimpleText(text);
  };
  switch (attribute.tag) {
    case der::kUtf8String:
      return IsUtf8(AsText(attribute.value)) &&
             is_short_or_simple(AsText(attribute.value));
    case der::kTeletexString:
    case der::kBmpString:
    case der::kUniversalString: {
      std::string text;
      return StringToUtf8(attribute.tag, attribute.value, &text) &&
             is_short_or_simple(text);
    }
    default:
      return IsPlainStringType(attribute.tag)
                 ? is_short_or_simple(AsText(attribute.value))
                 : !IsStringAttribute(attribute.type);
  }
}

// The size of the RelativeDistinguishedName at the front of `rdns` if it is of
// the form nearly all are: one attribute of an id-at type (2.5.4.n), short, a
// UTF8String, PrintableString or IA5String. Else 0, which says nothing.
size_t UsualRdnSize(Bytes rdns) {
  // SET, SEQUENCE, an OID of three octets, the value: headers and OID.
  constexpr size_t kBeforeValue = 11;
  if (rdns.size() < kBeforeValue) return 0;
  const uint8_t* p = rdns.data();
  const size_t size = p[1] + size_t{2};
  if (p[0] != der::kSet || p[1] >= 0x80 || size < kBeforeValue ||
      size > rdns.size() || p[2] != der::kSequence || p[3] != size - 4 ||
      p[4] != der::kOid || p[5] != 3 || p[6] != 0x55 || p[7] != 0x04 ||
      p[8] >= 0x80 || p[10] != size - kBeforeValue) {
    return 0;
  }
  if (p[9] == der::kPrintableString || p[9] == der::kIa5String) return size;
  const Bytes value(p + kBeforeValue, size - kBeforeValue);
  return p[9] == der::kUtf8String && IsUtf8(AsText(value)) ? size : 0;
}

// Attributes in one RelativeDistinguishedName. Two are rare, more are not seen;
// the bound keeps putting them in order cheap.
constexpr int kAttributesPerRdnMax = 16;

// Whether `rdn` is 1 to 16 attributes.
bool AreWellFormedAttributes(Bytes rdn, size_t prepared_max) {
  DerReader set(rdn);
  int count = 0;
  while (!set.empty()) {
    Attribute attribute;
    if (!ReadAttribute(&set, &attribute) ||
        !IsWellFormedValue(attribute, prepared_max) ||
        ++count > kAttributesPerRdnMax) {
      return false;
    }
  }
  return count > 0;
}

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Hands out the characters of a text that count in comparison: without outer
// spaces, with inner runs of them as one, in lower case. What RFC 4518 comes to
// for simple text (IsSimpleText).
class FoldedText {
 public:
  static constexpr int kEnd = -1;

  explicit FoldedText(std::string_view text) : text_(text) {}

  int Next() {
    bool after_space = false;
    while (position_ < text_.size() && IsSpace(text_[position_])) {
      ++position_;
      after_space = true;
    }
    if (position_ == text_.size()) return kEnd;
    if (after_space && begun_) return ' ';
    begun_ = true;
    const char c = text_[position_++];
    return static_cast<uint8_t>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  }

 private:
  std::string_view text_;
  size_t position_ = 0;
  bool begun_ = false;
};

std::string FoldText(std::string_view text) {
  std::string folded;
  FoldedText characters(text);
  for (int c = characters.Next(); c != FoldedText::kEnd;
       c = characters.Next()) {
    folded.push_back(static_cast<char>(c));
  }
  return folded;
}

bool SameFolded(std::string_view a, std::string_view b) {
  FoldedText one(a);
  FoldedText other(b);
  while (true) {
    const int c = one.Next();
    if (c != other.Next()) return false;
    if (c == FoldedText::kEnd) return true;
  }
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

// Stands for every string type; no tag, since tag numbers of 31 are refused. A
// string that cannot be prepared keeps its type and octets, and is the same as
// none but itself.
constexpr char kTextMark = 0x1f;

// The value as it is compared; false if it has no such form.
bool PrepareValue(const Attribute& attribute, std::string* prepared) {
  std::string text;
  if (!StringToUtf8(attribute.tag, attribute.value, &text)) return false;
  if (!IsSimpleText(text)) return PrepareText(text, prepared);
  *prepared = FoldText(text);
  return true;
}

std::string CanonicalAttribute(const Attribute& attribute) {
  std::string canonical;
  AppendSized(AsText(attribute.type), &canonical);
  std::string prepared;
  if (PrepareValue(attribute, &prepared)) {
    canonical.push_back(kTextMark);
    AppendSized(prepared, &canonical);
  } else {
    canonical.push_back(static_cast<char>(attribute.tag));
    AppendSized(AsText(attribute.value), &canonical);
  }
  return canonical;
}

// The attributes in an order of their own: a SET has none.
std::string CanonicalRdn(Bytes rdn) {
  std::vector<std::string> attributes;
  DerReader set(rdn);
  Attribute attribute;
  while (!set.empty() && ReadAttribute(&set, &attribute)) {
    attributes.push_back(CanonicalAttribute(attribute));
  }
  std::sort(attributes.begin(), attributes.end());
  std::string joined;
  for (const std::string& one : attributes) joined += one;
  return joined;
}

// CanonicalRdn(a) == CanonicalRdn(b), without writing either where that can be
// avoided: every certificate's subject is compared with its issuer.
bool SameRdn(Bytes a, Bytes b) {
  if (SameBytes(a, b)) return true;
  DerReader set_a(a);
  DerReader set_b(b);
  Attribute one;
  Attribute other;
  if (ReadAttribute(&set_a, &one) && ReadAttribute(&set_b, &other) &&
      set_a.empty() && set_b.empty()) {
    if (!SameBytes(one.type, other.type)) return false;
    if (IsPlainStringType(one.tag) && IsPlainStringType(other.tag) &&
        IsSimpleText(AsText(one.value)) && IsSimpleText(AsText(other.value))) {
      return SameFolded(AsText(one.value), AsText(other.value));
    }
  }
  return CanonicalRdn(a) == CanonicalRdn(b);
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

std::string_view FindShortName(Bytes type) {
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

std::string_view ShortNameOf(Bytes type) {
  // Nearly all attributes are X.520's, 2.5.4.n: DER 55 04 nn.
  const auto is_x520 = [](Bytes oid) {
    return oid.size() == 3 && oid[0] == 0x55 && oid[1] == 0x04 && oid[2] < 128;
  };
  static const auto* const kX520 = [] {
    auto* names = new std::array<std::string_view, 128>;
    for (uint8_t n = 0; n < 128; ++n) {
      const uint8_t oid[] = {0x55, 0x04, n};
      (*names)[n] = FindShortName(oid);
    }
    return names;
  }();
  return is_x520(type) ? (*kX520)[type[2]] : FindShortName(type);
}

void AppendHexEscape(char c, std::string* out) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  const auto octet = static_cast<uint8_t>(c);
  out->push_back('\\');
  out->push_back(kDigits[octet >> 4]);
  out->push_back(kDigits[octet & 15]);
}

// Whether an ASCII character is escaped wherever it stands (RFC 4514 section
// 2.4, and what would not be seen).
bool IsAlwaysEscaped(char c) {
  static constexpr auto kEscaped = [] {
    std::array<bool, 128> escaped{};
    for (size_t i = 0; i < 0x20; ++i) escaped[i] = true;
    for (const char special : std::string_view("\"+,;<>\\\x7f")) {
      escaped[static_cast<uint8_t>(special)] = true;
    }
    return escaped;
  }();
  return kEscaped[static_cast<uint8_t>(c)];
}

void AppendEscaped(std::string_view text, std::string* out) {
  // What needs no escape is appended in runs; text[run..i) is such a one.
  size_t run = 0;
  const auto end_run = [&](size_t i) {
    out->append(text.data() + run, i - run);
  };
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    const bool ascii = static_cast<uint8_t>(c) < 0x80;
    const size_t length = ascii ? 1 : Utf8SequenceLength(text.substr(i));
    const bool edge =
        (c == ' ' && (i == 0 || i + 1 == text.size())) || (c == '#' && i == 0);
    if (length != 0 && !edge && !(ascii && IsAlwaysEscaped(c))) {
      i += length;
      continue;
    }
    end_run(i);
    run = i + 1;
    if (length == 0 || static_cast<uint8_t>(c) < 0x20 || c == 0x7f) {
      AppendHexEscape(c, out);
    } else {
      out->push_back('\\');
      run = i;
    }
    ++i;
  }
  end_run(text.size());
}

void AppendAttributeText(const Attribute& attribute, std::string* out) {
  const std::string_view short_name = ShortNameOf(attribute.type);
  std::string converted;
  const bool plain = IsPlainStringType(attribute.tag);
  if (!short_name.empty() &&
      (plain || StringToUtf8(attribute.tag, attribute.value, &converted))) {
    out->append(short_name);
    out->push_back('=');
    AppendEscaped(plain ? AsText(attribute.value) : converted, out);
    return;
  }
  // RFC 4514 section 2.4: other types as dotted OID and the value's encoding.
  absl::StrAppend(out, OidToText(attribute.type), "=#");
  std::string element;
  AppendElement(attribute.tag, AsText(attribute.value), &element);
  static constexpr char kDigits[] = "0123456789ABCDEF";
  for (const char c : element) {
    const auto octet = static_cast<uint8_t>(c);
    out->push_back(kDigits[octet >> 4]);
    out->push_back(kDigits[octet & 15]);
  }
}

}  // namespace

bool IsWellFormedName(Bytes name) {
  DerReader outer(name);
  Bytes rdns;
  if (!outer.Read(der::kSequence, &rdns) || !outer.empty()) return false;
  DerReader sequence(rdns);
  const size_t prepared_max = PreparedTextMax(rdns.size());
  while (!sequence.empty()) {
    if (const size_t usual = UsualRdnSize(sequence.rest());
        usual != 0 && prepared_max != 0) {
      sequence = DerReader(sequence.rest().subspan(usual));
      continue;
    }
    Bytes rdn;
    if (!sequence.Read(der::kSet, &rdn) ||
        !AreWellFormedAttributes(rdn, prepared_max)) {
      return false;
    }
  }
  return true;
}

bool IsWellFormedRdn(Bytes rdn) {
  // With the SET's header, where that matters.
  return AreWellFormedAttributes(rdn, PreparedTextMax(rdn.size() + 4));
}

bool IsEmptyName(Bytes name) { return name.size() <= 2; }

bool SameName(Bytes a, Bytes b) {
  if (SameBytes(a, b)) return true;
  DerReader outer_a(a);
  DerReader outer_b(b);
  Bytes rdns_a;
  Bytes rdns_b;
  if (!outer_a.Read(der::kSequence, &rdns_a) ||
      !outer_b.Read(der::kSequence, &rdns_b)) {
    return false;
  }
  DerReader sequence_a(rdns_a);
  DerReader sequence_b(rdns_b);
  Bytes rdn_a;
  Bytes rdn_b;
  while (sequence_a.Read(der::kSet, &rdn_a)) {
    if (!sequence_b.Read(der::kSet, &rdn_b) || !SameRdn(rdn_a, rdn_b)) {
      return false;
    }
  }
  return sequence_a.empty() && sequence_b.empty();
}

std::string CanonicalName(Bytes name) {
  std::string canonical;
  DerReader outer(name);
  Bytes rdns;
  if (!outer.Read(der::kSequence, &rdns)) return canonical;
  DerReader sequence(rdns);
  Bytes rdn;
  while (sequence.Read(der::kSet, &rdn)) {
    AppendSized(CanonicalRdn(rdn), &canonical);
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
  std::string text;
  AppendNameText(name, &text);
  return text;
}

void AppendNameText(Bytes name, std::string* text) {
  DerReader outer(name);
  Bytes rdns;
  if (!outer.Read(der::kSequence, &rdns)) return;
  // JPKI's names have four; longer ones take memory of their own.
  absl::InlinedVector<Bytes, 12> all;
  DerReader sequence(rdns);
  Bytes rdn;
  while (sequence.Read(der::kSet, &rdn)) all.push_back(rdn);
  // Header and tag of an attribute make room for its short name.
  text->reserve(text->size() + name.size());
  for (auto it = all.rbegin(); it != all.rend(); ++it) {
    if (it != all.rbegin()) text->push_back(',');
    DerReader set(*it);
    Attribute attribute;
    bool first = true;
    while (!set.empty() && ReadAttribute(&set, &attribute)) {
      if (!first) text->push_back('+');
      first = false;
      AppendAttributeText(attribute, text);
    }
  }
}

}  // namespace inkan
