#include "tests/conformance/differential_form_rules.h"

namespace inkan {
namespace {

struct FormRule {
  std::string_view fault;  // how the message begins
  const char* sentence;
};

constexpr char kDerRule[] =
    "4.1 and 5.1: the data that is to be signed is encoded using the ASN.1 "
    "distinguished encoding rules (DER)";

constexpr char kNameRule[] =
    "4.1.2.4 and appendix A.1: AttributeValue ::= ANY -- DEFINED BY "
    "AttributeType, such as X520countryName ::= PrintableString; and DER";

constexpr FormRule kFormRules[] = {
    {"extensions: an extension appears twice",
     "4.2: a certificate MUST NOT include more than one instance of a "
     "particular extension"},
    {"crlExtensions: an extension appears twice",
     "4.2, by 5.2: MUST NOT include more than one instance of a particular "
     "extension"},
    {"extensions: an empty SEQUENCE",
     "4.1: Extensions ::= SEQUENCE SIZE (1..MAX) OF Extension"},
    {"crlExtensions: an empty SEQUENCE",
     "4.1: Extensions ::= SEQUENCE SIZE (1..MAX) OF Extension"},
    {"keyUsage: not a DER BIT STRING", kDerRule},
    {"authorityKeyIdentifier: ", kDerRule},
    {"subjectKeyIdentifier: not an OCTET STRING", kDerRule},
    {"basicConstraints: ", kDerRule},
    {"extensions: ", kDerRule},
    {"policyConstraints: not", kDerRule},
    {"policyConstraints: SkipCerts", kDerRule},
    {"policyMappings: not", kDerRule},
    {"policyMappings: a mapping is not", kDerRule},
    {"inhibitAnyPolicy: ", kDerRule},
    {"crlExtensions: an extension is malformed", kDerRule},
    {"crlEntryExtensions: an extension is malformed", kDerRule},
    {"crlEntryExtensions: an extension appears twice",
     "4.2, by 5.3: MUST NOT include more than one instance of a particular "
     "extension"},
    {"reasonCode: not a CRLReason",
     "5.3.1: CRLReason ::= ENUMERATED { 0 to 10 without 7 }"},
    {"reasonCode: removeFromCRL outside a delta CRL",
     "5.3.1: The removeFromCRL (8) reasonCode value may only appear in delta "
     "CRLs"},
    {"invalidityDate: not a GeneralizedTime",
     "5.3.2: InvalidityDate ::= GeneralizedTime"},
    {"cRLNumber: ",
     "5.2.3: CRLNumber ::= INTEGER (0..MAX); conforming CRL issuers MUST NOT "
     "use CRLNumber values longer than 20 octets"},
    {"deltaCRLIndicator: not a",
     "5.2.4: BaseCRLNumber ::= CRLNumber ::= INTEGER (0..MAX)"},
    {"issuingDistributionPoint: ", kDerRule},
    {"freshestCRL: ", kDerRule},
    {"cRLDistributionPoints: ", kDerRule},
    {"certificatePolicies: ", kDerRule},
    {"subjectAltName: ", kNameRule},
    {"nameConstraints: ", kDerRule},
    {"extKeyUsage: not a", kDerRule},
    {"validity", "4.1.2.5: GMT, seconds included, in one form"},
    {"thisUpdate: ", "5.1.2.4: GMT, seconds included, in one form"},
    {"nextUpdate: ", "5.1.2.5: GMT, seconds included, in one form"},
    {"revocationDate: ", "5.1.2.6: expressed in the same way as thisUpdate"},
    {"serialNumber: ", "4.1.2.2: not longer than 20 octets"},
    {"certificateIssuer: in a CRL that is not indirect",
     "5.3.3: identifies the certificate issuer associated with an entry in an "
     "indirect CRL"},
    {"certificateIssuer: ", kDerRule},
    {"subjectPublicKeyInfo: ", "4.1.2.7 and RFC 3279, RFC 5480"},
    {"signatureAlgorithm: ", "4.1.1.2: MUST contain the same algorithm"},
    {"version: ", "4.1.2.1"},
    {"issuer: ",
     "4.1.2.4: MUST contain a non-empty distinguished name; appendix A.1"},
    {"subject: ", kNameRule},
    {"uniqueID: ", "4.1.2.8: MUST only appear if the version is 2 or 3"},
    {"nextUpdate: before thisUpdate", "5.1.2.5"},
};

}  // namespace

const char* BrokenFormRule(std::string_view message) {
  for (const FormRule& rule : kFormRules) {
    if (message.substr(0, rule.fault.size()) == rule.fault) {
      return rule.sentence;
    }
  }
  return nullptr;
}

}  // namespace inkan
