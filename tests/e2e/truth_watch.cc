#include "tests/e2e/truth_watch.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace inkan {
namespace {

constexpr int kOfEachKind = 3;
// Leaves the machine to others.
constexpr absl::Duration kPause = absl::Milliseconds(20);
constexpr size_t kWrongMax = 5;

}  // namespace

TruthWatch::TruthWatch(const FetchingServer& server, const Corpus& corpus,
                       const Ids& changing) {
  std::map<std::string, int> taken;
  for (const lab::v1::CorpusEntry& entry : corpus) {
    if (changing.contains(entry.filing().filing_id()) ||
        ++taken[entry.truth().kind()] <= kOfEachKind) {
      filings_.push_back(entry);
    }
  }
  thread_ = std::thread([this, channel = server.channel()] { Run(channel); });
}

TruthWatch::~TruthWatch() { Stop(); }

void TruthWatch::Expect(Expectation expectation) {
  auto shared = std::make_shared<const Expectation>(std::move(expectation));
  const std::lock_guard<std::mutex> lock(mutex_);
  expected_ = std::move(shared);
}

TruthWatch::Shared TruthWatch::Expected() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return expected_;
}

bool TruthWatch::IsRight(const lab::v1::CorpusEntry& filing,
                         const v1::Verdict& verdict,
                         const Expectation& expected) {
  const std::string& id = filing.filing().filing_id();
  const bool is_revoked =
      verdict.sub_indication() == v1::SUB_INDICATION_REVOKED &&
      verdict.filing_id() == id;
  if (expected.revoked.contains(id)) return is_revoked;
  return (is_revoked && expected.either.contains(id)) ||
         static_cast<bool>(IsTrue(filing, verdict));
}

void TruthWatch::Run(const std::shared_ptr<grpc::Channel>& channel) {
  const auto stub = v1::VerificationService::NewStub(channel);
  v1::BatchVerifyRequest request;
  for (const auto& entry : filings_) *request.add_filings() = entry.filing();
  while (!stop_ && wrong_.size() < kWrongMax) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Minutes(2)));
    v1::BatchVerifyResponse response;
    // What was right when it was asked, or is right by now.
    const Shared before = Expected();
    const grpc::Status status = stub->BatchVerify(&context, request, &response);
    const Shared after = Expected();
    if (!status.ok() ||
        static_cast<size_t>(response.verdicts_size()) != filings_.size()) {
      wrong_.push_back(absl::StrCat("no verdicts: ", status.error_message()));
      return;
    }
    for (size_t i = 0; i < filings_.size(); ++i) {
      const v1::Verdict& verdict = response.verdicts(static_cast<int>(i));
      if (!IsRight(filings_[i], verdict, *before) &&
          !IsRight(filings_[i], verdict, *after)) {
        wrong_.push_back(verdict.ShortDebugString());
      }
    }
    ++rounds_;
    absl::SleepFor(kPause);
  }
}

void TruthWatch::Stop() {
  if (!thread_.joinable()) return;
  stop_ = true;
  thread_.join();
  for (const std::string& wrong : wrong_) ADD_FAILURE() << wrong;
  EXPECT_GT(rounds_, 0U);
}

}  // namespace inkan
