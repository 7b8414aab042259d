// What log, metrics and pages promise: no names, addresses, documents or filing
// ids, whatever the filings are like and whatever becomes of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "crypto/certificate.h"
#include "crypto/der.h"
#include "crypto/name.h"
#include "tests/e2e/fault_support.h"
#include "tests/e2e/raw_http2.h"
#include "tests/server/http_client.h"
#include "tests/support/conformance.h"

namespace inkan {
namespace {

using ::testing::HasSubstr;
using Corpus = std::vector<lab::v1::CorpusEntry>;

// Shorter ones ("1" for a sex) stand anywhere by chance, and so does one
// character again and again ("000000": no character was substituted).
constexpr size_t kNeedleMin = 6;

// What must be nowhere, each with what it is.
using Needles = std::map<std::string, std::string>;

void AddNeedle(std::string_view text, const std::string& what,
               Needles* needles) {
  if (text.size() < kNeedleMin ||
      text.find_first_not_of(text.front()) == std::string_view::npos) {
    return;
  }
  needles->emplace(std::string(text), what);
}

// The values of the otherNames: JPKI puts name, address, birth and sex there.
void AddAlternativeNames(Bytes names, Needles* needles) {
  DerReader reader(names);
  uint8_t tag = 0;
  Bytes contents;
  while (reader.ReadAny(&tag, &contents)) {
    DerReader other(contents);
    Bytes oid;
    Bytes outer;
    if (!other.ReadOid(&oid) ||
        !other.Read(der::ContextConstructed(0), &outer)) {
      continue;
    }
    DerReader value_reader(outer);
    Bytes value;
    if (value_reader.ReadAny(&tag, &value)) {
      AddNeedle(AsText(value), "a name in the certificate", needles);
    }
  }
}

// Lines of the lab's documents that are not the same in all of them.
bool IsPersonal(const std::string& line) {
  return line.find("CertificateName") != std::string::npos ||
         std::any_of(line.begin(), line.end(), absl::ascii_isdigit);
}

void AddNeedlesOf(const v1::Filing& filing, Needles* needles) {
  AddNeedle(filing.filing_id(), "a filing id", needles);
  for (const absl::string_view line : absl::StrSplit(filing.document(), '\n')) {
    const std::string text(absl::StripAsciiWhitespace(line));
    if (IsPersonal(text)) AddNeedle(text, "a line of a document", needles);
  }
  Certificate certificate;
  if (!ParseCertificate(AsBytes(filing.certificate()), &certificate).ok()) {
    return;
  }
  AddAlternativeNames(certificate.subject_alt_names, needles);
  if (!IsWellFormedName(certificate.subject)) return;
  for (const absl::string_view part :
       absl::StrSplit(NameToText(certificate.subject), ',')) {
    if (absl::StartsWith(part, "CN=")) {
      AddNeedle(std::string(part.substr(3)), "a subject", needles);
    }
  }
}

// Octets as they are, and as people and programs write them down.
std::vector<std::string> Spellings(const std::string& text) {
  return {text, absl::Base64Escape(text), absl::BytesToHexString(text),
          absl::CHexEscape(text),
          nlohmann::json(text).dump(-1, ' ', true,
                                    nlohmann::json::error_handler_t::replace)};
}

std::unique_ptr<grpc::ClientContext> Context() {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
  return context;
}

// A few of every kind, and some more.
Corpus Choose() {
  std::map<std::string, int> taken;
  Corpus chosen;
  for (const auto& entry : ReadCorpus(SharedLab())) {
    constexpr int kOfEachKind = 2;
    if (++taken[entry.truth().kind()] <= kOfEachKind) chosen.push_back(entry);
  }
  EXPECT_GE(taken.size(), 20U);
  return chosen;
}

// Each filing in every call style; the verdicts are the true ones.
void SendEvery(const LabServer& server, const Corpus& corpus) {
  const auto stub = server.verification();
  v1::BatchVerifyRequest batch;
  v1::StreamVerifyRequest message;
  for (const auto& entry : corpus) {
    v1::VerifyRequest request;
    *request.mutable_filing() = entry.filing();
    request.set_want_checks(true);
    v1::VerifyResponse response;
    ASSERT_TRUE(stub->Verify(Context().get(), request, &response).ok());
    EXPECT_TRUE(IsTrue(entry, response.verdict()));
    v1::CheckCertificateRequest check;
    check.set_request_id(entry.filing().filing_id());
    check.set_profile(entry.filing().profile());
    check.set_certificate(entry.filing().certificate());
    v1::CheckCertificateResponse checked;
    stub->CheckCertificate(Context().get(), check, &checked);
    *batch.add_filings() = entry.filing();
    *message.add_filings() = entry.filing();
  }
  v1::BatchVerifyResponse verdicts;
  EXPECT_TRUE(stub->BatchVerify(Context().get(), batch, &verdicts).ok());
  const auto context = Context();
  const auto stream = stub->StreamVerify(context.get());
  v1::StreamVerifyResponse response;
  EXPECT_TRUE(stream->Write(message) && stream->Read(&response));
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

// What is wrong with a filing, in ways that the corpus does not have.
std::vector<v1::Filing> Malformed(const v1::Filing& good,
                                  const std::string& name) {
  std::vector<v1::Filing> filings;
  const auto add = [&](const std::function<void(v1::Filing*)>& change) {
    change(&filings.emplace_back(good));
  };
  add([&](v1::Filing* f) { f->set_profile(name); });
  add([&](v1::Filing* f) { f->set_certificate(f->document()); });
  add([&](v1::Filing* f) { f->set_certificate(f->certificate() + name); });
  add([&](v1::Filing* f) { f->add_intermediates(f->document()); });
  add([&](v1::Filing* f) { f->add_intermediates(f->certificate()); });
  add([&](v1::Filing* f) { f->set_digest(f->filing_id()); });
  add([&](v1::Filing* f) { f->set_signature(name); });
  add([&](v1::Filing* f) { f->clear_signature(); });
  add([&](v1::Filing* f) { f->clear_certificate(); });
  add([&](v1::Filing* f) { f->set_filing_id(name + std::string(5000, 'x')); });
  add([&](v1::Filing* f) {
    f->set_signature_algorithm(static_cast<v1::SignatureAlgorithm>(99));
  });
  add([&](v1::Filing* f) {
    f->mutable_verification_time()->set_seconds(int64_t{1} << 50);
  });
  return filings;
}

// Calls that are refused as a whole, and calls that are given up.
void SendRefused(const LabServer& server, const v1::Filing& good,
                 const std::string& name) {
  const auto stub = server.verification();
  v1::BatchVerifyRequest too_many;
  for (int i = 0; i < 300; ++i) *too_many.add_filings() = good;
  v1::BatchVerifyResponse verdicts;
  EXPECT_FALSE(stub->BatchVerify(Context().get(), too_many, &verdicts).ok());
  for (const v1::Filing& filing : Malformed(good, name)) {
    v1::VerifyRequest request;
    *request.mutable_filing() = filing;
    v1::VerifyResponse response;
    // Refused, or judged: what becomes of each is for other tests.
    stub->Verify(Context().get(), request, &response);
  }
  v1::VerifyRequest request;
  *request.mutable_filing() = good;
  v1::VerifyResponse response;
  const auto late = Context();
  late->set_deadline(absl::ToChronoTime(absl::Now() - absl::Seconds(1)));
  EXPECT_FALSE(stub->Verify(late.get(), request, &response).ok());
  const auto cancelled = Context();
  cancelled->AddMetadata("x-taxpayer", good.filing_id());
  const auto stream = stub->StreamVerify(cancelled.get());
  v1::StreamVerifyRequest message;
  *message.add_filings() = good;
  stream->Write(message);
  cancelled->TryCancel();
  EXPECT_FALSE(stream->Finish().ok());
  v1::LookupRevocationRequest look_up;
  look_up.set_profile(name);
  look_up.set_serial_number(good.filing_id());
  look_up.set_issuer(name);
  v1::LookupRevocationResponse found;
  EXPECT_FALSE(server.operations()
                   ->LookupRevocation(Context().get(), look_up, &found)
                   .ok());
}

// Octets that are no request, with a filing's in them.
void SendRaw(const LabServer& server, const v1::Filing& good,
             const std::string& name) {
  const int port =
      std::atoi(server.target().substr(server.target().rfind(':') + 1).c_str());
  const std::string document = good.document().substr(0, 8000);
  for (const char compressed : {'\0', '\1'}) {
    for (const std::string& body : {document, good.SerializeAsString()}) {
      const RawConnection connection(port);
      connection.Send(
          kHttp2Preface + Frame(FrameType::kSettings, 0, 0, "") +
          Frame(FrameType::kHeaders, kEndHeaders, 1,
                CallHeaders("/inkan.v1.VerificationService/Verify",
                            {{"taxpayer", good.filing_id()}})) +
          Frame(FrameType::kData, kEndStream, 1,
                std::string(1, compressed) +
                    BigEndian32(static_cast<uint32_t>(body.size())) + body));
      // Until something of its answer is there: SETTINGS, and then the rest.
      connection.Receive(30'000);
      connection.Receive(2'000);
    }
  }
  const RawConnection no_http2(port);
  no_http2.Send(document);
  no_http2.AwaitClosed(30'000);
  testing::HttpGet(server.ops_http_port(), "/" + good.filing_id());
  testing::HttpGet(server.ops_http_port(), "/statusz?of=" + good.filing_id());
  testing::HttpGet(server.ops_http_port(), "/" + name + std::string(9000, 'x'));
}

// A reload that is taken, and one that is refused.
void ReloadTwice(LabServer* server) {
  const auto says = [&](const char* text) {
    return server->process().Output().find(text) != std::string::npos;
  };
  server->process().Signal(SIGHUP);
  ASSERT_TRUE(Await([&] { return says("reload done"); }));
  std::ofstream(server->lab() + "/inkand.textproto", std::ios::app)
      << "\nworker_threads: 7\n";
  server->process().Signal(SIGHUP);
  ASSERT_TRUE(Await([&] { return says("reload refused"); }));
}

// The messages of JSON lines, gRPC's among them, as they were before they
// became JSON.
std::string Unescaped(const std::string& log) {
  std::string text;
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    const auto parsed = nlohmann::json::parse(line, nullptr, false);
    EXPECT_TRUE(parsed.is_object()) << "a line that is no JSON: " << line;
    if (!parsed.is_object()) continue;
    for (const auto& [key, value] : parsed.items()) {
      absl::StrAppend(&text, value.get<std::string>(), "\n");
    }
  }
  return text;
}

class LogPrivacy : public ::testing::TestWithParam<const char*> {};

TEST_P(LogPrivacy, NothingOfAnyFilingIsInTheLogTheMetricsOrThePages) {
  setenv("GRPC_VERBOSITY", "DEBUG", 1);  // inkand has no levels, gRPC has
  LabServer server(FreshWorkDir(),
                   "ops_http { address: \"127.0.0.1:0\" }\n"
                   "audit_log { file: \"audit.log\" }\n"
                   "limits { queue_filings_max: 200 batch_filings_max: 200 }\n",
                   {"--log-format", GetParam()});
  unsetenv("GRPC_VERBOSITY");
  ASSERT_TRUE(server.process().Running());
  const Corpus corpus = Choose();
  const v1::Filing good = OfKind(corpus, "good", 1).front().filing();
  Needles needles;
  for (const auto& entry : corpus) AddNeedlesOf(entry.filing(), &needles);
  const std::string name = "Inkan Taro, 1-1-1 Chiyoda";
  AddNeedle(name, "a name made up by a caller", &needles);
  std::set<std::string> kinds;
  for (const auto& [text, what] : needles) kinds.insert(what);
  ASSERT_EQ(kinds.size(), 5U) << ::testing::PrintToString(kinds);

  SendEvery(server, corpus);
  SendRefused(server, good, name);
  SendRaw(server, good, name);
  ReloadTwice(&server);
  std::string pages;
  for (const char* page : {"/metrics", "/statusz", "/statusz/all", "/readyz"}) {
    pages += testing::HttpGet(server.ops_http_port(), page);
  }
  EXPECT_THAT(pages, HasSubstr("inkan_verdicts_total"));
  EXPECT_THAT(pages, HasSubstr("<html"));
  server.process().Signal(SIGTERM);
  EXPECT_EQ(server.process().Wait(kPatience), 0);

  const std::string log = server.process().Output();
  EXPECT_THAT(log, HasSubstr("listening on"));
  EXPECT_THAT(log, HasSubstr("filing(s) judged"));
  EXPECT_THAT(log, HasSubstr("gRPC: "));
  std::string searched = log + pages;
  if (GetParam() == absl::string_view("json")) searched += Unescaped(log);
  for (const auto& [text, what] : needles) {
    for (const std::string& spelling : Spellings(text)) {
      EXPECT_EQ(searched.find(spelling), std::string::npos)
          << what << ": " << spelling << "\n"
          << log;
    }
  }
  // The same look does find what is there.
  const std::string audit = ReadFile(server.lab() + "/audit.log");
  for (const auto& entry : corpus) {
    EXPECT_NE(audit.find(entry.filing().filing_id()), std::string::npos);
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, LogPrivacy, ::testing::Values("text", "json"),
                         [](const auto& info) {
                           return std::string(info.param);
                         });

}  // namespace
}  // namespace inkan
