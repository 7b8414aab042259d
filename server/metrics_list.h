// Every metric the server exposes, in one list: what the collector fills in,
// what docs/METRICS.md describes and what alert rules may name are all checked
// against it.
//
//   for (const MetricSpec& spec : MetricList()) Print(spec.name, spec.help);
//
// Names follow Prometheus' conventions: base units, _total for counters. Labels
// are bounded: by the configuration, or by a list in code. Nothing here is
// about a person. Thread safety: constants.
#ifndef INKAN_SERVER_METRICS_LIST_H_
#define INKAN_SERVER_METRICS_LIST_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/types/span.h"

namespace inkan {

// V(enumerator, type, name, labels by comma, help).
#define INKAN_METRICS(V)                                                       \
  /* Calls, as other gRPC servers count them. */                               \
  V(kRpcStarted, Counter, "grpc_server_started_total",                         \
    "grpc_type,grpc_service,grpc_method", "Calls begun")                       \
  V(kRpcHandled, Counter, "grpc_server_handled_total",                         \
    "grpc_type,grpc_service,grpc_method,grpc_code",                            \
    "Calls ended, by status code")                                             \
  V(kRpcSeconds, Histogram, "grpc_server_handling_seconds",                    \
    "grpc_type,grpc_service,grpc_method",                                      \
    "Time from when the server hears of a call to its status")                 \
  /* Filings and verdicts. */                                                  \
  V(kVerdicts, Counter, "inkan_verdicts_total",                                \
    "profile,indication,sub_indication",                                       \
    "Filings and certificates judged, by verdict")                             \
  V(kRejects, Counter, "inkan_filings_rejected_total", "reason",               \
    "Filings refused or dropped without a verdict")                            \
  V(kQueueFilings, Gauge, "inkan_queue_filings", "lane",                       \
    "Filings waiting for a worker")                                            \
  V(kQueueFilingsMax, Gauge, "inkan_queue_filings_max", "lane",                \
    "Filings that may wait; from limits.queue_filings_max")                    \
  V(kQueueHeldBack, Gauge, "inkan_queue_held_back_filings", "",                \
    "Filings of streams that wait for room in their lane")                     \
  V(kQueueBytes, Gauge, "inkan_queue_bytes", "",                               \
    "Octets of filings waiting or in work")                                    \
  V(kQueueBytesMax, Gauge, "inkan_queue_bytes_max", "",                        \
    "Octets that may wait or be in work (limits.queue_bytes_max)")             \
  V(kQueueWait, Histogram, "inkan_queue_wait_seconds", "lane",                 \
    "Time from a request's arrival to a worker's taking it")                   \
  V(kAnswersUnread, Gauge, "inkan_answers_unread", "",                         \
    "Answers that wait for their client to make room")                         \
  V(kAnswersGivenUp, Counter, "inkan_answers_given_up_total", "",              \
    "Calls ended because their client did not take the answer")                \
  V(kBatchFilings, Histogram, "inkan_batch_filings", "",                       \
    "Filings a worker judged together")                                        \
  V(kWorkers, Gauge, "inkan_workers", "", "Worker threads")                    \
  V(kWorkerBusy, Counter, "inkan_worker_busy_seconds_total", "",               \
    "Time workers spent on batches, all workers together")                     \
  /* Cryptography. */                                                          \
  V(kRsaKernel, Gauge, "inkan_rsa_kernel_info", "kernel",                      \
    "1 for the RSA kernel in use")                                             \
  V(kRsaOperations, Counter, "inkan_rsa_operations_total", "kernel",           \
    "RSA public operations, by the kernel that ran them")                      \
  V(kRsaGroups, Counter, "inkan_rsa_groups_total", "jobs",                     \
    "Calls of the RSA kernel, by how many operations each had")                \
  V(kCacheHits, Counter, "inkan_certificate_cache_hits_total", "",             \
    "Certificates whose issuer signature was remembered")                      \
  V(kCacheMisses, Counter, "inkan_certificate_cache_misses_total", "",         \
    "Certificates whose issuer signature was not remembered")                  \
  V(kCacheEntries, Gauge, "inkan_certificate_cache_entries", "",               \
    "Certificates whose issuer signature is remembered")                       \
  /* CRLs. */                                                                  \
  V(kCrlPartitions, Gauge, "inkan_crl_partitions", "profile,issuer",           \
    "CRL partitions in force")                                                 \
  V(kCrlStale, Gauge, "inkan_crl_stale_partitions", "profile,issuer",          \
    "CRL partitions too old to speak about filings of now")                    \
  V(kCrlUnplaced, Gauge, "inkan_crl_unplaced_partitions", "profile,issuer",    \
    "CRL partitions in force that no place gives any more")                    \
  V(kCrlStaleAt, Gauge, "inkan_crl_earliest_stale_timestamp_seconds",          \
    "profile,issuer",                                                          \
    "When the first CRL in force will be too old; 0: one is believed about "   \
    "no time")                                                                 \
  V(kCrlEntries, Gauge, "inkan_crl_entries", "profile,issuer",                 \
    "Entries of the CRLs in force")                                            \
  V(kCrlBytes, Gauge, "inkan_crl_index_bytes", "profile,issuer",               \
    "Memory of the CRL indexes in force")                                      \
  V(kCrlThisUpdate, Gauge, "inkan_crl_oldest_this_update_timestamp_seconds",   \
    "profile,issuer", "Earliest thisUpdate of the CRLs in force")              \
  V(kCrlNextUpdate, Gauge, "inkan_crl_earliest_next_update_timestamp_seconds", \
    "profile,issuer",                                                          \
    "Earliest nextUpdate of the CRLs in force; absent if none has one")        \
  V(kCrlSourcesFailing, Gauge, "inkan_crl_source_failures", "class",           \
    "CRL files and sources that cannot be used now, by class of reason")       \
  V(kCrlSourceAttempt, Gauge,                                                  \
    "inkan_crl_source_last_attempt_timestamp_seconds", "source,kind",          \
    "When a source was last asked; 0: never")                                  \
  V(kCrlSourceSuccess, Gauge,                                                  \
    "inkan_crl_source_last_success_timestamp_seconds", "source,kind",          \
    "When a source was last good, changed or not; 0: never")                   \
  V(kCrlSourceAttempts, Counter, "inkan_crl_source_attempts_total",            \
    "source,kind", "Times a source was asked")                                 \
  V(kCrlSourceErrors, Counter, "inkan_crl_source_errors_total", "source,kind", \
    "Times a source was asked in vain")                                        \
  V(kCrlIndexesUnwritten, Gauge, "inkan_crl_indexes_unwritten", "",            \
    "CRLs in use whose index cannot be kept in the state directory")           \
  V(kSnapshotGeneration, Gauge, "inkan_snapshot_generation", "",               \
    "Number of the snapshot in force")                                         \
  V(kSnapshotTime, Gauge, "inkan_snapshot_published_timestamp_seconds", "",    \
    "When the snapshot in force was first seen")                               \
  V(kProfileReady, Gauge, "inkan_profile_ready", "profile",                    \
    "1 if the profile is ready by its freshness policy")                       \
  V(kServing, Gauge, "inkan_serving", "", "1 while health says SERVING")       \
  /* Audit log. */                                                             \
  V(kAuditEnabled, Gauge, "inkan_audit_enabled", "",                           \
    "1 if an audit log is configured")                                         \
  V(kAuditLines, Counter, "inkan_audit_lines_total", "",                       \
    "Lines written to the audit log")                                          \
  V(kAuditBytes, Counter, "inkan_audit_bytes_total", "",                       \
    "Octets written to the audit log")                                         \
  V(kAuditDropped, Counter, "inkan_audit_dropped_lines_total", "",             \
    "Lines lost because the audit log could not be written")                   \
  V(kAuditErrors, Counter, "inkan_audit_errors_total", "",                     \
    "Failed attempts to write, sync or rotate the audit log")                  \
  V(kAuditRotations, Counter, "inkan_audit_rotations_total", "",               \
    "Times the audit log was rotated or opened again")                         \
  V(kAuditFailing, Gauge, "inkan_audit_failing", "",                           \
    "1 while the audit log cannot be written")                                 \
  V(kAuditBuffer, Gauge, "inkan_audit_buffer_bytes", "",                       \
    "Octets that wait for the audit log's writer")                             \
  /* The process. */                                                           \
  V(kTlsExpiry, Gauge, "inkan_tls_certificate_expiry_timestamp_seconds",       \
    "listener", "notAfter of the certificate a listener shows now")            \
  V(kTlsChanges, Counter, "inkan_tls_files_changes_total", "listener,result",  \
    "Times new TLS files were found on disk, taken or refused")                \
  V(kConnections, Gauge, "inkan_connections", "listener",                      \
    "Connections that are open")                                               \
  V(kConnectionsAccepted, Counter, "inkan_connections_accepted_total",         \
    "listener", "Connections accepted")                                        \
  V(kConnectionsRefused, Counter, "inkan_connections_refused_total",           \
    "listener", "Connections closed at once: too many, or out of descriptors") \
  V(kConnectionsEnded, Counter, "inkan_connections_ended_total", "listener",   \
    "Connections closed because they had too many calls open")                 \
  V(kBuild, Gauge, "inkan_build_info", "version,build", "1 for what runs")     \
  V(kHttpRequests, Counter, "inkan_ops_http_requests_total", "path,code",      \
    "Requests to the operations port")                                         \
  V(kHttpRejected, Counter, "inkan_ops_http_connections_dropped_total", "",    \
    "Connections to the operations port closed without an answer")             \
  V(kLogSuppressed, Counter, "inkan_log_suppressed_lines_total", "",           \
    "Log lines left out because they repeat others")                           \
  V(kProcessCpu, Counter, "process_cpu_seconds_total", "",                     \
    "User and system processor time")                                          \
  V(kProcessResident, Gauge, "process_resident_memory_bytes", "",              \
    "Resident memory")                                                         \
  V(kProcessFds, Gauge, "process_open_fds", "", "Open file descriptors")       \
  V(kProcessFdsMax, Gauge, "process_max_fds", "",                              \
    "File descriptors that may be open")                                       \
  V(kProcessThreads, Gauge, "process_threads", "", "Threads")                  \
  V(kProcessStart, Gauge, "process_start_time_seconds", "",                    \
    "When the process started")

enum class MetricType : uint8_t { kCounter, kGauge, kHistogram };

enum class MetricId : uint8_t {
#define INKAN_ENUMERATOR(id, type, name, labels, help) id,
  INKAN_METRICS(INKAN_ENUMERATOR)
#undef INKAN_ENUMERATOR
};

struct MetricSpec {
  MetricId id;
  MetricType type;
  std::string_view name;
  std::string_view labels;
  std::string_view help;
};

// In the order of the list; MetricList()[id] is that of `id`.
absl::Span<const MetricSpec> MetricList();

}  // namespace inkan

#endif  // INKAN_SERVER_METRICS_LIST_H_
