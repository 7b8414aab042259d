#include "cache/crl_fetch_http.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cache/background_thread.h"
#include "cache/steady_time.h"

namespace inkan {
namespace {

// Octets of a reply that is no CRL (an error page) we read so that the
// connection can be used again.
constexpr uint64_t kDiscardedBytesMax = 65536;
// Longest validator taken; nginx's have about 20 octets.
constexpr size_t kValidatorBytesMax = 256;

// Once for the process, before any transfer.
void InitCurl() {
  static const CURLcode kDone = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)kDone;
}

// An If-Range or If-None-Match made of it must not become two header fields.
bool IsPlain(std::string_view value) {
  if (value.size() > kValidatorBytesMax) return false;
  for (const char c : value) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  }
  return true;
}

// "bytes 100-999/1000"
bool ParseContentRange(const std::string& value, uint64_t* first,
                       uint64_t* total) {
  constexpr std::string_view kUnit = "bytes ";
  if (!absl::StartsWithIgnoreCase(value, "bytes ")) return false;
  const std::string rest = value.substr(kUnit.size());
  const std::vector<std::string> parts = absl::StrSplit(rest, '/');
  if (parts.size() != 2) return false;
  const std::vector<std::string> ends = absl::StrSplit(parts[0], '-');
  uint64_t last = 0;
  return ends.size() == 2 && absl::SimpleAtoi(ends[0], first) &&
         absl::SimpleAtoi(ends[1], &last) &&
         absl::SimpleAtoi(parts[1], total) && *first <= last &&
         last + 1 == *total;
}

// A strong validator, the only kind that a range may be continued by (RFC 9110
// section 13.1.5).
std::string StrongValidator(const HttpValidators& validators) {
  if (!validators.etag.empty()) {
    return absl::StartsWith(validators.etag, "W/") ? "" : validators.etag;
  }
  return validators.last_modified;
}

std::string StatusError(long status) {
  const std::string said = absl::StrCat("HTTP status ", status, ": ");
  switch (status) {
    case 401:
    case 403:
      return said + "the server refuses us; ask its operator for access";
    case 404:
    case 410:
      return said +
             "there is nothing at this URL; check it against what the CA "
             "publishes";
    case 407:
      return said + "the proxy wants credentials; see http_proxy";
    case 429:
      return said + "the server says we ask too often; raise poll_interval";
    default:
      break;
  }
  if (status >= 500) {
    return said + "the server is in trouble; it will be asked again";
  }
  if (status >= 300 && status < 400) {
    return said + "a redirect that leads nowhere; check the URL";
  }
  return said + "not a reply with a CRL; check the URL";
}

}  // namespace

// One request and what came back so far; curl calls in.
class HttpFetcher::Transfer {
 public:
  Transfer(CURL* handle, const HttpRequest& request, const StopFlag& stopping)
      : handle_(handle),
        request_(request),
        stopping_(stopping),
        deadline_(SteadyNow() + request.limits.total_timeout) {}
  ~Transfer() {
    // The handle lives on, and must not point in here any more: libcurl may
    // write to the error buffer until the handle's end.
    curl_easy_reset(handle_);
    if (fd_ >= 0) close(fd_);
    curl_slist_free_all(headers_);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  HttpReply Run() {
    if (!OpenPart()) return Failed();
    SetUp();
    const CURLcode code = curl_easy_perform(handle_);
    Conclude(code);
    return reply_;
  }

 private:
  HttpReply Failed() {
    reply_.outcome = HttpOutcome::kFailed;
    reply_.error = error_;
    return reply_;
  }

  bool OpenPart() {
    fd_ = open(request_.part_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct stat status = {};
    if (fd_ < 0 || fstat(fd_, &status) != 0) {
      error_ =
          absl::StrCat("cannot write ", request_.part_file, ": ",
                       std::strerror(errno), "; check the state directory");
      return false;
    }
    // If-Range only takes us on where the same version is still offered.
    const auto size = static_cast<uint64_t>(status.st_size);
    if (size > 0 && size < request_.limits.bytes_max &&
        !StrongValidator(request_.partial).empty()) {
      resume_at_ = size;
    }
    return true;
  }

  void AddHeader(const std::string& line) {
    headers_ = curl_slist_append(headers_, line.c_str());
  }

  template <typename Value>
  void Set(CURLoption option, Value value) {
    // What can fail here is memory, or an option this libcurl is too old for.
    if (curl_easy_setopt(handle_, option, value) != CURLE_OK) bad_set_ = true;
  }

  void SetUp() {
    curl_easy_reset(handle_);
    const FetchLimits& limits = request_.limits;
    const char* scheme =
        absl::StartsWithIgnoreCase(request_.url, "https:") ? "https" : "http";
    Set(CURLOPT_URL, request_.url.c_str());
    Set(CURLOPT_PROTOCOLS_STR, scheme);
    Set(CURLOPT_REDIR_PROTOCOLS_STR, scheme);
    Set(CURLOPT_FOLLOWLOCATION, 1L);
    Set(CURLOPT_MAXREDIRS, kHttpRedirectsMax);
    Set(CURLOPT_NOSIGNAL, 1L);
    Set(CURLOPT_QUICK_EXIT, 1L);
    Set(CURLOPT_HTTP09_ALLOWED, 0L);
    Set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    Set(CURLOPT_SSL_VERIFYPEER, 1L);
    Set(CURLOPT_SSL_VERIFYHOST, 2L);
    Set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!request_.ca_file.empty()) {
      Set(CURLOPT_CAINFO, request_.ca_file.c_str());
      Set(CURLOPT_CAPATH, static_cast<char*>(nullptr));
    }
    Set(CURLOPT_CONNECTTIMEOUT_MS,
        static_cast<long>(absl::ToInt64Milliseconds(limits.connect_timeout)));
    Set(CURLOPT_TIMEOUT_MS,
        static_cast<long>(absl::ToInt64Milliseconds(limits.total_timeout)));
    Set(CURLOPT_LOW_SPEED_LIMIT, kStallBytesPerSecond);
    Set(CURLOPT_LOW_SPEED_TIME,
        static_cast<long>(absl::ToInt64Seconds(limits.stall_timeout)));
    Set(CURLOPT_USERAGENT, "inkan");
    Set(CURLOPT_ERRORBUFFER, curl_error_);
    AddRequestHeaders();
    Set(CURLOPT_HTTPHEADER, headers_);
    Set(CURLOPT_NOPROGRESS, 0L);
    Set(CURLOPT_XFERINFODATA, this);
    Set(CURLOPT_XFERINFOFUNCTION, &Transfer::OnProgress);
    Set(CURLOPT_HEADERDATA, this);
    Set(CURLOPT_HEADERFUNCTION, &Transfer::OnHeader);
    Set(CURLOPT_WRITEDATA, this);
    Set(CURLOPT_WRITEFUNCTION, &Transfer::OnBody);
  }

  void AddRequestHeaders() {
    if (!request_.known.etag.empty()) {
      AddHeader("If-None-Match: " + request_.known.etag);
    }
    if (!request_.known.last_modified.empty()) {
      AddHeader("If-Modified-Since: " + request_.known.last_modified);
    }
    if (resume_at_ > 0) {
      AddHeader(absl::StrCat("Range: bytes=", resume_at_, "-"));
      AddHeader("If-Range: " + StrongValidator(request_.partial));
    }
  }

  static int OnProgress(void* self, curl_off_t, curl_off_t, curl_off_t,
                        curl_off_t) {
    const auto* transfer = static_cast<const Transfer*>(self);
    return transfer->stopping_.load() || SteadyNow() > transfer->deadline_ ? 1
                                                                           : 0;
  }
  static size_t OnHeader(char* data, size_t size, size_t count, void* self) {
    return static_cast<Transfer*>(self)->TakeHeader({data, size * count})
               ? size * count
               : 0;
  }
  static size_t OnBody(char* data, size_t size, size_t count, void* self) {
    return static_cast<Transfer*>(self)->TakeBody({data, size * count})
               ? size * count
               : 0;
  }

  bool Stop(std::string error) {
    error_ = std::move(error);
    return false;
  }

  bool TakeHeader(std::string_view line) {
    header_bytes_ += line.size();
    if (header_bytes_ > kHttpHeaderBytesMax) {
      return Stop(absl::StrCat("more than ", kHttpHeaderBytesMax,
                               " octets of header fields; the server is broken "
                               "or hostile"));
    }
    if (absl::StartsWith(absl::string_view(line.data(), line.size()),
                         "HTTP/")) {
      // Of a redirect, or the next one.
      fields_ = Fields();
      body_begun_ = false;
      return true;
    }
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return true;
    const std::string name =
        absl::AsciiStrToLower(absl::string_view(line.data(), colon));
    const std::string value(absl::StripAsciiWhitespace(
        absl::string_view(line.data() + colon + 1, line.size() - colon - 1)));
    if (name == "etag" && IsPlain(value)) fields_.validators.etag = value;
    if (name == "last-modified" && IsPlain(value)) {
      fields_.validators.last_modified = value;
    }
    if (name == "content-range") fields_.content_range = value;
    if (name == "content-encoding") fields_.content_encoding = value;
    if (name == "retry-after") fields_.has_retry_after = true;
    return true;
  }

  long Status() const {
    long status = 0;
    curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
    return status;
  }

  // Seconds, or a date (RFC 9110 section 10.2.3). libcurl's answer is 0 where
  // it is neither, negative of a date that is past, and an earlier reply's
  // where this one has no such field.
  std::optional<absl::Duration> RetryAfter() const {
    curl_off_t seconds = 0;
    if (!fields_.has_retry_after ||
        curl_easy_getinfo(handle_, CURLINFO_RETRY_AFTER, &seconds) !=
            CURLE_OK ||
        seconds <= 0) {
      return std::nullopt;
    }
    return absl::Seconds(int64_t{seconds});
  }

  // Decides, at the first octet of a body, where it goes.
  bool BeginBody() {
    body_begun_ = true;
    const long status = Status();
    keep_ = status == 200 || status == 206;
    if (!keep_) return true;
    if (!fields_.content_encoding.empty() &&
        !absl::EqualsIgnoreCase(fields_.content_encoding, "identity")) {
      return Stop(absl::StrCat("Content-Encoding: ", fields_.content_encoding,
                               ", which was not asked for; switch compression "
                               "off at the server"));
    }
    if (status == 200) {
      written_ = 0;
      if (ftruncate(fd_, 0) != 0) return WriteError();
      validators_ = fields_.validators;
    } else if (!ContinuesPart()) {
      return Stop(absl::StrCat(
          "HTTP status 206 with Content-Range \"", fields_.content_range,
          "\", which does not continue what was asked for; the whole is "
          "fetched next"));
    } else {
      written_ = resume_at_;
      validators_ = request_.partial;
    }
    return true;
  }

  bool ContinuesPart() {
    uint64_t first = 0;
    const HttpValidators& now = fields_.validators;
    return resume_at_ > 0 &&
           ParseContentRange(fields_.content_range, &first, &total_) &&
           first == resume_at_ &&
           (now.etag.empty() || now.etag == request_.partial.etag) &&
           (now.last_modified.empty() ||
            request_.partial.last_modified.empty() ||
            now.last_modified == request_.partial.last_modified);
  }

  bool WriteError() {
    resumable_ = false;
    return Stop(absl::StrCat("cannot write ", request_.part_file, ": ",
                             std::strerror(errno),
                             "; check the state directory's disk"));
  }

  bool TakeBody(std::string_view data) {
    reply_.bytes_received += data.size();
    if (!body_begun_ && !BeginBody()) return false;
    if (!keep_) {
      discarded_ += data.size();
      return discarded_ <= kDiscardedBytesMax;
    }
    if (data.size() > request_.limits.bytes_max - written_) {
      resumable_ = false;
      return Stop(absl::StrCat("larger than limits.crl_bytes_max (",
                               request_.limits.bytes_max,
                               "); check the URL, or raise the limit"));
    }
    KeepBackgroundPace();
    while (!data.empty()) {
      const ssize_t put =
          pwrite(fd_, data.data(), data.size(), static_cast<off_t>(written_));
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) return WriteError();
      written_ += static_cast<uint64_t>(put);
      data.remove_prefix(static_cast<size_t>(put));
    }
    return true;
  }

  void Conclude(CURLcode code) {
    const long status = Status();
    reply_.retry_after = RetryAfter();
    if (bad_set_) {
      error_ = "libcurl refuses an option; it is too old";
    } else if (!error_.empty()) {
      // Said already.
    } else if (code == CURLE_OK || status >= 400) {
      ConcludeReply(status);
    } else {
      error_ = WhyBroken(code);
    }
    if (!error_.empty()) {
      Failed();
      if (!body_begun_ || !keep_) {
        // What was there before is still as good as it was.
        if (resume_at_ > 0 && status != 416) {
          reply_.validators = request_.partial;
        }
      } else if (resumable_ && written_ > 0 &&
                 !StrongValidator(validators_).empty()) {
        reply_.validators = validators_;
      }
    }
  }

  static bool Keeps(long status) { return status == 200 || status == 206; }

  // A reply that came whole.
  void ConcludeReply(long status) {
    if (status == 304) {
      if (request_.known.empty()) {
        error_ =
            "HTTP status 304 (not modified) to a request without a condition; "
            "the server, or a cache before it, is broken";
        return;
      }
      reply_.outcome = HttpOutcome::kNotModified;
      return;
    }
    if (!Keeps(status)) {
      error_ = StatusError(status);
      return;
    }
    if (!body_begun_ || written_ == 0) {
      error_ = "an empty reply; check what publishes the CRL";
      return;
    }
    if (status == 206 && written_ != total_) {
      resumable_ = false;
      error_ = absl::StrCat("HTTP status 206 that ends at octet ", written_,
                            " of ", total_);
      return;
    }
    if (ftruncate(fd_, static_cast<off_t>(written_)) != 0) {
      WriteError();
      return;
    }
    reply_.outcome = HttpOutcome::kFetched;
    reply_.validators = validators_;
  }

  std::string WhyBroken(CURLcode code) const {
    if (stopping_.load()) return "given up: the server is shutting down";
    const std::string text =
        curl_error_[0] != '\0' ? curl_error_ : curl_easy_strerror(code);
    const std::string so_far =
        written_ > 0 ? absl::StrCat(" after ", written_, " octets") : "";
    switch (code) {
      case CURLE_OPERATION_TIMEDOUT:
      case CURLE_ABORTED_BY_CALLBACK:
        return absl::StrCat("too slow", so_far, ": ", text,
                            "; see fetch.connect_timeout, stall_timeout and "
                            "total_timeout");
      case CURLE_PARTIAL_FILE:
      case CURLE_RECV_ERROR:
      case CURLE_GOT_NOTHING:
        return absl::StrCat("the connection broke", so_far, ": ", text);
      case CURLE_COULDNT_RESOLVE_HOST:
      case CURLE_COULDNT_RESOLVE_PROXY:
        return absl::StrCat("no such host: ", text, "; check the URL and DNS");
      case CURLE_COULDNT_CONNECT:
        return absl::StrCat("cannot connect: ", text,
                            "; check the URL, the server and the firewall");
      case CURLE_PEER_FAILED_VERIFICATION:
      case CURLE_SSL_CACERT_BADFILE:
        return absl::StrCat("the server's certificate is not trusted: ", text,
                            "; see http.ca_file");
      case CURLE_TOO_MANY_REDIRECTS:
        return absl::StrCat("more than ", kHttpRedirectsMax,
                            " redirects; check the URL");
      case CURLE_UNSUPPORTED_PROTOCOL:
        return absl::StrCat("a redirect to another scheme is not followed: ",
                            text, "; configure the URL it leads to");
      default:
        return absl::StrCat("the transfer failed", so_far, ": ", text);
    }
  }

  // Header fields of the reply at hand.
  struct Fields {
    HttpValidators validators;
    std::string content_range;
    std::string content_encoding;
    bool has_retry_after = false;
  };

  CURL* const handle_;
  const HttpRequest& request_;
  const StopFlag& stopping_;
  const absl::Duration deadline_;  // by SteadyNow
  int fd_ = -1;
  curl_slist* headers_ = nullptr;
  char curl_error_[CURL_ERROR_SIZE] = {};
  bool bad_set_ = false;

  uint64_t resume_at_ = 0;  // octets of part_file that count
  uint64_t header_bytes_ = 0;
  Fields fields_;
  bool body_begun_ = false;
  bool keep_ = false;  // whether the body goes into part_file
  bool resumable_ = true;
  uint64_t written_ = 0;  // octets of part_file now
  uint64_t total_ = 0;    // of a 206
  uint64_t discarded_ = 0;
  HttpValidators validators_;  // of what part_file holds
  std::string error_;
  HttpReply reply_;
};

HttpFetcher::HttpFetcher() {
  InitCurl();
  handle_ = curl_easy_init();
}

HttpFetcher::~HttpFetcher() { curl_easy_cleanup(handle_); }

HttpReply HttpFetcher::Get(const HttpRequest& request,
                           const StopFlag& stopping) {
  if (handle_ == nullptr) {
    HttpReply reply;
    reply.error = "libcurl cannot start: out of memory";
    return reply;
  }
  return Transfer(handle_, request, stopping).Run();
}

}  // namespace inkan
