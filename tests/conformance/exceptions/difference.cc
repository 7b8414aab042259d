#include "tests/conformance/exceptions/difference.h"

#include "crypto/name.h"

namespace inkan::differential {

Difference Look(const DifferentialCase& c, const Answer& ours,
                const Answer& theirs) {
  Difference d = {c, ours, theirs, {}, {}, {}};
  std::vector<const std::string*> ders = {&c.leaf};
  for (const std::string& der : c.intermediates) ders.push_back(&der);
  ders.push_back(&c.anchor);
  for (const std::string* der : ders) {
    d.certificates.push_back(ReadCertificate(*der));
    Certificate view;
    if (!ParseCertificate(AsBytes(*der), &view).ok()) view = Certificate();
    d.views.push_back(view);
  }
  for (const std::string& der : c.crls) {
    d.crls.push_back(ReadCrl(der));
  }
  return d;
}

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

}  // namespace inkan::differential
