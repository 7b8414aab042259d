#include "tests/e2e/crl_peers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/lab/place_names.h"
#include "crypto/certificate.h"
#include "tests/support/conformance.h"

namespace inkan {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kMunicipalities = 12;  // as SharedLab() is made
constexpr uint32_t kCitizens = 200;
constexpr uint64_t kSeed = 7;

void WriteAtomically(const std::string& path, const std::string& contents) {
  std::ofstream(path + ".tmp", std::ios::binary) << contents;
  fs::rename(path + ".tmp", path);
}

bool Connects(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  const bool connected =
      connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return connected;
}

std::string EntryLdif(const std::string& name, const std::string& crl) {
  return absl::StrCat(
      "dn: cn=", name, ",o=lab\nobjectClass: cRLDistributionPoint\ncn: ", name,
      "\ncertificateRevocationList;binary:: ", absl::Base64Escape(crl), "\n\n");
}

}  // namespace

bool Soon(const std::function<bool()>& holds) {
  const absl::Time deadline = absl::Now() + absl::Minutes(2);
  while (absl::Now() < deadline) {
    if (holds()) return true;
    absl::SleepFor(absl::Milliseconds(50));
  }
  return holds();
}

int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)),
            0);
  socklen_t size = sizeof(address);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  close(fd);
  return ntohs(address.sin_port);
}

WebServer::WebServer(std::string dir, std::optional<PeerTls> tls)
    : dir_(std::move(dir)), tls_(std::move(tls)), port_(FreePort()) {
  fs::create_directories(dir_ + "/www");
  fs::create_directories(dir_ + "/tmp");
}

void WebServer::WriteConfig(const std::string& rules) const {
  std::string temporary;
  for (const std::string kind :
       {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
    absl::StrAppend(&temporary, kind, "_temp_path ", dir_, "/tmp/", kind,
                    ";\n");
  }
  WriteAtomically(
      dir_ + "/nginx.conf",
      absl::StrCat(
          getuid() == 0 ? "user root;\n" : "", "worker_processes 1;\npid ",
          dir_, "/nginx.pid;\nerror_log ", dir_,
          "/error.log;\ndaemon off;\n"
          "events { worker_connections 256; }\nhttp {\n",
          temporary, "access_log ", dir_,
          "/access.log;\nserver {\nlisten 127.0.0.1:", port_,
          tls_ ? absl::StrCat(" ssl;\nssl_certificate ", tls_->certificate_file,
                              ";\nssl_certificate_key ", tls_->key_file)
               : "",
          ";\nroot ", dir_, "/www;\n", rules, "\n}\n}\n"));
}

void WebServer::Start() {
  WriteConfig("");
  process_ = std::make_unique<Process>(
      std::vector<std::string>{"nginx", "-p", dir_, "-c", dir_ + "/nginx.conf"},
      dir_ + "/nginx.out");
  EXPECT_TRUE(Soon([&] { return Connects(port_) || !process_->Running(); }));
  EXPECT_TRUE(process_->Running()) << process_->Output();
}

void WebServer::Stop() {
  process_->Signal(SIGTERM);
  process_->Wait(absl::Seconds(30));
  process_ = nullptr;
}

void WebServer::Behave(const std::string& rules) {
  WriteConfig(rules);
  process_->Signal(SIGHUP);
}

void WebServer::Write(const std::string& name,
                      const std::string& contents) const {
  WriteAtomically(dir_ + "/www/" + name, contents);
}
void WebServer::Remove(const std::string& name) const {
  fs::remove(dir_ + "/www/" + name);
}
std::string WebServer::url(const std::string& name) const {
  return absl::StrCat(tls_ ? "https" : "http", "://127.0.0.1:", port_, "/",
                      name);
}

DirectoryServer::DirectoryServer(std::string dir,
                                 const std::map<std::string, std::string>& crls,
                                 const std::optional<PeerTls>& tls)
    : dir_(std::move(dir)), port_(FreePort()), tls_port_(tls ? FreePort() : 0) {
  const std::string tls_lines =
      !tls ? ""
           : absl::StrCat("TLSCertificateFile ", tls->certificate_file,
                          "\nTLSCertificateKeyFile ", tls->key_file,
                          "\nTLSCACertificateFile ", tls->ca_file, "\n");
  fs::create_directories(dir_ + "/db");
  WriteAtomically(dir_ + "/slapd.conf",
                  absl::StrCat("include /etc/ldap/schema/core.schema\n"
                               "modulepath /usr/lib/ldap\nmoduleload back_mdb\n"
                               "pidfile ",
                               dir_, "/slapd.pid\nargsfile ", dir_,
                               "/slapd.args\nsizelimit unlimited\n"
                               "attributetype ( 1.3.6.1.4.1.4203.666.1.901 "
                               "NAME 'rawCrl' "
                               "SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )\n"
                               "objectclass ( 1.3.6.1.4.1.4203.666.3.901 "
                               "NAME 'rawCrlHolder' SUP top STRUCTURAL "
                               "MUST cn MAY rawCrl )\n",
                               tls_lines,
                               "database mdb\nsuffix \"o=lab\"\n"
                               "rootdn \"cn=admin,o=lab\"\nrootpw secret\n"
                               "directory ",
                               dir_, "/db\nmaxsize 67108864\ndbnosync\n"));
  std::string ldif = "dn: o=lab\nobjectClass: organization\no: lab\n\n";
  for (const auto& [name, crl] : crls) ldif += EntryLdif(name, crl);
  WriteAtomically(dir_ + "/lab.ldif", ldif);
  const CommandResult loaded =
      RunCommand({"/usr/sbin/slapadd", "-q", "-f", dir_ + "/slapd.conf", "-l",
                  dir_ + "/lab.ldif"});
  EXPECT_EQ(loaded.exit_code, 0) << loaded.output;
}

void DirectoryServer::Start() {
  process_ = std::make_unique<Process>(
      std::vector<std::string>{"/usr/sbin/slapd", "-d", "0", "-f",
                               dir_ + "/slapd.conf", "-h",
                               absl::StrCat(url(), " ", ldaps_url())},
      dir_ + "/slapd.out");
  EXPECT_TRUE(Soon([&] { return Connects(port_) || !process_->Running(); }));
  EXPECT_TRUE(process_->Running()) << process_->Output();
}

void DirectoryServer::Stop() {
  process_->Signal(SIGCONT);
  process_->Signal(SIGTERM);
  process_->Wait(absl::Seconds(30));
  process_ = nullptr;
}

void DirectoryServer::Modify(const std::string& ldif) const {
  const std::string file = dir_ + "/change.ldif";
  WriteAtomically(file, ldif);
  const CommandResult done =
      RunCommand({"ldapmodify", "-x", "-H", url(), "-D", "cn=admin,o=lab", "-w",
                  "secret", "-f", file});
  EXPECT_EQ(done.exit_code, 0) << done.output;
}

void DirectoryServer::Replace(const std::string& name,
                              const std::string& crl) const {
  Set(name, "certificateRevocationList;binary", crl);
}
void DirectoryServer::Set(const std::string& name, const std::string& attribute,
                          const std::string& value) const {
  Modify(absl::StrCat("dn: cn=", name,
                      ",o=lab\nchangetype: modify\nreplace: ", attribute, "\n",
                      attribute, ":: ", absl::Base64Escape(value), "\n-\n"));
}
void DirectoryServer::Clear(const std::string& name,
                            const std::string& attribute) const {
  Modify(absl::StrCat("dn: cn=", name, ",o=lab\nchangetype: modify\ndelete: ",
                      attribute, "\n-\n"));
}
void DirectoryServer::AddRaw(const std::string& name,
                             const std::string& value) const {
  Modify(absl::StrCat(
      "dn: cn=", name,
      ",o=lab\nchangetype: add\nobjectClass: rawCrlHolder\ncn: ", name,
      "\nrawCrl:: ", absl::Base64Escape(value), "\n"));
}
void DirectoryServer::Delete(const std::string& name) const {
  Modify(absl::StrCat("dn: cn=", name, ",o=lab\nchangetype: delete\n"));
}
void DirectoryServer::Add(const std::string& name,
                          const std::string& crl) const {
  std::string entry = EntryLdif(name, crl);
  entry.insert(entry.find('\n') + 1, "changetype: add\n");
  Modify(entry);
}
std::string DirectoryServer::url() const {
  return absl::StrCat("ldap://127.0.0.1:", port_);
}

std::string DirectoryServer::ldaps_url() const {
  return tls_port_ == 0 ? "" : absl::StrCat("ldaps://127.0.0.1:", tls_port_);
}

LabWorld::LabWorld()
    : clock_(lab::UtcSeconds(2026, 3, 15, 3)),
      places_(lab::InventMunicipalities(kMunicipalities)),
      authorities_(kSeed, /*threads=*/2),
      population_(lab::SimulatePopulation({.seed = kSeed,
                                           .citizens = kCitizens,
                                           .clock = clock_,
                                           .threads = 2,
                                           .municipalities = &places_})),
      plans_(lab::PlanCrls(authorities_, population_, places_, clock_)),
      stranger_(lab::PrivateKey::RsaFromSeed("stranger")) {
  // That it is the shared lab once more, byte for byte.
  for (const lab::CrlPlan& plan : plans_) {
    EXPECT_EQ(Crl(plan, {}), ReadFile(SharedLab() + "/crls/" + plan.file_name));
  }
}

LabWorld::Target LabWorld::Find(const std::vector<lab::v1::CorpusEntry>& corpus,
                                lab::CertificateKind kind) const {
  const std::string good_kind =
      kind == lab::CertificateKind::kSignature ? "good" : "good_authentication";
  std::map<std::string, std::set<std::string>> good;  // certificate -> filings
  for (const auto& entry : corpus) {
    const std::string& certificate = entry.filing().certificate();
    if (entry.truth().kind() == good_kind) {
      good[certificate].insert(entry.filing().filing_id());
    }
  }
  for (const auto& entry : corpus) {
    if (entry.truth().kind() != good_kind)
      good.erase(entry.filing().certificate());
  }
  std::map<const lab::CrlPlan*, Target> targets;
  for (const auto& [der, filings] : good) {
    Certificate certificate;
    if (!ParseCertificate(AsBytes(der), &certificate).ok()) continue;
    for (const lab::IssuedCertificate& issued : population_.certificates) {
      if (issued.kind != kind ||
          lab::SerialContents(issued.serial) !=
              std::string(AsText(certificate.serial)) ||
          issued.variant != lab::Variant::kOrdinary) {
        continue;
      }
      const lab::Authority& ca = authorities_.At(kind, issued.not_before);
      for (const lab::CrlPlan& plan : plans_) {
        if (plan.ca == &ca && plan.municipality == issued.municipality &&
            plan.municipality >= lab::kFirstOrdinaryMunicipality &&
            !plan.revoked.empty() && certificate.issuer.size() > 0) {
          Target& target = targets[&plan];
          target.plan = &plan;
          if (target.filing_ids.empty()) {
            target.serial = issued.serial;
            target.filing_ids = filings;
          } else if (target.other_filing_ids.empty()) {
            target.other_serial = issued.serial;
            target.other_filing_ids = filings;
          }
        }
      }
    }
  }
  for (const auto& [plan, target] : targets) {
    if (!target.other_filing_ids.empty()) return target;
  }
  ADD_FAILURE() << "the lab has no two such certificates";
  return {};
}

std::string LabWorld::Crl(const lab::CrlPlan& plan,
                          const Change& change) const {
  lab::CrlPlan changed = plan;
  if (change.empty) changed.revoked.clear();
  lab::CrlBuilder builder = BuildCrl(changed, places_);
  const int64_t number = (plan.this_update - plan.ca->not_before) / 86400;
  if (change.ahead != 0) {
    builder.set(lab::extension::CrlNumber(
        static_cast<uint64_t>(number + change.ahead)));
  }
  if (change.delta_of.has_value()) {
    builder.add(lab::extension::DeltaCrlIndicator(
        static_cast<uint64_t>(number + *change.delta_of)));
  }
  for (const uint64_t serial : change.revoke) {
    builder.revoke({.serial = lab::SerialContents(serial),
                    .revoked_at = clock_.season_start - 86400,
                    .reason = lab::Reason::kKeyCompromise});
  }
  // Of nobody, beyond every serial of the lab.
  const int64_t revoked_at = clock_.season_start - 86400;
  builder.entries(change.strangers,
                  [revoked_at](uint64_t i, lab::CrlEntry* entry) {
                    *entry = {.serial = lab::SerialContents((1ULL << 61U) + i),
                              .revoked_at = revoked_at};
                  });
  return builder.Sign(change.stranger ? stranger_ : plan.ca->key);
}

FetchingServer::FetchingServer(const std::string& dir,
                               const std::string& sources)
    : dir_(dir) {
  fs::copy(SharedLab(), dir_ + "/lab", fs::copy_options::recursive);
  fs::remove_all(dir_ + "/lab/crls");
  std::string config = ReadFile(config_file());
  const std::string folder = "crl_sources { directory: \"crls\" }";
  const size_t at = config.find(folder);
  EXPECT_NE(at, std::string::npos);
  config.replace(at, folder.size(),
                 absl::StrCat("state_directory: \"state\"\n", sources));
  std::ofstream(config_file()) << config;
}

void FetchingServer::Start() {
  Launch();
  AwaitListening();
}

void FetchingServer::Launch() {
  const std::string port_file = dir_ + "/port";
  fs::remove(port_file);
  process_ = std::make_unique<Process>(
      std::vector<std::string>{Binary("inkand"), "--config", config_file(),
                               "--port-file", port_file},
      dir_ + "/inkand.log");
}

void FetchingServer::AwaitListening() {
  const std::string port_file = dir_ + "/port";
  ASSERT_TRUE(
      Soon([&] { return fs::exists(port_file) || !process_->Running(); }));
  ASSERT_TRUE(process_->Running()) << process_->Output();
  // The port, the operations listener's (0: none), that of ops_http.
  std::istringstream ports(ReadFile(port_file));
  int port = 0;
  int operations_port = 0;
  ports >> port >> operations_port >> ops_http_port_;
  target_ = absl::StrCat("127.0.0.1:", port);
}

void FetchingServer::Kill() {
  process_->Signal(SIGKILL);
  process_->Wait(absl::Seconds(30));
}

absl::Duration FetchingServer::Terminate() {
  const absl::Time start = absl::Now();
  process_->Signal(SIGTERM);
  EXPECT_EQ(process_->Wait(absl::Seconds(60)), 0) << process_->Output();
  return absl::Now() - start;
}

std::shared_ptr<grpc::Channel> FetchingServer::channel() const {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(target_, grpc::InsecureChannelCredentials(),
                                   arguments);
}

v1::GetStatusResponse FetchingServer::Status() const {
  v1::GetStatusResponse response;
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(60)));
  const grpc::Status status =
      v1::OperationsService::NewStub(channel())->GetStatus(&context, {},
                                                           &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response;
}

std::string FetchingServer::ErrorOf(const std::string& name) const {
  const v1::GetStatusResponse status = Status();
  for (const auto& source : status.sources()) {
    if (source.source().find(name) != std::string::npos) {
      return source.last_error();
    }
  }
  return "no such source";
}

bool FetchingServer::InUse(const std::string& name) const {
  const v1::GetStatusResponse status = Status();
  for (const auto& source : status.sources()) {
    if (source.source().find(name) != std::string::npos) {
      return source.in_use();
    }
  }
  return false;
}

void ExpectTruth(const FetchingServer& server, const Corpus& corpus,
                 const std::set<std::string>& revoked) {
  const auto stub = v1::VerificationService::NewStub(server.channel());
  for (size_t first = 0; first < corpus.size(); first += 500) {
    v1::BatchVerifyRequest request;
    const size_t end = std::min(corpus.size(), first + 500);
    for (size_t i = first; i < end; ++i) {
      *request.add_filings() = corpus[i].filing();
    }
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(60)));
    v1::BatchVerifyResponse response;
    const grpc::Status status = stub->BatchVerify(&context, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    ASSERT_EQ(static_cast<size_t>(response.verdicts_size()), end - first);
    for (size_t i = first; i < end; ++i) {
      const v1::Verdict& verdict =
          response.verdicts(static_cast<int>(i - first));
      if (revoked.contains(corpus[i].filing().filing_id())) {
        ASSERT_EQ(verdict.sub_indication(), v1::SUB_INDICATION_REVOKED)
            << verdict.ShortDebugString();
      } else {
        ASSERT_TRUE(IsTrue(corpus[i], verdict));
      }
    }
  }
}

bool IsRevoked(const FetchingServer& server, const Corpus& corpus,
               const std::string& filing_id) {
  for (const auto& entry : corpus) {
    if (entry.filing().filing_id() != filing_id) continue;
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(60)));
    v1::VerifyRequest request;
    *request.mutable_filing() = entry.filing();
    v1::VerifyResponse response;
    EXPECT_TRUE(v1::VerificationService::NewStub(server.channel())
                    ->Verify(&context, request, &response)
                    .ok());
    return response.verdict().sub_indication() == v1::SUB_INDICATION_REVOKED;
  }
  return false;
}

}  // namespace inkan
