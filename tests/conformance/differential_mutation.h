// Damage to a signed certificate or CRL, re-signed or not.
#ifndef INKAN_TESTS_CONFORMANCE_DIFFERENTIAL_MUTATION_H_
#define INKAN_TESTS_CONFORMANCE_DIFFERENTIAL_MUTATION_H_

#include <string>

#include "bench/lab/keys.h"
#include "tests/conformance/differential_path.h"

namespace inkan::differential {

// Changes `*der`, which `key` signed; `other` lends fields.
void Mutate(Dice* dice, const lab::PrivateKey& key, const std::string& other,
            std::string* der);

// Changes one or two octets.
void FlipOctets(Dice* dice, std::string* bytes);

}  // namespace inkan::differential

#endif  // INKAN_TESTS_CONFORMANCE_DIFFERENTIAL_MUTATION_H_
