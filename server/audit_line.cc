#include "server/audit_line.h"

#include "absl/strings/str_cat.h"
#include "cache/crl_data.h"
#include "crypto/bytes.h"
#include "server/log_json.h"

namespace inkan {
namespace {

void AppendHex(Bytes bytes, std::string* out) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (const uint8_t octet : bytes) {
    out->push_back(kDigits[octet >> 4]);
    out->push_back(kDigits[octet & 15]);
  }
}

// "key":"value", or "key":null if there is none.
void AppendText(const char* key, std::string_view value, std::string* out) {
  absl::StrAppend(out, ",\"", key, "\":\"");
  AppendJsonEscaped(value, out);
  out->push_back('"');
}
void AppendNull(const char* key, std::string* out) {
  absl::StrAppend(out, ",\"", key, "\":null");
}
void AppendHexField(const char* key, Bytes bytes, std::string* out) {
  absl::StrAppend(out, ",\"", key, "\":\"");
  AppendHex(bytes, out);
  out->push_back('"');
}
// As people compare serial and CRL numbers.
Bytes WithoutLeadingZeros(Bytes integer) {
  while (integer.size() > 1 && integer[0] == 0) integer.remove_prefix(1);
  return integer;
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", time, absl::UTCTimeZone());
}

struct Names {
  std::string_view indication;
  std::string_view sub_indication;
};
Names NamesOf(Outcome outcome) {
  switch (outcome) {
#define INKAN_CASE(name, indication, sub_indication) \
  case Outcome::name:                                \
    return {#indication, #sub_indication};
    INKAN_OUTCOMES(INKAN_CASE)
#undef INKAN_CASE
  }
  return {"INDETERMINATE", "GENERIC"};
}

void AppendCertificate(const FilingVerdict& verdict, std::string* out) {
  if (!verdict.has_certificate) {
    AppendNull("certificate_sha256", out);
    AppendNull("serial", out);
    return;
  }
  AppendHexField("certificate_sha256", verdict.fingerprint, out);
  AppendHexField("serial", WithoutLeadingZeros(verdict.certificate.serial),
                 out);
}

void AppendCrl(const char* prefix, const CrlData& crl, std::string* out) {
  absl::StrAppend(out, ",\"", prefix, "crl_sha256\":\"");
  AppendHex(crl.sha256, out);
  absl::StrAppend(out, "\",\"", prefix, "crl_number\":");
  if (crl.crl_number.empty()) {
    out->append("null");
    return;
  }
  out->push_back('"');
  AppendHex(WithoutLeadingZeros(AsBytes(crl.crl_number)), out);
  out->push_back('"');
}

void AppendCrls(const FilingVerdict& verdict, std::string* out) {
  const CrlData* crl =
      verdict.has_revocation ? verdict.revocation.crl : nullptr;
  if (crl == nullptr) {
    AppendNull("crl_sha256", out);
    AppendNull("crl_number", out);
    return;
  }
  AppendCrl("", *crl, out);
  if (verdict.revocation.delta == nullptr) return;
  AppendCrl("complete_", *verdict.revocation.complete, out);
  AppendCrl("delta_", *verdict.revocation.delta, out);
}

}  // namespace

void AuditFormatter::Append(const Snapshot& snapshot,
                            absl::Span<const VerdictRecord> verdicts,
                            absl::Time now, std::string* out) {
  if (snapshot.generation != generation_) {
    generation_ = snapshot.generation;
    snapshot_text_ = absl::StrCat(",\"snapshot\":", snapshot.generation);
    AppendHexField("snapshot_digest", snapshot.digest, &snapshot_text_);
  }
  // Of a filing that was refused unjudged nothing is known.
  static const auto* const kNothing = new FilingVerdict();
  const std::string begin = absl::StrCat("{\"time\":\"", TimeText(now), "\"");
  for (const VerdictRecord& record : verdicts) {
    out->append(begin);
    absl::StrAppend(out, ",\"request\":\"", run_, "-",
                    record.origin == nullptr ? 0 : record.origin->number,
                    "\",\"kind\":\"",
                    record.certificate_only ? "certificate" : "filing", "\"");
    AppendText("id", record.filing_id, out);
    // A name nobody configured is the caller's own text and stays out.
    if (snapshot.Find(record.profile) != nullptr) {
      AppendText("profile", record.profile, out);
    } else {
      AppendNull("profile", out);
    }
    const Names names = NamesOf(record.outcome);
    AppendText("indication", names.indication, out);
    if (record.outcome == Outcome::kPassed) {
      AppendNull("sub_indication", out);
    } else {
      AppendText("sub_indication", names.sub_indication, out);
    }
    const FilingVerdict& verdict =
        record.verdict == nullptr ? *kNothing : *record.verdict;
    AppendCertificate(verdict, out);
    AppendCrls(verdict, out);
    out->append(snapshot_text_);
    absl::StrAppend(out, ",\"verification_time\":", record.time);
    if (record.origin == nullptr || record.origin->client.empty()) {
      AppendNull("client", out);
    } else {
      AppendText("client", record.origin->client, out);
    }
    out->append("}\n");
  }
}

}  // namespace inkan
