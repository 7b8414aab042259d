// nginx and slapd on loopback, with configurations of the test's own, ended by
// pid; a lab whose CRLs can be made anew; and a server that fetches them.
#ifndef INKAN_TESTS_E2E_CRL_PEERS_H_
#define INKAN_TESTS_E2E_CRL_PEERS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bench/lab/authority.h"
#include "bench/lab/crl_publisher.h"
#include "bench/lab/population.h"
#include "tests/e2e/lab_server.h"
#include "tests/support/process.h"

namespace inkan {

// Polls for two minutes: only a fault takes longer, however slow the machine.
bool Soon(const std::function<bool()>& holds);

int FreePort();

// PEM files for a server that speaks TLS.
struct PeerTls {
  std::string certificate_file;
  std::string key_file;
  std::string ca_file;
};

// Serves the files of a folder. What comes before them is the test's choice.
class WebServer {
 public:
  explicit WebServer(std::string dir, std::optional<PeerTls> tls = {});

  // Serves on as `rules` (nginx, within the server block) say.
  void Behave(const std::string& rules);
  void Start();
  void Stop();
  void Write(const std::string& name, const std::string& contents) const;
  void Remove(const std::string& name) const;
  std::string url(const std::string& name) const;

 private:
  void WriteConfig(const std::string& rules) const;

  std::string dir_;
  std::optional<PeerTls> tls_;
  int port_;
  std::unique_ptr<Process> process_;
};

// Holds CRLs as entries cn=NAME,o=lab. With TLS it speaks it at ldaps_url(),
// and at url() to who asks for StartTLS.
class DirectoryServer {
 public:
  DirectoryServer(std::string dir,
                  const std::map<std::string, std::string>& crls,
                  const std::optional<PeerTls>& tls = {});

  void Start();
  void Stop();
  void Signal(int number) const { process_->Signal(number); }
  void Replace(const std::string& name, const std::string& crl) const;
  void Delete(const std::string& name) const;
  void Add(const std::string& name, const std::string& crl) const;
  std::string url() const;
  std::string ldaps_url() const;

 private:
  void Modify(const std::string& ldif) const;

  std::string dir_;
  int port_;
  int tls_port_ = 0;  // 0: no TLS
  std::unique_ptr<Process> process_;
};

// The shared lab once more, with its keys.
class LabWorld {
 public:
  LabWorld();

  // The plan of a CRL that lists something and that speaks about a certificate
  // whose filings are all good; and those filings.
  struct Target {
    const lab::CrlPlan* plan = nullptr;
    uint64_t serial = 0;
    std::set<std::string> filing_ids;
  };
  Target Find(const std::vector<lab::v1::CorpusEntry>& corpus,
              lab::CertificateKind kind) const;
  // The CRL of a plan, `ahead` numbers later, with one serial more; or listing
  // nothing; or signed with a stranger's key.
  struct Change {
    int64_t ahead = 0;
    uint64_t revoke = 0;
    bool empty = false;
    bool stranger = false;
  };
  std::string Crl(const lab::CrlPlan& plan, const Change& change) const;

  const std::vector<lab::CrlPlan>& plans() const { return plans_; }

 private:
  lab::LabClock clock_;
  std::vector<lab::Municipality> places_;
  lab::Authorities authorities_;
  lab::Population population_;
  std::vector<lab::CrlPlan> plans_;
  lab::PrivateKey stranger_;
};

// inkand on the shared lab's profiles with CRL sources of the test's own.
class FetchingServer {
 public:
  FetchingServer(const std::string& dir, const std::string& sources);

  void Start();
  void Kill();
  // SIGTERM; the time it took.
  absl::Duration Terminate();
  v1::GetStatusResponse Status() const;
  // The error of the source whose name ends so, or "".
  std::string ErrorOf(const std::string& name) const;
  bool InUse(const std::string& name) const;
  std::shared_ptr<grpc::Channel> channel() const;
  std::string config_file() const { return dir_ + "/lab/inkand.textproto"; }
  Process& process() { return *process_; }

 private:
  std::string dir_;
  std::string target_;
  std::unique_ptr<Process> process_;
};

}  // namespace inkan

#endif  // INKAN_TESTS_E2E_CRL_PEERS_H_
