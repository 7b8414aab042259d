#include "server/convert.h"

#include "cache/crl_data.h"
#include "crypto/name.h"
#include "crypto/oid.h"
#include "crypto/policy_qualifier.h"

namespace inkan {
namespace {

// 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z, the range of Timestamp.
constexpr int64_t kTimestampMin = -62135596800;
constexpr int64_t kTimestampMax = 253402300799;

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

void QualifiersToProto(const QualifiedPolicy& qualified,
                       v1::CertificateFacts* out) {
  for (const PolicyQualifier& one :
       ReadPolicyQualifiers(qualified.qualifiers)) {
    v1::PolicyQualifier* to = out->add_policy_qualifiers();
    to->set_policy(OidToText(qualified.policy));
    to->set_cps_uri(one.cps_uri);
    to->set_notice_text(one.notice_text);
    to->set_notice_organization(one.notice_organization);
    for (const uint64_t number : one.notice_numbers) {
      to->add_notice_numbers(number);
    }
  }
}

void FactsToProto(const FilingVerdict& verdict, v1::CertificateFacts* out) {
  const Certificate& certificate = verdict.certificate;
  // Written where they stay: these are most of what an answer costs.
  AppendHex(certificate.serial, out->mutable_serial_number());
  AppendNameText(certificate.subject, out->mutable_subject());
  if (!verdict.issuer_text.empty()) {
    out->set_issuer(verdict.issuer_text.data(), verdict.issuer_text.size());
  } else {
    AppendNameText(certificate.issuer, out->mutable_issuer());
  }
  TimeToProto(certificate.validity.not_before, out->mutable_not_before());
  TimeToProto(certificate.validity.not_after, out->mutable_not_after());
  out->set_sha256_fingerprint(verdict.fingerprint.data(),
                              verdict.fingerprint.size());
  for (const Bytes policy : verdict.valid_policies) {
    AppendOidText(policy, out->add_valid_policies());
  }
  for (const QualifiedPolicy& qualified : verdict.policy_qualifiers) {
    QualifiersToProto(qualified, out);
  }
}

void ChecksToProto(const FilingVerdict& verdict, v1::Verdict* out) {
  for (const CheckRecord& record : verdict.checks) {
    v1::Check* check = out->add_checks();
    const std::string_view name = CheckName(record.check);
    const std::string_view rule = CheckRule(record.check);
    check->set_name(name.data(), name.size());
    check->set_rule(rule.data(), rule.size());
    check->set_result(CheckResultToProto(record.result));
    if (record.certificate_index >= 0) {
      check->set_certificate_index(
          static_cast<uint32_t>(record.certificate_index));
    }
    check->set_detail(record.detail);
  }
}

}  // namespace

SignatureAlgorithm AlgorithmFromProto(v1::SignatureAlgorithm algorithm) {
  using enum SignatureScheme;
  using enum HashAlgorithm;
  switch (algorithm) {
    case v1::SIGNATURE_ALGORITHM_RSA_PKCS1_SHA256:
      return {kRsaPkcs1, kSha256, 0};
    case v1::SIGNATURE_ALGORITHM_RSA_PKCS1_SHA384:
      return {kRsaPkcs1, kSha384, 0};
    case v1::SIGNATURE_ALGORITHM_RSA_PKCS1_SHA512:
      return {kRsaPkcs1, kSha512, 0};
    case v1::SIGNATURE_ALGORITHM_RSA_PSS_SHA256:
      return {kRsaPss, kSha256, 32};
    case v1::SIGNATURE_ALGORITHM_RSA_PSS_SHA384:
      return {kRsaPss, kSha384, 48};
    case v1::SIGNATURE_ALGORITHM_RSA_PSS_SHA512:
      return {kRsaPss, kSha512, 64};
    case v1::SIGNATURE_ALGORITHM_ECDSA_SHA256:
      return {kEcdsa, kSha256, 0};
    case v1::SIGNATURE_ALGORITHM_ECDSA_SHA384:
      return {kEcdsa, kSha384, 0};
    case v1::SIGNATURE_ALGORITHM_ECDSA_SHA512:
      return {kEcdsa, kSha512, 0};
    case v1::SIGNATURE_ALGORITHM_RSA_PKCS1_SHA1:
      return {kRsaPkcs1, kSha1, 0};
    case v1::SIGNATURE_ALGORITHM_RSA_PKCS1_MD5:
      return {kRsaPkcs1, kMd5, 0};
    default:
      return {};
  }
}

v1::Indication IndicationOf(Outcome outcome) {
  switch (outcome) {
#define INKAN_CASE(name, indication, sub_indication) \
  case Outcome::name:                                \
    return v1::INDICATION_##indication;
    // One case an outcome, though many share an indication.
    INKAN_OUTCOMES(INKAN_CASE)  // NOLINT(bugprone-branch-clone)
#undef INKAN_CASE
  }
  return v1::INDICATION_INDETERMINATE;
}

v1::SubIndication SubIndicationOf(Outcome outcome) {
  switch (outcome) {
#define INKAN_CASE(name, indication, sub_indication) \
  case Outcome::name:                                \
    return v1::SUB_INDICATION_##sub_indication;
    INKAN_OUTCOMES(INKAN_CASE)
#undef INKAN_CASE
  }
  return v1::SUB_INDICATION_GENERIC;
}

void TimeToProto(int64_t unix_seconds, google::protobuf::Timestamp* out) {
  out->set_seconds(unix_seconds);
}

std::optional<int64_t> TimeFromProto(const google::protobuf::Timestamp& time) {
  if (time.seconds() < kTimestampMin || time.seconds() > kTimestampMax ||
      time.nanos() < 0 || time.nanos() > 999999999) {
    return std::nullopt;
  }
  return time.seconds();
}

std::string ToHex(Bytes bytes) {
  std::string text;
  AppendHex(bytes, &text);
  return text;
}

void AppendHex(Bytes bytes, std::string* text) {
  constexpr char kDigits[] = "0123456789abcdef";
  const size_t before = text->size();
  text->resize(before + 2 * bytes.size());
  char* out = text->data() + before;
  for (const uint8_t octet : bytes) {
    *out++ = kDigits[octet >> 4];
    *out++ = kDigits[octet & 15];
  }
}

namespace {

Bytes WithoutLeadingZeros(Bytes integer) {
  while (integer.size() > 1 && integer[0] == 0) integer.remove_prefix(1);
  return integer;
}

}  // namespace

std::string NumberToHex(Bytes integer) {
  return ToHex(WithoutLeadingZeros(integer));
}

namespace {

// RevocationEvidence and CrlReference name these fields alike.
template <typename Message>
void CrlToProto(const CrlData& crl, Message* out) {
  if (!crl.crl_number.empty()) {
    AppendHex(WithoutLeadingZeros(AsBytes(crl.crl_number)),
              out->mutable_crl_number());
  }
  TimeToProto(crl.this_update, out->mutable_this_update());
  if (crl.has_next_update) {
    TimeToProto(crl.next_update, out->mutable_next_update());
  }
  out->set_crl_sha256(crl.sha256.data(), crl.sha256.size());
}

}  // namespace

void SnapshotToProto(const Snapshot& snapshot, v1::SnapshotId* out) {
  out->set_generation(snapshot.generation);
  out->set_digest(snapshot.digest.data(), snapshot.digest.size());
}

void EvidenceToProto(const RevocationEvidence& evidence,
                     v1::RevocationEvidence* out) {
  out->set_status(StatusToProto(evidence.status));
  if (evidence.has_entry) {
    TimeToProto(evidence.entry.revoked_at, out->mutable_revoked_at());
    if (evidence.entry.has_invalidity_date) {
      TimeToProto(evidence.entry.invalidity_date,
                  out->mutable_invalidity_date());
    }
    out->set_reason(ReasonToProto(evidence.entry.reason));
  }
  const CrlData* crl = evidence.crl;
  if (crl == nullptr) return;
  CrlToProto(*crl, out);
  out->set_crl_scope(crl->scope_text);
  if (evidence.delta == nullptr) return;
  CrlToProto(*evidence.delta, out->mutable_delta());
  CrlToProto(*evidence.complete, out->mutable_complete());
}

void VerdictToProto(const FilingVerdict& verdict, v1::Verdict* out) {
  out->set_indication(IndicationOf(verdict.outcome));
  out->set_sub_indication(SubIndicationOf(verdict.outcome));
  out->set_diagnostic(verdict.diagnostic);
  if (verdict.certificate_index >= 0) {
    out->set_certificate_index(
        static_cast<uint32_t>(verdict.certificate_index));
  }
  if (verdict.has_certificate) {
    FactsToProto(verdict, out->mutable_certificate());
  }
  if (verdict.has_revocation) {
    EvidenceToProto(verdict.revocation, out->mutable_revocation());
  }
  ChecksToProto(verdict, out);
}

}  // namespace inkan
