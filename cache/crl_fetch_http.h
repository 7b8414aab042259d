// One GET of one CRL over HTTP or HTTPS, into a file.
//
//   HttpFetcher fetcher;                       // keeps connections alive
//   HttpReply reply = fetcher.Get(request, stopping);
//   if (reply.outcome == HttpOutcome::kFetched) ... request.part_file ...
//
// The body is streamed to request.part_file, never held. What a broken transfer
// left there is continued if the server offers the same version (RFC 9110
// Range, If-Range), and begun again if it does not. Nothing is believed of a
// body but its length: whether it is a CRL, and whose, is for the caller to
// find out.
//
// Redirects stay within the URL's scheme and are at most kHttpRedirectsMax;
// proxies are those of the environment (http_proxy, https_proxy, no_proxy).
// Compression is not asked for, and refused.
//
// Thread safety: one thread at a time; Get ends soon after `stopping` is set.
#ifndef INKAN_CACHE_CRL_FETCH_HTTP_H_
#define INKAN_CACHE_CRL_FETCH_HTTP_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "cache/crl_fetch.h"

namespace inkan {

// Browsers follow 20; a publisher needs one or two.
inline constexpr long kHttpRedirectsMax = 5;
// Octets of all header fields of one reply; servers send about 500.
inline constexpr uint64_t kHttpHeaderBytesMax = 65536;

// What a version of a resource is known by (RFC 9110 section 8.8); may be
// empty.
struct HttpValidators {
  std::string etag;
  std::string last_modified;

  bool empty() const { return etag.empty() && last_modified.empty(); }
};

struct HttpRequest {
  std::string url;
  std::string ca_file;  // empty: the system's CAs
  std::string part_file;
  // Of the version in hand: "not modified" is an answer. Empty: it is not.
  HttpValidators known;
  // Of the version that part_file holds the beginning of; empty: it is begun
  // again.
  HttpValidators partial;
  FetchLimits limits;
};

enum class HttpOutcome {
  kFetched,      // part_file holds a whole body
  kNotModified,  // the version in hand is the newest
  kFailed,       // see error
};

struct HttpReply {
  HttpOutcome outcome = HttpOutcome::kFailed;
  std::string error;  // what was wrong, and what to do
  // Of what part_file holds. With kFailed: not empty if it can be continued.
  HttpValidators validators;
  std::optional<absl::Duration> retry_after;
  uint64_t bytes_received = 0;
};

class HttpFetcher {
 public:
  HttpFetcher();
  ~HttpFetcher();
  HttpFetcher(const HttpFetcher&) = delete;
  HttpFetcher& operator=(const HttpFetcher&) = delete;

  HttpReply Get(const HttpRequest& request, const StopFlag& stopping);

 private:
  class Transfer;

  void* handle_;  // CURL*
};

}  // namespace inkan

#endif  // INKAN_CACHE_CRL_FETCH_HTTP_H_
