#include "server/ops_http.h"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "cache/background_thread.h"
#include "cache/mutex.h"
#include "cache/steady_time.h"
#include "server/ops_http_connection.h"

namespace inkan {
namespace {

// Connections the system holds for us until we take them.
constexpr int kBacklog = 64;
// Before accept is tried again when there are no file descriptors.
constexpr int kAcceptPauseMs = 100;

constexpr char kTooLarge[] =
    "HTTP/1.1 431 Request Header Fields Too Large\r\n"
    "Content-Length: 0\r\nConnection: close\r\n\r\n";

// "host:port", "[v6]:port".
bool SplitAddress(const std::string& address, std::string* host,
                  std::string* port) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0) return false;
  *host = address.substr(0, colon);
  *port = address.substr(colon + 1);
  if (host->front() == '[' && host->back() == ']') {
    *host = host->substr(1, host->size() - 2);
  }
  return !host->empty() && !port->empty();
}

absl::StatusOr<int> ListenOn(const std::string& address) {
  std::string host;
  std::string port;
  if (!SplitAddress(address, &host, &port)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", address, "\" is no address for HTTP"));
  }
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (error != 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", address, ": ", gai_strerror(error)));
  }
  int fd = -1;
  int reason = 0;
  for (const addrinfo* at = found; at != nullptr && fd < 0; at = at->ai_next) {
    fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) continue;
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 &&
        listen(fd, kBacklog) == 0) {
      break;
    }
    reason = errno;
    close(fd);
    fd = -1;
  }
  freeaddrinfo(found);
  if (fd >= 0) return fd;
  return absl::UnavailableError(absl::StrCat(
      "cannot listen on ", address, " (ops_http): ", std::strerror(reason)));
}

// httplib's parser and writer, without its connections.
class Http final : public httplib::Server {
 public:
  Http(const HttpHandlers& handlers, OpsCounters* counters) {
    set_payload_max_length(0);
    set_pre_routing_handler(
        [&handlers, counters](const httplib::Request& request,
                              httplib::Response& response) {
          Answer(handlers, counters, request, &response);
          return HandlerResponse::Handled;
        });
  }

  // False if the library gave up.
  bool Process(OpsHttpConnection* connection) {
    bool closed = false;
    try {
      return process_request(*connection, /*close_connection=*/true, closed,
                             nullptr);
    } catch (...) {
      // No memory, or a request it cannot take; either ends this connection and
      // nothing else.
      return false;
    }
  }

 private:
  static OpsReply ReplyTo(const HttpHandlers& handlers,
                          const httplib::Request& request) {
    if (request.method != "GET" && request.method != "HEAD") {
      return {405, "text/plain; charset=utf-8", "Only GET and HEAD.\n"};
    }
    const auto handler = handlers.find(request.path);
    if (handler != handlers.end()) return handler->second();
    return {404, "text/plain; charset=utf-8",
            "There is no such page; / lists those there are.\n"};
  }

  static void Answer(const HttpHandlers& handlers, OpsCounters* counters,
                     const httplib::Request& request,
                     httplib::Response* response) {
    const OpsReply reply = ReplyTo(handlers, request);
    response->status = reply.code;
    response->set_content(reply.body, reply.type.c_str());
    if (reply.code == 405) response->set_header("Allow", "GET, HEAD");
    response->set_header("Cache-Control", "no-store");
    response->set_header("X-Content-Type-Options", "nosniff");
    response->set_header("Referrer-Policy", "no-referrer");
    response->set_header("Content-Security-Policy",
                         "default-src 'none'; style-src 'unsafe-inline'; "
                         "img-src data:; frame-ancestors 'none'");
    counters->Answered(handlers.contains(request.path) ? request.path : "other",
                       reply.code);
  }
};

}  // namespace

class OpsHttp::Impl {
 public:
  Impl(int listener, HttpHandlers handlers, OpsCounters* counters,
       const OpsHttpLimits& limits)
      : limits_(limits),
        handlers_(std::move(handlers)),
        counters_(counters),
        http_(handlers_, counters),
        listener_(listener),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    threads_.emplace_back([this] { Accept(); });
    for (size_t i = 0; i < limits_.threads; ++i) {
      threads_.emplace_back([this] { Serve(); });
    }
  }

  ~Impl() {
    {
      MutexLock lock(&mutex_);
      ending_ = true;
      // Those being served see an end of file, or a broken pipe.
      for (const int fd : open_) shutdown(fd, SHUT_RDWR);
      work_.SignalAll();
    }
    eventfd_write(wake_, 1);
    for (std::thread& thread : threads_) thread.join();
    for (const int fd : waiting_) close(fd);
    close(listener_);
    close(wake_);
  }

  int port() const {
    sockaddr_storage address = {};
    socklen_t size = sizeof(address);
    if (getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) !=
        0) {
      return 0;
    }
    return ntohs(address.ss_family == AF_INET6
                     ? reinterpret_cast<sockaddr_in6*>(&address)->sin6_port
                     : reinterpret_cast<sockaddr_in*>(&address)->sin_port);
  }

 private:
  void Accept() ABSL_LOCKS_EXCLUDED(mutex_) {
    while (true) {
      pollfd ready[2] = {{listener_, POLLIN, 0}, {wake_, POLLIN, 0}};
      poll(ready, 2, -1);
      if (ready[1].revents != 0) return;
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
          poll(&ready[1], 1, kAcceptPauseMs);
        }
        continue;
      }
      if (!TakeIn(fd)) {
        counters_->Dropped();
        close(fd);
      }
    }
  }

  bool TakeIn(int fd) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (ending_ || waiting_.size() + open_.size() >= limits_.connections_max) {
      return false;
    }
    waiting_.push_back(fd);
    work_.Signal();
    return true;
  }

  void Serve() ABSL_LOCKS_EXCLUDED(mutex_) {
    BecomeBackgroundThread();
    while (true) {
      int fd = -1;
      {
        MutexLock lock(&mutex_);
        while (waiting_.empty() && !ending_) work_.Wait(&mutex_);
        if (ending_) return;
        fd = waiting_.front();
        waiting_.pop_front();
        open_.insert(fd);
      }
      OpsHttpConnection connection(fd);
      ServeOne(&connection);
      MutexLock lock(&mutex_);
      open_.erase(fd);
    }
  }

  void ServeOne(OpsHttpConnection* connection) {
    const HeadResult head = connection->ReadHead(
        limits_.head_bytes_max, SteadyNow() + limits_.read_timeout);
    if (head == HeadResult::kGone) {
      counters_->Dropped();
      return;
    }
    connection->set_write_deadline(SteadyNow() + limits_.write_timeout);
    if (head == HeadResult::kTooLarge) {
      counters_->Answered("other", 431);
      connection->write(kTooLarge, sizeof(kTooLarge) - 1);
    } else {
      if (!http_.Process(connection)) counters_->Dropped();
    }
    connection->Finish();
  }

  const OpsHttpLimits limits_;
  const HttpHandlers handlers_;
  OpsCounters* const counters_;
  Http http_;
  const int listener_;
  const int wake_;  // eventfd: end

  Mutex mutex_;
  CondVar work_;
  std::deque<int> waiting_ ABSL_GUARDED_BY(mutex_);
  std::set<int> open_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

absl::StatusOr<std::unique_ptr<OpsHttp>> OpsHttp::Start(
    const std::string& address, HttpHandlers handlers, OpsCounters* counters,
    const OpsHttpLimits& limits) {
  absl::StatusOr<int> listener = ListenOn(address);
  if (!listener.ok()) return listener.status();
  return std::unique_ptr<OpsHttp>(new OpsHttp(std::make_unique<Impl>(
      *listener, std::move(handlers), counters, limits)));
}

OpsHttp::OpsHttp(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
OpsHttp::~OpsHttp() = default;
int OpsHttp::port() const { return impl_->port(); }

}  // namespace inkan
