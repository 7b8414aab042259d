#include "crypto/rsa_padding.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "crypto/public_key.h"

namespace inkan {
namespace {

constexpr size_t kEncodingBytesMax = kRsaModulusBitsMax / 8;

// DigestInfo up to the digest, RFC 8017 section 9.2 note 1: SEQUENCE, SEQUENCE,
// the hash's OBJECT IDENTIFIER 2.16.840.1.101.3.4.2.N, NULL, OCTET STRING.
constexpr size_t kDigestInfoBytes = 19;
using DigestInfoPrefix = std::array<uint8_t, kDigestInfoBytes>;

DigestInfoPrefix MakeDigestInfoPrefix(HashAlgorithm hash) {
  const auto digest_bytes = static_cast<uint8_t>(DigestSize(hash));
  uint8_t arc = 1;
  if (hash == HashAlgorithm::kSha384) arc = 2;
  if (hash == HashAlgorithm::kSha512) arc = 3;
  return {0x30,        static_cast<uint8_t>(17 + digest_bytes),
          0x30,        13,
          6,           9,
          0x60,        0x86,
          0x48,        0x01,
          0x65,        3,
          4,           2,
          arc,         5,
          0,           4,
          digest_bytes};
}

// MGF1 (appendix B.2.1): xors the mask that `seed` makes onto `data`.
void XorMgf1(HashAlgorithm hash, Bytes seed, absl::Span<uint8_t> data) {
  std::array<uint8_t, kDigestBytesMax + 4> input;
  std::copy(seed.begin(), seed.end(), input.begin());
  const size_t hash_bytes = DigestSize(hash);
  std::array<std::array<uint8_t, kDigestBytesMax>, 16> masks;
  std::array<std::array<uint8_t, kDigestBytesMax + 4>, 16> inputs;
  inputs.fill(input);
  std::array<DigestJob, 16> jobs;
  const size_t blocks = (data.size() + hash_bytes - 1) / hash_bytes;
  for (size_t i = 0; i < blocks; ++i) {
    // The counter is four octets, big-endian, and never above 15.
    const uint8_t counter[] = {0, 0, 0, static_cast<uint8_t>(i)};
    std::copy_n(counter, 4, inputs[i].begin() + seed.size());
    jobs[i] = {hash, Bytes(inputs[i].data(), seed.size() + 4), masks[i].data()};
  }
  DigestBatch(absl::MakeConstSpan(jobs.data(), blocks));
  for (size_t i = 0; i < data.size(); ++i) {
    data[i] ^= masks[i / hash_bytes][i % hash_bytes];
  }
}

}  // namespace

Pkcs1Match MatchPkcs1(Bytes encoding, HashAlgorithm hash, Bytes digest) {
  // 00 01, at least eight FF, 00, DigestInfo. Moduli are never shorter than
  // 2048 bits, so it always fits.
  const DigestInfoPrefix prefix = MakeDigestInfoPrefix(hash);
  const size_t tail = prefix.size() + digest.size();
  if (encoding.size() > kEncodingBytesMax || encoding.size() < tail + 11) {
    return Pkcs1Match::kDifferent;
  }
  std::array<uint8_t, kEncodingBytesMax> expected;
  const size_t padding_end = encoding.size() - tail - 1;
  expected[0] = 0x00;
  expected[1] = 0x01;
  std::fill(expected.begin() + 2, expected.begin() + padding_end, 0xff);
  expected[padding_end] = 0x00;
  std::copy(prefix.begin(), prefix.end(), expected.begin() + padding_end + 1);
  const size_t digest_start = encoding.size() - digest.size();
  if (std::memcmp(expected.data(), encoding.data(), digest_start) != 0) {
    return Pkcs1Match::kDifferent;
  }
  return SameBytes(encoding.subspan(digest_start), digest)
             ? Pkcs1Match::kSame
             : Pkcs1Match::kOtherDigest;
}

bool PssMatches(Bytes encoding, size_t em_bits, HashAlgorithm hash,
                size_t salt_bytes, Bytes digest) {
  const size_t em_bytes = (em_bits + 7) / 8;
  if (em_bytes > kEncodingBytesMax) return false;
  if (encoding.size() == em_bytes + 1) {
    if (encoding[0] != 0) return false;
    encoding.remove_prefix(1);
  }
  const size_t hash_bytes = digest.size();
  if (encoding.size() != em_bytes || em_bytes < hash_bytes + salt_bytes + 2 ||
      encoding.back() != 0xbc) {
    return false;
  }
  const size_t db_bytes = em_bytes - hash_bytes - 1;
  const Bytes h = encoding.subspan(db_bytes, hash_bytes);
  const auto unused_bits_mask =
      static_cast<uint8_t>(0xff00U >> (8 * em_bytes - em_bits));
  if ((encoding[0] & unused_bits_mask) != 0) return false;

  std::array<uint8_t, kEncodingBytesMax> db;
  std::copy_n(encoding.begin(), db_bytes, db.begin());
  XorMgf1(hash, h, absl::MakeSpan(db.data(), db_bytes));
  db[0] = static_cast<uint8_t>(db[0] & ~unused_bits_mask);
  const size_t zeros = db_bytes - salt_bytes - 1;
  if (std::any_of(db.begin(), db.begin() + zeros,
                  [](uint8_t octet) { return octet != 0; }) ||
      db[zeros] != 0x01) {
    return false;
  }

  // M' = eight zero octets, the digest, the salt.
  std::array<uint8_t, 8 + kDigestBytesMax + kEncodingBytesMax> message = {};
  std::copy(digest.begin(), digest.end(), message.begin() + 8);
  std::copy_n(db.begin() + zeros + 1, salt_bytes,
              message.begin() + 8 + hash_bytes);
  std::array<uint8_t, kDigestBytesMax> expected;
  const DigestJob job = {hash,
                         Bytes(message.data(), 8 + hash_bytes + salt_bytes),
                         expected.data()};
  DigestBatch(absl::MakeConstSpan(&job, 1));
  return SameBytes(h, Bytes(expected.data(), hash_bytes));
}

}  // namespace inkan
