#include "server/request_check.h"

#include <algorithm>
#include <memory>
#include <string>

#include "absl/strings/escaping.h"
#include "cache/crl_data.h"
#include "crypto/name.h"
#include "google/protobuf/arena.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "gtest/gtest.h"
#include "server/request_wire.h"
#include "server/verdict_writer.h"
#include "tests/server/test_world.h"

namespace inkan {
namespace {

// What the answer takes at its largest: as it is written, when its octets move
// to a larger block, or as it is copied into the block that is sent.
size_t MemoryOfAnswer(const FilingVerdict& verdict, int filings,
                      const std::string& id) {
  Snapshot snapshot;
  std::string octets;
  octets.reserve(static_cast<size_t>(filings) * kUsualVerdictBytes);
  const size_t reserved = octets.capacity();
  for (int i = 0; i < filings; ++i) {
    AppendVerdict(verdict, {id, &snapshot, 1'700'000'000}, &octets);
  }
  const size_t moved =
      octets.capacity() == reserved ? 0 : octets.capacity() / 2;
  return octets.capacity() + std::max(moved, octets.size());
}

// What the queue counts for a request is at least what it takes: the request as
// a message, its answer as it is written, and as it is sent.
TEST(RequestCheckTest, TheMemoryCountedCoversTheMemoryTaken) {
  testing::TestWorld world;
  CrlData crl;
  crl.crl_number = std::string(20, 'n');
  crl.has_next_update = true;
  crl.scope_text = std::string(150, 's');
  const std::string serial(20, 's');
  FilingVerdict verdict;
  verdict.outcome = Outcome::kRevoked;
  verdict.diagnostic = std::string(200, 'd');
  verdict.certificate_index = 1;
  verdict.has_certificate = true;
  verdict.issuer_text = std::string_view(crl.scope_text);
  verdict.certificate.serial = AsBytes(serial);
  verdict.has_revocation = true;
  verdict.revocation.has_entry = true;
  verdict.revocation.entry.has_invalidity_date = true;
  verdict.revocation.crl = &crl;
  verdict.revocation.delta = &crl;
  verdict.revocation.complete = &crl;
  for (const bool want_checks : {false, true}) {
    for (int j = 0; want_checks && j < 25; ++j) {
      verdict.checks.push_back({CheckId::kCriticalExtensions,
                                CheckResult::kPassed, 0, std::string(40, 'd')});
    }
    for (const int filings : {1, 10, 1000}) {
      const std::string id(128, 'i');
      v1::BatchVerifyRequest request;
      request.set_want_checks(want_checks);
      for (int i = 0; i < filings; ++i) {
        *request.add_filings() = world.GoodFiling(id);
      }
      // There is no name to write out here: one as long as the issuer's is told
      // with the id.
      const size_t answer =
          MemoryOfAnswer(verdict, filings, id + crl.scope_text);
      // Without an arena, whose octets come on top.
      EXPECT_GE(MemoryOf(request, request.ByteSizeLong(), 0, filings),
                request.SpaceUsedLong() + answer)
          << filings << (want_checks ? " with checks" : "");
    }
  }
}

// A certificate may be nothing but names, of the octets that grow the most.
TEST(RequestCheckTest, TheMemoryCountedCoversTheLargestNames) {
  const auto element = [](char tag, const std::string& contents) {
    std::string der(1, tag);
    der += "\x82";
    der += static_cast<char>(contents.size() >> 8U);
    der += static_cast<char>(contents.size() & 0xffU);
    return der + contents;
  };
  constexpr size_t kTextBytes = 30'000;
  // CN (2.5.4.3) of control characters, which are escaped as three each.
  const std::string type("\x06\x03\x55\x04\x03", 5);
  const std::string value = element('\x0c', std::string(kTextBytes, '\1'));
  const std::string name =
      element('\x30', element('\x31', element('\x30', type + value)));
  std::string text;
  AppendNameText(AsBytes(name), &text);
  ASSERT_GE(text.size(), 3 * kTextBytes) << "or it is no name";
  // Subject and issuer are of this kind, and fill it.
  const std::string certificate(2 * name.size(), 'c');
  v1::VerifyRequest one;
  one.mutable_filing()->set_certificate(certificate);
  FilingVerdict verdict;
  verdict.has_certificate = true;
  verdict.certificate.subject = AsBytes(name);
  verdict.certificate.issuer = AsBytes(name);
  EXPECT_GE(MemoryOf(one, one.ByteSizeLong(), 0, 1),
            one.SpaceUsedLong() + MemoryOfAnswer(verdict, 1, ""));
}

TEST(RequestCheckTest, OnlyWhatPassesAPlainCertificateCountsAsLarge) {
  v1::Filing filing;
  filing.set_certificate(std::string(kPlainCertificateBytes, 'c'));
  filing.add_intermediates(std::string(kPlainCertificateBytes, 'c'));
  EXPECT_EQ(LargeCertificateBytes(filing), 0U);
  filing.mutable_certificate()->push_back('c');
  filing.add_intermediates(std::string(kPlainCertificateBytes + 2, 'c'));
  EXPECT_EQ(LargeCertificateBytes(filing), 3U);
  v1::BatchVerifyRequest batch;
  v1::StreamVerifyRequest message;
  for (int i = 0; i < 2; ++i) {
    *batch.add_filings() = filing;
    *message.add_filings() = filing;
  }
  EXPECT_EQ(LargeCertificateBytes(batch), 6U);
  EXPECT_EQ(LargeCertificateBytes(message), 6U);
  EXPECT_EQ(MemoryOf(batch, 10, 5, 2),
            15 + 2 * kFilingMemory + 6 * kNameMemory);
  v1::CheckCertificateRequest check;
  check.set_certificate(filing.certificate());
  EXPECT_EQ(LargeCertificateBytes(check), 1U);
}

RequestFault FaultOf(const std::string& octets, const Limits& limits) {
  google::protobuf::io::ArrayInputStream in(octets.data(),
                                            static_cast<int>(octets.size()));
  return CheckWire(&in, octets.size(), v1::BatchVerifyRequest::descriptor(),
                   limits);
}

std::string Repeat(const std::string& text, size_t times) {
  std::string all;
  all.reserve(text.size() * times);
  for (size_t i = 0; i < times; ++i) all += text;
  return all;
}

TEST(RequestWireTest, FieldsAreCountedAtTheLimitAndPastIt) {
  Limits limits;
  limits.batch_filings_max = 1000;
  const std::string empty_filing("\x0a\x00", 2);
  // So that the count below does not change the size.
  const size_t size = kUncountedBytesMax + 4096;
  const uint64_t fields_max = FieldsMax(size, limits);
  ASSERT_LT(2 * fields_max + 6, size);
  // Empty filings, and one with a document that fills up: two fields.
  const auto with = [&](uint64_t fields) {
    std::string octets = Repeat(empty_filing, fields - 2);
    const size_t left = size - octets.size();
    v1::BatchVerifyRequest rest;
    v1::Filing* filing = rest.add_filings();
    filing->set_document(std::string(left, 'd'));
    const size_t around = rest.ByteSizeLong() - left;
    filing->set_document(std::string(left - around, 'd'));
    octets += rest.SerializeAsString();
    EXPECT_EQ(octets.size(), size);
    return octets;
  };
  EXPECT_TRUE(FaultOf(with(fields_max), limits).ok());
  const RequestFault fault = FaultOf(with(fields_max + 1), limits);
  EXPECT_STREQ(fault.reason, reason::kTooManyFields);
  EXPECT_NE(fault.problem.find(std::to_string(fields_max)), std::string::npos);
}

TEST(RequestWireTest, EveryKindOfFieldCountsHoweverDeep) {
  const Limits limits;
  v1::BatchVerifyRequest filing_of_intermediates;
  v1::Filing* filing = filing_of_intermediates.add_filings();
  for (int i = 0; i < 200'000; ++i) filing->add_intermediates("");
  const std::string flood[] = {
      Repeat(std::string("\x0a\x00", 2), 200'000),  // empty filings
      filing_of_intermediates.SerializeAsString(),
      Repeat(std::string("\x78\x01", 2), 200'000),  // unknown numbers
      Repeat(std::string("\x7d\x01\x02\x03\x04", 5), 200'000),
      Repeat(std::string("\x79\x01\x02\x03\x04\x05\x06\x07\x08", 9), 200'000),
      Repeat(std::string("\x7a\x00", 2), 200'000),  // unknown octets
      Repeat(std::string("\x7b\x7c", 2), 200'000),  // unknown groups
      Repeat(std::string("\x7b", 1), 400'000),      // that never end
  };
  for (const std::string& octets : flood) {
    EXPECT_STREQ(FaultOf(octets, limits).reason, reason::kTooManyFields)
        << absl::BytesToHexString(octets.substr(0, 16));
  }
}

TEST(RequestWireTest,
     TheLargestBatchOfWholeFilingsPassesAndNonsenseIsNotJudged) {
  testing::TestWorld world;
  const Limits limits;
  v1::BatchVerifyRequest request;
  for (uint32_t i = 0; i < limits.batch_filings_max; ++i) {
    v1::Filing* filing = request.add_filings();
    *filing = world.GoodFiling("id");
    while (static_cast<uint32_t>(filing->intermediates_size()) <
           limits.intermediates_max) {
      filing->add_intermediates("i");
    }
  }
  const std::string whole = request.SerializeAsString();
  EXPECT_TRUE(FaultOf(whole, limits).ok());
  // What cannot be counted to its end may hold anything there.
  for (const std::string& octets :
       {whole.substr(0, whole.size() - 1), whole + '\x0a',
        std::string(100'000, '\xff'), std::string(100'000, '\0'),
        std::string(1, '\0') + whole}) {
    EXPECT_STREQ(FaultOf(octets, limits).reason, reason::kRequestMalformed);
  }
}

// In a group of an unknown number the parser takes for octets what the count
// takes for a filing; it must not end the count.
TEST(RequestWireTest, NothingHidesBehindAGroup) {
  const Limits limits;
  const std::string group("\x7b\x0a\x01\xff\x7c", 5);
  const std::string octets =
      group + Repeat(std::string("\x0a\x00", 2), 200'000);
  v1::BatchVerifyRequest parsed;
  ASSERT_TRUE(parsed.ParseFromString(octets));
  ASSERT_EQ(parsed.filings_size(), 200'000);
  EXPECT_FALSE(FaultOf(octets, limits).ok());
}

}  // namespace
}  // namespace inkan
