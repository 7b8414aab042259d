// grpc.health.v1: Check and Watch, for the whole server (""), for each of its
// services, and for each profile, as "inkan.v1.VerificationService/NAME".
// NOT_SERVING until told otherwise, and first thing at shutdown.
//
//   HealthState state;
//   HealthService service(&state);      // one for each grpc::Server
//   state.SetProfiles({{"jpki-signature", true}});
//   state.SetServing(true);
//
// The whole server and VerificationService are SERVING while the server serves,
// does not refuse all filings, and at least one profile is ready;
// OperationsService while the server serves.
//
// gRPC's own implementation is not used because its open Watch calls hold up a
// graceful shutdown until the deadline; these end as soon as they have said
// NOT_SERVING.
//
// Thread safety: everything from any thread. Ownership: the state must outlive
// the services, these their servers.
#ifndef INKAN_SERVER_HEALTH_H_
#define INKAN_SERVER_HEALTH_H_

#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_set.h"
#include "cache/mutex.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace inkan {

class HealthWatch;

class HealthState {
 public:
  using Profiles = absl::btree_map<std::string, bool>;

  // Whether the server takes calls at all.
  void SetServing(bool serving) ABSL_LOCKS_EXCLUDED(mutex_);
  // Which profiles there are and which of them are ready. Until this is called
  // the server counts as ready without any.
  void SetProfiles(Profiles profiles) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether every filing is refused for now, whatever its profile.
  void SetRefusing(bool refusing) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether the process gets anywhere; if not, it should be restarted. All that
  // OperationsService says beside whether calls are taken.
  void SetAlive(bool alive) ABSL_LOCKS_EXCLUDED(mutex_);
  // What health says of the service: SERVING, or anything else.
  bool Serves(const std::string& service) const ABSL_LOCKS_EXCLUDED(mutex_);
  // What health says of the whole.
  bool serving() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends every Watch, and those to come, after telling it the last status.
  void EndWatches() ABSL_LOCKS_EXCLUDED(mutex_);
  // Cancels those that have not ended: their clients do not read.
  void CancelWatches() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class HealthWatch;
  friend class HealthService;

  grpc::health::v1::HealthCheckResponse::ServingStatus StatusOf(
      const std::string& service) const ABSL_LOCKS_EXCLUDED(mutex_);
  void Add(HealthWatch* watch) ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(HealthWatch* watch) ABSL_LOCKS_EXCLUDED(mutex_);
  void TellAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  grpc::health::v1::HealthCheckResponse::ServingStatus StatusFor(
      const std::string& service) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  std::optional<Profiles> profiles_ ABSL_GUARDED_BY(mutex_);
  bool serving_ ABSL_GUARDED_BY(mutex_) = false;
  bool refusing_ ABSL_GUARDED_BY(mutex_) = false;
  bool alive_ ABSL_GUARDED_BY(mutex_) = true;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_set<HealthWatch*> watches_ ABSL_GUARDED_BY(mutex_);
};

class HealthService final : public grpc::health::v1::Health::CallbackService {
 public:
  explicit HealthService(HealthState* state) : state_(state) {}

  grpc::ServerUnaryReactor* Check(
      grpc::CallbackServerContext* context,
      const grpc::health::v1::HealthCheckRequest* request,
      grpc::health::v1::HealthCheckResponse* response) override;
  grpc::ServerWriteReactor<grpc::health::v1::HealthCheckResponse>* Watch(
      grpc::CallbackServerContext* context,
      const grpc::health::v1::HealthCheckRequest* request) override;

 private:
  HealthState* const state_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_HEALTH_H_
