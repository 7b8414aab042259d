// Says which kernels INKAN_ISA leads to. Exit status 77 if this machine cannot
// run them, 1 if they should run and do not.
#include <cstdio>
#include <cstring>

#include "crypto/rsa.h"

int main() {
  const inkan::Fault fault = inkan::InitRsaKernel();
  if (!fault.ok()) {
    const bool lacking = std::strstr(fault.problem, "not supported") != nullptr;
    std::printf("%s %s: %s\n", lacking ? "skipped:" : "FAILED:", fault.field,
                fault.problem);
    return lacking ? 77 : 1;
  }
  const inkan::RsaKernelInfo& info = inkan::GetRsaKernelInfo();
  std::printf("kernel %s: %s\n", info.name.c_str(), info.reason.c_str());
  return 0;
}
