#include "tests/conformance/differential_exceptions.h"

#include <openssl/err.h>

#include "tests/conformance/exceptions/difference.h"

namespace inkan {

const char* ExplainDifference(const DifferentialCase& c, const Answer& ours,
                              const Answer& theirs) {
  using namespace differential;  // NOLINT: the eight lists
  const Difference difference = Look(c, ours, theirs);
  const char* name = nullptr;
  // Where several classes apply, the first is named.
  for (const auto list :
       {PathBuildingExceptions(), ValidityExceptions(), ExtensionExceptions(),
        NameExceptions(), CrlSelectionExceptions(), DeltaCrlExceptions(),
        PolicyExceptions(), FormExceptions()}) {
    for (const ExceptionClass& one : list) {
      if (name == nullptr && one.ours_passes == ours.passed &&
          one.applies(difference)) {
        name = one.name;
      }
    }
  }
  ERR_clear_error();
  return name;
}

}  // namespace inkan
