#include "crypto/digest.h"

#include <openssl/evp.h>

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace inkan {
namespace {

constexpr HashAlgorithm kAll[] = {
    HashAlgorithm::kSha256, HashAlgorithm::kSha384, HashAlgorithm::kSha512};

std::string Expected(HashAlgorithm algorithm, const std::string& message) {
  const EVP_MD* md = algorithm == HashAlgorithm::kSha256   ? EVP_sha256()
                     : algorithm == HashAlgorithm::kSha384 ? EVP_sha384()
                                                           : EVP_sha512();
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  EXPECT_EQ(
      EVP_Digest(message.data(), message.size(),
                 reinterpret_cast<uint8_t*>(digest.data()), &size, md, nullptr),
      1);
  digest.resize(size);
  return digest;
}

std::string Message(size_t size, unsigned seed) {
  std::string message(size, '\0');
  for (char& c : message) {
    seed = seed * 1664525U + 1013904223U;
    c = static_cast<char>(seed >> 24);
  }
  return message;
}

// Hashes all messages as one batch; `algorithms` is gone through in turn.
void ExpectBatchMatches(const std::vector<std::string>& messages,
                        const std::vector<HashAlgorithm>& algorithms) {
  std::vector<std::string> digests(messages.size(),
                                   std::string(kDigestBytesMax + 1, '\x5c'));
  std::vector<DigestJob> jobs;
  for (size_t i = 0; i < messages.size(); ++i) {
    jobs.push_back({algorithms[i % algorithms.size()], AsBytes(messages[i]),
                    reinterpret_cast<uint8_t*>(digests[i].data())});
  }
  DigestBatch(jobs);
  for (size_t i = 0; i < messages.size(); ++i) {
    const size_t size = DigestSize(jobs[i].algorithm);
    EXPECT_EQ(digests[i].substr(0, size),
              Expected(jobs[i].algorithm, messages[i]))
        << "message " << i << " of " << messages[i].size() << " octets";
    EXPECT_EQ(digests[i].substr(size),
              std::string(kDigestBytesMax + 1 - size, '\x5c'))
        << "written past the digest";
  }
}

TEST(Digest, EveryLengthAcrossSeveralBlocksIsRightAlone) {
  for (const HashAlgorithm algorithm : kAll) {
    for (size_t size = 0; size <= 400; ++size) {
      ExpectBatchMatches({Message(size, 1)}, {algorithm});
    }
  }
}

TEST(Digest, EveryLengthAcrossSeveralBlocksIsRightInOneBatch) {
  std::vector<std::string> messages;
  for (unsigned size = 0; size <= 400; ++size) {
    messages.push_back(Message(size, size));
  }
  for (const HashAlgorithm algorithm : kAll) {
    ExpectBatchMatches(messages, {algorithm});
  }
}

TEST(Digest, EveryCountOfMessagesIsRight) {
  for (size_t count = 0; count <= 70; ++count) {
    std::vector<std::string> messages;
    for (size_t i = 0; i < count; ++i) {
      messages.push_back(Message(1024 + i % 3, static_cast<unsigned>(i)));
    }
    for (const HashAlgorithm algorithm : kAll) {
      ExpectBatchMatches(messages, {algorithm});
    }
  }
}

TEST(Digest, UnlikeLengthsAndAlgorithmsMix) {
  std::vector<std::string> messages;
  for (unsigned i = 0; i < 200; ++i) {
    const size_t size = (i * 7919U) % (i % 10 == 0 ? 20000U : 300U);
    messages.push_back(Message(size, i));
  }
  ExpectBatchMatches(messages, {kAll[0], kAll[1], kAll[0], kAll[2], kAll[0]});
}

TEST(Digest, LengthBordersOfPaddingAreRightInEveryPairing) {
  const size_t borders[] = {0,   1,   55,  56,  63,  64,  65,
                            111, 112, 119, 120, 127, 128, 129};
  for (const size_t a : borders) {
    for (const size_t b : borders) {
      ExpectBatchMatches({Message(a, 3), Message(b, 4)}, {kAll[0]});
    }
  }
}

TEST(Digest, MessagesOfAMegabyteMixWithShortOnes) {
  std::vector<std::string> messages = {Message(1 << 20, 1), Message(3, 2),
                                       Message((1 << 20) + 17, 3)};
  for (unsigned i = 0; i < 20; ++i) messages.push_back(Message(100, i));
  for (const HashAlgorithm algorithm : kAll) {
    ExpectBatchMatches(messages, {algorithm});
  }
}

TEST(Digest, Sha256OfAbcIsThePublishedOne) {
  // FIPS 180-2 appendix B.1.
  const std::array<uint8_t, 32> expected = {
      0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
      0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
      0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
  EXPECT_EQ(Sha256(AsBytes("abc")), expected);
}

TEST(Digest, WeakAlgorithmsHaveNoDigest) {
  EXPECT_EQ(DigestSize(HashAlgorithm::kNone), 0U);
  EXPECT_EQ(DigestSize(HashAlgorithm::kMd5), 0U);
  EXPECT_EQ(DigestSize(HashAlgorithm::kSha1), 0U);
}

}  // namespace
}  // namespace inkan
