// The part of client/text.h that tells of a server.
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "client/text.h"

namespace inkan {
namespace {

std::string AgeText(int64_t seconds) {
  if (seconds < 0) return "from the future";
  if (seconds < 120) return absl::StrCat(seconds, " s");
  if (seconds < 7200) return absl::StrCat(seconds / 60, " min");
  if (seconds < 172800) return absl::StrCat(seconds / 3600, " h");
  return absl::StrCat(seconds / 86400, " days");
}

void ProfileText(const v1::ProfileStatus& profile, std::string* out) {
  absl::StrAppend(out, "Profile ", Printable(profile.name()), ": ",
                  profile.anchors_size(), " anchor(s), ",
                  profile.intermediates(), " intermediate(s), ",
                  profile.issuer_paths(), " issuer path(s)",
                  profile.ready() ? "" : ", NOT READY", "\n");
  for (const v1::TrustAnchorStatus& anchor : profile.anchors()) {
    absl::StrAppend(out, "  ", Printable(anchor.subject()), "\n    key ",
                    anchor.key_identifier(), ", until ",
                    TimeText(anchor.not_after()), "\n");
  }
}

// By the server's clock.
bool IsStale(const v1::CrlPartitionStatus& partition) {
  return partition.has_stale_at() &&
         partition.this_update().seconds() + partition.age().seconds() >
             partition.stale_at().seconds();
}

// ", STALE since ..", ", next by ..", or nothing.
std::string EndText(const v1::CrlPartitionStatus& partition) {
  if (IsStale(partition)) {
    return absl::StrCat(", STALE since ", TimeText(partition.stale_at()));
  }
  if (!partition.has_next_update()) return "";
  return absl::StrCat(", next by ", TimeText(partition.next_update()));
}

void PartitionsText(const v1::GetStatusResponse& status, std::string* out) {
  uint64_t entries = 0;
  uint64_t bytes = 0;
  for (const v1::CrlPartitionStatus& partition : status.partitions()) {
    entries += partition.entries();
    bytes += partition.index_bytes();
  }
  absl::StrAppend(out, "CRLs: ", status.partitions_size(), " partition(s), ",
                  entries, " entries, ", bytes, " octets of memory\n");
  for (const v1::CrlPartitionStatus& partition : status.partitions()) {
    absl::StrAppendFormat(
        out, "  %-20s %9d entries, %s old%s\n    %s\n    %s\n",
        Printable(partition.profile()), partition.entries(),
        AgeText(partition.age().seconds()), EndText(partition),
        Printable(partition.scope()), Printable(partition.source()));
  }
}

// What keeps the server from giving verdicts, or some of them; nothing if
// nothing does.
void ReadinessText(const v1::GetStatusResponse& status, std::string* out) {
  if (!status.serving()) {
    absl::StrAppend(out,
                    "WRONG: health says NOT_SERVING: load balancers send "
                    "nothing here. It is starting or ending, if nothing below "
                    "says why.\n");
  }
  if (!status.audit_log_error().empty()) {
    absl::StrAppend(out, "WRONG: the audit log cannot be written: ",
                    Printable(status.audit_log_error()),
                    status.audit_log_refuses()
                        ? "; filings are refused\n"
                        : "; verdicts leave unrecorded\n");
  }
  for (const v1::ProfileStatus& profile : status.profiles()) {
    if (profile.ready()) continue;
    absl::StrAppend(out, "WRONG: profile ", Printable(profile.name()),
                    " is not ready: ", Printable(profile.not_ready_reason()),
                    "\n");
  }
  for (const v1::ProfileStatus& profile : status.profiles()) {
    if (profile.stale_partitions() == 0) continue;
    absl::StrAppend(out, "WRONG: profile ", Printable(profile.name()), ": ",
                    profile.stale_partitions(),
                    " CRL partition(s) are too old; filings of today under "
                    "them get TRY_LATER. Fetch their CRLs.\n");
  }
}

void SourceErrorsText(
    const google::protobuf::RepeatedPtrField<v1::CrlSourceError>& errors,
    std::string* out) {
  for (const v1::CrlSourceError& error : errors) {
    absl::StrAppend(out, "WRONG: ", Printable(error.source()), ": ",
                    Printable(error.error()), "\n    last tried ",
                    TimeText(error.last_attempt()),
                    error.last_good_in_use()
                        ? "; its last good CRL stays in use\n"
                        : "; nothing from it is in use\n");
  }
}

void SourcesText(const v1::GetStatusResponse& status, std::string* out) {
  SourceErrorsText(status.source_errors(), out);
  if (status.crl_indexes_unwritten() > 0) {
    absl::StrAppend(out, "WRONG: ", status.crl_indexes_unwritten(),
                    " CRL index(es) cannot be kept: ",
                    Printable(status.crl_index_error()), "\n");
  }
}

}  // namespace

std::string StatusText(const v1::GetStatusResponse& status) {
  std::string out;
  absl::StrAppend(&out, "Inkan ", status.build().version(), " (",
                  status.build().build(), "), ",
                  status.serving() ? "SERVING" : "NOT SERVING", ", started ",
                  TimeText(status.started_at()), "\n");
  absl::StrAppend(&out, "  RSA kernel   ", status.build().rsa_kernel(), ": ",
                  Printable(status.build().rsa_kernel_reason()), "\n");
  absl::StrAppend(&out, "  Libraries    ",
                  Printable(status.build().libraries()), "\n");
  absl::StrAppend(&out, "  Snapshot     ", SnapshotText(status.snapshot()),
                  "\n");
  absl::StrAppend(&out, "  Filings      ", status.filings_total(), " judged, ",
                  status.filings_refused_total(), " refused, ",
                  status.queue_filings(), " waiting\n");
  for (const v1::ProfileStatus& profile : status.profiles()) {
    ProfileText(profile, &out);
  }
  if (status.partitions_size() > 0) PartitionsText(status, &out);
  const size_t facts = out.size();
  ReadinessText(status, &out);
  SourcesText(status, &out);
  if (out.size() == facts) absl::StrAppend(&out, "Nothing is wrong.\n");
  return out;
}

std::string ReloadText(const v1::ReloadResponse& reloaded) {
  std::string out = "Reloaded";
  if (reloaded.source_errors_size() > 0) {
    absl::StrAppend(&out, ", but ", reloaded.source_errors_size(),
                    " source(s) of CRLs failed");
  }
  absl::StrAppend(&out, ". The snapshot in force:\n  Generation   ",
                  reloaded.snapshot().generation(), "\n  Digest       ",
                  absl::BytesToHexString(reloaded.snapshot().digest()), "\n");
  SourceErrorsText(reloaded.source_errors(), &out);
  return out;
}

}  // namespace inkan
