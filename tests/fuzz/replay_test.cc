// Runs a fuzz target without a fuzzer: every seed, every prefix of it, and
// every single-octet change of it. What a fuzzer once found becomes a seed.
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

void TryInput(const std::string& input) {
  // A copy of exactly the size, so that AddressSanitizer sees one octet too
  // far.
  const std::string copy(input.data(), input.size());
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(copy.data()),
                         copy.size());
}

TEST(Fuzz, SeedsAndTheirNeighboursDoNoHarm) {
  // Large seeds are sampled, so that a run takes seconds.
  constexpr size_t kMutationsMax = 3000;
  size_t seeds = 0;
  for (const auto& entry : std::filesystem::directory_iterator(INKAN_SEEDS)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string seed((std::istreambuf_iterator<char>(file)), {});
    ++seeds;
    TryInput(seed);
    const size_t step = seed.size() / kMutationsMax + 1;
    for (size_t i = 0; i < seed.size(); i += step) {
      TryInput(seed.substr(0, i));
      std::string changed = seed;
      changed[i] = static_cast<char>(changed[i] ^ (1 << (i % 8)));
      TryInput(changed);
    }
  }
  EXPECT_GT(seeds, 0U) << "no seeds in " INKAN_SEEDS;
}

}  // namespace
