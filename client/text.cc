#include "client/text.h"

#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "client/crl_tool.h"
#include "crypto/oid.h"

namespace inkan {
namespace {

// Length of the UTF-8 sequence at the front of `text`, 0 if there is none.
size_t Utf8Length(std::string_view text) {
  const auto octet = [&](size_t i) {
    return static_cast<unsigned char>(text[i]);
  };
  size_t length = 1;
  if (octet(0) >= 0xc2 && octet(0) < 0xe0) {
    length = 2;
  } else if (octet(0) >= 0xe0 && octet(0) < 0xf0) {
    length = 3;
  } else if (octet(0) >= 0xf0 && octet(0) < 0xf5) {
    length = 4;
  } else if (octet(0) >= 0x80) {
    return 0;
  }
  if (length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((octet(i) & 0xc0U) != 0x80) return 0;
  }
  // C1 controls (U+0080 to U+009F) move terminals too.
  if (length == 2 && octet(0) == 0xc2 && octet(1) < 0xa0) return 0;
  return length;
}

// A line of the note: a label in the left column, what it says in the right.
void Line(std::string* out, const char* label, std::string_view value) {
  absl::StrAppendFormat(out, "  %-13s %s\n", label, std::string(value));
}

const char* IndicationMeaning(v1::Indication indication) {
  switch (indication) {
    case v1::INDICATION_TOTAL_PASSED:
      return "every check passed";
    case v1::INDICATION_TOTAL_FAILED:
      return "must not be accepted, now or later";
    default:
      return "not to be accepted as it stands";
  }
}

// An enumerator without the prefix that repeats its enumeration.
std::string Shortened(const std::string& name, size_t prefix) {
  return name.size() > prefix ? name.substr(prefix) : name;
}

std::string SubIndicationName(v1::SubIndication sub_indication) {
  return Shortened(v1::SubIndication_Name(sub_indication),
                   sizeof("SUB_INDICATION_") - 1);
}

std::string PolicyText(const std::string& dotted) {
  const std::optional<std::string> oid = OidFromText(dotted);
  return oid.has_value() ? OidDisplay(AsBytes(*oid)) : Printable(dotted);
}

std::string ReasonText(v1::RevocationReason reason) {
  std::string text = Shortened(v1::RevocationReason_Name(reason),
                               sizeof("REVOCATION_REASON_") - 1);
  for (char& c : text) c = c == '_' ? ' ' : absl::ascii_tolower(c);
  return text;
}

// The sentence on revocation.
std::string RevocationSentence(const v1::RevocationEvidence& evidence) {
  const std::string when = TimeText(evidence.revoked_at());
  const std::string why = ReasonText(evidence.reason());
  switch (evidence.status()) {
    case v1::REVOCATION_STATUS_GOOD:
      return "good: on no CRL that covers it";
    case v1::REVOCATION_STATUS_REVOKED:
      return absl::StrCat("revoked at ", when, " (", why, ")");
    case v1::REVOCATION_STATUS_ON_HOLD:
      return absl::StrCat("on hold since ", when, "; counts as revoked");
    case v1::REVOCATION_STATUS_REVOKED_LATER:
      return absl::StrCat("good at that time; revoked later, at ", when, " (",
                          why, ")");
    case v1::REVOCATION_STATUS_NOT_CHECKED:
      return "not checked: the profile does not ask for it";
    default:
      return "unknown: no CRL at hand speaks about it at that time";
  }
}

void QualifierLines(const v1::PolicyQualifier& one, std::string* out) {
  if (!one.cps_uri().empty())
    Line(out, "  statement", Printable(one.cps_uri()));
  if (!one.notice_text().empty()) {
    Line(out, "  notice", Printable(one.notice_text()));
  }
  if (one.notice_organization().empty()) return;
  std::string numbers;
  for (const uint64_t number : one.notice_numbers()) {
    absl::StrAppend(&numbers, numbers.empty() ? ", number " : ", ", number);
  }
  Line(out, "  notice of",
       absl::StrCat(Printable(one.notice_organization()), numbers));
}

void CertificateLines(const v1::CertificateFacts& facts, std::string* out) {
  Line(out, "Subject", Printable(facts.subject()));
  Line(out, "Issuer", Printable(facts.issuer()));
  Line(out, "Serial", facts.serial_number());
  Line(out, "Valid",
       absl::StrCat(TimeText(facts.not_before()), " to ",
                    TimeText(facts.not_after())));
  for (const std::string& policy : facts.valid_policies()) {
    Line(out, "Policy", PolicyText(policy));
  }
  for (const v1::PolicyQualifier& one : facts.policy_qualifiers()) {
    QualifierLines(one, out);
  }
  Line(out, "SHA-256", absl::BytesToHexString(facts.sha256_fingerprint()));
}

// `Crl`: RevocationEvidence or CrlReference, which name these fields alike.
template <typename Crl>
std::string CrlText(const Crl& crl) {
  std::string text = absl::StrCat("of ", TimeText(crl.this_update()));
  if (crl.has_next_update()) {
    absl::StrAppend(&text, ", next by ", TimeText(crl.next_update()));
  }
  if (!crl.crl_number().empty()) {
    absl::StrAppend(&text, ", number ", Printable(crl.crl_number()));
  }
  return text;
}

void RevocationLines(const v1::RevocationEvidence& evidence, std::string* out) {
  Line(out, "Revocation", RevocationSentence(evidence));
  if (!evidence.has_this_update()) return;
  const bool by_delta = evidence.has_delta() &&
                        evidence.crl_sha256() == evidence.delta().crl_sha256();
  Line(out, "CRL", by_delta ? CrlText(evidence.complete()) : CrlText(evidence));
  if (evidence.has_delta()) {
    Line(out, "  and delta",
         absl::StrCat(CrlText(evidence.delta()),
                      by_delta ? ", which decides" : ""));
  }
  if (!evidence.crl_scope().empty()) {
    Line(out, "  for", Printable(evidence.crl_scope()));
  }
}

// What an entry does to its certificate.
std::string EntryStatus(const v1::RevocationEvidence& entry) {
  if (entry.reason() == v1::REVOCATION_REASON_REMOVE_FROM_CRL) {
    return "taken off by a delta CRL; lifts a hold, but no revocation";
  }
  switch (entry.status()) {
    case v1::REVOCATION_STATUS_REVOKED:
      return "revoked";
    case v1::REVOCATION_STATUS_ON_HOLD:
      return "on hold; counts as revoked";
    default:
      return "of a kind that this version does not know";
  }
}

void EntryLines(const v1::RevocationEntry& entry, std::string* out) {
  const v1::RevocationEvidence& evidence = entry.evidence();
  Line(out, "Issuer", Printable(entry.issuer()));
  Line(out, "Scope", Printable(entry.scope()));
  Line(out, "Status", EntryStatus(evidence));
  Line(out, "Revoked at", TimeText(evidence.revoked_at()));
  if (v1::RevocationReason_IsValid(evidence.reason()) &&
      evidence.reason() != v1::REVOCATION_REASON_UNSPECIFIED) {
    // The contract's numbers are one more than RFC 5280's.
    Line(out, "Reason",
         ReasonName(static_cast<uint8_t>(evidence.reason() - 1)));
  }
  if (evidence.has_invalidity_date()) {
    Line(out, "Invalid since", TimeText(evidence.invalidity_date()));
  }
  Line(out, "CRL", CrlText(evidence));
}

void CheckLines(const v1::Verdict& verdict, std::string* out) {
  absl::StrAppend(out, "Checks\n");
  for (const v1::Check& check : verdict.checks()) {
    std::string result = Shortened(v1::CheckResult_Name(check.result()),
                                   sizeof("CHECK_RESULT_") - 1);
    const std::string about =
        check.has_certificate_index()
            ? absl::StrCat("certificate ", check.certificate_index())
            : "filing";
    absl::StrAppendFormat(out, "  %-13s %-22s %-14s %s\n", result, check.name(),
                          about, check.rule());
    if (!check.detail().empty()) {
      absl::StrAppendFormat(out, "  %-13s %s\n", "", Printable(check.detail()));
    }
  }
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto octet = static_cast<unsigned char>(text[0]);
    const size_t length = Utf8Length(text);
    if (length == 0 || octet < 0x20 || octet == 0x7f) {
      absl::StrAppendFormat(&out, "\\x%02x", octet);
      text.remove_prefix(1);
    } else {
      out.append(text.substr(0, length));
      text.remove_prefix(length);
    }
  }
  return out;
}

std::string SnapshotText(const v1::SnapshotId& snapshot) {
  return absl::StrCat(snapshot.generation(), " (",
                      absl::BytesToHexString(snapshot.digest()).substr(0, 16),
                      ")");
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC",
                          absl::FromUnixSeconds(time.seconds()),
                          absl::UTCTimeZone());
}

std::string VerdictText(const v1::Verdict& verdict,
                        std::string_view judged_by) {
  std::string out = Shortened(v1::Indication_Name(verdict.indication()),
                              sizeof("INDICATION_") - 1);
  if (verdict.sub_indication() != v1::SUB_INDICATION_UNSPECIFIED) {
    absl::StrAppend(&out, " ", SubIndicationName(verdict.sub_indication()));
  }
  absl::StrAppend(&out, ": ", IndicationMeaning(verdict.indication()), "\n");
  if (!verdict.diagnostic().empty()) {
    Line(&out, "Reason", Printable(verdict.diagnostic()));
  }
  if (verdict.has_certificate_index()) {
    Line(&out, "At fault",
         verdict.certificate_index() == 0
             ? std::string("the signer's certificate")
             : absl::StrCat("certificate ", verdict.certificate_index(),
                            " above the signer's"));
  }
  if (!verdict.filing_id().empty()) {
    Line(&out, "Filing", Printable(verdict.filing_id()));
  }
  if (verdict.has_certificate()) {
    CertificateLines(verdict.certificate(), &out);
  } else {
    Line(&out, "Certificate", "could not be read");
  }
  if (verdict.has_revocation()) RevocationLines(verdict.revocation(), &out);
  Line(&out, "Judged as of", TimeText(verdict.verification_time()));
  Line(&out, "Judged by",
       absl::StrCat(std::string(judged_by), ", snapshot ",
                    SnapshotText(verdict.snapshot())));
  if (verdict.checks_size() > 0) CheckLines(verdict, &out);
  return out;
}

std::string LookupText(const v1::LookupRevocationRequest& asked,
                       const v1::LookupRevocationResponse& found) {
  const bool nothing_searched = found.partitions_searched() == 0;
  std::string out = absl::StrCat(
      "0x", asked.serial_number(), ": ",
      found.entries_size() > 0 ? "listed\n"
      : nothing_searched       ? "nothing can be said: no CRL was searched\n"
                               : "not listed\n");
  Line(&out, "Searched",
       absl::StrCat(found.partitions_searched(), " partition(s) of profile ",
                    Printable(asked.profile()), ", snapshot ",
                    SnapshotText(found.snapshot())));
  for (const v1::RevocationEntry& entry : found.entries()) {
    if (found.entries_size() > 1) absl::StrAppend(&out, "\n");
    EntryLines(entry, &out);
  }
  if (nothing_searched) {
    absl::StrAppend(
        &out,
        asked.issuer().empty()
            ? "The profile has no CRL in use: inkan status says why.\n"
            : "The profile has no CRL of this issuer in use. inkan status "
              "--format json names the issuers of all there are.\n");
  } else if (found.entries_size() == 0) {
    absl::StrAppend(&out,
                    "That says no more than the CRLs searched cover: inkan "
                    "status lists them.\n");
  }
  return out;
}

}  // namespace inkan
