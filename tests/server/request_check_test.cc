#include "server/request_check.h"

#include <memory>
#include <string>

#include "google/protobuf/arena.h"
#include "gtest/gtest.h"
#include "tests/server/test_world.h"

namespace inkan {
namespace {

// What the queue counts for a request is at least what it takes: the request
// and the response as messages, and the response as it is sent.
TEST(RequestCheckTest, TheMemoryCountedCoversTheMemoryTaken) {
  testing::TestWorld world;
  for (const bool want_checks : {false, true}) {
    for (const int filings : {1, 10, 1000}) {
      v1::BatchVerifyRequest request;
      request.set_want_checks(want_checks);
      v1::BatchVerifyResponse response;
      for (int i = 0; i < filings; ++i) {
        *request.add_filings() = world.GoodFiling(std::string(128, 'i'));
        v1::Verdict* verdict = response.add_verdicts();
        verdict->set_filing_id(std::string(128, 'i'));
        verdict->set_diagnostic(std::string(200, 'd'));
        auto* certificate = verdict->mutable_certificate();
        certificate->set_serial_number(std::string(40, 's'));
        certificate->set_subject(std::string(150, 's'));
        certificate->set_issuer(std::string(150, 's'));
        certificate->set_sha256_fingerprint(std::string(32, 'f'));
        certificate->mutable_not_before();
        certificate->mutable_not_after();
        auto* revocation = verdict->mutable_revocation();
        revocation->set_crl_number(std::string(40, 'n'));
        revocation->set_crl_sha256(std::string(32, 'f'));
        revocation->mutable_this_update();
        revocation->mutable_next_update();
        revocation->mutable_revoked_at();
        verdict->mutable_snapshot()->set_digest(std::string(32, 'f'));
        verdict->mutable_verification_time();
        for (int j = 0; want_checks && j < 25; ++j) {
          v1::Check* check = verdict->add_checks();
          check->set_name("a name of a check");
          check->set_detail(std::string(40, 'd'));
        }
      }
      EXPECT_GE(MemoryOf(request, filings), request.SpaceUsedLong() +
                                                response.SpaceUsedLong() +
                                                response.ByteSizeLong())
          << filings << (want_checks ? " with checks" : "");
    }
  }
}

}  // namespace
}  // namespace inkan
