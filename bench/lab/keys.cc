#include "bench/lab/keys.h"

#include <openssl/core_names.h>
#include <openssl/obj_mac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <utility>

#include "bench/lab/der_writer.h"
#include "bench/lab/openssl_types.h"

namespace inkan::lab {
namespace {

enum class Scheme : uint8_t { kPkcs1, kPss, kEcdsa };

struct AlgorithmFacts {
  Scheme scheme;
  const EVP_MD* (*hash)();
  const char* oid;
  const char* hash_oid;
};

const AlgorithmFacts& Facts(SigningAlgorithm algorithm) {
  static constexpr char kSha256Oid[] = "2.16.840.1.101.3.4.2.1";
  static constexpr char kSha384Oid[] = "2.16.840.1.101.3.4.2.2";
  static constexpr char kSha512Oid[] = "2.16.840.1.101.3.4.2.3";
  static constexpr char kPss[] = "1.2.840.113549.1.1.10";
  static const AlgorithmFacts all_facts[] = {
      {Scheme::kPkcs1, EVP_md5, "1.2.840.113549.1.1.4", "1.2.840.113549.2.5"},
      {Scheme::kPkcs1, EVP_sha1, "1.2.840.113549.1.1.5", "1.3.14.3.2.26"},
      {Scheme::kPkcs1, EVP_sha256, "1.2.840.113549.1.1.11", kSha256Oid},
      {Scheme::kPkcs1, EVP_sha384, "1.2.840.113549.1.1.12", kSha384Oid},
      {Scheme::kPkcs1, EVP_sha512, "1.2.840.113549.1.1.13", kSha512Oid},
      {Scheme::kPss, EVP_sha256, kPss, kSha256Oid},
      {Scheme::kPss, EVP_sha384, kPss, kSha384Oid},
      {Scheme::kPss, EVP_sha512, kPss, kSha512Oid},
      {Scheme::kEcdsa, EVP_sha256, "1.2.840.10045.4.3.2", kSha256Oid},
      {Scheme::kEcdsa, EVP_sha384, "1.2.840.10045.4.3.3", kSha384Oid},
      {Scheme::kEcdsa, EVP_sha512, "1.2.840.10045.4.3.4", kSha512Oid},
  };
  return all_facts[static_cast<size_t>(algorithm)];
}

std::string Digest(const EVP_MD* hash, std::string_view message) {
  std::string digest(static_cast<size_t>(EVP_MD_get_size(hash)), '\0');
  unsigned int size = 0;
  Require(EVP_Digest(message.data(), message.size(), Octets(&digest), &size,
                     hash, nullptr) == 1,
          "EVP_Digest");
  return digest;
}

// MGF1 (RFC 8017 appendix B.2.1).
std::string Mgf1(const EVP_MD* hash, const std::string& seed, size_t size) {
  std::string mask;
  for (uint8_t counter = 0; mask.size() < size; ++counter) {
    mask +=
        Digest(hash, seed + std::string(3, '\0') + static_cast<char>(counter));
  }
  mask.resize(size);
  return mask;
}

// EMSA-PSS-ENCODE (RFC 8017 section 9.1.1) with a salt derived from the digest,
// because OpenSSL offers only random salts.
std::string EncodePss(const EVP_MD* hash, std::string_view digest,
                      size_t modulus_bits) {
  const size_t size = (modulus_bits - 1 + 7) / 8;
  const size_t hash_size = digest.size();
  Require(size >= 2 * hash_size + 2, "the modulus is too short for this hash");
  const std::string salt = Digest(hash, std::string("salt/").append(digest));
  const std::string h =
      Digest(hash, std::string(8, '\0').append(digest).append(salt));
  const std::string mask = Mgf1(hash, h, size - hash_size - 1);
  std::string block(mask.size() - hash_size - 1, '\0');
  block += '\x01';
  block += salt;
  for (size_t i = 0; i < block.size(); ++i) {
    block[i] = static_cast<char>(block[i] ^ mask[i]);
  }
  const auto unused = static_cast<unsigned>(8 * size - (modulus_bits - 1));
  block[0] =
      static_cast<char>(static_cast<uint8_t>(block[0]) & (0xffU >> unused));
  // A modulus of 8k + 1 bits has a leading octet that the encoding lacks.
  return std::string((modulus_bits + 7) / 8 - size, '\0') + block + h + '\xbc';
}

EvpPkey MakeKey(const char* type, OSSL_PARAM_BLD* build) {
  const Params params(OSSL_PARAM_BLD_to_param(build));
  const EvpPkeyCtx ctx(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  Require(params != nullptr && EVP_PKEY_fromdata_init(ctx.get()) == 1 &&
              EVP_PKEY_fromdata(ctx.get(), &key, EVP_PKEY_KEYPAIR,
                                params.get()) == 1,
          "EVP_PKEY_fromdata");
  return EvpPkey(key);
}

std::string SpkiAround(std::string_view algorithm, std::string_view key_bits) {
  return Der([&](DerWriter& w) {
    w.Nest(der::kSequence, [&] {
      w.Raw(algorithm);
      w.BitString(key_bits);
    });
  });
}

int NidOf(Curve curve) {
  return curve == Curve::kP256 ? NID_X9_62_prime256v1 : NID_secp384r1;
}

// A scalar in [1, order) that `key_material` decides.
Bn ScalarFrom(std::string_view key_material, const BIGNUM* order) {
  DeterministicRandom random(key_material);
  const auto size = static_cast<size_t>(BN_num_bytes(order));
  for (;;) {
    Bn scalar = BnFromBytes(random.Octets(size));
    if (!BN_is_zero(scalar.get()) && BN_cmp(scalar.get(), order) < 0) {
      return scalar;
    }
  }
}

}  // namespace

struct PrivateKey::Impl {
  EvpPkey key;
  std::string spki;
  std::string key_identifier;
  std::string modulus;  // RSA
  size_t modulus_bits = 0;
  Curve curve = Curve::kP256;  // EC
  Bn scalar;
};

PrivateKey::PrivateKey(std::shared_ptr<const Impl> impl)
    : impl_(std::move(impl)) {}

std::string AlgorithmIdentifier(SigningAlgorithm algorithm) {
  const AlgorithmFacts& facts = Facts(algorithm);
  return Der([&](DerWriter& w) {
    const auto hash = [&] {
      w.Nest(der::kSequence, [&] {
        w.Oid(facts.hash_oid);
        w.Null();
      });
    };
    w.Nest(der::kSequence, [&] {
      w.Oid(facts.oid);
      if (facts.scheme == Scheme::kPkcs1) w.Null();
      if (facts.scheme != Scheme::kPss) return;
      w.Nest(der::kSequence, [&] {
        w.Nest(der::ContextConstructed(0), hash);
        w.Nest(der::ContextConstructed(1), [&] {
          w.Nest(der::kSequence, [&] {
            w.Oid("1.2.840.113549.1.1.8");
            hash();
          });
        });
        w.Nest(der::ContextConstructed(2), [&] {
          w.Integer(static_cast<uint64_t>(EVP_MD_get_size(facts.hash())));
        });
      });
    });
  });
}

std::string DigestFor(SigningAlgorithm algorithm, std::string_view message) {
  return Digest(Facts(algorithm).hash(), message);
}

std::string Sha256Of(std::string_view message) {
  return Digest(EVP_sha256(), message);
}

std::string Sha1Of(std::string_view message) {
  return Digest(EVP_sha1(), message);
}

std::string RsaSubjectPublicKeyInfo(std::string_view modulus,
                                    std::string_view exponent) {
  const std::string algorithm = Der([](DerWriter& w) {
    w.Nest(der::kSequence, [&] {
      w.Oid("1.2.840.113549.1.1.1");
      w.Null();
    });
  });
  return SpkiAround(algorithm, Der([&](DerWriter& w) {
                      w.Nest(der::kSequence, [&] {
                        w.UnsignedInteger(modulus);
                        w.UnsignedInteger(exponent);
                      });
                    }));
}

void MessageHash::Deleter::operator()(void* context) const {
  EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context));
}

MessageHash::MessageHash(SigningAlgorithm algorithm)
    : context_(EVP_MD_CTX_new()) {
  Require(EVP_DigestInit_ex(static_cast<EVP_MD_CTX*>(context_.get()),
                            Facts(algorithm).hash(), nullptr) == 1,
          "EVP_DigestInit_ex");
}

void MessageHash::Update(std::string_view piece) {
  Require(EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_.get()),
                           piece.data(), piece.size()) == 1,
          "EVP_DigestUpdate");
}

std::string MessageHash::Finish() {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  Require(EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_.get()),
                             Octets(&digest), &size) == 1,
          "EVP_DigestFinal_ex");
  digest.resize(size);
  return digest;
}

PrivateKey PrivateKey::RsaFromSeed(std::string_view seed, unsigned bits,
                                   uint64_t exponent) {
  DeterministicRandom random(std::string("inkan-lab/rsa/").append(seed));
  const std::string p = DeterministicPrime(&random, bits / 2, exponent);
  std::string q = p;
  while (q == p) q = DeterministicPrime(&random, bits / 2, exponent);
  return RsaFromPrimes(p, q, exponent);
}

PrivateKey PrivateKey::RsaFromPrimes(std::string_view p_bytes,
                                     std::string_view q_bytes,
                                     uint64_t exponent) {
  const BnCtx ctx(BN_CTX_new());
  Bn p = BnFromBytes(p_bytes);
  Bn q = BnFromBytes(q_bytes);
  // The convention of RFC 8017 and of most software: p is the larger one.
  if (BN_cmp(p.get(), q.get()) < 0) std::swap(p, q);
  const Bn e = BnFromWord(exponent);
  const Bn n = NewBn(), phi = NewBn(), d = NewBn(), dp = NewBn(), dq = NewBn();
  const Bn qinv = NewBn(), p1(BN_dup(p.get())), q1(BN_dup(q.get()));
  BN_sub_word(p1.get(), 1);
  BN_sub_word(q1.get(), 1);
  BN_mul(n.get(), p.get(), q.get(), ctx.get());
  BN_mul(phi.get(), p1.get(), q1.get(), ctx.get());
  Require(
      BN_mod_inverse(d.get(), e.get(), phi.get(), ctx.get()) != nullptr &&
          BN_mod_inverse(qinv.get(), q.get(), p.get(), ctx.get()) != nullptr,
      "the primes do not suit the exponent");
  BN_mod(dp.get(), d.get(), p1.get(), ctx.get());
  BN_mod(dq.get(), d.get(), q1.get(), ctx.get());

  const ParamBuild build(OSSL_PARAM_BLD_new());
  const std::pair<const char*, const BIGNUM*> parts[] = {
      {OSSL_PKEY_PARAM_RSA_N, n.get()},
      {OSSL_PKEY_PARAM_RSA_E, e.get()},
      {OSSL_PKEY_PARAM_RSA_D, d.get()},
      {OSSL_PKEY_PARAM_RSA_FACTOR1, p.get()},
      {OSSL_PKEY_PARAM_RSA_FACTOR2, q.get()},
      {OSSL_PKEY_PARAM_RSA_EXPONENT1, dp.get()},
      {OSSL_PKEY_PARAM_RSA_EXPONENT2, dq.get()},
      {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, qinv.get()}};
  for (const auto& [name, value] : parts) {
    Require(OSSL_PARAM_BLD_push_BN(build.get(), name, value) == 1, name);
  }
  auto impl = std::make_shared<Impl>();
  impl->key = MakeKey("RSA", build.get());
  impl->modulus = BnToBytes(n.get());
  impl->modulus_bits = static_cast<size_t>(BN_num_bits(n.get()));
  impl->spki = RsaSubjectPublicKeyInfo(impl->modulus, BnToBytes(e.get()));
  impl->key_identifier = Sha1Of(Der([&](DerWriter& w) {
    w.Nest(der::kSequence, [&] {
      w.UnsignedInteger(impl->modulus);
      w.UnsignedInteger(BnToBytes(e.get()));
    });
  }));
  return PrivateKey(std::move(impl));
}

PrivateKey PrivateKey::EcFromSeed(std::string_view seed, Curve curve) {
  const BnCtx ctx(BN_CTX_new());
  const EcGroup group(EC_GROUP_new_by_curve_name(NidOf(curve)));
  auto impl = std::make_shared<Impl>();
  impl->curve = curve;
  impl->scalar = ScalarFrom(std::string("inkan-lab/ec/").append(seed),
                            EC_GROUP_get0_order(group.get()));
  const EcPoint point(EC_POINT_new(group.get()));
  Require(EC_POINT_mul(group.get(), point.get(), impl->scalar.get(), nullptr,
                       nullptr, ctx.get()) == 1,
          "EC_POINT_mul");
  std::string octets(1 + 2 * (curve == Curve::kP256 ? 32 : 48), '\0');
  Require(EC_POINT_point2oct(group.get(), point.get(),
                             POINT_CONVERSION_UNCOMPRESSED, Octets(&octets),
                             octets.size(), ctx.get()) == octets.size(),
          "EC_POINT_point2oct");

  const ParamBuild build(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(build.get(), OSSL_PKEY_PARAM_GROUP_NAME,
                                  curve == Curve::kP256 ? "P-256" : "P-384", 0);
  OSSL_PARAM_BLD_push_octet_string(build.get(), OSSL_PKEY_PARAM_PUB_KEY,
                                   octets.data(), octets.size());
  OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_PRIV_KEY,
                         impl->scalar.get());
  impl->key = MakeKey("EC", build.get());
  const std::string algorithm = Der([&](DerWriter& w) {
    w.Nest(der::kSequence, [&] {
      w.Oid("1.2.840.10045.2.1");
      w.Oid(curve == Curve::kP256 ? "1.2.840.10045.3.1.7" : "1.3.132.0.34");
    });
  });
  impl->spki = SpkiAround(algorithm, octets);
  impl->key_identifier = Sha1Of(octets);
  return PrivateKey(std::move(impl));
}

const std::string& PrivateKey::public_key() const { return impl_->spki; }

const std::string& PrivateKey::key_identifier() const {
  return impl_->key_identifier;
}

const std::string& PrivateKey::modulus() const { return impl_->modulus; }

SigningAlgorithm PrivateKey::default_algorithm() const {
  if (is_rsa()) return SigningAlgorithm::kRsaPkcs1Sha256;
  return impl_->curve == Curve::kP256 ? SigningAlgorithm::kEcdsaSha256
                                      : SigningAlgorithm::kEcdsaSha384;
}

std::string PrivateKey::Sign(SigningAlgorithm algorithm,
                             std::string_view message) const {
  return SignDigest(algorithm, DigestFor(algorithm, message));
}

std::string PrivateKey::SignDigest(SigningAlgorithm algorithm,
                                   std::string_view digest) const {
  const AlgorithmFacts& facts = Facts(algorithm);
  Require((facts.scheme == Scheme::kEcdsa) != is_rsa(),
          "the algorithm is not one for this kind of key");
  if (facts.scheme == Scheme::kEcdsa) return SignEcdsa(algorithm, digest);
  if (facts.scheme == Scheme::kPss) {
    return RawRsa(EncodePss(facts.hash(), digest, impl_->modulus_bits));
  }
  const EvpPkeyCtx ctx(EVP_PKEY_CTX_new(impl_->key.get(), nullptr));
  std::string signature(impl_->modulus.size(), '\0');
  size_t size = signature.size();
  Require(EVP_PKEY_sign_init(ctx.get()) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(ctx.get(), RSA_PKCS1_PADDING) == 1 &&
              EVP_PKEY_CTX_set_signature_md(ctx.get(), facts.hash()) == 1 &&
              EVP_PKEY_sign(ctx.get(), Octets(&signature), &size,
                            Octets(digest), digest.size()) == 1 &&
              size == signature.size(),
          "RSA signature");
  return signature;
}

std::string PrivateKey::RawRsa(std::string_view block) const {
  const EvpPkeyCtx ctx(EVP_PKEY_CTX_new(impl_->key.get(), nullptr));
  std::string signature(impl_->modulus.size(), '\0');
  size_t size = signature.size();
  Require(EVP_PKEY_sign_init(ctx.get()) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(ctx.get(), RSA_NO_PADDING) == 1 &&
              EVP_PKEY_sign(ctx.get(), Octets(&signature), &size, Octets(block),
                            block.size()) == 1,
          "RSA private operation");
  return signature;
}

// ECDSA (FIPS 186-4 section 6.4) with the nonce derived from key and digest,
// because OpenSSL 3.0 offers only random ones.
std::string PrivateKey::SignEcdsa(SigningAlgorithm algorithm,
                                  std::string_view digest) const {
  const BnCtx ctx(BN_CTX_new());
  const EcGroup group(EC_GROUP_new_by_curve_name(NidOf(impl_->curve)));
  const BIGNUM* order = EC_GROUP_get0_order(group.get());
  const auto order_size = static_cast<size_t>(BN_num_bytes(order));
  const Bn z = BnFromBytes(digest.substr(0, order_size));
  std::string nonce_seed = BnToBytes(impl_->scalar.get());
  nonce_seed.append(1, static_cast<char>(algorithm)).append(digest);
  const Bn k = ScalarFrom(nonce_seed, order);
  const EcPoint point(EC_POINT_new(group.get()));
  const Bn r = NewBn(), s = NewBn(), k_inverse = NewBn();
  Require(EC_POINT_mul(group.get(), point.get(), k.get(), nullptr, nullptr,
                       ctx.get()) == 1 &&
              EC_POINT_get_affine_coordinates(group.get(), point.get(), r.get(),
                                              nullptr, ctx.get()) == 1,
          "EC_POINT_mul");
  BN_nnmod(r.get(), r.get(), order, ctx.get());
  BN_mod_mul(s.get(), r.get(), impl_->scalar.get(), order, ctx.get());
  BN_mod_add(s.get(), s.get(), z.get(), order, ctx.get());
  Require(BN_mod_inverse(k_inverse.get(), k.get(), order, ctx.get()) != nullptr,
          "BN_mod_inverse");
  BN_mod_mul(s.get(), s.get(), k_inverse.get(), order, ctx.get());
  return Der([&](DerWriter& w) {
    w.Nest(der::kSequence, [&] {
      w.UnsignedInteger(BnToBytes(r.get()));
      w.UnsignedInteger(BnToBytes(s.get()));
    });
  });
}

std::string PrivateKey::Pem() const {
  const Bio bio(BIO_new(BIO_s_mem()));
  Require(PEM_write_bio_PrivateKey(bio.get(), impl_->key.get(), nullptr,
                                   nullptr, 0, nullptr, nullptr) == 1,
          "PEM_write_bio_PrivateKey");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

}  // namespace inkan::lab
