// The lab's builders, judged by OpenSSL.
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "bench/lab/certificate_builder.h"
#include "bench/lab/crl_builder.h"
#include "bench/lab/files.h"
#include "bench/lab/keys.h"
#include "bench/lab/prime_pool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace inkan::lab {
namespace {

template <typename T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

const unsigned char* Data(const std::string& bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

Owned<X509> ParseCertificate(const std::string& der) {
  const unsigned char* p = Data(der);
  Owned<X509> x(d2i_X509(nullptr, &p, static_cast<long>(der.size())),
                X509_free);
  EXPECT_EQ(p, Data(der) + der.size());
  return x;
}

Owned<X509_CRL> ParseCrl(const std::string& der) {
  const unsigned char* p = Data(der);
  return {d2i_X509_CRL(nullptr, &p, static_cast<long>(der.size())),
          X509_CRL_free};
}

Owned<EVP_PKEY> ParseKey(const PrivateKey& key) {
  const unsigned char* p = Data(key.public_key());
  return {d2i_PUBKEY(nullptr, &p, static_cast<long>(key.public_key().size())),
          EVP_PKEY_free};
}

bool OpenSslVerifies(const PrivateKey& key, const EVP_MD* hash, bool pss,
                     const std::string& message, const std::string& signature) {
  const Owned<EVP_PKEY> pkey = ParseKey(key);
  const Owned<EVP_MD_CTX> ctx(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_PKEY_CTX* pctx = nullptr;
  EXPECT_EQ(EVP_DigestVerifyInit(ctx.get(), &pctx, hash, nullptr, pkey.get()),
            1);
  if (pss) {
    EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST);
  }
  return EVP_DigestVerify(ctx.get(), Data(signature), signature.size(),
                          Data(message), message.size()) == 1;
}

const PrivateKey& CaKey() {
  static const auto* const kKey = new PrivateKey(PrivateKey::RsaFromSeed("ca"));
  return *kKey;
}

TEST(Keys, OpenSslVerifiesEverySignatureAlgorithm) {
  const PrivateKey& rsa = CaKey();
  const PrivateKey p256 = PrivateKey::EcFromSeed("a", Curve::kP256);
  const PrivateKey p384 = PrivateKey::EcFromSeed("a", Curve::kP384);
  struct Case {
    SigningAlgorithm algorithm;
    const PrivateKey* key;
    const EVP_MD* hash;
    bool pss;
  };
  const Case cases[] = {
      {SigningAlgorithm::kRsaPkcs1Md5, &rsa, EVP_md5(), false},
      {SigningAlgorithm::kRsaPkcs1Sha1, &rsa, EVP_sha1(), false},
      {SigningAlgorithm::kRsaPkcs1Sha256, &rsa, EVP_sha256(), false},
      {SigningAlgorithm::kRsaPkcs1Sha384, &rsa, EVP_sha384(), false},
      {SigningAlgorithm::kRsaPkcs1Sha512, &rsa, EVP_sha512(), false},
      {SigningAlgorithm::kRsaPssSha256, &rsa, EVP_sha256(), true},
      {SigningAlgorithm::kRsaPssSha384, &rsa, EVP_sha384(), true},
      {SigningAlgorithm::kRsaPssSha512, &rsa, EVP_sha512(), true},
      {SigningAlgorithm::kEcdsaSha256, &p256, EVP_sha256(), false},
      {SigningAlgorithm::kEcdsaSha384, &p384, EVP_sha384(), false},
      {SigningAlgorithm::kEcdsaSha512, &p256, EVP_sha512(), false},
      {SigningAlgorithm::kEcdsaSha512, &p384, EVP_sha512(), false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(static_cast<int>(c.algorithm));
    const std::string signature = c.key->Sign(c.algorithm, "a filing");
    EXPECT_TRUE(OpenSslVerifies(*c.key, c.hash, c.pss, "a filing", signature));
    EXPECT_FALSE(
        OpenSslVerifies(*c.key, c.hash, c.pss, "a forgery", signature));
    EXPECT_EQ(signature, c.key->Sign(c.algorithm, "a filing"));
  }
}

TEST(Keys, ASeedDecidesAKeyOfAnySizeAndExponent) {
  for (const unsigned bits : {1024U, 2048U, 3072U}) {
    const PrivateKey key = PrivateKey::RsaFromSeed("seed", bits, 3);
    EXPECT_EQ(key.modulus().size(), bits / 8);
    EXPECT_NE(static_cast<unsigned char>(key.modulus()[0]) & 0x80U, 0U);
    EXPECT_EQ(key.modulus(),
              PrivateKey::RsaFromSeed("seed", bits, 3).modulus());
    EXPECT_TRUE(
        OpenSslVerifies(key, EVP_sha256(), false, "m",
                        key.Sign(SigningAlgorithm::kRsaPkcs1Sha256, "m")));
  }
}

TEST(Keys, DeterministicPrimesArePrimeForOpenSsl) {
  DeterministicRandom random(1, "prime", 0);
  for (int i = 0; i < 3; ++i) {
    const std::string prime = DeterministicPrime(&random, 1024);
    const Owned<BIGNUM> p(BN_bin2bn(Data(prime), 128, nullptr), BN_free);
    EXPECT_EQ(BN_num_bits(p.get()), 1024);
    EXPECT_EQ(BN_check_prime(p.get(), nullptr, nullptr), 1);
  }
}

TEST(PrimePool, GivesDistinctModuliWhateverTheThreads) {
  const PrimePool one(5, 40, 1);
  const PrimePool two(5, 40, 2);
  EXPECT_EQ(one.primes(), 10U);
  std::set<std::string> moduli;
  for (uint64_t i = 0; i < one.keys(); ++i) {
    moduli.insert(one.Key(i).modulus());
    EXPECT_EQ(one.Key(i).modulus(), two.Key(i).modulus());
    EXPECT_EQ(one.Key(i).modulus().size(), 256U);
  }
  EXPECT_EQ(moduli.size(), one.keys());
}

TEST(CertificateBuilder, OpenSslReadsAndVerifiesWhatWasSet) {
  const Name ca_name = {{"C", "JP"}, {"O", "JPKI"}};
  const PrivateKey leaf = PrivateKey::RsaFromSeed("leaf");
  const std::string der =
      CertificateBuilder()
          .serial(0x80)
          .issuer(ca_name)
          .subject({{"C", "JP"}, {"L", "Prefecture"}, {"CN", "20260315"}})
          .validity(UtcSeconds(2049, 12, 31, 23, 59, 59),
                    UtcSeconds(2050, 1, 1))
          .public_key(leaf)
          .add(extension::KeyUsage(kDigitalSignature | kNonRepudiation))
          .add(extension::SubjectAltName({OtherNameUtf8("1.2.3", "name")}))
          .issued_by(CaKey())
          .Sign(CaKey());
  const Owned<X509> x = ParseCertificate(der);
  ASSERT_NE(x, nullptr);
  EXPECT_EQ(X509_verify(x.get(), ParseKey(CaKey()).get()), 1);
  EXPECT_EQ(X509_get_version(x.get()), 2);
  EXPECT_EQ(ASN1_INTEGER_get(X509_get0_serialNumber(x.get())), 0x80);
  EXPECT_EQ(X509_get_key_usage(x.get()),
            static_cast<uint32_t>(KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION));
  EXPECT_EQ(X509_get0_notBefore(x.get())->type, V_ASN1_UTCTIME);
  EXPECT_EQ(X509_get0_notAfter(x.get())->type, V_ASN1_GENERALIZEDTIME);
  const ASN1_OCTET_STRING* aki = X509_get0_authority_key_id(x.get());
  ASSERT_NE(aki, nullptr);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(aki->data),
                        static_cast<size_t>(aki->length)),
            CaKey().key_identifier());
}

// Every extension in one certificate: OpenSSL caches and so decodes them all.
TEST(CertificateBuilder, OpenSslDecodesEveryExtension) {
  const Name name = {{"C", "JP"}, {"CN", "x"}};
  DistributionPoint full;
  full.full_name = {DirectoryName(name), UriName("http://crl.invalid/1")};
  full.reasons = kReasonKeyCompromise | kReasonAaCompromise;
  DistributionPoint relative;
  relative.relative_name = {{"CN", "part"}};
  relative.crl_issuer = {DirectoryName(name)};
  const std::string der =
      CertificateBuilder()
          .public_key(CaKey())
          .ca(3)
          .add(extension::CertificatePolicies(
              {"1.2.3", Policy("1.2.4", "http://cps.invalid/")}))
          .add(extension::PolicyMappings({{"1.2.3", "1.2.5"}}))
          .add(extension::PolicyConstraints(0, 1))
          .add(extension::InhibitAnyPolicy(2))
          .add(extension::NameConstraints(
              {Subtree(DirectoryName(name)), Subtree(DnsName("example.jp"))},
              {Subtree(EmailName("a@example.jp"))}))
          .add(extension::SubjectAltName({UriName("http://a.invalid/"),
                                          IpName("\x7f\0\0\1"),
                                          RegisteredIdName("1.2.3")}))
          .add(extension::IssuerAltName({DirectoryName(name)}))
          .add(extension::ExtendedKeyUsage({"1.3.6.1.5.5.7.3.2"}))
          .add(extension::CrlDistributionPoints({full, relative}))
          .add(extension::FreshestCrl({full}))
          .add(extension::AuthorityKeyIdentifier("id", {DirectoryName(name)},
                                                 "\x05"))
          .add(extension::AuthorityInfoAccess(
              {{"1.3.6.1.5.5.7.48.1", UriName("http://ocsp.invalid/")}}))
          .add(extension::PrivateKeyUsagePeriod(0, 1))
          .Sign(CaKey());
  const Owned<X509> x = ParseCertificate(der);
  ASSERT_NE(x, nullptr);
  EXPECT_EQ(X509_get_extension_flags(x.get()) & EXFLAG_INVALID, 0U);
  for (int i = 0; i < X509_get_ext_count(x.get()); ++i) {
    X509_EXTENSION* extension = X509_get_ext(x.get(), i);
    void* decoded = X509V3_EXT_d2i(extension);
    ASSERT_NE(decoded, nullptr) << i;
    ASN1_item_free(static_cast<ASN1_VALUE*>(decoded),
                   ASN1_ITEM_ptr(X509V3_EXT_get(extension)->it));
  }
  EXPECT_EQ(X509_get_pathlen(x.get()), 3);
  unsigned char* again = nullptr;
  const int size = i2d_X509(x.get(), &again);
  EXPECT_EQ(
      std::string(reinterpret_cast<char*>(again), static_cast<size_t>(size)),
      der);
  OPENSSL_free(again);
}

TEST(CertificateBuilder, WritesWrongThingsWhenAsked) {
  const CertificateBuilder good = CertificateBuilder().public_key(CaKey());
  CertificateBuilder bad = good;
  bad.outer_algorithm_der(
      AlgorithmIdentifier(SigningAlgorithm::kRsaPkcs1Sha512));
  EXPECT_EQ(X509_verify(ParseCertificate(bad.Sign(CaKey())).get(),
                        ParseKey(CaKey()).get()),
            0);
  CertificateBuilder long_serial = good;
  long_serial.serial_contents(std::string(21, '\x7f'));
  const Owned<X509> x = ParseCertificate(long_serial.Sign(CaKey()));
  EXPECT_EQ(X509_get0_serialNumber(x.get())->length, 21);
}

TEST(CrlBuilder, OpenSslReadsAndVerifiesEntriesAndExtensions) {
  const Name name = {{"C", "JP"}, {"CN", "Lab CA"}};
  IssuingDistributionPointFields idp;
  idp.full_name = {DirectoryName(name)};
  idp.only_user_certificates = true;
  const std::string der =
      CrlBuilder()
          .issuer(name)
          .issued_by(CaKey())
          .add(extension::CrlNumber(7))
          .add(extension::IssuingDistributionPoint(idp))
          .add(extension::ExpiredCertsOnCrl(0))
          .revoke({.serial = SerialContents(17),
                   .revoked_at = UtcSeconds(2026, 3, 1),
                   .reason = Reason::kKeyCompromise,
                   .invalidity_date = UtcSeconds(2026, 2, 1)})
          .revoke({.serial = SerialContents(18),
                   .revoked_at = UtcSeconds(2026, 3, 2)})
          .Sign(CaKey());
  const Owned<X509_CRL> crl = ParseCrl(der);
  ASSERT_NE(crl, nullptr);
  EXPECT_EQ(X509_CRL_verify(crl.get(), ParseKey(CaKey()).get()), 1);
  const auto* entries = X509_CRL_get_REVOKED(crl.get());
  ASSERT_EQ(sk_X509_REVOKED_num(entries), 2);
  int critical = 0;
  const std::unique_ptr<ISSUING_DIST_POINT, void (*)(ISSUING_DIST_POINT*)>
      point(static_cast<ISSUING_DIST_POINT*>(X509_CRL_get_ext_d2i(
                crl.get(), NID_issuing_distribution_point, &critical, nullptr)),
            ISSUING_DIST_POINT_free);
  ASSERT_NE(point, nullptr);
  EXPECT_EQ(critical, 1);
  EXPECT_NE(point->onlyuser, 0);
}

TEST(CrlBuilder, AnEmptyCrlLeavesTheListOut) {
  const Owned<X509_CRL> crl = ParseCrl(CrlBuilder().Sign(CaKey()));
  ASSERT_NE(crl, nullptr);
  EXPECT_EQ(X509_CRL_get_REVOKED(crl.get()), nullptr);
  EXPECT_EQ(X509_CRL_verify(crl.get(), ParseKey(CaKey()).get()), 1);
}

TEST(CrlBuilder, AStreamedFileIsTheSameAsOneInMemory) {
  const PrivateKey ec = PrivateKey::EcFromSeed("ca", Curve::kP384);
  CrlBuilder builder;
  builder.entries(20'000, [](uint64_t i, CrlEntry* entry) {
    entry->serial = SerialContents(i * i);
    entry->revoked_at = UtcSeconds(2026, 1, 1) + static_cast<int64_t>(i / 100);
    entry->reason = static_cast<Reason>(i % 6);
  });
  const std::string path =
      std::filesystem::path(::testing::TempDir()) / "inkan_lab_stream.crl";
  for (const PrivateKey& key : {CaKey(), ec}) {
    ASSERT_TRUE(builder.WriteFile(path, key).ok());
    const absl::StatusOr<std::string> file = ReadFile(path);
    ASSERT_TRUE(file.ok());
    EXPECT_TRUE(*file == builder.Sign(key));
    const Owned<X509_CRL> crl = ParseCrl(*file);
    ASSERT_NE(crl, nullptr);
    EXPECT_EQ(X509_CRL_verify(crl.get(), ParseKey(key).get()), 1);
    EXPECT_EQ(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl.get())), 20'000);
  }
}

TEST(CrlBuilder, AFileTellsHowFarItIsInEachPass) {
  constexpr uint64_t kCount = 1000;
  CrlBuilder builder;
  builder.entries(kCount, [](uint64_t i, CrlEntry* entry) {
    entry->serial = SerialContents(i);
    entry->revoked_at = UtcSeconds(2026, 1, 1);
  });
  std::vector<uint64_t> heard;
  const std::string path =
      std::filesystem::path(::testing::TempDir()) / "inkan_lab_progress.crl";
  ASSERT_TRUE(builder
                  .WriteFile(path, CaKey(),
                             [&](uint64_t done) { heard.push_back(done); })
                  .ok());
  EXPECT_EQ(heard, (std::vector<uint64_t>{0, kCount, 2 * kCount}));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace inkan::lab
