#include "server/config_crl_source.h"

#include <unistd.h>

#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "cache/crl_source_remote.h"
#include "server/certificate_files.h"
#include "server/config_profile.h"

namespace inkan {
namespace {

constexpr int64_t kPollSecondsMax = 86400;
constexpr int64_t kRemotePollSeconds = 3600;
constexpr int64_t kTimeoutSecondsMax = 86400;
constexpr size_t kUrlBytesMax = 4096;
constexpr size_t kListBytesMax = 16U << 20;
constexpr size_t kPasswordBytesMax = 1024;
constexpr uint32_t kEntriesMax = 1'000'000;
constexpr uint32_t kValuesMax = 1'000;
constexpr size_t kAttributesMax = 16;

// "scheme://host[:port]" and, if `with_path`, anything after it. Credentials in
// URLs end in logs, so there are none.
std::string WhyNoUrl(const std::string& url,
                     const std::vector<std::string>& schemes, bool with_path) {
  if (url.size() > kUrlBytesMax) {
    return absl::StrCat("longer than ", kUrlBytesMax, " octets");
  }
  for (const char c : url) {
    if (static_cast<unsigned char>(c) <= 0x20 ||
        static_cast<unsigned char>(c) >= 0x7f) {
      return "holds a space, a control character or one outside ASCII; "
             "percent-encode it";
    }
  }
  std::string rest;
  std::string expected;
  for (const std::string& scheme : schemes) {
    absl::StrAppend(&expected, expected.empty() ? "" : " or ", scheme, "://");
    if (absl::StartsWithIgnoreCase(url, scheme + "://")) {
      rest = url.substr(scheme.size() + 3);
    }
  }
  const size_t end = rest.find_first_of("/?#");
  const std::string authority = rest.substr(0, end);
  if (authority.empty()) {
    return absl::StrCat("is no URL we fetch from; write ", expected, "host...");
  }
  if (absl::StrContains(authority, '@')) {
    return "holds a user name; URLs are logged, so credentials cannot be in "
           "them";
  }
  const size_t colon = authority.rfind(':');
  uint32_t port = 0;
  if (colon != std::string::npos && authority.back() != ']' &&
      (!absl::SimpleAtoi(authority.substr(colon + 1), &port) || port == 0 ||
       port > 65535)) {
    return "has no port after ':'; write 1 to 65535, or leave it out";
  }
  if (!with_path && end != std::string::npos && rest.substr(end) != "/") {
    return "goes on after the host; give base_dn, scope and filter instead";
  }
  return "";
}

void CheckReadable(const std::string& path, absl::string_view field,
                   const ConfigNode& node) {
  if (access(path.c_str(), R_OK) != 0) {
    node.Error(field, absl::StrCat("cannot read ", path,
                                   "; name a PEM file the server may read"));
  }
}

// Lines of url_list_file, each put into the template if there is one.
void ReadUrlList(const config::v1::HttpCrlSource& http, const ConfigNode& node,
                 const std::string& folder, std::vector<std::string>* urls) {
  const std::string path = ResolvePath(folder, http.url_list_file());
  const absl::StatusOr<std::string> text = ReadWholeFile(path, kListBytesMax);
  if (!text.ok()) {
    node.Error("url_list_file", text.status().message());
    return;
  }
  size_t number = 0;
  for (const absl::string_view line : absl::StrSplit(*text, '\n')) {
    ++number;
    const std::string item(absl::StripAsciiWhitespace(line));
    if (item.empty() || item.front() == '#') continue;
    const std::string url =
        http.url_template().empty()
            ? item
            : absl::StrReplaceAll(http.url_template(), {{"{}", item}});
    const std::string why = WhyNoUrl(url, {"http", "https"}, true);
    if (!why.empty()) {
      node.Error("url_list_file",
                 absl::StrCat(path, ":", number, ": \"", url, "\" ", why));
      return;  // one is enough of a list of thousands
    }
    urls->push_back(url);
  }
}

void ReadHttp(const config::v1::HttpCrlSource& http, const ConfigNode& node,
              const std::string& folder, CrlSourceOptions* out) {
  out->kind = CrlSourceOptions::Kind::kHttp;
  for (int i = 0; i < http.urls_size(); ++i) {
    const std::string why = WhyNoUrl(http.urls(i), {"http", "https"}, true);
    if (!why.empty()) {
      node.Error("urls", i, absl::StrCat("\"", http.urls(i), "\" ", why));
      continue;
    }
    out->urls.push_back(http.urls(i));
  }
  if (!http.url_template().empty() &&
      !absl::StrContains(http.url_template(), "{}")) {
    node.Error("url_template",
               "holds no {}; write it where a line of url_list_file goes");
  }
  if (!http.url_template().empty() && http.url_list_file().empty()) {
    node.Error("url_list_file",
               "missing; url_template needs a file of what goes into it");
  }
  if (!http.url_list_file().empty()) {
    ReadUrlList(http, node, folder, &out->urls);
  } else if (http.urls().empty()) {
    node.Error("urls", "missing; give urls or url_list_file");
  }
  if (out->urls.size() > kUrlsMax) {
    node.Error("url_list_file",
               absl::StrCat(out->urls.size(), " URLs, and at most ", kUrlsMax,
                            " in one source; split it"));
  }
  absl::flat_hash_set<std::string> seen;
  for (const std::string& url : out->urls) {
    if (!seen.insert(url).second) {
      node.Error("urls", absl::StrCat("\"", url,
                                      "\" is there twice; remove "
                                      "one"));
      break;
    }
  }
  if (!http.ca_file().empty()) {
    out->ca_file = ResolvePath(folder, http.ca_file());
    CheckReadable(out->ca_file, "ca_file", node);
  }
}

uint32_t ReadCount(uint32_t value, uint32_t standard, uint32_t greatest,
                   absl::string_view field, const ConfigNode& node) {
  if (value > greatest) {
    node.Error(field,
               absl::StrCat(value, " is out of range; give 1 to ", greatest,
                            ", or 0 for the default of ", standard));
  }
  return value == 0 ? standard : value;
}

void ReadLdapLogin(const config::v1::LdapCrlSource& ldap,
                   const ConfigNode& node, const std::string& folder,
                   LdapRequest* out) {
  out->bind_dn = ldap.bind_dn();
  if (ldap.bind_dn().empty() != ldap.password_file().empty()) {
    node.Error(ldap.bind_dn().empty() ? "bind_dn" : "password_file",
               "missing; bind_dn and password_file go together");
  }
  if (!ldap.bind_dn().empty() && !out->start_tls &&
      absl::StartsWithIgnoreCase(ldap.url(), "ldap:")) {
    node.Error("bind_dn",
               "would send a password unencrypted; use ldaps:// or start_tls");
  }
  if (ldap.password_file().empty()) return;
  absl::StatusOr<std::string> password = ReadWholeFile(
      ResolvePath(folder, ldap.password_file()), kPasswordBytesMax);
  if (!password.ok()) {
    node.Error("password_file", password.status().message());
    return;
  }
  if (absl::EndsWith(*password, "\n")) password->pop_back();
  if (absl::EndsWith(*password, "\r")) password->pop_back();
  if (password->empty()) {
    // An empty one would be an anonymous bind that looks like a login.
    node.Error("password_file", "empty; write the password into it");
  }
  out->password = *std::move(password);
}

void ReadLdap(const config::v1::LdapCrlSource& ldap, const ConfigNode& node,
              const std::string& folder, CrlSourceOptions* source) {
  source->kind = CrlSourceOptions::Kind::kLdap;
  LdapRequest& out = source->ldap;
  const std::string why = WhyNoUrl(ldap.url(), {"ldap", "ldaps"}, false);
  if (!why.empty()) {
    node.Error("url", absl::StrCat("\"", ldap.url(), "\" ", why));
  }
  out.url = ldap.url();
  out.base_dn = ldap.base_dn();
  if (ldap.base_dn().empty()) {
    node.Error("base_dn",
               "missing; name the entry, or the one above the entries, that "
               "hold the CRLs");
  }
  switch (ldap.scope()) {
    case config::v1::LdapCrlSource::SCOPE_ONE:
      out.scope = LdapScope::kOne;
      break;
    case config::v1::LdapCrlSource::SCOPE_SUBTREE:
      out.scope = LdapScope::kSubtree;
      break;
    default:
      out.scope = LdapScope::kBase;
      break;
  }
  if (!ldap.filter().empty()) out.filter = ldap.filter();
  if (out.filter.front() != '(' || out.filter.back() != ')') {
    node.Error("filter", absl::StrCat("\"", ldap.filter(),
                                      "\" is no filter; write it in "
                                      "parentheses, as RFC 4515 does"));
  }
  if (!ldap.attributes().empty()) {
    out.attributes.assign(ldap.attributes().begin(), ldap.attributes().end());
  }
  if (out.attributes.size() > kAttributesMax) {
    node.Error("attributes", absl::StrCat("at most ", kAttributesMax));
  }
  out.start_tls = ldap.start_tls();
  if (ldap.start_tls() && absl::StartsWithIgnoreCase(ldap.url(), "ldaps:")) {
    node.Error("start_tls",
               "ldaps:// is encrypted already; remove one of them");
  }
  if (!ldap.ca_file().empty()) {
    out.ca_file = ResolvePath(folder, ldap.ca_file());
    CheckReadable(out.ca_file, "ca_file", node);
  }
  ReadLdapLogin(ldap, node, folder, &out);
  out.entries_max = ReadCount(ldap.entries_max(), out.entries_max, kEntriesMax,
                              "entries_max", node);
  out.values_max = ReadCount(ldap.values_max(), out.values_max, kValuesMax,
                             "values_max", node);
}

void ReadTime(bool given, const google::protobuf::Duration& duration,
              int64_t greatest, absl::string_view field, const ConfigNode& node,
              absl::Duration* out) {
  if (!given) return;
  const std::optional<int64_t> seconds = ReadSeconds(duration, node, field);
  if (!seconds.has_value()) return;
  if (*seconds < 1 || *seconds > greatest) {
    node.Error(field, absl::StrCat(*seconds, " s is out of range; give 1 to ",
                                   greatest));
    return;
  }
  *out = absl::Seconds(*seconds);
}

void ReadFetch(const config::v1::FetchOptions& fetch, const ConfigNode& node,
               CrlSourceOptions* out) {
  const auto read = [&](bool given, const google::protobuf::Duration& duration,
                        absl::string_view field, absl::Duration* value) {
    ReadTime(given, duration, kTimeoutSecondsMax, field, node, value);
  };
  read(fetch.has_connect_timeout(), fetch.connect_timeout(), "connect_timeout",
       &out->limits.connect_timeout);
  read(fetch.has_stall_timeout(), fetch.stall_timeout(), "stall_timeout",
       &out->limits.stall_timeout);
  read(fetch.has_total_timeout(), fetch.total_timeout(), "total_timeout",
       &out->limits.total_timeout);
  read(fetch.has_retry_first(), fetch.retry_first(), "retry_first",
       &out->schedule.retry_first);
  read(fetch.has_retry_max(), fetch.retry_max(), "retry_max",
       &out->schedule.retry_max);
  if (out->schedule.retry_max < out->schedule.retry_first) {
    node.Error("retry_max", "is less than retry_first; raise it");
  }
  out->parallel = ReadCount(fetch.parallel(), out->parallel, kParallelMax,
                            "parallel", node);
}

}  // namespace

CrlSourceOptions ReadCrlSource(const config::v1::CrlSource& source,
                               const ConfigNode& node,
                               const std::string& folder,
                               uint64_t crl_bytes_max) {
  CrlSourceOptions out;
  if (source.has_file()) {
    out.kind = CrlSourceOptions::Kind::kFile;
    out.path = ResolvePath(folder, source.file());
    if (source.file().empty()) node.Error("file", "empty; name a CRL file");
  } else if (source.has_directory()) {
    out.kind = CrlSourceOptions::Kind::kDirectory;
    out.path = ResolvePath(folder, source.directory());
    if (source.directory().empty()) {
      node.Error("directory", "empty; name a folder of CRL files");
    }
  } else if (source.has_http()) {
    ReadHttp(source.http(), node.Child("http"), folder, &out);
  } else if (source.has_ldap()) {
    ReadLdap(source.ldap(), node.Child("ldap"), folder, &out);
  } else {
    node.Error("", "says no place; give file, directory, http or ldap");
  }
  if (source.has_http() || source.has_ldap()) {
    out.poll_interval = absl::Seconds(kRemotePollSeconds);
    out.limits.bytes_max = crl_bytes_max;
    ReadFetch(source.fetch(), node.Child("fetch"), &out);
  } else if (source.has_fetch()) {
    node.Error("fetch", "is for http and ldap only; remove it");
  }
  ReadTime(source.has_poll_interval(), source.poll_interval(), kPollSecondsMax,
           "poll_interval", node, &out.poll_interval);
  out.schedule.poll_interval = out.poll_interval;
  return out;
}

void CheckPlacesDiffer(const std::vector<CrlSourceOptions>& sources,
                       const ConfigNode& root) {
  absl::flat_hash_map<std::string, size_t> source_of;
  for (size_t i = 0; i < sources.size(); ++i) {
    const bool is_ldap = sources[i].kind == CrlSourceOptions::Kind::kLdap;
    std::vector<std::string> places = sources[i].urls;
    if (is_ldap) places = {CrlRemote::PlaceOf(sources[i].ldap)};
    for (const std::string& place : places) {
      const auto [known, is_new] = source_of.emplace(place, i);
      if (is_new || known->second == i) continue;
      root.Child("crl_sources", static_cast<int>(i))
          .Error(is_ldap ? "ldap" : "http.urls",
                 absl::StrCat("\"", place, "\" is that of crl_sources[",
                              known->second,
                              "] too; a place belongs to one source: remove "
                              "one"));
      break;  // one is enough of thousands
    }
  }
}

}  // namespace inkan
