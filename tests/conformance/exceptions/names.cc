// Names: their values, how they are compared, and constraints on them.
#include <openssl/x509v3.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "crypto/crl.h"
#include "crypto/der.h"
#include "crypto/general_name.h"
#include "crypto/name.h"
#include "tests/conformance/differential_openssl.h"
#include "tests/conformance/exceptions/difference.h"

namespace inkan::differential {
namespace {

// Whether a Name has a value OpenSSL does not take for a string.
bool HasValueOfOtherType(Bytes name) {
  constexpr uint8_t kTaken[] = {
      der::kBitString,     der::kUtf8String,      der::kSequence,
      der::kNumericString, der::kTeletexString,   der::kPrintableString,
      der::kIa5String,     der::kUniversalString, der::kBmpString};
  DerReader outer(name);
  Bytes rdns;
  if (!outer.Read(der::kSequence, &rdns)) return false;
  DerReader sequence(rdns);
  Bytes rdn;
  while (sequence.Read(der::kSet, &rdn)) {
    DerReader set(rdn);
    Bytes attribute;
    while (set.Read(der::kSequence, &attribute)) {
      DerReader reader(attribute);
      Bytes type;
      Bytes value;
      uint8_t tag;
      if (reader.ReadOid(&type) && reader.ReadAny(&tag, &value) &&
          std::find(std::begin(kTaken), std::end(kTaken), tag) ==
              std::end(kTaken)) {
        return true;
      }
    }
  }
  return false;
}

// A NumericString in a Name: 06 03 and an OID of three octets, then its tag.
bool HasNumericString(Bytes name) {
  constexpr std::string_view kCountry("\x06\x03\x55\x04\x06\x12", 6);
  constexpr std::string_view kOrganization("\x06\x03\x55\x04\x0a\x12", 6);
  constexpr std::string_view kCommonName("\x06\x03\x55\x04\x03\x12", 6);
  const std::string_view text = AsText(name);
  for (const std::string_view start : {kCountry, kOrganization, kCommonName}) {
    if (text.find(start) != std::string_view::npos) return true;
  }
  return false;
}

bool ComparesNumericStrings(const Difference& d) {
  if (!d.TheirsIs({X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
                   X509_V_ERR_UNABLE_TO_GET_CRL})) {
    return false;
  }
  for (const Certificate& view : d.views) {
    if (HasNumericString(view.issuer) || HasNumericString(view.subject)) {
      return true;
    }
  }
  for (const std::string& der : d.c.crls) {
    Crl crl;
    if (ParseCrl(AsBytes(der), &crl).ok() && HasNumericString(crl.issuer)) {
      return true;
    }
  }
  return false;
}

bool HasAlternativeOfOtherType(const Certificate& view) {
  DerReader names(view.subject_alt_names);
  GeneralName name;
  while (!names.empty() && ReadGeneralName(&names, &name)) {
    if (name.kind == GeneralNameKind::kDirectoryName &&
        HasValueOfOtherType(name.value)) {
      return true;
    }
  }
  return false;
}

// OpenSSL cannot read a certificate or CRL, or a certificate's extensions,
// because of such a name.
bool HasNameOpenSslCannotRead(const Difference& d) {
  for (size_t i = 0; i < d.views.size(); ++i) {
    X509* const one = d.certificates[i].get();
    if (one == nullptr
            ? HasValueOfOtherType(d.views[i].subject) ||
                  HasValueOfOtherType(d.views[i].issuer)
            : (X509_get_extension_flags(one) & EXFLAG_INVALID) != 0 &&
                  HasAlternativeOfOtherType(d.views[i])) {
      return true;
    }
  }
  for (size_t i = 0; i < d.crls.size(); ++i) {
    Crl crl;
    if (d.crls[i] == nullptr && ParseCrl(AsBytes(d.c.crls[i]), &crl).ok() &&
        HasValueOfOtherType(crl.issuer)) {
      return true;
    }
  }
  return false;
}

// An rfc822Name in the subjectAltName beside emailAddress in the subject.
bool SubjectsMailboxBesideAnother(const Difference& d) {
  if (!d.TheirsIs(
          {X509_V_ERR_PERMITTED_VIOLATION, X509_V_ERR_EXCLUDED_VIOLATION})) {
    return false;
  }
  for (size_t i = 0; i < d.views.size(); ++i) {
    if (d.certificates[i] == nullptr ||
        X509_NAME_get_index_by_NID(
            X509_get_subject_name(d.certificates[i].get()),
            NID_pkcs9_emailAddress, -1) < 0) {
      continue;
    }
    DerReader names(d.views[i].subject_alt_names);
    GeneralName name;
    while (!names.empty() && ReadGeneralName(&names, &name)) {
      if (name.kind == GeneralNameKind::kRfc822Name) return true;
    }
  }
  return false;
}

// Two names that RFC 4518 makes the same and folding ASCII does not.
bool AreTheSameBeyondAscii(Bytes a, const X509_NAME* a_theirs, Bytes b,
                           const X509_NAME* b_theirs) {
  return SameName(a, b) && X509_NAME_cmp(a_theirs, b_theirs) != 0;
}

bool ComparesBeyondAscii(const Difference& d) {
  if (!d.TheirsIs({X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
                   X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
                   X509_V_ERR_UNABLE_TO_GET_CRL,
                   X509_V_ERR_DIFFERENT_CRL_SCOPE})) {
    return false;
  }
  for (size_t ca = 1; ca < d.views.size(); ++ca) {
    const X509* theirs = d.certificates[ca].get();
    if (theirs == nullptr || d.views[ca].der.empty()) continue;
    const X509_NAME* name = X509_get_subject_name(theirs);
    for (size_t i = 0; i < d.views.size(); ++i) {
      if (d.certificates[i] != nullptr && !d.views[i].der.empty() &&
          AreTheSameBeyondAscii(d.views[i].issuer,
                                X509_get_issuer_name(d.certificates[i].get()),
                                d.views[ca].subject, name)) {
        return true;
      }
    }
    for (size_t i = 0; i < d.crls.size(); ++i) {
      Crl crl;
      if (d.crls[i] != nullptr && ParseCrl(AsBytes(d.c.crls[i]), &crl).ok() &&
          AreTheSameBeyondAscii(crl.issuer,
                                X509_CRL_get_issuer(d.crls[i].get()),
                                d.views[ca].subject, name)) {
        return true;
      }
    }
  }
  return false;
}

constexpr ExceptionClass kClasses[] = {
    {"attribute value that is no string", true,
     "4.1.2.4: \"AttributeValue ::= ANY -- DEFINED BY AttributeType\"; values "
     "of types that appendix A.1 does not define are compared octet by octet, "
     "and VisibleString is text.",
     HasNameOpenSslCannotRead},
    {"NumericString is text", true,
     "OpenSSL compares it octet by octet. 7.1: implementations \"MUST perform "
     "the six-step string preparation algorithm\" of RFC 4518, which "
     "transcodes "
     "NumericString.",
     ComparesNumericStrings},
    {"subject's mailbox beside another", true,
     "4.2.1.10: \"When a certificate does not include a subject alternative "
     "name of type rfc822Name\", emailAddress in the subject is constrained; "
     "OpenSSL does it always.",
     SubjectsMailboxBesideAnother},
    {"the same beyond ASCII", true,
     "OpenSSL folds ASCII alone. 7.1: implementations \"MUST perform the "
     "six-step string preparation algorithm\" of RFC 4518, \"with case "
     "folding\".",
     ComparesBeyondAscii},
};

}  // namespace

absl::Span<const ExceptionClass> NameExceptions() { return kClasses; }

}  // namespace inkan::differential
