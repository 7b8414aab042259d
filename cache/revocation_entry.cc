#include "cache/revocation_entry.h"

#include <algorithm>
#include <tuple>

namespace inkan {
namespace {

int Severity(const Revocation& entry) {
  switch (entry.reason) {
    case crl_reason::kRemoveFromCrl:
      return 2;
    case crl_reason::kCertificateHold:
      return 1;
    default:
      return 0;
  }
}

// Of final reasons compromises are the gravest: they look back to their
// invalidityDate.
auto Order(const Revocation& entry) {
  return std::tuple(Severity(entry), !crl_reason::IsCompromise(entry.reason),
                    entry.reason, !entry.has_invalidity_date,
                    entry.invalidity_date, entry.revoked_at);
}

}  // namespace

Revocation Merge(const Revocation& a, const Revocation& b) {
  const bool a_first = Order(a) <= Order(b);
  Revocation kept = a_first ? a : b;
  const Revocation& other = a_first ? b : a;
  if (other.reason != crl_reason::kRemoveFromCrl ||
      kept.reason == crl_reason::kRemoveFromCrl) {
    kept.revoked_at = std::min(kept.revoked_at, other.EffectiveAt());
  }
  return kept;
}

}  // namespace inkan
