// Delta CRLs: which apply, and what removeFromCRL lifts.
#include <openssl/x509v3.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "cache/crl_data.h"
#include "crypto/crl.h"
#include "crypto/name.h"
#include "tests/conformance/differential_openssl.h"
#include "tests/conformance/exceptions/difference.h"

namespace inkan::differential {
namespace {

bool RemovedThoughRevokedForGood(const Difference& d) {
  if (!d.OursIs(Outcome::kRevoked)) return false;
  for (const std::string& der : d.c.crls) {
    const auto crl = inkan::ReadCrl(AsBytes(der), "");
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
    const auto crl = inkan::ReadCrl(AsBytes(der), "");
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
    const auto delta = inkan::ReadCrl(AsBytes(delta_der), "");
    if (!delta.ok() || !(*delta)->is_delta) continue;
    for (const std::string& base_der : d.c.crls) {
      const auto base = inkan::ReadCrl(AsBytes(base_der), "");
      if (base.ok() && !(*base)->is_delta &&
          (*base)->canonical_issuer == (*delta)->canonical_issuer &&
          (*base)->crl_number == (*delta)->crl_number) {
        return d.OursIs(Outcome::kRevoked);
      }
    }
  }
  return false;
}

constexpr ExceptionClass kClasses[] = {
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
};

}  // namespace

absl::Span<const ExceptionClass> DeltaCrlExceptions() { return kClasses; }

}  // namespace inkan::differential
