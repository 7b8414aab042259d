// One CRL of any size, for measurements: `inkan-lab crl`.
#ifndef INKAN_BENCH_LAB_BIG_CRL_H_
#define INKAN_BENCH_LAB_BIG_CRL_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace inkan::lab {

struct BigCrlOptions {
  std::string out;
  uint64_t entries = 1'000'000;
  // Serials that follow one another as JPKI's do, or random ones of 16 octets.
  bool random_serials = false;
  uint64_t seed = 1;
  int64_t now = 0;  // thisUpdate
  bool quiet = false;
};

// Writes the CRL to `out` and its issuer's certificate to `out`.issuer.cer, in
// constant memory. The CRL speaks for all certificates of its issuer.
absl::Status WriteBigCrl(const BigCrlOptions& options);

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_BIG_CRL_H_
