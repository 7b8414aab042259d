#include "server/operations.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpcpp/grpcpp.h"
#include "server/convert.h"
#include "server/rpc_status.h"
#include "server/status_report.h"

namespace inkan {
namespace {

// A certificate's serial number, issuer and profile are far below.
constexpr size_t kRequestBytesMax = size_t{64} << 10U;

// An answer that may be long (GetStatus of thousands of partitions), and is
// not kept for ever for a client that does not take it.
class WatchedAnswer final : public grpc::ServerUnaryReactor {
 public:
  WatchedAnswer(grpc::CallbackServerContext* context, AnswerWatch* answers,
                grpc::Status status)
      : answers_(answers) {
    answers_->Begin(&answer_, context->c_call());
    Finish(std::move(status));
  }

 private:
  void OnDone() override {
    answers_->End(&answer_);
    delete this;
  }

  AnswerWatch* const answers_;
  AnswerWatch::Entry answer_;
};

std::string NamesOf(const Snapshot& snapshot) {
  std::string names;
  for (const auto& [name, profile] : snapshot.profiles) {
    absl::StrAppend(&names, names.empty() ? "" : ", ", name);
  }
  return names;
}

}  // namespace

grpc::Status OperationsServiceImpl::Check(
    grpc::CallbackServerContext* context, Method method,
    const google::protobuf::Message& request) const {
  std::string client;
  grpc::Status allowed =
      operations_.gate->CheckAccess(*context, method, &client);
  if (!allowed.ok()) return allowed;
  const size_t bytes = request.ByteSizeLong();
  if (bytes <= kRequestBytesMax) return grpc::Status::OK;
  return InvalidArgument({reason::kRequestTooLarge, "request",
                          absl::StrCat("has ", bytes, " octets; at most ",
                                       kRequestBytesMax, " are accepted")});
}

grpc::ServerUnaryReactor* OperationsServiceImpl::Answer(
    grpc::CallbackServerContext* context, grpc::Status status) const {
  return new WatchedAnswer(context, operations_.answers, std::move(status));
}

grpc::ServerUnaryReactor* OperationsServiceImpl::GetStatus(
    grpc::CallbackServerContext* context, const v1::GetStatusRequest* request,
    v1::GetStatusResponse* response) {
  if (grpc::Status denied = Check(context, Method::kGetStatus, *request);
      !denied.ok()) {
    return Answer(context, std::move(denied));
  }
  const std::shared_ptr<const Snapshot> snapshot =
      operations_.keeper->Current();
  ReportBuild(grpc::Version(), response->mutable_build());
  TimeToProto(absl::ToUnixSeconds(operations_.started_at),
              response->mutable_started_at());
  SnapshotToProto(*snapshot, response->mutable_snapshot());
  response->set_serving(operations_.health->serving());
  const absl::Time now = absl::Now();
  ReportProfiles(*snapshot, now, response->mutable_profiles());
  if (!request->omit_partitions()) {
    const std::vector<CrlSourceStatus> sources =
        operations_.keeper->source_statuses();
    ReportPartitions(*snapshot, sources, now, response->mutable_partitions());
    ReportSources(sources, response->mutable_sources());
  }
  ReportSourceErrors(operations_.keeper->source_errors(),
                     response->mutable_source_errors());
  ReportUnwritten(operations_.keeper->unwritten_indexes(), response);
  ReportAudit(operations_.audit, response);
  const BatcherCounters counters = operations_.batcher->counters();
  response->set_filings_total(counters.filings_judged);
  response->set_filings_refused_total(counters.filings_refused +
                                      counters.filings_expired +
                                      counters.filings_cancelled);
  response->set_queue_filings(counters.filings_waiting);
  return Answer(context, grpc::Status::OK);
}

grpc::ServerUnaryReactor* OperationsServiceImpl::LookupRevocation(
    grpc::CallbackServerContext* context,
    const v1::LookupRevocationRequest* request,
    v1::LookupRevocationResponse* response) {
  if (grpc::Status denied = Check(context, Method::kLookupRevocation, *request);
      !denied.ok()) {
    return Answer(context, std::move(denied));
  }
  const std::shared_ptr<const Snapshot> snapshot =
      operations_.keeper->Current();
  const ProfileSnapshot* profile = snapshot->Find(request->profile());
  if (profile == nullptr) {
    return Answer(
        context,
        InvalidArgument({reason::kProfileUnknown, "profile",
                         absl::StrCat("\"", request->profile(),
                                      "\" is not configured; there are: ",
                                      NamesOf(*snapshot))}));
  }
  std::vector<std::string> serials;
  const absl::Status read = SerialsFromText(request->serial_number(), &serials);
  if (!read.ok()) {
    return Answer(context,
                  InvalidArgument({reason::kSerialMalformed, "serial_number",
                                   std::string(read.message())}));
  }
  LookUp(*profile, serials, request->issuer(), response);
  SnapshotToProto(*snapshot, response->mutable_snapshot());
  return Answer(context, grpc::Status::OK);
}

grpc::ServerUnaryReactor* OperationsServiceImpl::Reload(
    grpc::CallbackServerContext* context, const v1::ReloadRequest* request,
    v1::ReloadResponse* response) {
  if (grpc::Status denied = Check(context, Method::kReload, *request);
      !denied.ok()) {
    return Answer(context, std::move(denied));
  }
  // The default reactor lives until it is finished, and the response with it.
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  operations_.reloader->Reload(
      [this, reactor, response](const absl::Status& status) {
        if (!status.ok()) {
          reactor->Finish(Failed(status, reason::kReloadFailed));
          return;
        }
        SnapshotToProto(*operations_.keeper->Current(),
                        response->mutable_snapshot());
        ReportSourceErrors(operations_.keeper->source_errors(),
                           response->mutable_source_errors());
        reactor->Finish(grpc::Status::OK);
      });
  return reactor;
}

}  // namespace inkan
