#include "server/status_report.h"

#include <algorithm>
#include <tuple>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "cache/crl_data.h"
#include "cache/crl_freshness.h"
#include "crypto/name.h"
#include "crypto/rsa.h"
#include "crypto/string_prep.h"
#include "server/build_info.h"
#include "server/convert.h"
#include "server/verdict_writer.h"

namespace inkan {
namespace {

constexpr char kWholeIssuer[] = "all certificates of the issuer";

std::string ScopeOf(const CrlData& crl) {
  std::string scope = crl.scope_text.empty() ? kWholeIssuer : crl.scope_text;
  if (crl.is_delta) absl::StrAppend(&scope, " (delta)");
  return scope;
}

// File names, LDAP's names and what servers say are not always UTF-8, which the
// fields of a message must be, or nobody can read any of it.
std::string AsUtf8(const std::string& text) {
  return IsUtf8(text) ? text : absl::CHexEscape(text);
}

// Whether there is such a time at all.
bool IsSome(absl::Time time) {
  return time != absl::InfinitePast() && time != absl::InfiniteFuture();
}

// What status messages of partitions and of sources share.
template <typename Message>
void ReportTimes(const CrlSourceStatus& source, Message* out) {
  if (IsSome(source.last_attempt)) {
    TimeToProto(absl::ToUnixSeconds(source.last_attempt),
                out->mutable_last_attempt());
  }
  if (IsSome(source.last_success)) {
    TimeToProto(absl::ToUnixSeconds(source.last_success),
                out->mutable_last_success());
  }
  if (IsSome(source.next_attempt)) {
    TimeToProto(absl::ToUnixSeconds(source.next_attempt),
                out->mutable_next_attempt());
  }
  out->set_last_error(AsUtf8(source.last_error));
}

void ReportCrl(const std::string& profile, const CrlData& crl, absl::Time now,
               v1::CrlPartitionStatus* out) {
  out->set_profile(profile);
  out->set_issuer(NameToText(AsBytes(crl.issuer)));
  out->set_scope(ScopeOf(crl));
  if (!crl.crl_number.empty()) {
    out->set_crl_number(NumberToHex(AsBytes(crl.crl_number)));
  }
  TimeToProto(crl.this_update, out->mutable_this_update());
  if (crl.has_next_update) {
    TimeToProto(crl.next_update, out->mutable_next_update());
    out->mutable_time_to_next_update()->set_seconds(crl.next_update -
                                                    absl::ToUnixSeconds(now));
  }
  out->set_entries(crl.entries());
  out->mutable_age()->set_seconds(absl::ToUnixSeconds(now) - crl.this_update);
  out->set_source(AsUtf8(crl.source));
  out->set_crl_sha256(crl.sha256.data(), crl.sha256.size());
  out->set_index_bytes(crl.memory_bytes());
}

// Adds what one index says about the serials.
void LookUpIn(const CrlData& crl, const CrlIndex& index, Bytes issuer,
              const std::vector<std::string>& serials,
              v1::LookupRevocationResponse* out) {
  for (const std::string& serial : serials) {
    RevocationEvidence evidence;
    if (!index.Find(AsBytes(serial), &evidence.entry)) continue;
    evidence.has_entry = true;
    evidence.crl = &crl;
    evidence.status = evidence.entry.reason == crl_reason::kCertificateHold
                          ? RevocationStatus::kOnHold
                          : RevocationStatus::kRevoked;
    v1::RevocationEntry* entry = out->add_entries();
    entry->set_issuer(NameToText(issuer));
    entry->set_scope(ScopeOf(crl));
    EvidenceToProto(evidence, entry->mutable_evidence());
  }
}

void LookUpInCrl(const CrlData& crl, const std::vector<std::string>& serials,
                 const std::string& issuer, v1::LookupRevocationResponse* out) {
  const Bytes crl_issuer = AsBytes(crl.issuer);
  if (!issuer.empty() && NameToText(crl_issuer) != issuer) return;
  out->set_partitions_searched(out->partitions_searched() + 1);
  LookUpIn(crl, crl.index, crl_issuer, serials, out);
  for (const auto& [name, index] : crl.indirect) {
    LookUpIn(crl, index, crl_issuer, serials, out);
  }
}

}  // namespace

void ReportBuild(const std::string& grpc_version, v1::BuildInfo* out) {
  out->set_version(BuildVersion());
  out->set_build(BuildDescription());
  out->set_rsa_kernel(GetRsaKernelInfo().name);
  out->set_rsa_kernel_reason(GetRsaKernelInfo().reason);
  out->set_libraries(LibraryVersions(grpc_version));
}

void ReportProfiles(
    const Snapshot& snapshot, absl::Time now,
    google::protobuf::RepeatedPtrField<v1::ProfileStatus>* out) {
  for (const auto& [name, profile] : snapshot.profiles) {
    v1::ProfileStatus* status = out->Add();
    status->set_name(name);
    for (const OwnedCertificate& anchor : profile.issuer_paths->anchors()) {
      v1::TrustAnchorStatus* out_anchor = status->add_anchors();
      out_anchor->set_subject(NameToText(anchor.view.subject));
      out_anchor->set_key_identifier(ToHex(anchor.view.subject_key_id));
      TimeToProto(anchor.view.validity.not_after,
                  out_anchor->mutable_not_after());
      out_anchor->set_sha256_fingerprint(anchor.fingerprint.data(),
                                         anchor.fingerprint.size());
    }
    status->set_intermediates(
        static_cast<uint32_t>(profile.issuer_paths->intermediates().size()));
    status->set_issuer_paths(
        static_cast<uint32_t>(profile.issuer_paths->paths().size()));
    const ProfileReadiness readiness = ReadinessOf(profile, now);
    status->set_ready(readiness.ready);
    status->set_not_ready_reason(readiness.reason);
    status->set_fresh_partitions(
        static_cast<uint32_t>(readiness.fresh_partitions));
    // Where nobody asks them, no filing gets TRY_LATER.
    if (profile.profile->revocation != RevocationMode::kOff) {
      status->set_stale_partitions(
          static_cast<uint32_t>(readiness.stale_partitions));
    }
  }
}

void ReportPartitions(
    const Snapshot& snapshot, const std::vector<CrlSourceStatus>& sources,
    absl::Time now,
    google::protobuf::RepeatedPtrField<v1::CrlPartitionStatus>* out) {
  absl::flat_hash_map<absl::string_view, const CrlSourceStatus*> by_name;
  for (const CrlSourceStatus& source : sources)
    by_name[source.source] = &source;
  for (const auto& [name, profile] : snapshot.profiles) {
    for (const CrlPartition& partition : profile.crls->partitions()) {
      const absl::Time stale_at = StaleAt(partition, *profile.profile);
      for (const auto& crl : {partition.crl, partition.delta}) {
        if (crl == nullptr) continue;
        v1::CrlPartitionStatus* status = out->Add();
        ReportCrl(name, *crl, now, status);
        if (stale_at != absl::InfiniteFuture()) {
          TimeToProto(stale_at == absl::InfinitePast()
                          ? crl->this_update
                          : absl::ToUnixSeconds(stale_at),
                      status->mutable_stale_at());
        }
        const auto source = by_name.find(crl->source);
        if (source != by_name.end()) ReportTimes(*source->second, status);
      }
    }
  }
  std::sort(
      out->pointer_begin(), out->pointer_end(),
      [](const auto* a, const auto* b) {
        return std::tie(a->profile(), a->issuer(), a->scope(), a->source()) <
               std::tie(b->profile(), b->issuer(), b->scope(), b->source());
      });
}

void ReportSources(
    const std::vector<CrlSourceStatus>& sources,
    google::protobuf::RepeatedPtrField<v1::CrlSourceStatus>* out) {
  for (const CrlSourceStatus& source : sources) {
    v1::CrlSourceStatus* status = out->Add();
    status->set_source(AsUtf8(source.source));
    status->set_kind(source.kind);
    ReportTimes(source, status);
    status->set_in_use(source.in_use);
    status->set_attempts_total(source.attempts_total);
    status->set_failures_total(source.failures_total);
    status->set_bytes_total(source.bytes_total);
  }
}

void ReportSourceErrors(
    const std::vector<CrlSourceError>& errors,
    google::protobuf::RepeatedPtrField<v1::CrlSourceError>* out) {
  for (const CrlSourceError& error : errors) {
    v1::CrlSourceError* status = out->Add();
    status->set_source(AsUtf8(error.source));
    status->set_error(AsUtf8(error.error));
    TimeToProto(absl::ToUnixSeconds(error.last_attempt),
                status->mutable_last_attempt());
    status->set_last_good_in_use(error.last_good_in_use);
  }
}

void ReportUnwritten(const UnwrittenIndexes& unwritten,
                     v1::GetStatusResponse* out) {
  out->set_crl_indexes_unwritten(static_cast<uint32_t>(unwritten.crls));
  out->set_crl_index_error(AsUtf8(unwritten.error));
}

void ReportAudit(const AuditLog* audit, v1::GetStatusResponse* out) {
  if (audit == nullptr) return;
  const AuditCounters counters = audit->counters();
  if (!counters.failing) return;
  out->set_audit_log_error(AsUtf8(counters.last_error));
  out->set_audit_log_refuses(audit->options().on_failure ==
                             AuditFailure::kRefuse);
}

absl::Status SerialsFromText(absl::string_view text,
                             std::vector<std::string>* serials) {
  std::string digits;
  for (const char c : text) {
    if (c == ':' || c == ' ') continue;
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) {
      return absl::InvalidArgumentError(
          "is no serial number; write hexadecimal digits, colons and spaces "
          "between them as you like");
    }
    digits.push_back(c);
  }
  if (digits.empty()) return absl::InvalidArgumentError("missing");
  if (digits.size() % 2 != 0) digits = absl::StrCat("0", digits);
  std::string octets = absl::HexStringToBytes(digits);
  // DER's shortest form: no sign octet that says nothing.
  const auto is_high = [](char c) {
    return (static_cast<unsigned char>(c) & 0x80U) != 0;
  };
  while (octets.size() > 1 && octets[0] == 0 && !is_high(octets[1])) {
    octets.erase(0, 1);
  }
  if (octets.size() > kSerialBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", octets.size(),
                     " octets; serial numbers have at "
                     "most ",
                     kSerialBytesMax));
  }
  serials->push_back(octets);
  if (is_high(octets[0]) && octets.size() < kSerialBytesMax) {
    serials->push_back(absl::StrCat(std::string(1, '\0'), octets));
  }
  return absl::OkStatus();
}

void LookUp(const ProfileSnapshot& profile,
            const std::vector<std::string>& serials, const std::string& issuer,
            v1::LookupRevocationResponse* out) {
  for (const CrlPartition& partition : profile.crls->partitions()) {
    LookUpInCrl(*partition.crl, serials, issuer, out);
    if (partition.delta != nullptr) {
      LookUpInCrl(*partition.delta, serials, issuer, out);
    }
  }
}

}  // namespace inkan
