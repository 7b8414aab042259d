#include "crypto/rsa_known_answers.h"

#include <algorithm>
#include <memory>
#include <new>
#include <string>

#include "crypto/digest.h"

namespace inkan {
namespace {

// A linear congruential generator (Knuth's MMIX constants); numbers only need
// to be varied.
class Varied {
 public:
  explicit Varied(uint64_t seed) : state_(seed) {}
  uint8_t Octet() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<uint8_t>(state_ >> 56);
  }

 private:
  uint64_t state_;
};

// A key prepared in place for the time of a test.
class PreparedStorage {
 public:
  PreparedStorage(const RsaKernel& kernel, size_t size_class,
                  const uint8_t* modulus, size_t bytes)
      : kernel_(kernel),
        storage_(::operator new(kernel.prepared_bytes(size_class),
                                std::align_val_t(kRsaPreparedAlign))) {
    kernel.prepare(size_class, modulus, bytes, storage_);
  }
  ~PreparedStorage() {
    kernel_.release(storage_);
    ::operator delete(storage_, std::align_val_t(kRsaPreparedAlign));
  }
  PreparedStorage(const PreparedStorage&) = delete;
  PreparedStorage& operator=(const PreparedStorage&) = delete;

  const void* get() const { return storage_; }

 private:
  const RsaKernel& kernel_;
  void* storage_;
};

struct KnownRun {
  RsaKnownInput inputs[kRsaLanesMax];
  std::unique_ptr<PreparedStorage> prepared[kRsaLanesMax];
  uint8_t results[4][kRsaLanesMax][512] = {};
};

}  // namespace

RsaKnownInput MakeRsaKnownInput(size_t size_class, size_t lane) {
  const size_t bytes = kRsaClassBits[size_class] / 8;
  RsaKnownInput input = {};
  if (lane == 0) {
    std::fill_n(input.modulus.begin(), bytes, uint8_t{0xff});
    std::fill_n(input.signature.begin(), bytes, uint8_t{0xff});
    input.signature[bytes - 1] = 0xfe;
    return input;
  }
  Varied varied(size_class * kRsaLanesMax + lane);
  for (size_t i = 0; i < bytes; ++i) input.modulus[i] = varied.Octet();
  for (size_t i = 0; i < bytes; ++i) input.signature[i] = varied.Octet();
  input.modulus[0] |= 0x80;
  input.modulus[bytes - 1] |= 0x01;
  input.signature[0] &= 0x7f;
  return input;
}

std::array<uint8_t, 32> DigestRsaKnownAnswers(const RsaKernel& kernel,
                                              size_t size_class,
                                              size_t at_a_time) {
  // The second multiplies by the base in the middle, too.
  constexpr uint64_t kExponents[] = {65537, 7};
  const size_t bytes = kRsaClassBits[size_class] / 8;
  const auto run = std::make_unique<KnownRun>();
  for (size_t lane = 0; lane < kRsaLanesMax; ++lane) {
    run->inputs[lane] = MakeRsaKnownInput(size_class, lane);
    run->prepared[lane] = std::make_unique<PreparedStorage>(
        kernel, size_class, run->inputs[lane].modulus.data(), bytes);
  }
  std::string all;
  for (size_t round = 0; round < 4; ++round) {
    RsaLane lanes[kRsaLanesMax];
    for (size_t i = 0; i < kRsaLanesMax; ++i) {
      const RsaKnownInput& input = run->inputs[i];
      lanes[i] = {input.modulus.data(), input.signature.data(),
                  run->results[round][i], bytes,
                  round % 2 == 1 ? run->prepared[i]->get() : nullptr};
    }
    for (size_t i = 0; i < kRsaLanesMax; i += at_a_time) {
      kernel.run(size_class, kExponents[round / 2], lanes + i,
                 std::min(at_a_time, kRsaLanesMax - i));
    }
    for (const RsaLane& lane : lanes) {
      all.append(AsText(Bytes(lane.result, bytes)));
    }
  }
  return Sha256(AsBytes(all));
}

const std::array<uint8_t, 32> kRsaKnownAnswers[kRsaSizeClasses] = {
    {{0xca, 0xdd, 0x1f, 0x65, 0x02, 0x53, 0xf3, 0x2f, 0xe9, 0x44, 0x03,
      0x6e, 0x0d, 0xe9, 0xca, 0x5b, 0x45, 0xfc, 0xe0, 0xba, 0x3a, 0xc9,
      0x26, 0x0a, 0xb9, 0x3d, 0xaf, 0xe7, 0x24, 0xea, 0x40, 0x16}},
    {{0x96, 0x7f, 0x3b, 0x6a, 0x3b, 0x34, 0x2d, 0x9b, 0x40, 0x29, 0x2b,
      0x38, 0x69, 0x47, 0xf3, 0xad, 0x69, 0xa5, 0x94, 0xc0, 0xe9, 0x4f,
      0xdc, 0xe1, 0x3d, 0xf5, 0x5f, 0x03, 0xa9, 0x75, 0xe5, 0x3f}},
    {{0x9e, 0xd6, 0xec, 0xf8, 0x59, 0x3d, 0xcd, 0x9c, 0xf1, 0xa8, 0x74,
      0xe5, 0xec, 0xab, 0xa4, 0x60, 0x9d, 0x3e, 0xa8, 0xda, 0x05, 0x0d,
      0x7a, 0x93, 0x86, 0xcb, 0x7a, 0x4f, 0x71, 0xd9, 0x17, 0x11}}};

bool RsaKernelKnowsAnswers(const RsaKernel& kernel) {
  for (size_t i = 0; i < kRsaSizeClasses; ++i) {
    // One alone may be another piece of code.
    for (const size_t at_a_time : {kRsaLanesMax, size_t{1}}) {
      if (DigestRsaKnownAnswers(kernel, i, at_a_time) != kRsaKnownAnswers[i]) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace inkan
