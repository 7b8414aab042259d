#include "cache/revocation_entry.h"

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

auto Order(const Revocation& entry) {
  return std::tuple(Severity(entry), entry.EffectiveAt(), entry.revoked_at,
                    entry.reason, !entry.has_invalidity_date,
                    entry.invalidity_date);
}

}  // namespace

bool IsStricter(const Revocation& a, const Revocation& b) {
  return Order(a) < Order(b);
}

}  // namespace inkan
