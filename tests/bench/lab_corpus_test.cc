// A whole lab, judged by OpenSSL and a plain reading of the rules: every truth
// must be what an independent judge finds.
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/lab/calendar.h"
#include "bench/lab/files.h"
#include "bench/lab/filing_kinds.h"
#include "bench/lab/lab.h"
#include "bench/load/corpus_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace inkan::lab {
namespace {

namespace fs = std::filesystem;

template <typename T, void (*kFree)(T*)>
struct FreeWith {
  void operator()(T* object) const { kFree(object); }
};
using Certificate = std::unique_ptr<X509, FreeWith<X509, X509_free>>;
using Crl = std::unique_ptr<X509_CRL, FreeWith<X509_CRL, X509_CRL_free>>;

Certificate ParseCertificate(const std::string& der) {
  const auto* p = reinterpret_cast<const unsigned char*>(der.data());
  const auto* end = p + der.size();
  Certificate x(d2i_X509(nullptr, &p, static_cast<long>(der.size())));
  return p == end ? std::move(x) : nullptr;
}

std::string Text(const ASN1_STRING* s) {
  return s == nullptr ? std::string()
                      : std::string(reinterpret_cast<const char*>(s->data),
                                    static_cast<size_t>(s->length));
}

std::string NameDer(const X509_NAME* name) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_NAME(name, &der);
  std::string bytes(reinterpret_cast<char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return bytes;
}

// The first directoryName of a distribution point name.
std::string FirstDirectoryName(const DIST_POINT_NAME* point) {
  const GENERAL_NAME* name = sk_GENERAL_NAME_value(point->name.fullname, 0);
  return NameDer(name->d.directoryName);
}

int64_t Seconds(const ASN1_TIME* time) {
  std::tm tm = {};
  ASN1_TIME_to_tm(time, &tm);
  return UtcSeconds(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                    tm.tm_min, tm.tm_sec);
}

// Knows the lab's anchors and CRLs, and the rules in the order they rank.
class Judge {
 public:
  explicit Judge(const std::string& lab) {
    for (const auto& file : fs::directory_iterator(lab + "/anchors")) {
      const bool sign = file.path().filename().string().starts_with("sign");
      anchors_[sign ? "jpki-signature" : "jpki-authentication"].push_back(
          ParseCertificate(*ReadFile(file.path())));
    }
    for (const auto& file : fs::directory_iterator(lab + "/crls")) {
      AddCrl(*ReadFile(file.path()));
    }
  }

  api::SubIndication Sub(const api::Filing& filing) const {
    const Certificate leaf = ParseCertificate(filing.certificate());
    if (leaf == nullptr) return api::SUB_INDICATION_FORMAT_FAILURE;
    if (filing.signature_algorithm() ==
            api::SIGNATURE_ALGORITHM_RSA_PKCS1_SHA1 ||
        EVP_PKEY_get_bits(X509_get0_pubkey(leaf.get())) < 2048) {
      return api::SUB_INDICATION_CRYPTO_CONSTRAINTS_FAILURE;
    }
    X509* issuer = Issuer(filing.profile(), leaf.get());
    if (issuer == nullptr) {
      return api::SUB_INDICATION_NO_CERTIFICATE_CHAIN_FOUND;
    }
    if (X509_verify(leaf.get(), X509_get0_pubkey(issuer)) != 1) {
      return api::SUB_INDICATION_CERTIFICATE_CHAIN_GENERAL_FAILURE;
    }
    if (!ConstraintsHold(filing.profile(), leaf.get())) {
      return api::SUB_INDICATION_CHAIN_CONSTRAINTS_FAILURE;
    }
    const int64_t time = filing.verification_time().seconds();
    if (time < Seconds(X509_get0_notBefore(leaf.get()))) {
      return api::SUB_INDICATION_NOT_YET_VALID;
    }
    if (time > Seconds(X509_get0_notAfter(leaf.get()))) {
      return api::SUB_INDICATION_EXPIRED;
    }
    const api::SubIndication revocation = Revocation(leaf.get(), issuer, time);
    if (revocation != api::SUB_INDICATION_UNSPECIFIED) return revocation;
    return Signature(filing, leaf.get());
  }

  // The CRLs verify with the key they name.
  int crls() const { return static_cast<int>(crls_.size()); }
  int bad_crls() const { return bad_crls_; }

 private:
  void AddCrl(const std::string& der) {
    const auto* p = reinterpret_cast<const unsigned char*>(der.data());
    Crl crl(d2i_X509_CRL(nullptr, &p, static_cast<long>(der.size())));
    ASSERT_NE(crl, nullptr);
    const std::unique_ptr<AUTHORITY_KEYID,
                          FreeWith<AUTHORITY_KEYID, AUTHORITY_KEYID_free>>
        aki(static_cast<AUTHORITY_KEYID*>(X509_CRL_get_ext_d2i(
            crl.get(), NID_authority_key_identifier, nullptr, nullptr)));
    const std::unique_ptr<ISSUING_DIST_POINT,
                          FreeWith<ISSUING_DIST_POINT, ISSUING_DIST_POINT_free>>
        point(static_cast<ISSUING_DIST_POINT*>(X509_CRL_get_ext_d2i(
            crl.get(), NID_issuing_distribution_point, nullptr, nullptr)));
    ASSERT_NE(aki, nullptr);
    ASSERT_NE(point, nullptr);
    const std::string key = Text(aki->keyid);
    bool verified = false;
    for (const auto& [profile, anchors] : anchors_) {
      for (const Certificate& anchor : anchors) {
        if (Text(X509_get0_subject_key_id(anchor.get())) == key) {
          verified =
              X509_CRL_verify(crl.get(), X509_get0_pubkey(anchor.get())) == 1;
        }
      }
    }
    if (!verified) ++bad_crls_;
    crls_[key + FirstDirectoryName(point->distpoint)] = std::move(crl);
  }

  X509* Issuer(const std::string& profile, X509* leaf) const {
    for (const Certificate& anchor : anchors_.at(profile)) {
      if (X509_NAME_cmp(X509_get_subject_name(anchor.get()),
                        X509_get_issuer_name(leaf)) == 0 &&
          Text(X509_get0_subject_key_id(anchor.get())) ==
              Text(X509_get0_authority_key_id(leaf))) {
        return anchor.get();
      }
    }
    return nullptr;
  }

  static bool ConstraintsHold(const std::string& profile, X509* leaf) {
    const uint32_t usage = X509_get_key_usage(leaf);
    const bool signature = profile == "jpki-signature";
    if (((usage & KU_NON_REPUDIATION) != 0) != signature ||
        (usage & KU_DIGITAL_SIGNATURE) == 0) {
      return false;
    }
    for (int i = 0; i < X509_get_ext_count(leaf); ++i) {
      X509_EXTENSION* extension = X509_get_ext(leaf, i);
      if (X509_EXTENSION_get_critical(extension) == 1 &&
          X509_supported_extension(extension) != 1) {
        return false;
      }
    }
    const std::unique_ptr<
        CERTIFICATEPOLICIES,
        FreeWith<CERTIFICATEPOLICIES, CERTIFICATEPOLICIES_free>>
        policies(static_cast<CERTIFICATEPOLICIES*>(X509_get_ext_d2i(
            leaf, NID_certificate_policies, nullptr, nullptr)));
    if (policies == nullptr) return false;
    char oid[64];
    OBJ_obj2txt(oid, sizeof(oid),
                sk_POLICYINFO_value(policies.get(), 0)->policyid, 1);
    return std::string(oid) == (signature ? "1.2.392.200149.8.5.1.1.20"
                                          : "1.2.392.200149.8.5.1.3.30");
  }

  api::SubIndication Revocation(X509* leaf, X509* issuer, int64_t time) const {
    const std::unique_ptr<CRL_DIST_POINTS,
                          FreeWith<CRL_DIST_POINTS, CRL_DIST_POINTS_free>>
        points(static_cast<CRL_DIST_POINTS*>(X509_get_ext_d2i(
            leaf, NID_crl_distribution_points, nullptr, nullptr)));
    const auto found = crls_.find(
        Text(X509_get0_subject_key_id(issuer)) +
        FirstDirectoryName(sk_DIST_POINT_value(points.get(), 0)->distpoint));
    if (found == crls_.end() ||
        time > Seconds(X509_CRL_get0_nextUpdate(found->second.get()))) {
      return api::SUB_INDICATION_TRY_LATER;
    }
    X509_REVOKED* entry = nullptr;
    X509_CRL_get0_by_serial(found->second.get(), &entry,
                            X509_get0_serialNumber(leaf));
    if (entry == nullptr) return api::SUB_INDICATION_UNSPECIFIED;
    int64_t from = Seconds(X509_REVOKED_get0_revocationDate(entry));
    ASN1_GENERALIZEDTIME* invalidity = static_cast<ASN1_GENERALIZEDTIME*>(
        X509_REVOKED_get_ext_d2i(entry, NID_invalidity_date, nullptr, nullptr));
    if (invalidity != nullptr) from = std::min(from, Seconds(invalidity));
    ASN1_GENERALIZEDTIME_free(invalidity);
    return from <= time ? api::SUB_INDICATION_REVOKED
                        : api::SUB_INDICATION_UNSPECIFIED;
  }

  static api::SubIndication Signature(const api::Filing& filing, X509* leaf) {
    const bool pss =
        filing.signature_algorithm() == api::SIGNATURE_ALGORITHM_RSA_PSS_SHA256;
    const EVP_MD* hash = filing.signature_algorithm() ==
                                 api::SIGNATURE_ALGORITHM_RSA_PKCS1_SHA384
                             ? EVP_sha384()
                         : filing.signature_algorithm() ==
                                 api::SIGNATURE_ALGORITHM_RSA_PKCS1_SHA512
                             ? EVP_sha512()
                             : EVP_sha256();
    std::string digest = filing.digest();
    if (filing.has_document()) {
      digest.resize(static_cast<size_t>(EVP_MD_get_size(hash)));
      EVP_Digest(filing.document().data(), filing.document().size(),
                 reinterpret_cast<unsigned char*>(digest.data()), nullptr, hash,
                 nullptr);
    }
    const std::unique_ptr<EVP_PKEY_CTX,
                          FreeWith<EVP_PKEY_CTX, EVP_PKEY_CTX_free>>
        ctx(EVP_PKEY_CTX_new(X509_get0_pubkey(leaf), nullptr));
    // What was signed, if it was signed with this key at all.
    std::string block(512, '\0');
    size_t size = block.size();
    EVP_PKEY_verify_recover_init(ctx.get());
    EVP_PKEY_CTX_set_rsa_padding(ctx.get(), RSA_PKCS1_PADDING);
    EVP_PKEY_CTX_set_signature_md(ctx.get(), hash);
    const auto* signature =
        reinterpret_cast<const unsigned char*>(filing.signature().data());
    if (!pss) {
      if (EVP_PKEY_verify_recover(
              ctx.get(), reinterpret_cast<unsigned char*>(block.data()), &size,
              signature, filing.signature().size()) != 1) {
        return api::SUB_INDICATION_SIG_CRYPTO_FAILURE;
      }
      block.resize(size);
      return block == digest ? api::SUB_INDICATION_UNSPECIFIED
                             : api::SUB_INDICATION_HASH_FAILURE;
    }
    EVP_PKEY_verify_init(ctx.get());
    EVP_PKEY_CTX_set_rsa_padding(ctx.get(), RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_signature_md(ctx.get(), hash);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx.get(), RSA_PSS_SALTLEN_DIGEST);
    return EVP_PKEY_verify(
               ctx.get(), signature, filing.signature().size(),
               reinterpret_cast<const unsigned char*>(digest.data()),
               digest.size()) == 1
               ? api::SUB_INDICATION_UNSPECIFIED
               : api::SUB_INDICATION_SIG_CRYPTO_FAILURE;
  }

  std::map<std::string, std::vector<Certificate>> anchors_;
  std::map<std::string, Crl> crls_;
  int bad_crls_ = 0;
};

LabOptions SmallLab(const std::string& name) {
  LabOptions options;
  options.out = fs::path(::testing::TempDir()) / ("inkan_lab_" + name);
  fs::remove_all(options.out);
  options.citizens = 96;
  options.municipalities = 6;
  options.filings = 1'000;
  options.seed = 11;
  options.now = *ParseRfc3339("2026-03-15T12:00:00+09:00");
  options.quiet = true;
  return options;
}

class CorpusTruth : public ::testing::TestWithParam<uint64_t> {};

TEST_P(CorpusTruth, IsFoundByAnIndependentJudge) {
  LabOptions options = SmallLab("judge" + std::to_string(GetParam()));
  options.crl_entries = GetParam();
  ASSERT_TRUE(InitLab(options).ok());
  for (const auto& crl : fs::directory_iterator(options.out + "/crls")) {
    EXPECT_GE(fs::file_size(crl), options.crl_entries * 33);
  }
  const Judge judge(options.out);
  EXPECT_EQ(judge.crls(), 5 * 4);  // one municipality has none
  EXPECT_EQ(judge.bad_crls(), 0);
  const auto corpus = load::ReadCorpus(options.out + "/corpus.binpb");
  ASSERT_TRUE(corpus.ok()) << corpus.status();
  EXPECT_EQ(corpus->entries.size(), 1'000U);
  EXPECT_EQ(corpus->kinds.size(), AllKinds().size());
  size_t good = 0;
  for (const lab::v1::CorpusEntry& entry : corpus->entries) {
    EXPECT_EQ(judge.Sub(entry.filing()), entry.truth().sub_indication())
        << entry.truth().kind() << " " << entry.filing().filing_id();
    if (entry.truth().indication() == api::INDICATION_TOTAL_PASSED) ++good;
    EXPECT_LE(entry.filing().verification_time().seconds(), options.now);
  }
  EXPECT_GE(good, 800U);
  EXPECT_LE(good, 900U);
  fs::remove_all(options.out);
}

// With the lab's own entries alone, and with those of strangers between them.
INSTANTIATE_TEST_SUITE_P(CrlEntries, CorpusTruth, ::testing::Values(0, 3000));

TEST(Corpus, TooManyCrlEntriesAreRefused) {
  LabOptions options = SmallLab("many");
  options.crl_entries = 20'000'001;
  const absl::Status status = InitLab(options);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              ::testing::HasSubstr("--crl-entries 20000001"));
  EXPECT_FALSE(fs::exists(options.out));
}

std::map<std::string, std::string> FilesIn(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& file : fs::recursive_directory_iterator(folder)) {
    if (file.is_regular_file()) {
      files[fs::relative(file.path(), folder)] = *ReadFile(file.path());
    }
  }
  return files;
}

TEST(Corpus, TheSameOptionsGiveTheSameBytesOnAnyNumberOfThreads) {
  LabOptions one = SmallLab("one");
  LabOptions three = SmallLab("three");
  one.crl_entries = three.crl_entries = 200;
  three.threads = 3;
  ASSERT_TRUE(InitLab(one).ok());
  ASSERT_TRUE(InitLab(three).ok());
  const auto first = FilesIn(one.out);
  const auto second = FilesIn(three.out);
  ASSERT_EQ(first.size(), second.size());
  EXPECT_GT(first.size(), 6U + 20U + 3U);
  for (const auto& [name, bytes] : first) {
    EXPECT_TRUE(second.at(name) == bytes) << name;
  }
  LabOptions other = SmallLab("one");
  other.seed = 12;
  ASSERT_TRUE(InitLab(other).ok());
  EXPECT_NE(FilesIn(other.out).at("anchors/signca01.cer"),
            first.at("anchors/signca01.cer"));
  fs::remove_all(one.out);
  fs::remove_all(three.out);
}

TEST(Corpus, AFolderWithOtherThingsInItIsLeftAlone) {
  LabOptions options = SmallLab("occupied");
  ASSERT_TRUE(InitLab(options).ok());
  ASSERT_TRUE(WriteFile(options.out + "/thesis.txt", "years of work").ok());
  EXPECT_EQ(InitLab(options).code(), absl::StatusCode::kFailedPrecondition);
  options.force = true;
  EXPECT_TRUE(InitLab(options).ok());
  EXPECT_EQ(*ReadFile(options.out + "/thesis.txt"), "years of work");
  fs::remove_all(options.out);
}

// Such as /etc/inkan, which has anchors of its own.
TEST(Corpus, AFolderThatIsNoLabIsLeftAloneWhateverIsForced) {
  for (const char* readme : {"", "A manual\n"}) {
    LabOptions options = SmallLab("production");
    options.force = true;
    ASSERT_TRUE(WriteFile(options.out + "/anchors/ca.pem", "anchor").ok());
    ASSERT_TRUE(WriteFile(options.out + "/inkand.textproto", "mine").ok());
    if (*readme != '\0') {
      ASSERT_TRUE(WriteFile(options.out + "/README.txt", readme).ok());
    }
    const absl::Status refused = InitLab(options);
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_NE(refused.message().find("is not that of a lab"),
              absl::string_view::npos);
    EXPECT_EQ(*ReadFile(options.out + "/anchors/ca.pem"), "anchor");
    EXPECT_EQ(*ReadFile(options.out + "/inkand.textproto"), "mine");
    fs::remove_all(options.out);
  }
}

TEST(Corpus, OptionsOutOfRangeAreNamed) {
  LabOptions options = SmallLab("range");
  options.citizens = 63;
  EXPECT_NE(InitLab(options).message().find("--citizens"),
            absl::string_view::npos);
  options = SmallLab("range");
  options.municipalities = 3;
  EXPECT_NE(InitLab(options).message().find("--municipalities"),
            absl::string_view::npos);
  options = SmallLab("range");
  options.now = 0;
  EXPECT_NE(InitLab(options).message().find("--now"), absl::string_view::npos);
}

TEST(Corpus, TheSmallestLabHasEveryKind) {
  LabOptions options = SmallLab("smallest");
  options.citizens = 64;
  options.municipalities = 4;
  options.filings = AllKinds().size();
  ASSERT_TRUE(InitLab(options).ok());
  const auto corpus = load::ReadCorpus(options.out + "/corpus.binpb");
  ASSERT_TRUE(corpus.ok());
  EXPECT_EQ(corpus->kinds.size(), AllKinds().size());
  fs::remove_all(options.out);
}

}  // namespace
}  // namespace inkan::lab
