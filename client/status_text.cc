// The part of client/text.h that tells of a server.
#include <algorithm>
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
                  profile.issuer_paths(), " issuer path(s)\n");
  for (const v1::TrustAnchorStatus& anchor : profile.anchors()) {
    absl::StrAppend(out, "  ", Printable(anchor.subject()), "\n    key ",
                    anchor.key_identifier(), ", until ",
                    TimeText(anchor.not_after()), "\n");
  }
}

// By the server's clock.
bool IsStale(const v1::CrlPartitionStatus& partition) {
  return partition.has_next_update() &&
         partition.this_update().seconds() + partition.age().seconds() >
             partition.next_update().seconds();
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
        AgeText(partition.age().seconds()),
        partition.has_next_update()
            ? absl::StrCat(IsStale(partition) ? ", STALE since " : ", next by ",
                           TimeText(partition.next_update()))
            : "",
        Printable(partition.scope()), Printable(partition.source()));
  }
}

}  // namespace

std::string StatusText(const v1::GetStatusResponse& status) {
  std::string out;
  absl::StrAppend(&out, "Inkan ", status.build().version(), " (",
                  status.build().build(), "), ",
                  status.serving() ? "SERVING" : "NOT SERVING", " since ",
                  TimeText(status.started_at()), "\n");
  absl::StrAppend(&out, "  RSA kernel   ", status.build().rsa_kernel(), ": ",
                  Printable(status.build().rsa_kernel_reason()), "\n");
  absl::StrAppend(&out, "  Libraries    ",
                  Printable(status.build().libraries()), "\n");
  absl::StrAppend(
      &out, "  Snapshot     ", status.snapshot().generation(), " (",
      absl::BytesToHexString(status.snapshot().digest()).substr(0, 16), ")\n");
  absl::StrAppend(&out, "  Filings      ", status.filings_total(), " judged, ",
                  status.filings_refused_total(), " refused, ",
                  status.queue_filings(), " waiting\n");
  for (const v1::ProfileStatus& profile : status.profiles()) {
    ProfileText(profile, &out);
  }
  if (status.partitions_size() > 0) PartitionsText(status, &out);
  const auto stale = std::count_if(status.partitions().begin(),
                                   status.partitions().end(), IsStale);
  if (stale > 0) {
    absl::StrAppend(&out, "WRONG: ", stale,
                    " CRL partition(s) are past nextUpdate; filings of today "
                    "under them get TRY_LATER. Fetch their CRLs.\n");
  }
  if (stale == 0 && status.source_errors_size() == 0 &&
      status.crl_indexes_unwritten() == 0) {
    absl::StrAppend(&out, "Nothing is wrong.\n");
  }
  for (const v1::CrlSourceError& error : status.source_errors()) {
    absl::StrAppend(&out, "WRONG: ", Printable(error.source()), ": ",
                    Printable(error.error()), "\n    last tried ",
                    TimeText(error.last_attempt()),
                    error.last_good_in_use()
                        ? "; its last good CRL stays in use\n"
                        : "; nothing from it is in use\n");
  }
  if (status.crl_indexes_unwritten() > 0) {
    absl::StrAppend(&out, "WRONG: ", status.crl_indexes_unwritten(),
                    " CRL index(es) cannot be kept: ",
                    Printable(status.crl_index_error()), "\n");
  }
  return out;
}

}  // namespace inkan
