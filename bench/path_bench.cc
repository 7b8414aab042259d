// What a citizen's certificate costs without arithmetic: parsed, accepted below
// its CA's path, valid, looked up in its CRL. One thread, one core.
//
//   build/release/bench/path_bench
//
// The certificates are the synthetic JPKI's: signature certificates with names
// and address in the subjectAltName, one distribution point, a policy. Each
// step checks that every certificate passed it.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "bench/lab/authority.h"
#include "bench/lab/crl_builder.h"
#include "bench/lab/extensions.h"
#include "bench/lab/place_names.h"
#include "bench/lab/prime_pool.h"
#include "cache/snapshot_keeper.h"
#include "crypto/oid.h"

namespace inkan {
namespace {

// Few enough to stay in the second-level cache, as a batch does.
constexpr size_t kCertificates = 256;
constexpr uint64_t kCrlEntries = 100'000;
constexpr uint64_t kFirstSerial = 120'000'000;
const int64_t kTime = lab::UtcSeconds(2026, 3, 15);

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "path_bench: %s\n", what);
  std::exit(1);
}

struct World {
  std::vector<std::string> certificates;
  std::unique_ptr<SnapshotKeeper> keeper;
  std::shared_ptr<const Snapshot> snapshot;
  const ProfileSnapshot* profile = nullptr;
  LeafRules rules;
};

std::string CrlOf(const lab::Authority& ca, const lab::Municipality& place) {
  lab::IssuingDistributionPointFields scope;
  scope.full_name = {lab::DirectoryName(
      lab::DistributionPointName(lab::CertificateKind::kSignature, place))};
  lab::CrlBuilder builder;
  builder.issuer(ca.name)
      .issued_by(ca.key)
      .add(lab::extension::CrlNumber(1))
      .add(lab::extension::IssuingDistributionPoint(scope))
      // Odd serials, so that no certificate is on it.
      .entries(kCrlEntries, [](uint64_t i, lab::CrlEntry* entry) {
        entry->serial = lab::SerialContents(kFirstSerial + 1 + 2 * i);
        entry->revoked_at = lab::UtcSeconds(2025, 1, 1);
      });
  return builder.Sign(ca.key);
}

World MakeWorld() {
  World world;
  lab::Authorities authorities(1, 2);
  const lab::Authority& ca =
      authorities.At(lab::CertificateKind::kSignature, kTime);
  const lab::Municipality place = lab::InventMunicipalities(4)[2];
  const lab::PrimePool keys(1, 8, 2);
  lab::Citizen citizen;
  citizen.birth = {1980, 4, 1};
  for (size_t i = 0; i < kCertificates; ++i) {
    lab::IssuedCertificate record;
    record.serial = kFirstSerial + 2 * i;
    record.not_before = lab::UtcSeconds(2024, 1, 1);
    record.not_after = lab::UtcSeconds(2029, 1, 1);
    record.name = "山田 太郎";
    record.address = "架空県架空市一丁目一番一号";
    world.certificates.push_back(
        lab::LeafBuilder(ca, record, citizen, place, keys.Key(i % 8))
            .Sign(ca.key));
  }
  const std::string file = (std::filesystem::temp_directory_path() /
                            ("path_bench." + std::to_string(getpid()) + ".crl"))
                               .string();
  std::ofstream(file, std::ios::binary) << CrlOf(ca, place);
  Profile profile;
  profile.name = "jpki-signature";
  profile.anchors.push_back({"ca", ca.certificate});
  profile.initial_policies.push_back(*OidFromText(lab::kSignaturePolicy));
  profile.require_explicit_policy = true;
  profile.required_key_usage = key_usage::kNonRepudiation;
  SnapshotOptions options;
  options.profiles.push_back(std::move(profile));
  options.crl_sources.push_back({CrlSourceOptions::Kind::kFile, file});
  auto started = SnapshotKeeper::Start(std::move(options), /*watch=*/false);
  std::filesystem::remove(file);
  Require(started.ok(), "the snapshot cannot be built");
  world.keeper = *std::move(started);
  world.snapshot = world.keeper->Current();
  world.profile = world.snapshot->Find("jpki-signature");
  world.rules.required_key_usage = key_usage::kNonRepudiation;
  return world;
}

const World& GetWorld() {
  static const auto* const kWorld = new World(MakeWorld());
  return *kWorld;
}

// Calls `step` with one certificate after the other.
template <typename Step>
void Run(benchmark::State& state, Step step) {
  const World& world = GetWorld();
  size_t next = 0;
  for (auto _ : state) {
    Require(step(world, AsBytes(world.certificates[next])),
            "a certificate does not pass");
    next = (next + 1) % kCertificates;
  }
  state.SetItemsProcessed(state.iterations());
}

bool Parse(const World& /*world*/, Bytes der) {
  Certificate leaf;
  return ParseCertificate(der, &leaf).ok();
}
void BM_Parse(benchmark::State& state) { Run(state, Parse); }
BENCHMARK(BM_Parse);

bool ParseAndAccept(const World& world, Bytes der) {
  Certificate leaf;
  if (!ParseCertificate(der, &leaf).ok()) return false;
  const IssuerPath& path = *world.profile->issuer_paths->Find(leaf.issuer)[0];
  PolicySet policies;
  return path.state.Accept(leaf, world.rules, &policies).ok() &&
         path.state.CheckValidity(kTime).ok() && policies.size() == 1;
}
void BM_ParseAndAccept(benchmark::State& state) { Run(state, ParseAndAccept); }
BENCHMARK(BM_ParseAndAccept);

// All of it.
bool PathStep(const World& world, Bytes der) {
  Certificate leaf;
  if (!ParseCertificate(der, &leaf).ok()) return false;
  const IssuerPath& path = *world.profile->issuer_paths->Find(leaf.issuer)[0];
  PolicySet policies;
  return path.state.Accept(leaf, world.rules, &policies).ok() &&
         path.state.CheckValidity(kTime).ok() && policies.size() == 1 &&
         world.profile->crls->Check(leaf, path, kTime).status ==
             RevocationStatus::kGood;
}
void BM_PathStep(benchmark::State& state) { Run(state, PathStep); }
BENCHMARK(BM_PathStep);

}  // namespace
}  // namespace inkan

BENCHMARK_MAIN();
