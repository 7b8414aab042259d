// Name constraints (RFC 5280 sections 4.2.1.10, 6.1.3 (b)-(c), 6.1.4 (g)): what
// a path allows the certificates below to be called.
//
// Each CA's permittedSubtrees narrow what went before, so they are kept side by
// side and a name must fit every one that speaks about its form; excluded
// subtrees add up. directoryName, rfc822Name, dNSName, URI and iPAddress are
// processed; a constraint on any other form refuses every certificate that
// carries a name of that form.
//
// Ownership: points into the certificates it was given. Thread safety: const
// methods from any thread.
#ifndef INKAN_CRYPTO_NAME_CONSTRAINTS_H_
#define INKAN_CRYPTO_NAME_CONSTRAINTS_H_

#include <string>
#include <vector>

#include "crypto/bytes.h"
#include "crypto/certificate.h"
#include "crypto/fault.h"
#include "crypto/general_name.h"

namespace inkan {

// Names times subtrees that one certificate may make us compare: webpki's
// budget.
inline constexpr int kNameComparisonsMax = 250'000;

class NameConstraints {
 public:
  bool empty() const { return permitted_.empty() && excluded_.empty(); }

  // Takes over the constraints of `ca`. Faults: a subtree that is malformed, or
  // has a minimum or maximum, which RFC 5280 rules out.
  Fault Add(const Certificate& ca);

  // Whether all names of `certificate` are allowed.
  Fault Check(const Certificate& certificate) const;

 private:
  struct Subtree {
    GeneralName base;
    std::string canonical;  // directoryName: CanonicalName(base)
  };
  using Subtrees = std::vector<Subtree>;
  class Checker;

  static Fault Read(Bytes contents, Subtrees* subtrees);

  // One list for each CA certificate that has one.
  std::vector<Subtrees> permitted_;
  std::vector<Subtrees> excluded_;
};

}  // namespace inkan

#endif  // INKAN_CRYPTO_NAME_CONSTRAINTS_H_
