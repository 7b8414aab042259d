// The RSA kernel for every CPU: OpenSSL's BIGNUM, one operation after another.
#include <openssl/bn.h>

#include <cstdlib>
#include <memory>
#include <new>

#include "crypto/rsa_kernels.h"

namespace inkan {
namespace {

struct BnDeleter {
  void operator()(BIGNUM* bn) const { BN_free(bn); }
  void operator()(BN_CTX* context) const { BN_CTX_free(context); }
  void operator()(BN_MONT_CTX* context) const { BN_MONT_CTX_free(context); }
};
template <typename T>
using BnPtr = std::unique_ptr<T, BnDeleter>;

// BIGNUM fails only when memory runs out, or when called against its contract.
// Either way there is no result, and none may be made up.
void Require(bool done) {
  if (!done) std::abort();
}

// One thread's numbers, kept so that an operation allocates nothing.
struct Scratch {
  BnPtr<BN_CTX> context{BN_CTX_new()};
  BnPtr<BN_MONT_CTX> montgomery{BN_MONT_CTX_new()};
  BnPtr<BIGNUM> modulus{BN_new()};
  BnPtr<BIGNUM> base{BN_new()};
  BnPtr<BIGNUM> power{BN_new()};

  Scratch() { Require(context && montgomery && modulus && base && power); }
};

void SetModulus(const uint8_t* modulus, size_t bytes, BN_MONT_CTX* montgomery,
                Scratch& scratch) {
  Require(BN_bin2bn(modulus, static_cast<int>(bytes), scratch.modulus.get()) !=
              nullptr &&
          BN_MONT_CTX_set(montgomery, scratch.modulus.get(),
                          scratch.context.get()) == 1);
}

// Left-to-right binary exponentiation. The last multiplication is by the base
// as it came, out of Montgomery form, which leaves the product out of it too.
void Run(uint64_t exponent, const RsaLane& lane, Scratch& scratch) {
  BN_MONT_CTX* montgomery =
      lane.prepared != nullptr
          ? *static_cast<BN_MONT_CTX* const*>(lane.prepared)
          : nullptr;
  if (montgomery == nullptr) {
    montgomery = scratch.montgomery.get();
    SetModulus(lane.modulus, lane.bytes, montgomery, scratch);
  }
  BIGNUM* base = scratch.base.get();
  BIGNUM* power = scratch.power.get();
  BN_CTX* context = scratch.context.get();
  const int bytes = static_cast<int>(lane.bytes);
  Require(BN_bin2bn(lane.signature, bytes, base) != nullptr &&
          BN_to_montgomery(power, base, montgomery, context) == 1);
  BnPtr<BIGNUM> converted;
  if (__builtin_popcountll(exponent) > 2) converted.reset(BN_dup(power));
  for (int bit = 62 - __builtin_clzll(exponent); bit >= 0; --bit) {
    Require(BN_mod_mul_montgomery(power, power, power, montgomery, context) ==
            1);
    if (((exponent >> bit) & 1) == 0) continue;
    const BIGNUM* factor = bit == 0 ? base : converted.get();
    Require(factor != nullptr &&
            BN_mod_mul_montgomery(power, power, factor, montgomery, context) ==
                1);
  }
  Require(BN_bn2binpad(power, lane.result, bytes) == bytes);
}

Scratch& ThreadScratch() {
  thread_local Scratch scratch;
  return scratch;
}

size_t PreparedBytes(size_t /*size_class*/) { return sizeof(BN_MONT_CTX*); }

void Prepare(size_t /*size_class*/, const uint8_t* modulus, size_t bytes,
             void* prepared) {
  BN_MONT_CTX* montgomery = BN_MONT_CTX_new();
  Require(montgomery != nullptr);
  SetModulus(modulus, bytes, montgomery, ThreadScratch());
  new (prepared) BN_MONT_CTX*(montgomery);
}

void Release(void* prepared) {
  BN_MONT_CTX_free(*static_cast<BN_MONT_CTX**>(prepared));
}

void RunLanes(size_t /*size_class*/, uint64_t exponent, const RsaLane* lanes,
              size_t count) {
  Scratch& scratch = ThreadScratch();
  for (size_t i = 0; i < count; ++i) Run(exponent, lanes[i], scratch);
}

}  // namespace

const RsaKernel kRsaPortableKernel = {"portable", PreparedBytes, Prepare,
                                      Release, RunLanes};

}  // namespace inkan
