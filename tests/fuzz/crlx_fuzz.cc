// Any octets as a compiled CRL whose version and checksum are right: whatever
// is accepted can be listed and looked into without leaving it.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "cache/crl_file.h"
#include "crypto/digest.h"

namespace {

using namespace inkan;

void LookInto(const CrlIndex& index) {
  constexpr size_t kSerialsMax = 200;
  std::vector<std::string> serials;
  index.ForEach([&](Bytes serial, const Revocation&) {
    if (serials.size() < kSerialsMax) serials.emplace_back(AsText(serial));
  });
  serials.emplace_back("\x01");
  serials.emplace_back(std::string(kSerialBytesMax, '\x7f'));
  for (const std::string& serial : serials) {
    Revocation found;
    index.Prefetch(AsBytes(serial));
    index.Find(AsBytes(serial), &found);
  }
  index.Describe();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto memory = MemoryBlock::Allocate(size);
  if (!memory.ok() || size == 0) return 0;
  std::memcpy(memory->data(), data, size);
  constexpr size_t kChecksumBytes = 32;
  if (size >= kCompiledCrlChecksumOffset + kChecksumBytes) {
    // The version comes after the eight octets that say what it is.
    std::memcpy(memory->data() + 8, &kCompiledCrlVersion,
                sizeof(kCompiledCrlVersion));
    uint8_t* checksum = memory->data() + kCompiledCrlChecksumOffset;
    std::memset(checksum, 0, kChecksumBytes);
    const auto digest = Sha256(memory->bytes());
    std::memcpy(checksum, digest.data(), kChecksumBytes);
  }
  const auto compiled = ReadCompiledCrl(
      std::make_shared<const MemoryBlock>(*std::move(memory)), "fuzz");
  if (!compiled.ok()) return 0;
  LookInto(compiled->crl->index);
  for (const auto& [issuer, index] : compiled->crl->indirect) LookInto(index);
  return 0;
}
