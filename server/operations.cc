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
#include "server/steady_clock.h"

namespace inkan {
namespace {

// A certificate's serial number, issuer and profile are far below.
constexpr size_t kRequestBytesMax = size_t{64} << 10U;

// An answer that is not kept for ever for a client that does not take it.
class WatchedAnswer : public grpc::ServerUnaryReactor {
 public:
  WatchedAnswer(grpc::CallbackServerContext* context, AnswerWatch* answers)
      : context_(context), answers_(answers) {}

  void Send(grpc::Status status) {
    answers_->Begin(&answer_, context_->c_call());
    Finish(std::move(status));
  }

 protected:
  void OnDone() override {
    answers_->End(&answer_);
    delete this;
  }

 private:
  grpc::CallbackServerContext* const context_;
  AnswerWatch* const answers_;
  AnswerWatch::Entry answer_;
};

// One that may be long, and counts among all that are.
class LongAnswer final : public WatchedAnswer {
 public:
  LongAnswer(grpc::CallbackServerContext* context, AnswerWatch* answers,
             AnswersUnderWay* under_way)
      : WatchedAnswer(context, answers), under_way_(under_way) {
    entry_.call = context->c_call();
    counted_ = under_way_->Add(&entry_);
  }

  // Whether there is room for it.
  bool counted() const { return counted_; }

 private:
  void OnDone() override {
    if (counted_) under_way_->Remove(&entry_);
    WatchedAnswer::OnDone();
  }

  AnswersUnderWay* const under_way_;
  AnswersUnderWay::Entry entry_;
  bool counted_ = false;
};

grpc::Status TooMany(grpc::CallbackServerContext* context, const char* what,
                     size_t at_most) {
  Refused refused;
  refused.context = context;
  return TooManyAtOnce(refused,
                       absl::StrCat("there are ", at_most, " ", what,
                                    " already, as many as may be at once; try "
                                    "again after the delay given"));
}

std::string NamesOf(const Snapshot& snapshot) {
  std::string names;
  for (const auto& [name, profile] : snapshot.profiles) {
    absl::StrAppend(&names, names.empty() ? "" : ", ", name);
  }
  return names;
}

}  // namespace

bool AnswersUnderWay::Add(Entry* entry) {
  grpc_call* late = nullptr;
  {
    MutexLock lock(&mutex_);
    entry->since_ns = NowNs();
    if (entries_.size() < kAnswersMax) {
      entries_.push_back(entry);
      return true;
    }
    const Entry& oldest = *entries_.front();
    if (absl::Nanoseconds(entry->since_ns - oldest.since_ns) > kUnreadMax) {
      // Kept alive beyond the lock: ending a call may call its reactor, which
      // takes it. Whoever comes then has room.
      late = oldest.call;
      grpc_call_ref(late);
    }
  }
  if (late != nullptr) {
    grpc_call_cancel_with_status(
        late, GRPC_STATUS_UNAVAILABLE,
        "the client did not take the answer, and others wait", nullptr);
    grpc_call_unref(late);
  }
  return false;
}

void AnswersUnderWay::Remove(Entry* entry) {
  MutexLock lock(&mutex_);
  entries_.remove(entry);
}

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
  auto* answer = new WatchedAnswer(context, operations_.answers);
  answer->Send(std::move(status));
  return answer;
}

grpc::ServerUnaryReactor* OperationsServiceImpl::GetStatus(
    grpc::CallbackServerContext* context, const v1::GetStatusRequest* request,
    v1::GetStatusResponse* response) {
  if (grpc::Status denied = Check(context, Method::kGetStatus, *request);
      !denied.ok()) {
    return Answer(context, std::move(denied));
  }
  auto* answer = new LongAnswer(context, operations_.answers, &answers_);
  if (!answer->counted()) {
    answer->Send(TooMany(context, "long answers on their way", kAnswersMax));
    return answer;
  }
  ReportStatus(*request, response);
  answer->Send(grpc::Status::OK);
  return answer;
}

void OperationsServiceImpl::ReportStatus(
    const v1::GetStatusRequest& request,
    v1::GetStatusResponse* response) const {
  const std::shared_ptr<const Snapshot> snapshot =
      operations_.keeper->Current();
  ReportBuild(grpc::Version(), response->mutable_build());
  TimeToProto(absl::ToUnixSeconds(operations_.started_at),
              response->mutable_started_at());
  SnapshotToProto(*snapshot, response->mutable_snapshot());
  response->set_serving(operations_.health->serving());
  const absl::Time now = absl::Now();
  ReportProfiles(*snapshot, now, response->mutable_profiles());
  if (!request.omit_partitions()) {
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
}

grpc::ServerUnaryReactor* OperationsServiceImpl::LookupRevocation(
    grpc::CallbackServerContext* context,
    const v1::LookupRevocationRequest* request,
    v1::LookupRevocationResponse* response) {
  if (grpc::Status denied = Check(context, Method::kLookupRevocation, *request);
      !denied.ok()) {
    return Answer(context, std::move(denied));
  }
  auto* answer = new LongAnswer(context, operations_.answers, &answers_);
  if (!answer->counted()) {
    answer->Send(TooMany(context, "long answers on their way", kAnswersMax));
    return answer;
  }
  grpc::Status found = LookUpSerial(*request, response);
  answer->Send(std::move(found));
  return answer;
}

grpc::Status OperationsServiceImpl::LookUpSerial(
    const v1::LookupRevocationRequest& request,
    v1::LookupRevocationResponse* response) const {
  const std::shared_ptr<const Snapshot> snapshot =
      operations_.keeper->Current();
  const ProfileSnapshot* profile = snapshot->Find(request.profile());
  if (profile == nullptr) {
    return InvalidArgument({reason::kProfileUnknown, "profile",
                            absl::StrCat("\"", request.profile(),
                                         "\" is not configured; there are: ",
                                         NamesOf(*snapshot))});
  }
  std::vector<std::string> serials;
  const absl::Status read = SerialsFromText(request.serial_number(), &serials);
  if (!read.ok()) {
    return InvalidArgument({reason::kSerialMalformed, "serial_number",
                            std::string(read.message())});
  }
  LookUp(*profile, serials, request.issuer(), response);
  SnapshotToProto(*snapshot, response->mutable_snapshot());
  return grpc::Status::OK;
}

// A call of Reload, until the reload it asked for is done or the server ends.
class OperationsServiceImpl::ReloadCall final : public grpc::ServerUnaryReactor,
                                                private OpenCall {
 public:
  ReloadCall(OperationsServiceImpl* service,
             grpc::CallbackServerContext* context, v1::ReloadResponse* response)
      : service_(service),
        context_(context),
        response_(response),
        handle_(std::make_shared<Handle>()) {
    MutexLock lock(&handle_->mutex);
    handle_->call = this;
  }

  void Start() {
    const std::shared_ptr<Handle> handle = handle_;
    switch (service_->reloads_.Add(this)) {
      case OpenCalls::Entry::kOpen:
        break;
      case OpenCalls::Entry::kFull:
        End(TooMany(context_, "calls of Reload", kReloadsMax));
        return;
      case OpenCalls::Entry::kDraining:
        BeginDrain();
        return;
    }
    // From here on a drain may end the call at any moment.
    service_->operations_.reloader->Reload(
        [handle](const absl::Status& status) { Reloaded(handle, status); });
  }

 private:
  // What the reload knows of the call, which may be gone by then.
  struct Handle {
    Mutex mutex;
    ReloadCall* call ABSL_GUARDED_BY(mutex) = nullptr;
  };

  static void Reloaded(const std::shared_ptr<Handle>& handle,
                       const absl::Status& status) {
    MutexLock lock(&handle->mutex);
    ReloadCall* call = std::exchange(handle->call, nullptr);
    if (call == nullptr) return;
    if (!status.ok()) {
      call->Send(Failed(status, reason::kReloadFailed));
      return;
    }
    const SnapshotKeeper& keeper = *call->service_->operations_.keeper;
    SnapshotToProto(*keeper.Current(), call->response_->mutable_snapshot());
    ReportSourceErrors(keeper.source_errors(),
                       call->response_->mutable_source_errors());
    call->Send(grpc::Status::OK);
  }

  void End(grpc::Status status) {
    const std::shared_ptr<Handle> handle = handle_;
    MutexLock lock(&handle->mutex);
    if (std::exchange(handle->call, nullptr) != nullptr) {
      Send(std::move(status));
    }
  }

  void Send(grpc::Status status) {
    service_->operations_.answers->Begin(&answer_, context_->c_call());
    Finish(std::move(status));
  }

  void OnCancel() override {
    End(grpc::Status(grpc::StatusCode::CANCELLED, "the caller cancelled"));
  }

  void BeginDrain() override {
    const std::shared_ptr<Handle> handle = handle_;
    MutexLock lock(&handle->mutex);
    // Whoever ends the call has its trailing metadata to himself.
    if (std::exchange(handle->call, nullptr) == nullptr) return;
    Refused refused;
    refused.context = context_;
    refused.batcher = service_->operations_.batcher;
    Send(ShuttingDown(refused));
  }

  void OnDone() override {
    service_->operations_.answers->End(&answer_);
    service_->reloads_.Remove(this);
    // Whoever finished it may not have left its critical section yet.
    { MutexLock lock(&handle_->mutex); }
    delete this;
  }

  OperationsServiceImpl* const service_;
  grpc::CallbackServerContext* const context_;
  v1::ReloadResponse* const response_;
  const std::shared_ptr<Handle> handle_;
  AnswerWatch::Entry answer_;
};

grpc::ServerUnaryReactor* OperationsServiceImpl::Reload(
    grpc::CallbackServerContext* context, const v1::ReloadRequest* request,
    v1::ReloadResponse* response) {
  if (grpc::Status denied = Check(context, Method::kReload, *request);
      !denied.ok()) {
    return Answer(context, std::move(denied));
  }
  auto* call = new ReloadCall(this, context, response);
  call->Start();
  return call;
}

}  // namespace inkan
