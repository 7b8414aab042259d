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
  // One value of any attribute, and none.
  void Set(const std::string& name, const std::string& attribute,
           const std::string& value) const;
  void Clear(const std::string& name, const std::string& attribute) const;
  // An entry whose rawCrl may hold what is no CRL: slapd looks at the others.
  void AddRaw(const std::string& name, const std::string& value) const;
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

  // The plan of a CRL that lists something and that speaks about two
  // certificates whose filings are all good; and those filings.
  struct Target {
    const lab::CrlPlan* plan = nullptr;
    uint64_t serial = 0;
    std::set<std::string> filing_ids;
    // Of another one.
    uint64_t other_serial = 0;
    std::set<std::string> other_filing_ids;
  };
  Target Find(const std::vector<lab::v1::CorpusEntry>& corpus,
              lab::CertificateKind kind) const;
  // The CRL of a plan, `ahead` numbers later, with serials more, and so many
  // that nobody has; or listing nothing; or signed with a stranger's key; or a
  // delta of the one that is `delta_of` numbers later.
  struct Change {
    int64_t ahead = 0;
    std::vector<uint64_t> revoke = {};
    bool empty = false;
    bool stranger = false;
    uint64_t strangers = 0;
    std::optional<int64_t> delta_of = {};
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
  // The two parts of it.
  void Launch();
  void AwaitListening();
  void Kill();
  // SIGTERM; the time it took.
  absl::Duration Terminate();
  v1::GetStatusResponse Status() const;
  // The error of the source whose name ends so, or "".
  std::string ErrorOf(const std::string& name) const;
  bool InUse(const std::string& name) const;
  std::shared_ptr<grpc::Channel> channel() const;
  std::string config_file() const { return dir_ + "/lab/inkand.textproto"; }
  std::string state_directory() const { return dir_ + "/lab/state"; }
  int ops_http_port() const { return ops_http_port_; }  // 0: none
  Process& process() { return *process_; }

 private:
  std::string dir_;
  std::string target_;
  int ops_http_port_ = 0;
  std::unique_ptr<Process> process_;
};

// The rest of a source's configuration: asked every second, impatient.
inline constexpr char kOften[] =
    "poll_interval { seconds: 1 } fetch { retry_first { seconds: 1 } "
    "retry_max { seconds: 1 } stall_timeout { seconds: 2 } total_timeout { "
    "seconds: 3 } }";

using Corpus = std::vector<lab::v1::CorpusEntry>;

// Every filing of the corpus has its true verdict; those in `revoked` are
// revoked by now.
void ExpectTruth(const FetchingServer& server, const Corpus& corpus,
                 const std::set<std::string>& revoked = {});

// Whether a filing is judged REVOKED by now.
bool IsRevoked(const FetchingServer& server, const Corpus& corpus,
               const std::string& filing_id);

}  // namespace inkan

#endif  // INKAN_TESTS_E2E_CRL_PEERS_H_
