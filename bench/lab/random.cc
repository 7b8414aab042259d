#include "bench/lab/random.h"

#include <openssl/evp.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "bench/lab/check.h"

namespace inkan::lab {

void DeterministicRandom::CipherDeleter::operator()(void* context) const {
  EVP_CIPHER_CTX_free(static_cast<EVP_CIPHER_CTX*>(context));
}

DeterministicRandom::DeterministicRandom(uint64_t seed, std::string_view label,
                                         uint64_t index)
    : DeterministicRandom(absl::StrCat(
          "inkan-lab/", seed, "/",
          absl::string_view(label.data(), label.size()), "/", index)) {}

DeterministicRandom::DeterministicRandom(std::string_view key_material)
    : cipher_(EVP_CIPHER_CTX_new()), used_(buffer_.size()) {
  uint8_t key[32];
  unsigned int size = 0;
  Require(EVP_Digest(key_material.data(), key_material.size(), key, &size,
                     EVP_sha256(), nullptr) == 1,
          "SHA-256");
  // Every key is used for one stream only, so that the counter may start at 0.
  const uint8_t iv[16] = {0};
  Require(EVP_EncryptInit_ex(static_cast<EVP_CIPHER_CTX*>(cipher_.get()),
                             EVP_aes_256_ctr(), nullptr, key, iv) == 1,
          "AES-256-CTR");
}

void DeterministicRandom::Refill() {
  static constexpr std::array<uint8_t, 512> kZeros = {};
  int size = 0;
  Require(EVP_EncryptUpdate(static_cast<EVP_CIPHER_CTX*>(cipher_.get()),
                            buffer_.data(), &size, kZeros.data(),
                            static_cast<int>(kZeros.size())) == 1,
          "AES-256-CTR");
  used_ = 0;
}

uint64_t DeterministicRandom::Next() {
  if (used_ + 8 > buffer_.size()) Refill();
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) value = value << 8U | buffer_[used_ + i];
  used_ += 8;
  return value;
}

uint64_t DeterministicRandom::Below(uint64_t bound) {
  Require(bound > 0, "bound must not be 0");
  // Refusing the last partial interval keeps every value equally likely.
  const uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  uint64_t value = Next();
  while (value >= limit) value = Next();
  return value % bound;
}

int64_t DeterministicRandom::Between(int64_t low, int64_t high) {
  Require(low <= high, "an empty range");
  return low +
         static_cast<int64_t>(Below(static_cast<uint64_t>(high - low) + 1));
}

bool DeterministicRandom::Chance(double probability) {
  return static_cast<double>(Next() >> 11U) * 0x1.0p-53 < probability;
}

std::string DeterministicRandom::Octets(size_t count) {
  std::string octets;
  octets.reserve(count + 8);
  while (octets.size() < count) {
    const uint64_t value = Next();
    for (unsigned shift = 0; shift < 64; shift += 8) {
      octets.push_back(static_cast<char>(value >> shift & 0xffU));
    }
  }
  octets.resize(count);
  return octets;
}

}  // namespace inkan::lab
