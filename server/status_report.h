// What GetStatus and LookupRevocation say, worked out from a snapshot.
// Protobuf, no gRPC. Thread safety: free functions without state.
#ifndef INKAN_SERVER_STATUS_REPORT_H_
#define INKAN_SERVER_STATUS_REPORT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cache/snapshot.h"
#include "cache/snapshot_keeper.h"
#include "inkan/v1/operations.pb.h"
#include "server/audit_log.h"

namespace inkan {

// `grpc_version` as gRPC names it at run time.
void ReportBuild(const std::string& grpc_version, v1::BuildInfo* out);
void ReportProfiles(const Snapshot& snapshot, absl::Time now,
                    google::protobuf::RepeatedPtrField<v1::ProfileStatus>* out);
// By profile, issuer and scope.
void ReportPartitions(
    const Snapshot& snapshot, const std::vector<CrlSourceStatus>& sources,
    absl::Time now,
    google::protobuf::RepeatedPtrField<v1::CrlPartitionStatus>* out);
void ReportSources(
    const std::vector<CrlSourceStatus>& sources,
    google::protobuf::RepeatedPtrField<v1::CrlSourceStatus>* out);
void ReportSourceErrors(
    const std::vector<CrlSourceError>& errors,
    google::protobuf::RepeatedPtrField<v1::CrlSourceError>* out);
void ReportUnwritten(const UnwrittenIndexes& unwritten,
                     v1::GetStatusResponse* out);
// Nothing while it can be written; null: there is none.
void ReportAudit(const AuditLog* audit, v1::GetStatusResponse* out);

// Serial numbers that hexadecimal text may stand for, as INTEGER contents: the
// octets as written and, if they would be a negative number, with the sign
// octet people leave out. kInvalidArgument if it is no number.
absl::Status SerialsFromText(absl::string_view text,
                             std::vector<std::string>* serials);

// Every entry for one of the serials in the profile's CRLs, deltas included.
void LookUp(const ProfileSnapshot& profile,
            const std::vector<std::string>& serials, const std::string& issuer,
            v1::LookupRevocationResponse* out);

}  // namespace inkan

#endif  // INKAN_SERVER_STATUS_REPORT_H_
