// CRLs: building an index, what it takes, looking up in it, opening a compiled
// one, linking a nation's partitions; and OpenSSL at the same, where it can.
//
//   INKAN_CRL_ENTRIES=10000000 build/release/bench/crl_bench
//   INKAN_CRL_ENTRIES=50000000 build/release/bench/crl_bench
//       --benchmark_filter=Restart
//
// INKAN_CRL_ENTRIES is the size of the CRLs, by default 100,000. They are what
// `inkan-lab crl` writes (bench/lab/big_crl.h): a counter's numbers of which
// 15 % are revoked, or random ones of 16 octets in no order. Look-ups take
// random serials, half of them revoked, and before each round of them other
// memory is read until no cache holds the index any more. Every benchmark
// checks its results, and BM_Build that an index takes no more octets an entry
// than the goal allows: exit code 1 if not. One thread.
#include <benchmark/benchmark.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/lab/big_crl.h"
#include "bench/lab/certificate_builder.h"
#include "cache/crl_data.h"
#include "cache/crl_file.h"
#include "cache/crl_store.h"
#include "cache/memory_block.h"
#include "crypto/certificate.h"

namespace inkan {
namespace {

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "crl_bench: %s\n", what);
  std::exit(1);
}

uint64_t EntriesWanted() {
  const char* text = std::getenv("INKAN_CRL_ENTRIES");
  const uint64_t entries =
      text == nullptr ? 100'000 : std::strtoull(text, nullptr, 10);
  Require(entries >= 1000 && entries <= 100'000'000,
          "INKAN_CRL_ENTRIES: a number from 1,000 to 100,000,000");
  return entries;
}

enum Kind : int64_t { kDense, kRandom, kDenseUniform };
const char* const kKindNames[] = {"dense", "random", "dense, uniform dates"};
// The goals for the first two, at 10,000,000 entries, and what the third was
// measured to take and a little more.
const double kBytesPerEntryMax[] = {4.0, 22.0, 4.4};
// What each index takes whatever its size: its header and the days that occur.
const double kFixedBytes = 8192;

const int64_t kNow = lab::UtcSeconds(2026, 3, 15);

const lab::PrivateKey& CaKey(size_t i) {
  static std::map<size_t, lab::PrivateKey> keys;
  const auto found = keys.find(i);
  if (found != keys.end()) return found->second;
  return keys
      .emplace(i, lab::PrivateKey::RsaFromSeed(absl::StrCat("crl-bench-", i)))
      .first->second;
}

lab::Name CaName(size_t i) {
  return {{"C", "JP"}, {"O", "Bench"}, {"CN", absl::StrCat("CA ", i)}};
}

// A certificate with the bytes it points into.
struct CaCertificate {
  explicit CaCertificate(size_t i)
      : der(lab::SelfSignedCa(CaName(i), CaKey(i))) {
    Require(ParseCertificate(AsBytes(der), &view).ok(), "the CA's certificate");
  }
  const std::string der;
  Certificate view;
};

// One CRL of the size wanted, what is to be asked, and what is right.
struct World {
  explicit World(Kind kind) {
    lab::BigCrlOptions options;
    options.entries = EntriesWanted();
    options.random_serials = kind == kRandom;
    options.uniform_dates = kind == kDenseUniform;
    options.now = kNow;
    lab::BigCrlEntries entries(options);
    lab::CrlBuilder builder;
    builder.issuer(CaName(0))
        .this_update(kNow)
        .next_update(kNow + 2 * lab::kSecondsPerDay)
        .issued_by(CaKey(0))
        .add(lab::extension::CrlNumber(1))
        .entries(options.entries, [&](uint64_t i, lab::CrlEntry* entry) {
          entries.Fill(i, entry);
        });
    der = builder.Sign(CaKey(0));
    // Every some-th entry, and as many serials that are not listed.
    lab::CrlEntry entry;
    const uint64_t step = std::max<uint64_t>(1, options.entries / kProbes * 2);
    for (uint64_t i = 0; i < options.entries && probes.size() < kProbes / 2;
         i += step) {
      entries.Fill(i, &entry);
      probes.push_back({entry.serial, entry.revoked_at, true});
    }
    std::mt19937_64 dice(1);
    const size_t listed = probes.size();
    for (size_t i = 0; i < listed; ++i) {
      std::string serial = probes[i].serial;
      if (kind == kRandom) {
        for (size_t j = 1; j < serial.size(); ++j) {
          serial[j] = static_cast<char>(dice());
        }
      } else {
        serial = lab::SerialContents(
            100'000'000 + dice() % (entries.last_serial() - 100'000'000));
      }
      probes.push_back({serial, 0, false});
    }
    std::shuffle(probes.begin(), probes.end(), dice);
    crl = Build();
    // Whether a made-up serial is listed all the same, the DER itself tells.
    if (kind != kRandom) MarkListed();
    for (const Probe& probe : probes) serials.push_back(AsBytes(probe.serial));
  }

  static const World& Get(int64_t kind) {
    // One at a time: the largest take gigabytes.
    static std::unique_ptr<World> world;
    static int64_t held = -1;
    if (held != kind) {
      world.reset();
      world = std::make_unique<World>(static_cast<Kind>(kind));
      held = kind;
    }
    return *world;
  }

  // What a refresh does: read, index, verify.
  std::shared_ptr<const CrlData> Build() const {
    auto read = ReadCrl(AsBytes(der), "bench");
    Require(read.ok(), "the CRL is refused");
    static const CaCertificate kCa(0);
    SignatureJob job;
    job.key = &kCa.view.key;
    job.algorithm = (*read)->signature_algorithm;
    job.digest = AsBytes((*read)->tbs_digest);
    job.signature = AsBytes((*read)->signature);
    VerifyBatch({&job, 1});
    Require(job.result == SignatureResult::kValid, "the CRL's signature");
    return *read;
  }

  void MarkListed() {
    Crl view;
    Require(ParseCrl(AsBytes(der), &view).ok(), "the CRL is malformed");
    std::map<std::string, std::vector<Probe*>> asked;
    for (Probe& probe : probes) {
      if (!probe.listed) asked[probe.serial].push_back(&probe);
    }
    CrlEntryReader reader(view);
    CrlEntry entry;
    auto next = asked.begin();
    // Both are in order of the numbers, which all have the same length.
    while (next != asked.end() && reader.Next(&entry)) {
      const std::string serial(AsText(entry.serial));
      while (next != asked.end() && next->first < serial) ++next;
      if (next == asked.end() || next->first != serial) continue;
      for (Probe* probe : next->second) {
        probe->listed = true;
        probe->revoked_at = entry.revoked_at;
      }
    }
  }

  static constexpr size_t kProbes = 1 << 20;
  struct Probe {
    std::string serial;
    int64_t revoked_at;
    bool listed;
  };
  std::string der;
  std::vector<Probe> probes;
  std::vector<Bytes> serials;
  std::shared_ptr<const CrlData> crl;
};

// Reads so much other memory that nothing else is left in any cache. Nothing is
// written: lines to be written back would slow down what comes after.
void FlushCaches() {
  static const std::vector<uint64_t> other((size_t{128} << 20) / 8, 1);
  uint64_t sum = 0;
  for (size_t i = 0; i < other.size(); i += 8) sum += other[i];
  benchmark::DoNotOptimize(sum);
}

// This thread's own: what others do on the machine is not counted.
double ThreadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) +
         static_cast<double>(now.tv_nsec) * 1e-9;
}

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
      .count();
}

// In millions of octets: the library's own figure counts in 2^20.
void CountBytes(benchmark::State& state, size_t bytes_each) {
  state.counters["MB_per_s"] =
      benchmark::Counter(static_cast<double>(bytes_each) / 1e6,
                         benchmark::Counter::kIsIterationInvariantRate);
}

// Argument: the kind of CRL.
void BM_Build(benchmark::State& state) {
  const World& world = World::Get(state.range(0));
  for (auto _ : state) {
    const auto crl = world.Build();
    Require(crl->entries() == EntriesWanted(), "entries");
  }
  state.SetLabel(kKindNames[state.range(0)]);
  CountBytes(state, world.der.size());
  const auto entries = static_cast<double>(world.crl->entries());
  const auto bytes = static_cast<double>(world.crl->memory_bytes());
  Require(bytes <= entries * kBytesPerEntryMax[state.range(0)] + kFixedBytes,
          "more octets an entry than the goal allows");
  state.counters["bytes_per_entry"] = bytes / entries;
}
BENCHMARK(BM_Build)
    ->Arg(kDense)
    ->Arg(kRandom)
    ->Arg(kDenseUniform)
    ->Unit(benchmark::kMillisecond);

constexpr size_t kRound = 4096;

// Serials to ask for, side by side, and room for the answers.
struct Round {
  void Take(const World& world, size_t from, size_t count) {
    size_t end = 0;
    for (size_t i = 0; i < count; ++i) {
      const Bytes serial = world.serials[from + i];
      std::copy(serial.begin(), serial.end(), octets + end);
      serials[i] = Bytes(octets + end, serial.size());
      end += serial.size();
    }
    size = count;
  }

  void Check(const World& world, size_t from) const {
    for (size_t i = 0; i < size; ++i) {
      const World::Probe& probe = world.probes[from + i];
      Require(listed[i] == probe.listed &&
                  (!listed[i] || revocations[i].revoked_at == probe.revoked_at),
              "a wrong answer");
    }
  }

  uint8_t octets[kRound * kSerialBytesMax];
  Bytes serials[kRound];
  Revocation revocations[kRound];
  bool listed[kRound];
  size_t size = 0;
};

// Rounds of look-ups from cold caches. Argument: the kind of CRL.
template <typename LookUp>
void MeasureLookUps(benchmark::State& state, const World& world,
                    const LookUp& look_up) {
  const auto round = std::make_unique<Round>();
  const size_t size = std::min(kRound, world.probes.size());
  size_t from = 0;
  double seconds = 0;
  uint64_t count = 0;
  for (auto _ : state) {
    if (from + size > world.probes.size()) from = 0;
    FlushCaches();
    round->Take(world, from, size);
    std::fill_n(round->listed, size, false);
    std::fill_n(round->revocations, size, Revocation());
    const double start = ThreadSeconds();
    look_up(round.get());
    const double took = ThreadSeconds() - start;
    round->Check(world, from);
    state.SetIterationTime(took);
    seconds += took;
    count += size;
    from += size;
  }
  state.SetLabel(kKindNames[state.range(0)]);
  state.counters["ns_per_lookup"] = seconds * 1e9 / static_cast<double>(count);
}

void BM_Find(benchmark::State& state) {
  const World& world = World::Get(state.range(0));
  MeasureLookUps(state, world, [&](Round* round) {
    for (size_t i = 0; i < round->size; ++i) {
      round->listed[i] =
          world.crl->index.Find(round->serials[i], &round->revocations[i]);
    }
  });
}
BENCHMARK(BM_Find)->Arg(kDense)->Arg(kRandom)->UseManualTime();

void BM_FindBatch64(benchmark::State& state) {
  constexpr size_t kBatch = 64;
  const World& world = World::Get(state.range(0));
  MeasureLookUps(state, world, [&](Round* round) {
    for (size_t i = 0; i < round->size; i += kBatch) {
      const size_t size = std::min(kBatch, round->size - i);
      world.crl->index.FindBatch(absl::MakeSpan(round->serials + i, size),
                                 absl::MakeSpan(round->revocations + i, size),
                                 absl::MakeSpan(round->listed + i, size));
    }
  });
}
BENCHMARK(BM_FindBatch64)->Arg(kDense)->Arg(kRandom)->UseManualTime();

// Loads that each need the one before, from as much memory as the index of the
// CRL takes, on huge pages too.
void BM_ColdLine(benchmark::State& state) {
  constexpr size_t kLine = 64;
  const World& world = World::Get(state.range(0));
  auto memory = MemoryBlock::Allocate(
      std::max(world.crl->memory_bytes(), 2 * kRound * kLine));
  Require(memory.ok(), "memory");
  std::vector<uint64_t> lines(memory->size() / kLine);
  for (size_t i = 0; i < lines.size(); ++i) lines[i] = i * kLine;
  std::shuffle(lines.begin(), lines.end(), std::mt19937_64(1));
  for (size_t i = 0; i < lines.size(); ++i) {
    std::memcpy(memory->data() + lines[i], &lines[(i + 1) % lines.size()],
                sizeof(uint64_t));
  }
  size_t from = 0;
  double seconds = 0;
  uint64_t count = 0;
  for (auto _ : state) {
    FlushCaches();
    uint64_t at = lines[from];
    const double start = ThreadSeconds();
    for (size_t i = 0; i < kRound; ++i) {
      std::memcpy(&at, memory->data() + at, sizeof(at));
    }
    benchmark::DoNotOptimize(at);
    const double took = ThreadSeconds() - start;
    state.SetIterationTime(took);
    seconds += took;
    count += kRound;
    from = (from + kRound) % lines.size();
  }
  state.counters["ns_per_load"] = seconds * 1e9 / static_cast<double>(count);
}
BENCHMARK(BM_ColdLine)->Arg(kDense)->UseManualTime();

// From a compiled CRL on disk, in the page cache, to the first answer.
void BM_RestartToFirstAnswer(benchmark::State& state) {
  const World& world = World::Get(state.range(0));
  const std::string path = (std::filesystem::temp_directory_path() /
                            absl::StrCat("inkan_crl_bench_", getpid(), ".crlx"))
                               .string();
  Require(WriteCompiledCrl(*world.crl, {}, path).ok(), "cannot write");
  for (auto _ : state) {
    auto compiled = OpenCompiledCrl(path, "bench");
    Require(compiled.ok(), "the compiled CRL is refused");
    Revocation found;
    Require(compiled->crl->index.Find(world.serials[0], &found) ==
                world.probes[0].listed,
            "a wrong answer");
  }
  state.SetLabel(kKindNames[state.range(0)]);
  state.counters["file_MB"] =
      static_cast<double>(std::filesystem::file_size(path)) / 1e6;
  std::filesystem::remove(path);
}
BENCHMARK(BM_RestartToFirstAnswer)
    ->Arg(kDense)
    ->Arg(kRandom)
    ->Unit(benchmark::kMillisecond);

// --- OpenSSL -----------------------------------------------------------------

using OpenSslCrl = std::unique_ptr<X509_CRL, void (*)(X509_CRL*)>;

OpenSslCrl ParseByOpenSsl(const std::string& der) {
  const auto* p = reinterpret_cast<const unsigned char*>(der.data());
  return {d2i_X509_CRL(nullptr, &p, static_cast<long>(der.size())),
          X509_CRL_free};
}

void BM_OpenSslParse(benchmark::State& state) {
  const World& world = World::Get(state.range(0));
  for (auto _ : state) Require(ParseByOpenSsl(world.der) != nullptr, "d2i");
  state.SetLabel(kKindNames[state.range(0)]);
  CountBytes(state, world.der.size());
}
BENCHMARK(BM_OpenSslParse)->Arg(kDense)->Unit(benchmark::kMillisecond);

int64_t SecondsOf(const X509_REVOKED& entry) {
  std::tm time = {};
  Require(ASN1_TIME_to_tm(X509_REVOKED_get0_revocationDate(&entry), &time) == 1,
          "revocationDate");
  return timegm(&time);
}

void BM_OpenSslFind(benchmark::State& state) {
  const World& world = World::Get(state.range(0));
  const OpenSslCrl crl = ParseByOpenSsl(world.der);
  Require(crl != nullptr, "d2i");
  std::vector<std::unique_ptr<ASN1_INTEGER, void (*)(ASN1_INTEGER*)>> serials;
  for (size_t i = 0; i < world.probes.size(); ++i) {
    const std::string& contents = world.probes[i].serial;
    const std::string element = absl::StrCat(
        "\x02", std::string(1, static_cast<char>(contents.size())), contents);
    const auto* p = reinterpret_cast<const unsigned char*>(element.data());
    serials.emplace_back(
        d2i_ASN1_INTEGER(nullptr, &p, static_cast<long>(element.size())),
        ASN1_INTEGER_free);
  }
  X509_REVOKED* entry = nullptr;
  X509_CRL_get0_by_serial(crl.get(), &entry, serials[0].get());  // sorts
  size_t from = 0;
  MeasureLookUps(state, world, [&](Round* round) {
    for (size_t i = 0; i < round->size; ++i) {
      round->listed[i] = X509_CRL_get0_by_serial(crl.get(), &entry,
                                                 serials[from + i].get()) != 0;
      if (!round->listed[i]) continue;
      round->revocations[i].revoked_at = SecondsOf(*entry);
    }
    from += round->size;
    if (from + round->size > world.probes.size()) from = 0;
  });
}
BENCHMARK(BM_OpenSslFind)->Arg(kDense)->UseManualTime();

// --- A nation's partitions ---------------------------------------------------

// 1,900 municipalities for each of three CAs, fewer where the CRLs are small.
void BM_LinkPartitions(benchmark::State& state) {
  constexpr size_t kCas = 3;
  const size_t municipalities =
      std::clamp<size_t>(EntriesWanted() / 5000, 10, 1900);
  Profile profile;
  profile.name = "bench";
  std::vector<std::shared_ptr<const CrlData>> crls;
  for (size_t ca = 0; ca < kCas; ++ca) {
    profile.anchors.push_back(
        {absl::StrCat("ca ", ca), lab::SelfSignedCa(CaName(ca), CaKey(ca))});
    for (size_t i = 0; i < municipalities; ++i) {
      lab::IssuingDistributionPointFields where;
      where.full_name = {
          lab::DirectoryName({{"C", "JP"},
                              {"OU", "CRL Distribution Points"},
                              {"CN", absl::StrCat("municipality ", i)}})};
      lab::CrlBuilder builder;
      builder.issuer(CaName(ca))
          .add(lab::extension::CrlNumber(1))
          .add(lab::extension::IssuingDistributionPoint(where));
      for (uint64_t serial = 1; serial <= 20; ++serial) {
        builder.revoke({.serial = lab::SerialContents(serial * 7 + i),
                        .revoked_at = kNow - 1000});
      }
      auto crl = ReadCrl(AsBytes(builder.Sign(CaKey(ca))), "bench");
      Require(crl.ok(), "a partition is refused");
      crls.push_back(*crl);
    }
  }
  const auto shared = std::make_shared<const Profile>(profile);
  auto paths = IssuerPaths::Build(profile, {});
  Require(paths.ok(), "paths");
  std::shared_ptr<const CrlStore> store;
  for (auto _ : state) {
    store = CrlStore::Link(shared, *paths, crls);
    Require(store->partitions().size() == crls.size(), "partitions");
  }
  state.counters["partitions"] = static_cast<double>(crls.size());
  // When one of them has changed, only its signature is verified.
  const auto start = std::chrono::steady_clock::now();
  const auto again = CrlStore::Link(shared, *paths, crls, store.get());
  state.counters["relink_ms"] = 1e3 * SecondsSince(start);
  Require(again->partitions().size() == crls.size(), "partitions");
}
BENCHMARK(BM_LinkPartitions)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace inkan

BENCHMARK_MAIN();
