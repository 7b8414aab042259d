// One search for CRLs in a directory server (RFC 4523), over LDAP, LDAPS or
// LDAP with StartTLS.
//
//   LdapReply reply = SearchLdap(request, stopping,
//       [&](const std::string& place, absl::Span<const Bytes> values) {
//         ...; return true;
//       });
//
// `place` names an attribute: ldap://host/DN?attribute. Its values come
// together, for they are a set: the order says nothing. Nothing is believed of
// a value but its length.
//
// Bounded in time at every step: libldap waits for as long as a server cares to
// keep it once half a message has come, so the socket has time-outs of its own,
// and a watchdog shuts it down at the total time-out or when `stopping` is set.
// Bounded in size: messages by limits.bytes_max before they are held, entries
// and values by the request. An attribute that was not asked for is passed
// over; with ";binary" or without, in upper case or lower, it is the same one.
// Referrals are not followed.
//
// A message of the answer is held in memory while it is taken in. Name look-up
// is the C library's, with its own time-outs (resolv.conf). Thread safety: any
// thread; block SIGPIPE in it.
#ifndef INKAN_CACHE_CRL_FETCH_LDAP_H_
#define INKAN_CACHE_CRL_FETCH_LDAP_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "cache/crl_fetch.h"
#include "crypto/bytes.h"

namespace inkan {

enum class LdapScope { kBase, kOne, kSubtree };

struct LdapRequest {
  std::string url;  // scheme, host, port
  std::string base_dn;
  LdapScope scope = LdapScope::kBase;
  std::string filter = "(objectClass=*)";
  std::vector<std::string> attributes = {"certificateRevocationList;binary",
                                         "authorityRevocationList;binary",
                                         "deltaRevocationList;binary"};
  bool start_tls = false;
  std::string ca_file;  // empty: the system's CAs
  std::string bind_dn;  // empty: anonymous
  std::string password;
  // JPKI has about 1,900 partitions for each of its CAs; a value an attribute
  // is usual.
  uint32_t entries_max = 10'000;
  uint32_t values_max = 16;
  FetchLimits limits;
};

struct LdapReply {
  bool ok = false;
  std::string error;  // what was wrong, and what to do
  uint64_t bytes_received = 0;
};

// False ends the search: what was found cannot be kept.
using LdapSink = std::function<bool(const std::string& place,
                                    absl::Span<const Bytes> values)>;

LdapReply SearchLdap(const LdapRequest& request, const StopFlag& stopping,
                     const LdapSink& sink);

}  // namespace inkan

#endif  // INKAN_CACHE_CRL_FETCH_LDAP_H_
