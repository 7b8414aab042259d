#include "bench/lab/extensions.h"

#include "bench/lab/der_writer.h"

namespace inkan::lab {
namespace {

Extension Make(std::string oid, bool critical, std::string value) {
  return {std::move(oid), critical, std::move(value)};
}

// DistributionPointName, a CHOICE and so explicitly tagged where it stands.
std::string DistributionPointName(const std::vector<std::string>& full_name,
                                  const std::vector<Attribute>& relative) {
  if (!full_name.empty()) {
    return GeneralNames(full_name, der::ContextConstructed(0));
  }
  if (relative.empty()) return {};
  std::string rdn = EncodeRdn(relative);
  rdn[0] = static_cast<char>(der::ContextConstructed(1));  // IMPLICIT
  return rdn;
}

std::string EncodePoints(const std::vector<DistributionPoint>& points) {
  return Der([&](DerWriter& w) {
    w.Nest(der::kSequence, [&] {
      for (const DistributionPoint& point : points) {
        w.Nest(der::kSequence, [&] {
          const std::string name =
              DistributionPointName(point.full_name, point.relative_name);
          if (!name.empty()) w.Element(der::ContextConstructed(0), name);
          if (point.reasons) w.NamedBits(*point.reasons, der::Context(1));
          if (!point.crl_issuer.empty()) {
            w.Raw(GeneralNames(point.crl_issuer, der::ContextConstructed(2)));
          }
        });
      }
    });
  });
}

void WriteSubtrees(DerWriter& w, uint8_t tag,
                   const std::vector<Subtree>& subtrees) {
  if (subtrees.empty()) return;
  w.Nest(tag, [&] {
    for (const Subtree& subtree : subtrees) {
      w.Nest(der::kSequence, [&] {
        w.Raw(subtree.base);
        if (subtree.minimum != 0) w.Integer(subtree.minimum, der::Context(0));
        if (subtree.maximum) w.Integer(*subtree.maximum, der::Context(1));
      });
    }
  });
}

void WritePolicy(DerWriter& w, const Policy& policy) {
  w.Nest(der::kSequence, [&] {
    w.Oid(policy.oid);
    if (policy.cps_uri.empty() && policy.raw_qualifiers.empty()) return;
    w.Nest(der::kSequence, [&] {
      if (!policy.cps_uri.empty()) {
        w.Nest(der::kSequence, [&] {
          w.Oid("1.3.6.1.5.5.7.2.1");
          w.Element(der::kIa5String, policy.cps_uri);
        });
      }
      w.Raw(policy.raw_qualifiers);
    });
  });
}

}  // namespace

std::string Extension::Encode() const {
  return Der([&](DerWriter& w) {
    w.Nest(der::kSequence, [&] {
      w.Oid(oid);
      if (critical) w.Boolean(true);
      w.OctetString(value);
    });
  });
}

std::string EncodeExtensions(const std::vector<Extension>& extensions) {
  std::string contents;
  for (const Extension& one : extensions) contents += one.Encode();
  return DerElement(der::kSequence, contents);
}

namespace extension {

Extension KeyUsage(uint16_t bits) {
  return Make("2.5.29.15", true, Der([&](DerWriter& w) { w.NamedBits(bits); }));
}

Extension BasicConstraints(bool ca, std::optional<uint64_t> path_length) {
  return Make("2.5.29.19", ca, Der([&](DerWriter& w) {
                w.Nest(der::kSequence, [&] {
                  if (ca) w.Boolean(true);
                  if (path_length) w.Integer(*path_length);
                });
              }));
}

Extension CertificatePolicies(const std::vector<Policy>& policies) {
  return Make("2.5.29.32", false, Der([&](DerWriter& w) {
                w.Nest(der::kSequence, [&] {
                  for (const Policy& policy : policies) WritePolicy(w, policy);
                });
              }));
}

Extension PolicyMappings(
    const std::vector<std::pair<std::string, std::string>>& mappings) {
  return Make("2.5.29.33", true, Der([&](DerWriter& w) {
                w.Nest(der::kSequence, [&] {
                  for (const auto& mapping : mappings) {
                    w.Nest(der::kSequence, [&] {
                      w.Oid(mapping.first);
                      w.Oid(mapping.second);
                    });
                  }
                });
              }));
}

Extension PolicyConstraints(std::optional<uint64_t> require_explicit_policy,
                            std::optional<uint64_t> inhibit_policy_mapping) {
  return Make("2.5.29.36", true, Der([&](DerWriter& w) {
                w.Nest(der::kSequence, [&] {
                  if (require_explicit_policy) {
                    w.Integer(*require_explicit_policy, der::Context(0));
                  }
                  if (inhibit_policy_mapping) {
                    w.Integer(*inhibit_policy_mapping, der::Context(1));
                  }
                });
              }));
}

Extension InhibitAnyPolicy(uint64_t skip_certificates) {
  return Make("2.5.29.54", true,
              Der([&](DerWriter& w) { w.Integer(skip_certificates); }));
}

Extension NameConstraints(const std::vector<Subtree>& permitted,
                          const std::vector<Subtree>& excluded) {
  return Make("2.5.29.30", true, Der([&](DerWriter& w) {
                w.Nest(der::kSequence, [&] {
                  WriteSubtrees(w, der::ContextConstructed(0), permitted);
                  WriteSubtrees(w, der::ContextConstructed(1), excluded);
                });
              }));
}

Extension SubjectAltName(const std::vector<std::string>& names) {
  return Make("2.5.29.17", false, GeneralNames(names));
}

Extension IssuerAltName(const std::vector<std::string>& names) {
  return Make("2.5.29.18", false, GeneralNames(names));
}

Extension ExtendedKeyUsage(const std::vector<std::string>& oids) {
  return Make("2.5.29.37", false, Der([&](DerWriter& w) {
                w.Nest(der::kSequence, [&] {
                  for (const std::string& oid : oids) w.Oid(oid);
                });
              }));
}

Extension CrlDistributionPoints(const std::vector<DistributionPoint>& points) {
  return Make("2.5.29.31", false, EncodePoints(points));
}

Extension FreshestCrl(const std::vector<DistributionPoint>& points) {
  return Make("2.5.29.46", false, EncodePoints(points));
}

Extension SubjectKeyIdentifier(std::string_view key_identifier) {
  return Make("2.5.29.14", false,
              DerElement(der::kOctetString, key_identifier));
}

Extension AuthorityKeyIdentifier(std::string_view key_identifier,
                                 const std::vector<std::string>& issuer,
                                 std::string_view serial) {
  return Make("2.5.29.35", false, Der([&](DerWriter& w) {
                w.Nest(der::kSequence, [&] {
                  if (!key_identifier.empty()) {
                    w.Element(der::Context(0), key_identifier);
                  }
                  if (!issuer.empty()) {
                    w.Raw(GeneralNames(issuer, der::ContextConstructed(1)));
                  }
                  if (!serial.empty()) w.Element(der::Context(2), serial);
                });
              }));
}

Extension AuthorityInfoAccess(
    const std::vector<std::pair<std::string, std::string>>& descriptions) {
  return Make("1.3.6.1.5.5.7.1.1", false, Der([&](DerWriter& w) {
                w.Nest(der::kSequence, [&] {
                  for (const auto& description : descriptions) {
                    w.Nest(der::kSequence, [&] {
                      w.Oid(description.first);
                      w.Raw(description.second);
                    });
                  }
                });
              }));
}

Extension PrivateKeyUsagePeriod(int64_t not_before, int64_t not_after) {
  return Make("2.5.29.16", false, Der([&](DerWriter& w) {
                w.Nest(der::kSequence, [&] {
                  w.GeneralizedTime(not_before, der::Context(0));
                  w.GeneralizedTime(not_after, der::Context(1));
                });
              }));
}

Extension CrlNumber(uint64_t number) {
  return Make("2.5.29.20", false,
              Der([&](DerWriter& w) { w.Integer(number); }));
}

Extension CrlNumberContents(std::string_view contents) {
  return Make("2.5.29.20", false, DerElement(der::kInteger, contents));
}

Extension DeltaCrlIndicator(uint64_t base_number) {
  return Make("2.5.29.27", true,
              Der([&](DerWriter& w) { w.Integer(base_number); }));
}

Extension IssuingDistributionPoint(
    const IssuingDistributionPointFields& fields) {
  const auto flag = [](DerWriter& w, bool on, unsigned number) {
    if (on) w.Element(der::Context(number), "\xff");
  };
  return Make("2.5.29.28", true, Der([&](DerWriter& w) {
                w.Nest(der::kSequence, [&] {
                  const std::string name = DistributionPointName(
                      fields.full_name, fields.relative_name);
                  if (!name.empty()) {
                    w.Element(der::ContextConstructed(0), name);
                  }
                  flag(w, fields.only_user_certificates, 1);
                  flag(w, fields.only_ca_certificates, 2);
                  if (fields.only_some_reasons) {
                    w.NamedBits(*fields.only_some_reasons, der::Context(3));
                  }
                  flag(w, fields.indirect, 4);
                  flag(w, fields.only_attribute_certificates, 5);
                });
              }));
}

Extension ExpiredCertsOnCrl(int64_t since) {
  return Make("2.5.29.60", false,
              Der([&](DerWriter& w) { w.GeneralizedTime(since); }));
}

Extension ReasonCode(Reason reason) {
  return Make("2.5.29.21", false, Der([&](DerWriter& w) {
                w.Integer(static_cast<uint64_t>(reason), der::kEnumerated);
              }));
}

Extension InvalidityDate(int64_t date) {
  return Make("2.5.29.24", false,
              Der([&](DerWriter& w) { w.GeneralizedTime(date); }));
}

Extension CertificateIssuer(const std::vector<std::string>& names) {
  return Make("2.5.29.29", true, GeneralNames(names));
}

}  // namespace extension
}  // namespace inkan::lab
