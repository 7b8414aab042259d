#include "server/config.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "crypto/certificate.h"
#include "crypto/oid.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/certificate_files.h"

namespace inkan {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// What Debian's OpenSSL writes for a fresh EC key, as PEM texts.
struct PemPair {
  std::string certificate;
  std::string key;
};

std::string ToText(const std::function<void(BIO*)>& write) {
  BIO* bio = BIO_new(BIO_s_mem());
  write(bio);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<size_t>(size));
  BIO_free(bio);
  return text;
}

PemPair MakePem() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_sign(certificate, key, EVP_sha256());
  PemPair pair;
  pair.certificate =
      ToText([&](BIO* bio) { PEM_write_bio_X509(bio, certificate); });
  pair.key = ToText([&](BIO* bio) {
    PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
  X509_free(certificate);
  EVP_PKEY_free(key);
  return pair;
}

class ConfigTest : public ::testing::Test {
 protected:
  ConfigTest() {
    folder_ = std::filesystem::temp_directory_path() /
              absl::StrCat("inkan_config_test.", ::getpid());
    std::filesystem::create_directories(folder_);
    const PemPair pair = MakePem();
    Write("root.pem", pair.certificate);
    Write("server.key", pair.key);
    Write("two.pem",
          absl::StrCat("a comment\n", pair.certificate, MakePem().certificate));
    Write("other.key", MakePem().key);
  }
  ~ConfigTest() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& contents) {
    std::ofstream(folder_ / name, std::ios::binary) << contents;
  }

  absl::StatusOr<Config> Parse(const std::string& text) {
    return ParseConfig(text, (folder_ / "inkand.textproto").string());
  }

  // What is said about `text`, with the folder's name left out.
  std::string Complaint(const std::string& text) {
    const absl::StatusOr<Config> config = Parse(text);
    if (config.ok()) return "no complaint";
    EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
    return absl::StrReplaceAll(std::string(config.status().message()),
                               {{folder_.string() + "/", ""}});
  }

  std::filesystem::path folder_;
};

constexpr char kListener[] =
    "listener {\n"
    "  address: \"127.0.0.1:0\"\n"
    "  plaintext: \"I understand that filings travel unencrypted\"\n"
    "}\n";
constexpr char kProfile[] =
    "profiles {\n"
    "  name: \"p\"\n"
    "  anchor_files: \"root.pem\"\n"
    "}\n";

// A good configuration with `more` inside its only profile, which begins on
// line 5; `more` stands on line 8.
std::string WithProfile(const std::string& more) {
  return absl::StrCat(kListener,
                      "profiles {\n"
                      "  name: \"p\"\n"
                      "  anchor_files: \"root.pem\"\n",
                      more, "\n}\n");
}

std::string WithLimits(const std::string& limits) {
  return absl::StrCat(kListener, kProfile, "limits {\n", limits, "\n}\n");
}

TEST_F(ConfigTest, AnAddressForHttpIsReadLikeAnyOtherAndIsNoPath) {
  for (const char* address : {"[::1:9464", "::1:9464", "[]:9464", ":9464",
                              "unix:/run/ops", "127.0.0.1", "a:65536"}) {
    EXPECT_THAT(
        Complaint(absl::StrCat(kListener, kProfile, "ops_http { address: \"",
                               address, "\" }\n")),
        HasSubstr("is no address; write \"host:port\""))
        << address;
  }
  EXPECT_EQ(Complaint(absl::StrCat(kListener, kProfile,
                                   "ops_http { address: \"[::1]:0\" }\n")),
            "no complaint");
}

TEST_F(ConfigTest, AnAuditLogThatCannotBeWrittenIsNamedBeforeTheStart) {
  const std::string log = absl::StrCat(
      kListener, kProfile, "audit_log { file: \"log/audit.log\" }\n");
  const std::filesystem::path folder = folder_ / "log";
  EXPECT_THAT(Complaint(log), HasSubstr("its folder log is not there"));
  std::filesystem::create_directories(folder);
  EXPECT_EQ(Complaint(log), "no complaint");
  EXPECT_TRUE(std::filesystem::is_empty(folder)) << "nothing is made";
  std::filesystem::create_directories(folder / "audit.log");
  EXPECT_THAT(Complaint(log),
              AllOf(HasSubstr("audit_log.file"),
                    HasSubstr("cannot be written: it is no regular file")));
  std::filesystem::remove(folder / "audit.log");
  std::filesystem::permissions(folder, std::filesystem::perms(0555));
  // Root may write anywhere: as nobody, in a process of its own.
  const auto as_nobody = [&] {
    if (getuid() == 0 && setuid(65534) != 0) _exit(2);
    std::fputs(Complaint(log).c_str(), stderr);
    _exit(0);
  };
  EXPECT_EXIT(as_nobody(), ::testing::ExitedWithCode(0),
              "audit.log cannot be written: Permission denied; give it");
  // Enough for a server that leaves rotating to others.
  std::filesystem::permissions(folder, std::filesystem::perms(0755));
  for (const char* name : {"audit.log", "audit.log.lock"}) {
    Write(std::string("log/") + name, "");
    std::filesystem::permissions(folder / name, std::filesystem::perms(0666));
  }
  std::filesystem::permissions(folder, std::filesystem::perms(0555));
  EXPECT_EXIT(as_nobody(), ::testing::ExitedWithCode(0), "no complaint");
  std::filesystem::permissions(folder, std::filesystem::perms(0755));
}

TEST_F(ConfigTest, TheSmallestConfigurationHasEveryDefault) {
  const absl::StatusOr<Config> config =
      Parse(absl::StrCat(kListener, kProfile));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->server.listener.address, "127.0.0.1:0");
  EXPECT_FALSE(config->server.listener.tls.has_value());
  EXPECT_FALSE(config->server.operations_listener.has_value());
  EXPECT_EQ(config->server.drain_timeout, absl::Seconds(30));
  EXPECT_EQ(config->server.limits.batch_filings_max, 1000U);
  EXPECT_EQ(config->server.limits.message_bytes_max, 64U << 20);
  EXPECT_EQ(config->server.limits.crl_bytes_max, uint64_t{1} << 31);
  EXPECT_EQ(config->snapshot.crl_bytes_max, uint64_t{1} << 31);
  EXPECT_EQ(config->snapshot.path_limits.filing_signatures_max, 16U);
  ASSERT_EQ(config->snapshot.profiles.size(), 1U);
  const Profile& profile = config->snapshot.profiles[0];
  EXPECT_EQ(profile.revocation, RevocationMode::kRequired);
  EXPECT_EQ(profile.rsa_modulus_bits_min, 2048U);
  EXPECT_FALSE(profile.require_explicit_policy);
  EXPECT_EQ(profile.crl_grace, 0);
  EXPECT_FALSE(profile.crl_max_age.has_value());
}

TEST_F(ConfigTest, EveryFieldOfAProfileArrives) {
  const absl::StatusOr<Config> config = Parse(WithProfile(
      "intermediate_files: \"two.pem\"\n"
      "trusted_certificate_files: \"root.pem\"\n"
      "policies: \"1.2.392.200149.8.5.1.1.20\"\n"
      "inhibit_policy_mapping: true inhibit_any_policy: true\n"
      "required_key_usage: KEY_USAGE_NON_REPUDIATION\n"
      "forbidden_key_usage: [KEY_USAGE_KEY_CERT_SIGN, KEY_USAGE_CRL_SIGN]\n"
      "required_extended_key_usage: \"1.3.6.1.5.5.7.3.4\"\n"
      "filing_algorithms: SIGNATURE_ALGORITHM_RSA_PSS_SHA384\n"
      "rsa_modulus_bits_min: 3072 revocation: REVOCATION_MODE_OFF\n"
      "crl_grace { seconds: 60 } crl_max_age { seconds: 86400 }\n"
      "allow_crl_without_next_update: true\n"));
  ASSERT_TRUE(config.ok()) << config.status();
  const Profile& profile = config->snapshot.profiles[0];
  ASSERT_EQ(profile.intermediates.size(), 2U);
  EXPECT_TRUE(absl::EndsWith(profile.intermediates[0].source, "two.pem#1"));
  EXPECT_TRUE(absl::EndsWith(profile.intermediates[1].source, "two.pem#2"));
  EXPECT_EQ(profile.trusted_certificates.size(), 1U);
  EXPECT_THAT(profile.initial_policies,
              ElementsAre(*OidFromText("1.2.392.200149.8.5.1.1.20")));
  EXPECT_TRUE(profile.require_explicit_policy);
  EXPECT_TRUE(profile.inhibit_policy_mapping);
  EXPECT_TRUE(profile.inhibit_any_policy);
  EXPECT_EQ(profile.required_key_usage, key_usage::kNonRepudiation);
  EXPECT_EQ(profile.forbidden_key_usage,
            key_usage::kKeyCertSign | key_usage::kCrlSign);
  EXPECT_THAT(profile.required_extended_key_usage,
              ElementsAre(*OidFromText("1.3.6.1.5.5.7.3.4")));
  EXPECT_THAT(profile.filing_algorithms,
              ElementsAre(SignatureAlgorithm{SignatureScheme::kRsaPss,
                                             HashAlgorithm::kSha384, 48}));
  EXPECT_EQ(profile.rsa_modulus_bits_min, 3072U);
  EXPECT_EQ(profile.revocation, RevocationMode::kOff);
  EXPECT_EQ(profile.crl_grace, 60);
  EXPECT_EQ(profile.crl_max_age, 86400);
  EXPECT_TRUE(profile.allow_crl_without_next_update);
}

TEST_F(ConfigTest, SourcesAndPathsAreRelativeToTheFile) {
  const absl::StatusOr<Config> config =
      Parse(absl::StrCat(kListener, kProfile,
                         "crl_sources { directory: \"crls\" }\n"
                         "crl_sources { file: \"/abs/x.crl\" "
                         "poll_interval { seconds: 5 } }\n"));
  ASSERT_TRUE(config.ok()) << config.status();
  ASSERT_EQ(config->snapshot.crl_sources.size(), 2U);
  EXPECT_EQ(config->snapshot.crl_sources[0].path, (folder_ / "crls").string());
  EXPECT_EQ(config->snapshot.crl_sources[0].kind,
            CrlSourceOptions::Kind::kDirectory);
  EXPECT_EQ(config->snapshot.crl_sources[0].poll_interval, absl::Seconds(60));
  EXPECT_EQ(config->snapshot.crl_sources[1].path, "/abs/x.crl");
  EXPECT_EQ(config->snapshot.crl_sources[1].kind,
            CrlSourceOptions::Kind::kFile);
  EXPECT_EQ(config->snapshot.crl_sources[1].poll_interval, absl::Seconds(5));
}

TEST_F(ConfigTest, AnUnknownFieldIsNamedWithItsPlace) {
  EXPECT_THAT(Complaint(absl::StrCat(kListener, "\n  profils { }\n")),
              AllOf(StartsWith("inkand.textproto:6:"), HasSubstr("profils"),
                    HasSubstr("--print-default-config")));
}

TEST_F(ConfigTest, AWrongTypeIsNamedWithItsField) {
  EXPECT_THAT(Complaint(absl::StrCat(kListener, kProfile,
                                     "worker_threads: \"many\"\n")),
              AllOf(StartsWith("inkand.textproto:9:17: worker_threads: "),
                    HasSubstr("integer")));
  EXPECT_THAT(Complaint(WithProfile("revocation: PERHAPS")),
              AllOf(StartsWith("inkand.textproto:9:1: "), HasSubstr("PERHAPS"),
                    HasSubstr("revocation")));
}

TEST_F(ConfigTest, AMissingListenerOrProfileIsNamed) {
  EXPECT_THAT(Complaint(kProfile), HasSubstr("listener.address: \"\" is no "));
  EXPECT_THAT(Complaint(kListener), HasSubstr("profiles: missing; add"));
}

TEST_F(ConfigTest, TlsAndPlaintextAreExactlyOne) {
  const std::string address = "listener { address: \"h:1\"\n";
  EXPECT_THAT(Complaint(absl::StrCat(address, "}", kProfile)),
              HasSubstr("listener.tls: missing"));
  EXPECT_THAT(
      Complaint(absl::StrCat(address, "plaintext: \"yes\" }", kProfile)),
      AllOf(StartsWith("inkand.textproto:2:1: listener.plaintext: "),
            HasSubstr(kPlaintextWords)));
  EXPECT_THAT(Complaint(absl::StrCat(address, "plaintext: \"", kPlaintextWords,
                                     "\" tls { } }", kProfile)),
              HasSubstr("listener.plaintext: given together with tls"));
}

TEST_F(ConfigTest, AnAddressIsHostAndPort) {
  for (const char* address : {"127.0.0.1:0", "[::1]:8443", "localhost:65535",
                              "unix:/run/inkan.sock"}) {
    EXPECT_TRUE(Parse(absl::StrCat("listener { address: \"", address,
                                   "\" plaintext: \"", kPlaintextWords, "\" }",
                                   kProfile))
                    .ok())
        << address;
  }
  for (const char* address :
       {"", "localhost", ":80", "h:65536", "h:x", "::1:80", "[]:80", "unix:"}) {
    EXPECT_THAT(Complaint(absl::StrCat("listener { address: \"", address,
                                       "\" plaintext: \"", kPlaintextWords,
                                       "\" }", kProfile)),
                HasSubstr("listener.address: "))
        << address;
  }
}

TEST_F(ConfigTest, TlsFilesAreReadAndMustFitTogether) {
  const auto tls = [&](const std::string& files) {
    return absl::StrCat("listener { address: \"h:1\" tls {\n", files, "} }\n",
                        kProfile);
  };
  const absl::StatusOr<Config> good =
      Parse(tls("certificate_chain_file: \"root.pem\" private_key_file: "
                "\"server.key\" client_ca_file: \"two.pem\""));
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_THAT(good->server.listener.tls->private_key, HasSubstr("PRIVATE KEY"));
  EXPECT_THAT(good->server.listener.tls->client_ca, HasSubstr("a comment"));

  EXPECT_THAT(Complaint(tls("private_key_file: \"server.key\"")),
              HasSubstr("listener.tls.certificate_chain_file: missing"));
  EXPECT_THAT(Complaint(tls("certificate_chain_file: \"root.pem\" "
                            "private_key_file: \"gone.key\"")),
              HasSubstr("listener.tls.private_key_file: cannot read gone.key"));
  EXPECT_THAT(Complaint(tls("certificate_chain_file: \"root.pem\" "
                            "private_key_file: \"other.key\"")),
              HasSubstr("is not the key of the first certificate"));
  EXPECT_THAT(Complaint(tls("certificate_chain_file: \"server.key\" "
                            "private_key_file: \"server.key\"")),
              HasSubstr("certificate_chain_file: holds no PEM certificate"));
  EXPECT_THAT(Complaint(tls("certificate_chain_file: \"root.pem\" "
                            "private_key_file: \"root.pem\"")),
              HasSubstr("private_key_file: holds no PEM private key"));
  EXPECT_THAT(Complaint(tls("certificate_chain_file: \"root.pem\" "
                            "private_key_file: \"server.key\" "
                            "client_ca_file: \"server.key\"")),
              HasSubstr("client_ca_file: holds no PEM certificate"));
}

TEST_F(ConfigTest, ProfileNamesAreWellFormedAndDiffer) {
  const auto named = [&](const std::string& name) {
    return absl::StrCat(kListener, "profiles {\nname: \"", name,
                        "\" anchor_files: \"root.pem\" }");
  };
  EXPECT_TRUE(Parse(named(std::string(64, 'a'))).ok());
  EXPECT_THAT(Complaint(named(std::string(65, 'a'))),
              StartsWith("inkand.textproto:6:1: profiles[0].name: "));
  EXPECT_THAT(Complaint(named("JPKI")), HasSubstr("is no profile name"));
  EXPECT_THAT(Complaint(named("")), HasSubstr("profiles[0].name: missing"));
  EXPECT_THAT(Complaint(absl::StrCat(kListener, kProfile, kProfile)),
              AllOf(StartsWith("inkand.textproto:10:3: profiles[1].name: "),
                    HasSubstr("earlier profile")));
}

TEST_F(ConfigTest, CertificateFilesAreNamedWithFileAndPlace) {
  EXPECT_THAT(Complaint(absl::StrCat(kListener, "profiles { name: \"p\" }")),
              HasSubstr("profiles[0].anchor_files: missing"));
  EXPECT_THAT(Complaint(WithProfile("anchor_files: \"gone.pem\"")),
              AllOf(StartsWith("inkand.textproto:8:1: "
                               "profiles[0].anchor_files[1]: "),
                    HasSubstr("gone.pem"), HasSubstr("No such file")));
  Write("text.pem", "no certificate here");
  EXPECT_THAT(Complaint(WithProfile("intermediate_files: \"text.pem\"")),
              AllOf(HasSubstr("profiles[0].intermediate_files[0]: text.pem"),
                    HasSubstr("no certificate in it")));
  Write("empty.pem", "");
  EXPECT_THAT(Complaint(WithProfile("anchor_files: \"empty.pem\"")),
              HasSubstr("empty.pem: it is empty"));
  EXPECT_THAT(Complaint(WithProfile("anchor_files: \"server.key\"")),
              HasSubstr("is a \"PRIVATE KEY\", not a CERTIFICATE"));
  Write("broken.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----BEGIN CERTIFICATE-----\n");
  EXPECT_THAT(Complaint(WithProfile("anchor_files: \"broken.pem\"")),
              HasSubstr("cannot be decoded"));
  EXPECT_THAT(Complaint(WithProfile("anchor_files: \".\"")),
              HasSubstr("it is a folder"));
}

TEST_F(ConfigTest, OidsKeyUsagesAndAlgorithmsAreChecked) {
  EXPECT_THAT(Complaint(WithProfile("policies: \"1.2\" policies: \"jpki\"")),
              AllOf(StartsWith("inkand.textproto:8:"),
                    HasSubstr("profiles[0].policies[1]: \"jpki\" is no object "
                              "identifier")));
  EXPECT_THAT(Complaint(WithProfile("required_extended_key_usage: \"9.9\"")),
              HasSubstr("profiles[0].required_extended_key_usage[0]: "));
  EXPECT_THAT(
      Complaint(WithProfile("required_key_usage: KEY_USAGE_UNSPECIFIED")),
      HasSubstr("profiles[0].required_key_usage[0]: "));
  EXPECT_THAT(Complaint(WithProfile("required_key_usage: KEY_USAGE_CRL_SIGN\n"
                                    "forbidden_key_usage: KEY_USAGE_CRL_SIGN")),
              HasSubstr("profiles[0].forbidden_key_usage: forbids a bit"));
  for (const char* algorithm :
       {"UNSPECIFIED", "RSA_PKCS1_SHA1", "RSA_PKCS1_MD5"}) {
    EXPECT_THAT(Complaint(WithProfile(absl::StrCat(
                    "filing_algorithms: SIGNATURE_ALGORITHM_", algorithm))),
                AllOf(HasSubstr("profiles[0].filing_algorithms[0]: "),
                      HasSubstr("is never accepted")));
  }
}

TEST_F(ConfigTest, KeySizesAndTimesHaveBounds) {
  EXPECT_TRUE(Parse(WithProfile("rsa_modulus_bits_min: 2048")).ok());
  EXPECT_TRUE(Parse(WithProfile("rsa_modulus_bits_min: 4096")).ok());
  for (const char* bits : {"2047", "4097"}) {
    EXPECT_THAT(
        Complaint(WithProfile(absl::StrCat("rsa_modulus_bits_min: ", bits))),
        HasSubstr("profiles[0].rsa_modulus_bits_min: "));
  }
  EXPECT_THAT(Complaint(WithProfile("crl_grace { seconds: -1 }")),
              HasSubstr("profiles[0].crl_grace: -1 s is out of range"));
  EXPECT_THAT(Complaint(WithProfile("crl_grace { nanos: 5 }")),
              HasSubstr("profiles[0].crl_grace: has a fraction"));
  EXPECT_THAT(Complaint(WithProfile("crl_max_age { seconds: 0 }")),
              HasSubstr("profiles[0].crl_max_age: 0 would accept no CRL"));
  EXPECT_THAT(Complaint(WithProfile("allow_crl_without_next_update: true")),
              HasSubstr("allow_crl_without_next_update: needs crl_max_age"));
  const std::string good = absl::StrCat(kListener, kProfile);
  EXPECT_TRUE(
      Parse(absl::StrCat(good, "drain_timeout { seconds: 3600 }")).ok());
  EXPECT_THAT(Complaint(absl::StrCat(good, "drain_timeout { seconds: 3601 }")),
              HasSubstr("drain_timeout: 3601 s is out of range"));
  EXPECT_EQ(Parse(good)->server.verified_certificates_max, 131072U);
  EXPECT_EQ(Parse(absl::StrCat(good, "verified_certificates_max: 0"))
                ->server.verified_certificates_max,
            0U);
  EXPECT_TRUE(
      Parse(absl::StrCat(good, "verified_certificates_max: 16777216")).ok());
  EXPECT_THAT(
      Complaint(absl::StrCat(good, "verified_certificates_max: 16777217")),
      HasSubstr("verified_certificates_max: 16777217 is out of range"));
  EXPECT_TRUE(Parse(absl::StrCat(good, "worker_threads: 1024")).ok());
  EXPECT_THAT(Complaint(absl::StrCat(good, "worker_threads: 1025")),
              HasSubstr("worker_threads: 1025 is out of range"));
}

TEST_F(ConfigTest, CrlSourcesNameAPlace) {
  const std::string good = absl::StrCat(kListener, kProfile);
  EXPECT_THAT(Complaint(absl::StrCat(good, "crl_sources { }")),
              AllOf(StartsWith("inkand.textproto:9:1: crl_sources[0]: "),
                    HasSubstr("give file, directory, http or ldap")));
  EXPECT_THAT(Complaint(absl::StrCat(good, "crl_sources { file: \"\" }")),
              HasSubstr("crl_sources[0].file: empty"));
  for (const char* seconds : {"0", "86401"}) {
    EXPECT_THAT(Complaint(absl::StrCat(
                    good, "crl_sources { file: \"x\" poll_interval { seconds: ",
                    seconds, " } }")),
                HasSubstr("crl_sources[0].poll_interval: "));
  }
}

// Every limit: accepted at both ends, refused one past them.
TEST_F(ConfigTest, EveryLimitHasItsBounds) {
  // Large enough for the relations between limits to hold.
  const auto room = [](const std::string& name) {
    std::string text;
    if (name != "queue_filings_max") text += "queue_filings_max: 16777216 ";
    if (name != "queue_bytes_max") text += "queue_bytes_max: 1099511627776 ";
    if (name == "queue_filings_max") text += "batch_filings_max: 1 ";
    if (name == "queue_bytes_max" || name == "transport_bytes_max") {
      text += "message_bytes_max: 4096 ";
    }
    if (name != "transport_bytes_max") {
      text += "transport_bytes_max: 1099511627776 ";
    }
    return text;
  };
#define INKAN_CHECK_LIMIT(type, name, standard, least, greatest)               \
  {                                                                            \
    const std::string more = room(#name);                                      \
    const absl::StatusOr<Config> low =                                         \
        Parse(WithLimits(absl::StrCat(more, #name, ": ", least)));             \
    ASSERT_TRUE(low.ok()) << #name << low.status();                            \
    EXPECT_EQ(low->server.limits.name, (least)) << #name;                      \
    const absl::StatusOr<Config> high =                                        \
        Parse(WithLimits(absl::StrCat(more, #name, ": ", greatest)));          \
    ASSERT_TRUE(high.ok()) << #name << high.status();                          \
    EXPECT_EQ(high->server.limits.name, (greatest)) << #name;                  \
    if ((least) > 1) {                                                         \
      EXPECT_THAT(                                                             \
          Complaint(WithLimits(absl::StrCat(more, #name, ": ", (least)-1))),   \
          HasSubstr("limits." #name ": "));                                    \
    }                                                                          \
    EXPECT_THAT(Complaint(WithLimits(absl::StrCat(                             \
                    more, #name, ": ", static_cast<uint64_t>(greatest) + 1))), \
                HasSubstr(#name ": "));                                        \
  }
  INKAN_LIMITS(INKAN_CHECK_LIMIT)
#undef INKAN_CHECK_LIMIT
}

TEST_F(ConfigTest, WhatOneCallMayBringMustFitTheQueue) {
  EXPECT_TRUE(Parse(WithLimits("queue_filings_max: 1000")).ok());
  EXPECT_THAT(Complaint(WithLimits("queue_filings_max: 999")),
              HasSubstr("limits.queue_filings_max: 999 is less than "
                        "batch_filings_max (1000)"));
  EXPECT_TRUE(Parse(WithLimits("queue_bytes_max: 67108864")).ok());
  EXPECT_THAT(Complaint(WithLimits("queue_bytes_max: 67108863")),
              HasSubstr("limits.queue_bytes_max: 67108863 is less than"));
  EXPECT_TRUE(Parse(WithLimits("transport_bytes_max: 134217728")).ok());
  EXPECT_THAT(Complaint(WithLimits("transport_bytes_max: 134217727")),
              HasSubstr("limits.transport_bytes_max: 134217727 is less than"));
}

TEST_F(ConfigTest, AccessRulesNameMethodsAndClients) {
  const auto with = [](const std::string& rule) {
    return absl::StrCat(kListener, kProfile, "access_rules { ", rule, " }\n");
  };
  const auto config =
      Parse(with("methods: \"VerificationService/*\" identities: \"dns:a\" "
                 "identities: \"uri:x:y\""));
  ASSERT_TRUE(config.ok()) << config.status();
  const AccessRules& rules = config->server.access;
  for (const Method method : {Method::kVerify, Method::kStreamVerify}) {
    EXPECT_TRUE(rules.Allows(method, "dns:a"));
    EXPECT_TRUE(rules.Allows(method, "uri:x:y"));
    EXPECT_FALSE(rules.Allows(method, "dns:b"));
    EXPECT_FALSE(rules.Allows(method, kAnonymous));
  }
  EXPECT_TRUE(rules.Allows(Method::kReload, kAnonymous));
  const auto any =
      Parse(with("methods: \"OperationsService/Reload\" identities: \"*\""));
  ASSERT_TRUE(any.ok());
  EXPECT_TRUE(any->server.access.Allows(Method::kReload, "dns:b"));
  EXPECT_FALSE(any->server.access.Allows(Method::kReload, kAnonymous));
  EXPECT_TRUE(any->server.access.Allows(Method::kGetStatus, kAnonymous));

  EXPECT_THAT(Complaint(with("methods: \"Verify\" identities: \"dns:a\"")),
              HasSubstr("access_rules[0].methods[0]: \"Verify\" is no method; "
                        "write \"VerificationService/Verify\""));
  EXPECT_THAT(Complaint(with("methods: \"VerificationService/Verify\" "
                             "identities: \"a.example\"")),
              HasSubstr("access_rules[0].identities[0]: \"a.example\" is no "
                        "client; write \"uri:...\""));
  EXPECT_THAT(Complaint(with("methods: \"VerificationService/Verify\"")),
              HasSubstr("access_rules[0].identities: missing"));
  EXPECT_THAT(Complaint(with("identities: \"dns:a\"")),
              HasSubstr("access_rules[0].methods: missing"));
}

TEST_F(ConfigTest, QuotasHaveADefaultAndNamedClients) {
  const auto with = [](const std::string& more) {
    return absl::StrCat(kListener, kProfile, more, "\n");
  };
  const auto config = Parse(with(
      "default_client_quota { filings_per_second: 5000 } "
      "client_quotas { identities: \"dns:a\" identities: \"dns:b\" quota { "
      "filings_per_second: 7 filings_in_flight_max: 9 } } "
      "client_quotas { identities: \"anonymous\" quota { filings_per_second: "
      "1 filings_burst: 2 } }"));
  ASSERT_TRUE(config.ok()) << config.status();
  const QuotaOptions& quotas = config->server.quotas;
  EXPECT_EQ(quotas.standard.filings_per_second, 5000U);
  EXPECT_EQ(quotas.standard.filings_burst, 5000U);
  EXPECT_EQ(quotas.named.at("dns:b").filings_in_flight_max, 9U);
  EXPECT_EQ(quotas.named.at("dns:b").filings_burst, 1000U) << "a full batch";
  EXPECT_EQ(quotas.named.at("anonymous").filings_burst, 2U);
  EXPECT_FALSE(Parse(with(""))->server.quotas.bounded());

  EXPECT_THAT(Complaint(with("default_client_quota { filings_burst: 2 }")),
              HasSubstr("default_client_quota.filings_burst: given without "
                        "filings_per_second"));
  EXPECT_THAT(Complaint(with("client_quotas { quota { } }")),
              HasSubstr("client_quotas[0].identities: missing"));
  EXPECT_THAT(Complaint(with("client_quotas { identities: \"*\" }")),
              HasSubstr("give default_client_quota instead"));
  EXPECT_THAT(Complaint(with("client_quotas { identities: \"dns:a\" "
                             "identities: \"dns:a\" }")),
              HasSubstr("client_quotas[0].identities[1]: \"dns:a\" has a quota "
                        "already"));
}

TEST_F(ConfigTest, EveryMistakeIsReportedAtOnce) {
  const std::string complaint =
      Complaint(absl::StrCat("listener { address: \"x\" }\n",
                             "profiles { name: \"P\" policies: \"y\" }\n"));
  for (const char* field :
       {"listener.address", "listener.tls", "profiles[0].name",
        "profiles[0].anchor_files", "profiles[0].policies[0]"}) {
    EXPECT_THAT(complaint, HasSubstr(field));
  }
}

TEST_F(ConfigTest, TheDefaultConfigurationIsReadOnceItsFilesExist) {
  for (const char* folder : {"tls", "anchors"}) {
    std::filesystem::create_directories(folder_ / folder);
  }
  for (const char* name : {"tls/server.pem", "anchors/jpki-signature.pem",
                           "anchors/jpki-authentication.pem"}) {
    std::filesystem::copy_file(folder_ / "root.pem", folder_ / name);
  }
  std::filesystem::copy_file(folder_ / "server.key",
                             folder_ / "tls/server.key");
  const absl::StatusOr<Config> config = Parse(DefaultConfigText());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->snapshot.profiles.size(), 2U);
#define INKAN_CHECK_LIMIT(type, name, standard, least, greatest) \
  EXPECT_EQ(config->server.limits.name, (standard)) << #name;
  INKAN_LIMITS(INKAN_CHECK_LIMIT)
#undef INKAN_CHECK_LIMIT
}

TEST_F(ConfigTest, AConfigurationThatCannotBeOpenedIsNotFound) {
  const absl::StatusOr<Config> config = LoadConfig("/nonexistent/x.textproto");
  EXPECT_EQ(config.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(config.status().message()),
              HasSubstr("/nonexistent/x.textproto"));
}

TEST(CertificateFilesTest, ASizeBoundHoldsAtItAndPastIt) {
  const std::string path =
      absl::StrCat(std::filesystem::temp_directory_path().string(),
                   "/inkan_size_test.", ::getpid());
  std::ofstream(path) << std::string(100, 'x');
  EXPECT_TRUE(ReadWholeFile(path, 100).ok());
  EXPECT_EQ(ReadWholeFile(path, 99).status().code(),
            absl::StatusCode::kInvalidArgument);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace inkan
