#include "server/convert.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cache/crl_data.h"
#include "crypto/oid.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/filing_batch.h"
#include "server/status_report.h"
#include "server/verdict_writer.h"

namespace inkan {
namespace {

using ::testing::ElementsAre;

constexpr Outcome kOutcomes[] = {
#define INKAN_LIST(name, indication, sub_indication) Outcome::name,
    INKAN_OUTCOMES(INKAN_LIST)
#undef INKAN_LIST
};

// The verdict as it is sent; what was written is just what protobuf would have.
void VerdictToProto(const FilingVerdict& verdict, v1::Verdict* out) {
  Snapshot snapshot;
  snapshot.generation = 5;
  snapshot.digest.fill(9);
  std::string octets;
  AppendVerdict(verdict, {"an id", &snapshot, 1'700'000'000}, &octets);
  v1::VerifyResponse response;
  ASSERT_TRUE(response.ParseFromString(octets));
  EXPECT_EQ(response.SerializeAsString(), octets);
  *out = response.verdict();
  EXPECT_EQ(out->filing_id(), "an id");
  EXPECT_EQ(out->snapshot().generation(), 5U);
  EXPECT_EQ(out->snapshot().digest(), std::string(32, '\x09'));
  EXPECT_EQ(out->verification_time().seconds(), 1'700'000'000);
}

TEST(ConvertTest, OnlyPassedIsTotalPassed) {
  for (const Outcome outcome : kOutcomes) {
    FilingVerdict verdict;
    verdict.outcome = outcome;
    v1::Verdict proto;
    VerdictToProto(verdict, &proto);
    EXPECT_EQ(proto.indication() == v1::INDICATION_TOTAL_PASSED,
              outcome == Outcome::kPassed)
        << OutcomeName(outcome);
    EXPECT_EQ(proto.sub_indication() == v1::SUB_INDICATION_UNSPECIFIED,
              outcome == Outcome::kPassed)
        << OutcomeName(outcome);
    EXPECT_NE(proto.indication(), v1::INDICATION_UNSPECIFIED);
  }
}

TEST(ConvertTest, SubIndicationsKeepTheirNames) {
  for (const Outcome outcome : kOutcomes) {
    if (outcome == Outcome::kPassed) continue;
    EXPECT_EQ(v1::SubIndication_Name(SubIndicationOf(outcome)),
              "SUB_INDICATION_" + std::string(OutcomeName(outcome)));
  }
}

TEST(ConvertTest, AVerdictNobodyFilledInIsGeneric) {
  v1::Verdict proto;
  VerdictToProto(FilingVerdict(), &proto);
  EXPECT_EQ(proto.indication(), v1::INDICATION_INDETERMINATE);
  EXPECT_EQ(proto.sub_indication(), v1::SUB_INDICATION_GENERIC);
  EXPECT_FALSE(proto.has_certificate());
  EXPECT_FALSE(proto.has_revocation());
  EXPECT_FALSE(proto.has_certificate_index());
}

TEST(ConvertTest, EveryAlgorithmOfTheContractIsOneOfOurs) {
  for (int number = 1; number < v1::SignatureAlgorithm_ARRAYSIZE; ++number) {
    const auto algorithm = static_cast<v1::SignatureAlgorithm>(number);
    EXPECT_NE(AlgorithmFromProto(algorithm).scheme, SignatureScheme::kUnknown)
        << v1::SignatureAlgorithm_Name(algorithm);
  }
  EXPECT_EQ(AlgorithmFromProto(v1::SIGNATURE_ALGORITHM_UNSPECIFIED).scheme,
            SignatureScheme::kUnknown);
  EXPECT_EQ(AlgorithmFromProto(static_cast<v1::SignatureAlgorithm>(99)).scheme,
            SignatureScheme::kUnknown);
  EXPECT_EQ(AlgorithmFromProto(v1::SIGNATURE_ALGORITHM_RSA_PSS_SHA512),
            (SignatureAlgorithm{SignatureScheme::kRsaPss,
                                HashAlgorithm::kSha512, 64}));
}

TEST(ConvertTest, NumbersLoseLeadingZerosAndOctetsDoNot) {
  const uint8_t padded[] = {0x00, 0x80, 0x01};
  EXPECT_EQ(ToHex(padded), "008001");
  EXPECT_EQ(NumberToHex(padded), "8001");
  const uint8_t zero[] = {0x00};
  EXPECT_EQ(NumberToHex(zero), "00");
}

TEST(ConvertTest, EvidenceNamesTheEntryAndItsCrl) {
  CrlData crl;
  crl.this_update = 1000;
  crl.has_next_update = true;
  crl.next_update = 2000;
  crl.crl_number = std::string("\x00\xff", 2);
  crl.sha256.fill(7);
  crl.scope_text = "CN=somewhere";
  RevocationEvidence evidence;
  evidence.status = RevocationStatus::kOnHold;
  evidence.has_entry = true;
  evidence.entry = {900, crl_reason::kCertificateHold, true, 800};
  evidence.crl = &crl;
  v1::RevocationEvidence proto;
  EvidenceToProto(evidence, &proto);
  EXPECT_EQ(proto.status(), v1::REVOCATION_STATUS_ON_HOLD);
  EXPECT_EQ(proto.revoked_at().seconds(), 900);
  EXPECT_EQ(proto.invalidity_date().seconds(), 800);
  EXPECT_EQ(proto.reason(), v1::REVOCATION_REASON_CERTIFICATE_HOLD);
  EXPECT_EQ(proto.crl_number(), "ff");
  EXPECT_EQ(proto.this_update().seconds(), 1000);
  EXPECT_EQ(proto.next_update().seconds(), 2000);
  EXPECT_EQ(proto.crl_sha256(), std::string(32, '\x07'));
  EXPECT_EQ(proto.crl_scope(), "CN=somewhere");
  // No delta was read over it.
  EXPECT_FALSE(proto.has_delta());
  EXPECT_FALSE(proto.has_complete());
}

// The four fields by which evidence names a CRL.
template <typename Message>
std::string CrlOf(const Message& crl) {
  return absl::StrCat(crl.crl_number(), " ", crl.this_update().seconds(), " ",
                      crl.has_next_update() ? crl.next_update().seconds() : -1,
                      " ", crl.crl_sha256());
}

TEST(ConvertTest, EvidenceOfADeltaNamesTheDeltaAndTheCompleteCrl) {
  CrlData complete;
  complete.this_update = 1000;
  complete.has_next_update = true;
  complete.next_update = 2000;
  complete.crl_number = "\x0a";
  complete.sha256.fill('c');
  CrlData delta;
  delta.this_update = 1100;
  delta.has_next_update = true;
  delta.next_update = 3000;
  delta.crl_number = std::string("\x00\xfc", 2);
  delta.sha256.fill('d');
  const std::string complete_text = "0a 1000 2000 " + std::string(32, 'c');
  const std::string delta_text = "fc 1100 3000 " + std::string(32, 'd');
  for (const bool decided_by_delta : {false, true}) {
    RevocationEvidence evidence;
    evidence.crl = decided_by_delta ? &delta : &complete;
    evidence.complete = &complete;
    evidence.delta = &delta;
    v1::RevocationEvidence proto;
    EvidenceToProto(evidence, &proto);
    EXPECT_EQ(CrlOf(proto), decided_by_delta ? delta_text : complete_text);
    EXPECT_EQ(CrlOf(proto.delta()), delta_text);
    EXPECT_EQ(CrlOf(proto.complete()), complete_text);
  }
  delta.has_next_update = false;
  delta.crl_number.clear();
  RevocationEvidence evidence;
  evidence.crl = evidence.complete = &complete;
  evidence.delta = &delta;
  v1::RevocationEvidence proto;
  EvidenceToProto(evidence, &proto);
  EXPECT_EQ(CrlOf(proto.delta()), " 1100 -1 " + std::string(32, 'd'));
}

TEST(ConvertTest, EvidenceWithoutEntryOrCrlSaysSo) {
  RevocationEvidence evidence;
  v1::RevocationEvidence proto;
  EvidenceToProto(evidence, &proto);
  EXPECT_EQ(proto.status(), v1::REVOCATION_STATUS_UNKNOWN);
  EXPECT_FALSE(proto.has_revoked_at());
  EXPECT_FALSE(proto.has_this_update());
  EXPECT_EQ(proto.reason(), v1::REVOCATION_REASON_UNSPECIFIED);
}

TEST(ConvertTest, ReasonCodesAreShiftedByOne) {
  const auto convert = [](uint8_t code) {
    RevocationEvidence evidence;
    evidence.has_entry = true;
    evidence.entry.reason = code;
    v1::RevocationEvidence proto;
    EvidenceToProto(evidence, &proto);
    return proto.reason();
  };
  EXPECT_EQ(convert(0), v1::REVOCATION_REASON_NOT_GIVEN);
  EXPECT_EQ(convert(1), v1::REVOCATION_REASON_KEY_COMPROMISE);
  EXPECT_EQ(convert(6), v1::REVOCATION_REASON_CERTIFICATE_HOLD);
  EXPECT_EQ(convert(7), v1::REVOCATION_REASON_NOT_GIVEN);  // unused by X.509
  EXPECT_EQ(convert(8), v1::REVOCATION_REASON_REMOVE_FROM_CRL);
  EXPECT_EQ(convert(10), v1::REVOCATION_REASON_AA_COMPROMISE);
  EXPECT_EQ(convert(200), v1::REVOCATION_REASON_NOT_GIVEN);
}

TEST(ConvertTest, ChecksKeepOrderNameRuleAndPlace) {
  FilingVerdict verdict;
  verdict.checks = {{CheckId::kFilingFormat, CheckResult::kPassed, -1, ""},
                    {CheckId::kValidity, CheckResult::kFailed, 0, "too late"},
                    {CheckId::kRevocation, CheckResult::kIndeterminate, 1, ""},
                    {CheckId::kFilingSignature, CheckResult::kSkipped, -1, ""}};
  verdict.certificate_index = 0;
  v1::Verdict proto;
  VerdictToProto(verdict, &proto);
  EXPECT_TRUE(proto.has_certificate_index());
  ASSERT_EQ(proto.checks_size(), 4);
  EXPECT_EQ(proto.checks(0).name(), "filing_format");
  EXPECT_EQ(proto.checks(0).result(), v1::CHECK_RESULT_PASSED);
  EXPECT_FALSE(proto.checks(0).has_certificate_index());
  EXPECT_EQ(proto.checks(1).rule(), "RFC 5280 6.1.3 (a)(2)");
  EXPECT_EQ(proto.checks(1).detail(), "too late");
  EXPECT_EQ(proto.checks(1).certificate_index(), 0U);
  EXPECT_EQ(proto.checks(2).result(), v1::CHECK_RESULT_INDETERMINATE);
  EXPECT_EQ(proto.checks(3).result(), v1::CHECK_RESULT_SKIPPED);
}

TEST(ConvertTest, TheIssuersTextIsTheSnapshotsOrTheCertificatesOwn) {
  const uint8_t name[] = {0x30, 0x0d, 0x31, 0x0b, 0x30, 0x09, 0x06, 0x03,
                          0x55, 0x04, 0x06, 0x13, 0x02, 'J',  'P'};
  FilingVerdict verdict;
  verdict.has_certificate = true;
  verdict.certificate.subject = name;
  verdict.certificate.issuer = name;
  v1::Verdict own;
  VerdictToProto(verdict, &own);
  EXPECT_EQ(own.certificate().subject(), "C=JP");
  EXPECT_EQ(own.certificate().issuer(), "C=JP");
  verdict.issuer_text = "CN=ready";
  v1::Verdict ready;
  VerdictToProto(verdict, &ready);
  EXPECT_EQ(ready.certificate().issuer(), "CN=ready");
}

TEST(ConvertTest, PoliciesAreDottedAndTheSnapshotIsNamed) {
  const std::string policy = *OidFromText("1.2.392.200149.8.5.1.1.20");
  FilingVerdict verdict;
  verdict.has_certificate = true;
  // An empty Name: SEQUENCE of nothing.
  const uint8_t name[] = {0x30, 0x00};
  verdict.certificate.subject = name;
  verdict.certificate.issuer = name;
  verdict.valid_policies.push_back(AsBytes(policy));
  v1::Verdict proto;
  VerdictToProto(verdict, &proto);
  EXPECT_THAT(proto.certificate().valid_policies(),
              ElementsAre("1.2.392.200149.8.5.1.1.20"));
  Snapshot snapshot;
  snapshot.generation = 5;
  snapshot.digest.fill(9);
  v1::SnapshotId id;
  SnapshotToProto(snapshot, &id);
  EXPECT_EQ(id.generation(), 5U);
  EXPECT_EQ(id.digest(), std::string(32, '\x09'));
}

// Lengths of one, two and three octets, and times on both sides of 1970.
TEST(ConvertTest, WhatIsWrittenIsWhatProtobufWrites) {
  for (const size_t size : {0, 1, 127, 128, 129, 16'383, 16'384, 300'000}) {
    const std::string text(size, 't');
    FilingVerdict verdict;
    verdict.outcome = Outcome::kRevoked;
    verdict.diagnostic = text;
    verdict.certificate_index = static_cast<int>(size);
    verdict.has_certificate = true;
    verdict.issuer_text = text;
    verdict.certificate.validity = {-static_cast<int64_t>(size),
                                    static_cast<int64_t>(size) << 20};
    const uint8_t name[] = {0x30, 0x00};
    verdict.certificate.subject = name;
    verdict.certificate.serial =
        AsBytes(text).first(std::min<size_t>(size, 21));
    verdict.checks = {{CheckId::kValidity, CheckResult::kFailed,
                       static_cast<int>(size), text}};
    CrlData crl;
    crl.scope_text = text;
    crl.crl_number = text;
    crl.this_update = static_cast<int64_t>(size);
    verdict.has_revocation = true;
    verdict.revocation.crl = &crl;
    verdict.revocation.delta = &crl;
    verdict.revocation.complete = &crl;
    v1::Verdict proto;
    VerdictToProto(verdict, &proto);
    EXPECT_EQ(proto.diagnostic(), text);
    EXPECT_EQ(proto.certificate_index(), size);
    EXPECT_EQ(proto.certificate().issuer(), text);
    EXPECT_EQ(proto.certificate().subject(), "");
    EXPECT_EQ(proto.certificate().serial_number().size(),
              2 * verdict.certificate.serial.size());
    EXPECT_EQ(proto.certificate().not_before().seconds(),
              verdict.certificate.validity.not_before);
    EXPECT_EQ(proto.certificate().not_after().seconds(),
              verdict.certificate.validity.not_after);
    EXPECT_EQ(proto.revocation().crl_scope(), text);
    EXPECT_EQ(proto.revocation().complete().crl_number().size(), 2 * size);
    EXPECT_EQ(proto.revocation().this_update().seconds(), size);
    ASSERT_EQ(proto.checks_size(), 1);
    EXPECT_EQ(proto.checks(0).detail(), text);
  }
}

TEST(ConvertTest, QualifiersGoWithTheirPolicies) {
  const std::string policy = *OidFromText("1.2.392.200149.8.5.1.1.20");
  // A CPS pointer "http://c", then a user notice "n" of "L", number 3.
  const std::string qualifiers =
      std::string(
          "\x30\x14\x06\x08\x2b\x06\x01\x05\x05\x07\x02\x01\x16\x08"
          "http://c") +
      "\x30\x19\x06\x08\x2b\x06\x01\x05\x05\x07\x02\x02\x30\x0d"
      "\x30\x08\x0c\x01L\x30\x03\x02\x01\x03\x0c\x01n";
  FilingVerdict verdict;
  verdict.has_certificate = true;
  verdict.policy_qualifiers.push_back({AsBytes(policy), AsBytes(qualifiers)});
  v1::Verdict proto;
  VerdictToProto(verdict, &proto);
  ASSERT_EQ(proto.certificate().policy_qualifiers_size(), 2);
  const auto& pointer = proto.certificate().policy_qualifiers(0);
  EXPECT_EQ(pointer.policy(), "1.2.392.200149.8.5.1.1.20");
  EXPECT_EQ(pointer.cps_uri(), "http://c");
  const auto& notice = proto.certificate().policy_qualifiers(1);
  EXPECT_EQ(notice.notice_text(), "n");
  EXPECT_EQ(notice.notice_organization(), "L");
  EXPECT_THAT(notice.notice_numbers(), ElementsAre(3));
}

class JudgedBatch final : public FilingBatch {
 public:
  using FilingBatch::FilingBatch;
  void Finished(ItemResult /*result*/) override {}
};

// Workers judge the pieces of a request in any order; a list with a gap is
// none.
TEST(AnsweredItem, PiecesComeInTheOrderOfTheirFilingsOrNotAtAll) {
  const Limits limits;
  RequestContext context;
  context.limits = &limits;
  v1::BatchVerifyRequest message;
  for (const char* id : {"a", "b", "c", "d"}) {
    message.add_filings()->set_filing_id(id);
  }
  const std::string sent = message.SerializeAsString();
  Request request;
  ASSERT_TRUE(
      request.Read(RequestKind::kBatchVerify, AsBytes(sent), limits).ok());
  const Snapshot snapshot;
  const std::vector<FilingVerdict> verdicts(2);
  const auto judge = [&](JudgedBatch* item, size_t first, size_t count) {
    item->TakeVerdicts(snapshot, first,
                       absl::MakeConstSpan(verdicts).first(count), nullptr);
  };
  JudgedBatch whole(request, context);
  judge(&whole, 3, 1);
  judge(&whole, 0, 1);
  judge(&whole, 1, 2);
  std::string octets;
  for (const std::string& piece : whole.TakeAnswer()) octets += piece;
  v1::BatchVerifyResponse response;
  ASSERT_TRUE(response.ParseFromString(octets));
  ASSERT_EQ(response.verdicts_size(), 4);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(response.verdicts(i).filing_id(), message.filings(i).filing_id());
  }
  EXPECT_THAT(whole.TakeAnswer(), ::testing::IsEmpty());
  for (const size_t missing : {0, 1, 3}) {
    JudgedBatch gap(request, context);
    for (const size_t first : {0, 1, 3}) {
      if (first != missing) judge(&gap, first, first == 1 ? 2 : 1);
    }
    EXPECT_THAT(gap.TakeAnswer(), ::testing::IsEmpty()) << missing;
  }
}

// A message with one octet that is no UTF-8 in it cannot be read at all.
TEST(StatusReport, WhatOthersSaidIsUtf8WhateverItWas) {
  const std::string broken = "cn=\xff\xe6\x9d,c=JP";
  CrlSourceStatus source;
  source.source = "ldap://host/" + broken;
  source.last_error = "Content-Encoding: " + broken;
  google::protobuf::RepeatedPtrField<v1::CrlSourceStatus> statuses;
  ReportSources({source}, &statuses);
  google::protobuf::RepeatedPtrField<v1::CrlSourceError> errors;
  ReportSourceErrors(
      {{source.source, source.last_error, absl::UnixEpoch(), false}}, &errors);
  v1::CrlSourceStatus status;
  EXPECT_TRUE(status.ParseFromString(statuses[0].SerializeAsString()));
  EXPECT_EQ(status.source(), "ldap://host/cn=\\xff\\xe6\\x9d,c=JP");
  v1::CrlSourceError error;
  EXPECT_TRUE(error.ParseFromString(errors[0].SerializeAsString()));
  EXPECT_EQ(error.error(), "Content-Encoding: cn=\\xff\\xe6\\x9d,c=JP");
  // What is UTF-8 stays as it is.
  source.source = "ldap://host/cn=\xe6\x9d\xb1,c=JP";
  ReportSources({source}, &statuses);
  EXPECT_EQ(statuses[1].source(), source.source);
}

}  // namespace
}  // namespace inkan
