// Keys that CrlStore's two halves, linking and asking, agree on.
#ifndef INKAN_CACHE_CRL_SCOPE_H_
#define INKAN_CACHE_CRL_SCOPE_H_

#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "crypto/certificate.h"

namespace inkan {

// Under which anchor, in whose name, for which distribution point (a
// CanonicalGeneralName; empty: the CRL names none).
inline std::string ScopeKey(size_t anchor, const std::string& crl_issuer,
                            const std::string& name) {
  return absl::StrCat(anchor, ":", crl_issuer.size(), ":", crl_issuer, name);
}

// RFC 5280 section 6.3.3 (f): a keyUsage, if there is one, says cRLSign.
inline bool MaySignCrls(const Certificate& certificate) {
  return !certificate.has_key_usage ||
         (certificate.key_usage & key_usage::kCrlSign) != 0;
}

}  // namespace inkan

#endif  // INKAN_CACHE_CRL_SCOPE_H_
