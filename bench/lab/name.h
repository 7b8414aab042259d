// X.501 names and GeneralNames (RFC 5280 sections 4.1.2.4 and 4.2.1.6).
//
//   Name ca = {{"C", "JP"}, {"O", "JPKI"}, {"OU", "JPKI for digital
//   signature"}}; ca.Add("CN", "Example CRLDP"); std::string general_name =
//   DirectoryName(ca);
//
// Values; any thread. GeneralName functions return one DER element.
#ifndef INKAN_BENCH_LAB_NAME_H_
#define INKAN_BENCH_LAB_NAME_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace inkan::lab {

// One AttributeTypeAndValue. `type` is C, O, OU, CN, L, ST, DC, SERIALNUMBER,
// dnQualifier, emailAddress, or a dotted OID. `tag` 0 takes the tag RFC 5280
// asks for: PrintableString for C, SERIALNUMBER and dnQualifier, IA5String for
// DC and emailAddress, UTF8String otherwise.
struct Attribute {
  std::string type;
  std::string value;
  uint8_t tag = 0;
};

// One RelativeDistinguishedName as DER: a SET in DER order.
std::string EncodeRdn(const std::vector<Attribute>& attributes);

class Name {
 public:
  Name() = default;  // the empty name
  // One RDN for each attribute.
  Name(std::initializer_list<Attribute> attributes);
  // A name that is DER already, or that is meant to be wrong.
  static Name FromDer(std::string der);

  Name& Add(std::string_view type, std::string_view value, uint8_t tag = 0);
  // One RDN of several attributes.
  Name& AddMultiValued(const std::vector<Attribute>& attributes);

  // The Name element.
  std::string Encode() const;

  friend bool operator==(const Name&, const Name&) = default;

 private:
  std::string rdns_;      // encoded RDNs one after another
  std::string override_;  // whole element, if made by FromDer
};

std::string DirectoryName(const Name& name);
std::string UriName(std::string_view uri);
std::string DnsName(std::string_view host);
std::string EmailName(std::string_view address);
// 4 or 16 octets; 8 or 32 with a mask, for name constraints.
std::string IpName(std::string_view octets);
std::string RegisteredIdName(std::string_view oid);
// `value` is one DER element, e.g. a UTF8String.
std::string OtherName(std::string_view oid, std::string_view value);
std::string OtherNameUtf8(std::string_view oid, std::string_view text);

// GeneralNames: a SEQUENCE, or with another tag where it is implicit.
std::string GeneralNames(const std::vector<std::string>& names,
                         uint8_t tag = 0x30);

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_NAME_H_
