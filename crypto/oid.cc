#include "crypto/oid.h"

#include <charconv>
#include <map>

#include "absl/strings/str_cat.h"

namespace inkan {
namespace {

struct NamedOid {
  const char* dotted;
  const char* name;
};

// JPKI's arcs are those of its certification practice statements and profile
// documents, published by J-LIS.
constexpr NamedOid kNamedOids[] = {
    // Certificate policies of the My Number Card's certificates.
    {"1.2.392.200149.8.5.1.1.20", "JPKI digital signature certificate policy"},
    {"1.2.392.200149.8.5.1.3.30",
     "JPKI user authentication certificate policy"},
    // otherNames in the signature certificate's subjectAltName.
    {"1.2.392.200149.8.5.5.1", "JPKI common name"},
    {"1.2.392.200149.8.5.5.2", "JPKI substitute character of common name"},
    {"1.2.392.200149.8.5.5.3", "JPKI gender"},
    {"1.2.392.200149.8.5.5.4", "JPKI date of birth"},
    {"1.2.392.200149.8.5.5.5", "JPKI address"},
    {"1.2.392.200149.8.5.5.6", "JPKI substitute character of address"},
    // Attribute types.
    {"2.5.4.3", "commonName"},
    {"2.5.4.4", "surname"},
    {"2.5.4.5", "serialNumber"},
    {"2.5.4.6", "countryName"},
    {"2.5.4.7", "localityName"},
    {"2.5.4.8", "stateOrProvinceName"},
    {"2.5.4.9", "streetAddress"},
    {"2.5.4.10", "organizationName"},
    {"2.5.4.11", "organizationalUnitName"},
    {"2.5.4.12", "title"},
    {"2.5.4.42", "givenName"},
    {"2.5.4.46", "dnQualifier"},
    {"2.5.4.97", "organizationIdentifier"},
    {"0.9.2342.19200300.100.1.1", "userId"},
    {"0.9.2342.19200300.100.1.25", "domainComponent"},
    {"1.2.840.113549.1.9.1", "emailAddress"},
    // Extensions.
    {"2.5.29.9", "subjectDirectoryAttributes"},
    {"2.5.29.14", "subjectKeyIdentifier"},
    {"2.5.29.15", "keyUsage"},
    {"2.5.29.16", "privateKeyUsagePeriod"},
    {"2.5.29.17", "subjectAltName"},
    {"2.5.29.18", "issuerAltName"},
    {"2.5.29.19", "basicConstraints"},
    {"2.5.29.20", "cRLNumber"},
    {"2.5.29.21", "reasonCode"},
    {"2.5.29.24", "invalidityDate"},
    {"2.5.29.27", "deltaCRLIndicator"},
    {"2.5.29.28", "issuingDistributionPoint"},
    {"2.5.29.29", "certificateIssuer"},
    {"2.5.29.30", "nameConstraints"},
    {"2.5.29.31", "cRLDistributionPoints"},
    {"2.5.29.32", "certificatePolicies"},
    {"2.5.29.32.0", "anyPolicy"},
    {"2.5.29.33", "policyMappings"},
    {"2.5.29.35", "authorityKeyIdentifier"},
    {"2.5.29.36", "policyConstraints"},
    {"2.5.29.37", "extKeyUsage"},
    {"2.5.29.37.0", "anyExtendedKeyUsage"},
    {"2.5.29.46", "freshestCRL"},
    {"2.5.29.54", "inhibitAnyPolicy"},
    {"2.5.29.60", "expiredCertsOnCRL"},
    {"1.3.6.1.5.5.7.1.1", "authorityInfoAccess"},
    {"1.3.6.1.5.5.7.3.1", "serverAuth"},
    {"1.3.6.1.5.5.7.3.2", "clientAuth"},
    {"1.3.6.1.5.5.7.3.3", "codeSigning"},
    {"1.3.6.1.5.5.7.3.4", "emailProtection"},
    {"1.3.6.1.5.5.7.3.8", "timeStamping"},
    {"1.3.6.1.5.5.7.3.9", "OCSPSigning"},
    // Algorithms.
    {"1.2.840.113549.1.1.1", "rsaEncryption"},
    {"1.2.840.113549.1.1.4", "md5WithRSAEncryption"},
    {"1.2.840.113549.1.1.5", "sha1WithRSAEncryption"},
    {"1.2.840.113549.1.1.10", "RSASSA-PSS"},
    {"1.2.840.113549.1.1.11", "sha256WithRSAEncryption"},
    {"1.2.840.113549.1.1.12", "sha384WithRSAEncryption"},
    {"1.2.840.113549.1.1.13", "sha512WithRSAEncryption"},
    {"1.2.840.10045.2.1", "ecPublicKey"},
    {"1.2.840.10045.3.1.7", "P-256"},
    {"1.3.132.0.34", "P-384"},
    {"1.2.840.10045.4.3.2", "ecdsa-with-SHA256"},
    {"1.2.840.10045.4.3.3", "ecdsa-with-SHA384"},
    {"1.2.840.10045.4.3.4", "ecdsa-with-SHA512"},
};

const std::map<std::string, std::string_view, std::less<>>& NamesByOid() {
  static const auto* const kNames = [] {
    auto* names = new std::map<std::string, std::string_view, std::less<>>;
    for (const NamedOid& entry : kNamedOids) {
      (*names)[*OidFromText(entry.dotted)] = entry.name;
    }
    return names;
  }();
  return *kNames;
}

void AppendArc(uint64_t arc, std::string* out) {
  uint8_t octets[10];
  int count = 0;
  do {
    octets[count++] = static_cast<uint8_t>(arc & 0x7f);
    arc >>= 7;
  } while (arc != 0);
  while (count-- > 0) {
    out->push_back(static_cast<char>(octets[count] | (count > 0 ? 0x80 : 0)));
  }
}

// Octets of an object identifier that are still written out: RFC 5280 appendix
// B asks for 20 arcs of 28 bits, which is 80. The work grows with the square of
// the length, and names come from callers.
constexpr size_t kOidTextOctetsMax = 128;

// An arc above 63 bits, such as a UUID arc: big-endian base 128, less
// `subtrahend`, to decimal.
std::string BigArcToText(Bytes arc, int subtrahend) {
  std::string digits(1, '\0');  // little-endian decimal digits
  for (const uint8_t octet : arc) {
    int carry = octet & 0x7f;
    for (char& digit : digits) {
      carry += digit * 128;
      digit = static_cast<char>(carry % 10);
      carry /= 10;
    }
    for (; carry != 0; carry /= 10) {
      digits.push_back(static_cast<char>(carry % 10));
    }
  }
  for (char& digit : digits) {
    const int left = digit - subtrahend % 10;
    subtrahend = subtrahend / 10 + (left < 0 ? 1 : 0);
    digit = static_cast<char>(left < 0 ? left + 10 : left);
  }
  while (digits.size() > 1 && digits.back() == 0) digits.pop_back();
  std::string text;
  for (auto it = digits.rbegin(); it != digits.rend(); ++it) {
    text.push_back(static_cast<char>('0' + *it));
  }
  return text;
}

}  // namespace

std::string OidToText(Bytes oid) {
  std::string text;
  AppendOidText(oid, &text);
  return text;
}

void AppendOidText(Bytes oid, std::string* text) {
  if (oid.size() > kOidTextOctetsMax) {
    absl::StrAppend(text, "an OBJECT IDENTIFIER of ", oid.size(), " octets");
    return;
  }
  const auto append_number = [text](uint64_t number) {
    char digits[20];
    const char* end = std::to_chars(digits, digits + 20, number).ptr;
    text->append(digits, static_cast<size_t>(end - digits));
  };
  bool first = true;
  size_t start = 0;
  for (size_t i = 0; i < oid.size(); ++i) {
    if ((oid[i] & 0x80) != 0) continue;
    const Bytes arc = oid.subspan(start, i + 1 - start);
    start = i + 1;
    uint64_t value = 0;
    if (arc.size() <= 9) {
      for (const uint8_t octet : arc) value = value << 7 | (octet & 0x7f);
    }
    // The first two arcs share one: 40 times the first, plus the second.
    if (first) {
      const uint64_t top = arc.size() > 9 || value >= 80 ? 2 : value / 40;
      append_number(top);
      value -= 40 * top;
    }
    text->push_back('.');
    if (arc.size() > 9) {
      text->append(BigArcToText(arc, first ? 80 : 0));
    } else {
      append_number(value);
    }
    first = false;
  }
}

std::optional<std::string> OidFromText(std::string_view dotted) {
  std::string oid;
  uint64_t first = 0;
  size_t arcs = 0;
  while (true) {
    const size_t dot = dotted.find('.');
    const std::string_view digits = dotted.substr(0, dot);
    const bool leading_zero = digits.size() > 1 && digits[0] == '0';
    if (digits.empty() || digits.size() > 18 || leading_zero) return {};
    uint64_t arc = 0;
    for (const char c : digits) {
      if (c < '0' || c > '9') return {};
      arc = arc * 10 + static_cast<uint64_t>(c - '0');
    }
    if (arcs == 0) {
      if (arc > 2) return {};
      first = arc;
    } else if (arcs == 1) {
      if (first < 2 && arc > 39) return {};
      AppendArc(first * 40 + arc, &oid);
    } else {
      AppendArc(arc, &oid);
    }
    ++arcs;
    if (dot == std::string_view::npos) break;
    dotted.remove_prefix(dot + 1);
  }
  if (arcs < 2) return {};
  return oid;
}

std::string_view OidName(Bytes oid) {
  const auto& names = NamesByOid();
  const auto found = names.find(AsText(oid));
  return found == names.end() ? std::string_view() : found->second;
}

std::string OidDisplay(Bytes oid) {
  const std::string_view name = OidName(oid);
  if (name.empty()) return OidToText(oid);
  return absl::StrCat(std::string(name), " (", OidToText(oid), ")");
}

}  // namespace inkan
