// OperationsService: what runs, what it knows, and the order to read it again.
//
// The status of thousands of partitions has megabytes, and HTTP/2's flow
// control lets a client keep it here unread. So no more than kAnswersMax
// answers of GetStatus and of LookupRevocation are on their way at once, and
// kReloadsMax calls of Reload; another is UNAVAILABLE, and an answer that was
// not taken in kUnreadMax is given up for those to come.
//
// Thread safety: as gRPC calls it. Ownership: everything in Operations must
// outlive the service, the service its server.
#ifndef INKAN_SERVER_OPERATIONS_H_
#define INKAN_SERVER_OPERATIONS_H_

#include <grpc/grpc.h>

#include <cstddef>
#include <cstdint>
#include <list>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "cache/mutex.h"
#include "cache/snapshot_keeper.h"
#include "inkan/v1/operations.grpc.pb.h"
#include "server/answer_watch.h"
#include "server/audit_log.h"
#include "server/batcher.h"
#include "server/gate.h"
#include "server/health.h"
#include "server/open_calls.h"
#include "server/reloader.h"

namespace inkan {

// Some megabytes each where there are most partitions: below 32 MiB in all.
inline constexpr size_t kAnswersMax = 8;
// Each holds what gRPC keeps of an open call, some 16 KiB.
inline constexpr size_t kReloadsMax = 64;
// The largest answer there is takes two seconds over 10 Mbit/s.
inline constexpr absl::Duration kUnreadMax = absl::Seconds(10);

// Answers on their way, in the order begun.
class AnswersUnderWay {
 public:
  // An answer, as a part of its call, which lives until Remove.
  struct Entry {
    grpc_call* call = nullptr;
    int64_t since_ns = 0;
  };

  // False if there are enough. Then the oldest is cancelled, if it was not
  // taken for long.
  bool Add(Entry* entry) ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(Entry* entry) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Mutex mutex_;
  std::list<Entry*> entries_ ABSL_GUARDED_BY(mutex_);
};

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

  // Ends the calls of Reload, and refuses those to come: a reload may take
  // longer than the server is given to end.
  void BeginDrain() { reloads_.BeginDrain(); }

 private:
  class ReloadCall;

  // Whether the client may call this, and its request is of a size to keep.
  grpc::Status Check(grpc::CallbackServerContext* context, Method method,
                     const google::protobuf::Message& request) const;
  // A refusal, or another answer of some octets.
  grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context,
                                   grpc::Status status) const;
  void ReportStatus(const v1::GetStatusRequest& request,
                    v1::GetStatusResponse* response) const;
  grpc::Status LookUpSerial(const v1::LookupRevocationRequest& request,
                            v1::LookupRevocationResponse* response) const;

  const Operations operations_;
  AnswersUnderWay answers_;
  OpenCalls reloads_{kReloadsMax};
};

}  // namespace inkan

#endif  // INKAN_SERVER_OPERATIONS_H_
