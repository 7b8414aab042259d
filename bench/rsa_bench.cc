// How many RSA public operations a second, against OpenSSL and against what the
// machine's multipliers allow; and how fast many messages are hashed.
//
//   build/release/bench/rsa_bench
//   build/release/bench/rsa_bench --benchmark_filter=2048
//   build/release/bench/rsa_bench --benchmark_format=json > rsa.json
//
// Every result is compared with OpenSSL's; a wrong one fails the program. After
// the figures the ratios that matter are printed (to standard error, so that
// JSON stays JSON).
#include <benchmark/benchmark.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "crypto/digest.h"
#include "crypto/public_key.h"
#include "crypto/rsa.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace inkan {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

bool all_right = true;
double madd52_per_second = 0;
std::map<std::string, double> items_per_second;

// ---------------------------------------------------------------------------
// The machine's limit.

#if defined(__x86_64__)
// Twelve chains: enough for the latency of four cycles on two ports.
__attribute__((target("avx512f,avx512ifma"))) double MeasureMadd52() {
  constexpr int kTurns = 20000;
  __m512i a = _mm512_set1_epi64(1), b = a, c = a, d = a, e = a, f = a, g = a,
          h = a, i = a, j = a, k = a, l = a;
  const __m512i x = _mm512_set1_epi64(12345);
  double best = 0;
  for (int round = 0; round < 50; ++round) {
    const auto start = Clock::now();
    for (int turn = 0; turn < kTurns; ++turn) {
      a = _mm512_madd52lo_epu64(a, x, x);
      b = _mm512_madd52lo_epu64(b, x, x);
      c = _mm512_madd52lo_epu64(c, x, x);
      d = _mm512_madd52lo_epu64(d, x, x);
      e = _mm512_madd52lo_epu64(e, x, x);
      f = _mm512_madd52lo_epu64(f, x, x);
      g = _mm512_madd52lo_epu64(g, x, x);
      h = _mm512_madd52lo_epu64(h, x, x);
      i = _mm512_madd52lo_epu64(i, x, x);
      j = _mm512_madd52lo_epu64(j, x, x);
      k = _mm512_madd52lo_epu64(k, x, x);
      l = _mm512_madd52lo_epu64(l, x, x);
      asm volatile(""
                   : "+v"(a), "+v"(b), "+v"(c), "+v"(d), "+v"(e), "+v"(f),
                     "+v"(g), "+v"(h), "+v"(i), "+v"(j), "+v"(k), "+v"(l));
    }
    best = std::max(best, 12.0 * kTurns / SecondsSince(start));
  }
  return best;
}
#else
double MeasureMadd52() { return 0; }
#endif

// madd52 instructions an operation with e = 65537 takes at the least the school
// way: sixteen squares and two products of d digits, each with its Montgomery
// reduction, shared among eight lanes.
double UnitMadd52(size_t bits) {
  const size_t digits = (bits + 51) / 52;
  const auto d = static_cast<double>(digits);
  return (16 * (d * (d + 1) + 2 * d * d) + 2 * 4 * d * d) / 8;
}

// ---------------------------------------------------------------------------
// Material.

constexpr size_t kKeys = 1024;
constexpr uint64_t kExponent = 65537;

struct BnDeleter {
  void operator()(BIGNUM* bn) const { BN_free(bn); }
  void operator()(BN_CTX* context) const { BN_CTX_free(context); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
};
template <typename T>
using Owned = std::unique_ptr<T, BnDeleter>;

std::string Tlv(char tag, const std::string& contents) {
  std::string out(1, tag);
  if (contents.size() >= 256) {
    out += '\x82';
    out += static_cast<char>(contents.size() >> 8);
  } else if (contents.size() >= 128) {
    out += '\x81';
  }
  out += static_cast<char>(contents.size());
  return out + contents;
}

std::string MakeSpki(const std::string& modulus) {
  const std::string algorithm(
      "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00", 13);
  const std::string key =
      Tlv(0x30, Tlv(0x02, std::string(1, '\0') + modulus) +
                    Tlv(0x02, std::string("\x01\x00\x01", 3)));
  return Tlv(0x30,
             Tlv(0x30, algorithm) + Tlv(0x03, std::string(1, '\0') + key));
}

// Keys of one size. The moduli are random odd numbers, not products of two
// primes: verification cannot tell, and a thousand real keys take minutes.
struct Material {
  explicit Material(size_t bits) : bits(bits) {
    std::mt19937_64 random(bits);
    const Owned<BN_CTX> context(BN_CTX_new());
    const Owned<BIGNUM> exponent(BN_new());
    BN_set_word(exponent.get(), kExponent);
    for (size_t i = 0; i < kKeys; ++i) {
      std::string n(bits / 8, '\0');
      std::string s(bits / 8, '\0');
      for (char& octet : n) octet = static_cast<char>(random());
      for (char& octet : s) octet = static_cast<char>(random());
      n.front() = static_cast<char>(n.front() | 0x80);
      n.back() = static_cast<char>(n.back() | 0x01);
      s.front() = static_cast<char>(s.front() & 0x7f);
      spkis.push_back(MakeSpki(n));
      signatures.push_back(s);
      const int size = static_cast<int>(n.size());
      const Owned<BIGNUM> modulus(BN_bin2bn(AsBytes(n).data(), size, nullptr));
      const Owned<BIGNUM> base(BN_bin2bn(AsBytes(s).data(), size, nullptr));
      BN_mod_exp_mont(base.get(), base.get(), exponent.get(), modulus.get(),
                      context.get(), nullptr);
      BN_bn2binpad(base.get(), reinterpret_cast<uint8_t*>(s.data()), size);
      answers.push_back(s);
    }
  }

  const size_t bits;
  std::vector<std::string> spkis;
  std::vector<std::string> signatures;
  std::vector<std::string> answers;
};

const Material& MaterialOf(size_t bits) {
  static std::map<size_t, std::unique_ptr<Material>> made;
  auto& material = made[bits];
  if (material == nullptr) material = std::make_unique<Material>(bits);
  return *material;
}

// ---------------------------------------------------------------------------
// The measurements.

// Takes the time of windows of a millisecond and keeps the fastest: a machine
// shared with others slows down now and then, and a ratio of two averages would
// compare the others' habits.
class Stopwatch {
 public:
  Stopwatch(benchmark::State& state, std::string name)
      : state_(state), name_(std::move(name)), start_(Clock::now()) {}

  void Done(size_t items) {
    all_items_ += items;
    items_ += items;
    const double seconds = SecondsSince(start_);
    if (seconds < 1e-3) return;
    best_ = std::max(best_, static_cast<double>(items_) / seconds);
    items_ = 0;
    start_ = Clock::now();
  }

  void Stop(double unit_madd52) {
    state_.SetItemsProcessed(static_cast<int64_t>(all_items_));
    if (best_ == 0) return;  // too short a run to say anything
    double& best = items_per_second[name_];
    best = std::max(best, best_);
    state_.counters["best_per_second"] = best_;
    if (unit_madd52 > 0 && madd52_per_second > 0) {
      state_.counters["madd52_share"] = best_ * unit_madd52 / madd52_per_second;
    }
  }

 private:
  benchmark::State& state_;
  const std::string name_;
  Clock::time_point start_;
  size_t items_ = 0;
  size_t all_items_ = 0;
  double best_ = 0;
};

void ExpectSame(benchmark::State& state, const std::string& got,
                const std::string& expected) {
  if (got == expected) return;
  all_right = false;
  state.SkipWithError("wrong result");
}

std::string Name(const char* what, size_t bits, size_t batch) {
  return std::string(what) + "/" + std::to_string(bits) + "/" +
         std::to_string(batch);
}

// From the bytes of a certificate's key to the result, or from a prepared key.
void BM_Inkan(benchmark::State& state, bool prepare) {
  const auto bits = static_cast<size_t>(state.range(0));
  const auto batch = static_cast<size_t>(state.range(1));
  const Material& material = MaterialOf(bits);
  std::vector<PublicKey> keys(batch);
  std::vector<RsaPreparedKeyPtr> prepared(batch);
  std::vector<RsaJob> jobs(batch);
  std::vector<std::string> results(batch, std::string(bits / 8, '\0'));
  for (size_t i = 0; i < batch; ++i) {
    if (!ParsePublicKey(AsBytes(material.spkis[i]), &keys[i]).ok())
      std::abort();
    if (prepare) prepared[i] = PrepareRsaKey(keys[i]);
    jobs[i].key = &keys[i];
    jobs[i].prepared = prepared[i].get();
    jobs[i].signature = AsBytes(material.signatures[i]);
    jobs[i].result = reinterpret_cast<uint8_t*>(results[i].data());
  }
  Stopwatch stopwatch(state, Name(prepare ? "prepared" : "cold", bits, batch));
  while (state.KeepRunning()) {
    for (size_t i = 0; i < batch && !prepare; ++i) {
      if (!ParsePublicKey(AsBytes(material.spkis[i]), &keys[i]).ok()) {
        std::abort();
      }
    }
    RsaPublicOperations(absl::MakeSpan(jobs));
    benchmark::ClobberMemory();
    stopwatch.Done(batch);
  }
  stopwatch.Stop(UnitMadd52(bits));
  for (size_t i = 0; i < batch; ++i) {
    ExpectSame(state, results[i], material.answers[i]);
  }
}

Owned<EVP_PKEY_CTX> OpenSslContext(const std::string& spki) {
  const uint8_t* der = AsBytes(spki).data();
  const Owned<EVP_PKEY> key(
      d2i_PUBKEY(nullptr, &der, static_cast<long>(spki.size())));
  Owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new(key.get(), nullptr));
  if (EVP_PKEY_encrypt_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_NO_PADDING) != 1) {
    std::abort();
  }
  return context;
}

void OpenSslOperation(EVP_PKEY_CTX* context, const std::string& signature,
                      std::string* result) {
  size_t size = result->size();
  if (EVP_PKEY_encrypt(context, reinterpret_cast<uint8_t*>(result->data()),
                       &size, AsBytes(signature).data(),
                       signature.size()) != 1) {
    std::abort();
  }
}

void BM_OpenSslKeyKnown(benchmark::State& state) {
  const auto bits = static_cast<size_t>(state.range(0));
  const Material& material = MaterialOf(bits);
  const Owned<EVP_PKEY_CTX> context = OpenSslContext(material.spkis[0]);
  std::string result(bits / 8, '\0');
  OpenSslOperation(context.get(), material.signatures[0], &result);
  Stopwatch stopwatch(state, Name("openssl_known", bits, 1));
  while (state.KeepRunning()) {
    OpenSslOperation(context.get(), material.signatures[0], &result);
    stopwatch.Done(1);
  }
  stopwatch.Stop(0);
  ExpectSame(state, result, material.answers[0]);
}

void BM_OpenSslFromSpki(benchmark::State& state) {
  const auto bits = static_cast<size_t>(state.range(0));
  const Material& material = MaterialOf(bits);
  std::string result(bits / 8, '\0');
  size_t i = 0;
  Stopwatch stopwatch(state, Name("openssl_spki", bits, 1));
  while (state.KeepRunning()) {
    i = (i + 1) % kKeys;
    const Owned<EVP_PKEY_CTX> context = OpenSslContext(material.spkis[i]);
    OpenSslOperation(context.get(), material.signatures[i], &result);
    stopwatch.Done(1);
  }
  stopwatch.Stop(0);
  ExpectSame(state, result, material.answers[i]);
}

// Sixty-four messages: together, or one after another through OpenSSL.
void BM_Sha256(benchmark::State& state, bool together) {
  constexpr size_t kMessages = 64;
  const auto size = static_cast<size_t>(state.range(0));
  const std::string text(size + kMessages, '\x61');
  std::vector<std::array<uint8_t, 32>> digests(kMessages);
  std::vector<DigestJob> jobs;
  for (size_t i = 0; i < kMessages; ++i) {
    jobs.push_back({HashAlgorithm::kSha256, AsBytes(text).subspan(i, size),
                    digests[i].data()});
  }
  EVP_MD* const method = EVP_MD_fetch(nullptr, "SHA2-256", nullptr);
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  Stopwatch stopwatch(
      state, Name(together ? "sha_together" : "sha_openssl", size, kMessages));
  while (state.KeepRunning()) {
    if (together) {
      DigestBatch(jobs);
    } else {
      for (const DigestJob& job : jobs) {
        if (EVP_DigestInit_ex2(context, method, nullptr) != 1 ||
            EVP_DigestUpdate(context, job.message.data(), size) != 1 ||
            EVP_DigestFinal_ex(context, job.digest, nullptr) != 1) {
          std::abort();
        }
      }
    }
    benchmark::ClobberMemory();
    stopwatch.Done(kMessages);
  }
  stopwatch.Stop(0);
  state.SetBytesProcessed(state.iterations() *
                          static_cast<int64_t>(kMessages * size));
  std::array<uint8_t, 32> expected;
  EVP_Digest(text.data(), size, expected.data(), nullptr, method, nullptr);
  for (const auto& digest : digests) {
    if (digest != expected) {
      all_right = false;
      state.SkipWithError("wrong digest");
    }
  }
  EVP_MD_CTX_free(context);
  EVP_MD_free(method);
}

BENCHMARK(BM_OpenSslKeyKnown)
    ->Name("OpenSSL/key_known")
    ->Arg(2048)
    ->Arg(3072)
    ->Arg(4096);
BENCHMARK(BM_OpenSslFromSpki)
    ->Name("OpenSSL/from_spki")
    ->Arg(2048)
    ->Arg(3072)
    ->Arg(4096);
BENCHMARK_CAPTURE(BM_Inkan, cold, false)
    ->Name("Inkan/cold")
    ->ArgsProduct({{2048, 3072, 4096}, {1, 2, 8, 64, 1024}});
BENCHMARK_CAPTURE(BM_Inkan, prepared, true)
    ->Name("Inkan/prepared")
    ->ArgsProduct({{2048, 3072, 4096}, {1, 2, 8, 64, 1024}});
BENCHMARK_CAPTURE(BM_Sha256, openssl, false)
    ->Name("SHA256/openssl")
    ->Arg(256)
    ->Arg(1024)
    ->Arg(4096)
    ->Arg(65536);
BENCHMARK_CAPTURE(BM_Sha256, together, true)
    ->Name("SHA256/together")
    ->Arg(256)
    ->Arg(1024)
    ->Arg(4096)
    ->Arg(65536);

// ---------------------------------------------------------------------------
// The ratios.

void PrintRatio(const char* text, const std::string& a, const std::string& b) {
  const auto over = items_per_second.find(a);
  const auto under = items_per_second.find(b);
  if (over == items_per_second.end() || under == items_per_second.end()) return;
  std::fprintf(stderr, "%-60s %7.2f\n", text, over->second / under->second);
}

void PrintShare(size_t bits) {
  const auto rate = items_per_second.find(Name("cold", bits, 64));
  if (rate == items_per_second.end() || madd52_per_second == 0) return;
  std::fprintf(
      stderr, "RSA-%zu cold, batch 64, share of the madd52 limit%15s %6.1f%%\n",
      bits, "", 100 * rate->second * UnitMadd52(bits) / madd52_per_second);
}

void PrintRatios() {
  std::fprintf(stderr, "\nkernel %s; madd52 %.2f G/s\n",
               GetRsaKernelInfo().name.c_str(), madd52_per_second / 1e9);
  for (const size_t bits : {2048U, 3072U, 4096U}) {
    const std::string size = "RSA-" + std::to_string(bits);
    PrintShare(bits);
    PrintRatio((size + " cold, batch 64 / OpenSSL key known").c_str(),
               Name("cold", bits, 64), Name("openssl_known", bits, 1));
    PrintRatio((size + " cold, batch 64 / OpenSSL from SPKI").c_str(),
               Name("cold", bits, 64), Name("openssl_spki", bits, 1));
    PrintRatio((size + " cold, batch 1 / OpenSSL key known").c_str(),
               Name("cold", bits, 1), Name("openssl_known", bits, 1));
    PrintRatio((size + " cold, batch 1 / OpenSSL from SPKI").c_str(),
               Name("cold", bits, 1), Name("openssl_spki", bits, 1));
  }
  for (const size_t size : {256U, 1024U, 4096U, 65536U}) {
    PrintRatio(("SHA-256, 64 messages of " + std::to_string(size) +
                " together / one at a time")
                   .c_str(),
               Name("sha_together", size, 64), Name("sha_openssl", size, 64));
  }
}

}  // namespace
}  // namespace inkan

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  if (inkan::GetRsaKernelInfo().name == "avx512ifma") {
    inkan::madd52_per_second = inkan::MeasureMadd52();
  }
  benchmark::AddCustomContext("kernel", inkan::GetRsaKernelInfo().name);
  benchmark::AddCustomContext("madd52_per_second",
                              std::to_string(inkan::madd52_per_second));
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  inkan::PrintRatios();
  return inkan::all_right ? 0 : 1;
}
