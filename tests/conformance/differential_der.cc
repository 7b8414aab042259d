#include "tests/conformance/differential_der.h"

#include <openssl/asn1.h>

#include <string_view>

#include "bench/lab/openssl_types.h"

namespace inkan::differential {
namespace {

constexpr int kDepthMax = 64;

struct Element {
  bool constructed = false;
  int tag = 0;
  int tag_class = 0;
  std::string_view contents;

  bool Is(int universal) const {
    return tag_class == V_ASN1_UNIVERSAL && tag == universal;
  }
};

uint8_t At(std::string_view text, size_t i) {
  return static_cast<uint8_t>(text[i]);
}

// One element from the front of `input`; false unless its header is in the one
// form of DER.
bool ReadElement(std::string_view* input, Element* element) {
  const unsigned char* const start = lab::Octets(*input);
  const unsigned char* at = start;
  long length = 0;
  const int form =
      ASN1_get_object(&at, &length, &element->tag, &element->tag_class,
                      static_cast<long>(input->size()));
  constexpr int kError = 0x80;
  constexpr int kIndefinite = 0x01;
  if ((form & (kError | kIndefinite)) != 0) return false;
  element->constructed = (form & V_ASN1_CONSTRUCTED) != 0;
  const auto size = static_cast<size_t>(at - start);
  std::string again(16, '\0');
  auto* end = reinterpret_cast<unsigned char*>(again.data());
  ASN1_put_object(&end, element->constructed ? 1 : 0, static_cast<int>(length),
                  element->tag, element->tag_class);
  again.resize(static_cast<size_t>(
      end - reinterpret_cast<unsigned char*>(again.data())));
  if (again != input->substr(0, size)) return false;
  element->contents = input->substr(size, static_cast<size_t>(length));
  input->remove_prefix(size + static_cast<size_t>(length));
  return true;
}

bool IsShortestInteger(std::string_view value) {
  if (value.size() < 2) return value.size() == 1;
  const bool negative = (At(value, 1) & 0x80) != 0;
  return At(value, 0) != (negative ? 0xff : 0x00);
}

bool IsBitString(std::string_view value) {
  if (value.empty() || At(value, 0) > 7) return false;
  if (value.size() == 1) return At(value, 0) == 0;
  const int unused = (1 << At(value, 0)) - 1;
  return (At(value, value.size() - 1) & unused) == 0;
}

bool IsOid(std::string_view value) {
  bool begins = true;
  for (size_t i = 0; i < value.size(); ++i) {
    if (begins && At(value, i) == 0x80) return false;
    begins = At(value, i) < 0x80;
  }
  return !value.empty() && begins;
}

bool IsDerValue(const Element& element) {
  const std::string_view value = element.contents;
  switch (element.tag) {
    case V_ASN1_SEQUENCE:
    case V_ASN1_SET:
      return element.constructed;
    case V_ASN1_EXTERNAL:
    case 11:  // EMBEDDED PDV
      return true;
    case V_ASN1_BOOLEAN:
      return !element.constructed && value.size() == 1 &&
             (At(value, 0) == 0x00 || At(value, 0) == 0xff);
    case V_ASN1_INTEGER:
    case V_ASN1_ENUMERATED:
      return !element.constructed && IsShortestInteger(value);
    case V_ASN1_BIT_STRING:
      return !element.constructed && IsBitString(value);
    case V_ASN1_NULL:
      return !element.constructed && value.empty();
    case V_ASN1_OBJECT:
      return !element.constructed && IsOid(value);
    default:
      return !element.constructed;
  }
}

bool AreDer(std::string_view input, int depth) {
  constexpr std::string_view kIdCe("\x55\x1d", 2);
  if (depth > kDepthMax) return false;
  bool in_extension = false;
  bool first = true;
  while (!input.empty()) {
    Element element;
    if (!ReadElement(&input, &element) ||
        (element.tag_class == V_ASN1_UNIVERSAL && !IsDerValue(element)) ||
        (element.constructed && !AreDer(element.contents, depth + 1))) {
      return false;
    }
    if (first && element.Is(V_ASN1_OBJECT)) {
      in_extension = element.contents.size() == 3 &&
                     element.contents.substr(0, 2) == kIdCe;
    }
    first = false;
    // RFC 5280 section 4.1: extnValue "contains the DER encoding of an ASN.1
    // value".
    if (in_extension && element.Is(V_ASN1_OCTET_STRING) &&
        !AreDer(element.contents, depth + 1)) {
      return false;
    }
  }
  return true;
}

}  // namespace

bool IsDer(const std::string& der) {
  std::string_view input = der;
  Element whole;
  return ReadElement(&input, &whole) && input.empty() && AreDer(der, 0);
}

}  // namespace inkan::differential
