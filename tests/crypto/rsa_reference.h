// Material for testing RSA kernels: OpenSSL's answers, and numbers chosen to be
// hard on carries.
#ifndef INKAN_TESTS_CRYPTO_RSA_REFERENCE_H_
#define INKAN_TESTS_CRYPTO_RSA_REFERENCE_H_

#include <openssl/bn.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "crypto/public_key.h"

namespace inkan {

struct BnDeleter {
  void operator()(BIGNUM* bn) const { BN_free(bn); }
  void operator()(BN_CTX* context) const { BN_CTX_free(context); }
  void operator()(BN_MONT_CTX* context) const { BN_MONT_CTX_free(context); }
};
using Bn = std::unique_ptr<BIGNUM, BnDeleter>;

inline Bn NewBn() { return Bn(BN_new()); }

inline Bn BnFrom(Bytes bytes) {
  return Bn(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
}

inline std::string BytesOf(const BIGNUM* bn, size_t size) {
  std::string bytes(size, '\0');
  if (BN_bn2binpad(bn, reinterpret_cast<uint8_t*>(bytes.data()),
                   static_cast<int>(size)) != static_cast<int>(size)) {
    bytes.clear();
  }
  return bytes;
}

// s^e mod n as OpenSSL works it out, as long as n.
inline std::string ReferencePower(Bytes s, uint64_t e, Bytes n) {
  thread_local const std::unique_ptr<BN_CTX, BnDeleter> context(BN_CTX_new());
  const Bn modulus = BnFrom(n);
  const Bn base = BnFrom(s);
  const Bn exponent = NewBn();
  const Bn result = NewBn();
  BN_set_word(exponent.get(), e);
  if (BN_mod_exp_mont(result.get(), base.get(), exponent.get(), modulus.get(),
                      context.get(), nullptr) != 1) {
    return "";
  }
  return BytesOf(result.get(), n.size());
}

// Makes numbers, most of them hard: long runs of ones and zeros, limbs (of 52
// and of 64 bits) that are all ones or all zeros, powers of two and their
// neighbours around limb borders. The same seed makes the same numbers.
class HardNumbers {
 public:
  explicit HardNumbers(uint64_t seed) : random_(seed) {}

  uint64_t Below(uint64_t limit) { return random_() % limit; }

  // An odd modulus of exactly `bits` bits.
  std::string Modulus(size_t bits) {
    std::string n = Any(bits);
    const size_t top = (bits - 1) % 8;
    n[0] = static_cast<char>(
        (static_cast<unsigned char>(n[0]) & ((2U << top) - 1)) | (1U << top));
    n.back() = static_cast<char>(n.back() | 1);
    return n;
  }

  // A number less than n and as long.
  std::string Residue(const std::string& n) {
    const Bn modulus = BnFrom(AsBytes(n));
    Bn value = NewBn();
    const auto bits = static_cast<size_t>(BN_num_bits(modulus.get()));
    switch (Below(10)) {
      case 0:
        BN_set_word(value.get(), Below(3));
        break;
      case 1:
        value.reset(BN_dup(modulus.get()));
        BN_sub_word(value.get(), 1 + Below(3));
        break;
      case 2:
      case 3: {
        const size_t limb = Below(2) == 0 ? 52 : 64;
        const size_t border = limb * (1 + Below(bits / limb));
        const size_t k = border + Below(3) - 1;
        BN_set_bit(value.get(), static_cast<int>(k));
        if (Below(2) == 0) BN_sub_word(value.get(), 1);
        break;
      }
      case 4:
        BN_rshift1(value.get(), modulus.get());
        break;
      default:
        value = BnFrom(AsBytes(Any(bits)));
    }
    thread_local const std::unique_ptr<BN_CTX, BnDeleter> context(BN_CTX_new());
    BN_nnmod(value.get(), value.get(), modulus.get(), context.get());
    return BytesOf(value.get(), n.size());
  }

  uint64_t Exponent() {
    constexpr uint64_t kUsual[] = {
        3, 5, 17, 257, 65537, 65539, (1ULL << 32) + 1};
    switch (Below(64)) {
      case 0:
        return (random_() >> 32) | 3;
      case 1:
        return random_() | 3;
      case 2:
        return ~uint64_t{0};
      case 3:
      case 4:
      case 5:
      case 6:
        return kUsual[Below(7)];
      default:
        return 65537;
    }
  }

 private:
  // Any number of `bits` bits or fewer, in whole octets.
  std::string Any(size_t bits) {
    std::string n((bits + 7) / 8, '\0');
    const uint64_t kind = Below(6);
    const size_t limb = kind == 0 ? 52 : 64;
    if (kind <= 1) {
      for (size_t i = 0; i < bits; i += limb) {
        const uint64_t choice = Below(4);
        for (size_t j = i; j < std::min(bits, i + limb); ++j) {
          if (choice == 0 || (choice == 1 && Below(2) == 0)) Set(&n, j);
        }
      }
    } else if (kind == 2) {
      bool ones = Below(2) == 0;
      for (size_t i = 0; i < bits; ones = !ones) {
        const size_t end = std::min(bits, i + 1 + Below(bits / 3));
        for (; i < end; ++i) {
          if (ones) Set(&n, i);
        }
      }
    } else if (kind == 3) {
      // All ones but for a bit or two, or all zeros but for a bit or two.
      if (Below(2) == 0) n.assign(n.size(), '\xff');
      for (size_t i = Below(3); i > 0; --i) {
        const size_t bit = Below(bits);
        n[n.size() - 1 - bit / 8] =
            static_cast<char>(n[n.size() - 1 - bit / 8] ^ (1 << (bit % 8)));
      }
    } else {
      for (char& octet : n) octet = static_cast<char>(random_());
    }
    return n;
  }

  static void Set(std::string* n, size_t bit) {
    char& octet = (*n)[n->size() - 1 - bit / 8];
    octet = static_cast<char>(octet | (1 << (bit % 8)));
  }

  std::mt19937_64 random_;
};

// A public key over bytes that the key owns.
struct OwnedKey {
  OwnedKey(std::string modulus_bytes, uint64_t exponent)
      : modulus(std::move(modulus_bytes)) {
    key.kind = KeyKind::kRsa;
    key.rsa_modulus = AsBytes(modulus);
    key.rsa_modulus_bits =
        modulus.size() * 8 -
        static_cast<size_t>(
            __builtin_clz(static_cast<unsigned char>(modulus[0])) - 24);
    key.rsa_exponent = exponent;
  }
  OwnedKey(const OwnedKey&) = delete;
  OwnedKey& operator=(const OwnedKey&) = delete;

  const std::string modulus;
  PublicKey key;
};

}  // namespace inkan

#endif  // INKAN_TESTS_CRYPTO_RSA_REFERENCE_H_
