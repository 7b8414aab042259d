#include "tests/conformance/differential_exceptions.h"

#include <openssl/err.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "cache/crl_data.h"
#include "crypto/certificate.h"
#include "crypto/crl.h"
#include "crypto/general_name.h"
#include "crypto/name.h"
#include "crypto/verdict.h"
#include "tests/conformance/differential_form_rules.h"
#include "tests/conformance/differential_openssl.h"

namespace inkan {
namespace {

using differential::CertificatePtr;
using differential::CrlPtr;

using AkiPtr =
    std::unique_ptr<AUTHORITY_KEYID, lab::FreeWith<AUTHORITY_KEYID_free>>;

// The difference, with what the predicates ask about it.
struct Difference {
  const DifferentialCase& c;
  const Answer& ours;
  const Answer& theirs;
  // Leaf first, then intermediates, then the anchor; null if not readable.
  std::vector<CertificatePtr> certificates;
  std::vector<CrlPtr> crls;
  // The same by our reader; `der` is empty if we cannot read it.
  std::vector<Certificate> views;

  bool TheirsIs(std::initializer_list<int> codes) const {
    return std::find(codes.begin(), codes.end(), theirs.code) != codes.end();
  }
  bool OursIs(Outcome outcome) const {
    return ours.code == static_cast<int>(outcome);
  }
};

Difference Look(const DifferentialCase& c, const Answer& ours,
                const Answer& theirs) {
  Difference d = {c, ours, theirs, {}, {}, {}};
  std::vector<const std::string*> ders = {&c.leaf};
  for (const std::string& der : c.intermediates) ders.push_back(&der);
  ders.push_back(&c.anchor);
  for (const std::string* der : ders) {
    d.certificates.push_back(differential::ReadCertificate(*der));
    Certificate view;
    if (!ParseCertificate(AsBytes(*der), &view).ok()) view = Certificate();
    d.views.push_back(view);
  }
  for (const std::string& der : c.crls) {
    d.crls.push_back(differential::ReadCrl(der));
  }
  return d;
}

// --- OpenSSL asks for more than RFC 5280 -------------------------------------

// A certificate that a CA of the case did issue, but whose
// authorityKeyIdentifier names another.
bool NamesAnotherIssuer(const X509* child, const AUTHORITY_KEYID* aki,
                        X509* issuer) {
  return aki != nullptr && child != nullptr && issuer != nullptr &&
         X509_check_akid(issuer, aki) != X509_V_OK;
}

bool CertificateNamesAnotherKey(const Difference& d) {
  if (!d.TheirsIs({X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
                   X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
                   X509_V_ERR_CERT_SIGNATURE_FAILURE,
                   X509_V_ERR_CRL_PATH_VALIDATION_ERROR})) {
    return false;
  }
  for (const CertificatePtr& child : d.certificates) {
    if (child == nullptr) continue;
    const AkiPtr aki(static_cast<AUTHORITY_KEYID*>(X509_get_ext_d2i(
        child.get(), NID_authority_key_identifier, nullptr, nullptr)));
    for (const CertificatePtr& ca : d.certificates) {
      if (NamesAnotherIssuer(child.get(), aki.get(), ca.get()) &&
          X509_NAME_cmp(X509_get_issuer_name(child.get()),
                        X509_get_subject_name(ca.get())) == 0 &&
          X509_verify(child.get(), X509_get0_pubkey(ca.get())) == 1) {
        return true;
      }
    }
  }
  return false;
}

bool CrlNamesAnotherKey(const Difference& d) {
  if (!d.TheirsIs({X509_V_ERR_UNABLE_TO_GET_CRL, X509_V_ERR_DIFFERENT_CRL_SCOPE,
                   X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER,
                   X509_V_ERR_CRL_PATH_VALIDATION_ERROR,
                   X509_V_ERR_CRL_HAS_EXPIRED})) {
    return false;
  }
  for (const CrlPtr& crl : d.crls) {
    if (crl == nullptr) continue;
    const AkiPtr aki(static_cast<AUTHORITY_KEYID*>(X509_CRL_get_ext_d2i(
        crl.get(), NID_authority_key_identifier, nullptr, nullptr)));
    for (const CertificatePtr& ca : d.certificates) {
      if (aki != nullptr && ca != nullptr &&
          X509_check_akid(ca.get(), aki.get()) != X509_V_OK &&
          X509_NAME_cmp(X509_CRL_get_issuer(crl.get()),
                        X509_get_subject_name(ca.get())) == 0 &&
          X509_CRL_verify(crl.get(), X509_get0_pubkey(ca.get())) == 1) {
        return true;
      }
    }
  }
  return false;
}

// At T, the last second of notAfter or nextUpdate.
bool EndsAtTheVerificationTime(const Difference& d) {
  if (d.TheirsIs({X509_V_ERR_CERT_HAS_EXPIRED,
                  X509_V_ERR_CRL_PATH_VALIDATION_ERROR})) {
    for (const Certificate& view : d.views) {
      if (view.validity.not_after == d.c.time) return true;
    }
  }
  if (!d.TheirsIs({X509_V_ERR_CRL_HAS_EXPIRED})) return false;
  for (const std::string& der : d.c.crls) {
    Crl crl;
    if (ParseCrl(AsBytes(der), &crl).ok() && crl.next_update == d.c.time) {
      return true;
    }
  }
  return false;
}

bool HasCriticalAmong(const STACK_OF(X509_EXTENSION) * extensions,
                      std::initializer_list<int> nids) {
  for (const int nid : nids) {
    const int at = X509v3_get_ext_by_NID(extensions, nid, -1);
    if (at >= 0 &&
        X509_EXTENSION_get_critical(X509v3_get_ext(extensions, at)) != 0) {
      return true;
    }
  }
  return false;
}

bool CriticalAndKnownToUs(const Difference& d) {
  if (!d.TheirsIs({X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION,
                   X509_V_ERR_CRL_PATH_VALIDATION_ERROR})) {
    return false;
  }
  for (const CertificatePtr& one : d.certificates) {
    if (one != nullptr &&
        HasCriticalAmong(X509_get0_extensions(one.get()),
                         {NID_subject_key_identifier,
                          NID_authority_key_identifier, NID_freshest_crl})) {
      return true;
    }
  }
  return false;
}

bool CriticalInCrlAndKnownToUs(const Difference& d) {
  if (!d.TheirsIs({X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION,
                   X509_V_ERR_CRL_HAS_EXPIRED, X509_V_ERR_DIFFERENT_CRL_SCOPE,
                   X509_V_ERR_UNABLE_TO_GET_CRL,
                   X509_V_ERR_CRL_PATH_VALIDATION_ERROR})) {
    return false;
  }
  for (const CrlPtr& crl : d.crls) {
    if (crl == nullptr) continue;
    if (HasCriticalAmong(X509_CRL_get0_extensions(crl.get()),
                         {NID_crl_number, NID_freshest_crl})) {
      return true;
    }
    STACK_OF(X509_REVOKED)* entries = X509_CRL_get_REVOKED(crl.get());
    for (int i = 0; i < sk_X509_REVOKED_num(entries); ++i) {
      if (HasCriticalAmong(
              X509_REVOKED_get0_extensions(sk_X509_REVOKED_value(entries, i)),
              {NID_crl_reason, NID_invalidity_date})) {
        return true;
      }
    }
  }
  return false;
}

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

// OpenSSL cannot read a certificate or CRL because of such a name.
bool HasNameOpenSslCannotRead(const Difference& d) {
  for (size_t i = 0; i < d.views.size(); ++i) {
    if (d.certificates[i] == nullptr &&
        (HasValueOfOtherType(d.views[i].subject) ||
         HasValueOfOtherType(d.views[i].issuer))) {
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

// Self-issued, signed with another key than its own, but without the two key
// identifiers that would tell OpenSSL so.
bool LooksSelfSigned(const Difference& d) {
  if (!d.TheirsIs({X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
                   X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
                   X509_V_ERR_CERT_SIGNATURE_FAILURE})) {
    return false;
  }
  for (size_t i = 0; i + 1 < d.certificates.size(); ++i) {
    X509* one = d.certificates[i].get();
    if (one == nullptr || !d.views[i].self_issued) continue;
    if (X509_self_signed(one, 1) == 1) continue;
    const Bytes own = d.views[i].subject_key_id;
    const Bytes issuers = d.views[i].authority_key_id;
    if (own.empty() || issuers.empty() || SameBytes(own, issuers)) return true;
  }
  return false;
}

// Two CAs of one name and different keys.
bool TwoKeysHaveOneName(const Difference& d) {
  for (size_t i = 1; i < d.views.size(); ++i) {
    for (size_t j = i + 1; j < d.views.size(); ++j) {
      const Certificate& a = d.views[i];
      const Certificate& b = d.views[j];
      if (!a.der.empty() && !b.der.empty() && SameName(a.subject, b.subject) &&
          !SameBytes(a.key.spki, b.key.spki)) {
        return true;
      }
    }
  }
  return false;
}

bool TakesTheOtherKeyOfTheName(const Difference& d) {
  if (!d.TheirsIs({X509_V_ERR_CERT_SIGNATURE_FAILURE,
                   X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
                   X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
                   X509_V_ERR_PATH_LENGTH_EXCEEDED,
                   X509_V_ERR_CRL_PATH_VALIDATION_ERROR}) ||
      !TwoKeysHaveOneName(d)) {
    return false;
  }
  // The identifiers do not settle which one is meant.
  for (size_t i = 0; i < d.views.size(); ++i) {
    const Certificate& view = d.views[i];
    if (view.der.empty()) continue;
    if (i + 1 < d.views.size() && view.authority_key_id.empty()) return true;
    if (i > 0 && view.is_ca && view.subject_key_id.empty()) return true;
  }
  return false;
}

bool TakesTheOtherKeysCrl(const Difference& d) {
  return d.TheirsIs(
             {X509_V_ERR_UNABLE_TO_GET_CRL, X509_V_ERR_CRL_SIGNATURE_FAILURE,
              X509_V_ERR_DIFFERENT_CRL_SCOPE,
              X509_V_ERR_CRL_PATH_VALIDATION_ERROR, X509_V_ERR_CERT_REVOKED,
              X509_V_ERR_CRL_HAS_EXPIRED, X509_V_ERR_KEYUSAGE_NO_CRL_SIGN}) &&
         TwoKeysHaveOneName(d);
}

bool LeafKeyIsNoPoint(const Difference& d) {
  const bool unusable = d.certificates[0] != nullptr &&
                        X509_get0_pubkey(d.certificates[0].get()) == nullptr;
  return d.TheirsIs({X509_V_ERR_UNSPECIFIED,
                     X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY}) &&
         unusable;
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

// Without the CRLs that we refuse OpenSSL says what we say.
bool StopsAtACrlOfNoUse(const Difference& d) {
  if (d.ours.refused_crls.empty()) return false;
  DifferentialCase rest = d.c;
  rest.crls.clear();
  for (size_t i = 0; i < d.c.crls.size(); ++i) {
    const auto& refused = d.ours.refused_crls;
    if (std::find(refused.begin(), refused.end(), i) == refused.end()) {
      rest.crls.push_back(d.c.crls[i]);
    }
  }
  const Answer theirs = JudgeByOpenSsl(rest);
  if (theirs.passed == d.ours.passed) return true;
  // Or there is another reason besides.
  Answer ours = d.ours;
  ours.refused_crls.clear();
  return ExplainDifference(rest, ours, theirs) != nullptr;
}

// A certificate whose distribution point names a cRLIssuer.
bool HasPointWithCrlIssuer(const Difference& d) {
  for (const Certificate& view : d.views) {
    DerReader points(view.crl_distribution_points);
    DistributionPoint point;
    while (!points.empty() && ReadDistributionPoint(&points, &point)) {
      if (!point.crl_issuer.empty()) return true;
    }
  }
  return false;
}

// A CRL signer whose distribution point names itself as the cRLIssuer.
bool SignerSpeaksForItself(const Difference& d) {
  if (!d.TheirsIs({X509_V_ERR_CRL_PATH_VALIDATION_ERROR})) return false;
  for (const Certificate& view : d.views) {
    DerReader points(view.crl_distribution_points);
    DistributionPoint point;
    while (!points.empty() && ReadDistributionPoint(&points, &point)) {
      DerReader issuers(point.crl_issuer);
      GeneralName name;
      while (!issuers.empty() && ReadGeneralName(&issuers, &name)) {
        if (name.kind == GeneralNameKind::kDirectoryName &&
            SameName(name.value, view.subject)) {
          return true;
        }
      }
    }
  }
  return false;
}

// Whether a CRL of the case, indirect or not, lists a certificate of the case.
bool IsListed(const Difference& d, bool by_indirect) {
  for (const std::string& der : d.c.crls) {
    const auto crl = ReadCrl(AsBytes(der), "");
    if (!crl.ok() || (*crl)->scope.indirect != by_indirect) continue;
    for (const Certificate& view : d.views) {
      if (view.der.empty()) continue;
      const std::string issuer = CanonicalName(view.issuer);
      Revocation entry;
      if (!by_indirect) {
        if ((*crl)->canonical_issuer == issuer &&
            (*crl)->index.Find(view.serial, &entry)) {
          return true;
        }
        continue;
      }
      const auto index = (*crl)->indirect.find(issuer);
      if (index != (*crl)->indirect.end() &&
          index->second.Find(view.serial, &entry)) {
        return true;
      }
    }
  }
  return false;
}

bool OwnCrlListsItThePointsDoesNot(const Difference& d) {
  return d.TheirsIs({X509_V_ERR_CERT_REVOKED}) && HasPointWithCrlIssuer(d) &&
         IsListed(d, /*by_indirect=*/false);
}

// --- OpenSSL asks for less ---------------------------------------------------

bool PointsCrlListsItOwnCrlDoesNot(const Difference& d) {
  return d.OursIs(Outcome::kRevoked) && HasPointWithCrlIssuer(d) &&
         IsListed(d, /*by_indirect=*/true);
}

bool RemovedThoughRevokedForGood(const Difference& d) {
  if (!d.OursIs(Outcome::kRevoked)) return false;
  for (const std::string& der : d.c.crls) {
    const auto crl = ReadCrl(AsBytes(der), "");
    if (!crl.ok() || !(*crl)->is_delta) continue;
    for (const Certificate& view : d.views) {
      Revocation entry;
      if (!view.der.empty() && (*crl)->index.Find(view.serial, &entry) &&
          entry.reason == crl_reason::kRemoveFromCrl) {
        return true;
      }
    }
  }
  return false;
}

// A delta lists a certificate of the case, and a complete CRL of its issuer
// does not say freshestCRL.
bool DeltaNobodyPointsTo(const Difference& d) {
  if (!d.OursIs(Outcome::kRevoked)) return false;
  bool lists = false;
  for (const std::string& der : d.c.crls) {
    const auto crl = ReadCrl(AsBytes(der), "");
    if (!crl.ok()) continue;
    for (const Certificate& view : d.views) {
      Revocation entry;
      lists |= (*crl)->is_delta && !view.der.empty() &&
               (*crl)->index.Find(view.serial, &entry);
      for (const std::string& base_der : d.c.crls) {
        Crl base;
        if (ParseCrl(AsBytes(base_der), &base).ok() &&
            base.freshest_crl.empty() && base.base_crl_number.empty() &&
            (*crl)->is_delta &&
            SameName(base.issuer, AsBytes((*crl)->issuer)) && lists) {
          return true;
        }
      }
    }
  }
  return false;
}

// A delta with the number of the complete CRL it is for.
bool DeltaHasTheNumberOfItsBase(const Difference& d) {
  for (const std::string& delta_der : d.c.crls) {
    const auto delta = ReadCrl(AsBytes(delta_der), "");
    if (!delta.ok() || !(*delta)->is_delta) continue;
    for (const std::string& base_der : d.c.crls) {
      const auto base = ReadCrl(AsBytes(base_der), "");
      if (base.ok() && !(*base)->is_delta &&
          (*base)->canonical_issuer == (*delta)->canonical_issuer &&
          (*base)->crl_number == (*delta)->crl_number) {
        return d.OursIs(Outcome::kRevoked);
      }
    }
  }
  return false;
}

bool HearsOnlyTheOwnKey(const Difference& d) {
  return d.OursIs(Outcome::kTryLater) && TwoKeysHaveOneName(d);
}

bool IssuerIsNoCa(const Difference& d) {
  if (!d.OursIs(Outcome::kChainConstraintsFailure) ||
      d.ours.text.find("basicConstraints: the issuer is not a CA") ==
          std::string::npos) {
    return false;
  }
  return std::any_of(d.views.begin() + 1, d.views.end(),
                     [](const Certificate& ca) {
                       return !ca.der.empty() && !ca.has_basic_constraints;
                     });
}

bool MapsAnyPolicy(const Difference& d) {
  return d.ours.text.find("policyMappings: maps from or to anyPolicy") !=
         std::string::npos;
}

bool FailsByPolicies(const Difference& d) {
  return d.OursIs(Outcome::kChainConstraintsFailure) &&
         d.ours.text.find("certificatePolicies: no") != std::string::npos;
}

bool ListsAnyPolicy(const Certificate& certificate) {
  constexpr std::string_view kAnyPolicy("\x55\x1d\x20\x00", 4);
  return AsText(certificate.policies).find(kAnyPolicy) !=
         std::string_view::npos;
}

// A CA that lists anyPolicy maps policies, but anyPolicy is not in the tree:
// it is inhibited, or a CA above does not list it.
bool MapsByAnyPolicyOutsideTheTree(const Difference& d) {
  if (!FailsByPolicies(d)) return false;
  bool outside = d.c.inhibit_any_policy;
  bool maps = false;
  // All but the leaf and the anchor, whose policies do not count.
  for (size_t i = 1; i + 1 < d.views.size(); ++i) {
    const Certificate& view = d.views[i];
    if (!view.is_ca) continue;
    outside |= view.inhibit_any_policy >= 0 || !ListsAnyPolicy(view);
    maps |= !view.policy_mappings.empty() && ListsAnyPolicy(view);
  }
  return outside && maps;
}

bool SelfIssuedTargetNeedsPolicy(const Difference& d) {
  return FailsByPolicies(d) && d.views[0].self_issued;
}

bool RestrictedToOtherPurposes(const Difference& d) {
  return d.ours.text.find("extKeyUsage: critical, and the profile names no") !=
             std::string::npos ||
         d.ours.text.find("extKeyUsage: a CA's key is restricted to other") !=
             std::string::npos;
}

// The leaf, or a CA or CRL without which OpenSSL would fail as well, is not of
// the form of RFC 5280.
bool IsNotOfTheForm(const Difference& d) {
  Certificate view;
  if (const Fault fault = ParseCertificate(AsBytes(d.c.leaf), &view);
      !fault.ok()) {
    return BrokenFormRule(std::string(fault.field) + ": " + fault.problem) !=
           nullptr;
  }
  DifferentialCase rest = d.c;
  rest.intermediates.clear();
  rest.crls.clear();
  for (const std::string& der : d.c.intermediates) {
    const Fault fault = ParseCertificate(AsBytes(der), &view);
    if (fault.ok() || BrokenFormRule(std::string(fault.field) + ": " +
                                     fault.problem) == nullptr) {
      rest.intermediates.push_back(der);
    }
  }
  for (const std::string& der : d.c.crls) {
    const auto crl = ReadCrl(AsBytes(der), "");
    if (crl.ok() ||
        BrokenFormRule(std::string(crl.status().message())) == nullptr) {
      rest.crls.push_back(der);
    }
  }
  return !JudgeByOpenSsl(rest).passed;
}

// --- The list ----------------------------------------------------------------

struct ExceptionClass {
  const char* name;
  bool ours_passes;
  // Why, and the sentence of RFC 5280.
  const char* reason;
  bool (*applies)(const Difference&);
};

constexpr ExceptionClass kClasses[] = {
    {"certificate names another key", true,
     "OpenSSL does not try an issuer whose key identifier, or serial, differs. "
     "6.1.3 asks for name and signature only; 4.2.1.1: the extension is \"a "
     "means of identifying the public key\", for \"facilitating certification "
     "path construction\".",
     CertificateNamesAnotherKey},
    {"CRL names another key", true,
     "The same for CRLs. 6.3.3 (g): \"Validate the signature on the complete "
     "CRL using the public key validated in step (f)\".",
     CrlNamesAnotherKey},
    {"ends at the verification time", true,
     "OpenSSL counts the last second as past. 4.1.2.5: \"the period of time "
     "from notBefore through notAfter, inclusive\".",
     EndsAtTheVerificationTime},
    {"critical and known to us", true,
     "4.2: \"MUST reject the certificate if it encounters a critical extension "
     "it does not recognize\"; we process key identifiers and freshestCRL.",
     CriticalAndKnownToUs},
    {"critical in a CRL and known to us", true,
     "5.2: \"If a CRL contains a critical extension that the application "
     "cannot process, then the application MUST NOT use that CRL\"; we process "
     "cRLNumber, freshestCRL, reasonCode and invalidityDate.",
     CriticalInCrlAndKnownToUs},
    {"attribute value that is no string", true,
     "4.1.2.4: \"AttributeValue ::= ANY -- DEFINED BY AttributeType\"; it is "
     "compared octet by octet.",
     HasNameOpenSslCannotRead},
    {"NumericString is text", true,
     "OpenSSL compares it octet by octet. 7.1: implementations \"MUST perform "
     "the six-step string preparation algorithm\" of RFC 4518, which "
     "transcodes "
     "NumericString.",
     ComparesNumericStrings},
    {"looks self-signed", true,
     "OpenSSL tells by key identifiers. 3.2: \"Self-signed certificates are "
     "self-issued certificates where the digital signature may be verified by "
     "the public key bound into the certificate\".",
     LooksSelfSigned},
    {"takes the other key of the name", true,
     "OpenSSL builds one path and does not go back. 6.1: \"path validation "
     "algorithms are not required to\" find paths; 4.2.1.1 expects an issuer "
     "to "
     "have \"multiple signing keys\".",
     TakesTheOtherKeyOfTheName},
    {"takes the other key's CRL", true,
     "OpenSSL picks one CRL of the name and stands by it. 6.3.3: \"for each "
     "corresponding CRL in the local CRL cache, while ((reasons_mask is not "
     "all-reasons) and (cert_status is UNREVOKED))\".",
     TakesTheOtherKeysCrl},
    {"leaf's key is no point of its curve", true,
     "6.1.6: success returns \"the working_public_key\", which path validation "
     "itself does not use; a signature by such a key never verifies.",
     LeafKeyIsNoPoint},
    {"subject's mailbox beside another", true,
     "4.2.1.10: \"When a certificate does not include a subject alternative "
     "name of type rfc822Name\", emailAddress in the subject is constrained; "
     "OpenSSL does it always.",
     SubjectsMailboxBesideAnother},
    {"CRL signer speaks for itself", true,
     "PKITS 4.14.30, which expects success: 6.3.3 (f) \"Obtain and validate "
     "the "
     "certification path for the issuer of the complete CRL\", whose status "
     "only "
     "that CRL can tell.",
     SignerSpeaksForItself},
    {"stops at a CRL of no use", true,
     "OpenSSL fails where the CRL it likes best does not hold. 6.3.3: \"for "
     "each corresponding CRL\"; one that does not hold has no say.",
     StopsAtACrlOfNoUse},
    {"the CA's own CRL beside the distribution point's", true,
     "6.3.3: CRLs \"not specified in a distribution point but issued by the "
     "certificate issuer\" are asked only if \"the revocation status has not "
     "been determined\".",
     OwnCrlListsItThePointsDoesNot},

    {"the distribution point's CRL beside the CA's own", false,
     "OpenSSL is content with the CA's own CRL. 6.3.3: \"For each distribution "
     "point (DP) in the certificate's CRL distribution points extension, for "
     "each corresponding CRL\".",
     PointsCrlListsItOwnCrlDoesNot},
    {"removed though revoked for good", false,
     "5.3.1: removeFromCRL says \"that a certificate is to be removed from a "
     "CRL either because the certificate expired or was removed from hold\"; a "
     "revocation for another reason is final.",
     RemovedThoughRevokedForGood},
    {"delta nobody points to", false,
     "OpenSSL asks a delta only where freshestCRL is present. 5.2.4: a delta "
     "and a complete CRL \"MAY be combined if\" four conditions hold, of which "
     "that is none.",
     DeltaNobodyPointsTo},
    {"delta has the number of its base", false,
     "5.2.3: \"they MUST have the same CRL number and provide the same "
     "revocation information\"; where they do not, the stricter one counts. "
     "OpenSSL leaves the delta aside.",
     DeltaHasTheNumberOfItsBase},
    {"hears only the key that issued", false,
     "Where CRLs of that key are at hand, those of another key of the name are "
     "not asked: generations of a CA number their certificates anew. 5.2.1: "
     "\"a means of identifying the public key corresponding to the private key "
     "used to sign a CRL\".",
     HearsOnlyTheOwnKey},
    {"issuer is no CA", false,
     "OpenSSL takes keyCertSign for enough. 6.1.4 (k): \"If certificate i is a "
     "version 3 certificate, verify that the basicConstraints extension is "
     "present and that cA is set to TRUE\".",
     IssuerIsNoCa},
    {"anyPolicy is mapped", false,
     "6.1.4 (a): \"verify that the special value anyPolicy does not appear as "
     "an issuerDomainPolicy or a subjectDomainPolicy\".",
     MapsAnyPolicy},
    {"maps by an anyPolicy outside the tree", false,
     "6.1.4 (b) (1): a policy without a node is mapped only if \"there is a "
     "node of depth i with a valid_policy of anyPolicy\"; OpenSSL looks at the "
     "certificate instead.",
     MapsByAnyPolicyOutsideTheTree},
    {"self-issued target needs a policy", false,
     "6.1.5 (a): \"If explicit_policy is not 0, decrement explicit_policy by "
     "1\", of self-issued targets too.",
     SelfIssuedTargetNeedsPolicy},
    {"restricted to other purposes", false,
     "4.2.1.12: \"If the extension is present, then the certificate MUST only "
     "be used for one of the purposes indicated\"; OpenSSL is not told one.",
     RestrictedToOtherPurposes},
    {"not of the form", false,
     "OpenSSL reads what is not DER, or breaks a rule of "
     "differential_form_rules.cc.",
     IsNotOfTheForm},
};

}  // namespace

const char* ExplainDifference(const DifferentialCase& c, const Answer& ours,
                              const Answer& theirs) {
  const Difference difference = Look(c, ours, theirs);
  const char* name = nullptr;
  for (const ExceptionClass& one : kClasses) {
    if (one.ours_passes == ours.passed && one.applies(difference)) {
      name = one.name;
      break;
    }
  }
  ERR_clear_error();
  return name;
}

}  // namespace inkan
