// VerificationService over a real server on loopback.
#include "server/service.h"

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/lab/files.h"
#include "gmock/gmock.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/server/test_world.h"

namespace inkan {
namespace {

using testing::FieldOf;
using ::testing::HasSubstr;
using testing::RawClient;
using testing::ReasonOf;
using testing::TestWorld;
using testing::WorldTime;

class ServiceTest : public ::testing::Test {
 protected:
  // Small limits, so that their edges are cheap to reach.
  ServiceTest()
      : server_(world_.StartServer(world_.ConfigText(
            "limits { batch_filings_max: 1000 message_bytes_max: 8388608\n"
            "document_bytes_max: 1000 certificate_bytes_max: 2000\n"
            "intermediates_max: 2 stream_requests_in_flight_max: 2 }"))),
        client_(server_->port()) {}

  grpc::Status Verify(const v1::VerifyRequest& request, v1::Verdict* verdict) {
    grpc::ClientContext context;
    v1::VerifyResponse response;
    const grpc::Status status =
        client_.verification->Verify(&context, request, &response);
    *verdict = response.verdict();
    return status;
  }
  // The verdict on one filing; the call must succeed.
  v1::Verdict VerdictOn(const v1::Filing& filing, bool want_checks = false) {
    v1::VerifyRequest request;
    *request.mutable_filing() = filing;
    request.set_want_checks(want_checks);
    v1::Verdict verdict;
    const grpc::Status status = Verify(request, &verdict);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return verdict;
  }
  grpc::Status Batch(const v1::BatchVerifyRequest& request,
                     v1::BatchVerifyResponse* response) {
    grpc::ClientContext context;
    return client_.verification->BatchVerify(&context, request, response);
  }

  TestWorld world_;
  std::unique_ptr<Server> server_;
  RawClient client_;
};

TEST_F(ServiceTest, AGoodFilingPassesAndTheVerdictSaysWhy) {
  const v1::Verdict verdict = VerdictOn(world_.GoodFiling("filing 1"));
  EXPECT_EQ(verdict.indication(), v1::INDICATION_TOTAL_PASSED)
      << verdict.DebugString();
  EXPECT_EQ(verdict.sub_indication(), v1::SUB_INDICATION_UNSPECIFIED);
  EXPECT_EQ(verdict.filing_id(), "filing 1");
  EXPECT_EQ(verdict.verification_time().seconds(), WorldTime());
  EXPECT_EQ(verdict.certificate().serial_number(), "11");
  EXPECT_EQ(verdict.certificate().subject(), "CN=Signer 17,C=JP");
  EXPECT_EQ(verdict.certificate().issuer(), "CN=World CA,C=JP");
  EXPECT_EQ(verdict.certificate().sha256_fingerprint(),
            lab::Sha256Of(world_.signer()));
  EXPECT_EQ(verdict.revocation().status(), v1::REVOCATION_STATUS_GOOD);
  EXPECT_EQ(verdict.revocation().crl_number(), "07");
  EXPECT_EQ(verdict.snapshot().generation(), 1U);
  EXPECT_EQ(verdict.snapshot().digest().size(), 32U);
  EXPECT_EQ(verdict.checks_size(), 0);
}

TEST_F(ServiceTest, AVerdictThatRestsOnADeltaNamesIt) {
  const auto ask = [&](const v1::Filing& filing) {
    const v1::Verdict verdict = VerdictOn(filing, true);
    std::string notes;
    for (const v1::Check& check : verdict.checks()) {
      if (check.name() == "revocation") notes += check.detail();
    }
    return std::pair(verdict.revocation(), notes);
  };
  const auto take = [&](uint64_t number, const std::vector<uint64_t>& serials) {
    world_.AddDelta(number, serials);
    ASSERT_TRUE(server_->keeper().Refresh().ok());
  };
  EXPECT_FALSE(ask(world_.GoodFiling()).first.has_delta());
  ASSERT_NO_FATAL_FAILURE(take(8, {}));
  for (const v1::Filing& filing :
       {world_.GoodFiling(), world_.RevokedFiling()}) {
    const auto [evidence, note] = ask(filing);
    EXPECT_EQ(evidence.crl_number(), "07");
    EXPECT_EQ(evidence.complete().crl_number(), "07");
    EXPECT_EQ(evidence.complete().crl_sha256(), evidence.crl_sha256());
    EXPECT_EQ(evidence.delta().crl_number(), "08");
    EXPECT_EQ(evidence.delta().next_update().seconds(),
              WorldTime() + 2 * 86400);
    EXPECT_EQ(evidence.delta().crl_sha256(),
              lab::Sha256Of(*lab::ReadFile(world_.Path("crls/delta.crl"))));
    EXPECT_THAT(note, AllOf(HasSubstr("; CRL number 07 of "),
                            HasSubstr("; with delta CRL number 08 of ")));
  }
  ASSERT_NO_FATAL_FAILURE(take(9, {17}));
  const auto [evidence, note] = ask(world_.GoodFiling());
  EXPECT_EQ(evidence.status(), v1::REVOCATION_STATUS_REVOKED);
  EXPECT_EQ(evidence.reason(), v1::REVOCATION_REASON_SUPERSEDED);
  EXPECT_EQ(evidence.crl_number(), "09");
  EXPECT_EQ(evidence.crl_sha256(), evidence.delta().crl_sha256());
  EXPECT_EQ(evidence.complete().crl_number(), "07");
  EXPECT_THAT(note, AllOf(HasSubstr("; delta CRL number 09 of "),
                          HasSubstr("; over CRL number 07 of ")));
}

TEST_F(ServiceTest, ChecksAreListedWhenAskedFor) {
  const v1::Verdict verdict = VerdictOn(world_.GoodFiling(), true);
  ASSERT_GT(verdict.checks_size(), 5);
  for (const v1::Check& check : verdict.checks()) {
    EXPECT_EQ(check.result(), v1::CHECK_RESULT_PASSED) << check.name();
  }
}

TEST_F(ServiceTest, ABadFilingIsASuccessfulCall) {
  v1::Filing altered = world_.GoodFiling();
  altered.set_document("another tax return");
  EXPECT_EQ(VerdictOn(altered).sub_indication(),
            v1::SUB_INDICATION_HASH_FAILURE);
  const v1::Verdict revoked = VerdictOn(world_.RevokedFiling());
  EXPECT_EQ(revoked.indication(), v1::INDICATION_TOTAL_FAILED);
  EXPECT_EQ(revoked.sub_indication(), v1::SUB_INDICATION_REVOKED);
  EXPECT_EQ(revoked.revocation().reason(),
            v1::REVOCATION_REASON_KEY_COMPROMISE);
}

TEST_F(ServiceTest, WhatIsWrongWithAFilingIsAVerdict) {
  v1::Filing filing = world_.GoodFiling();
  filing.set_profile("nobody");
  const v1::Verdict unknown_profile = VerdictOn(filing);
  EXPECT_EQ(unknown_profile.indication(), v1::INDICATION_INDETERMINATE);
  EXPECT_EQ(unknown_profile.sub_indication(), v1::SUB_INDICATION_GENERIC);
  EXPECT_THAT(unknown_profile.diagnostic(), HasSubstr("nobody"));
  // However long its name is, little is told again, of whole characters.
  std::string name = "a";
  for (int i = 0; i < 100'000; ++i) name += "印";
  filing.set_profile(name);
  const std::string told = VerdictOn(filing).diagnostic();
  EXPECT_THAT(told, HasSubstr("'" + name.substr(0, 1 + 42 * 3) + "'"));

  filing = world_.GoodFiling();
  filing.clear_signature_algorithm();
  EXPECT_EQ(VerdictOn(filing).sub_indication(),
            v1::SUB_INDICATION_FORMAT_FAILURE);
  filing = world_.GoodFiling();
  filing.clear_certificate();
  EXPECT_EQ(VerdictOn(filing).sub_indication(),
            v1::SUB_INDICATION_FORMAT_FAILURE);
  filing = world_.GoodFiling();
  filing.clear_content();
  EXPECT_EQ(VerdictOn(filing).sub_indication(),
            v1::SUB_INDICATION_SIGNED_DATA_NOT_FOUND);
  EXPECT_EQ(VerdictOn(v1::Filing()).indication(), v1::INDICATION_INDETERMINATE);
}

TEST_F(ServiceTest, LimitsOfAFilingHoldAtThemAndPastThem) {
  const std::string at_limit(1000, 'x');
  EXPECT_EQ(VerdictOn(world_.FilingOver(at_limit)).indication(),
            v1::INDICATION_TOTAL_PASSED);
  const v1::Verdict long_document =
      VerdictOn(world_.FilingOver(at_limit + "x"));
  EXPECT_EQ(long_document.indication(), v1::INDICATION_TOTAL_FAILED);
  EXPECT_EQ(long_document.sub_indication(), v1::SUB_INDICATION_FORMAT_FAILURE);
  EXPECT_THAT(long_document.diagnostic(),
              AllOf(HasSubstr("document"), HasSubstr("1001"),
                    HasSubstr("limits.document_bytes_max (1000)")));

  v1::Filing filing = world_.GoodFiling();
  filing.add_intermediates(std::string(2000, 'x'));
  filing.add_intermediates(world_.ca());
  EXPECT_EQ(VerdictOn(filing).indication(), v1::INDICATION_TOTAL_PASSED);
  filing.add_intermediates(world_.ca());
  EXPECT_THAT(VerdictOn(filing).diagnostic(),
              HasSubstr("limits.intermediates_max (2)"));
  filing = world_.GoodFiling();
  filing.add_intermediates(std::string(2001, 'x'));
  EXPECT_THAT(VerdictOn(filing).diagnostic(), HasSubstr("intermediates[0]"));

  filing = world_.GoodFiling();
  filing.mutable_certificate()->resize(2001);
  const v1::Verdict long_certificate = VerdictOn(filing);
  EXPECT_EQ(long_certificate.sub_indication(),
            v1::SUB_INDICATION_FORMAT_FAILURE);
  EXPECT_THAT(long_certificate.diagnostic(),
              HasSubstr("limits.certificate_bytes_max (2000)"));
}

TEST_F(ServiceTest, AVerificationTimeMustBeATimestamp) {
  v1::Filing filing = world_.GoodFiling();
  filing.mutable_verification_time()->set_nanos(999999999);
  EXPECT_EQ(VerdictOn(filing).indication(), v1::INDICATION_TOTAL_PASSED);
  filing.mutable_verification_time()->set_nanos(1000000000);
  const v1::Verdict verdict = VerdictOn(filing);
  EXPECT_EQ(verdict.sub_indication(), v1::SUB_INDICATION_FORMAT_FAILURE);
  EXPECT_THAT(verdict.diagnostic(), HasSubstr("verification_time"));
}

TEST_F(ServiceTest, WithoutATimeTheServersClockIsUsed) {
  v1::Filing filing = world_.GoodFiling();
  filing.clear_verification_time();
  const int64_t before = absl::ToUnixSeconds(absl::Now());
  const v1::Verdict verdict = VerdictOn(filing);
  EXPECT_GE(verdict.verification_time().seconds(), before);
  EXPECT_LE(verdict.verification_time().seconds(),
            absl::ToUnixSeconds(absl::Now()));
}

TEST_F(ServiceTest, ARequestWithoutAFilingIsInvalid) {
  v1::Verdict verdict;
  const grpc::Status status = Verify(v1::VerifyRequest(), &verdict);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonOf(status), "inkan.dev/FILING_MISSING");
  EXPECT_EQ(FieldOf(status), "filing");
}

TEST_F(ServiceTest, AFilingIdHasAtMost128Octets) {
  EXPECT_EQ(VerdictOn(world_.GoodFiling(std::string(128, 'i'))).filing_id(),
            std::string(128, 'i'));
  v1::VerifyRequest request;
  *request.mutable_filing() = world_.GoodFiling(std::string(129, 'i'));
  v1::Verdict verdict;
  const grpc::Status status = Verify(request, &verdict);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(FieldOf(status), "filing.filing_id");

  v1::BatchVerifyRequest batch;
  *batch.add_filings() = world_.GoodFiling();
  *batch.add_filings() = request.filing();
  v1::BatchVerifyResponse response;
  EXPECT_EQ(FieldOf(Batch(batch, &response)), "filings[1].filing_id");
}

TEST_F(ServiceTest, ABatchHasOneFilingAtLeastAndTheLimitAtMost) {
  v1::BatchVerifyRequest request;
  v1::BatchVerifyResponse response;
  grpc::Status status = Batch(request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonOf(status), "inkan.dev/BATCH_EMPTY");
  EXPECT_EQ(FieldOf(status), "filings");

  const v1::Filing good = world_.GoodFiling();
  for (int i = 0; i < 1000; ++i) *request.add_filings() = good;
  status = Batch(request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.verdicts_size(), 1000);

  *request.add_filings() = good;
  status = Batch(request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonOf(status), "inkan.dev/BATCH_TOO_LARGE");
  EXPECT_THAT(status.error_message(), HasSubstr("batch_filings_max (1000)"));
}

TEST_F(ServiceTest, OneBadFilingDisturbsNoOther) {
  v1::BatchVerifyRequest request;
  for (int i = 0; i < 1000; ++i) {
    *request.add_filings() = world_.GoodFiling(absl::StrCat(i));
  }
  request.mutable_filings(777)->set_certificate("no certificate");
  request.mutable_filings(0)->set_document(std::string(1001, 'x'));
  v1::BatchVerifyResponse response;
  const grpc::Status status = Batch(request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.verdicts_size(), 1000);
  for (int i = 0; i < 1000; ++i) {
    const v1::Verdict& verdict = response.verdicts(i);
    ASSERT_EQ(verdict.filing_id(), absl::StrCat(i));
    ASSERT_EQ(verdict.indication(), i == 777 || i == 0
                                        ? v1::INDICATION_TOTAL_FAILED
                                        : v1::INDICATION_TOTAL_PASSED)
        << i;
  }
}

TEST_F(ServiceTest, AMessageOverTheLimitIsRefusedAndTheServerLives) {
  v1::BatchVerifyRequest request;
  *request.add_filings() = world_.GoodFiling();
  request.mutable_filings(0)->set_document(std::string(9 << 20, 'x'));
  v1::BatchVerifyResponse response;
  EXPECT_EQ(Batch(request, &response).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(VerdictOn(world_.GoodFiling()).indication(),
            v1::INDICATION_TOTAL_PASSED);
}

// Octets that are no request, or that would take fifty times as much as they
// are: refused in every call style, and before they are parsed.
TEST_F(ServiceTest, OctetsThatAreNoRequestOrTooManyFieldsAreRefused) {
  std::string empty_filings;
  for (int i = 0; i < 2'000'000; ++i) empty_filings.append("\x0a\x00", 2);
  const std::pair<std::string, std::string> cases[] = {
      {"\xff\xff\xff\xff\xff", "inkan.dev/REQUEST_MALFORMED"},
      {empty_filings, "inkan.dev/TOO_MANY_FIELDS"}};
  for (const auto& [octets, expected] : cases) {
    for (const std::string method :
         {"Verify", "BatchVerify", "StreamVerify", "CheckCertificate"}) {
      // Field 1 of Verify is one filing, sent again and again.
      grpc::GenericStub stub(client_.channel);
      grpc::ClientContext context;
      grpc::CompletionQueue queue;
      const auto await = [&queue] {
        void* tag = nullptr;
        bool ok = false;
        EXPECT_TRUE(queue.Next(&tag, &ok));
      };
      auto call = stub.PrepareCall(
          &context, absl::StrCat("/inkan.v1.VerificationService/", method),
          &queue);
      call->StartCall(nullptr);
      await();
      const grpc::Slice slice(octets);
      call->WriteLast(grpc::ByteBuffer(&slice, 1), {}, nullptr);
      await();
      grpc::ByteBuffer answer;
      call->Read(&answer, nullptr);
      await();
      grpc::Status status;
      call->Finish(&status, nullptr);
      await();
      EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT)
          << method << expected;
      EXPECT_EQ(ReasonOf(status), expected) << method;
      EXPECT_EQ(FieldOf(status), "request");
      queue.Shutdown();
      void* tag = nullptr;
      bool ok = false;
      EXPECT_FALSE(queue.Next(&tag, &ok));
    }
  }
  EXPECT_EQ(VerdictOn(world_.GoodFiling()).indication(),
            v1::INDICATION_TOTAL_PASSED);
}

TEST_F(ServiceTest, ACertificateIsJudgedAlone) {
  v1::CheckCertificateRequest request;
  request.set_request_id(std::string(128, 'r'));
  request.set_profile("signature");
  request.set_certificate(world_.signer());
  request.mutable_verification_time()->set_seconds(WorldTime());
  const auto check = [&](v1::Verdict* verdict) {
    grpc::ClientContext context;
    v1::CheckCertificateResponse response;
    const grpc::Status status =
        client_.verification->CheckCertificate(&context, request, &response);
    *verdict = response.verdict();
    return status;
  };
  v1::Verdict verdict;
  ASSERT_TRUE(check(&verdict).ok());
  EXPECT_EQ(verdict.indication(), v1::INDICATION_TOTAL_PASSED);
  EXPECT_EQ(verdict.filing_id(), request.request_id());
  request.set_certificate(world_.revoked_signer());
  ASSERT_TRUE(check(&verdict).ok());
  EXPECT_EQ(verdict.sub_indication(), v1::SUB_INDICATION_REVOKED);
  request.set_certificate(std::string(2001, 'x'));
  ASSERT_TRUE(check(&verdict).ok());
  EXPECT_EQ(verdict.sub_indication(), v1::SUB_INDICATION_FORMAT_FAILURE);
  request.set_request_id(std::string(129, 'r'));
  EXPECT_EQ(FieldOf(check(&verdict)), "request_id");
}

using Stream =
    grpc::ClientReaderWriter<v1::StreamVerifyRequest, v1::StreamVerifyResponse>;

v1::StreamVerifyRequest Message(const TestWorld& world, uint64_t sequence,
                                int filings) {
  v1::StreamVerifyRequest request;
  request.set_sequence(sequence);
  for (int i = 0; i < filings; ++i) {
    *request.add_filings() = world.GoodFiling(absl::StrCat(sequence, ".", i));
  }
  return request;
}

TEST_F(ServiceTest, AStreamAnswersInTheOrderAsked) {
  grpc::ClientContext context;
  std::unique_ptr<Stream> stream = client_.verification->StreamVerify(&context);
  constexpr int kMessages = 40;
  for (int i = 0; i < kMessages; ++i) {
    // Large and small, so that later ones are done earlier.
    ASSERT_TRUE(stream->Write(Message(world_, 1000U + static_cast<uint64_t>(i),
                                      i % 4 == 0 ? 300 : 1)));
  }
  stream->WritesDone();
  v1::StreamVerifyResponse response;
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(stream->Read(&response));
    ASSERT_EQ(response.sequence(), 1000U + static_cast<uint64_t>(i));
    ASSERT_EQ(response.verdicts_size(), i % 4 == 0 ? 300 : 1);
    for (int j = 0; j < response.verdicts_size(); ++j) {
      ASSERT_EQ(response.verdicts(j).filing_id(),
                absl::StrCat(1000 + i, ".", j));
      ASSERT_EQ(response.verdicts(j).indication(), v1::INDICATION_TOTAL_PASSED);
    }
  }
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ServiceTest, AnEmptyStreamEndsWell) {
  grpc::ClientContext context;
  std::unique_ptr<Stream> stream = client_.verification->StreamVerify(&context);
  stream->WritesDone();
  v1::StreamVerifyResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ServiceTest, AWrongMessageEndsTheStreamAfterEarlierAnswers) {
  grpc::ClientContext context;
  std::unique_ptr<Stream> stream = client_.verification->StreamVerify(&context);
  ASSERT_TRUE(stream->Write(Message(world_, 1, 500)));
  ASSERT_TRUE(stream->Write(Message(world_, 2, 0)));
  stream->Write(Message(world_, 3, 1));
  v1::StreamVerifyResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.sequence(), 1U);
  EXPECT_EQ(response.verdicts_size(), 500);
  EXPECT_FALSE(stream->Read(&response));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonOf(status), "inkan.dev/BATCH_EMPTY");
  EXPECT_EQ(FieldOf(status), "filings");
}

TEST_F(ServiceTest, StreamsCutOffMidWayLeaveTheServerWell) {
  for (int round = 0; round < 20; ++round) {
    grpc::ClientContext context;
    std::unique_ptr<Stream> stream =
        client_.verification->StreamVerify(&context);
    for (int i = 0; i < 3; ++i) stream->Write(Message(world_, 1, 200));
    if (round % 2 == 0) {
      v1::StreamVerifyResponse response;
      stream->Read(&response);
    }
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  EXPECT_EQ(VerdictOn(world_.GoodFiling()).indication(),
            v1::INDICATION_TOTAL_PASSED);
}

TEST_F(ServiceTest, ADeadlineThatPassesIsReported) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::milliseconds(300));
  std::unique_ptr<Stream> stream = client_.verification->StreamVerify(&context);
  ASSERT_TRUE(stream->Write(Message(world_, 1, 1)));
  v1::StreamVerifyResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

}  // namespace
}  // namespace inkan
