// The table of functions that an RSA kernel is: what rsa_dispatch.cc calls and
// each rsa_<kernel>.cc file provides. Private to crypto/.
//
// A kernel file may be compiled with instructions that not every machine has,
// so it includes nothing but this header, <immintrin.h>, <cstdint> and
// <cstddef>: an inline function of another header, compiled there, could be the
// copy the linker keeps for the whole program. For the same reason this header
// holds plain data only.
//
// What a kernel may assume, because the dispatcher has made sure: the modulus
// is odd, without leading zero octets, of kRsaModulusBitsMin to
// kRsaModulusBitsMax bits; the signature is as long as the modulus and less
// than it; the exponent is odd and at least 3.
#ifndef INKAN_CRYPTO_RSA_KERNELS_H_
#define INKAN_CRYPTO_RSA_KERNELS_H_

#include <cstddef>
#include <cstdint>

namespace inkan {

// Moduli are worked on in three sizes; one between two sizes runs as the next
// larger.
constexpr size_t kRsaSizeClasses = 3;
constexpr size_t kRsaClassBits[kRsaSizeClasses] = {2048, 3072, 4096};

// Jobs a kernel takes in one call.
constexpr size_t kRsaLanesMax = 8;

// One operation. `modulus`, `signature` and `result` are big-endian and all
// `bytes` long.
struct RsaLane {
  const uint8_t* modulus;
  const uint8_t* signature;
  uint8_t* result;
  size_t bytes;
  // What `prepare` made of this modulus, or null.
  const void* prepared;
};

struct RsaKernel {
  const char* name;
  // Operations it runs side by side, and the fewest that take it less time than
  // the portable kernel takes for them. (Beside a faster kernel for few the
  // dispatcher has a number of its own.)
  size_t lanes;
  size_t lanes_min;

  // Storage for a prepared key of a size class, aligned to kRsaPreparedAlign.
  size_t (*prepared_bytes)(size_t size_class);
  // Works out what depends on the modulus alone.
  void (*prepare)(size_t size_class, const uint8_t* modulus, size_t bytes,
                  void* prepared);
  // Ends the life of what `prepare` made (the storage stays the caller's).
  void (*release)(void* prepared);

  // Runs 1 to kRsaLanesMax operations of one size class and exponent.
  void (*run)(size_t size_class, uint64_t exponent, const RsaLane* lanes,
              size_t count);
};

constexpr size_t kRsaPreparedAlign = 64;

extern const RsaKernel kRsaPortableKernel;
// Defined in builds for x86-64, which also define INKAN_HAVE_X86_KERNELS.
extern const RsaKernel kRsaAvx2Kernel;
extern const RsaKernel kRsaAvx512IfmaKernel;
// Of the same instructions, for operations too few for those lanes.
extern const RsaKernel kRsaAvx512IfmaFewKernel;

// The two ends of an operation, one lane at a time, for a kernel that has lanes
// for what is between them (rsa_portable.cc). Numbers are of 64-bit limbs, the
// least first.
constexpr size_t kRsaLimbsMax = kRsaClassBits[kRsaSizeClasses - 1] / 64;

// The modulus n, the signature s, and s 2^bits mod n, each filled up with zeros
// to `limbs`, at most kRsaLimbsMax + 1; returns -n^-1 mod 2^64. What is
// prepared must be the portable kernel's.
uint64_t RsaEnter(const RsaLane& lane, size_t bits, size_t limbs,
                  uint64_t* modulus, uint64_t* signature, uint64_t* residue);
// Writes value mod n to the lane's result. REQUIRES: value is a few times n at
// most, and has as many limbs as the modulus. Destroys value.
void RsaLeave(const RsaLane& lane, const uint64_t* modulus, size_t limbs,
              uint64_t* value);

}  // namespace inkan

#endif  // INKAN_CRYPTO_RSA_KERNELS_H_
