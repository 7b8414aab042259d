// OperationsService: what runs, what it knows, and the order to read it again.
//
// Thread safety: as gRPC calls it. Ownership: everything in Operations must
// outlive the service, the service its server.
#ifndef INKAN_SERVER_OPERATIONS_H_
#define INKAN_SERVER_OPERATIONS_H_

#include "absl/time/time.h"
#include "cache/snapshot_keeper.h"
#include "inkan/v1/operations.grpc.pb.h"
#include "server/answer_watch.h"
#include "server/audit_log.h"
#include "server/batcher.h"
#include "server/gate.h"
#include "server/health.h"
#include "server/reloader.h"

namespace inkan {

// What the service reports on.
struct Operations {
  const SnapshotKeeper* keeper = nullptr;
  const Batcher* batcher = nullptr;
  const HealthState* health = nullptr;
  Reloader* reloader = nullptr;
  absl::Time started_at;
  Gate* gate = nullptr;
  AnswerWatch* answers = nullptr;
  const AuditLog* audit = nullptr;  // null: there is none
};

class OperationsServiceImpl final
    : public v1::OperationsService::CallbackService {
 public:
  explicit OperationsServiceImpl(const Operations& operations)
      : operations_(operations) {}

  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context,
                                      const v1::GetStatusRequest* request,
                                      v1::GetStatusResponse* response) override;
  grpc::ServerUnaryReactor* LookupRevocation(
      grpc::CallbackServerContext* context,
      const v1::LookupRevocationRequest* request,
      v1::LookupRevocationResponse* response) override;
  grpc::ServerUnaryReactor* Reload(grpc::CallbackServerContext* context,
                                   const v1::ReloadRequest* request,
                                   v1::ReloadResponse* response) override;

 private:
  // Whether the client may call this, and its request is of a size to keep.
  grpc::Status Check(grpc::CallbackServerContext* context, Method method,
                     const google::protobuf::Message& request) const;
  grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context,
                                   grpc::Status status) const;

  const Operations operations_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_OPERATIONS_H_
