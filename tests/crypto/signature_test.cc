#include "crypto/signature.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

#include "crypto/rsa_padding.h"
#include "gtest/gtest.h"
#include "tests/crypto/rsa_reference.h"

namespace inkan {
namespace {

struct PkeyDeleter {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
};
using Pkey = std::unique_ptr<EVP_PKEY, PkeyDeleter>;
using PkeyContext = std::unique_ptr<EVP_PKEY_CTX, PkeyDeleter>;

const EVP_MD* MdOf(HashAlgorithm hash) {
  return hash == HashAlgorithm::kSha256   ? EVP_sha256()
         : hash == HashAlgorithm::kSha384 ? EVP_sha384()
                                          : EVP_sha512();
}

// A private key by OpenSSL and its public part as this project reads it.
struct Signer {
  explicit Signer(Pkey made) : pkey(std::move(made)) {
    uint8_t* der = nullptr;
    const int size = i2d_PUBKEY(pkey.get(), &der);
    spki.assign(reinterpret_cast<char*>(der), static_cast<size_t>(size));
    OPENSSL_free(der);
    EXPECT_TRUE(ParsePublicKey(AsBytes(spki), &key).ok());
  }

  std::string Sign(const SignatureAlgorithm& algorithm,
                   const std::string& digest) const {
    const PkeyContext context(EVP_PKEY_CTX_new(pkey.get(), nullptr));
    EXPECT_EQ(EVP_PKEY_sign_init(context.get()), 1);
    if (algorithm.scheme != SignatureScheme::kEcdsa) {
      const bool pss = algorithm.scheme == SignatureScheme::kRsaPss;
      EXPECT_EQ(
          EVP_PKEY_CTX_set_rsa_padding(
              context.get(), pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING),
          1);
      if (pss) {
        EXPECT_EQ(EVP_PKEY_CTX_set_rsa_pss_saltlen(context.get(),
                                                   algorithm.pss_salt_bytes),
                  1);
      }
      EXPECT_EQ(
          EVP_PKEY_CTX_set_signature_md(context.get(), MdOf(algorithm.hash)),
          1);
    }
    std::string signature(600, '\0');
    size_t size = signature.size();
    EXPECT_EQ(EVP_PKEY_sign(context.get(),
                            reinterpret_cast<uint8_t*>(signature.data()), &size,
                            AsBytes(digest).data(), digest.size()),
              1);
    signature.resize(size);
    return signature;
  }

  Pkey pkey;
  std::string spki;
  PublicKey key;
};

const Signer& RsaSigner(unsigned bits) {
  // 2049 and 2055 bits: lengths at which PSS's encoding is one octet shorter
  // than the modulus, or has bits to clear.
  static const Signer* const k2048 = new Signer(Pkey(EVP_RSA_gen(2048)));
  static const Signer* const k2049 = new Signer(Pkey(EVP_RSA_gen(2049)));
  static const Signer* const k2055 = new Signer(Pkey(EVP_RSA_gen(2055)));
  static const Signer* const k3072 = new Signer(Pkey(EVP_RSA_gen(3072)));
  return bits == 2048   ? *k2048
         : bits == 2049 ? *k2049
         : bits == 2055 ? *k2055
                        : *k3072;
}

const Signer& EcSigner(const char* curve) {
  static const Signer* const kP256 = new Signer(Pkey(EVP_EC_gen("P-256")));
  static const Signer* const kP384 = new Signer(Pkey(EVP_EC_gen("P-384")));
  return std::string(curve) == "P-256" ? *kP256 : *kP384;
}

SignatureJob Verify(const Signer& signer, const SignatureAlgorithm& algorithm,
                    const std::string& digest, const std::string& signature) {
  SignatureJob job;
  job.key = &signer.key;
  job.algorithm = algorithm;
  job.digest = AsBytes(digest);
  job.signature = AsBytes(signature);
  VerifyBatch(absl::MakeSpan(&job, 1));
  return job;
}

SignatureResult ResultOf(const Signer& signer,
                         const SignatureAlgorithm& algorithm,
                         const std::string& digest,
                         const std::string& signature) {
  return Verify(signer, algorithm, digest, signature).result;
}

constexpr HashAlgorithm kHashes[] = {
    HashAlgorithm::kSha256, HashAlgorithm::kSha384, HashAlgorithm::kSha512};

SignatureAlgorithm Pkcs1(HashAlgorithm hash) {
  return {SignatureScheme::kRsaPkcs1, hash, 0};
}
SignatureAlgorithm Pss(HashAlgorithm hash, size_t salt) {
  return {SignatureScheme::kRsaPss, hash, static_cast<uint16_t>(salt)};
}
SignatureAlgorithm Ecdsa(HashAlgorithm hash) {
  return {SignatureScheme::kEcdsa, hash, 0};
}
std::string Digest(HashAlgorithm hash, char fill = '\x42') {
  return std::string(DigestSize(hash), fill);
}

TEST(Signature, Pkcs1IsValidForItsDigestAndAMismatchForAnother) {
  for (const unsigned bits : {2048U, 2049U, 3072U}) {
    for (const HashAlgorithm hash : kHashes) {
      const Signer& signer = RsaSigner(bits);
      const std::string signature = signer.Sign(Pkcs1(hash), Digest(hash));
      EXPECT_EQ(ResultOf(signer, Pkcs1(hash), Digest(hash), signature),
                SignatureResult::kValid);
      EXPECT_EQ(ResultOf(signer, Pkcs1(hash), Digest(hash, '\x43'), signature),
                SignatureResult::kHashMismatch);
    }
  }
}

TEST(Signature, Pkcs1OverAnotherHashAlgorithmIsInvalidNotAMismatch) {
  const Signer& signer = RsaSigner(2048);
  const std::string signature =
      signer.Sign(Pkcs1(kHashes[0]), Digest(kHashes[0]));
  EXPECT_EQ(ResultOf(signer, Pkcs1(kHashes[1]), Digest(kHashes[1]), signature),
            SignatureResult::kInvalid);
}

TEST(Signature, EveryFlippedOctetOfAPkcs1SignatureIsInvalid) {
  const Signer& signer = RsaSigner(2048);
  const HashAlgorithm hash = HashAlgorithm::kSha256;
  const std::string good = signer.Sign(Pkcs1(hash), Digest(hash));
  const std::string digest = Digest(hash);
  std::vector<std::string> flipped;
  std::vector<SignatureJob> jobs;
  for (size_t i = 0; i < good.size(); ++i) {
    flipped.push_back(good);
    flipped.back()[i] = static_cast<char>(flipped.back()[i] ^ (1 << (i % 8)));
  }
  for (const std::string& signature : flipped) {
    SignatureJob job;
    job.key = &signer.key;
    job.algorithm = Pkcs1(hash);
    job.digest = AsBytes(digest);
    job.signature = AsBytes(signature);
    jobs.push_back(job);
  }
  VerifyBatch(absl::MakeSpan(jobs));
  for (const SignatureJob& job : jobs) {
    EXPECT_EQ(job.result, SignatureResult::kInvalid);
  }
}

TEST(Signature, PssIsValidForEverySaltLengthAndModulusLength) {
  for (const unsigned bits : {2048U, 2049U, 2055U, 3072U}) {
    const Signer& signer = RsaSigner(bits);
    for (const HashAlgorithm hash : kHashes) {
      const size_t em_bytes = (bits - 1 + 7) / 8;
      const size_t most = em_bytes - DigestSize(hash) - 2;
      for (const size_t salt :
           {size_t{0}, size_t{20}, DigestSize(hash), most}) {
        const std::string signature =
            signer.Sign(Pss(hash, salt), Digest(hash));
        EXPECT_EQ(ResultOf(signer, Pss(hash, salt), Digest(hash), signature),
                  SignatureResult::kValid)
            << bits << " bits, salt " << salt;
        EXPECT_EQ(
            ResultOf(signer, Pss(hash, salt), Digest(hash, '\x43'), signature),
            SignatureResult::kInvalid);
        EXPECT_EQ(
            ResultOf(signer, Pss(hash, salt + 1), Digest(hash), signature),
            SignatureResult::kInvalid);
      }
      // No encoding has room for more.
      EXPECT_EQ(ResultOf(signer, Pss(hash, most + 1), Digest(hash),
                         std::string(signer.key.rsa_modulus.size(), '\0')),
                SignatureResult::kInvalid);
    }
  }
}

TEST(Signature, PssAndPkcs1AreNotTakenForEachOther) {
  const Signer& signer = RsaSigner(2048);
  const HashAlgorithm hash = HashAlgorithm::kSha256;
  const std::string pss = signer.Sign(Pss(hash, 32), Digest(hash));
  const std::string pkcs1 = signer.Sign(Pkcs1(hash), Digest(hash));
  EXPECT_EQ(ResultOf(signer, Pkcs1(hash), Digest(hash), pss),
            SignatureResult::kInvalid);
  EXPECT_EQ(ResultOf(signer, Pss(hash, 32), Digest(hash), pkcs1),
            SignatureResult::kInvalid);
}

TEST(Signature, EcdsaIsValidOnBothCurvesWithAnyHash) {
  for (const char* curve : {"P-256", "P-384"}) {
    for (const HashAlgorithm hash : kHashes) {
      const Signer& signer = EcSigner(curve);
      const std::string signature = signer.Sign(Ecdsa(hash), Digest(hash));
      EXPECT_EQ(ResultOf(signer, Ecdsa(hash), Digest(hash), signature),
                SignatureResult::kValid);
      EXPECT_EQ(ResultOf(signer, Ecdsa(hash), Digest(hash, '\x43'), signature),
                SignatureResult::kInvalid);
      EXPECT_EQ(ResultOf(signer, Ecdsa(hash), Digest(hash), signature + '\0'),
                SignatureResult::kInvalid);
      EXPECT_EQ(ResultOf(signer, Ecdsa(hash), Digest(hash), ""),
                SignatureResult::kInvalid);
    }
  }
}

TEST(Signature, AnEcPointOffItsCurveIsNamed) {
  const Signer& signer = EcSigner("P-256");
  const HashAlgorithm hash = HashAlgorithm::kSha256;
  const std::string digest = Digest(hash);
  const std::string signature = signer.Sign(Ecdsa(hash), digest);
  std::string spki = signer.spki;
  spki.back() = static_cast<char>(spki.back() ^ 1);
  SignatureJob job;
  PublicKey key;
  ASSERT_TRUE(ParsePublicKey(AsBytes(spki), &key).ok());
  job.key = &key;
  job.algorithm = Ecdsa(hash);
  job.digest = AsBytes(digest);
  job.signature = AsBytes(signature);
  VerifyBatch(absl::MakeSpan(&job, 1));
  EXPECT_EQ(job.result, SignatureResult::kRefused);
  EXPECT_STREQ(job.fault.problem, "EC point is not on its curve");
}

TEST(Signature, WhatPolicyOrFormForbidsIsRefusedBeforeArithmetic) {
  const Signer& rsa = RsaSigner(2048);
  const Signer& ec = EcSigner("P-256");
  const HashAlgorithm hash = HashAlgorithm::kSha256;
  const std::string any(256, '\x01');
  const auto problem = [&](const Signer& signer, SignatureAlgorithm algorithm,
                           const std::string& digest) -> std::string {
    const SignatureJob job = Verify(signer, algorithm, digest, any);
    EXPECT_EQ(job.result, SignatureResult::kRefused);
    return job.fault.ok() ? "" : job.fault.problem;
  };
  EXPECT_EQ(problem(rsa, Pkcs1(HashAlgorithm::kSha1), std::string(20, 'x')),
            "SHA-1 is too weak");
  EXPECT_EQ(problem(rsa, Pkcs1(HashAlgorithm::kMd5), std::string(16, 'x')),
            "MD5 is too weak");
  EXPECT_EQ(problem(rsa, Pkcs1(HashAlgorithm::kNone), ""), "no hash algorithm");
  EXPECT_EQ(problem(rsa, SignatureAlgorithm(), Digest(hash)),
            "not a signature algorithm that is supported");
  EXPECT_EQ(problem(rsa, Ecdsa(hash), Digest(hash)),
            "not an algorithm of this kind of key");
  EXPECT_EQ(problem(ec, Pkcs1(hash), Digest(hash)),
            "not an algorithm of this kind of key");
  EXPECT_EQ(problem(rsa, Pkcs1(hash), std::string(31, 'x')),
            "not as long as the hash algorithm's");
  EXPECT_EQ(problem(rsa, Pkcs1(hash), std::string(33, 'x')),
            "not as long as the hash algorithm's");
  const Signer weak(Pkey(EVP_RSA_gen(1024)));
  EXPECT_EQ(problem(weak, Pkcs1(hash), Digest(hash)),
            "RSA modulus is shorter than policy allows");
}

TEST(Signature, AnRsaSignatureOfWrongFormIsInvalidWithAReason) {
  const Signer& signer = RsaSigner(2048);
  const HashAlgorithm hash = HashAlgorithm::kSha256;
  for (const size_t size : {0U, 255U, 257U}) {
    const SignatureJob job =
        Verify(signer, Pkcs1(hash), Digest(hash), std::string(size, '\0'));
    EXPECT_EQ(job.result, SignatureResult::kInvalid);
    EXPECT_STREQ(job.fault.problem, "not as long as the RSA modulus");
  }
  const SignatureJob job =
      Verify(signer, Pkcs1(hash), Digest(hash), std::string(256, '\xff'));
  EXPECT_EQ(job.result, SignatureResult::kInvalid);
  EXPECT_STREQ(job.fault.problem, "not less than the RSA modulus");
}

// A mixed batch longer than one chunk comes back with each result its own.
TEST(Signature, AMixedBatchKeepsEveryResultWithItsJob) {
  struct Item {
    std::string digest;
    std::string signature;
    SignatureResult expected;
  };
  std::vector<std::unique_ptr<Item>> items;
  std::vector<SignatureJob> jobs;
  const HashAlgorithm hash = HashAlgorithm::kSha256;
  const RsaPreparedKeyPtr prepared = PrepareRsaKey(RsaSigner(2048).key);
  for (size_t i = 0; i < 200; ++i) {
    const Signer& signer = i % 5 == 0   ? EcSigner("P-256")
                           : i % 7 == 0 ? RsaSigner(3072)
                                        : RsaSigner(2048);
    const SignatureAlgorithm algorithm = i % 5 == 0   ? Ecdsa(hash)
                                         : i % 3 == 0 ? Pss(hash, 32)
                                                      : Pkcs1(hash);
    auto item = std::make_unique<Item>();
    item->digest = Digest(hash, static_cast<char>(i));
    item->signature = signer.Sign(algorithm, item->digest);
    item->expected = SignatureResult::kValid;
    if (i % 11 == 0) {
      item->digest[3] = static_cast<char>(item->digest[3] ^ 1);
      item->expected = algorithm.scheme == SignatureScheme::kRsaPkcs1
                           ? SignatureResult::kHashMismatch
                           : SignatureResult::kInvalid;
    }
    SignatureJob job;
    job.key = &signer.key;
    if (&signer == &RsaSigner(2048) && i % 2 == 0)
      job.prepared = prepared.get();
    job.algorithm = algorithm;
    job.digest = AsBytes(item->digest);
    job.signature = AsBytes(item->signature);
    jobs.push_back(job);
    items.push_back(std::move(item));
  }
  VerifyBatch(absl::MakeSpan(jobs));
  for (size_t i = 0; i < jobs.size(); ++i) {
    EXPECT_EQ(jobs[i].result, items[i]->expected) << i;
  }
}

// --- Encodings -------------------------------------------------------------

std::string Pkcs1Encoding(size_t size, const std::string& digest_info) {
  return std::string("\x00\x01", 2) +
         std::string(size - digest_info.size() - 3, '\xff') + '\0' +
         digest_info;
}

TEST(Pkcs1Encoding, OnlyTheOneExpectedEncodingMatches) {
  const std::string digest(32, '\x42');
  const std::string prefix(
      "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04"
      "\x20",
      19);
  const HashAlgorithm hash = HashAlgorithm::kSha256;
  const std::string good = Pkcs1Encoding(256, prefix + digest);
  const auto match = [&](const std::string& encoding) {
    return MatchPkcs1(AsBytes(encoding), hash, AsBytes(digest));
  };
  EXPECT_EQ(match(good), Pkcs1Match::kSame);
  // Every single octet counts; those of the digest alone are a mismatch.
  for (size_t i = 0; i < good.size(); ++i) {
    std::string altered = good;
    altered[i] = static_cast<char>(altered[i] ^ 0x10);
    EXPECT_EQ(match(altered), i < good.size() - 32 ? Pkcs1Match::kDifferent
                                                   : Pkcs1Match::kOtherDigest)
        << i;
  }
  // Another digest and anything else wrong is not a mismatch of digests.
  std::string both = Pkcs1Encoding(256, prefix + std::string(32, '\x43'));
  both[5] = '\0';
  EXPECT_EQ(match(both), Pkcs1Match::kDifferent);
  const std::string without_null(
      "\x30\x2f\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x04\x20",
      17);
  EXPECT_EQ(match(Pkcs1Encoding(256, without_null + digest)),
            Pkcs1Match::kDifferent);
}

// --- AlgorithmIdentifier ---------------------------------------------------

std::string Tlv(int tag, const std::string& contents) {
  return std::string(1, static_cast<char>(tag)) +
         static_cast<char>(contents.size()) + contents;
}

const std::string kNull("\x05\x00", 2);

std::string Oid(const std::string& contents) { return Tlv(0x06, contents); }
const std::string kPkcs1Arc("\x2a\x86\x48\x86\xf7\x0d\x01\x01", 8);
const std::string kSha2("\x60\x86\x48\x01\x65\x03\x04\x02", 8);

std::string Hash(char arc, const std::string& parameters = kNull) {
  return Tlv(0x30, Oid(kSha2 + arc) + parameters);
}

std::string PssIdentifier(const std::string& fields) {
  return Tlv(0x30, Oid(kPkcs1Arc + '\x0a') + Tlv(0x30, fields));
}

std::string PssFields(char hash, char mgf_hash, const std::string& rest) {
  return Tlv(0xa0, Hash(hash)) +
         Tlv(0xa1, Tlv(0x30, Oid(kPkcs1Arc + '\x08') + Hash(mgf_hash))) + rest;
}

std::string Problem(const std::string& identifier) {
  SignatureAlgorithm algorithm;
  const Fault fault = ParseSignatureAlgorithm(AsBytes(identifier), &algorithm);
  return fault.ok() ? "" : fault.problem;
}

SignatureAlgorithm Parsed(const std::string& identifier) {
  SignatureAlgorithm algorithm;
  const Fault fault = ParseSignatureAlgorithm(AsBytes(identifier), &algorithm);
  EXPECT_TRUE(fault.ok()) << fault.problem;
  return algorithm;
}

TEST(SignatureAlgorithm, Pkcs1TakesNullOrAbsentParameters) {
  const char arcs[] = {11, 12, 13};
  for (size_t i = 0; i < 3; ++i) {
    const std::string oid = Oid(kPkcs1Arc + arcs[i]);
    EXPECT_EQ(Parsed(Tlv(0x30, oid + kNull)), Pkcs1(kHashes[i]));
    EXPECT_EQ(Parsed(Tlv(0x30, oid)), Pkcs1(kHashes[i]));
    EXPECT_NE(Problem(Tlv(0x30, oid + Tlv(0x30, ""))), "");
    EXPECT_NE(Problem(Tlv(0x30, oid + kNull + kNull)), "");
  }
}

TEST(SignatureAlgorithm, EcdsaTakesNoParameters) {
  const std::string arc("\x2a\x86\x48\xce\x3d\x04\x03", 7);
  for (char i = 0; i < 3; ++i) {
    const std::string oid = Oid(arc + static_cast<char>(i + 2));
    EXPECT_EQ(Parsed(Tlv(0x30, oid)), Ecdsa(kHashes[static_cast<size_t>(i)]));
    EXPECT_EQ(Problem(Tlv(0x30, oid + kNull)),
              "ECDSA has parameters, which must be absent");
  }
}

TEST(SignatureAlgorithm, PssParametersAreReadAndHeldTogether) {
  const std::string salt32 = Tlv(0xa2, Tlv(0x02, "\x20"));
  EXPECT_EQ(Parsed(PssIdentifier(PssFields(1, 1, salt32))),
            Pss(HashAlgorithm::kSha256, 32));
  EXPECT_EQ(
      Parsed(PssIdentifier(PssFields(3, 3, Tlv(0xa2, Tlv(0x02, "\x40"))))),
      Pss(HashAlgorithm::kSha512, 64));
  EXPECT_EQ(Parsed(PssIdentifier(PssFields(2, 2, ""))),
            Pss(HashAlgorithm::kSha384, 20));
  EXPECT_EQ(Parsed(PssIdentifier(
                PssFields(1, 1, salt32 + Tlv(0xa3, Tlv(0x02, "\x01"))))),
            Pss(HashAlgorithm::kSha256, 32));
  EXPECT_EQ(Parsed(PssIdentifier("")), Pss(HashAlgorithm::kSha1, 20));
  EXPECT_EQ(Problem(PssIdentifier(PssFields(1, 3, salt32))),
            "RSASSA-PSS masks with another hash than it signs with");
  EXPECT_EQ(Problem(PssIdentifier(
                PssFields(1, 1, salt32 + Tlv(0xa3, Tlv(0x02, "\x02"))))),
            "RSASSA-PSS trailerField is not 1");
  EXPECT_EQ(
      Problem(PssIdentifier(PssFields(1, 1, Tlv(0xa2, Tlv(0x02, "\x02\x01"))))),
      "RSASSA-PSS saltLength is longer than any modulus");
  EXPECT_EQ(Parsed(PssIdentifier(PssFields(
                1, 1, Tlv(0xa2, Tlv(0x02, std::string("\x02\x00", 2)))))),
            Pss(HashAlgorithm::kSha256, 512));
  EXPECT_EQ(
      Problem(PssIdentifier(PssFields(1, 1, Tlv(0xa2, Tlv(0x02, "\xff"))))),
      "RSASSA-PSS saltLength is not a DER INTEGER");
  EXPECT_EQ(Problem(Tlv(0x30, Oid(kPkcs1Arc + '\x0a') + kNull)),
            "RSASSA-PSS parameters are not one DER SEQUENCE");
  EXPECT_EQ(Problem(Tlv(0x30, Oid(kPkcs1Arc + '\x0a'))),
            "RSASSA-PSS parameters are not one DER SEQUENCE");
  EXPECT_EQ(Problem(PssIdentifier(PssFields(1, 1, salt32 + salt32))),
            "octets after the RSASSA-PSS parameters");
}

TEST(SignatureAlgorithm, UnknownOnesAreNoFaultAndWeakOnesKeepTheirName) {
  const std::string ed25519 = Tlv(0x30, Oid("\x2b\x65\x70"));
  EXPECT_EQ(Parsed(ed25519).scheme, SignatureScheme::kUnknown);
  const SignatureAlgorithm sha1 =
      Parsed(Tlv(0x30, Oid(kPkcs1Arc + '\x05') + kNull));
  EXPECT_EQ(sha1, Pkcs1(HashAlgorithm::kSha1));
  EXPECT_FALSE(CheckAlgorithmStrength(sha1).ok());
  EXPECT_TRUE(CheckAlgorithmStrength(Pkcs1(HashAlgorithm::kSha256)).ok());
}

TEST(SignatureAlgorithm, WhatIsNotDerIsAFault) {
  const std::string good = PssIdentifier(PssFields(1, 1, ""));
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_NE(Problem(good.substr(0, size)), "") << size;
  }
  EXPECT_EQ(Problem(good + kNull), "not one DER SEQUENCE");
  EXPECT_NE(Problem(Tlv(0x30, kNull)), "");
}

}  // namespace
}  // namespace inkan
