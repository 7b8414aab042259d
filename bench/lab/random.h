// Random-looking numbers that are the same on every machine and in every run:
// AES-256-CTR under a key derived from a seed and a label.
//
//   DeterministicRandom random(seed, "citizen", 17);
//   if (random.Chance(0.05)) ...
//
// Each thing that is made has its own stream, named by label and index, so that
// neither the number of threads nor the order of work changes a byte. Never for
// keys that protect anything. One thread per object.
#ifndef INKAN_BENCH_LAB_RANDOM_H_
#define INKAN_BENCH_LAB_RANDOM_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace inkan::lab {

class DeterministicRandom {
 public:
  DeterministicRandom(uint64_t seed, std::string_view label,
                      uint64_t index = 0);
  // Keyed with any bytes.
  explicit DeterministicRandom(std::string_view key_material);

  uint64_t Next();
  // Uniform in [0, bound). REQUIRES: bound > 0.
  uint64_t Below(uint64_t bound);
  // Uniform in [low, high].
  int64_t Between(int64_t low, int64_t high);
  bool Chance(double probability);
  std::string Octets(size_t count);

 private:
  void Refill();

  struct CipherDeleter {
    void operator()(void* context) const;
  };
  std::unique_ptr<void, CipherDeleter> cipher_;
  std::array<uint8_t, 512> buffer_;
  size_t used_ = 0;
};

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_RANDOM_H_
