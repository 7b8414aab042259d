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
#include <time.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "bench/filing_world.h"
#include "inkan/v1/verification.pb.h"
#include "server/filing_batch.h"
#include "server/request.h"
#include "server/verifier.h"

namespace inkan {
namespace {

// Arguments: filings a batch, entries in the CRL.
void BM_WholeFiling(benchmark::State& state) {
  const FilingWorld& world = FilingWorld::Get();
  const auto snapshot =
      world.SnapshotWith(static_cast<uint64_t>(state.range(1)));
  const std::vector<FilingView> filings = world.Views(*snapshot);
  const auto batch = static_cast<size_t>(state.range(0));
  std::vector<FilingVerdict> verdicts(batch);
  Verifier verifier;
  size_t next = 0;
  for (auto _ : state) {
    verifier.Verify(absl::MakeSpan(filings).subspan(next, batch),
                    absl::MakeSpan(verdicts));
    next = (next + batch) % world.size();
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

// A request's octets in, the answer's octets out: all of the server's work
// except gRPC and the queue.
class MessageItem final : public FilingBatch {
 public:
  using FilingBatch::FilingBatch;
  void Finished(ItemResult /*result*/) override {}
};

// Not inlined: callgrind's --toggle-collect finds it by its name.
[[gnu::noinline]] void AnswerMessage(const std::string& request_octets,
                                     const Snapshot& snapshot,
                                     const Limits& limits, Verifier* verifier,
                                     std::vector<FilingVerdict>* verdicts,
                                     std::string* answer) {
  Request request;
  Require(
      request.Read(RequestKind::kBatchVerify, AsBytes(request_octets), limits)
          .ok(),
      "a request is not sound");
  RequestContext context;
  context.limits = &limits;
  MessageItem item(request, context);
  std::vector<FilingView> views(item.filings());
  verdicts->resize(item.filings());
  item.MakeViews(snapshot, 0, absl::MakeSpan(views));
  verifier->Verify(views, absl::MakeSpan(*verdicts));
  std::vector<VerdictRecord> records;
  item.TakeVerdicts(snapshot, 0, *verdicts, &records);
  Require(records.size() == item.filings(), "a verdict is not recorded");
  answer->clear();
  for (const std::string& piece : item.TakeAnswer()) answer->append(piece);
}

std::vector<std::string> Messages(const FilingWorld& world, size_t batch) {
  std::vector<std::string> messages;
  for (size_t first = 0; first + batch <= world.size(); first += batch) {
    v1::BatchVerifyRequest request;
    for (size_t i = first; i < first + batch; ++i) {
      v1::Filing* filing = request.add_filings();
      filing->set_filing_id("filing " + std::to_string(i));
      filing->set_profile(FilingWorld::kProfile);
      filing->set_document(world.documents[i]);
      filing->set_signature_algorithm(v1::SIGNATURE_ALGORITHM_RSA_PKCS1_SHA256);
      filing->set_signature(world.signatures[i]);
      filing->set_certificate(world.certificates[i]);
      filing->mutable_verification_time()->set_seconds(FilingWorld::Time());
    }
    messages.push_back(request.SerializeAsString());
  }
  return messages;
}

// Argument: filings a message.
void BM_Message(benchmark::State& state) {
  const FilingWorld& world = FilingWorld::Get();
  const auto snapshot = world.SnapshotWith(1000);
  const std::vector<std::string> messages =
      Messages(world, static_cast<size_t>(state.range(0)));
  const Limits limits;
  Verifier verifier;
  std::vector<FilingVerdict> verdicts;
  std::string answer;
  size_t next = 0;
  for (auto _ : state) {
    AnswerMessage(messages[next], *snapshot, limits, &verifier, &verdicts,
                  &answer);
    next = (next + 1) % messages.size();
  }
  RequirePassed(verdicts);
  v1::BatchVerifyResponse response;
  Require(response.ParseFromString(answer), "an answer does not parse");
  for (const v1::Verdict& verdict : response.verdicts()) {
    Require(verdict.indication() == v1::INDICATION_TOTAL_PASSED,
            "an answer is not TOTAL_PASSED");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Message)->ArgNames({"batch"})->Args({1})->Args({64})->Args({512});

// Seconds of processor time that `work` takes.
template <typename Work>
double CpuSeconds(const Work& work) {
  const auto now = [] {
    timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) +
           1e-9 * static_cast<double>(time.tv_nsec);
  };
  const double start = now();
  work();
  return now() - start;
}

double Median(std::vector<double> values) {
  const auto middle =
      values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Verifies the same filings under a small CRL and under one of as many entries
// as the argument says, by turns, so that what else the machine does troubles
// both alike. `cost` is the median of the pairs' ratios less 1: 0.05 is the
// goal.
void BM_CrlCost(benchmark::State& state) {
  constexpr size_t kBatch = 512;
  const FilingWorld& world = FilingWorld::Get();
  const auto small = world.SnapshotWith(1000);
  const auto large = world.SnapshotWith(static_cast<uint64_t>(state.range(0)));
  const std::vector<FilingView> few = world.Views(*small);
  const std::vector<FilingView> many = world.Views(*large);
  const size_t batch = std::min(kBatch, world.size());
  std::vector<FilingVerdict> verdicts(batch);
  Verifier verifier;
  std::vector<double> ratios;
  size_t next = 0;
  const auto seconds = [&](const std::vector<FilingView>& filings) {
    return CpuSeconds([&] {
      verifier.Verify(absl::MakeSpan(filings).subspan(next, batch),
                      absl::MakeSpan(verdicts));
    });
  };
  for (auto _ : state) {
    const double small_seconds = seconds(few);
    ratios.push_back(seconds(many) / small_seconds);
    RequirePassed(verdicts);
    next = (next + batch) % world.size();
  }
  state.counters["cost"] = Median(ratios) - 1;
  state.SetItemsProcessed(state.iterations() * 2 * static_cast<int64_t>(batch));
}
BENCHMARK(BM_CrlCost)
    ->ArgNames({"crl_entries"})
    ->Args({1'000'000})
    ->Args({10'000'000});

// A mix in which `percent` of the filings come with one of a few certificates,
// as accountants file, judged with and without a memory of verified
// certificates by turns. `gain` is how many times as fast it is with.
void BM_RepeatedCertificates(benchmark::State& state) {
  constexpr size_t kAccountants = 16;
  const FilingWorld& world = FilingWorld::Get();
  const auto snapshot = world.SnapshotWith(1000);
  std::vector<FilingView> filings = world.Views(*snapshot);
  size_t repeated = 0;
  for (size_t i = 0; i < filings.size(); ++i) {
    // Spread evenly.
    if (i * 7919 % 100 >= static_cast<size_t>(state.range(0))) continue;
    filings[i] = filings[i % std::min(kAccountants, filings.size())];
    ++repeated;
  }
  const size_t batch = std::min<size_t>(512, filings.size());
  std::vector<FilingVerdict> verdicts(batch);
  const auto seconds = [&](Verifier* verifier, size_t first) {
    const double taken = CpuSeconds([&] {
      verifier->Verify(absl::MakeSpan(filings).subspan(first, batch),
                       absl::MakeSpan(verdicts));
    });
    RequirePassed(verdicts);
    return taken;
  };
  const std::vector<FilingView> known(
      filings.begin(), filings.begin() + static_cast<std::ptrdiff_t>(std::min(
                                             kAccountants, filings.size())));
  Verifier without;
  std::vector<double> ratios;
  uint64_t hits = 0;
  for (auto _ : state) {
    // New in each round, so that the citizens' certificates are new to it.
    VerifiedCertificates verified(8192);
    Verifier with(&verified);
    std::vector<FilingVerdict> ignored(known.size());
    with.Verify(known, absl::MakeSpan(ignored));
    with.Verify(known, absl::MakeSpan(ignored));
    const uint64_t before = verified.counters().hits;
    for (size_t first = 0; first + batch <= filings.size(); first += batch) {
      const double plain = seconds(&without, first);
      ratios.push_back(plain / seconds(&with, first));
    }
    hits = verified.counters().hits - before;
  }
  Require(hits >= repeated, "a repeated certificate is not remembered");
  state.counters["gain"] = Median(ratios);
  state.counters["hit_rate"] =
      static_cast<double>(hits) / static_cast<double>(filings.size());
}
BENCHMARK(BM_RepeatedCertificates)
    ->ArgNames({"percent"})
    ->Args({0})
    ->Args({50})
    ->Args({100});

// What a leaf costs without arithmetic: parse, Accept, validity, revocation. A
// filing whose signature is missing is judged no further than its form, so the
// certificate alone is asked with a hash that leaves no signature to compute:
// measured as the parts themselves.
void BM_LeafPathStep(benchmark::State& state) {
  const FilingWorld& world = FilingWorld::Get();
  const auto snapshot =
      world.SnapshotWith(static_cast<uint64_t>(state.range(0)));
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
    const bool good =
        path.state.Accept(leaf, rules, &policies).ok() &&
        path.state.CheckValidity(FilingWorld::Time()).ok() &&
        IsGood(profile.crls->Check(leaf, path, FilingWorld::Time()).status);
    Require(good, "a leaf is not accepted");
    next = (next + 1) % world.size();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_LeafPathStep)
    ->ArgNames({"crl_entries"})
    ->Args({1000})
    ->Args({1'000'000});

// The same job as others do it: certificate from its bytes, X509_verify_cert
// with the CRL, EVP_DigestVerify over the document.
class OpenSslVerifier {
 public:
  OpenSslVerifier(const FilingWorld& world, uint64_t crl_entries)
      : world_(world), store_(X509_STORE_new()) {
    X509* ca = Read(world.ca_certificate());
    X509_STORE_add_cert(store_, ca);
    X509_free(ca);
    const std::string der = world.Crl(crl_entries);
    const auto* p = reinterpret_cast<const unsigned char*>(der.data());
    X509_CRL* crl = d2i_X509_CRL(nullptr, &p, static_cast<long>(der.size()));
    X509_STORE_add_crl(store_, crl);
    X509_CRL_free(crl);
    X509_VERIFY_PARAM* parameters = X509_STORE_get0_param(store_);
    X509_VERIFY_PARAM_set_time(parameters, FilingWorld::Time());
    X509_VERIFY_PARAM_set_flags(
        parameters, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_EXTENDED_CRL_SUPPORT);
  }
  ~OpenSslVerifier() { X509_STORE_free(store_); }
  OpenSslVerifier(const OpenSslVerifier&) = delete;
  OpenSslVerifier& operator=(const OpenSslVerifier&) = delete;

  bool Passes(size_t index) const {
    X509* leaf = Read(world_.certificates[index]);
    X509_STORE_CTX* context = X509_STORE_CTX_new();
    X509_STORE_CTX_init(context, store_, leaf, nullptr);
    const bool path_good = X509_verify_cert(context) == 1;
    EVP_MD_CTX* digest = EVP_MD_CTX_new();
    const Bytes signature = AsBytes(world_.signatures[index]);
    const Bytes document = AsBytes(world_.documents[index]);
    const bool signature_good =
        EVP_DigestVerifyInit(digest, nullptr, EVP_sha256(), nullptr,
                             X509_get0_pubkey(leaf)) == 1 &&
        EVP_DigestVerify(digest, signature.data(), signature.size(),
                         document.data(), document.size()) == 1;
    EVP_MD_CTX_free(digest);
    X509_STORE_CTX_free(context);
    X509_free(leaf);
    return path_good && signature_good;
  }

 private:
  static X509* Read(const std::string& der) {
    const auto* p = reinterpret_cast<const unsigned char*>(der.data());
    return d2i_X509(nullptr, &p, static_cast<long>(der.size()));
  }

  const FilingWorld& world_;
  X509_STORE* store_;
};

void BM_OpenSslWholeFiling(benchmark::State& state) {
  const FilingWorld& world = FilingWorld::Get();
  const OpenSslVerifier verifier(world, static_cast<uint64_t>(state.range(0)));
  size_t next = 0;
  for (auto _ : state) {
    Require(verifier.Passes(next), "OpenSSL refuses a filing");
    next = (next + 1) % world.size();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_OpenSslWholeFiling)->ArgNames({"crl_entries"})->Args({1000});

// Ours and OpenSSL's by turns, a batch of 512 and a few filings. `times` is how
// many times as many filings a second we judge; the goal is 20.
void BM_TimesOpenSsl(benchmark::State& state) {
  constexpr size_t kFew = 32;
  const FilingWorld& world = FilingWorld::Get();
  const auto snapshot = world.SnapshotWith(1000);
  const std::vector<FilingView> filings = world.Views(*snapshot);
  const OpenSslVerifier others(world, 1000);
  const size_t batch = std::min<size_t>(512, world.size());
  std::vector<FilingVerdict> verdicts(batch);
  Verifier verifier;
  std::vector<double> ratios;
  size_t next = 0;
  for (auto _ : state) {
    const double ours = CpuSeconds([&] {
      verifier.Verify(absl::MakeSpan(filings).subspan(next, batch),
                      absl::MakeSpan(verdicts));
    });
    RequirePassed(verdicts);
    const double theirs = CpuSeconds([&] {
      for (size_t i = 0; i < kFew; ++i) {
        Require(others.Passes((next + i) % world.size()),
                "OpenSSL refuses a filing");
      }
    });
    ratios.push_back(theirs / kFew / (ours / static_cast<double>(batch)));
    next = (next + batch) % world.size();
  }
  state.counters["times"] = Median(ratios);
}
BENCHMARK(BM_TimesOpenSsl);

}  // namespace
}  // namespace inkan

BENCHMARK_MAIN();
