// The real server, over real sockets, with the real client and load generator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/e2e/lab_server.h"
#include "tests/support/conformance.h"

namespace inkan {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using Corpus = std::vector<lab::v1::CorpusEntry>;

std::unique_ptr<grpc::ClientContext> Context(
    absl::Duration timeout = absl::Seconds(60)) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  return context;
}

void ExpectEveryKindIsTrue(const LabServer& server, const Corpus& corpus) {
  const auto stub = server.verification();
  for (size_t first = 0; first < corpus.size(); first += 500) {
    v1::BatchVerifyRequest request;
    const size_t end = std::min(corpus.size(), first + 500);
    for (size_t i = first; i < end; ++i) {
      *request.add_filings() = corpus[i].filing();
    }
    v1::BatchVerifyResponse response;
    const grpc::Status status =
        stub->BatchVerify(Context().get(), request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    ASSERT_EQ(static_cast<size_t>(response.verdicts_size()), end - first);
    for (size_t i = first; i < end; ++i) {
      EXPECT_TRUE(
          IsTrue(corpus[i], response.verdicts(static_cast<int>(i - first))));
    }
  }
}

TEST(EndToEnd, EveryVerdictIsTrueInEveryCallStyle) {
  LabServer server(FreshWorkDir());
  for (const std::string mode : {"unary", "batch", "stream"}) {
    const CommandResult load =
        RunCommand({Binary("inkan-load"), "--target", server.target(),
                    "--corpus", server.lab() + "/corpus.binpb", "--mode", mode,
                    "--batch-size", "64", "--connections", "2", "--rate", "0",
                    "--count", "2000", "--format", "json"});
    EXPECT_EQ(load.exit_code, 0) << mode << "\n" << load.output;
  }
}

// Each sample of a lab comes with a command line and the verdict it gives.
TEST(EndToEnd, EverySampleByHandGivesTheVerdictItPromises) {
  size_t samples = 0;
  for (const std::string& sample : ListFiles(SharedLab() + "/samples")) {
    const std::string about = ReadFile(sample + "/about.txt");
    const size_t at = about.find("  inkan verify");
    ASSERT_NE(at, std::string::npos) << sample;
    const CommandResult result = RunCommand(
        {"sh", "-c",
         "cd '" + sample + "' && PATH='" INKAN_BIN_DIR "':\"$PATH\" && " +
             about.substr(at)});
    const size_t verdict = about.find("verdict:") + 12;
    const std::string promised =
        about.substr(verdict, about.find('\n', verdict) - verdict);
    EXPECT_THAT(result.output, HasSubstr(promised)) << sample;
    const int code = promised.starts_with("TOTAL_PASSED")   ? 0
                     : promised.starts_with("TOTAL_FAILED") ? 1
                                                            : 2;
    EXPECT_EQ(result.exit_code, code) << sample << "\n" << result.output;
    ++samples;
  }
  EXPECT_GE(samples, 25U);
}

TEST(EndToEnd, RequestsThatAreWrongAsAWholeAreRefusedByName) {
  LabServer server(FreshWorkDir(), "limits { batch_filings_max: 100 }");
  const auto stub = server.verification();
  const Corpus corpus = ReadCorpus(server.lab());
  v1::BatchVerifyResponse response;
  v1::BatchVerifyRequest none;
  grpc::Status status = stub->BatchVerify(Context().get(), none, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("filings"));

  v1::BatchVerifyRequest batch;
  for (int i = 0; i < 100; ++i) *batch.add_filings() = corpus[0].filing();
  status = stub->BatchVerify(Context().get(), batch, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.verdicts_size(), 100);
  *batch.add_filings() = corpus[0].filing();
  status = stub->BatchVerify(Context().get(), batch, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("100"));

  v1::VerifyRequest without_filing;
  v1::VerifyResponse verdict;
  status = stub->Verify(Context().get(), without_filing, &verdict);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("filing"));

  v1::VerifyRequest huge;
  *huge.mutable_filing() = corpus[0].filing();
  huge.mutable_filing()->set_document(std::string(size_t{65} << 20, 'x'));
  status = stub->Verify(Context().get(), huge, &verdict);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);

  ExpectEveryKindIsTrue(server, OfKind(corpus, "good", 50));
  EXPECT_TRUE(server.process().Running());
}

TEST(EndToEnd, AMessageOfAlmostTheLimitGetsItsVerdict) {
  LabServer server(FreshWorkDir(), "limits { document_bytes_max: 67108864 }");
  const auto stub = server.verification();
  v1::VerifyRequest request;
  *request.mutable_filing() =
      OfKind(ReadCorpus(server.lab()), "good", 1)[0].filing();
  request.mutable_filing()->set_document(
      std::string((size_t{64} << 20) - 8192, 'x'));
  v1::VerifyResponse response;
  const grpc::Status status = stub->Verify(Context().get(), request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.verdict().sub_indication(),
            v1::SUB_INDICATION_HASH_FAILURE);
}

TEST(EndToEnd, OneBadFilingAmongAThousandGoodOnesDisturbsNone) {
  LabServer server(FreshWorkDir());
  const Corpus good = OfKind(ReadCorpus(server.lab()), "good", 999);
  const auto stub = server.verification();
  const std::string der = good[0].filing().certificate();
  const std::vector<std::string> bad_certificates = {
      "",
      "x",
      der.substr(0, der.size() / 2),
      der + "x",
      std::string("\x30\x80") + der.substr(4) + std::string(2, '\0'),
      std::string("\x30\x84\x7f\xff\xff\xff"),
      // 4,000 SEQUENCEs, each holding the next.
      [] {
        std::string nested;
        for (int i = 0; i < 4000; ++i) nested += "\x30\x82\x10\x00";
        return nested;
      }(),
      std::string(60000, '\x30'),
  };
  for (const std::string& certificate : bad_certificates) {
    v1::BatchVerifyRequest request;
    for (size_t i = 0; i < good.size(); ++i) {
      if (i == 500) {
        v1::Filing* bad = request.add_filings();
        *bad = good[i].filing();
        bad->set_filing_id("the bad one");
        bad->set_certificate(certificate);
      }
      *request.add_filings() = good[i].filing();
    }
    v1::BatchVerifyResponse response;
    const grpc::Status status =
        stub->BatchVerify(Context().get(), request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    ASSERT_EQ(response.verdicts_size(), 1000);
    for (int i = 0; i < 1000; ++i) {
      if (i == 500) {
        EXPECT_EQ(response.verdicts(i).filing_id(), "the bad one");
        EXPECT_EQ(response.verdicts(i).sub_indication(),
                  v1::SUB_INDICATION_FORMAT_FAILURE)
            << response.verdicts(i).ShortDebugString();
        EXPECT_THAT(response.verdicts(i).diagnostic(),
                    HasSubstr("certificate"));
        continue;
      }
      EXPECT_TRUE(IsTrue(good[static_cast<size_t>(i > 500 ? i - 1 : i)],
                         response.verdicts(i)));
    }
  }
}

TEST(EndToEnd, AFileThatIsNoCrlChangesNothingButTheStatus) {
  LabServer server(FreshWorkDir());
  const Corpus corpus = ReadCorpus(server.lab());
  const auto operations = server.operations();
  v1::GetStatusResponse before;
  ASSERT_TRUE(operations->GetStatus(Context().get(), {}, &before).ok());
  const auto errors_of = [&](const std::string& name) {
    v1::GetStatusResponse status;
    EXPECT_TRUE(operations->GetStatus(Context().get(), {}, &status).ok());
    EXPECT_EQ(status.partitions_size(), before.partitions_size());
    EXPECT_EQ(status.snapshot().digest(), before.snapshot().digest());
    for (const auto& error : status.source_errors()) {
      if (error.source().find(name) != std::string::npos) return error.error();
    }
    return std::string();
  };
  const std::string path = server.lab() + "/crls/holiday-photo.jpg";
  std::ofstream(path) << "not a CRL at all";
  std::string error;
  for (int i = 0; i < 500 && error.empty(); ++i) {
    absl::SleepFor(absl::Milliseconds(20));
    error = errors_of("holiday-photo.jpg");
  }
  EXPECT_THAT(error, HasSubstr("certificateList"));
  ExpectEveryKindIsTrue(server, corpus);
  fs::remove(path);
  for (int i = 0; i < 500 && !error.empty(); ++i) {
    absl::SleepFor(absl::Milliseconds(20));
    error = errors_of("holiday-photo.jpg");
  }
  EXPECT_EQ(error, "");
}

// Clients that send until the server says it stops. Every call that was
// accepted must come back with all its verdicts; the others say UNAVAILABLE.
TEST(EndToEnd, TerminationUnderLoadLosesNoVerdict) {
  // Nobody is refused before the signal, however slow the machine.
  LabServer server(FreshWorkDir(),
                   "limits { queue_wait_milliseconds_max: 600000 }");
  const Corpus corpus = ReadCorpus(server.lab());
  std::atomic<int> answered{0};
  std::atomic<int> refused{0};
  std::vector<std::thread> clients;
  for (size_t client = 0; client < 6; ++client) {
    clients.emplace_back([&, client] {
      const auto stub = server.verification();
      for (size_t round = client;; ++round) {
        v1::BatchVerifyRequest request;
        Corpus sent;
        for (size_t i = 0; i < 200; ++i) {
          sent.push_back(corpus[(round * 200 + i) % corpus.size()]);
          *request.add_filings() = sent.back().filing();
        }
        v1::BatchVerifyResponse response;
        const grpc::Status status =
            stub->BatchVerify(Context().get(), request, &response);
        if (!status.ok()) {
          EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE)
              << status.error_message();
          refused.fetch_add(1);
          return;
        }
        ASSERT_EQ(static_cast<size_t>(response.verdicts_size()), sent.size());
        for (size_t i = 0; i < sent.size(); ++i) {
          EXPECT_TRUE(IsTrue(sent[i], response.verdicts(static_cast<int>(i))));
        }
        answered.fetch_add(1);
      }
    });
  }
  // A stream that has sent ten messages when the signal comes, and reads after.
  const auto stub = server.verification();
  const auto stream_context = Context();
  const auto stream = stub->StreamVerify(stream_context.get());
  for (uint64_t message = 0; message < 10; ++message) {
    v1::StreamVerifyRequest request;
    request.set_sequence(message);
    for (size_t i = 0; i < 50; ++i) {
      *request.add_filings() = corpus[message * 50 + i].filing();
    }
    ASSERT_TRUE(stream->Write(request));
  }
  // By then the server has read all of the stream, whose turn is every other
  // one.
  while (answered.load() < 60) absl::SleepFor(absl::Milliseconds(5));
  server.process().Signal(SIGTERM);
  uint64_t messages = 0;
  v1::StreamVerifyResponse response;
  while (stream->Read(&response)) {
    EXPECT_EQ(response.sequence(), messages);
    ASSERT_EQ(response.verdicts_size(), 50);
    for (size_t i = 0; i < 50; ++i) {
      EXPECT_TRUE(IsTrue(corpus[messages * 50 + i],
                         response.verdicts(static_cast<int>(i))));
    }
    ++messages;
  }
  EXPECT_EQ(messages, 10U);
  stream->Finish();
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(refused.load(), 6);
  EXPECT_GE(answered.load(), 60);
  EXPECT_EQ(server.process().Wait(absl::Seconds(60)), 0)
      << server.process().Output();
}

TEST(EndToEnd, HealthTurnsAwayBeforeTheServerStops) {
  LabServer server(FreshWorkDir());
  const std::vector<std::string> probe = {Binary("inkan"), "health", "--target",
                                          server.target(), "--plaintext"};
  EXPECT_EQ(RunCommand(probe).exit_code, 0);
  server.process().Signal(SIGTERM);
  EXPECT_EQ(server.process().Wait(absl::Seconds(60)), 0);
  EXPECT_NE(RunCommand(probe).exit_code, 0);
}

TEST(EndToEnd, AForeignClientAgrees) {
  LabServer server(FreshWorkDir());
  const std::string folder = std::string(INKAN_SOURCE_DIR) + "/tests/e2e/node";
  ASSERT_TRUE(fs::exists(folder + "/node_modules"))
      << "run ./dev test, which installs the client's packages with npm";
  const CommandResult node = RunCommand(
      {"node", folder + "/client.mjs", server.target(),
       server.lab() + "/corpus.binpb", std::string(INKAN_SOURCE_DIR) + "/proto",
       INKAN_HEALTH_PROTO_DIR});
  EXPECT_EQ(node.exit_code, 0) << node.output;
  EXPECT_THAT(node.output, HasSubstr(" passed, 0 failed"));
}

// Certificates for loopback, made by the openssl command.
void MakeTlsFiles(const std::string& dir) {
  const auto openssl = [&](const std::string& arguments) {
    const CommandResult result =
        RunCommand({"sh", "-c", "cd " + dir + " && openssl " + arguments});
    EXPECT_EQ(result.exit_code, 0) << result.output;
  };
  std::ofstream(dir + "/san.cnf") << "subjectAltName=IP:127.0.0.1\n";
  openssl(
      "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 "
      "-subj /CN=test-ca");
  for (const std::string who : {"server", "client"}) {
    openssl("req -newkey rsa:2048 -nodes -keyout " + who + ".key -out " + who +
            ".csr -subj /CN=" + who);
    openssl("x509 -req -in " + who +
            ".csr -CA ca.pem -CAkey ca.key -days 2 "
            "-set_serial 2 -extfile san.cnf -out " +
            who + ".pem");
  }
}

TEST(EndToEnd, MutualTlsLetsInOnlyClientsWithACertificate) {
  const std::string dir = FreshWorkDir();
  MakeTlsFiles(dir);
  fs::copy(SharedLab(), dir + "/lab", fs::copy_options::recursive);
  std::string config = ReadFile(dir + "/lab/inkand.textproto");
  const std::string plain =
      "plaintext: \"I understand that filings travel unencrypted\"";
  const size_t at = config.find(plain);
  ASSERT_NE(at, std::string::npos);
  config.replace(at, plain.size(),
                 "tls { certificate_chain_file: \"" + dir +
                     "/server.pem\" "
                     "private_key_file: \"" +
                     dir +
                     "/server.key\" "
                     "client_ca_file: \"" +
                     dir + "/ca.pem\" }");
  std::ofstream(dir + "/lab/inkand.textproto") << config;
  Process server({Binary("inkand"), "--config", dir + "/lab/inkand.textproto",
                  "--port-file", dir + "/port"},
                 dir + "/inkand.log");
  for (int i = 0; i < 500 && !fs::exists(dir + "/port"); ++i) {
    absl::SleepFor(absl::Milliseconds(20));
  }
  absl::SleepFor(absl::Milliseconds(100));
  ASSERT_TRUE(server.Running()) << server.Output();
  std::string port = ReadFile(dir + "/port");
  while (!port.empty() && port.back() == '\n') port.pop_back();
  const std::string target = "127.0.0.1:" + port;
  const std::vector<std::string> base = {Binary("inkan"), "health", "--target",
                                         target};
  const auto with = [&](std::vector<std::string> flags) {
    std::vector<std::string> all = base;
    all.insert(all.end(), flags.begin(), flags.end());
    return RunCommand(all).exit_code;
  };
  EXPECT_EQ(with({"--tls-ca", dir + "/ca.pem", "--tls-cert",
                  dir + "/client.pem", "--tls-key", dir + "/client.key"}),
            0);
  EXPECT_NE(with({"--tls-ca", dir + "/ca.pem"}), 0);
  EXPECT_NE(with({"--plaintext"}), 0);
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(absl::Seconds(60)), 0) << server.Output();
}

TEST(EndToEnd, AWrongConfigurationNamesFileLineAndField) {
  const std::string dir = FreshWorkDir();
  const auto check = [&](const std::string& text) {
    std::ofstream(dir + "/bad.textproto") << text;
    const CommandResult result =
        RunCommand({Binary("inkand"), "--check-config", "--config",
                    dir + "/bad.textproto"});
    EXPECT_NE(result.exit_code, 0);
    EXPECT_THAT(result.output, HasSubstr("bad.textproto"));
    return result.output;
  };
  EXPECT_THAT(check("listener {\n  adress: \"x\"\n}"), HasSubstr(":2:"));
  EXPECT_THAT(check("listener { address: \"127.0.0.1:0\" }"),
              HasSubstr("plaintext"));
  EXPECT_THAT(check("listener { address: \"127.0.0.1:0\" plaintext: \"yes\" }"),
              HasSubstr("I understand that filings travel unencrypted"));
}

// What an operator does where there is a command line and no shell.
TEST(EndToEnd, AnOperatorReloadsAndLooksUpByCommand) {
  LabServer server(FreshWorkDir());
  const auto inkan = [&](std::vector<std::string> words) {
    words.insert(words.begin(), Binary("inkan"));
    words.insert(words.end(), {"--target", server.target(), "--plaintext"});
    return RunCommand(words);
  };
  const std::string config_file = server.lab() + "/inkand.textproto";
  const std::string config = ReadFile(config_file);
  std::ofstream(config_file) << config << "\nprofiles { name: \"broken\" }\n";
  const CommandResult refused = inkan({"reload"});
  EXPECT_EQ(refused.exit_code, 78) << refused.output;
  EXPECT_THAT(refused.output, HasSubstr("nothing changed"));
  EXPECT_THAT(refused.output, HasSubstr("inkand.textproto:"));
  std::ofstream(config_file) << config;
  const CommandResult reloaded = inkan({"reload"});
  EXPECT_EQ(reloaded.exit_code, 0) << reloaded.output;
  EXPECT_THAT(reloaded.output, HasSubstr("Reloaded. "));

  const lab::v1::CorpusEntry revoked =
      OfKind(ReadCorpus(server.lab()), "revoked_before", 1)[0];
  v1::VerifyRequest request;
  *request.mutable_filing() = revoked.filing();
  v1::VerifyResponse response;
  ASSERT_TRUE(
      server.verification()->Verify(Context().get(), request, &response).ok());
  const auto lookup = [&](const std::string& profile,
                          const std::string& serial) {
    return inkan({"lookup", "--profile", profile, "--serial", serial});
  };
  const CommandResult listed =
      lookup(revoked.filing().profile(),
             response.verdict().certificate().serial_number());
  EXPECT_EQ(listed.exit_code, 1) << listed.output;
  EXPECT_THAT(listed.output, HasSubstr("Status        revoked"));
  // No serial of the lab is that long.
  std::string free_serial;
  for (int i = 0; i < 20; ++i) free_serial += "7f";
  const CommandResult free = lookup(revoked.filing().profile(), free_serial);
  EXPECT_EQ(free.exit_code, 0) << free.output;
  EXPECT_THAT(free.output, HasSubstr(": not listed"));
  const CommandResult unknown = lookup("nobody", free_serial);
  EXPECT_EQ(unknown.exit_code, 65) << unknown.output;
  EXPECT_THAT(unknown.output, HasSubstr("there are: "));
}

TEST(EndToEnd, ReloadTakesNewProfilesAndKeepsTheOldOnesOnError) {
  LabServer server(FreshWorkDir());
  const Corpus corpus = ReadCorpus(server.lab());
  const std::string config_file = server.lab() + "/inkand.textproto";
  const std::string config = ReadFile(config_file);
  const auto operations = server.operations();
  std::ofstream(config_file) << config << "\nprofiles { name: \"broken\" }\n";
  v1::ReloadResponse response;
  EXPECT_FALSE(operations->Reload(Context().get(), {}, &response).ok());
  ExpectEveryKindIsTrue(server, OfKind(corpus, "good", 20));
  std::ofstream(config_file) << config
                             << "\nprofiles { name: \"second\" anchor_files: "
                                "\"anchors/authca03.cer\" }\n";
  const grpc::Status status =
      operations->Reload(Context().get(), {}, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  v1::GetStatusResponse now;
  ASSERT_TRUE(operations->GetStatus(Context().get(), {}, &now).ok());
  EXPECT_EQ(now.profiles_size(), 3);
  ExpectEveryKindIsTrue(server, corpus);
}

}  // namespace
}  // namespace inkan
