#include "bench/filing_world.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "bench/lab/crl_builder.h"
#include "bench/lab/document.h"
#include "bench/lab/extensions.h"
#include "bench/lab/prime_pool.h"
#include "bench/lab/random.h"
#include "crypto/oid.h"

namespace inkan {
namespace {

constexpr size_t kFilings = 2048;
constexpr uint64_t kFirstSerial = 120'000'000;

size_t FilingCount() {
  const char* text = std::getenv("INKAN_BENCH_FILINGS");
  if (text == nullptr) return kFilings;
  const size_t count = std::strtoull(text, nullptr, 10);
  Require(count > 0 && (count <= 512 || count % 512 == 0),
          "INKAN_BENCH_FILINGS: up to 512, or a multiple of 512");
  return count;
}

}  // namespace

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "verifier_bench: %s\n", what);
  std::exit(1);
}

void RequirePassed(absl::Span<const FilingVerdict> verdicts) {
  for (const FilingVerdict& verdict : verdicts) {
    Require(verdict.outcome == Outcome::kPassed, verdict.diagnostic.c_str());
  }
}

const FilingWorld& FilingWorld::Get() {
  static const auto* const kWorld = new FilingWorld();
  return *kWorld;
}

int64_t FilingWorld::Time() { return lab::UtcSeconds(2026, 3, 15); }

FilingWorld::FilingWorld()
    : ca_(authorities_.At(lab::CertificateKind::kSignature, Time())) {
  const size_t count = FilingCount();
  const lab::PrimePool keys(1, count, 2);
  lab::DeterministicRandom random("verifier_bench");
  lab::Citizen citizen;
  citizen.birth = {1980, 4, 1};
  for (size_t i = 0; i < count; ++i) {
    lab::IssuedCertificate record;
    record.serial = kFirstSerial + 2 * i;
    record.not_before = lab::UtcSeconds(2024, 1, 1);
    record.not_after = lab::UtcSeconds(2029, 1, 1);
    record.name = "山田 太郎";
    record.address = "架空県架空市一丁目一番一号";
    const lab::PrivateKey key = keys.Key(i);
    certificates.push_back(
        lab::LeafBuilder(ca_, record, citizen, place_, key).Sign(ca_.key));
    documents.push_back(lab::MakeTaxReturn("taxpayer", Time(), &random));
    signatures.push_back(
        key.Sign(lab::SigningAlgorithm::kRsaPkcs1Sha256, documents.back()));
  }
}

std::string FilingWorld::Crl(uint64_t entries) const {
  lab::CrlBuilder builder;
  lab::IssuingDistributionPointFields scope;
  scope.full_name = {lab::DirectoryName(
      lab::DistributionPointName(lab::CertificateKind::kSignature, place_))};
  builder.issuer(ca_.name)
      .issued_by(ca_.key)
      .add(lab::extension::CrlNumber(1))
      .add(lab::extension::IssuingDistributionPoint(scope))
      .entries(entries, [](uint64_t i, lab::CrlEntry* entry) {
        entry->serial = lab::SerialContents(kFirstSerial + 1 + 2 * i);
        entry->revoked_at = lab::UtcSeconds(2025, 1, 1) + int64_t(i % 1000);
        entry->reason = lab::Reason::kAffiliationChanged;
      });
  return builder.Sign(ca_.key);
}

SnapshotOptions FilingWorld::Options(const std::string& crl_file) const {
  Profile profile;
  profile.name = kProfile;
  profile.anchors.push_back({"ca", ca_.certificate});
  profile.initial_policies.push_back(*OidFromText(lab::kSignaturePolicy));
  profile.require_explicit_policy = true;
  profile.required_key_usage = key_usage::kNonRepudiation;
  SnapshotOptions options;
  options.profiles.push_back(std::move(profile));
  CrlSourceOptions source;
  source.kind = CrlSourceOptions::Kind::kFile;
  source.path = crl_file;
  options.crl_sources.push_back(std::move(source));
  return options;
}

std::shared_ptr<const Snapshot> FilingWorld::SnapshotWith(
    uint64_t crl_entries) const {
  std::unique_ptr<SnapshotKeeper>& keeper = keepers_[crl_entries];
  if (keeper == nullptr) {
    const std::string file =
        (std::filesystem::temp_directory_path() /
         ("verifier_bench." + std::to_string(getpid()) + ".crl"))
            .string();
    std::ofstream(file, std::ios::binary) << Crl(crl_entries);
    auto started = SnapshotKeeper::Start(Options(file), false);
    std::filesystem::remove(file);
    Require(started.ok(), "the snapshot cannot be built");
    keeper = *std::move(started);
  }
  return keeper->Current();
}

std::vector<FilingView> FilingWorld::Views(const Snapshot& snapshot) const {
  std::vector<FilingView> filings(size());
  for (size_t i = 0; i < size(); ++i) {
    FilingView& filing = filings[i];
    filing.profile = snapshot.Find(kProfile);
    filing.algorithm = {SignatureScheme::kRsaPkcs1, HashAlgorithm::kSha256, 0};
    filing.signature = AsBytes(signatures[i]);
    filing.content = FilingView::Content::kDocument;
    filing.document_or_digest = AsBytes(documents[i]);
    filing.certificate = AsBytes(certificates[i]);
    filing.time = Time();
  }
  return filings;
}

}  // namespace inkan
