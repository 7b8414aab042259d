// Whole filings: certificate parsed, path, revocation, two signatures, verdict.
// In process, on one thread, against the same job done with OpenSSL.
//
//   build/release/bench/verifier_bench
//   build/release/bench/verifier_bench --benchmark_filter=Crl
//
// Every filing has its own certificate and key, as citizens do, and about a
// kilobyte of document. Each benchmark checks that every verdict passed.
#include <benchmark/benchmark.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bench/lab/authority.h"
#include "bench/lab/crl_builder.h"
#include "bench/lab/document.h"
#include "bench/lab/extensions.h"
#include "bench/lab/place_names.h"
#include "bench/lab/prime_pool.h"
#include "bench/lab/random.h"
#include "cache/snapshot_keeper.h"
#include "crypto/oid.h"
#include "server/verifier.h"

namespace inkan {
namespace {

constexpr size_t kFilings = 2048;
const int64_t kTime = lab::UtcSeconds(2026, 3, 15);
constexpr uint64_t kFirstSerial = 120'000'000;

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "verifier_bench: %s\n", what);
  std::exit(1);
}

// Signed filings of as many citizens, and their CA.
struct World {
  lab::Authorities authorities{1, 2};
  const lab::Authority& ca =
      authorities.At(lab::CertificateKind::kSignature, kTime);
  lab::Municipality place = lab::InventMunicipalities(4)[2];
  std::vector<std::string> certificates;
  std::vector<std::string> documents;
  std::vector<std::string> signatures;

  World() {
    const lab::PrimePool keys(1, kFilings, 2);
    lab::DeterministicRandom random("verifier_bench");
    lab::Citizen citizen;
    citizen.birth = {1980, 4, 1};
    for (size_t i = 0; i < kFilings; ++i) {
      lab::IssuedCertificate record;
      record.serial = kFirstSerial + 2 * i;
      record.not_before = lab::UtcSeconds(2024, 1, 1);
      record.not_after = lab::UtcSeconds(2029, 1, 1);
      record.name = "山田 太郎";
      record.address = "架空県架空市一丁目一番一号";
      const lab::PrivateKey key = keys.Key(i);
      certificates.push_back(
          lab::LeafBuilder(ca, record, citizen, place, key).Sign(ca.key));
      documents.push_back(lab::MakeTaxReturn("taxpayer", kTime, &random));
      signatures.push_back(
          key.Sign(lab::SigningAlgorithm::kRsaPkcs1Sha256, documents.back()));
    }
  }

  // A CRL of odd serials, so that no filing's certificate is on it.
  std::string Crl(uint64_t entries) const {
    lab::CrlBuilder builder;
    lab::IssuingDistributionPointFields scope;
    scope.full_name = {lab::DirectoryName(
        lab::DistributionPointName(lab::CertificateKind::kSignature, place))};
    builder.issuer(ca.name)
        .issued_by(ca.key)
        .add(lab::extension::CrlNumber(1))
        .add(lab::extension::IssuingDistributionPoint(scope))
        .entries(entries, [](uint64_t i, lab::CrlEntry* entry) {
          entry->serial = lab::SerialContents(kFirstSerial + 1 + 2 * i);
          entry->revoked_at = lab::UtcSeconds(2025, 1, 1) + int64_t(i % 1000);
          entry->reason = lab::Reason::kAffiliationChanged;
        });
    return builder.Sign(ca.key);
  }
};

const World& GetWorld() {
  static const auto* const kWorld = new World();
  return *kWorld;
}

// The snapshot of profile "jpki-signature" with one CRL of `entries` entries.
std::shared_ptr<const Snapshot> GetSnapshot(uint64_t entries) {
  static auto* const keepers =
      new std::map<uint64_t, std::unique_ptr<SnapshotKeeper>>();
  std::unique_ptr<SnapshotKeeper>& keeper = (*keepers)[entries];
  if (keeper == nullptr) {
    const World& world = GetWorld();
    const std::string file =
        (std::filesystem::temp_directory_path() /
         ("verifier_bench." + std::to_string(getpid()) + ".crl"))
            .string();
    std::ofstream(file, std::ios::binary) << world.Crl(entries);
    Profile profile;
    profile.name = "jpki-signature";
    profile.anchors.push_back({"ca", world.ca.certificate});
    profile.initial_policies.push_back(*OidFromText(lab::kSignaturePolicy));
    profile.require_explicit_policy = true;
    profile.required_key_usage = key_usage::kNonRepudiation;
    SnapshotOptions options;
    options.profiles.push_back(std::move(profile));
    options.crl_sources.push_back({CrlSourceOptions::Kind::kFile, file});
    auto started = SnapshotKeeper::Start(std::move(options), false);
    std::filesystem::remove(file);
    Require(started.ok(), "the snapshot cannot be built");
    keeper = *std::move(started);
  }
  return keeper->Current();
}

std::vector<FilingView> ViewsOf(const World& world, const Snapshot& snapshot) {
  std::vector<FilingView> filings(kFilings);
  for (size_t i = 0; i < kFilings; ++i) {
    FilingView& filing = filings[i];
    filing.profile = snapshot.Find("jpki-signature");
    filing.algorithm = {SignatureScheme::kRsaPkcs1, HashAlgorithm::kSha256, 0};
    filing.signature = AsBytes(world.signatures[i]);
    filing.content = FilingView::Content::kDocument;
    filing.document_or_digest = AsBytes(world.documents[i]);
    filing.certificate = AsBytes(world.certificates[i]);
    filing.time = kTime;
  }
  return filings;
}

void RequirePassed(absl::Span<const FilingVerdict> verdicts) {
  for (const FilingVerdict& verdict : verdicts) {
    Require(verdict.outcome == Outcome::kPassed, verdict.diagnostic.c_str());
  }
}

// Arguments: filings a batch, entries in the CRL.
void BM_WholeFiling(benchmark::State& state) {
  const World& world = GetWorld();
  const auto snapshot = GetSnapshot(static_cast<uint64_t>(state.range(1)));
  const std::vector<FilingView> filings = ViewsOf(world, *snapshot);
  const auto batch = static_cast<size_t>(state.range(0));
  std::vector<FilingVerdict> verdicts(batch);
  Verifier verifier;
  size_t next = 0;
  for (auto _ : state) {
    verifier.Verify(absl::MakeSpan(filings).subspan(next, batch),
                    absl::MakeSpan(verdicts));
    next = (next + batch) % kFilings;
  }
  RequirePassed(verdicts);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_WholeFiling)
    ->ArgNames({"batch", "crl_entries"})
    ->Args({1, 1000})
    ->Args({8, 1000})
    ->Args({64, 1000})
    ->Args({512, 1000})
    ->Args({512, 1'000'000});

// What a leaf costs without arithmetic: parse, Accept, validity, revocation. A
// filing whose signature is missing is judged no further than its form, so the
// certificate alone is asked with a hash that leaves no signature to compute:
// measured as the parts themselves.
void BM_LeafPathStep(benchmark::State& state) {
  const World& world = GetWorld();
  const auto snapshot = GetSnapshot(static_cast<uint64_t>(state.range(0)));
  const ProfileSnapshot& profile = *snapshot->Find("jpki-signature");
  LeafRules rules;
  rules.required_key_usage = key_usage::kNonRepudiation;
  size_t next = 0;
  for (auto _ : state) {
    Certificate leaf;
    Require(ParseCertificate(AsBytes(world.certificates[next]), &leaf).ok(),
            "a leaf does not parse");
    const IssuerPath& path = *profile.issuer_paths->Find(leaf.issuer)[0];
    PolicySet policies;
    const bool good = path.state.Accept(leaf, rules, &policies).ok() &&
                      path.state.CheckValidity(kTime).ok() &&
                      IsGood(profile.crls->Check(leaf, path, kTime).status);
    Require(good, "a leaf is not accepted");
    next = (next + 1) % kFilings;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_LeafPathStep)
    ->ArgNames({"crl_entries"})
    ->Args({1000})
    ->Args({1'000'000});

X509* ReadX509(const std::string& der) {
  const auto* p = reinterpret_cast<const unsigned char*>(der.data());
  return d2i_X509(nullptr, &p, static_cast<long>(der.size()));
}

// The same with OpenSSL: certificate from its bytes, X509_verify_cert with the
// CRL, EVP_DigestVerify over the document.
void BM_OpenSslWholeFiling(benchmark::State& state) {
  const World& world = GetWorld();
  X509_STORE* store = X509_STORE_new();
  X509_STORE_add_cert(store, ReadX509(world.ca.certificate));
  const std::string crl_der = world.Crl(static_cast<uint64_t>(state.range(0)));
  const auto* p = reinterpret_cast<const unsigned char*>(crl_der.data());
  X509_CRL* crl = d2i_X509_CRL(nullptr, &p, static_cast<long>(crl_der.size()));
  X509_STORE_add_crl(store, crl);
  X509_VERIFY_PARAM* parameters = X509_STORE_get0_param(store);
  X509_VERIFY_PARAM_set_time(parameters, kTime);
  X509_VERIFY_PARAM_set_flags(
      parameters, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_EXTENDED_CRL_SUPPORT);
  size_t next = 0;
  for (auto _ : state) {
    X509* leaf = ReadX509(world.certificates[next]);
    X509_STORE_CTX* context = X509_STORE_CTX_new();
    X509_STORE_CTX_init(context, store, leaf, nullptr);
    const bool path_good = X509_verify_cert(context) == 1;
    EVP_MD_CTX* digest = EVP_MD_CTX_new();
    const bool signature_good =
        EVP_DigestVerifyInit(digest, nullptr, EVP_sha256(), nullptr,
                             X509_get0_pubkey(leaf)) == 1 &&
        EVP_DigestVerify(digest,
                         reinterpret_cast<const unsigned char*>(
                             world.signatures[next].data()),
                         world.signatures[next].size(),
                         reinterpret_cast<const unsigned char*>(
                             world.documents[next].data()),
                         world.documents[next].size()) == 1;
    Require(path_good && signature_good, "OpenSSL refuses a filing");
    EVP_MD_CTX_free(digest);
    X509_STORE_CTX_free(context);
    X509_free(leaf);
    next = (next + 1) % kFilings;
  }
  state.SetItemsProcessed(state.iterations());
  X509_CRL_free(crl);
  X509_STORE_free(store);
}
BENCHMARK(BM_OpenSslWholeFiling)->ArgNames({"crl_entries"})->Args({1000});

}  // namespace
}  // namespace inkan

BENCHMARK_MAIN();
