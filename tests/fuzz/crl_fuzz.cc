// Any octets as a CRL: whatever is accepted is indexed, and every entry of it
// found again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "cache/crl_data.h"
#include "crypto/crl.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkan;
  const auto crl = ReadCrl(Bytes(data, size), "fuzz");
  if (!crl.ok()) return 0;
  Crl view;
  if (!ParseCrl(Bytes(data, size), &view).ok()) std::abort();
  CrlEntryReader entries(view);
  CrlEntry entry;
  while (entries.Next(&entry)) {
    Revocation revocation;
    bool found = (*crl)->index.Find(entry.serial, &revocation);
    for (const auto& [issuer, index] : (*crl)->indirect) {
      found |= index.Find(entry.serial, &revocation);
    }
    if (!found) std::abort();
  }
  return 0;
}
