// A small world for tests of server and client: one CA, one good signer, one
// revoked signer, a CRL, and a configuration, as files in a folder of their
// own.
//
//   TestWorld world;
//   auto server = world.StartServer();
//   v1::Filing filing = world.GoodFiling();
//
// One thread. The folder goes with the object.
#ifndef INKAN_TESTS_SERVER_TEST_WORLD_H_
#define INKAN_TESTS_SERVER_TEST_WORLD_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/lab/keys.h"
#include "inkan/v1/verification.pb.h"
#include "server/server.h"

namespace inkan::testing {

// 2026-03-15T12:00:00Z, when everything is valid.
int64_t WorldTime();

class TestWorld {
 public:
  TestWorld();
  ~TestWorld();
  TestWorld(const TestWorld&) = delete;
  TestWorld& operator=(const TestWorld&) = delete;

  std::string Path(std::string_view name) const;
  void Write(std::string_view name, std::string_view contents) const;

  // A configuration: a plaintext listener on a free port, profile "signature"
  // with the CA, the folder "crls", and `more` after it.
  std::string ConfigText(std::string_view more = "") const;
  // Writes the text as inkand.textproto and starts a server with it.
  std::unique_ptr<Server> StartServer(const std::string& config_text) const;
  std::unique_ptr<Server> StartServer() const {
    return StartServer(ConfigText());
  }

  // Filings over "a tax return" at WorldTime, under profile "signature".
  v1::Filing GoodFiling(std::string_view id = "") const;
  v1::Filing RevokedFiling() const;
  // Signed with SHA-256 over any document.
  v1::Filing FilingOver(std::string_view document) const;

  // A certificate like the good signer's, with another serial number.
  std::string Issue(uint64_t serial) const;
  // Puts a CRL in the place of the first, whose number is 7, in one step. It
  // revokes the revoked signer and `also`.
  void ReplaceCrl(uint64_t number, const std::vector<uint64_t>& also) const;
  // Puts a delta to the first CRL beside it, which revokes `serials`. It ends
  // one day after that.
  void AddDelta(uint64_t number, const std::vector<uint64_t>& serials) const;

  // A delta to the first CRL, number 8, that revokes nothing.
  std::string Delta() const;

  const std::string& ca() const { return ca_; }
  const std::string& signer() const { return signer_; }
  const std::string& revoked_signer() const { return revoked_signer_; }

 private:
  std::string Crl(uint64_t number, const std::vector<uint64_t>& also) const;

  std::filesystem::path folder_;
  lab::PrivateKey ca_key_;
  lab::PrivateKey signer_key_;
  std::string ca_;
  std::string signer_;
  std::string revoked_signer_;
  v1::Filing good_;  // signing takes longer than verifying
};

}  // namespace inkan::testing

#endif  // INKAN_TESTS_SERVER_TEST_WORLD_H_
