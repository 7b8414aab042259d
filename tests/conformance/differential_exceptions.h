// The differences from OpenSSL that are meant, each with its reason and the
// sentence of RFC 5280 it rests on.
#ifndef INKAN_TESTS_CONFORMANCE_DIFFERENTIAL_EXCEPTIONS_H_
#define INKAN_TESTS_CONFORMANCE_DIFFERENTIAL_EXCEPTIONS_H_

#include "tests/conformance/differential_case.h"

namespace inkan {

// The name of the class that explains why the answers differ; null if none
// does.
const char* ExplainDifference(const DifferentialCase& c, const Answer& ours,
                              const Answer& theirs);

}  // namespace inkan

#endif  // INKAN_TESTS_CONFORMANCE_DIFFERENTIAL_EXCEPTIONS_H_
