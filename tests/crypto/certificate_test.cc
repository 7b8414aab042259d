// Reading certificates: the good ones in full, and every way to be malformed.
#include "crypto/certificate.h"

#include <string>
#include <vector>

#include "bench/lab/certificate_builder.h"
#include "bench/lab/der_writer.h"
#include "crypto/crl.h"
#include "gtest/gtest.h"

namespace inkan {
namespace {

using lab::CertificateBuilder;
using lab::DerElement;
using lab::PrivateKey;
using lab::SigningAlgorithm;
using lab::UtcSeconds;
using std::string_literals::operator""s;
namespace extension = lab::extension;

const PrivateKey& CaKey() {
  static const auto* const kKey = new PrivateKey(PrivateKey::RsaFromSeed("ca"));
  return *kKey;
}

CertificateBuilder Builder() {
  CertificateBuilder builder;
  builder.public_key(CaKey());
  return builder;
}

// What is wrong with the certificate: the field, or empty.
std::string FieldAtFault(const std::string& der) {
  Certificate certificate;
  const Fault fault = ParseCertificate(AsBytes(der), &certificate);
  return fault.ok() ? "" : fault.field;
}

std::string FieldAtFault(const CertificateBuilder& builder) {
  return FieldAtFault(builder.Sign(CaKey()));
}

CertificateBuilder FullBuilder() {
  const lab::Name point = {{"O", "JPKI"}, {"CN", "Kyoto CRLDP"}};
  lab::DistributionPoint crl;
  crl.full_name = {lab::DirectoryName(point)};
  CertificateBuilder builder = Builder();
  builder.serial(108'816'929)
      .issuer({{"C", "JP"}, {"O", "JPKI"}})
      .subject({{"C", "JP"}, {"CN", "20260315"}})
      .validity(UtcSeconds(2024, 1, 1), UtcSeconds(2050, 1, 1))
      .add(extension::KeyUsage(lab::kDigitalSignature | lab::kNonRepudiation))
      .add(extension::BasicConstraints(true, 3))
      .add(extension::CertificatePolicies({{"1.2.3", "https://cps.example"}}))
      .add(extension::PolicyMappings({{"1.2.3", "1.2.4"}}))
      .add(extension::PolicyConstraints(4, 5))
      .add(extension::InhibitAnyPolicy(6))
      .add(extension::NameConstraints({lab::DnsName("a")}, {lab::DnsName("b")}))
      .add(extension::SubjectAltName({lab::OtherNameUtf8("1.2.5", "x")}))
      .add(extension::ExtendedKeyUsage({"1.3.6.1.5.5.7.3.2"}))
      .add(extension::CrlDistributionPoints({crl}))
      .add(extension::FreshestCrl({crl}))
      .add(extension::SubjectKeyIdentifier("subject"))
      .add(extension::AuthorityKeyIdentifier("authority"));
  return builder;
}

TEST(Certificate, EveryFieldIsRead) {
  const std::string der = FullBuilder().Sign(CaKey());
  Certificate c;
  const Fault fault = ParseCertificate(AsBytes(der), &c);
  ASSERT_TRUE(fault.ok()) << fault.field << ": " << fault.problem;
  EXPECT_EQ(AsText(c.der), der);
  EXPECT_EQ(c.version, 3);
  EXPECT_EQ(AsText(c.serial), lab::SerialContents(108'816'929));
  EXPECT_EQ(AsText(c.issuer), lab::Name({{"C", "JP"}, {"O", "JPKI"}}).Encode());
  EXPECT_EQ(AsText(c.subject),
            lab::Name({{"C", "JP"}, {"CN", "20260315"}}).Encode());
  EXPECT_EQ(c.validity.not_before, UtcSeconds(2024, 1, 1));
  EXPECT_EQ(c.validity.not_after, UtcSeconds(2050, 1, 1));
  EXPECT_EQ(AsText(c.key.spki), CaKey().public_key());
  EXPECT_EQ(c.signature_algorithm.scheme, SignatureScheme::kRsaPkcs1);
  EXPECT_EQ(c.signature_algorithm.hash, HashAlgorithm::kSha256);
  EXPECT_EQ(c.signature.size(), 256U);
  EXPECT_TRUE(c.has_key_usage);
  EXPECT_EQ(c.key_usage,
            key_usage::kDigitalSignature | key_usage::kNonRepudiation);
  EXPECT_TRUE(c.has_basic_constraints);
  EXPECT_TRUE(c.is_ca);
  EXPECT_EQ(c.path_length, 3);
  EXPECT_EQ(c.require_explicit_policy, 4);
  EXPECT_EQ(c.inhibit_policy_mapping, 5);
  EXPECT_EQ(c.inhibit_any_policy, 6);
  EXPECT_FALSE(c.policies.empty());
  EXPECT_FALSE(c.policy_mappings.empty());
  EXPECT_FALSE(c.permitted_subtrees.empty());
  EXPECT_FALSE(c.excluded_subtrees.empty());
  EXPECT_FALSE(c.subject_alt_names.empty());
  EXPECT_FALSE(c.extended_key_usage.empty());
  EXPECT_FALSE(c.extended_key_usage_critical);
  EXPECT_FALSE(c.crl_distribution_points.empty());
  EXPECT_FALSE(c.freshest_crl.empty());
  EXPECT_EQ(AsText(c.subject_key_id), "subject");
  EXPECT_EQ(AsText(c.authority_key_id), "authority");
  EXPECT_TRUE(c.unknown_critical_extension.empty());
  EXPECT_FALSE(c.self_issued);
}

TEST(Certificate, TruncatedAtAnyLengthOrFollowedByAnythingIsRefused) {
  const std::string der = FullBuilder().Sign(CaKey());
  Certificate c;
  for (size_t size = 0; size < der.size(); ++size) {
    // A copy of its own, so that the sanitizer sees a read past the end.
    const std::vector<uint8_t> cut(der.begin(),
                                   der.begin() + static_cast<long>(size));
    EXPECT_FALSE(ParseCertificate(cut, &c).ok()) << size;
  }
  EXPECT_EQ(FieldAtFault(der + "\0"s), "certificate");
  EXPECT_EQ(FieldAtFault(der + der), "certificate");
}

// Every octet changed in every bit and to a few telling values, every length
// made one longer and one shorter: nothing may be read out of bounds, and no
// view may leave the certificate.
TEST(Certificate, NoChangedOctetLeadsOutOfTheCertificate) {
  const std::string der = FullBuilder().Sign(CaKey());
  int read = 0;
  for (size_t i = 0; i < der.size(); ++i) {
    for (const int value : {0x00, 0x1f, 0x30, 0x7f, 0x80, 0x84, 0x88, 0xff,
                            der[i] ^ 1, der[i] + 1, der[i] - 1}) {
      std::vector<uint8_t> changed(der.begin(), der.end());
      changed[i] = static_cast<uint8_t>(value);
      Certificate c;
      if (!ParseCertificate(changed, &c).ok()) continue;
      ++read;
      for (const Bytes view :
           {c.tbs, c.serial, c.issuer, c.subject, c.key.spki, c.signature,
            c.policies, c.subject_alt_names, c.crl_distribution_points}) {
        if (view.empty()) continue;
        ASSERT_GE(view.data(), changed.data());
        ASSERT_LE(view.data() + view.size(), changed.data() + changed.size());
      }
    }
  }
  EXPECT_GT(read, 1000);
}

TEST(Certificate, TheOuterStructureIsExact) {
  const std::string sha256 =
      lab::AlgorithmIdentifier(SigningAlgorithm::kRsaPkcs1Sha256);
  const std::string tbs = Builder().Tbs(SigningAlgorithm::kRsaPkcs1Sha256);
  const std::string signature = DerElement(der::kBitString, "\0sig"s);
  const auto whole = [](const std::string& contents) {
    return DerElement(der::kSequence, contents);
  };
  EXPECT_EQ(FieldAtFault(whole(tbs + sha256 + signature)), "");
  EXPECT_EQ(FieldAtFault(whole(tbs + sha256)), "signatureValue");
  EXPECT_EQ(FieldAtFault(whole(tbs + sha256 + signature + signature)),
            "certificate");
  EXPECT_EQ(FieldAtFault(
                whole(tbs + sha256 + DerElement(der::kBitString, "\4sig\0"s))),
            "signatureValue");
  EXPECT_EQ(FieldAtFault(whole(tbs + sha256 + DerElement(der::kBitString, ""))),
            "signatureValue");
  EXPECT_EQ(FieldAtFault(DerElement(der::kSet, tbs + sha256 + signature)),
            "certificate");
  EXPECT_EQ(FieldAtFault(whole(whole("") + sha256 + signature)),
            "serialNumber");
  EXPECT_EQ(FieldAtFault(""), "certificate");
  EXPECT_EQ(FieldAtFault("-----BEGIN CERTIFICATE-----"), "certificate");
}

TEST(Certificate, TheTwoAlgorithmIdentifiersMustBeTheSame) {
  const std::string other =
      lab::AlgorithmIdentifier(SigningAlgorithm::kRsaPkcs1Sha384);
  EXPECT_EQ(FieldAtFault(Builder().inner_algorithm_der(other)),
            "signatureAlgorithm");
  EXPECT_EQ(FieldAtFault(Builder().outer_algorithm_der(other)),
            "signatureAlgorithm");
}

TEST(Certificate, SerialNumbersHaveOneTo21Octets) {
  EXPECT_EQ(FieldAtFault(Builder().serial_contents("\x00"s)), "");
  EXPECT_EQ(FieldAtFault(Builder().serial_contents("\x80"s)), "");  // negative
  EXPECT_EQ(FieldAtFault(Builder().serial_contents(std::string(20, 'x'))), "");
  EXPECT_EQ(FieldAtFault(Builder().serial_contents(std::string(21, 'x'))), "");
  for (const std::string& bad :
       {std::string(22, 'x'), ""s, "\x00\x01"s, "\xff\xff"s}) {
    EXPECT_EQ(FieldAtFault(Builder().serial_contents(bad)), "serialNumber");
  }
}

TEST(Certificate, VersionsCarryWhatTheyMay) {
  EXPECT_EQ(FieldAtFault(Builder().version(1)), "");
  EXPECT_EQ(FieldAtFault(Builder().version(2)), "");
  EXPECT_EQ(FieldAtFault(Builder().version(3)), "");
  EXPECT_EQ(FieldAtFault(Builder().version(4)), "version");
  EXPECT_EQ(FieldAtFault(Builder().version(1).ca()), "extensions");
  EXPECT_EQ(FieldAtFault(Builder().version(2).ca()), "extensions");
  EXPECT_EQ(FieldAtFault(Builder().version(2).issuer_unique_id("u")), "");
  EXPECT_EQ(FieldAtFault(Builder().version(3).subject_unique_id("u")), "");
  EXPECT_EQ(FieldAtFault(Builder().version(1).issuer_unique_id("u")),
            "uniqueID");
}

TEST(Certificate, NamesAreWellFormedAndTheIssuerIsNotEmpty) {
  using lab::Name;
  EXPECT_EQ(FieldAtFault(Builder().subject(Name())), "");
  EXPECT_EQ(FieldAtFault(Builder().issuer(Name())), "issuer");
  const Name bad = Name::FromDer("\x30\x02\x31\x00"s);
  EXPECT_EQ(FieldAtFault(Builder().issuer(bad)), "issuer");
  EXPECT_EQ(FieldAtFault(Builder().subject(bad)), "subject");
}

// The trigger: combining marks in the reverse of their canonical order. The
// names are compared while the certificate is read, before any signature.
TEST(Certificate, AHugeTextBeyondAsciiInANameIsRefused) {
  const auto marks = [](int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += "\xcc\x81";  // U+0301
    for (int i = 0; i < count; ++i) text += "\xcc\x96";  // U+0316
    return lab::Name({{"CN", text}});
  };
  EXPECT_EQ(FieldAtFault(Builder().subject(marks(256))), "");
  EXPECT_EQ(FieldAtFault(Builder().issuer(marks(256))), "");
  EXPECT_EQ(FieldAtFault(Builder().subject(marks(257))), "subject");
  EXPECT_EQ(FieldAtFault(Builder().issuer(marks(257))), "issuer");
  EXPECT_EQ(FieldAtFault(Builder().subject(marks(16'000))), "subject");
  EXPECT_EQ(FieldAtFault(Builder().issuer(marks(16'000))), "issuer");
}

TEST(Certificate, ValidityIsTwoTimes) {
  const std::string time = DerElement(der::kUtcTime, "260101000000Z");
  const auto validity = [](const std::string& contents) {
    return FieldAtFault(
        Builder().validity_der(DerElement(der::kSequence, contents)));
  };
  EXPECT_EQ(validity(time + time), "");
  EXPECT_EQ(validity(time), "validity.notAfter");
  EXPECT_EQ(validity(""), "validity.notBefore");
  EXPECT_EQ(validity(time + time + time), "validity");
  EXPECT_EQ(validity(time + DerElement(der::kUtcTime, "260101000060Z")),
            "validity.notAfter");
}

// One extension with this value, by itself.
std::string ExtensionFault(const char* oid, const std::string& value) {
  return FieldAtFault(Builder().add({oid, false, value}));
}

TEST(Certificate, EveryExtensionIsReadStrictly) {
  const std::string null = "\x05\x00"s;
  const std::string empty = "\x30\x00"s;
  const struct {
    const char* oid;
    const char* field;
    std::vector<std::string> bad;
  } kCases[] = {
      {"2.5.29.14", "subjectKeyIdentifier", {null, "", "\x04\x01"s}},
      {"2.5.29.15", "keyUsage", {null, "\x03\x01\x01"s, "\x03\x02\x00\x06"s}},
      {"2.5.29.17", "subjectAltName", {null, empty, "\x30\x02\x89\x00"s}},
      {"2.5.29.19",
       "basicConstraints",
       {null, "\x30\x03\x01\x01\x01"s, "\x30\x03\x02\x01\xff"s,
        "\x30\x06\x01\x01\xff\x01\x01\xff"s, "\x30\x00\x00"s}},
      {"2.5.29.30",
       "nameConstraints",
       {null, empty, "\x30\x02\xa0\x00"s, "\x30\x04\xa0\x02\x05\x00"s,
        "\x30\x02\xa2\x00"s}},
      {"2.5.29.31",
       "cRLDistributionPoints",
       {null, empty, "\x30\x02\x30\x00"s, "\x30\x06\x30\x04\xa0\x02\xa0\x00"s,
        // reasons alone
        "\x30\x06\x30\x04\x81\x02\x06\x40"s,
        // nameRelativeToCRLIssuer without attributes
        "\x30\x06\x30\x04\xa0\x02\xa1\x00"s}},
      {"2.5.29.32",
       "certificatePolicies",
       {null, empty, "\x30\x02\x05\x00"s, "\x30\x02\x30\x00"s,
        "\x30\x07\x30\x05\x06\x01\x2a\x30\x00"s}},
      {"2.5.29.33",
       "policyMappings",
       {null, empty, "\x30\x05\x30\x03\x06\x01\x2a"s}},
      {"2.5.29.35",
       "authorityKeyIdentifier",
       {null, "\x30\x02\xa1\x00"s, "\x30\x02\x82\x00"s, "\x30\x02\x05\x00"s}},
      {"2.5.29.36",
       "policyConstraints",
       {null, empty, "\x30\x03\x80\x01\xff"s, "\x30\x02\x80\x00"s}},
      {"2.5.29.37", "extKeyUsage", {null, empty, "\x30\x02\x05\x00"s}},
      {"2.5.29.46", "freshestCRL", {null, empty}},
      {"2.5.29.54", "inhibitAnyPolicy", {null, "\x02\x01\xff"s, ""}},
  };
  for (const auto& c : kCases) {
    for (const std::string& value : c.bad) {
      SCOPED_TRACE(c.field + testing::PrintToString(value));
      EXPECT_EQ(ExtensionFault(c.oid, value), c.field);
    }
  }
}

// Points are looked up before any signature is verified. None past a bound is
// passed over, for its CRL could be the one that revokes.
TEST(Certificate, DistributionPointsAreBounded) {
  const auto fault = [](const std::vector<lab::DistributionPoint>& points) {
    const std::string field =
        FieldAtFault(Builder().add(extension::CrlDistributionPoints(points)));
    const std::string freshest =
        FieldAtFault(Builder().add(extension::FreshestCrl(points)));
    EXPECT_EQ(field.empty(), freshest.empty());
    EXPECT_EQ(freshest.empty() ? "" : "freshestCRL", freshest);
    return field;
  };
  const auto point = [](size_t names, size_t crl_issuers) {
    lab::DistributionPoint p;
    p.full_name.assign(names, lab::UriName(""));
    p.crl_issuer.assign(crl_issuers, lab::DirectoryName({{"CN", "x"}}));
    return p;
  };
  const std::vector<lab::DistributionPoint> at(64, point(16, 4));
  const std::vector<lab::DistributionPoint> past(65, point(1, 0));
  EXPECT_EQ(kDistributionPointsMax, 64);
  EXPECT_EQ(fault(at), "");
  EXPECT_EQ(fault(past), "cRLDistributionPoints");
  EXPECT_EQ(fault({point(17, 0)}), "cRLDistributionPoints");
  EXPECT_EQ(fault({point(1, 0), point(17, 4)}), "cRLDistributionPoints");
  EXPECT_EQ(fault({point(1, 5)}), "cRLDistributionPoints");
  EXPECT_EQ(fault({point(0, 5)}), "cRLDistributionPoints");
  // The triggers: one point whose names multiply, and thousands of points.
  EXPECT_EQ(fault({point(16'000, 8'000)}), "cRLDistributionPoints");
  EXPECT_EQ(fault(std::vector<lab::DistributionPoint>(4'000, point(0, 1))),
            "cRLDistributionPoints");
}

TEST(Certificate, ARelativePointNameIsARelativeDistinguishedName) {
  const auto fault = [](const std::string& relative) {
    const std::string point = DerElement(
        der::kSequence,
        DerElement(der::ContextConstructed(0),
                   DerElement(der::ContextConstructed(1), relative)));
    return ExtensionFault("2.5.29.31", DerElement(der::kSequence, point));
  };
  const auto attribute = [](const std::string& text) {
    return DerElement(der::kSequence, "\x06\x03\x55\x04\x03"s +
                                          DerElement(der::kUtf8String, text));
  };
  EXPECT_EQ(fault(attribute("Kyoto")), "");
  EXPECT_EQ(fault(attribute("Kyoto") + attribute("Nara")), "");
  EXPECT_EQ(fault(""), "cRLDistributionPoints");
  EXPECT_EQ(fault("\x30\x00"s), "cRLDistributionPoints");
  EXPECT_EQ(fault(attribute("Kyoto") + "\x05\x00"s), "cRLDistributionPoints");
  EXPECT_EQ(fault(attribute("\xff")), "cRLDistributionPoints");
}

TEST(Certificate, AnExtensionMayNotAppearTwice) {
  CertificateBuilder builder = Builder();
  builder.add(extension::KeyUsage(lab::kDigitalSignature))
      .add(extension::KeyUsage(lab::kKeyCertSign));
  EXPECT_EQ(FieldAtFault(builder), "extensions");
  EXPECT_EQ(FieldAtFault(Builder()
                             .add({"1.2.3.4", false, "\x05\x00"s})
                             .add({"1.2.3.4", true, "\x05\x00"s})),
            "extensions");
}

TEST(Certificate, ThirtyTwoExtensionsAreReadAndOneMoreIsNot) {
  CertificateBuilder builder = Builder();
  for (int i = 0; i < kExtensionsMax; ++i) {
    builder.add({"1.2.3." + std::to_string(i), false, "\x05\x00"s});
  }
  EXPECT_EQ(FieldAtFault(builder), "");
  builder.add({"1.2.4", false, "\x05\x00"s});
  EXPECT_EQ(FieldAtFault(builder), "extensions");
}

TEST(Certificate, OnlyUnknownCriticalExtensionsAreHeldAgainstIt) {
  Certificate c;
  const std::string unknown =
      Builder().add({"1.2.3", true, "\x05\x00"s}).Sign(CaKey());
  ASSERT_TRUE(ParseCertificate(AsBytes(unknown), &c).ok());
  EXPECT_EQ(AsText(c.unknown_critical_extension), "\x2a\x03");
  // issuerAltName and an arc beyond one octet: known to no rule here.
  for (const char* oid : {"2.5.29.18", "2.5.29.271", "2.5.30.15"}) {
    const std::string der =
        Builder().add({oid, true, "\x03\x02\x07\x80"s}).Sign(CaKey());
    ASSERT_TRUE(ParseCertificate(AsBytes(der), &c).ok());
    EXPECT_FALSE(c.unknown_critical_extension.empty()) << oid;
    EXPECT_FALSE(c.has_key_usage);
  }
  const std::string relaxed =
      Builder().add({"1.2.3", false, "\x05\x00"s}).Sign(CaKey());
  ASSERT_TRUE(ParseCertificate(AsBytes(relaxed), &c).ok());
  EXPECT_TRUE(c.unknown_critical_extension.empty());
}

TEST(Certificate, AHugePathLengthDoesNotWrapAround) {
  Certificate c;
  for (const uint64_t length : {uint64_t{1} << 31, UINT64_MAX}) {
    const std::string der = Builder()
                                .add(extension::BasicConstraints(true, length))
                                .add(extension::PolicyConstraints(length, {}))
                                .Sign(CaKey());
    ASSERT_TRUE(ParseCertificate(AsBytes(der), &c).ok());
    EXPECT_GT(c.path_length, 1000);
    EXPECT_GT(c.require_explicit_policy, 1000);
  }
}

TEST(Certificate, SelfIssuedGoesByTheNameNotItsSpelling) {
  Certificate c;
  const std::string der = Builder()
                              .issuer({{"C", "JP"}, {"O", "Lab  CA"}})
                              .subject({{"C", "JP"}, {"O", "lab ca"}})
                              .Sign(CaKey());
  ASSERT_TRUE(ParseCertificate(AsBytes(der), &c).ok());
  EXPECT_TRUE(c.self_issued);
}

TEST(Certificate, DeepNestingAnywhereIsJustMalformed) {
  std::string deep = "\x05\x00"s;
  for (int i = 0; i < 10'000; ++i) {
    deep = lab::DerHeader(der::kSequence, deep.size()) + deep;
  }
  EXPECT_EQ(FieldAtFault(deep), "signatureAlgorithm");
  EXPECT_EQ(ExtensionFault("2.5.29.30", deep), "nameConstraints");
  EXPECT_EQ(ExtensionFault("2.5.29.32", deep), "certificatePolicies");
  EXPECT_EQ(FieldAtFault(Builder().subject(lab::Name::FromDer(deep))),
            "subject");
}

}  // namespace
}  // namespace inkan
