// Whether octets are DER, by a walk that asks OpenSSL for headers and shares
// nothing with our own reader, which is what it is there to judge.
#ifndef INKAN_TESTS_CONFORMANCE_DIFFERENTIAL_DER_H_
#define INKAN_TESTS_CONFORMANCE_DIFFERENTIAL_DER_H_

#include <string>

namespace inkan::differential {

// Whether `der` is one element encoded as X.690 wants it, to the bottom, and
// into the values of extensions that RFC 5280 defines (id-ce): definite and
// shortest lengths (10.1), SEQUENCE and SET constructed (8.9.1, 8.11.1), other
// universal types primitive (10.2), BOOLEAN 00 or FF (11.1), INTEGER and
// ENUMERATED shortest (8.3.2), unused bits zero (11.2.1), NULL empty (8.8.2),
// arcs shortest (8.19.2). The order of a SET OF (11.6), which nobody relies on,
// is not looked at, nor what depends on the type: defaults, named bits, times,
// and IMPLICIT tags.
bool IsDer(const std::string& der);

}  // namespace inkan::differential

#endif  // INKAN_TESTS_CONFORMANCE_DIFFERENTIAL_DER_H_
