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

#include <memory>
#include <string>
#include <vector>

#include "bench/filing_world.h"
#include "google/protobuf/arena.h"
#include "inkan/v1/verification.pb.h"
#include "server/filing_batch.h"
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
  google::protobuf::Arena arena;
  auto* request =
      google::protobuf::Arena::CreateMessage<v1::BatchVerifyRequest>(&arena);
  auto* response =
      google::protobuf::Arena::CreateMessage<v1::BatchVerifyResponse>(&arena);
  Require(request->ParseFromString(request_octets), "a request does not parse");
  RequestContext context;
  context.limits = &limits;
  MessageItem item(FilingsOf(*request), MakeVerdicts(*request, response),
                   request_octets.size(), context);
  std::vector<FilingView> views(item.filings());
  verdicts->resize(item.filings());
  item.MakeViews(snapshot, 0, absl::MakeSpan(views),
                 std::pmr::get_default_resource());
  verifier->Verify(views, absl::MakeSpan(*verdicts));
  std::vector<VerdictRecord> records;
  item.TakeVerdicts(snapshot, 0, *verdicts, &records);
  Require(records.size() == item.filings(), "a verdict is not recorded");
  Require(response->SerializeToString(answer), "an answer is too long");
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

X509* ReadX509(const std::string& der) {
  const auto* p = reinterpret_cast<const unsigned char*>(der.data());
  return d2i_X509(nullptr, &p, static_cast<long>(der.size()));
}

// The same with OpenSSL: certificate from its bytes, X509_verify_cert with the
// CRL, EVP_DigestVerify over the document.
void BM_OpenSslWholeFiling(benchmark::State& state) {
  const FilingWorld& world = FilingWorld::Get();
  X509_STORE* store = X509_STORE_new();
  X509_STORE_add_cert(store, ReadX509(world.ca_certificate()));
  const std::string crl_der = world.Crl(static_cast<uint64_t>(state.range(0)));
  const auto* p = reinterpret_cast<const unsigned char*>(crl_der.data());
  X509_CRL* crl = d2i_X509_CRL(nullptr, &p, static_cast<long>(crl_der.size()));
  X509_STORE_add_crl(store, crl);
  X509_VERIFY_PARAM* parameters = X509_STORE_get0_param(store);
  X509_VERIFY_PARAM_set_time(parameters, FilingWorld::Time());
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
    next = (next + 1) % world.size();
  }
  state.SetItemsProcessed(state.iterations());
  X509_CRL_free(crl);
  X509_STORE_free(store);
}
BENCHMARK(BM_OpenSslWholeFiling)->ArgNames({"crl_entries"})->Args({1000});

}  // namespace
}  // namespace inkan

BENCHMARK_MAIN();
