#include "client/local.h"

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "crypto/certificate.h"
#include "server/filing_batch.h"
#include "server/limits.h"
#include "server/request.h"
#include "server/snapshot_judge.h"

namespace inkan {
namespace {

// The command line has no clients to be protected from.
Limits GenerousLimits() {
  Limits limits;
  limits.document_bytes_max = 2147483647U;
  limits.certificate_bytes_max = 1U << 30;
  limits.intermediates_max = 1U << 20;
  return limits;
}

// Who judges on files of their own vouches for having chosen them: the CA
// certificates given are the profile's, so that CRLs they sign are believed.
void TakeIntermediates(
    const google::protobuf::RepeatedPtrField<std::string>& ders,
    Profile* profile) {
  for (int i = 0; i < ders.size(); ++i) {
    Certificate view;
    // What cannot be read helps nobody; as a hint it does no harm.
    if (!ParseCertificate(AsBytes(ders[i]), &view).ok()) continue;
    profile->intermediates.push_back(
        {absl::StrCat("intermediate ", i + 1), ders[i]});
  }
}

absl::StatusOr<std::unique_ptr<SnapshotKeeper>> KeeperOf(LocalRules rules) {
  SnapshotOptions options;
  options.profiles.push_back(std::move(rules.profile));
  for (std::string& path : rules.crls) {
    std::error_code ignored;
    CrlSourceOptions source;
    source.kind = std::filesystem::is_directory(path, ignored)
                      ? CrlSourceOptions::Kind::kDirectory
                      : CrlSourceOptions::Kind::kFile;
    source.path = std::move(path);
    options.crl_sources.push_back(std::move(source));
  }
  return SnapshotKeeper::Start(std::move(options), /*watch=*/false);
}

class LocalItem final : public FilingBatch {
 public:
  using FilingBatch::FilingBatch;
  void Finished(ItemResult /*result*/) override {}
};

// Takes the way a request of one filing takes through the server.
absl::StatusOr<v1::Verdict> JudgeOne(const SnapshotKeeper& keeper,
                                     RequestKind kind,
                                     const std::string& octets) {
  const Limits limits = GenerousLimits();
  Request request;
  const RequestFault fault = request.Read(kind, AsBytes(octets), limits);
  if (!fault.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(fault.field, ": ", fault.problem));
  }
  RequestContext context;
  context.limits = &limits;
  context.received_at = absl::ToUnixSeconds(absl::Now());
  LocalItem item(request, context);
  SnapshotJudge judge(keeper);
  const Snapshot& snapshot = judge.Pin();
  FilingView view;
  FilingVerdict verdict;
  item.MakeViews(snapshot, 0, absl::MakeSpan(&view, 1));
  judge.Verify(absl::MakeConstSpan(&view, 1), absl::MakeSpan(&verdict, 1));
  item.TakeVerdicts(snapshot, 0, absl::MakeConstSpan(&verdict, 1), nullptr);
  v1::VerifyResponse response;
  const std::vector<std::string> answer = item.TakeAnswer();
  if (answer.size() != 1 || !response.ParseFromString(answer.front())) {
    return absl::InternalError("the verdict is no message");
  }
  return std::move(*response.mutable_verdict());
}

absl::StatusOr<std::string> OctetsOf(const google::protobuf::Message& message) {
  const size_t size = message.ByteSizeLong();
  if (size > INT32_MAX) {
    return absl::InvalidArgumentError(absl::StrCat(
        "document and certificates have ", size, " octets together; at most ",
        INT32_MAX, " can be judged: send the document's digest instead"));
  }
  return message.SerializeAsString();
}

std::vector<std::string> ErrorsOf(const SnapshotKeeper& keeper) {
  std::vector<std::string> errors;
  for (const CrlSourceError& error : keeper.source_errors()) {
    errors.push_back(absl::StrCat(error.source, ": ", error.error));
  }
  return errors;
}

}  // namespace

absl::StatusOr<LocalAnswer> VerifyLocally(LocalRules rules,
                                          const v1::Filing& filing,
                                          bool want_checks) {
  TakeIntermediates(filing.intermediates(), &rules.profile);
  auto keeper = KeeperOf(std::move(rules));
  if (!keeper.ok()) return keeper.status();
  const auto octets = [&] {  // the copy ends with it
    v1::VerifyRequest request;
    *request.mutable_filing() = filing;
    request.set_want_checks(want_checks);
    return OctetsOf(request);
  }();
  if (!octets.ok()) return octets.status();
  LocalAnswer answer;
  auto verdict = JudgeOne(**keeper, RequestKind::kVerify, *octets);
  if (!verdict.ok()) return verdict.status();
  answer.verdict = *std::move(verdict);
  answer.crl_errors = ErrorsOf(**keeper);
  return answer;
}

absl::StatusOr<LocalAnswer> CheckCertificateLocally(
    LocalRules rules, const v1::CheckCertificateRequest& request) {
  TakeIntermediates(request.intermediates(), &rules.profile);
  auto keeper = KeeperOf(std::move(rules));
  if (!keeper.ok()) return keeper.status();
  const auto octets = OctetsOf(request);
  if (!octets.ok()) return octets.status();
  LocalAnswer answer;
  auto verdict = JudgeOne(**keeper, RequestKind::kCheckCertificate, *octets);
  if (!verdict.ok()) return verdict.status();
  answer.verdict = *std::move(verdict);
  answer.crl_errors = ErrorsOf(**keeper);
  return answer;
}

}  // namespace inkan
