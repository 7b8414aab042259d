#include "server/verdict_writer.h"

#include "cache/crl_data.h"
#include "crypto/name.h"
#include "crypto/oid.h"
#include "crypto/policy_qualifier.h"
#include "server/convert.h"
#include "server/wire_writer.h"

namespace inkan {
namespace {

using v1::CertificateFacts;
using v1::Check;
using v1::CrlReference;
using v1::SnapshotId;
using v1::Verdict;
// As messages; our own values are of the namespace above.
using EvidenceMessage = v1::RevocationEvidence;
using QualifierMessage = v1::PolicyQualifier;

template <size_t kSize>
std::string_view AsView(const std::array<uint8_t, kSize>& octets) {
  return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

v1::CheckResult CheckResultToProto(CheckResult result) {
  switch (result) {
    case CheckResult::kPassed:
      return v1::CHECK_RESULT_PASSED;
    case CheckResult::kFailed:
      return v1::CHECK_RESULT_FAILED;
    case CheckResult::kIndeterminate:
      return v1::CHECK_RESULT_INDETERMINATE;
    case CheckResult::kSkipped:
      return v1::CHECK_RESULT_SKIPPED;
  }
  return v1::CHECK_RESULT_INDETERMINATE;
}

v1::RevocationStatus StatusToProto(RevocationStatus status) {
  switch (status) {
    case RevocationStatus::kUnknown:
      return v1::REVOCATION_STATUS_UNKNOWN;
    case RevocationStatus::kGood:
      return v1::REVOCATION_STATUS_GOOD;
    case RevocationStatus::kRevoked:
      return v1::REVOCATION_STATUS_REVOKED;
    case RevocationStatus::kOnHold:
      return v1::REVOCATION_STATUS_ON_HOLD;
    case RevocationStatus::kRevokedLater:
      return v1::REVOCATION_STATUS_REVOKED_LATER;
    case RevocationStatus::kNotChecked:
      return v1::REVOCATION_STATUS_NOT_CHECKED;
  }
  return v1::REVOCATION_STATUS_UNKNOWN;
}

// The contract's numbers are CRLReason's, shifted by one.
v1::RevocationReason ReasonToProto(uint8_t reason) {
  const int shifted = reason + 1;
  return v1::RevocationReason_IsValid(shifted)
             ? static_cast<v1::RevocationReason>(shifted)
             : v1::REVOCATION_REASON_NOT_GIVEN;
}

void WriteHex(int field, Bytes octets, WireWriter* writer) {
  if (octets.empty()) return;
  writer->Length(field, 2 * octets.size());
  AppendHex(octets, writer->out());
}

void WriteName(int field, Bytes name, WireWriter* writer) {
  const size_t begun = writer->Begin(field);
  AppendNameText(name, writer->out());
  writer->EndText(begun);
}

void WriteQualifiers(int field, const QualifiedPolicy& qualified,
                     WireWriter* writer) {
  for (const PolicyQualifier& one :
       ReadPolicyQualifiers(qualified.qualifiers)) {
    const size_t begun = writer->Begin(field);
    writer->Octets(QualifierMessage::kPolicyFieldNumber,
                   OidToText(qualified.policy));
    writer->Octets(QualifierMessage::kCpsUriFieldNumber, one.cps_uri);
    writer->Octets(QualifierMessage::kNoticeTextFieldNumber, one.notice_text);
    writer->Octets(QualifierMessage::kNoticeOrganizationFieldNumber,
                   one.notice_organization);
    const size_t packed =
        writer->Begin(QualifierMessage::kNoticeNumbersFieldNumber);
    for (const uint64_t number : one.notice_numbers) writer->Bare(number);
    writer->EndText(packed);
    writer->End(begun);
  }
}

void WriteFacts(int field, const FilingVerdict& verdict, WireWriter* writer) {
  const Certificate& certificate = verdict.certificate;
  const size_t begun = writer->Begin(field);
  WriteHex(CertificateFacts::kSerialNumberFieldNumber, certificate.serial,
           writer);
  WriteName(CertificateFacts::kSubjectFieldNumber, certificate.subject, writer);
  if (!verdict.issuer_text.empty()) {
    writer->Octets(CertificateFacts::kIssuerFieldNumber, verdict.issuer_text);
  } else {
    WriteName(CertificateFacts::kIssuerFieldNumber, certificate.issuer, writer);
  }
  writer->Time(CertificateFacts::kNotBeforeFieldNumber,
               certificate.validity.not_before);
  writer->Time(CertificateFacts::kNotAfterFieldNumber,
               certificate.validity.not_after);
  writer->Octets(CertificateFacts::kSha256FingerprintFieldNumber,
                 AsView(verdict.fingerprint));
  for (const Bytes policy : verdict.valid_policies) {
    const size_t text =
        writer->Begin(CertificateFacts::kValidPoliciesFieldNumber);
    AppendOidText(policy, writer->out());
    writer->End(text);
  }
  for (const QualifiedPolicy& qualified : verdict.policy_qualifiers) {
    WriteQualifiers(CertificateFacts::kPolicyQualifiersFieldNumber, qualified,
                    writer);
  }
  writer->End(begun);
}

// CrlReference has these fields in a row, and RevocationEvidence has.
void WriteCrl(int first_field, const CrlData& crl, WireWriter* writer) {
  if (!crl.crl_number.empty()) {
    WriteHex(first_field, WithoutLeadingZeros(AsBytes(crl.crl_number)), writer);
  }
  writer->Time(first_field + 1, crl.this_update);
  if (crl.has_next_update) writer->Time(first_field + 2, crl.next_update);
  writer->Octets(first_field + 3, AsView(crl.sha256));
}
template <int kFirst, int kThisUpdate, int kNextUpdate, int kSha256>
constexpr bool kInARow = kThisUpdate == kFirst + 1 &&
                         kNextUpdate == kFirst + 2 && kSha256 == kFirst + 3;
static_assert(kInARow<CrlReference::kCrlNumberFieldNumber,
                      CrlReference::kThisUpdateFieldNumber,
                      CrlReference::kNextUpdateFieldNumber,
                      CrlReference::kCrlSha256FieldNumber>);
static_assert(kInARow<EvidenceMessage::kCrlNumberFieldNumber,
                      EvidenceMessage::kThisUpdateFieldNumber,
                      EvidenceMessage::kNextUpdateFieldNumber,
                      EvidenceMessage::kCrlSha256FieldNumber>);

void WriteReference(int field, const CrlData& crl, WireWriter* writer) {
  const size_t begun = writer->Begin(field);
  WriteCrl(CrlReference::kCrlNumberFieldNumber, crl, writer);
  writer->End(begun);
}

void WriteEvidence(const RevocationEvidence& evidence, WireWriter* writer) {
  writer->EnumValue(EvidenceMessage::kStatusFieldNumber,
                    StatusToProto(evidence.status));
  if (evidence.has_entry) {
    writer->Time(EvidenceMessage::kRevokedAtFieldNumber,
                 evidence.entry.revoked_at);
    if (evidence.entry.has_invalidity_date) {
      writer->Time(EvidenceMessage::kInvalidityDateFieldNumber,
                   evidence.entry.invalidity_date);
    }
    writer->EnumValue(EvidenceMessage::kReasonFieldNumber,
                      ReasonToProto(evidence.entry.reason));
  }
  if (evidence.crl == nullptr) return;
  WriteCrl(EvidenceMessage::kCrlNumberFieldNumber, *evidence.crl, writer);
  writer->Octets(EvidenceMessage::kCrlScopeFieldNumber,
                 evidence.crl->scope_text);
  if (evidence.delta == nullptr) return;
  WriteReference(EvidenceMessage::kDeltaFieldNumber, *evidence.delta, writer);
  WriteReference(EvidenceMessage::kCompleteFieldNumber, *evidence.complete,
                 writer);
}

void WriteSnapshot(int field, const Snapshot& snapshot, WireWriter* writer) {
  const size_t begun = writer->Begin(field);
  writer->Number(SnapshotId::kGenerationFieldNumber, snapshot.generation);
  writer->Octets(SnapshotId::kDigestFieldNumber, AsView(snapshot.digest));
  writer->End(begun);
}

void WriteCheck(int field, const CheckRecord& record, WireWriter* writer) {
  const size_t begun = writer->Begin(field);
  writer->Octets(Check::kNameFieldNumber, CheckName(record.check));
  writer->EnumValue(Check::kResultFieldNumber,
                    CheckResultToProto(record.result));
  if (record.certificate_index >= 0) {
    writer->Present(Check::kCertificateIndexFieldNumber,
                    static_cast<uint64_t>(record.certificate_index));
  }
  writer->Octets(Check::kRuleFieldNumber, CheckRule(record.check));
  writer->Octets(Check::kDetailFieldNumber, record.detail);
  writer->End(begun);
}

}  // namespace

void AppendVerdict(const FilingVerdict& verdict, const VerdictHeading& heading,
                   std::string* out) {
  static_assert(v1::VerifyResponse::kVerdictFieldNumber == 1 &&
                v1::BatchVerifyResponse::kVerdictsFieldNumber == 1 &&
                v1::StreamVerifyResponse::kVerdictsFieldNumber == 1 &&
                v1::CheckCertificateResponse::kVerdictFieldNumber == 1);
  WireWriter writer(out);
  const size_t begun = writer.Begin(1);
  writer.Octets(Verdict::kFilingIdFieldNumber, heading.filing_id);
  writer.EnumValue(Verdict::kIndicationFieldNumber,
                   IndicationOf(verdict.outcome));
  writer.EnumValue(Verdict::kSubIndicationFieldNumber,
                   SubIndicationOf(verdict.outcome));
  writer.Octets(Verdict::kDiagnosticFieldNumber, verdict.diagnostic);
  if (verdict.certificate_index >= 0) {
    writer.Present(Verdict::kCertificateIndexFieldNumber,
                   static_cast<uint64_t>(verdict.certificate_index));
  }
  if (verdict.has_certificate) {
    WriteFacts(Verdict::kCertificateFieldNumber, verdict, &writer);
  }
  if (verdict.has_revocation) {
    const size_t evidence = writer.Begin(Verdict::kRevocationFieldNumber);
    WriteEvidence(verdict.revocation, &writer);
    writer.End(evidence);
  }
  WriteSnapshot(Verdict::kSnapshotFieldNumber, *heading.snapshot, &writer);
  writer.Time(Verdict::kVerificationTimeFieldNumber, heading.time);
  for (const CheckRecord& record : verdict.checks) {
    WriteCheck(Verdict::kChecksFieldNumber, record, &writer);
  }
  writer.End(begun);
}

void EvidenceToProto(const RevocationEvidence& evidence,
                     v1::RevocationEvidence* out) {
  std::string octets;
  WireWriter writer(&octets);
  WriteEvidence(evidence, &writer);
  // Texts from outside are made UTF-8 where they come in, or it would not
  // parse; half of it would say too little.
  if (!out->ParseFromString(octets)) out->Clear();
}

}  // namespace inkan
