// A difference from OpenSSL's answer, with what the predicates of the exception
// classes ask about it, and the classes themselves.
//
// Each file of this folder lists the classes of one concept of RFC 5280: a
// predicate computed from the case, the reason, and the RFC's sentence.
#ifndef INKAN_TESTS_CONFORMANCE_EXCEPTIONS_DIFFERENCE_H_
#define INKAN_TESTS_CONFORMANCE_EXCEPTIONS_DIFFERENCE_H_

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "crypto/certificate.h"
#include "crypto/verdict.h"
#include "tests/conformance/differential_case.h"
#include "tests/conformance/differential_openssl.h"

namespace inkan::differential {

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
                const Answer& theirs);

// Two CAs of one name and different keys.
bool TwoKeysHaveOneName(const Difference& d);

struct ExceptionClass {
  const char* name;
  bool ours_passes;
  // Why, and the sentence of RFC 5280.
  const char* reason;
  bool (*applies)(const Difference&);
};

absl::Span<const ExceptionClass> PathBuildingExceptions();
absl::Span<const ExceptionClass> NameExceptions();
absl::Span<const ExceptionClass> ExtensionExceptions();
absl::Span<const ExceptionClass> ValidityExceptions();
absl::Span<const ExceptionClass> CrlSelectionExceptions();
absl::Span<const ExceptionClass> DeltaCrlExceptions();
absl::Span<const ExceptionClass> PolicyExceptions();
absl::Span<const ExceptionClass> FormExceptions();

}  // namespace inkan::differential

#endif  // INKAN_TESTS_CONFORMANCE_EXCEPTIONS_DIFFERENCE_H_
