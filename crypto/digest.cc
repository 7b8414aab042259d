#include "crypto/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <vector>

#include "crypto/digest_kernels.h"
#include "crypto/isa.h"

namespace inkan {
namespace {

// ---------------------------------------------------------------------------
// One at a time, by OpenSSL.

struct MdDeleter {
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
  thread_local const std::unique_ptr<EVP_MD_CTX, MdDeleter> kContext(
      EVP_MD_CTX_new());
  const EVP_MD* method = Method(job.algorithm);
  // A digest that was not computed must never be taken for one that was.
  if (method == nullptr || kContext == nullptr ||
      EVP_DigestInit_ex2(kContext.get(), method, nullptr) != 1 ||
      EVP_DigestUpdate(kContext.get(), job.message.data(),
                       job.message.size()) != 1 ||
      EVP_DigestFinal_ex(kContext.get(), job.digest, nullptr) != 1) {
    std::abort();
  }
}

// ---------------------------------------------------------------------------
// SHA-256 of several, side by side.

// One message: first its whole blocks where they lie, then the one or two
// blocks that hold its end and the padding (FIPS 180-4 section 5.1.1).
class Sha256Message {
 public:
  void Start(const DigestJob& job) {
    constexpr uint32_t kInitial[] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372,
                                     0xa54ff53a, 0x510e527f, 0x9b05688c,
                                     0x1f83d9ab, 0x5be0cd19};
    std::copy(std::begin(kInitial), std::end(kInitial), stream_.state);
    job_ = &job;
    at_end_ = false;
    stream_.next = job.message.data();
    stream_.blocks = job.message.size() / kSha256BlockBytes;
    if (stream_.blocks == 0) TakeEnd();
  }

  Sha256Stream* stream() { return &stream_; }

  // Moves on when the stream has no block left; false once the digest is
  // written.
  bool Continue() {
    if (stream_.blocks > 0) return true;
    if (!at_end_) {
      TakeEnd();
      return true;
    }
    uint32_t words[8];
    for (size_t i = 0; i < 8; ++i) {
      words[i] = std::endian::native == std::endian::little
                     ? __builtin_bswap32(stream_.state[i])
                     : stream_.state[i];
    }
    std::memcpy(job_->digest, words, sizeof(words));
    return false;
  }

 private:
  void TakeEnd() {
    const size_t size = job_->message.size();
    const size_t left = size % kSha256BlockBytes;
    const size_t blocks = left + 9 <= kSha256BlockBytes ? 1 : 2;
    std::memset(end_, 0, sizeof(end_));
    if (left > 0) {
      std::memcpy(end_, job_->message.data() + (size - left), left);
    }
    end_[left] = 0x80;
    const uint64_t bits = uint64_t{size} * 8;
    for (size_t i = 0; i < 8; ++i) {
      end_[blocks * kSha256BlockBytes - 1 - i] =
          static_cast<uint8_t>(bits >> (8 * i));
    }
    stream_.next = end_;
    stream_.blocks = blocks;
    at_end_ = true;
  }

  const DigestJob* job_ = nullptr;
  bool at_end_ = false;
  Sha256Stream stream_ = {};
  uint8_t end_[2 * kSha256BlockBytes];
};

// The SHA-256 jobs of a list, the longest first. Messages of as many blocks end
// together, and so need the kernel two times for all lanes, for their whole
// blocks and for their ends; in the order they come, each end of one stops the
// others.
class Sha256Queue {
 public:
  explicit Sha256Queue(absl::Span<const DigestJob> jobs) : jobs_(jobs) {
    order_.reserve(jobs.size());
    for (size_t i = 0; i < jobs.size(); ++i) {
      if (jobs[i].algorithm != HashAlgorithm::kSha256) continue;
      const size_t size = jobs[i].message.size();
      const bool two = size % kSha256BlockBytes + 9 > kSha256BlockBytes;
      order_.push_back({2 * (size / kSha256BlockBytes) + (two ? 1 : 0), i});
    }
    std::sort(order_.begin(), order_.end(), [](Place a, Place b) {
      return a.blocks != b.blocks ? a.blocks > b.blocks : a.job < b.job;
    });
  }

  // Null if there are no more.
  const DigestJob* Next() {
    return next_ < order_.size() ? &jobs_[order_[next_++].job] : nullptr;
  }

 private:
  struct Place {
    size_t blocks;  // whole ones twice, and one more if the end takes two
    size_t job;
  };

  const absl::Span<const DigestJob> jobs_;
  std::vector<Place> order_;
  size_t next_ = 0;
};

// The kernels this machine has, either of which may be missing.
struct Kernels {
  const DigestKernel* few = nullptr;
  const DigestKernel* many = nullptr;
};

// From how many streams on the sixteen lanes of `many`, all paid for whether
// used or not, take less time than `few` two by two: 910 cycles a block against
// 101 for each stream.
constexpr size_t kManyStreamsMin = 10;

void Advance(const Kernels& kernels, Sha256Stream* const* streams, size_t count,
             size_t blocks) {
  if (kernels.many != nullptr &&
      (kernels.few == nullptr || count >= kManyStreamsMin)) {
    kernels.many->sha256(streams, count, blocks);
    return;
  }
  for (size_t i = 0; i < count; i += kernels.few->streams_max) {
    kernels.few->sha256(streams + i,
                        std::min(count - i, kernels.few->streams_max), blocks);
  }
}

// REQUIRES: one of the kernels is there.
void DigestSha256Jobs(const Kernels& kernels,
                      absl::Span<const DigestJob> jobs) {
  Sha256Message messages[kSha256StreamsMax];
  Sha256Message* running[kSha256StreamsMax];
  Sha256Stream* streams[kSha256StreamsMax];
  size_t count = 0;
  Sha256Queue queue(jobs);
  for (Sha256Message& message : messages) {
    const DigestJob* job = queue.Next();
    if (job == nullptr) break;
    message.Start(*job);
    running[count++] = &message;
  }
  while (count > 0) {
    size_t blocks = SIZE_MAX;
    for (size_t i = 0; i < count; ++i) {
      streams[i] = running[i]->stream();
      blocks = std::min(blocks, streams[i]->blocks);
    }
    Advance(kernels, streams, count, blocks);
    for (size_t i = count; i-- > 0;) {
      if (running[i]->Continue()) continue;
      const DigestJob* job = queue.Next();
      if (job != nullptr) {
        running[i]->Start(*job);
      } else {
        running[i] = running[--count];
      }
    }
  }
}

// ---------------------------------------------------------------------------
// The choice.

// Lengths on both sides of every border of the padding, against OpenSSL.
[[maybe_unused]] bool KnowsAnswers(const Kernels& kernels) {
  constexpr size_t kLengths[] = {0,   1,   55,  56,  63,  64,  119, 120,
                                 128, 500, 183, 184, 191, 192, 448, 333};
  constexpr size_t kCount = std::size(kLengths);
  static_assert(kCount == kSha256StreamsMax, "every lane is tried");
  uint8_t text[500 + kCount];
  for (size_t i = 0; i < sizeof(text); ++i) {
    text[i] = static_cast<uint8_t>(i * 167 + 13);
  }
  uint8_t digests[kCount][32];
  DigestJob jobs[kCount];
  for (size_t i = 0; i < kCount; ++i) {
    jobs[i] = {HashAlgorithm::kSha256, Bytes(text + i, kLengths[i]),
               digests[i]};
  }
  DigestSha256Jobs(kernels, jobs);
  return std::all_of(std::begin(jobs), std::end(jobs), [](DigestJob job) {
    const uint8_t* digest = job.digest;
    uint8_t expected[32];
    job.digest = expected;
    DigestOne(job);
    return std::memcmp(digest, expected, sizeof(expected)) == 0;
  });
}

Kernels ChooseKernels() {
  Kernels chosen;
#if defined(INKAN_HAVE_X86_KERNELS)
  if (ChosenIsa().sha_ni && KnowsAnswers({&kDigestShaNiKernel, nullptr})) {
    chosen.few = &kDigestShaNiKernel;
  }
  if (ChosenIsa().isa == Isa::kAvx512Ifma &&
      KnowsAnswers({nullptr, &kDigestAvx512Kernel})) {
    chosen.many = &kDigestAvx512Kernel;
  }
#endif
  return chosen;
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

// A message alone is as fast in OpenSSL, and SHA-384 and SHA-512 have no
// instructions of their own on today's servers. Without SHA-NI, OpenSSL's own
// AVX-512 code is the better choice until most lanes are filled.
void DigestBatch(absl::Span<const DigestJob> jobs) {
  static const Kernels kKernels = ChooseKernels();
  const auto waiting = static_cast<size_t>(
      std::count_if(jobs.begin(), jobs.end(), [](const DigestJob& job) {
        return job.algorithm == HashAlgorithm::kSha256;
      }));
  const bool side_by_side =
      (kKernels.few != nullptr && waiting >= 2) ||
      (kKernels.many != nullptr && waiting >= kManyStreamsMin);
  if (side_by_side) DigestSha256Jobs(kKernels, jobs);
  for (const DigestJob& job : jobs) {
    if (side_by_side && job.algorithm == HashAlgorithm::kSha256) continue;
    DigestOne(job);
  }
}

std::array<uint8_t, 32> Sha256(Bytes message) {
  std::array<uint8_t, 32> digest;
  DigestOne({HashAlgorithm::kSha256, message, digest.data()});
  return digest;
}

}  // namespace inkan
