#include "server/health.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace inkan {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using ServingStatus = HealthCheckResponse::ServingStatus;

namespace {

constexpr char kVerification[] = "inkan.v1.VerificationService";
constexpr char kOperations[] = "inkan.v1.OperationsService";

// A name and what a client may add to it; gRPC keeps a request for as long as
// its call is open.
constexpr size_t kRequestBytesMax = 1024;

grpc::Status CheckSize(const HealthCheckRequest& request) {
  if (request.ByteSizeLong() <= kRequestBytesMax) return grpc::Status::OK;
  return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                      "service: no service has so long a name");
}

class RefusedWatch final
    : public grpc::ServerWriteReactor<HealthCheckResponse> {
 public:
  explicit RefusedWatch(grpc::Status status) { Finish(std::move(status)); }

 private:
  void OnDone() override { delete this; }
};

}  // namespace

// One Watch call. Writes the status whenever it differs from the last written.
class HealthWatch final : public grpc::ServerWriteReactor<HealthCheckResponse> {
 public:
  HealthWatch(HealthState* state, grpc::CallbackServerContext* context,
              std::string service)
      : state_(state), context_(context), service_(std::move(service)) {}

  void Start() { state_->Add(this); }
  const std::string& service() const { return service_; }

  void Cancel() { context_->TryCancel(); }

  // Called by the state, which holds its own mutex.
  void Tell(ServingStatus status, bool ending) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    wanted_ = status;
    ending_ = ending_ || ending;
    Advance();
  }

 private:
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    writing_ = false;
    gone_ = gone_ || !ok;
    Advance();
  }
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    gone_ = true;
    Advance();
  }
  void OnDone() override ABSL_LOCKS_EXCLUDED(mutex_) {
    state_->Remove(this);
    // Whoever called gRPC's Finish may not have left its critical section yet.
    { MutexLock lock(&mutex_); }
    delete this;
  }

  void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (finished_ || writing_) return;
    if (gone_) {
      finished_ = true;
      Finish(grpc::Status(grpc::StatusCode::CANCELLED, "the watcher left"));
    } else if (wanted_ != written_) {
      writing_ = true;
      written_ = wanted_;
      response_.set_status(*wanted_);
      StartWrite(&response_);
    } else if (ending_) {
      finished_ = true;
      Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE,
                          "the server is shutting down"));
    }
  }

  HealthState* const state_;
  grpc::CallbackServerContext* const context_;
  const std::string service_;
  HealthCheckResponse response_;

  Mutex mutex_;
  std::optional<ServingStatus> wanted_ ABSL_GUARDED_BY(mutex_);
  std::optional<ServingStatus> written_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  bool gone_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

void HealthState::SetServing(bool serving) {
  MutexLock lock(&mutex_);
  serving_ = serving;
  TellAll();
}

void HealthState::SetProfiles(Profiles profiles) {
  MutexLock lock(&mutex_);
  if (profiles_ == profiles) return;
  profiles_ = std::move(profiles);
  TellAll();
}

void HealthState::SetRefusing(bool refusing) {
  MutexLock lock(&mutex_);
  if (refusing_ == refusing) return;
  refusing_ = refusing;
  TellAll();
}

void HealthState::SetAlive(bool alive) {
  MutexLock lock(&mutex_);
  if (alive_ == alive) return;
  alive_ = alive;
  TellAll();
}

bool HealthState::Serves(const std::string& service) const {
  return StatusOf(service) == HealthCheckResponse::SERVING;
}

bool HealthState::serving() const { return Serves(""); }

ServingStatus HealthState::StatusFor(const std::string& service) const {
  const auto of = [](bool serves) {
    return serves ? HealthCheckResponse::SERVING
                  : HealthCheckResponse::NOT_SERVING;
  };
  if (service == kOperations) return of(serving_ && alive_);
  const bool takes_filings = serving_ && !refusing_;
  if (service.empty() || service == kVerification) {
    if (!profiles_.has_value()) return of(takes_filings);
    const bool any_ready =
        std::any_of(profiles_->begin(), profiles_->end(),
                    [](const auto& profile) { return profile.second; });
    return of(takes_filings && any_ready);
  }
  const std::string prefix = std::string(kVerification) + "/";
  if (profiles_.has_value() && service.compare(0, prefix.size(), prefix) == 0) {
    const auto profile = profiles_->find(service.substr(prefix.size()));
    if (profile != profiles_->end())
      return of(takes_filings && profile->second);
  }
  return HealthCheckResponse::SERVICE_UNKNOWN;
}

void HealthState::EndWatches() {
  MutexLock lock(&mutex_);
  ending_ = true;
  TellAll();
}

void HealthState::CancelWatches() {
  MutexLock lock(&mutex_);
  for (HealthWatch* watch : watches_) watch->Cancel();
}

ServingStatus HealthState::StatusOf(const std::string& service) const {
  MutexLock lock(&mutex_);
  return StatusFor(service);
}

void HealthState::Add(HealthWatch* watch) {
  MutexLock lock(&mutex_);
  watches_.insert(watch);
  watch->Tell(StatusFor(watch->service()), ending_);
}

void HealthState::Remove(HealthWatch* watch) {
  MutexLock lock(&mutex_);
  watches_.erase(watch);
}

void HealthState::TellAll() {
  for (HealthWatch* watch : watches_) {
    watch->Tell(StatusFor(watch->service()), ending_);
  }
}

grpc::ServerUnaryReactor* HealthService::Check(
    grpc::CallbackServerContext* context, const HealthCheckRequest* request,
    HealthCheckResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (grpc::Status sound = CheckSize(*request); !sound.ok()) {
    reactor->Finish(std::move(sound));
    return reactor;
  }
  const ServingStatus status = state_->StatusOf(request->service());
  if (status == HealthCheckResponse::SERVICE_UNKNOWN) {
    reactor->Finish(grpc::Status(grpc::StatusCode::NOT_FOUND,
                                 "no such service is served here"));
    return reactor;
  }
  response->set_status(status);
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerWriteReactor<HealthCheckResponse>* HealthService::Watch(
    grpc::CallbackServerContext* context, const HealthCheckRequest* request) {
  if (grpc::Status sound = CheckSize(*request); !sound.ok()) {
    return new RefusedWatch(std::move(sound));
  }
  auto* watch = new HealthWatch(state_, context, request->service());
  watch->Start();
  return watch;
}

}  // namespace inkan
