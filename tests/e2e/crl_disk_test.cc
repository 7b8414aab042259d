// CRL state on a disk that is full: what was in force stays so, what cannot be
// kept is named, and all goes on by itself when there is room again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cache/crl_file.h"
#include "cache/crl_loader.h"
#include "tests/e2e/crl_peers.h"
#include "tests/e2e/small_disk.h"
#include "tests/server/http_client.h"
#include "tests/support/conformance.h"

namespace inkan {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// No file of the server's own grows as large, and neither the CRLs with
// strangers nor their indexes are as small.
constexpr uint64_t kFileBytes = 64 << 10;
constexpr uint64_t kStrangers = 30'000;

bool SaysFull(const std::string& error) {
  return absl::StrContains(error, "No space left") ||
         absl::StrContains(error, "File too large");
}

// CRLs of signature certificates come over HTTP, the others from a folder.
class CrlDisk : public ::testing::Test {
 protected:
  CrlDisk() : dir_(FreshWorkDir()), corpus_(ReadCorpus(SharedLab())) {
    std::string urls;
    fs::create_directories(folder());
    for (const lab::CrlPlan& plan : world_.plans()) {
      const std::string der = ReadFile(SharedLab() + "/crls/" + plan.file_name);
      if (plan.ca->kind == lab::CertificateKind::kSignature) {
        web_.Write(plan.file_name, der);
        absl::StrAppend(&urls, "urls: \"", web_.url(plan.file_name), "\" ");
      } else {
        PutInFolder(plan.file_name, der);
      }
    }
    server_ = std::make_unique<FetchingServer>(
        dir_, absl::StrCat("crl_sources { http { ", urls, "} ", kOften,
                           " }\ncrl_sources { directory: \"", folder(),
                           "\" }\nops_http { address: \"127.0.0.1:0\" }\n"));
  }

  std::string folder() const { return dir_ + "/crls"; }
  void PutInFolder(const std::string& name, const std::string& crl) const {
    std::ofstream(dir_ + "/unfinished", std::ios::binary) << crl;
    fs::rename(dir_ + "/unfinished", folder() + "/" + name);
  }
  double Unwritten() const {
    const std::string sample = "\ninkan_crl_indexes_unwritten ";
    const std::string text = testing::HttpBody(
        testing::HttpGet(server_->ops_http_port(), "/metrics"));
    const size_t at = text.find(sample);
    return at == std::string::npos
               ? -1
               : std::atof(text.c_str() + at + sample.size());
  }
  size_t LogLines(const std::string& text) const {
    size_t lines = 0;
    for (const auto& line : absl::StrSplit(server_->process().Output(), '\n')) {
      if (absl::StrContains(line, text)) ++lines;
    }
    return lines;
  }

  const std::string dir_;
  const Corpus corpus_;
  const LabWorld world_;
  WebServer web_{dir_ + "/web"};
  std::unique_ptr<FetchingServer> server_;
};

TEST_F(CrlDisk, WhenFullKeepsWhatIsInForceAndTakesTheNextWhenThereIsRoom) {
  const SmallDisk disk(server_->state_directory());
  web_.Start();
  server_->Start();
  ASSERT_TRUE(Soon([&] {
    return static_cast<size_t>(server_->Status().partitions_size()) ==
           world_.plans().size();
  }));
  ExpectTruth(*server_, corpus_);
  EXPECT_EQ(Unwritten(), 0);
  EXPECT_EQ(server_->Status().crl_index_error(), "");
  const pid_t pid = server_->process().pid();
  disk.Fill(pid, kFileBytes);

  // A folder is the operator's: its CRL is taken, and only its index missed.
  const auto placed =
      world_.Find(corpus_, lab::CertificateKind::kAuthentication);
  ASSERT_NE(placed.plan, nullptr);
  PutInFolder(placed.plan->file_name,
              world_.Crl(*placed.plan, {.ahead = 10,
                                        .revoke = {placed.serial},
                                        .strangers = kStrangers}));
  EXPECT_TRUE(Soon([&] {
    return IsRevoked(*server_, corpus_, *placed.filing_ids.begin());
  }));
  EXPECT_TRUE(Soon([&] { return Unwritten() == 1; }));
  const v1::GetStatusResponse status = server_->Status();
  EXPECT_EQ(status.crl_indexes_unwritten(), 1U);
  EXPECT_THAT(status.crl_index_error(), HasSubstr(placed.plan->file_name));
  EXPECT_TRUE(SaysFull(status.crl_index_error())) << status.crl_index_error();
  EXPECT_THAT(
      testing::HttpBody(testing::HttpGet(server_->ops_http_port(), "/statusz")),
      HasSubstr("1 CRL index cannot be kept"));

  // One from the network cannot be kept, so that it is not taken.
  const auto fetched = world_.Find(corpus_, lab::CertificateKind::kSignature);
  ASSERT_NE(fetched.plan, nullptr);
  const std::string& name = fetched.plan->file_name;
  web_.Write(name, world_.Crl(*fetched.plan, {.ahead = 10,
                                              .revoke = {fetched.serial},
                                              .strangers = kStrangers}));
  EXPECT_TRUE(Soon([&] { return SaysFull(server_->ErrorOf(name)); }))
      << server_->ErrorOf(name);
  EXPECT_THAT(server_->ErrorOf(name), HasSubstr("state directory"));
  EXPECT_TRUE(server_->InUse(name));
  ExpectTruth(*server_, corpus_, placed.filing_ids);
  // Once, however often it is tried.
  EXPECT_EQ(LogLines("CRL indexes cannot be kept"), 1U);
  EXPECT_EQ(LogLines("CRL indexes are kept again"), 0U);

  disk.MakeRoom(pid);
  EXPECT_TRUE(Soon([&] {
    return IsRevoked(*server_, corpus_, *fetched.filing_ids.begin());
  }));
  EXPECT_TRUE(Soon([&] { return server_->ErrorOf(name).empty(); }));
  EXPECT_TRUE(Soon([&] { return Unwritten() == 0; }));
  EXPECT_EQ(server_->Status().crl_index_error(), "");
  EXPECT_TRUE(
      Soon([&] { return LogLines("CRL indexes are kept again") == 1; }));
  EXPECT_EQ(LogLines("CRL indexes cannot be kept"), 1U);
  const CrlLoader loader(
      {.cache_folder = server_->state_directory() + "/compiled"});
  const auto index = OpenCompiledCrl(
      loader.CompiledPath(folder() + "/" + placed.plan->file_name), "");
  ASSERT_TRUE(index.ok()) << index.status();
  EXPECT_GT(index->crl->entries(), kStrangers);
  std::set<std::string> revoked = placed.filing_ids;
  revoked.insert(fetched.filing_ids.begin(), fetched.filing_ids.end());
  ExpectTruth(*server_, corpus_, revoked);

  // What was kept is there after a start without a network.
  web_.Stop();
  server_->Kill();
  server_->Start();
  ExpectTruth(*server_, corpus_, revoked);
  EXPECT_LT(server_->Terminate(), absl::Seconds(30));
}

}  // namespace
}  // namespace inkan
