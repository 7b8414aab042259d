#include "crypto/isa.h"

#include <cstdlib>
#include <string_view>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace inkan {
namespace {

struct Machine {
  bool mulx_adx = false;
  bool avx2 = false;
  bool avx512ifma = false;
  bool sha_ni = false;
  bool popcnt = false;
  const char* why_not = "this is not an x86-64 build";
};

#if defined(__x86_64__)
constexpr unsigned kAvx2 = 1U << 5;
constexpr unsigned kBmi2 = 1U << 8;
constexpr unsigned kAvx512F = 1U << 16;
constexpr unsigned kAvx512Dq = 1U << 17;
constexpr unsigned kAdx = 1U << 19;
constexpr unsigned kAvx512Ifma = 1U << 21;
constexpr unsigned kShaNi = 1U << 29;
constexpr unsigned kAvx512Bw = 1U << 30;
constexpr unsigned kAvx512Vl = 1U << 31;
constexpr unsigned kOsXsave = 1U << 27;
constexpr unsigned kPopcnt = 1U << 23;     // in ECX of leaf 1
constexpr unsigned kAvx512Vbmi = 1U << 1;  // in ECX
// XMM, YMM; opmask, upper halves of ZMM0-15, ZMM16-31 (Intel SDM volume 1,
// section 13.1).
constexpr unsigned kAvxState = 0x06;
constexpr unsigned kVectorState = 0xe6;

unsigned ReadXcr0() {
  unsigned low;
  unsigned high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

Machine DetectMachine() {
  Machine machine;
  unsigned eax;
  unsigned ebx;
  unsigned ecx;
  unsigned edx;
  machine.popcnt =
      __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & kPopcnt) != 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) {
    machine.why_not = "the CPU has no AVX-512";
    return machine;
  }
  const unsigned features_b = ebx;
  const unsigned features_c = ecx;
  machine.sha_ni = (features_b & kShaNi) != 0;
  machine.mulx_adx = (ebx & kBmi2) != 0 && (ebx & kAdx) != 0;
  const bool xgetbv =
      __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & kOsXsave) != 0;
  const unsigned state = xgetbv ? ReadXcr0() : 0;
  machine.avx2 = (features_b & kAvx2) != 0 && (state & kAvxState) == kAvxState;
  constexpr unsigned kNeeded =
      kBmi2 | kAvx512F | kAvx512Dq | kAvx512Ifma | kAvx512Bw | kAvx512Vl;
  if ((features_b & kNeeded) != kNeeded || (features_c & kAvx512Vbmi) == 0) {
    machine.why_not = "the CPU has no AVX-512 IFMA";
  } else if ((state & kVectorState) != kVectorState) {
    machine.why_not = "the operating system does not save AVX-512 registers";
  } else {
    machine.avx512ifma = true;
    machine.why_not = "";
  }
  return machine;
}
#else
Machine DetectMachine() { return {}; }
#endif

IsaChoice Choose() {
  const Machine machine = DetectMachine();
  const char* wanted = std::getenv("INKAN_ISA");
  IsaChoice choice;
  choice.mulx_adx = machine.mulx_adx;
  choice.avx2 = machine.avx2;
  if (wanted == nullptr || *wanted == '\0') {
    choice.isa = machine.avx512ifma ? Isa::kAvx512Ifma
                 : machine.avx2     ? Isa::kAvx2
                                    : Isa::kPortable;
    choice.sha_ni = machine.sha_ni;
    choice.popcnt = machine.popcnt;
    choice.reason = machine.avx512ifma
                        ? "the CPU and the operating system support AVX-512 "
                          "IFMA"
                        : machine.why_not;
    return choice;
  }
  choice.forced = true;
  choice.reason = "INKAN_ISA asks for it";
  const std::string_view name = wanted;
  if (name == "portable") return choice;
  choice.sha_ni = machine.sha_ni;
  choice.popcnt = machine.popcnt;
  if (name == "avx512ifma") {
    choice.isa = Isa::kAvx512Ifma;
    if (!machine.avx512ifma) {
      choice.fault = {"INKAN_ISA", "avx512ifma: not supported on this machine"};
    }
  } else if (name == "avx2") {
    choice.isa = Isa::kAvx2;
    if (!machine.avx2) {
      choice.fault = {"INKAN_ISA", "avx2: not supported on this machine"};
    }
  } else {
    choice.fault = {"INKAN_ISA", "must be portable, avx2 or avx512ifma"};
  }
  return choice;
}

}  // namespace

const IsaChoice& ChosenIsa() {
  static const IsaChoice kChoice = Choose();
  return kChoice;
}

}  // namespace inkan
