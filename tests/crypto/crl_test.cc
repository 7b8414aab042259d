// Reading CRLs and their entries.
#include "crypto/crl.h"

#include <string>
#include <vector>

#include "bench/lab/certificate_builder.h"
#include "bench/lab/crl_builder.h"
#include "bench/lab/der_writer.h"
#include "gtest/gtest.h"

namespace inkan {
namespace {

using lab::CrlBuilder;
using lab::DerElement;
using lab::PrivateKey;
using lab::UtcSeconds;
using std::string_literals::operator""s;
namespace extension = lab::extension;

const PrivateKey& CaKey() {
  static const auto* const kKey = new PrivateKey(PrivateKey::RsaFromSeed("ca"));
  return *kKey;
}

// The field at fault in the CRL or in one of its entries, or empty.
std::string FieldAtFault(const std::string& der) {
  Crl crl;
  if (const Fault fault = ParseCrl(AsBytes(der), &crl); !fault.ok()) {
    return fault.field;
  }
  CrlEntryReader entries(crl);
  CrlEntry entry;
  while (entries.Next(&entry)) {
  }
  return entries.fault().ok() ? "" : entries.fault().field;
}

std::string FieldAtFault(const CrlBuilder& builder) {
  return FieldAtFault(builder.Sign(CaKey()));
}

lab::CrlEntry Entry(uint64_t serial) {
  return {.serial = lab::SerialContents(serial),
          .revoked_at = UtcSeconds(2026, 1, 1)};
}

CrlBuilder FullBuilder() {
  lab::IssuingDistributionPointFields point;
  point.full_name = {lab::DirectoryName({{"CN", "Kyoto"}})};
  point.only_user_certificates = true;
  point.only_some_reasons = lab::kReasonKeyCompromise;
  point.indirect = true;
  CrlBuilder builder;
  builder.issuer({{"O", "JPKI"}})
      .this_update(UtcSeconds(2026, 3, 1))
      .next_update(UtcSeconds(2050, 1, 1))
      .issued_by(CaKey())
      .add(extension::CrlNumber(300))
      .add(extension::DeltaCrlIndicator(299))
      .add(extension::ExpiredCertsOnCrl(UtcSeconds(2019, 5, 1)))
      .add(extension::IssuingDistributionPoint(point));
  lab::CrlEntry entry = Entry(17);
  entry.reason = lab::Reason::kKeyCompromise;
  entry.invalidity_date = UtcSeconds(2025, 12, 31);
  entry.certificate_issuer = {lab::DirectoryName({{"O", "Other"}})};
  builder.revoke(entry).revoke(Entry(18));
  return builder;
}

TEST(Crl, EveryFieldIsRead) {
  const std::string der = FullBuilder().Sign(CaKey());
  Crl crl;
  const Fault fault = ParseCrl(AsBytes(der), &crl);
  ASSERT_TRUE(fault.ok()) << fault.field << ": " << fault.problem;
  EXPECT_EQ(crl.version, 2);
  EXPECT_EQ(AsText(crl.issuer), lab::Name({{"O", "JPKI"}}).Encode());
  EXPECT_EQ(crl.this_update, UtcSeconds(2026, 3, 1));
  EXPECT_TRUE(crl.has_next_update);
  EXPECT_EQ(crl.next_update, UtcSeconds(2050, 1, 1));
  EXPECT_EQ(AsText(crl.authority_key_id), CaKey().key_identifier());
  EXPECT_EQ(AsText(crl.crl_number), "\x01\x2c");
  EXPECT_EQ(AsText(crl.base_crl_number), "\x01\x2b");
  EXPECT_TRUE(crl.has_expired_certs_on_crl);
  EXPECT_EQ(crl.expired_certs_on_crl, UtcSeconds(2019, 5, 1));
  EXPECT_TRUE(crl.scope.present);
  EXPECT_TRUE(crl.scope.only_user_certs);
  EXPECT_FALSE(crl.scope.only_ca_certs);
  EXPECT_TRUE(crl.scope.indirect);
  EXPECT_TRUE(crl.scope.has_some_reasons);
  EXPECT_EQ(crl.scope.some_reasons, lab::kReasonKeyCompromise);
  EXPECT_EQ(AsText(crl.scope.name.full_names),
            lab::DirectoryName({{"CN", "Kyoto"}}));

  CrlEntryReader entries(crl);
  CrlEntry entry;
  ASSERT_TRUE(entries.Next(&entry));
  EXPECT_EQ(AsText(entry.serial), "\x11");
  EXPECT_EQ(entry.revoked_at, UtcSeconds(2026, 1, 1));
  EXPECT_EQ(entry.reason, 1);
  EXPECT_TRUE(entry.has_invalidity_date);
  EXPECT_EQ(entry.invalidity_date, UtcSeconds(2025, 12, 31));
  EXPECT_EQ(AsText(entry.certificate_issuer),
            lab::DirectoryName({{"O", "Other"}}));
  ASSERT_TRUE(entries.Next(&entry));
  EXPECT_EQ(AsText(entry.serial), "\x12");
  EXPECT_EQ(entry.reason, 0);
  EXPECT_FALSE(entry.has_invalidity_date);
  EXPECT_TRUE(entry.certificate_issuer.empty());
  EXPECT_FALSE(entries.Next(&entry));
  EXPECT_TRUE(entries.fault().ok());
}

TEST(Crl, TruncatedAtAnyLengthOrFollowedByAnythingIsRefused) {
  const std::string der = FullBuilder().Sign(CaKey());
  for (size_t size = 0; size < der.size(); ++size) {
    const std::vector<uint8_t> cut(der.begin(),
                                   der.begin() + static_cast<long>(size));
    Crl crl;
    EXPECT_FALSE(ParseCrl(cut, &crl).ok()) << size;
  }
  EXPECT_EQ(FieldAtFault(der + "\n"), "certificateList");
}

TEST(Crl, NoChangedOctetLeadsOutOfTheCrl) {
  const std::string der = FullBuilder().Sign(CaKey());
  int read = 0;
  for (size_t i = 0; i < der.size(); ++i) {
    for (const int value : {0x00, 0x1f, 0x30, 0x80, 0x84, 0xff, der[i] ^ 1,
                            der[i] + 1, der[i] - 1}) {
      std::string changed = der;
      changed[i] = static_cast<char>(value);
      const std::vector<uint8_t> copy(changed.begin(), changed.end());
      Crl crl;
      if (!ParseCrl(copy, &crl).ok()) continue;
      CrlEntryReader entries(crl);
      CrlEntry entry;
      while (entries.Next(&entry)) {
        ++read;
        ASSERT_GE(entry.serial.data(), copy.data());
        ASSERT_LE(entry.serial.data() + entry.serial.size(),
                  copy.data() + copy.size());
      }
    }
  }
  EXPECT_GT(read, 1000);
}

TEST(Crl, VersionOneHasNoExtensionsAnywhere) {
  CrlBuilder plain;
  plain.version(1).revoke(Entry(1));
  EXPECT_EQ(FieldAtFault(plain), "");
  CrlBuilder numbered;
  numbered.version(1).add(extension::CrlNumber(1));
  EXPECT_EQ(FieldAtFault(numbered), "crlExtensions");
  lab::CrlEntry entry = Entry(1);
  entry.reason = lab::Reason::kKeyCompromise;
  CrlBuilder reasoned;
  reasoned.version(1).revoke(entry);
  EXPECT_EQ(FieldAtFault(reasoned), "crlEntryExtensions");
}

TEST(Crl, NextUpdateMayBeAbsent) {
  Crl crl;
  const std::string der = CrlBuilder().no_next_update().Sign(CaKey());
  ASSERT_TRUE(ParseCrl(AsBytes(der), &crl).ok());
  EXPECT_FALSE(crl.has_next_update);
}

TEST(Crl, ExtensionsAreReadStrictly) {
  const std::string null = "\x05\x00"s;
  const struct {
    const char* oid;
    const char* field;
    std::vector<std::string> bad;
  } kCases[] = {
      {"2.5.29.20",
       "cRLNumber",
       {null, "\x02\x01\xff"s, DerElement(der::kInteger, std::string(22, 'x')),
        "\x02\x02\x00\x01"s, "\x02\x01\x01\x00"s}},
      {"2.5.29.27", "deltaCRLIndicator", {null, "\x02\x01\x80"s}},
      {"2.5.29.28",
       "issuingDistributionPoint",
       {null, "\x30\x02\xa0\x00"s, "\x30\x03\x81\x01\x01"s, "\x30\x02\x81\x00"s,
        "\x30\x02\x83\x00"s, "\x30\x02\x86\x00"s,
        // user and CA certificates only, both
        "\x30\x06\x81\x01\xff\x82\x01\xff"s,
        // flags out of order
        "\x30\x06\x82\x01\xff\x81\x01\xff"s}},
      {"2.5.29.35", "authorityKeyIdentifier", {null}},
      {"2.5.29.46", "freshestCRL", {null, "\x30\x00"s}},
      {"2.5.29.60", "expiredCertsOnCRL", {null, "\x17\x00"s}},
  };
  for (const auto& c : kCases) {
    for (const std::string& value : c.bad) {
      SCOPED_TRACE(c.field + testing::PrintToString(value));
      EXPECT_EQ(FieldAtFault(CrlBuilder().add({c.oid, false, value})), c.field);
    }
  }
  EXPECT_EQ(FieldAtFault(CrlBuilder().add(
                extension::CrlNumberContents(std::string(20, 'x')))),
            "");
}

TEST(Crl, AnExtensionMayNotAppearTwice) {
  EXPECT_EQ(FieldAtFault(CrlBuilder()
                             .add(extension::CrlNumber(1))
                             .add(extension::CrlNumber(2))),
            "crlExtensions");
  lab::CrlEntry entry = Entry(1);
  entry.reason = lab::Reason::kUnspecified;
  entry.extensions = {extension::ReasonCode(lab::Reason::kRemoveFromCrl)};
  EXPECT_EQ(FieldAtFault(CrlBuilder().revoke(entry)), "crlEntryExtensions");
}

TEST(Crl, SixteenExtensionsAreReadAndOneMoreIsNot) {
  CrlBuilder builder;
  for (int i = 0; i < 16; ++i) {
    builder.add({"1.2.3." + std::to_string(i), false, "\x05\x00"s});
  }
  EXPECT_EQ(FieldAtFault(builder), "");
  builder.add({"1.2.4", false, "\x05\x00"s});
  EXPECT_EQ(FieldAtFault(builder), "crlExtensions");
}

TEST(Crl, AMalformedEntryIsAFaultAndNotTheEnd) {
  const struct {
    const char* field;
    lab::CrlEntry entry;
  } kCases[] = {
      {"userCertificate", {.serial = ""}},
      {"userCertificate", {.serial = "\x00\x01"s}},
      {"reasonCode",
       {.serial = "\x01",
        .extensions = {{"2.5.29.21", false, "\x0a\x01\x07"}}}},
      {"reasonCode",
       {.serial = "\x01",
        .extensions = {{"2.5.29.21", false, "\x0a\x01\x0b"}}}},
      {"reasonCode",
       {.serial = "\x01",
        .extensions = {{"2.5.29.21", false, "\x02\x01\x01"}}}},
      {"invalidityDate",
       {.serial = "\x01",
        .extensions = {{"2.5.29.24", false,
                        "\x17\x0d"
                        "260101000000Z"}}}},
      {"certificateIssuer",
       {.serial = "\x01", .extensions = {{"2.5.29.29", true, "\x30\x00"s}}}},
      {"crlEntryExtensions",
       {.serial = "\x01", .extensions = {{"1.2.3", true, "\x05\x00"s}}}},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.field);
    lab::CrlEntry bad = c.entry;
    bad.revoked_at = UtcSeconds(2026, 1, 1);
    EXPECT_EQ(FieldAtFault(
                  CrlBuilder().revoke(Entry(1)).revoke(bad).revoke(Entry(3))),
              c.field);
  }
}

TEST(Crl, DistributionPointsOfAllFormsAreRead) {
  lab::DistributionPoint relative;
  relative.relative_name = {{"CN", "Kyoto"}};
  relative.reasons = lab::kReasonKeyCompromise | lab::kReasonCertificateHold;
  lab::DistributionPoint indirect;
  indirect.crl_issuer = {lab::DirectoryName({{"CN", "Issuer"}})};
  const std::string value =
      extension::CrlDistributionPoints({relative, indirect}).value;
  DerReader outer(AsBytes(value));
  Bytes contents;
  ASSERT_TRUE(outer.Read(der::kSequence, &contents));
  EXPECT_TRUE(AreWellFormedDistributionPoints(contents));
  DerReader points(contents);
  DistributionPoint point;
  ASSERT_TRUE(ReadDistributionPoint(&points, &point));
  EXPECT_FALSE(point.name.relative_name.empty());
  EXPECT_TRUE(point.name.full_names.empty());
  EXPECT_TRUE(point.has_reasons);
  EXPECT_EQ(point.reasons, 0x42);
  ASSERT_TRUE(ReadDistributionPoint(&points, &point));
  EXPECT_FALSE(point.name.present());
  EXPECT_FALSE(point.has_reasons);
  EXPECT_EQ(point.reasons, kAllReasons);
  EXPECT_FALSE(point.crl_issuer.empty());
  EXPECT_TRUE(points.empty());
  EXPECT_FALSE(ReadDistributionPoint(&points, &point));
}

}  // namespace
}  // namespace inkan
