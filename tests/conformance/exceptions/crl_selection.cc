// Which CRLs speak about a certificate, and whose word counts.
#include <openssl/x509v3.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "cache/crl_data.h"
#include "crypto/crl.h"
#include "crypto/general_name.h"
#include "crypto/name.h"
#include "tests/conformance/differential_exceptions.h"
#include "tests/conformance/differential_openssl.h"
#include "tests/conformance/exceptions/difference.h"

namespace inkan::differential {
namespace {

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

// Whether one CA key of a name signed a CRL of the case, and another key of
// that name a certificate of the case.
bool OneKeySignedACrlAnotherACertificate(const Difference& d) {
  const auto signed_by = [&](size_t child, size_t ca) {
    return d.certificates[child] != nullptr &&
           X509_verify(d.certificates[child].get(),
                       X509_get0_pubkey(d.certificates[ca].get())) == 1;
  };
  for (size_t i = 0; i < d.crls.size(); ++i) {
    Crl crl;
    if (d.crls[i] == nullptr || !ParseCrl(AsBytes(d.c.crls[i]), &crl).ok()) {
      continue;
    }
    std::vector<size_t> cas;  // of the CRL issuer's name
    for (size_t j = 1; j < d.views.size(); ++j) {
      if (d.certificates[j] != nullptr && !d.views[j].der.empty() &&
          X509_get0_pubkey(d.certificates[j].get()) != nullptr &&
          SameName(d.views[j].subject, crl.issuer)) {
        cas.push_back(j);
      }
    }
    for (const size_t a : cas) {
      if (X509_CRL_verify(d.crls[i].get(),
                          X509_get0_pubkey(d.certificates[a].get())) != 1) {
        continue;
      }
      for (const size_t b : cas) {
        if (SameBytes(d.views[a].key.spki, d.views[b].key.spki)) continue;
        for (size_t child = 0; child + 1 < d.views.size(); ++child) {
          if (child != b && signed_by(child, b)) return true;
        }
      }
    }
  }
  return false;
}

bool TakesTheOtherKeysCrl(const Difference& d) {
  return d.TheirsIs(
             {X509_V_ERR_UNABLE_TO_GET_CRL, X509_V_ERR_CRL_SIGNATURE_FAILURE,
              X509_V_ERR_DIFFERENT_CRL_SCOPE,
              X509_V_ERR_CRL_PATH_VALIDATION_ERROR, X509_V_ERR_CERT_REVOKED,
              X509_V_ERR_CRL_HAS_EXPIRED, X509_V_ERR_KEYUSAGE_NO_CRL_SIGN}) &&
         TwoKeysHaveOneName(d) && OneKeySignedACrlAnotherACertificate(d);
}

// A CRL that one key of its issuer's name signed, while the case has another
// key of that name.
bool OfTwoKeysOneSignedACrl(const Difference& d) {
  for (size_t i = 0; i < d.crls.size(); ++i) {
    Crl crl;
    if (d.crls[i] == nullptr || !ParseCrl(AsBytes(d.c.crls[i]), &crl).ok()) {
      continue;
    }
    bool one_signed = false;
    bool another_did_not = false;
    for (size_t j = 1; j < d.views.size(); ++j) {
      if (d.certificates[j] == nullptr || d.views[j].der.empty() ||
          X509_get0_pubkey(d.certificates[j].get()) == nullptr ||
          !SameName(d.views[j].subject, crl.issuer)) {
        continue;
      }
      (X509_CRL_verify(d.crls[i].get(),
                       X509_get0_pubkey(d.certificates[j].get())) == 1
           ? one_signed
           : another_did_not) = true;
    }
    if (one_signed && another_did_not) return true;
  }
  return false;
}

bool TriesOneKeyOfTheName(const Difference& d) {
  return d.TheirsIs({X509_V_ERR_CRL_SIGNATURE_FAILURE,
                     X509_V_ERR_DIFFERENT_CRL_SCOPE}) &&
         TwoKeysHaveOneName(d) && OfTwoKeysOneSignedACrl(d);
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

// Whether a CRL of the case, indirect or not, lists a certificate of the case.
bool IsListed(const Difference& d, bool by_indirect) {
  for (const std::string& der : d.c.crls) {
    const auto crl = inkan::ReadCrl(AsBytes(der), "");
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

bool PointsCrlListsItOwnCrlDoesNot(const Difference& d) {
  return d.OursIs(Outcome::kRevoked) && HasPointWithCrlIssuer(d) &&
         IsListed(d, /*by_indirect=*/true);
}

bool HearsOnlyTheOwnKey(const Difference& d) {
  return d.OursIs(Outcome::kTryLater) && TwoKeysHaveOneName(d) &&
         OneKeySignedACrlAnotherACertificate(d);
}

// Of two complete CRLs of a certificate's issuer one lists it and one does not.
bool OneCrlListsItAnotherDoesNot(const Difference& d) {
  if (!d.OursIs(Outcome::kRevoked)) return false;
  for (const Certificate& view : d.views) {
    if (view.der.empty()) continue;
    const std::string issuer = CanonicalName(view.issuer);
    bool listed = false;
    bool unlisted = false;
    for (const std::string& der : d.c.crls) {
      const auto crl = inkan::ReadCrl(AsBytes(der), "");
      if (!crl.ok() || (*crl)->is_delta || (*crl)->canonical_issuer != issuer) {
        continue;
      }
      Revocation entry;
      ((*crl)->index.Find(view.serial, &entry) ? listed : unlisted) = true;
    }
    if (listed && unlisted) return true;
  }
  return false;
}

// cRLNumbers are not negative: the longer one is the larger.
bool IsLargerNumber(const std::string& a, const std::string& b) {
  return a.size() != b.size() ? a.size() > b.size() : a > b;
}

// Without the CRLs that we refuse for their numbers, which others of their
// issuer exceed though they were made earlier, OpenSSL says what we say.
bool SupersededByNumberThoughNotByDate(const Difference& d) {
  std::vector<std::shared_ptr<const CrlData>> crls;
  for (const std::string& der : d.c.crls) {
    const auto crl = inkan::ReadCrl(AsBytes(der), "");
    crls.push_back(crl.ok() ? *crl : nullptr);
  }
  const auto supersedes = [](const CrlData& by, const CrlData& crl) {
    return by.canonical_issuer == crl.canonical_issuer &&
           by.is_delta == crl.is_delta && !by.crl_number.empty() &&
           !crl.crl_number.empty() &&
           IsLargerNumber(by.crl_number, crl.crl_number) &&
           by.this_update < crl.this_update;
  };
  std::vector<size_t> superseded;
  for (const size_t i : d.ours.refused_crls) {
    for (const auto& by : crls) {
      if (crls[i] != nullptr && by != nullptr && supersedes(*by, *crls[i])) {
        superseded.push_back(i);
        break;
      }
    }
  }
  if (superseded.empty()) return false;
  DifferentialCase rest = d.c;
  rest.crls.clear();
  for (size_t i = 0; i < d.c.crls.size(); ++i) {
    if (std::find(superseded.begin(), superseded.end(), i) ==
        superseded.end()) {
      rest.crls.push_back(d.c.crls[i]);
    }
  }
  return JudgeByOpenSsl(rest).passed == d.ours.passed;
}

// Both ways round.
constexpr char kNumberNotDate[] =
    "5.2.3: the CRL number \"allows users to easily determine when a "
    "particular CRL supersedes another CRL\"; OpenSSL looks at dates.";

constexpr ExceptionClass kClasses[] = {
    {"CRL names another key", true,
     "The same for CRLs. 6.3.3 (g): \"Validate the signature on the complete "
     "CRL using the public key validated in step (f)\".",
     CrlNamesAnotherKey},
    {"takes the other key's CRL", true,
     "OpenSSL picks one CRL of the name and stands by it. 6.3.3: \"for each "
     "corresponding CRL in the local CRL cache, while ((reasons_mask is not "
     "all-reasons) and (cert_status is UNREVOKED))\".",
     TakesTheOtherKeysCrl},
    {"tries one key of the name on a CRL", true,
     "OpenSSL verifies a CRL with one certificate of its issuer's name, and "
     "does not try the next. 6.3.3 (f): \"Obtain and validate the "
     "certification path for the issuer of the complete CRL\"; which of "
     "several keys it is, a CRL without authorityKeyIdentifier leaves open.",
     TriesOneKeyOfTheName},
    {"CRL signer speaks for itself", true,
     "PKITS 4.14.30, which expects success: 6.3.3 (f) \"Obtain and validate "
     "the "
     "certification path for the issuer of the complete CRL\", whose status "
     "only "
     "that CRL can tell.",
     SignerSpeaksForItself},
    {"superseded by number though not by date", true, kNumberNotDate,
     SupersededByNumberThoughNotByDate},
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
    {"hears only the key that issued", false,
     "Where CRLs of that key are at hand, those of another key of the name are "
     "not asked: generations of a CA number their certificates anew. 5.2.1: "
     "\"a means of identifying the public key corresponding to the private key "
     "used to sign a CRL\".",
     HearsOnlyTheOwnKey},
    {"one CRL lists it, another does not", false,
     "OpenSSL is content where all reasons are covered. 6.3.3 stops there too, "
     "\"while ((reasons_mask is not all-reasons) and (cert_status is "
     "UNREVOKED))\", in no order it names; we hear every CRL that speaks about "
     "the certificate, and the stricter one counts.",
     OneCrlListsItAnotherDoesNot},
    {"superseded by number though not by date", false, kNumberNotDate,
     SupersededByNumberThoughNotByDate},
};

}  // namespace

absl::Span<const ExceptionClass> CrlSelectionExceptions() { return kClasses; }

}  // namespace inkan::differential
