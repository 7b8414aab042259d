// Private keys that a seed decides, and signatures that are the same every
// time.
//
//   PrivateKey ca = PrivateKey::RsaFromSeed("ca", 2048);
//   std::string signature = ca.Sign(SigningAlgorithm::kRsaPkcs1Sha256,
//   document); builder.public_key(ca);
//
// For a lab only: keys come from seeds anyone can read, PSS salts and ECDSA
// nonces are derived from key and message, and nothing is constant-time beyond
// what OpenSSL does by itself. All arithmetic is OpenSSL's. A PrivateKey is a
// cheap handle to something immutable; any thread at once.
#ifndef INKAN_BENCH_LAB_KEYS_H_
#define INKAN_BENCH_LAB_KEYS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "bench/lab/random.h"

namespace inkan::lab {

enum class SigningAlgorithm : uint8_t {
  kRsaPkcs1Md5,
  kRsaPkcs1Sha1,
  kRsaPkcs1Sha256,
  kRsaPkcs1Sha384,
  kRsaPkcs1Sha512,
  kRsaPssSha256,  // MGF1 with the same hash, salt as long as the hash
  kRsaPssSha384,
  kRsaPssSha512,
  kEcdsaSha256,
  kEcdsaSha384,
  kEcdsaSha512,
};

// The AlgorithmIdentifier element that certificates and CRLs carry.
std::string AlgorithmIdentifier(SigningAlgorithm algorithm);
// The digest of a message by the algorithm's hash.
std::string DigestFor(SigningAlgorithm algorithm, std::string_view message);
std::string Sha256Of(std::string_view message);
std::string Sha1Of(std::string_view message);

// SubjectPublicKeyInfo of any two numbers (big-endian), weak ones too.
std::string RsaSubjectPublicKeyInfo(std::string_view modulus,
                                    std::string_view exponent);

enum class Curve : uint8_t { kP256, kP384 };

// Hashes a message that comes in pieces, for PrivateKey::SignDigest.
class MessageHash {
 public:
  explicit MessageHash(SigningAlgorithm algorithm);
  void Update(std::string_view piece);
  std::string Finish();

 private:
  struct Deleter {
    void operator()(void* context) const;
  };
  std::unique_ptr<void, Deleter> context_;
};

class PrivateKey {
 public:
  // A two-prime RSA key. Takes some tens of milliseconds at 2048 bits; a
  // PrimePool makes many keys faster.
  static PrivateKey RsaFromSeed(std::string_view seed, unsigned bits = 2048,
                                uint64_t exponent = 65537);
  // From two distinct primes, big-endian.
  static PrivateKey RsaFromPrimes(std::string_view p, std::string_view q,
                                  uint64_t exponent = 65537);
  static PrivateKey EcFromSeed(std::string_view seed, Curve curve);

  // The SubjectPublicKeyInfo element.
  const std::string& public_key() const;
  // SHA-1 of the subjectPublicKey bits (RFC 5280 section 4.2.1.2, method 1).
  const std::string& key_identifier() const;
  // Big-endian modulus; empty for EC.
  const std::string& modulus() const;
  bool is_rsa() const { return !modulus().empty(); }
  // What a CA with this key signs with unless told otherwise: RSA PKCS#1 with
  // SHA-256, or ECDSA with the hash of the curve's size.
  SigningAlgorithm default_algorithm() const;

  std::string Sign(SigningAlgorithm algorithm, std::string_view message) const;
  std::string SignDigest(SigningAlgorithm algorithm,
                         std::string_view digest) const;
  // The private operation on a block as long as the modulus, so that a test can
  // write any padding it likes. REQUIRES: is_rsa().
  std::string RawRsa(std::string_view block) const;
  // PKCS#8, PEM.
  std::string Pem() const;

 private:
  struct Impl;
  explicit PrivateKey(std::shared_ptr<const Impl> impl);

  std::string SignEcdsa(SigningAlgorithm algorithm,
                        std::string_view digest) const;

  std::shared_ptr<const Impl> impl_;
};

// A probable prime of exactly `bits` bits, its top two bits set, with p - 1
// coprime to `exponent`; big-endian. Strong tests to bases 2, 3, 5 and 7 on a
// random candidate: enough for a lab.
std::string DeterministicPrime(DeterministicRandom* random, unsigned bits,
                               uint64_t exponent = 65537);

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_KEYS_H_
