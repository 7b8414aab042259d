#include "tests/server/test_world.h"

#include <unistd.h>

#include <atomic>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "bench/lab/calendar.h"
#include "bench/lab/certificate_builder.h"
#include "bench/lab/crl_builder.h"
#include "gtest/gtest.h"
#include "server/config.h"

namespace inkan::testing {
namespace {

using lab::CertificateBuilder;
using lab::CrlBuilder;
using lab::PrivateKey;

constexpr uint64_t kGoodSerial = 17;
constexpr uint64_t kRevokedSerial = 18;

lab::Name CaName() { return {{"C", "JP"}, {"CN", "World CA"}}; }

}  // namespace

int64_t WorldTime() { return lab::UtcSeconds(2026, 3, 15, 12); }

TestWorld::TestWorld()
    : ca_key_(PrivateKey::RsaFromSeed("world ca")),
      signer_key_(PrivateKey::RsaFromSeed("world signer")) {
  static std::atomic<int> worlds{0};
  folder_ = std::filesystem::temp_directory_path() /
            absl::StrCat("inkan_world.", ::getpid(), ".", worlds.fetch_add(1));
  std::filesystem::create_directories(folder_ / "crls");
  ca_ = lab::SelfSignedCa(CaName(), ca_key_);
  signer_ = Issue(kGoodSerial);
  revoked_signer_ = Issue(kRevokedSerial);
  Write("ca.cer", ca_);
  good_ = FilingOver("a tax return");
  Write("signer.cer", signer_);
  Write("revoked.cer", revoked_signer_);
  Write("crls/world.crl", Crl(7, {}));
}

TestWorld::~TestWorld() { std::filesystem::remove_all(folder_); }

std::string TestWorld::Issue(uint64_t serial) const {
  return CertificateBuilder()
      .serial(serial)
      .issuer(CaName())
      .subject({{"C", "JP"}, {"CN", absl::StrCat("Signer ", serial)}})
      .public_key(signer_key_)
      .issued_by(ca_key_)
      .add(lab::extension::KeyUsage(lab::kDigitalSignature |
                                    lab::kNonRepudiation))
      .add(lab::extension::CertificatePolicies({"1.2.392.200149.8.5.1.1.20"}))
      .add(lab::extension::SubjectAltName(
          {lab::OtherNameUtf8("1.2.392.200149.8.5.5.1", "印鑑 太郎")}))
      .Sign(ca_key_);
}

std::string TestWorld::Crl(uint64_t number,
                           const std::vector<uint64_t>& also) const {
  const int64_t day = lab::kSecondsPerDay;
  CrlBuilder builder;
  builder.issuer(CaName())
      .issued_by(ca_key_)
      .this_update(WorldTime() - day / 2 + static_cast<int64_t>(number) - 7)
      .next_update(WorldTime() + day)
      .add(lab::extension::CrlNumber(number));
  std::vector<uint64_t> revoked = {kRevokedSerial};
  revoked.insert(revoked.end(), also.begin(), also.end());
  for (const uint64_t serial : revoked) {
    builder.revoke({.serial = lab::SerialContents(serial),
                    .revoked_at = WorldTime() - day,
                    .reason = lab::Reason::kKeyCompromise});
  }
  return builder.Sign(ca_key_);
}

std::string TestWorld::Delta() const {
  CrlBuilder builder;
  builder.issuer(CaName())
      .issued_by(ca_key_)
      .this_update(WorldTime())
      .next_update(WorldTime() + lab::kSecondsPerDay)
      .add(lab::extension::CrlNumber(8))
      .add(lab::extension::DeltaCrlIndicator(7));
  return builder.Sign(ca_key_);
}

void TestWorld::ReplaceCrl(uint64_t number,
                           const std::vector<uint64_t>& also) const {
  Write("next.crl", Crl(number, also));
  std::filesystem::rename(Path("next.crl"), Path("crls/world.crl"));
}

void TestWorld::AddDelta(uint64_t number,
                         const std::vector<uint64_t>& serials) const {
  const int64_t day = lab::kSecondsPerDay;
  CrlBuilder builder;
  builder.issuer(CaName())
      .issued_by(ca_key_)
      .this_update(WorldTime() - day / 4 + static_cast<int64_t>(number) - 8)
      .next_update(WorldTime() + 2 * day)
      .add(lab::extension::CrlNumber(number))
      .add(lab::extension::DeltaCrlIndicator(7));
  for (const uint64_t serial : serials) {
    builder.revoke({.serial = lab::SerialContents(serial),
                    .revoked_at = WorldTime() - day,
                    .reason = lab::Reason::kSuperseded});
  }
  Write("crls/delta.crl", builder.Sign(ca_key_));
}

std::string TestWorld::Path(std::string_view name) const {
  return (folder_ / name).string();
}

void TestWorld::Write(std::string_view name, std::string_view contents) const {
  std::ofstream(folder_ / name, std::ios::binary) << contents;
}

std::string TestWorld::ConfigText(std::string_view more) const {
  return absl::StrCat(
      "listener { address: \"127.0.0.1:0\" plaintext: \"", kPlaintextWords,
      "\" }\n"
      "profiles { name: \"signature\" anchor_files: \"ca.cer\" }\n"
      "crl_sources { directory: \"crls\" }\n",
      std::string(more));
}

std::unique_ptr<Server> TestWorld::StartServer(
    const std::string& config_text) const {
  Write("inkand.textproto", config_text);
  const std::string path = Path("inkand.textproto");
  absl::StatusOr<Config> config = LoadConfig(path);
  EXPECT_TRUE(config.ok()) << config.status();
  auto server = Server::Start(*std::move(config), path);
  EXPECT_TRUE(server.ok()) << server.status();
  return *std::move(server);
}

v1::Filing TestWorld::FilingOver(std::string_view document) const {
  v1::Filing filing;
  filing.set_profile("signature");
  filing.set_document(document.data(), document.size());
  filing.set_signature_algorithm(v1::SIGNATURE_ALGORITHM_RSA_PKCS1_SHA256);
  filing.set_signature(
      signer_key_.Sign(lab::SigningAlgorithm::kRsaPkcs1Sha256, document));
  filing.set_certificate(signer_);
  filing.mutable_verification_time()->set_seconds(WorldTime());
  return filing;
}

v1::Filing TestWorld::GoodFiling(std::string_view id) const {
  v1::Filing filing = good_;
  filing.set_filing_id(id.data(), id.size());
  return filing;
}

v1::Filing TestWorld::RevokedFiling() const {
  v1::Filing filing = GoodFiling();
  filing.set_certificate(revoked_signer_);
  return filing;
}

}  // namespace inkan::testing
