#include "crypto/digest_stream.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "crypto/digest_kernels.h"
#include "crypto/isa.h"

namespace inkan {
namespace {

const char* OpenSslName(HashAlgorithm algorithm) {
  switch (algorithm) {
    case HashAlgorithm::kSha384:
      return "SHA2-384";
    case HashAlgorithm::kSha512:
      return "SHA2-512";
    default:
      return "SHA2-256";
  }
}

constexpr uint32_t kInitialState[] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372,
                                      0xa54ff53a, 0x510e527f, 0x9b05688c,
                                      0x1f83d9ab, 0x5be0cd19};

#if defined(INKAN_HAVE_X86_KERNELS)
void RunKernel(Sha256Stream* const* streams, size_t count, size_t blocks) {
  if (blocks > 0) kDigestShaNiKernel.sha256(streams, count, blocks);
}
#else
void RunKernel(Sha256Stream* const*, size_t, size_t) { std::abort(); }
#endif

// The padding of FIPS 180-4 section 5.1.1, and the digest.
void FinishOwn(Bytes message, size_t done, Sha256Stream* stream,
               uint8_t* digest) {
  uint8_t end[2 * kSha256BlockBytes] = {};
  const size_t left = message.size() - done;
  const size_t count = left + 9 <= kSha256BlockBytes ? 1 : 2;
  if (left > 0) std::memcpy(end, message.data() + done, left);
  end[left] = 0x80;
  const uint64_t bits = uint64_t{message.size()} * 8;
  for (size_t i = 0; i < 8; ++i) {
    end[count * kSha256BlockBytes - 1 - i] =
        static_cast<uint8_t>(bits >> (8 * i));
  }
  stream->next = end;
  stream->blocks = count;
  RunKernel(&stream, 1, count);
  for (size_t i = 0; i < 32; ++i) {
    digest[i] =
        static_cast<uint8_t>(stream->state[i / 4] >> (24 - 8 * (i % 4)));
  }
}

// Two messages of several blocks, against OpenSSL.
[[maybe_unused]] bool PairKernelKnowsAnswers() {
  uint8_t text[500];
  for (size_t i = 0; i < sizeof(text); ++i) {
    text[i] = static_cast<uint8_t>(i * 167 + 13);
  }
  constexpr size_t kBlocks = 6;
  Sha256Stream streams[2] = {};
  Sha256Stream* const pointers[] = {&streams[0], &streams[1]};
  for (size_t i = 0; i < 2; ++i) {
    std::copy(std::begin(kInitialState), std::end(kInitialState),
              streams[i].state);
    streams[i].next = text + 7 * i;
    streams[i].blocks = kBlocks;
  }
  RunKernel(pointers, 2, kBlocks);
  for (size_t i = 0; i < 2; ++i) {
    const Bytes message(text + 7 * i, 450);
    uint8_t digest[32];
    FinishOwn(message, kBlocks * kSha256BlockBytes, &streams[i], digest);
    const std::array<uint8_t, 32> expected = Sha256(message);
    if (std::memcmp(digest, expected.data(), sizeof(digest)) != 0) return false;
  }
  return true;
}

// Whether two SHA-256 go side by side.
bool HavePairKernel() {
#if defined(INKAN_HAVE_X86_KERNELS)
  static const bool kHave = ChosenIsa().sha_ni && PairKernelKnowsAnswers();
  return kHave;
#else
  return false;
#endif
}

}  // namespace

// One message: by OpenSSL, or where the pair kernel is used, by it up to the
// last whole block and by FinishOwn.
struct OverlappingDigests::Stream {
  Stream(Bytes message_in, HashAlgorithm algorithm_in, bool own_in)
      : message(message_in), algorithm(algorithm_in), own(own_in) {
    std::copy(std::begin(kInitialState), std::end(kInitialState), blocks.state);
    if (own) return;
    context = EVP_MD_CTX_new();
    EVP_MD* method = EVP_MD_fetch(nullptr, OpenSslName(algorithm), nullptr);
    // A digest that was not computed must never be taken for one that was.
    if (context == nullptr || method == nullptr ||
        EVP_DigestInit_ex2(context, method, nullptr) != 1) {
      std::abort();
    }
    EVP_MD_free(method);
  }
  ~Stream() { EVP_MD_CTX_free(context); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Whole blocks between what is done and `end`.
  size_t BlocksBefore(const uint8_t* end) const {
    const uint8_t* from = message.data() + done;
    const uint8_t* to = std::min(end, message.data() + message.size());
    return to <= from ? 0 : static_cast<size_t>(to - from) / kSha256BlockBytes;
  }

  void UpdateTo(const uint8_t* end) {
    const uint8_t* from = message.data() + done;
    const uint8_t* to = std::min(end, message.data() + message.size());
    if (to <= from) return;
    const auto size = static_cast<size_t>(to - from);
    if (EVP_DigestUpdate(context, from, size) != 1) std::abort();
    done += size;
  }

  void Prepare(size_t count) {
    blocks.next = message.data() + done;
    blocks.blocks = count;
    done += count * kSha256BlockBytes;
  }

  const Bytes message;
  const HashAlgorithm algorithm;
  const bool own;
  size_t done = 0;
  Sha256Stream blocks = {};
  EVP_MD_CTX* context = nullptr;
};

OverlappingDigests::OverlappingDigests(Bytes whole, Bytes inner,
                                       HashAlgorithm algorithm)
    : whole_(whole),
      outer_(std::make_unique<Stream>(
          whole, HashAlgorithm::kSha256,
          algorithm == HashAlgorithm::kSha256 && HavePairKernel())),
      inner_(std::make_unique<Stream>(
          inner, algorithm,
          algorithm == HashAlgorithm::kSha256 && HavePairKernel())) {}

OverlappingDigests::~OverlappingDigests() = default;

void OverlappingDigests::AdvanceTo(const uint8_t* end) {
  if (!outer_->own) {
    outer_->UpdateTo(end);
    inner_->UpdateTo(end);
    return;
  }
  const size_t outer = outer_->BlocksBefore(end);
  const size_t inner = inner_->BlocksBefore(end);
  const size_t both = std::min(outer, inner);
  outer_->Prepare(outer);
  inner_->Prepare(inner);
  Sha256Stream* streams[] = {&outer_->blocks, &inner_->blocks};
  RunKernel(streams, 2, both);
  RunKernel(&streams[0], 1, outer - both);
  RunKernel(&streams[1], 1, inner - both);
}

void OverlappingDigests::Finish(uint8_t* whole_sha256, uint8_t* inner_digest) {
  AdvanceTo(whole_.data() + whole_.size());
  if (!outer_->own) {
    if (EVP_DigestFinal_ex(outer_->context, whole_sha256, nullptr) != 1 ||
        EVP_DigestFinal_ex(inner_->context, inner_digest, nullptr) != 1) {
      std::abort();
    }
    return;
  }
  FinishOwn(outer_->message, outer_->done, &outer_->blocks, whole_sha256);
  FinishOwn(inner_->message, inner_->done, &inner_->blocks, inner_digest);
}

}  // namespace inkan
