// What it costs to write down what is judged: metrics, and the audit log in
// both of its ways, against a worker that writes nothing.
//
//   build/release/bench/record_bench
//
// A worker's round as the batcher runs it, in process, without and with a
// recording judge by turns. `ratio` is the median of how many times as many
// filings a second pass with as without; processor time of the whole process,
// so that the audit log's writer counts. Each round checks every verdict, and
// that every line has been written.
#include <benchmark/benchmark.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/filing_world.h"
#include "inkan/v1/verification.pb.h"
#include "server/filing_batch.h"
#include "server/metrics.h"
#include "server/recording_judge.h"
#include "server/snapshot_judge.h"

namespace inkan {
namespace {

constexpr size_t kBatch = 512;

class Item final : public FilingBatch {
 public:
  using FilingBatch::FilingBatch;
  void Finished(ItemResult /*result*/) override {}
};

// The requests of the whole world, a batch each, ready to be judged again and
// again.
class Requests {
 public:
  explicit Requests(const FilingWorld& world)
      : batch_(std::min(kBatch, world.size())) {
    context_.limits = &limits_;
    context_.origin.number = NextRequestNumber();
    context_.origin.client = "dns:intake.example";
    for (size_t first = 0; first + batch_ <= world.size(); first += batch_) {
      v1::BatchVerifyRequest message;
      for (size_t i = first; i < first + batch_; ++i) {
        v1::Filing* filing = message.add_filings();
        filing->set_filing_id(absl::StrCat("filing ", i));
        filing->set_profile(FilingWorld::kProfile);
        filing->set_document(world.documents[i]);
        filing->set_signature_algorithm(
            v1::SIGNATURE_ALGORITHM_RSA_PKCS1_SHA256);
        filing->set_signature(world.signatures[i]);
        filing->set_certificate(world.certificates[i]);
        filing->mutable_verification_time()->set_seconds(FilingWorld::Time());
      }
      Sent& sent = *requests_.emplace_back(std::make_unique<Sent>());
      sent.octets = message.SerializeAsString();
      Require(
          sent.request
              .Read(RequestKind::kBatchVerify, AsBytes(sent.octets), limits_)
              .ok(),
          "a request is not sound");
    }
  }
  size_t filings() const { return requests_.size() * batch_; }

  // All of them, as a worker does it.
  void Judge(inkan::Judge* judge) {
    for (const auto& sent : requests_) {
      Item item(sent->request, context_);
      views_.assign(batch_, FilingView());
      verdicts_.assign(batch_, FilingVerdict());
      record_.clear();
      const Snapshot& snapshot = judge->Pin();
      Require(judge->Ready(), "the judge is not ready");
      item.MakeViews(snapshot, 0, absl::MakeSpan(views_));
      judge->Verify(views_, absl::MakeSpan(verdicts_));
      item.TakeVerdicts(snapshot, 0, verdicts_, &record_.verdicts);
      record_.waits.push_back({Lane::kBatch, 1000});
      Require(judge->Record(snapshot, record_), "a batch is not recorded");
      RequirePassed(verdicts_);
    }
  }

 private:
  struct Sent {
    std::string octets;
    Request request;
  };

  const size_t batch_;
  const Limits limits_;
  RequestContext context_;
  std::vector<std::unique_ptr<Sent>> requests_;
  std::vector<FilingView> views_;
  std::vector<FilingVerdict> verdicts_;
  BatchRecord record_;
};

double ProcessorSeconds() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) +
         1e-9 * static_cast<double>(time.tv_nsec);
}

double Median(std::vector<double> values) {
  const auto middle =
      values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::unique_ptr<SnapshotKeeper> MakeKeeper(const FilingWorld& world) {
  const std::string file = (std::filesystem::temp_directory_path() /
                            absl::StrCat("record_bench.", getpid(), ".crl"))
                               .string();
  std::ofstream(file, std::ios::binary) << world.Crl(1000);
  auto keeper = SnapshotKeeper::Start(world.Options(file), false);
  std::filesystem::remove(file);
  Require(keeper.ok(), "the snapshot cannot be built");
  return *std::move(keeper);
}

enum class Audit { kNone, kDrop, kRefuse };

void CompareWith(Audit wanted, benchmark::State& state) {
  const FilingWorld& world = FilingWorld::Get();
  const auto keeper = MakeKeeper(world);
  Requests requests(world);
  const std::string folder = (std::filesystem::temp_directory_path() /
                              absl::StrCat("record_bench.", getpid()))
                                 .string();
  std::filesystem::create_directories(folder);
  std::unique_ptr<AuditLog> audit;
  if (wanted != Audit::kNone) {
    AuditOptions options;
    options.file = folder + "/audit.log";
    // What the disk takes is no processor time, but other work of the process.
    options.sync = AuditSync::kNone;
    options.on_failure =
        wanted == Audit::kDrop ? AuditFailure::kDrop : AuditFailure::kRefuse;
    auto opened = AuditLog::Open(options);
    Require(opened.ok(), "the audit log cannot be opened");
    audit = *std::move(opened);
  }
  Metrics metrics;
  SnapshotJudge plain(*keeper);
  RecordingJudge recording(std::make_unique<SnapshotJudge>(*keeper),
                           metrics.AddWorker(), audit.get(), "bench");
  uint64_t lines = 0;
  std::vector<double> ratios;
  for (auto _ : state) {
    const double begun = ProcessorSeconds();
    requests.Judge(&plain);
    const double between = ProcessorSeconds();
    requests.Judge(&recording);
    lines += requests.filings();
    while (audit != nullptr && audit->counters().lines < lines) {
      std::this_thread::yield();
    }
    ratios.push_back((between - begun) / (ProcessorSeconds() - between));
  }
  if (audit != nullptr) {
    Require(audit->counters().dropped_lines == 0, "a line was dropped");
  }
  Require(metrics.SumOfWorkers().filings() == lines,
          "a verdict is not counted");
  audit.reset();
  std::filesystem::remove_all(folder);
  state.counters["ratio"] = Median(ratios);
  state.SetItemsProcessed(state.iterations() *
                          static_cast<int64_t>(requests.filings()) * 2);
}

void BM_Metrics(benchmark::State& state) { CompareWith(Audit::kNone, state); }
void BM_MetricsAndAuditDrop(benchmark::State& state) {
  CompareWith(Audit::kDrop, state);
}
void BM_MetricsAndAuditRefuse(benchmark::State& state) {
  CompareWith(Audit::kRefuse, state);
}
BENCHMARK(BM_Metrics);
BENCHMARK(BM_MetricsAndAuditDrop);
BENCHMARK(BM_MetricsAndAuditRefuse);

}  // namespace
}  // namespace inkan

BENCHMARK_MAIN();
