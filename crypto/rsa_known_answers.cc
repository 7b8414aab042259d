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
                                              size_t size_class) {
  constexpr uint64_t kExponents[] = {65537, 3};
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
    kernel.run(size_class, kExponents[round / 2], lanes, kRsaLanesMax);
    for (const RsaLane& lane : lanes) {
      all.append(AsText(Bytes(lane.result, bytes)));
    }
  }
  return Sha256(AsBytes(all));
}

const std::array<uint8_t, 32> kRsaKnownAnswers[kRsaSizeClasses] = {
    {{0xaf, 0x7b, 0x6f, 0x25, 0xb3, 0xf3, 0x6b, 0xf0, 0xc5, 0xe0, 0xfd,
      0x24, 0x14, 0x2b, 0x25, 0xf7, 0x06, 0x41, 0xec, 0xd4, 0x51, 0x75,
      0x3a, 0x58, 0x9e, 0x98, 0x3d, 0xf9, 0xbf, 0x9c, 0xe4, 0x6e}},
    {{0x3d, 0x18, 0xad, 0x60, 0x56, 0xa0, 0x40, 0x55, 0x1d, 0xee, 0xf9,
      0x13, 0x8f, 0x36, 0x5c, 0x48, 0xaf, 0x15, 0x1f, 0xc5, 0x0e, 0xe2,
      0xec, 0x6d, 0x4b, 0xbb, 0xdc, 0xfb, 0x17, 0x4f, 0xbb, 0xa8}},
    {{0x7c, 0xee, 0x6a, 0x95, 0x67, 0x51, 0x10, 0xfd, 0x2b, 0x36, 0x93,
      0xf3, 0x9e, 0x8c, 0x06, 0x71, 0xa8, 0x73, 0xec, 0xe9, 0x46, 0xcd,
      0x82, 0xd0, 0xda, 0xab, 0x06, 0xbe, 0x11, 0x80, 0x2a, 0x08}}};

bool RsaKernelKnowsAnswers(const RsaKernel& kernel) {
  for (size_t i = 0; i < kRsaSizeClasses; ++i) {
    if (DigestRsaKnownAnswers(kernel, i) != kRsaKnownAnswers[i]) return false;
  }
  return true;
}

}  // namespace inkan
