#include "bench/lab/name.h"

#include <algorithm>
#include <utility>

#include "bench/lab/check.h"
#include "bench/lab/der_writer.h"

namespace inkan::lab {
namespace {

struct AttributeForm {
  std::string_view type;
  std::string_view oid;
  uint8_t tag;
};

constexpr AttributeForm kForms[] = {
    {"C", "2.5.4.6", der::kPrintableString},
    {"O", "2.5.4.10", der::kUtf8String},
    {"OU", "2.5.4.11", der::kUtf8String},
    {"CN", "2.5.4.3", der::kUtf8String},
    {"L", "2.5.4.7", der::kUtf8String},
    {"ST", "2.5.4.8", der::kUtf8String},
    {"SN", "2.5.4.4", der::kUtf8String},
    {"GN", "2.5.4.42", der::kUtf8String},
    {"T", "2.5.4.12", der::kUtf8String},
    {"SERIALNUMBER", "2.5.4.5", der::kPrintableString},
    {"dnQualifier", "2.5.4.46", der::kPrintableString},
    {"DC", "0.9.2342.19200300.100.1.25", der::kIa5String},
    {"emailAddress", "1.2.840.113549.1.9.1", der::kIa5String},
};

AttributeForm FormOf(std::string_view type) {
  for (const AttributeForm& form : kForms) {
    if (form.type == type) return form;
  }
  Require(!type.empty() && type[0] >= '0' && type[0] <= '2',
          "unknown attribute type");
  return {type, type, der::kUtf8String};
}

std::string EncodeAttribute(const Attribute& attribute) {
  const AttributeForm form = FormOf(attribute.type);
  return Der([&](DerWriter& w) {
    w.Nest(der::kSequence, [&] {
      w.Oid(form.oid);
      w.Element(attribute.tag != 0 ? attribute.tag : form.tag, attribute.value);
    });
  });
}

}  // namespace

std::string EncodeRdn(const std::vector<Attribute>& attributes) {
  std::vector<std::string> encoded;
  encoded.reserve(attributes.size());
  for (const Attribute& attribute : attributes) {
    encoded.push_back(EncodeAttribute(attribute));
  }
  std::sort(encoded.begin(), encoded.end());  // DER: a SET OF is sorted
  std::string contents;
  for (const std::string& one : encoded) contents += one;
  return DerElement(der::kSet, contents);
}

Name::Name(std::initializer_list<Attribute> attributes) {
  for (const Attribute& attribute : attributes) rdns_ += EncodeRdn({attribute});
}

Name Name::FromDer(std::string der) {
  Name name;
  name.override_ = std::move(der);
  return name;
}

Name& Name::Add(std::string_view type, std::string_view value, uint8_t tag) {
  return AddMultiValued({{std::string(type), std::string(value), tag}});
}

Name& Name::AddMultiValued(const std::vector<Attribute>& attributes) {
  rdns_ += EncodeRdn(attributes);
  return *this;
}

std::string Name::Encode() const {
  return override_.empty() ? DerElement(der::kSequence, rdns_) : override_;
}

std::string DirectoryName(const Name& name) {
  // Name is a CHOICE, so its tag is explicit even here.
  return DerElement(der::ContextConstructed(4), name.Encode());
}

std::string UriName(std::string_view uri) {
  return DerElement(der::Context(6), uri);
}

std::string DnsName(std::string_view host) {
  return DerElement(der::Context(2), host);
}

std::string EmailName(std::string_view address) {
  return DerElement(der::Context(1), address);
}

std::string IpName(std::string_view octets) {
  return DerElement(der::Context(7), octets);
}

std::string RegisteredIdName(std::string_view oid) {
  return Der([&](DerWriter& w) { w.Oid(oid, der::Context(8)); });
}

std::string OtherName(std::string_view oid, std::string_view value) {
  return Der([&](DerWriter& w) {
    w.Nest(der::ContextConstructed(0), [&] {
      w.Oid(oid);
      w.Element(der::ContextConstructed(0), value);
    });
  });
}

std::string OtherNameUtf8(std::string_view oid, std::string_view text) {
  return OtherName(oid, DerElement(der::kUtf8String, text));
}

std::string GeneralNames(const std::vector<std::string>& names, uint8_t tag) {
  std::string contents;
  for (const std::string& name : names) contents += name;
  return DerElement(tag, contents);
}

}  // namespace inkan::lab
