#include "crypto/certificate.h"

#include <algorithm>

#include "crypto/crl.h"
#include "crypto/der.h"
#include "crypto/general_name.h"
#include "crypto/name.h"
#include "crypto/policy_qualifier.h"

namespace inkan {
namespace {

// RFC 5280 section 4.1.2.2 allows 20 octets of serial number; the 21st is the
// sign octet of CAs that fill all 160 bits.
constexpr size_t kSerialOctetsMax = 21;

constexpr Fault kNoFault;

// Tells whether an extension comes for the second time. Nearly all have OIDs
// 2.5.29.n, which a bit each will do for.
class SeenExtensions {
 public:
  // False if `oid` was seen before.
  bool Add(Bytes oid, int id_ce) {
    if (id_ce >= 0 && id_ce < 64) {
      const uint64_t bit = uint64_t{1} << id_ce;
      const bool is_new = (bits_ & bit) == 0;
      bits_ |= bit;
      return is_new;
    }
    for (int i = 0; i < others_count_; ++i) {
      if (SameBytes(others_[i], oid)) return false;
    }
    others_[others_count_++] = oid;
    return true;
  }

 private:
  uint64_t bits_ = 0;
  Bytes others_[kExtensionsMax];
  int others_count_ = 0;
};

// Every extension we process has an OID 2.5.29.n, whose DER is 55 1d nn.
constexpr int kNotProcessed = -1;
int IdCeNumber(Bytes oid) {
  if (oid.size() != 3 || oid[0] != 0x55 || oid[1] != 0x1d) return kNotProcessed;
  return oid[2];
}

Fault ParseBasicConstraints(Bytes value, Certificate* c) {
  constexpr const char* kField = "basicConstraints";
  DerReader outer(value);
  Bytes contents;
  if (!outer.Read(der::kSequence, &contents) || !outer.empty()) {
    return {kField, "not a SEQUENCE"};
  }
  DerReader reader(contents);
  c->has_basic_constraints = true;
  if (reader.NextIs(der::kBoolean) && !reader.ReadBoolean(&c->is_ca)) {
    return {kField, "cA is not a DER BOOLEAN"};
  }
  if (!reader.empty()) {
    uint64_t length;
    if (!reader.ReadUint64(&length) || !reader.empty()) {
      return {kField, "pathLenConstraint is not a non-negative INTEGER"};
    }
    c->path_length = static_cast<int>(std::min<uint64_t>(length, 1 << 20));
  }
  return kNoFault;
}

Fault ParseKeyUsage(Bytes value, Certificate* c) {
  DerReader reader(value);
  if (!reader.ReadNamedBits(der::kBitString, &c->key_usage) ||
      !reader.empty()) {
    return {"keyUsage", "not a DER BIT STRING of named bits"};
  }
  c->has_key_usage = true;
  return kNoFault;
}

Fault ParseSubjectKeyId(Bytes value, Certificate* c) {
  DerReader reader(value);
  if (!reader.Read(der::kOctetString, &c->subject_key_id) || !reader.empty()) {
    return {"subjectKeyIdentifier", "not an OCTET STRING"};
  }
  return kNoFault;
}

Fault ParseAuthorityKeyId(Bytes value, Certificate* c) {
  constexpr const char* kField = "authorityKeyIdentifier";
  DerReader outer(value);
  Bytes contents;
  if (!outer.Read(der::kSequence, &contents) || !outer.empty()) {
    return {kField, "not a SEQUENCE"};
  }
  DerReader reader(contents);
  Bytes ignored;
  if (reader.NextIs(der::Context(0)) &&
      !reader.Read(der::Context(0), &c->authority_key_id)) {
    return {kField, "keyIdentifier is malformed"};
  }
  if (reader.NextIs(der::ContextConstructed(1)) &&
      (!reader.Read(der::ContextConstructed(1), &ignored) ||
       !AreWellFormedGeneralNames(ignored))) {
    return {kField, "authorityCertIssuer is malformed"};
  }
  if (reader.NextIs(der::Context(2)) &&
      !reader.ReadIntegerAs(der::Context(2), &ignored)) {
    return {kField, "authorityCertSerialNumber is malformed"};
  }
  if (!reader.empty()) return {kField, "unexpected element"};
  return kNoFault;
}

// SEQUENCE SIZE (1..MAX) OF `element_tag`; `contents` is what lies inside.
bool ReadNonEmptySequenceOf(Bytes value, uint8_t element_tag, Bytes* contents) {
  DerReader outer(value);
  if (!outer.Read(der::kSequence, contents) || !outer.empty()) return false;
  DerReader elements(*contents);
  if (elements.empty()) return false;
  while (!elements.empty()) {
    if (!elements.Skip(element_tag)) return false;
  }
  return true;
}

// The first qualifier RFC 5280 does not define; empty if there is none. False
// if one is malformed.
bool FindUnknownQualifier(Bytes qualifiers, Bytes* unknown) {
  DerReader list(qualifiers);
  Bytes info;
  while (list.Read(der::kSequence, &info)) {
    DerReader reader(info);
    Bytes oid;
    if (!reader.ReadOid(&oid)) return false;
    if (unknown->empty() && !IsKnownPolicyQualifier(oid)) *unknown = oid;
  }
  return true;
}

Fault ParsePolicies(Bytes value, bool critical, Certificate* c) {
  constexpr const char* kField = "certificatePolicies";
  if (!ReadNonEmptySequenceOf(value, der::kSequence, &c->policies)) {
    return {kField, "not a non-empty SEQUENCE of PolicyInformation"};
  }
  DerReader policies(c->policies);
  Bytes information;
  while (policies.Read(der::kSequence, &information)) {
    DerReader reader(information);
    Bytes oid;
    Bytes qualifiers;
    if (!reader.ReadOid(&oid)) return {kField, "policy is not an OID"};
    if (reader.empty()) continue;
    if (!reader.ReadElement(der::kSequence, &qualifiers) || !reader.empty() ||
        !ReadNonEmptySequenceOf(qualifiers, der::kSequence, &qualifiers)) {
      return {kField, "policyQualifiers are malformed"};
    }
    // Section 4.2.1.4: who cannot interpret a qualifier in a critical extension
    // must refuse the certificate.
    Bytes unknown;
    if (!FindUnknownQualifier(qualifiers, &unknown)) {
      return {kField, "a policyQualifierId is not an OID"};
    }
    if (critical && c->unknown_critical_extension.empty()) {
      c->unknown_critical_extension = unknown;
    }
  }
  return kNoFault;
}

Fault ParsePolicyMappings(Bytes value, Certificate* c) {
  constexpr const char* kField = "policyMappings";
  if (!ReadNonEmptySequenceOf(value, der::kSequence, &c->policy_mappings)) {
    return {kField, "not a non-empty SEQUENCE of mappings"};
  }
  DerReader mappings(c->policy_mappings);
  Bytes mapping;
  while (mappings.Read(der::kSequence, &mapping)) {
    DerReader reader(mapping);
    Bytes oid;
    if (!reader.ReadOid(&oid) || !reader.ReadOid(&oid) || !reader.empty()) {
      return {kField, "a mapping is not two OIDs"};
    }
  }
  return kNoFault;
}

bool ReadSkipCerts(DerReader* reader, uint8_t tag, int* skip) {
  if (!reader->NextIs(tag)) return true;
  uint64_t value;
  if (!reader->ReadUint64As(tag, &value)) return false;
  *skip = static_cast<int>(std::min<uint64_t>(value, 1 << 20));
  return true;
}

Fault ParsePolicyConstraints(Bytes value, Certificate* c) {
  constexpr const char* kField = "policyConstraints";
  DerReader outer(value);
  Bytes contents;
  if (!outer.Read(der::kSequence, &contents) || !outer.empty() ||
      contents.empty()) {
    return {kField, "not a non-empty SEQUENCE"};
  }
  DerReader reader(contents);
  if (!ReadSkipCerts(&reader, der::Context(0), &c->require_explicit_policy) ||
      !ReadSkipCerts(&reader, der::Context(1), &c->inhibit_policy_mapping) ||
      !reader.empty()) {
    return {kField, "SkipCerts is not a non-negative INTEGER"};
  }
  return kNoFault;
}

Fault ParseInhibitAnyPolicy(Bytes value, Certificate* c) {
  DerReader reader(value);
  if (!ReadSkipCerts(&reader, der::kInteger, &c->inhibit_any_policy) ||
      !reader.empty() || c->inhibit_any_policy < 0) {
    return {"inhibitAnyPolicy", "not a non-negative INTEGER"};
  }
  return kNoFault;
}

Fault ParseNameConstraints(Bytes value, Certificate* c) {
  constexpr const char* kField = "nameConstraints";
  DerReader outer(value);
  Bytes contents;
  if (!outer.Read(der::kSequence, &contents) || !outer.empty() ||
      contents.empty()) {
    return {kField, "not a non-empty SEQUENCE"};
  }
  DerReader reader(contents);
  const struct {
    uint8_t tag;
    Bytes* subtrees;
  } parts[] = {{der::ContextConstructed(0), &c->permitted_subtrees},
               {der::ContextConstructed(1), &c->excluded_subtrees}};
  for (const auto& part : parts) {
    if (!reader.NextIs(part.tag)) continue;
    if (!reader.Read(part.tag, part.subtrees) || part.subtrees->empty()) {
      return {kField, "GeneralSubtrees is malformed or empty"};
    }
    DerReader subtrees(*part.subtrees);
    while (!subtrees.empty()) {
      if (!subtrees.Skip(der::kSequence)) {
        return {kField, "GeneralSubtree is not a SEQUENCE"};
      }
    }
  }
  if (!reader.empty()) return {kField, "unexpected element"};
  return kNoFault;
}

Fault ParseSubjectAltName(Bytes value, Certificate* c) {
  DerReader outer(value);
  if (!outer.Read(der::kSequence, &c->subject_alt_names) || !outer.empty() ||
      !AreWellFormedGeneralNames(c->subject_alt_names)) {
    return {"subjectAltName", "not a non-empty SEQUENCE of GeneralName"};
  }
  return kNoFault;
}

Fault ParseExtendedKeyUsage(Bytes value, bool critical, Certificate* c) {
  if (!ReadNonEmptySequenceOf(value, der::kOid, &c->extended_key_usage)) {
    return {"extKeyUsage", "not a non-empty SEQUENCE of OID"};
  }
  c->extended_key_usage_critical = critical;
  return kNoFault;
}

Fault ParseDistributionPoints(Bytes value, const char* field, Bytes* points) {
  DerReader outer(value);
  if (!outer.Read(der::kSequence, points) || !outer.empty() ||
      !AreWellFormedDistributionPoints(*points)) {
    return {
        field,
        "not a SEQUENCE of 1 to 64 DistributionPoints, with at most 16 names "
        "and 4 cRLIssuers each"};
  }
  return kNoFault;
}

// Reads the value of one extension; *processed says whether we know it.
Fault ParseExtensionValue(int id_ce, Bytes value, bool critical, Certificate* c,
                          bool* processed) {
  *processed = true;
  switch (id_ce) {
    case 14:
      return ParseSubjectKeyId(value, c);
    case 15:
      return ParseKeyUsage(value, c);
    case 17:
      return ParseSubjectAltName(value, c);
    case 19:
      return ParseBasicConstraints(value, c);
    case 30:
      return ParseNameConstraints(value, c);
    case 31:
      return ParseDistributionPoints(value, "cRLDistributionPoints",
                                     &c->crl_distribution_points);
    case 32:
      return ParsePolicies(value, critical, c);
    case 33:
      return ParsePolicyMappings(value, c);
    case 35:
      return ParseAuthorityKeyId(value, c);
    case 36:
      return ParsePolicyConstraints(value, c);
    case 37:
      return ParseExtendedKeyUsage(value, critical, c);
    case 46:
      return ParseDistributionPoints(value, "freshestCRL", &c->freshest_crl);
    case 54:
      return ParseInhibitAnyPolicy(value, c);
    default:
      *processed = false;
      return kNoFault;
  }
}

Fault ParseExtensions(Bytes contents, Certificate* c) {
  DerReader extensions(contents);
  if (extensions.empty()) return {"extensions", "an empty SEQUENCE"};
  SeenExtensions seen;
  int count = 0;
  while (!extensions.empty()) {
    Bytes extension;
    Bytes oid;
    Bytes value;
    bool critical = false;
    if (!extensions.Read(der::kSequence, &extension)) {
      return {"extensions", "an extension is not a SEQUENCE"};
    }
    DerReader reader(extension);
    if (!reader.ReadOid(&oid) ||
        (reader.NextIs(der::kBoolean) && !reader.ReadBoolean(&critical)) ||
        !reader.Read(der::kOctetString, &value) || !reader.empty()) {
      return {"extensions", "an extension is malformed"};
    }
    if (++count > kExtensionsMax) return {"extensions", "more than 32"};
    const int id_ce = IdCeNumber(oid);
    if (!seen.Add(oid, id_ce)) {
      return {"extensions", "an extension appears twice"};
    }
    bool processed;
    if (Fault fault =
            ParseExtensionValue(id_ce, value, critical, c, &processed);
        !fault.ok()) {
      return fault;
    }
    if (critical && !processed && c->unknown_critical_extension.empty()) {
      c->unknown_critical_extension = oid;
    }
  }
  return kNoFault;
}

Fault ParseValidity(DerReader* tbs, Validity* validity) {
  Bytes contents;
  if (!tbs->Read(der::kSequence, &contents)) {
    return {"validity", "not a SEQUENCE"};
  }
  DerReader reader(contents);
  if (!reader.ReadTime(&validity->not_before)) {
    return {"validity.notBefore", "not a UTCTime or GeneralizedTime in DER"};
  }
  if (!reader.ReadTime(&validity->not_after)) {
    return {"validity.notAfter", "not a UTCTime or GeneralizedTime in DER"};
  }
  if (!reader.empty()) return {"validity", "trailing octets"};
  return kNoFault;
}

Fault ParseVersion(DerReader* tbs, int* version) {
  *version = 1;
  Bytes explicit_version;
  if (!tbs->NextIs(der::ContextConstructed(0))) return kNoFault;
  if (!tbs->Read(der::ContextConstructed(0), &explicit_version)) {
    return {"version", "malformed"};
  }
  DerReader reader(explicit_version);
  uint64_t value;
  if (!reader.ReadUint64(&value) || !reader.empty()) {
    return {"version", "not an INTEGER"};
  }
  // DER leaves a default out, so version 1 is never written.
  if (value != 1 && value != 2) return {"version", "not 2 or 3"};
  *version = static_cast<int>(value) + 1;
  return kNoFault;
}

// The unique identifiers and extensions that end a tbsCertificate.
Fault ParseTbsTail(DerReader* tbs, Certificate* c) {
  for (const unsigned n : {1U, 2U}) {
    if (!tbs->NextIs(der::Context(n))) continue;
    if (c->version < 2 || !tbs->Skip(der::Context(n))) {
      return {"uniqueID", "malformed, or in a version 1 certificate"};
    }
  }
  if (tbs->NextIs(der::ContextConstructed(3))) {
    Bytes wrapper;
    Bytes contents;
    if (c->version != 3 || !tbs->Read(der::ContextConstructed(3), &wrapper)) {
      return {"extensions", "malformed, or not in a version 3 certificate"};
    }
    DerReader reader(wrapper);
    if (!reader.Read(der::kSequence, &contents) || !reader.empty()) {
      return {"extensions", "not a SEQUENCE"};
    }
    if (Fault fault = ParseExtensions(contents, c); !fault.ok()) return fault;
  }
  if (!tbs->empty()) return {"tbsCertificate", "trailing octets"};
  return kNoFault;
}

Fault ParseTbs(Bytes contents, Bytes outer_algorithm, Certificate* c) {
  DerReader tbs(contents);
  if (Fault fault = ParseVersion(&tbs, &c->version); !fault.ok()) return fault;
  if (!tbs.ReadInteger(&c->serial) || c->serial.size() > kSerialOctetsMax) {
    return {"serialNumber", "not a DER INTEGER of at most 21 octets"};
  }
  Bytes algorithm;
  if (!tbs.ReadElement(der::kSequence, &algorithm)) {
    return {"signature", "not an AlgorithmIdentifier"};
  }
  if (!SameBytes(algorithm, outer_algorithm)) {
    return {"signatureAlgorithm", "differs from tbsCertificate.signature"};
  }
  if (!tbs.ReadElement(der::kSequence, &c->issuer) ||
      !IsWellFormedName(c->issuer) || IsEmptyName(c->issuer)) {
    return {"issuer",
            "not a non-empty Name, or too long in text beyond ASCII (1,024 "
            "octets a text, 4,096 a name)"};
  }
  if (Fault fault = ParseValidity(&tbs, &c->validity); !fault.ok()) {
    return fault;
  }
  if (!tbs.ReadElement(der::kSequence, &c->subject) ||
      !IsWellFormedName(c->subject)) {
    return {"subject",
            "not a Name, or too long in text beyond ASCII (1,024 octets a "
            "text, 4,096 a name)"};
  }
  Bytes spki;
  if (!tbs.ReadElement(der::kSequence, &spki)) {
    return {"subjectPublicKeyInfo", "not a SEQUENCE"};
  }
  if (Fault fault = ParsePublicKey(spki, &c->key); !fault.ok()) return fault;
  return ParseTbsTail(&tbs, c);
}

}  // namespace

Fault ParseCertificate(Bytes der, Certificate* certificate) {
  *certificate = Certificate();
  Certificate* c = certificate;
  c->der = der;
  DerReader outer(der);
  Bytes contents;
  if (!outer.Read(der::kSequence, &contents)) {
    return {"certificate",
            "not a complete DER SEQUENCE (truncated, or not a certificate)"};
  }
  if (!outer.empty()) return {"certificate", "octets after the certificate"};
  DerReader reader(contents);
  Bytes algorithm;
  if (!reader.ReadElement(der::kSequence, &c->tbs)) {
    return {"tbsCertificate", "not a SEQUENCE"};
  }
  if (!reader.ReadElement(der::kSequence, &algorithm)) {
    return {"signatureAlgorithm", "not a SEQUENCE"};
  }
  if (Fault fault = ParseSignatureAlgorithm(algorithm, &c->signature_algorithm);
      !fault.ok()) {
    return fault;
  }
  if (!reader.ReadOctetAlignedBitString(&c->signature)) {
    return {"signatureValue", "not a BIT STRING of whole octets"};
  }
  if (!reader.empty()) return {"certificate", "more than three elements"};
  DerReader tbs(c->tbs);
  if (!tbs.Read(der::kSequence, &contents)) {
    return {"tbsCertificate", "not a SEQUENCE"};
  }
  if (Fault fault = ParseTbs(contents, algorithm, c); !fault.ok()) return fault;
  c->self_issued = SameName(c->subject, c->issuer);
  return kNoFault;
}

}  // namespace inkan
