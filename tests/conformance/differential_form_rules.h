// Rules of form that our readers hold certificates and CRLs to, and OpenSSL's
// do not.
#ifndef INKAN_TESTS_CONFORMANCE_DIFFERENTIAL_FORM_RULES_H_
#define INKAN_TESTS_CONFORMANCE_DIFFERENTIAL_FORM_RULES_H_

#include <string_view>

namespace inkan {

// The section and rule of RFC 5280 that is broken where one of our readers says
// `message` ("field: problem"); null if none is listed.
const char* BrokenFormRule(std::string_view message);

}  // namespace inkan

#endif  // INKAN_TESTS_CONFORMANCE_DIFFERENTIAL_FORM_RULES_H_
