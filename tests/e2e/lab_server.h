// A lab and a server on it, for one test.
#ifndef INKAN_TESTS_E2E_LAB_SERVER_H_
#define INKAN_TESTS_E2E_LAB_SERVER_H_

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "inkan/lab/v1/corpus.pb.h"
#include "inkan/v1/operations.grpc.pb.h"
#include "inkan/v1/verification.grpc.pb.h"
#include "tests/support/process.h"

namespace inkan {

// The folder of a lab of 200 citizens and 2,000 filings, made once a machine
// and build; tests must not change it.
const std::string& SharedLab();

std::vector<lab::v1::CorpusEntry> ReadCorpus(const std::string& lab_dir);
// The first `count` entries of one kind.
std::vector<lab::v1::CorpusEntry> OfKind(
    const std::vector<lab::v1::CorpusEntry>& corpus, const std::string& kind,
    size_t count);

// Whether the verdict is the true one and carries the filing's id.
::testing::AssertionResult IsTrue(const lab::v1::CorpusEntry& entry,
                                  const v1::Verdict& verdict);

std::string Binary(const std::string& name);

// A fresh folder for the running test.
std::string FreshWorkDir();

class LabServer {
 public:
  // Copies the shared lab into `work_dir`, with `config_tail` added to its
  // configuration, and starts inkand on it, with more flags if need be.
  explicit LabServer(const std::string& work_dir,
                     const std::string& config_tail = "",
                     const std::vector<std::string>& flags = {});

  const std::string& target() const { return target_; }
  int ops_http_port() const { return ops_http_port_; }  // 0: none
  std::string lab() const { return work_dir_ + "/lab"; }
  Process& process() { return *process_; }
  std::shared_ptr<grpc::Channel> channel() const;
  std::unique_ptr<v1::VerificationService::Stub> verification() const {
    return v1::VerificationService::NewStub(channel());
  }
  std::unique_ptr<v1::OperationsService::Stub> operations() const {
    return v1::OperationsService::NewStub(channel());
  }

 private:
  std::string work_dir_;
  std::string target_;
  int ops_http_port_ = 0;
  std::unique_ptr<Process> process_;
};

}  // namespace inkan

#endif  // INKAN_TESTS_E2E_LAB_SERVER_H_
