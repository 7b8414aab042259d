// What ReadCrl keeps of a CRL, and what it refuses.
#include "cache/crl_data.h"

#include <string>

#include "crypto/digest.h"
#include "crypto/name.h"
#include "gmock/gmock.h"
#include "tests/support/lab_world.h"

namespace inkan {
namespace {

using lab::UtcSeconds;
using std::string_literals::operator""s;
using testing::HasSubstr;
using testing_world::CaName;
using testing_world::CrlFor;
using testing_world::KeyOf;
using testing_world::Read;
using testing_world::Revoked;
namespace extension = lab::extension;

std::string WhyRefused(const lab::CrlBuilder& builder) {
  const std::string der = builder.Sign(KeyOf("ca"));
  const auto crl = ReadCrl(AsBytes(der), "file");
  return crl.ok() ? "" : std::string(crl.status().message());
}

TEST(CrlData, KeepsWhoSaysItForWhatAndWhen) {
  const std::string der = CrlFor("Kyoto", 300)
                              .issued_by(KeyOf("ca"))
                              .revoke(Revoked(17, UtcSeconds(2026, 1, 1)))
                              .revoke(Revoked(18, UtcSeconds(2026, 1, 1)))
                              .Sign(KeyOf("ca"));
  std::shared_ptr<const CrlData> crl;
  {
    // Nothing may point into the bytes it was read from.
    const std::string gone = der;
    crl = Read(gone, "kyoto.crl");
  }
  ASSERT_NE(crl, nullptr);
  EXPECT_EQ(crl->source, "kyoto.crl");
  EXPECT_EQ(crl->sha256, Sha256(AsBytes(der)));
  EXPECT_EQ(crl->issuer, CaName().Encode());
  EXPECT_EQ(crl->authority_key_id, KeyOf("ca").key_identifier());
  EXPECT_EQ(crl->this_update, UtcSeconds(2026, 3, 15));
  EXPECT_EQ(crl->next_update, UtcSeconds(2026, 3, 17));
  EXPECT_EQ(crl->crl_number, "\x01\x2c");
  EXPECT_FALSE(crl->is_delta);
  EXPECT_EQ(crl->entries(), 2U);
  EXPECT_GT(crl->memory_bytes(), 2 * 16U);
  EXPECT_THAT(crl->scope_names, testing::SizeIs(1));
  EXPECT_EQ(crl->scope_encoding, lab::DirectoryName({{"CN", "Kyoto"}}));
  EXPECT_EQ(crl->scope_text, "CN=Kyoto");
}

TEST(CrlData, WhoeverIsAskedFirstCanVerifyTheSignature) {
  const std::string der = CrlFor("Kyoto", 300)
                              .revoke(Revoked(17, UtcSeconds(2026, 1, 1)))
                              .Sign(KeyOf("ca"));
  std::string digest;
  std::string signature;
  CrlControl control;
  control.admit = [&](const CrlData& head) {
    digest = head.tbs_digest;
    signature = head.signature;
    EXPECT_EQ(head.entries(), 0U);
    return absl::OkStatus();
  };
  const auto crl = ReadCrl(AsBytes(der), "file", control);
  ASSERT_TRUE(crl.ok()) << crl.status();
  EXPECT_EQ(digest, (*crl)->tbs_digest);
  EXPECT_EQ(signature, (*crl)->signature);
  EXPECT_EQ((*crl)->tbs_digest, Read(der)->tbs_digest);
  control.admit = [](const CrlData&) {
    return absl::InvalidArgumentError("not ours");
  };
  EXPECT_EQ(ReadCrl(AsBytes(der), "file", control).status().message(),
            "not ours");
}

TEST(CrlData, ARelativeNameIsOneBelowTheIssuer) {
  lab::IssuingDistributionPointFields relative;
  relative.relative_name = {{"CN", "Kyoto"}};
  lab::IssuingDistributionPointFields full;
  full.full_name = {lab::DirectoryName(CaName().Add("CN", "Kyoto"))};
  const auto names = [](const lab::IssuingDistributionPointFields& point) {
    lab::CrlBuilder builder = CrlFor("");
    builder.add(extension::IssuingDistributionPoint(point));
    return Read(builder.Sign(KeyOf("ca")))->scope_names;
  };
  EXPECT_EQ(names(relative), names(full));
  EXPECT_NE(names(relative), names({}));
}

TEST(CrlData, EntriesOfAnIndirectCrlGoToTheIssuerNamedLast) {
  const auto entry = [](uint64_t serial, const char* issuer) {
    lab::CrlEntry e = Revoked(serial, UtcSeconds(2026, 1, 1));
    if (issuer != nullptr) {
      e.certificate_issuer = {lab::DirectoryName({{"CN", issuer}})};
    }
    return e;
  };
  lab::IssuingDistributionPointFields indirect;
  indirect.indirect = true;
  lab::CrlBuilder builder = CrlFor("");
  builder.add(extension::IssuingDistributionPoint(indirect))
      .revoke(entry(1, nullptr))
      .revoke(entry(2, "A"))
      .revoke(entry(3, nullptr))
      .revoke(entry(4, "B"))
      .revoke(entry(5, "a"));
  lab::CrlEntry back = Revoked(6, UtcSeconds(2026, 1, 1));
  back.certificate_issuer = {lab::DirectoryName(CaName())};
  builder.revoke(back);
  const auto crl = Read(builder.Sign(KeyOf("ca")));
  const auto holds = [](const CrlIndex& index) {
    std::string serials;
    for (uint64_t i = 1; i <= 6; ++i) {
      Revocation found;
      if (index.Find(AsBytes(lab::SerialContents(i)), &found)) {
        serials += std::to_string(i);
      }
    }
    return serials;
  };
  ASSERT_EQ(crl->indirect.size(), 2U);
  const auto of = [&](const char* name) {
    return holds(crl->indirect.at(
        CanonicalName(AsBytes(lab::Name({{"CN", name}}).Encode()))));
  };
  EXPECT_EQ(holds(crl->index), "16");
  EXPECT_EQ(of("A"), "235");
  EXPECT_EQ(of("B"), "4");
  EXPECT_EQ(crl->entries(), 6U);
}

TEST(CrlData, AnIndirectCrlHasNoMoreIssuersThanItMay) {
  lab::IssuingDistributionPointFields indirect;
  indirect.indirect = true;
  const auto with = [&](size_t issuers) {
    lab::CrlBuilder builder = CrlFor("");
    builder.add(extension::IssuingDistributionPoint(indirect));
    for (size_t i = 0; i < issuers; ++i) {
      lab::CrlEntry entry = Revoked(i + 1, UtcSeconds(2026, 1, 1));
      entry.certificate_issuer = {
          lab::DirectoryName({{"CN", "CA " + std::to_string(i)}})};
      builder.revoke(entry);
    }
    const std::string der = builder.Sign(KeyOf("ca"));
    return ReadCrl(AsBytes(der), "test");
  };
  const auto most = with(kIndirectIssuersMax);
  ASSERT_TRUE(most.ok()) << most.status();
  EXPECT_EQ((*most)->indirect.size(), kIndirectIssuersMax);
  const auto over = with(kIndirectIssuersMax + 1);
  EXPECT_THAT(std::string(over.status().message()),
              testing::HasSubstr("certificateIssuer: more than 256 issuers"));
}

TEST(CrlData, RefusesWhatItCannotStandFor) {
  lab::CrlEntry long_serial = Revoked(1, 0);
  long_serial.serial = std::string(kSerialBytesMax, 'x');
  EXPECT_EQ(WhyRefused(CrlFor("").revoke(long_serial)), "");
  long_serial.serial += 'x';
  EXPECT_THAT(WhyRefused(CrlFor("").revoke(long_serial)),
              HasSubstr("userCertificate"));
  EXPECT_THAT(WhyRefused(CrlFor("").add({"1.2.3", true, "\x05\x00"s})),
              HasSubstr("1.2.3"));
  EXPECT_THAT(
      WhyRefused(CrlFor("").revoke(Revoked(1, 0, lab::Reason::kRemoveFromCrl))),
      HasSubstr("removeFromCRL"));
  lab::CrlEntry other = Revoked(1, 0);
  other.certificate_issuer = {lab::DirectoryName({{"CN", "A"}})};
  EXPECT_THAT(WhyRefused(CrlFor("").revoke(other)),
              HasSubstr("certificateIssuer"));
  EXPECT_THAT(WhyRefused(CrlFor("").this_update(100).next_update(99)),
              HasSubstr("nextUpdate"));
  const std::string sha1 =
      CrlFor("").Sign(KeyOf("ca"), lab::SigningAlgorithm::kRsaPkcs1Sha1);
  EXPECT_THAT(ReadCrl(AsBytes(sha1), "").status().message(),
              HasSubstr("SHA-1"));
  EXPECT_THAT(ReadCrl(AsBytes("junk"), "").status().message(),
              HasSubstr("certificateList"));
}

}  // namespace
}  // namespace inkan
