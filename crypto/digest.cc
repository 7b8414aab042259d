#include "crypto/digest.h"

#include <openssl/evp.h>

#include <cstdlib>
#include <memory>

namespace inkan {
namespace {

struct MdDeleter {
  void operator()(EVP_MD* md) const { EVP_MD_free(md); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

// Fetched once: a fetch walks the provider's tables under a lock.
const EVP_MD* Method(HashAlgorithm algorithm) {
  static const EVP_MD* const kSha256 =
      EVP_MD_fetch(nullptr, "SHA2-256", nullptr);
  static const EVP_MD* const kSha384 =
      EVP_MD_fetch(nullptr, "SHA2-384", nullptr);
  static const EVP_MD* const kSha512 =
      EVP_MD_fetch(nullptr, "SHA2-512", nullptr);
  switch (algorithm) {
    case HashAlgorithm::kSha256:
      return kSha256;
    case HashAlgorithm::kSha384:
      return kSha384;
    case HashAlgorithm::kSha512:
      return kSha512;
    case HashAlgorithm::kNone:
    case HashAlgorithm::kMd5:
    case HashAlgorithm::kSha1:
      return nullptr;
  }
  return nullptr;
}

void DigestOne(const DigestJob& job) {
  thread_local const std::unique_ptr<EVP_MD_CTX, MdDeleter> context(
      EVP_MD_CTX_new());
  const EVP_MD* method = Method(job.algorithm);
  // A digest that was not computed must never be taken for one that was.
  if (method == nullptr || context == nullptr ||
      EVP_DigestInit_ex2(context.get(), method, nullptr) != 1 ||
      EVP_DigestUpdate(context.get(), job.message.data(), job.message.size()) !=
          1 ||
      EVP_DigestFinal_ex(context.get(), job.digest, nullptr) != 1) {
    std::abort();
  }
}

}  // namespace

size_t DigestSize(HashAlgorithm algorithm) {
  switch (algorithm) {
    case HashAlgorithm::kSha256:
      return 32;
    case HashAlgorithm::kSha384:
      return 48;
    case HashAlgorithm::kSha512:
      return 64;
    case HashAlgorithm::kNone:
    case HashAlgorithm::kMd5:
    case HashAlgorithm::kSha1:
      return 0;
  }
  return 0;
}

void DigestBatch(absl::Span<const DigestJob> jobs) {
  for (const DigestJob& job : jobs) DigestOne(job);
}

std::array<uint8_t, 32> Sha256(Bytes message) {
  std::array<uint8_t, 32> digest;
  DigestOne({HashAlgorithm::kSha256, message, digest.data()});
  return digest;
}

}  // namespace inkan
