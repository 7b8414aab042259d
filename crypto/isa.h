// Which instructions the kernels of crypto/ and the CRL index may use: the only
// place that asks the CPU.
//
// Found once by CPUID, and by XGETBV for whether the operating system keeps the
// registers; INKAN_ISA=portable|avx2|avx512ifma overrides. Thread safety: any
// thread.
#ifndef INKAN_CRYPTO_ISA_H_
#define INKAN_CRYPTO_ISA_H_

#include <cstdint>

#include "crypto/fault.h"

namespace inkan {

enum class Isa : uint8_t { kPortable, kAvx2, kAvx512Ifma };

struct IsaChoice {
  Isa isa = Isa::kPortable;
  // Whether INKAN_ISA named it.
  bool forced = false;
  // Whether the machine could run kAvx2, whatever the choice.
  bool avx2 = false;
  // Whether the CPU has MULX (BMI2), ADCX and ADOX. These need no state of the
  // operating system's and are used whatever the choice.
  bool mulx_adx = false;
  // Whether SHA-NI may be used. It needs no state beyond SSE's, but
  // INKAN_ISA=portable turns it off like everything else of its kind.
  bool sha_ni = false;
  // Whether POPCNT may be used; the same holds.
  bool popcnt = false;
  const char* reason = "";
  // INKAN_ISA names a set that is unknown or that this machine cannot run.
  Fault fault;
};

const IsaChoice& ChosenIsa();

}  // namespace inkan

#endif  // INKAN_CRYPTO_ISA_H_
