#include "server/request.h"

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "cache/crl_data.h"
#include "crypto/name.h"
#include "gtest/gtest.h"
#include "server/verdict_writer.h"
#include "tests/fuzz/request_mirror.h"
#include "tests/server/test_world.h"

namespace inkan {
namespace {

using testing::RequestMirror;

constexpr RequestKind kKinds[] = {
    RequestKind::kVerify, RequestKind::kBatchVerify, RequestKind::kStreamVerify,
    RequestKind::kCheckCertificate};

std::string Repeat(const std::string& text, size_t times) {
  std::string all;
  all.reserve(text.size() * times);
  for (size_t i = 0; i < times; ++i) all += text;
  return all;
}

RequestFault FaultOf(const std::string& octets, const Limits& limits) {
  return Request().Read(RequestKind::kBatchVerify, AsBytes(octets), limits);
}

// --- What is read ---

// Writes octets as clients might, and as none would: fields twice, in parts, of
// other wire types and unknown numbers, lengths and numbers of too many octets,
// groups, text that is none.
class Scribbler {
 public:
  explicit Scribbler(uint64_t seed) : random_(seed) {}

  std::string Message(int depth) {
    std::string octets;
    for (uint64_t fields = Below(7); fields > 0; --fields) {
      octets += Field(depth);
    }
    return octets;
  }

  // What anybody may do to octets on their way.
  std::string Damage(std::string octets) {
    if (octets.empty()) return octets;
    const size_t at = Below(octets.size());
    switch (Below(4)) {
      case 0:
        octets[at] = static_cast<char>(octets[at] ^ (1 << Below(8)));
        return octets;
      case 1:
        return octets.substr(0, at);
      case 2:
        return octets.insert(at, 1, static_cast<char>(Below(256)));
      default:
        return octets;
    }
  }

 private:
  uint64_t Below(uint64_t bound) {
    return std::uniform_int_distribution<uint64_t>(0, bound - 1)(random_);
  }

  // Now and then with more octets than it needs, or than there may be.
  std::string Number(uint64_t value) {
    std::string octets;
    while (value >= 0x80) {
      octets += static_cast<char>(value | 0x80);
      value >>= 7;
    }
    octets += static_cast<char>(value);
    for (uint64_t more = Below(40) == 0 ? Below(12) : 0; more > 0; --more) {
      octets.back() = static_cast<char>(octets.back() | 0x80);
      octets += '\0';
    }
    return octets;
  }
  std::string AnyNumber() {
    constexpr uint64_t kOnes = UINT64_MAX;
    const uint64_t values[] = {0,
                               1,
                               2,
                               127,
                               128,
                               300,
                               1'700'000'000,
                               kOnes,
                               kOnes >> 1,
                               kOnes << 31,
                               uint64_t{1} << 32,
                               uint64_t{1} << 63,
                               random_()};
    return Number(values[Below(std::size(values))]);
  }
  std::string Text() {
    const std::string texts[] = {"",
                                 "id",
                                 "公的個人認証",
                                 "\xff",
                                 "\xed\xa0\x80",
                                 "\xc0\x80",
                                 "\xf4\x8f\xbf\xbf",
                                 "\xf4\x90\x80\x80",
                                 std::string(1, '\0'),
                                 std::string(200, 'x')};
    return texts[Below(std::size(texts))];
  }
  std::string Delimited(const std::string& octets) {
    const size_t size =
        Below(60) == 0 ? octets.size() + Below(3) : octets.size();
    return Number(size) + octets;
  }
  std::string Field(int depth) {
    // 1 to 9 are the fields there are, at whatever depth.
    const uint64_t number = Below(30) == 0 ? Below(1U << 29U) : 1 + Below(10);
    const uint64_t type = Below(12) == 0 ? Below(8) : (Below(3) == 0 ? 0 : 2);
    std::string octets = Number(number << 3U | type);
    switch (type) {
      case 0:
        return octets + AnyNumber();
      case 1:
        return octets + std::string(8, 'q');
      case 2:
        return octets + Delimited(depth > 0 && Below(3) > 0 ? Message(depth - 1)
                                                            : Text());
      case 3: {
        octets += Message(std::max(0, depth - 1));
        const uint64_t end = Below(8) == 0 ? number + 1 : number;
        return Below(8) == 0 ? octets : octets + Number(end << 3U | 4U);
      }
      case 5:
        return octets + std::string(4, 'd');
      default:
        return octets;
    }
  }

  std::mt19937_64 random_;
};

// INKAN_REQUEST_DIFFERENTIAL_MESSAGES, INKAN_REQUEST_DIFFERENTIAL_SEED: how
// many, and which.
TEST(RequestTest, ReadsWhatProtobufReadsAndNothingElse) {
  const auto from_environment = [](const char* name, uint64_t otherwise) {
    const char* value = std::getenv(name);
    return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
  };
  const uint64_t messages =
      from_environment("INKAN_REQUEST_DIFFERENTIAL_MESSAGES", 200'000);
  Scribbler scribbler(from_environment("INKAN_REQUEST_DIFFERENTIAL_SEED", 1));
  size_t sound = 0;
  size_t malformed = 0;
  for (uint64_t i = 0; i < messages; ++i) {
    std::string octets = scribbler.Message(3);
    if (i % 4 == 0) octets = scribbler.Damage(octets);
    for (const RequestKind kind : kKinds) {
      ASSERT_EQ(RequestMirror::Compare(kind, octets), "")
          << "kind " << static_cast<int>(kind) << " "
          << absl::BytesToHexString(octets);
    }
    const RequestFault fault = FaultOf(octets, Limits());
    const bool none = !fault.ok() && std::string_view(fault.reason) ==
                                         reason::kRequestMalformed;
    (none ? malformed : sound) += 1;
  }
  // Neither is rare.
  EXPECT_GT(sound, messages / 5);
  EXPECT_GT(malformed, messages / 5);
}

TEST(RequestTest, ReadsDeepGroupsAsFarAsProtobufDoes) {
  // Fields 1 and 9: a filing, and its verification_time (of an enquiry: 5).
  const auto within = [](char tag, const std::string& octets) {
    std::string message(1, tag);
    message += static_cast<char>(octets.size() % 128 + 128);
    message += static_cast<char>(octets.size() / 128);
    return message + octets;
  };
  for (const size_t depth : {1, 96, 97, 98, 99, 100, 101, 1000}) {
    const std::string groups = Repeat("\x7b", depth) + Repeat("\x7c", depth);
    for (const RequestKind kind : kKinds) {
      for (const std::string& octets :
           {groups, within('\x0a', groups),
            within('\x0a', within('\x4a', groups)), within('\x2a', groups)}) {
        EXPECT_EQ(RequestMirror::Compare(kind, octets), "") << depth;
      }
    }
  }
}

TEST(RequestTest, TheLastOfSeveralCountsAndPartsAreMerged) {
  v1::VerifyRequest first;
  first.mutable_filing()->set_filing_id("first");
  first.mutable_filing()->set_document("document");
  first.mutable_filing()->add_intermediates("a");
  first.mutable_filing()->mutable_verification_time()->set_seconds(7);
  v1::VerifyRequest second;
  second.mutable_filing()->set_filing_id("second");
  second.mutable_filing()->set_digest("digest");
  second.mutable_filing()->add_intermediates("b");
  second.mutable_filing()->mutable_verification_time()->set_nanos(8);
  const std::string octets =
      first.SerializeAsString() + second.SerializeAsString();
  Request request;
  ASSERT_TRUE(
      request.Read(RequestKind::kVerify, AsBytes(octets), Limits()).ok());
  ASSERT_EQ(request.filings().size(), 1U);
  const SentFiling& filing = request.filings()[0];
  EXPECT_EQ(filing.id, "second");
  EXPECT_EQ(filing.content, FilingView::Content::kDigest);
  EXPECT_EQ(AsText(filing.document_or_digest), "digest");
  ASSERT_EQ(filing.intermediates.size(), 2U);
  EXPECT_EQ(AsText(filing.intermediates[0]), "a");
  ASSERT_TRUE(filing.verification_time.has_value());
  EXPECT_EQ(filing.verification_time->seconds, 7);
  EXPECT_EQ(filing.verification_time->nanos, 8);
  // A batch has two of it.
  ASSERT_TRUE(
      request.Read(RequestKind::kBatchVerify, AsBytes(octets), Limits()).ok());
  ASSERT_EQ(request.filings().size(), 2U);
  EXPECT_EQ(request.filings()[0].id, "first");
}

TEST(RequestTest, TimesAreThoseOfTimestamp) {
  EXPECT_EQ(WholeSeconds({-1, 999'999'999}), -1);
  EXPECT_EQ(WholeSeconds({0, -1}), std::nullopt);
  EXPECT_EQ(WholeSeconds({0, 1'000'000'000}), std::nullopt);
  EXPECT_EQ(WholeSeconds({253402300799, 0}), 253402300799);
  EXPECT_EQ(WholeSeconds({253402300800, 0}), std::nullopt);
  EXPECT_EQ(WholeSeconds({-62135596800, 0}), -62135596800);
  EXPECT_EQ(WholeSeconds({-62135596801, 0}), std::nullopt);
}

// More than may be is counted, but not kept.
TEST(RequestTest, NoMoreIsKeptThanTheLimitsLetPass) {
  Limits limits;
  limits.batch_filings_max = 3;
  limits.intermediates_max = 2;
  v1::BatchVerifyRequest message;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 5; ++j) message.add_filings()->add_intermediates("i");
    message.mutable_filings(i)->set_filing_id("id");
  }
  v1::Filing* filing = message.mutable_filings(0);
  for (int j = 0; j < 4; ++j) filing->add_intermediates("i");
  Request request;
  RequestFault fault = request.Read(
      RequestKind::kBatchVerify, AsBytes(message.SerializeAsString()), limits);
  EXPECT_STREQ(fault.reason, reason::kBatchTooLarge);
  EXPECT_NE(fault.problem.find("has 15 filings"), std::string::npos)
      << fault.problem;
  EXPECT_EQ(request.filings().size(), 3U);
  EXPECT_EQ(request.filings()[0].intermediates.size(), 2U);
  EXPECT_EQ(request.filings()[0].intermediates_sent, 5U);
  // What comes after the limit must be a message all the same.
  const std::string broken = message.SerializeAsString() + "\x0a\x01\x0a";
  EXPECT_STREQ(FaultOf(broken, limits).reason, reason::kRequestMalformed);
}

TEST(RequestTest, FaultsNameTheirField) {
  const Limits limits;
  const auto read = [&](RequestKind kind, const std::string& octets) {
    return Request().Read(kind, AsBytes(octets), limits);
  };
  EXPECT_STREQ(read(RequestKind::kVerify, "").reason, reason::kFilingMissing);
  EXPECT_STREQ(read(RequestKind::kBatchVerify, "").reason, reason::kBatchEmpty);
  EXPECT_STREQ(read(RequestKind::kStreamVerify, "").reason,
               reason::kBatchEmpty);
  EXPECT_TRUE(read(RequestKind::kCheckCertificate, "").ok());
  const std::string id(129, 'i');
  v1::VerifyRequest one;
  one.mutable_filing()->set_filing_id(id);
  EXPECT_EQ(read(RequestKind::kVerify, one.SerializeAsString()).field,
            "filing.filing_id");
  v1::CheckCertificateRequest check;
  check.set_request_id(id);
  EXPECT_EQ(
      read(RequestKind::kCheckCertificate, check.SerializeAsString()).field,
      "request_id");
  v1::BatchVerifyRequest batch;
  batch.add_filings()->set_filing_id("short");
  batch.add_filings()->set_filing_id(id);
  const RequestFault fault =
      read(RequestKind::kBatchVerify, batch.SerializeAsString());
  EXPECT_STREQ(fault.reason, reason::kIdTooLong);
  EXPECT_EQ(fault.field, "filings[1].filing_id");
}

// --- What it takes ---

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

// The octets sent, and what was made of them.
size_t MemoryOfRequest(const std::string& octets, const Request& request) {
  size_t bytes = octets.size() + request.filings().size() * sizeof(SentFiling);
  for (const SentFiling& filing : request.filings()) {
    bytes += filing.intermediates.capacity() * sizeof(Bytes);
  }
  return bytes;
}

// What the queue counts for a request is at least what it takes: the request,
// its answer as it is written, and as it is sent.
TEST(RequestTest, TheMemoryCountedCoversTheMemoryTaken) {
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
      v1::BatchVerifyRequest message;
      message.set_want_checks(want_checks);
      for (int i = 0; i < filings; ++i) {
        *message.add_filings() = world.GoodFiling(id);
      }
      const std::string octets = message.SerializeAsString();
      Request request;
      ASSERT_TRUE(
          request.Read(RequestKind::kBatchVerify, AsBytes(octets), Limits())
              .ok());
      // There is no name to write out here: one as long as the issuer's is told
      // with the id.
      const size_t answer =
          MemoryOfAnswer(verdict, filings, id + crl.scope_text);
      EXPECT_GE(request.Memory(), MemoryOfRequest(octets, request) + answer)
          << filings << (want_checks ? " with checks" : "");
    }
  }
}

// A certificate may be nothing but names, of the octets that grow the most.
TEST(RequestTest, TheMemoryCountedCoversTheLargestNames) {
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
  const std::string octets = one.SerializeAsString();
  Request request;
  ASSERT_TRUE(
      request.Read(RequestKind::kVerify, AsBytes(octets), Limits()).ok());
  EXPECT_GE(request.Memory(),
            MemoryOfRequest(octets, request) + MemoryOfAnswer(verdict, 1, ""));
}

TEST(RequestTest, OnlyWhatPassesAPlainCertificateCountsAsLarge) {
  v1::BatchVerifyRequest message;
  v1::Filing* filing = message.add_filings();
  filing->set_certificate(std::string(kPlainCertificateBytes, 'c'));
  filing->add_intermediates(std::string(kPlainCertificateBytes, 'c'));
  filing->add_intermediates("");
  // What is counted beside what is there.
  const auto beside = [&] {
    const std::string octets = message.SerializeAsString();
    Request request;
    EXPECT_TRUE(
        request.Read(RequestKind::kBatchVerify, AsBytes(octets), Limits())
            .ok());
    return request.Memory() - MemoryOfRequest(octets, request);
  };
  EXPECT_EQ(beside(), kFilingMemory);
  filing->mutable_certificate()->push_back('c');
  filing->set_intermediates(1, std::string(kPlainCertificateBytes + 2, 'c'));
  EXPECT_EQ(beside(), kFilingMemory + 3 * kNameMemory);
  *message.add_filings() = message.filings(0);
  EXPECT_EQ(beside(), 2 * kFilingMemory + 6 * kNameMemory);
  message.set_want_checks(true);
  EXPECT_EQ(beside(), 2 * (kFilingMemory + kChecksMemory) + 6 * kNameMemory);
}

TEST(RequestTest, FieldsAreCountedAtTheLimitAndPastIt) {
  Limits limits;
  limits.batch_filings_max = 1000;
  // So that the count below does not change the size.
  const size_t size = kUncountedBytesMax + 4096;
  const uint64_t fields_max = FieldsMax(size, limits);
  ASSERT_LT(2 * fields_max + 6, size);
  // Fields that nobody knows, and a filing with a document that fills up: two
  // fields.
  const auto with = [&](uint64_t fields) {
    std::string octets = Repeat("\x7a" + std::string(1, '\0'), fields - 2);
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

TEST(RequestTest, EveryKindOfFieldCountsHoweverDeep) {
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
      "\x7b" + Repeat(std::string("\x78\x01", 2), 200'000) + "\x7c",
  };
  for (const std::string& octets : flood) {
    EXPECT_STREQ(FaultOf(octets, limits).reason, reason::kTooManyFields)
        << absl::BytesToHexString(octets.substr(0, 16));
  }
}

TEST(RequestTest, TheLargestBatchOfWholeFilingsPassesAndNonsenseDoesNot) {
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
  for (const std::string& octets :
       {whole.substr(0, whole.size() - 1), whole + '\x0a',
        std::string(100'000, '\xff'), std::string(100'000, '\0'),
        Repeat("\x7b", 400'000),  // groups that never end
        std::string(1, '\0') + whole}) {
    EXPECT_STREQ(FaultOf(octets, limits).reason, reason::kRequestMalformed);
  }
}

// In a group of an unknown number some parsers take for octets what others take
// for a filing; here the filings behind it are found.
TEST(RequestTest, NothingHidesBehindAGroup) {
  const Limits limits;
  const std::string group("\x7b\x0a\x01\xff\x7c", 5);
  const std::string octets =
      group + Repeat(std::string("\x0a\x00", 2), 200'000);
  EXPECT_STREQ(FaultOf(octets, limits).reason, reason::kTooManyFields);
  EXPECT_STREQ(
      FaultOf(group + Repeat(std::string("\x0a\x00", 2), 1001), limits).reason,
      reason::kBatchTooLarge);
}

}  // namespace
}  // namespace inkan
