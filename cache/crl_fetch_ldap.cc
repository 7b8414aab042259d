#include "cache/crl_fetch_ldap.h"

#include <fcntl.h>
#include <ldap.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <thread>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cache/background_thread.h"
#include "cache/mutex.h"
#include "cache/steady_time.h"

namespace inkan {
namespace {

// How long libldap is left alone before stop flag and clock are looked at.
constexpr absl::Duration kLookInterval = absl::Milliseconds(200);
// A message carries names and tags besides the CRL.
constexpr uint64_t kMessageBytesAround = 65536;
// ber_len_t of libldap's limit; what a BER length may say is far above.
constexpr uint64_t kMessageBytesMax = (uint64_t{1} << 32) - 1;

// RFC 4514 names of directories stay far below; what is kept of each place, and
// written to its record, is this long at most.
constexpr size_t kNameBytesMax = 4096;
// Of what a server says went wrong.
constexpr size_t kDetailBytesMax = 512;

// Shuts a socket down when time is up, so that whoever is blocked in it gets
// an end of file. It has a descriptor of its own, which stays that socket's
// however the other one is closed and used again.
class SocketWatchdog {
 public:
  SocketWatchdog(const StopFlag& stopping, absl::Duration deadline)
      : stopping_(stopping), deadline_(deadline) {
    thread_ = std::thread([this] { Run(); });
  }
  ~SocketWatchdog() {
    {
      MutexLock lock(&mutex_);
      done_ = true;
      wake_.Signal();
    }
    thread_.join();
    if (fd_ >= 0) close(fd_);
  }
  SocketWatchdog(const SocketWatchdog&) = delete;
  SocketWatchdog& operator=(const SocketWatchdog&) = delete;

  void Guard(int fd) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (fd_ >= 0) close(fd_);
    fd_ = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (bitten_ && fd_ >= 0) shutdown(fd_, SHUT_RDWR);
  }
  // Whether time was up.
  bool Bitten() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return bitten_;
  }

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    while (!done_) {
      wake_.WaitFor(&mutex_, absl::ToChronoMilliseconds(kLookInterval));
      if (bitten_ || (!stopping_.load() && SteadyNow() < deadline_)) continue;
      bitten_ = true;
      if (fd_ >= 0) shutdown(fd_, SHUT_RDWR);
    }
  }

  const StopFlag& stopping_;
  const absl::Duration deadline_;  // by SteadyNow
  Mutex mutex_;
  CondVar wake_;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  bool bitten_ ABSL_GUARDED_BY(mutex_) = false;
  int fd_ ABSL_GUARDED_BY(mutex_) = -1;
  std::thread thread_;
};

// One name for an attribute, however a server writes it: without case, without
// the option that only says how it is sent (RFC 4523 section 2), and by name.
std::string CanonicalAttribute(absl::string_view attribute) {
  std::string name = absl::AsciiStrToLower(attribute);
  constexpr absl::string_view kBinary = ";binary";
  if (absl::EndsWith(name, kBinary)) name.resize(name.size() - kBinary.size());
  if (name == "2.5.4.39") return "certificaterevocationlist";
  if (name == "2.5.4.38") return "authorityrevocationlist";
  if (name == "2.5.4.53") return "deltarevocationlist";
  return name;
}

timeval TimevalOf(absl::Duration duration) {
  return absl::ToTimeval(std::max(duration, absl::Milliseconds(1)));
}

class Search {
 public:
  Search(const LdapRequest& request, const StopFlag& stopping,
         const LdapSink& sink)
      : request_(request),
        stopping_(stopping),
        sink_(sink),
        deadline_(SteadyNow() + request.limits.total_timeout),
        watchdog_(stopping, deadline_) {
    for (const std::string& attribute : request.attributes) {
      asked_.insert(CanonicalAttribute(attribute));
    }
    callbacks_.lc_add = &Search::OnConnect;
    callbacks_.lc_del = &Search::OnDisconnect;
    callbacks_.lc_arg = this;
  }
  ~Search() {
    // Says good-bye where it can be said at once.
    if (ld_ != nullptr) ldap_unbind_ext(ld_, nullptr, nullptr);
  }
  Search(const Search&) = delete;
  Search& operator=(const Search&) = delete;

  LdapReply Run() {
    reply_.ok = Open() && Bind() && Ask();
    if (!reply_.ok && reply_.error.empty()) reply_.error = "failed";
    if (!reply_.ok && stopping_.load()) {
      reply_.error = "given up: the server is shutting down";
    } else if (!reply_.ok && watchdog_.Bitten()) {
      reply_.error =
          absl::StrCat("too slow: not done within ",
                       absl::FormatDuration(request_.limits.total_timeout),
                       "; see fetch.total_timeout");
    }
    return reply_;
  }

 private:
  bool Fail(std::string error) {
    if (reply_.error.empty()) reply_.error = std::move(error);
    return false;
  }

  bool Fail(const std::string& doing, int code) {
    std::string detail = ldap_err2string(code);
    char* more = nullptr;
    if (ld_ != nullptr &&
        ldap_get_option(ld_, LDAP_OPT_DIAGNOSTIC_MESSAGE, &more) ==
            LDAP_OPT_SUCCESS &&
        more != nullptr) {
      if (*more != '\0') {
        absl::StrAppend(&detail, ": ",
                        absl::string_view(more).substr(0, kDetailBytesMax));
      }
      ldap_memfree(more);
    }
    return Fail(absl::StrCat(doing, ": ", detail, Remedy(code)));
  }

  static const char* Remedy(int code) {
    switch (code) {
      case LDAP_SERVER_DOWN:
      case LDAP_CONNECT_ERROR:
        return "; check ldap.url, the server, its certificate (ldap.ca_file) "
               "and the firewall";
      case LDAP_TIMEOUT:
        return "; see fetch.connect_timeout and stall_timeout";
      case LDAP_NO_SUCH_OBJECT:
        return "; check ldap.base_dn";
      case LDAP_FILTER_ERROR:
        return "; check ldap.filter";
      case LDAP_INVALID_CREDENTIALS:
      case LDAP_INAPPROPRIATE_AUTH:
        return "; check ldap.bind_dn and password_file";
      case LDAP_INSUFFICIENT_ACCESS:
        return "; ask the directory's operator for access";
      case LDAP_SIZELIMIT_EXCEEDED:
      case LDAP_ADMINLIMIT_EXCEEDED:
        return "; ask for fewer entries with base_dn and filter, or see "
               "ldap.entries_max and the server's own limit";
      default:
        return "";
    }
  }

  bool SetOption(int option, const void* value) {
    const int code = ldap_set_option(ld_, option, value);
    return code == LDAP_OPT_SUCCESS ||
           Fail(absl::StrCat("libldap refuses option ", option));
  }

  bool Open() {
    const int code = ldap_initialize(&ld_, request_.url.c_str());
    if (code != LDAP_SUCCESS) {
      ld_ = nullptr;
      return Fail("ldap.url", code);
    }
    const int version = LDAP_VERSION3;
    const int never = LDAP_DEREF_NEVER;
    const timeval connecting = TimevalOf(request_.limits.connect_timeout);
    const timeval answering = TimevalOf(request_.limits.stall_timeout);
    return SetOption(LDAP_OPT_PROTOCOL_VERSION, &version) &&
           SetOption(LDAP_OPT_REFERRALS, LDAP_OPT_OFF) &&
           SetOption(LDAP_OPT_RESTART, LDAP_OPT_OFF) &&
           SetOption(LDAP_OPT_DEREF, &never) &&
           SetOption(LDAP_OPT_NETWORK_TIMEOUT, &connecting) &&
           SetOption(LDAP_OPT_TIMEOUT, &answering) &&
           SetOption(LDAP_OPT_CONNECT_CB, &callbacks_) && SetUpTls();
  }

  bool UsesTls() const {
    return request_.start_tls ||
           absl::StartsWithIgnoreCase(request_.url, "ldaps:");
  }

  bool SetUpTls() {
    if (!UsesTls()) return true;
    const int demand = LDAP_OPT_X_TLS_DEMAND;
    const int as_client = 0;
    if (!SetOption(LDAP_OPT_X_TLS_REQUIRE_CERT, &demand)) return false;
    if (!request_.ca_file.empty() &&
        !SetOption(LDAP_OPT_X_TLS_CACERTFILE, request_.ca_file.c_str())) {
      return false;
    }
    return ldap_set_option(ld_, LDAP_OPT_X_TLS_NEWCTX, &as_client) ==
               LDAP_OPT_SUCCESS ||
           Fail("TLS cannot be set up; check ldap.ca_file");
  }

  // Called by libldap once connected, before TLS.
  static int OnConnect(LDAP*, Sockbuf* buffer, LDAPURLDesc*, sockaddr*,
                       ldap_conncb* callbacks) {
    auto* search = static_cast<Search*>(callbacks->lc_arg);
    ber_len_t bytes_max = static_cast<ber_len_t>(
        std::min(search->request_.limits.bytes_max + kMessageBytesAround,
                 kMessageBytesMax));
    ber_sockbuf_ctrl(buffer, LBER_SB_OPT_SET_MAX_INCOMING, &bytes_max);
    int fd = -1;
    if (ber_sockbuf_ctrl(buffer, LBER_SB_OPT_GET_FD, &fd) != 1 || fd < 0) {
      return LDAP_LOCAL_ERROR;
    }
    const timeval look = TimevalOf(kLookInterval * 5);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &look, sizeof(look));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &look, sizeof(look));
    search->watchdog_.Guard(fd);
    return LDAP_SUCCESS;
  }
  static void OnDisconnect(LDAP*, Sockbuf*, ldap_conncb*) {}

  // False, with the error set, once the search is to end.
  bool InTime(const std::string& doing) {
    if (!watchdog_.Bitten() && !stopping_.load() && SteadyNow() <= deadline_) {
      return true;
    }
    return Fail(absl::StrCat(doing, ": too slow; see fetch.total_timeout"));
  }

  // The next message of an operation; null with the error set if there is none
  // in time.
  LDAPMessage* Next(int operation, const std::string& doing) {
    const absl::Duration stalled = SteadyNow() + request_.limits.stall_timeout;
    while (true) {
      KeepBackgroundPace();
      if (!InTime(doing)) return nullptr;
      timeval wait = TimevalOf(kLookInterval);
      LDAPMessage* message = nullptr;
      const int kind =
          ldap_result(ld_, operation, LDAP_MSG_ONE, &wait, &message);
      if (kind > 0) return message;
      if (message != nullptr) ldap_msgfree(message);
      if (kind < 0) {
        int code = LDAP_OTHER;
        ldap_get_option(ld_, LDAP_OPT_RESULT_CODE, &code);
        Fail(doing, code == LDAP_SUCCESS ? LDAP_SERVER_DOWN : code);
        return nullptr;
      }
      if (SteadyNow() > stalled) {
        Fail(doing, LDAP_TIMEOUT);
        return nullptr;
      }
    }
  }

  // Waits for the end of an operation that has no entries.
  bool Finish(int operation, const std::string& doing) {
    LDAPMessage* message = Next(operation, doing);
    if (message == nullptr) return false;
    int code = LDAP_OTHER;
    const int parsed = ldap_parse_result(ld_, message, &code, nullptr, nullptr,
                                         nullptr, nullptr, /*freeit=*/1);
    if (parsed != LDAP_SUCCESS) code = parsed;
    return code == LDAP_SUCCESS || Fail(doing, code);
  }

  bool Bind() {
    int operation = 0;
    if (request_.start_tls) {
      const int sent = ldap_start_tls(ld_, nullptr, nullptr, &operation);
      if (sent != LDAP_SUCCESS) return Fail("StartTLS", sent);
      if (!Finish(operation, "StartTLS")) return false;
      const int done = ldap_install_tls(ld_);
      if (done != LDAP_SUCCESS) return Fail("TLS", done);
    }
    if (request_.bind_dn.empty()) return true;
    berval password;
    password.bv_len = request_.password.size();
    password.bv_val = const_cast<char*>(request_.password.data());
    const int sent =
        ldap_sasl_bind(ld_, request_.bind_dn.c_str(), LDAP_SASL_SIMPLE,
                       &password, nullptr, nullptr, &operation);
    if (sent != LDAP_SUCCESS) return Fail("bind", sent);
    return Finish(operation, "bind");
  }

  bool Ask() {
    std::vector<char*> attributes;
    for (const std::string& attribute : request_.attributes) {
      attributes.push_back(const_cast<char*>(attribute.c_str()));
    }
    attributes.push_back(nullptr);
    const int scope = request_.scope == LdapScope::kBase  ? LDAP_SCOPE_BASE
                      : request_.scope == LdapScope::kOne ? LDAP_SCOPE_ONELEVEL
                                                          : LDAP_SCOPE_SUBTREE;
    timeval server_side = TimevalOf(request_.limits.total_timeout);
    int operation = 0;
    // One more than we take, to know when there are more.
    const int sent = ldap_search_ext(
        ld_, request_.base_dn.c_str(), scope, request_.filter.c_str(),
        attributes.data(), /*attrsonly=*/0, nullptr, nullptr, &server_side,
        static_cast<int>(request_.entries_max) + 1, &operation);
    if (sent != LDAP_SUCCESS) return Fail("connect and search", sent);
    while (true) {
      LDAPMessage* message = Next(operation, "search");
      if (message == nullptr) return false;
      const int kind = ldap_msgtype(message);
      bool go_on = true;
      if (kind == LDAP_RES_SEARCH_RESULT) {
        int code = LDAP_OTHER;
        const int parsed =
            ldap_parse_result(ld_, message, &code, nullptr, nullptr, nullptr,
                              nullptr, /*freeit=*/1);
        if (parsed != LDAP_SUCCESS) code = parsed;
        if (code != LDAP_SUCCESS) return Fail("search", code);
        return values_ > 0 ||
               Fail(
                   "the search found no CRL; check ldap.base_dn, scope, "
                   "filter and attributes");
      }
      if (kind == LDAP_RES_SEARCH_ENTRY) go_on = TakeEntry(message);
      ldap_msgfree(message);
      if (!go_on) {
        ldap_abandon_ext(ld_, operation, nullptr, nullptr);
        return false;
      }
    }
  }

  bool TakeEntry(LDAPMessage* entry) {
    if (++entries_ > request_.entries_max) {
      return Fail(absl::StrCat("more than ", request_.entries_max,
                               " entries; ask for fewer with base_dn and "
                               "filter, or raise ldap.entries_max"));
    }
    // Bervals that point into the message: nothing is copied.
    BerElement* ber = nullptr;
    berval dn = {};
    if (ldap_get_dn_ber(ld_, entry, &ber, &dn) != LDAP_SUCCESS) {
      return Fail("search: an entry that is malformed");
    }
    const bool go_on = TakeAttributes(ber, dn);
    if (ber != nullptr) ber_free(ber, 0);
    return go_on;
  }

  // What follows the name: SEQUENCE OF SEQUENCE { type, SET OF value }. Value
  // by value, and not by ldap_get_attribute_ber, which makes an array of all
  // first: of a message of empty values, eight times its size.
  bool TakeAttributes(BerElement* ber, const berval& dn) {
    if (dn.bv_len > kNameBytesMax) {
      return Fail(absl::StrCat("an entry whose name has more than ",
                               kNameBytesMax,
                               " octets; check with the directory's operator"));
    }
    const std::string name(dn.bv_val, dn.bv_len);
    size_t taken = 0;
    ber_len_t length = 0;
    while (ber_peek_tag(ber, &length) != LBER_DEFAULT) {
      if (!InTime("search")) return false;
      berval attribute = {};
      if (ber_scanf(ber, "{m", &attribute) == LBER_ERROR ||
          attribute.bv_len > kNameBytesMax) {
        return Malformed();
      }
      const std::string attribute_name(attribute.bv_val, attribute.bv_len);
      const bool wanted = asked_.contains(CanonicalAttribute(attribute_name));
      if (wanted && ++taken > request_.attributes.size()) {
        return Fail(absl::StrCat("more attributes than were asked for in ",
                                 name,
                                 "; check with the directory's operator"));
      }
      if (wanted ? !TakeValues(ber, name, attribute_name)
                 : ber_scanf(ber, "x") == LBER_ERROR) {
        return wanted ? false : Malformed();
      }
      if (ber_scanf(ber, "}") == LBER_ERROR) return Malformed();
    }
    return true;
  }

  bool Malformed() { return Fail("search: an attribute that is malformed"); }

  bool TakeValues(BerElement* ber, const std::string& dn,
                  const std::string& attribute) {
    std::vector<Bytes> values;
    bool go_on = true;
    ber_len_t length = 0;
    char* end = nullptr;
    for (ber_tag_t tag = ber_first_element(ber, &length, &end);
         go_on && tag != LBER_DEFAULT;
         tag = ber_next_element(ber, &length, end)) {
      berval value = {};
      go_on = (tag == LBER_OCTETSTRING &&
               ber_scanf(ber, "m", &value) != LBER_ERROR) ||
              Malformed();
      go_on = go_on && InTime("search") &&
              IsWithin(value, values.size(), dn, attribute);
      if (!go_on) break;
      values.emplace_back(reinterpret_cast<const uint8_t*>(value.bv_val),
                          value.bv_len);
    }
    values_ += values.size();
    const std::string place =
        absl::StrCat(request_.url, request_.url.back() == '/' ? "" : "/", dn,
                     "?", attribute);
    // What came before one too many is as good as ever.
    if (!values.empty() && !sink_(place, values)) {
      return Fail("cannot keep a CRL; see the state directory");
    }
    return go_on;
  }

  // Whether there may be this value besides `count` others.
  bool IsWithin(const berval& value, size_t count, const std::string& dn,
                const std::string& attribute) {
    if (count >= request_.values_max) {
      return Fail(absl::StrCat("more than ", request_.values_max, " values of ",
                               attribute, " in ", dn,
                               "; raise ldap.values_max if that is right"));
    }
    reply_.bytes_received += value.bv_len;
    if (value.bv_len > request_.limits.bytes_max ||
        reply_.bytes_received > TotalBytesMax()) {
      return Fail(absl::StrCat(attribute, " of ", dn,
                               ": larger than limits.crl_bytes_max (",
                               request_.limits.bytes_max, ")"));
    }
    return true;
  }

  // All partitions of a directory together are of the size of one CRL of the
  // whole, four times over.
  uint64_t TotalBytesMax() const { return 4 * request_.limits.bytes_max; }

  const LdapRequest& request_;
  const StopFlag& stopping_;
  const LdapSink& sink_;
  const absl::Duration deadline_;  // by SteadyNow
  SocketWatchdog watchdog_;
  absl::flat_hash_set<std::string> asked_;  // by CanonicalAttribute
  ldap_conncb callbacks_ = {};
  LDAP* ld_ = nullptr;
  uint32_t entries_ = 0;
  uint64_t values_ = 0;
  LdapReply reply_;
};

}  // namespace

LdapReply SearchLdap(const LdapRequest& request, const StopFlag& stopping,
                     const LdapSink& sink) {
  return Search(request, stopping, sink).Run();
}

}  // namespace inkan
