#include "server/connection_acceptor.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace inkan {
namespace {

// Linux cuts it to net.core.somaxconn.
constexpr int kBacklog = 4096;

// Looking at 10,000 descriptors takes some milliseconds: not more often than
// this, however many connections are refused meanwhile.
constexpr std::chrono::milliseconds kSweepPause{100};

absl::Status Cannot(const std::string& what, int error) {
  return absl::UnavailableError(
      absl::StrCat("cannot ", what, ": ", std::strerror(error)));
}

bool SetInt(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

// The port a bound socket has.
int PortOf(int fd) {
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
    return 0;
  }
  if (bound.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6&>(bound).sin6_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in&>(bound).sin_port);
}

void SetPort(addrinfo* address, int port) {
  const auto network = htons(static_cast<uint16_t>(port));
  if (address->ai_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(address->ai_addr)->sin6_port = network;
  } else {
    reinterpret_cast<sockaddr_in*>(address->ai_addr)->sin_port = network;
  }
}

// A listening socket, or -1 with errno set.
int ListenOn(const addrinfo& address) {
  const int fd =
      socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  // Connections inherit TCP_NODELAY: answers must not wait for a full segment.
  const bool ready = SetInt(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
                     SetInt(fd, IPPROTO_TCP, TCP_NODELAY, 1) &&
                     (address.ai_family != AF_INET6 ||
                      SetInt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0)) &&
                     bind(fd, address.ai_addr, address.ai_addrlen) == 0 &&
                     listen(fd, kBacklog) == 0;
  if (ready) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

// The inode of an open socket; 0 if the descriptor is something else, or
// closed.
uint64_t SocketOf(int fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0 || !S_ISSOCK(info.st_mode)) return 0;
  return info.st_ino;
}

// Whether something was sent that the peer has not acknowledged.
bool Undelivered(int fd) {
  int octets = 0;
  return ioctl(fd, SIOCOUTQ, &octets) == 0 && octets > 0;
}

// Empty for what is no TCP connection.
ConnectionAcceptor::Peer PeerOf(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  ConnectionAcceptor::Peer peer;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    return peer;
  }
  if (storage.ss_family == AF_INET) {
    const auto& address = reinterpret_cast<const sockaddr_in&>(storage);
    peer.address.assign(reinterpret_cast<const char*>(&address.sin_addr),
                        sizeof(address.sin_addr));
    peer.port = ntohs(address.sin_port);
  } else if (storage.ss_family == AF_INET6) {
    const auto& address = reinterpret_cast<const sockaddr_in6&>(storage);
    peer.address.assign(reinterpret_cast<const char*>(&address.sin6_addr),
                        sizeof(address.sin6_addr));
    if (IN6_IS_ADDR_V4MAPPED(&address.sin6_addr)) peer.address.erase(0, 12);
    peer.port = ntohs(address.sin6_port);
  }
  return peer;
}

// A socket file left by a server that was killed is in the way of the next.
void RemoveDeadSocket(const std::string& path, const sockaddr_un& address) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return;
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  const bool alive = connect(fd, reinterpret_cast<const sockaddr*>(&address),
                             sizeof(address)) == 0 ||
                     errno != ECONNREFUSED;
  close(fd);
  if (!alive) unlink(path.c_str());
}

}  // namespace

absl::StatusOr<std::unique_ptr<ConnectionAcceptor>> ConnectionAcceptor::Listen(
    const std::string& address, size_t connections_max,
    std::chrono::milliseconds unread_max) {
  auto acceptor = std::unique_ptr<ConnectionAcceptor>(
      new ConnectionAcceptor(connections_max, unread_max));
  absl::Status status;
  const size_t colon = address.rfind(':');
  if (absl::StartsWith(address, "unix:")) {
    status = acceptor->ListenUnix(address.substr(5));
  } else if (colon == std::string::npos) {
    status = absl::InvalidArgumentError(
        absl::StrCat("\"", address, "\" is no address; write \"host:port\""));
  } else {
    std::string host = address.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
      host = host.substr(1, host.size() - 2);
    }
    status = acceptor->ListenTcp(host, address.substr(colon + 1));
  }
  if (!status.ok()) return status;
  acceptor->stop_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  acceptor->spare_fd_ = eventfd(0, EFD_CLOEXEC);
  if (acceptor->stop_fd_ < 0 || acceptor->spare_fd_ < 0) {
    return Cannot("open a descriptor", errno);
  }
  return acceptor;
}

ConnectionAcceptor::~ConnectionAcceptor() {
  Stop();
  for (const int fd : listeners_) close(fd);
  if (!unix_path_.empty()) unlink(unix_path_.c_str());
  if (stop_fd_ >= 0) close(stop_fd_);
  if (spare_fd_ >= 0) close(spare_fd_);
}

absl::Status ConnectionAcceptor::ListenUnix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the path of a unix socket has 1 to ",
                     sizeof(address.sun_path) - 1, " octets"));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  RemoveDeadSocket(path, address);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return Cannot("make a socket", errno);
  listeners_.push_back(fd);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) !=
          0 ||
      listen(fd, kBacklog) != 0) {
    return Cannot(absl::StrCat("listen on unix:", path), errno);
  }
  unix_path_ = path;
  return absl::OkStatus();
}

absl::Status ConnectionAcceptor::ListenTcp(const std::string& host,
                                           const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (failed != 0) {
    return absl::UnavailableError(absl::StrCat(
        "cannot listen on ", host, ":", port, ": ", gai_strerror(failed)));
  }
  // A name may have several addresses; port 0 picks one port for all.
  int error = 0;
  for (addrinfo* next = found; next != nullptr && error == 0;
       next = next->ai_next) {
    if (port_ != 0) SetPort(next, port_);
    const int fd = ListenOn(*next);
    if (fd >= 0) {
      listeners_.push_back(fd);
      port_ = PortOf(fd);
    } else if (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL) {
      error = errno;
    }
  }
  freeaddrinfo(found);
  if (error == 0 && listeners_.empty()) error = EADDRNOTAVAIL;
  if (error == 0) return absl::OkStatus();
  return Cannot(absl::StrCat("listen on ", host, ":", port), error);
}

void ConnectionAcceptor::Start(Handler handler) {
  handler_ = std::move(handler);
  MutexLock lock(&stop_mutex_);
  thread_ = std::thread([this] { Run(); });
}

void ConnectionAcceptor::Stop() {
  MutexLock lock(&stop_mutex_);
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  // Fails only if it is told already.
  (void)!write(stop_fd_, &one, sizeof(one));
  thread_.join();
  // A connection that nobody accepts any more is refused rather than left to
  // wait.
  for (const int fd : listeners_) shutdown(fd, SHUT_RD);
}

void ConnectionAcceptor::Run() {
  std::vector<pollfd> polled;
  for (const int fd : listeners_) polled.push_back({fd, POLLIN, 0});
  polled.push_back({stop_fd_, POLLIN, 0});
  while (true) {
    if (poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) return;
    if (polled.back().revents != 0) return;
    for (size_t i = 0; i + 1 < polled.size(); ++i) {
      if (polled[i].revents != 0) AcceptAll(polled[i].fd);
    }
  }
}

void ConnectionAcceptor::AcceptAll(int listener) {
  // Some at a time, so that a flood does not keep Stop waiting.
  for (int i = 0; i < 256; ++i) {
    const int fd =
        accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      if (Track(fd)) {
        accepted_.fetch_add(1);
        // gRPC's own pings do not help here: they wait behind what is not read.
        // Fails for a unix socket, whose peers are of this machine.
        SetInt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
               static_cast<int>(unread_max_.count()));
        handler_(listener, fd);
      } else {
        refused_.fetch_add(1);
        close(fd);
      }
    } else if (errno == EMFILE || errno == ENFILE) {
      ShedOne(listener);
    } else if (errno != EINTR && errno != ECONNABORTED) {
      // EAGAIN: no more for now. What the system has no memory for stays in the
      // backlog, and poll says so at once: not to go round and round meanwhile.
      if (errno != EAGAIN && errno != EWOULDBLOCK) {
        absl::SleepFor(absl::Milliseconds(10));
      }
      return;
    }
  }
}

// False if there are enough already.
bool ConnectionAcceptor::Track(int connection) {
  MutexLock lock(&mutex_);
  // The descriptor of a connection that was closed is given to the next.
  tracked_.erase(connection);
  if (tracked_.size() >= connections_max_ &&
      std::chrono::steady_clock::now() - last_sweep_ >= kSweepPause) {
    Sweep();
  }
  if (tracked_.size() >= connections_max_) return false;
  tracked_[connection] = SocketOf(connection);
  return true;
}

void ConnectionAcceptor::Sweep() {
  last_sweep_ = std::chrono::steady_clock::now();
  absl::erase_if(tracked_, [](const auto& connection) {
    return SocketOf(connection.first) != connection.second;
  });
}

void ConnectionAcceptor::Visit(const std::function<void(int)>& visit) {
  std::vector<std::pair<int, uint64_t>> connections;
  {
    MutexLock lock(&mutex_);
    connections.assign(tracked_.begin(), tracked_.end());
  }
  for (const auto& [fd, socket] : connections) {
    // The owner may close it at any moment, and its number be given to
    // something else; a copy stays what it is.
    const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) continue;
    if (SocketOf(copy) == socket) visit(copy);
    close(copy);
  }
}

size_t ConnectionAcceptor::HangUp(const absl::flat_hash_set<Peer>& but,
                                  bool only_delivered) {
  size_t under_way = 0;
  Visit([&](int connection) {
    if (!but.empty() && but.contains(PeerOf(connection))) return;
    if (only_delivered && Undelivered(connection)) {
      ++under_way;
    } else {
      shutdown(connection, SHUT_WR);
    }
  });
  return under_way;
}

void ConnectionAcceptor::End(const absl::flat_hash_set<Peer>& peers) {
  Visit([this, &peers](int connection) {
    if (!peers.contains(PeerOf(connection))) return;
    // Unlike shutdown, this also forgets what was sent and not yet read.
    sockaddr none{};
    none.sa_family = AF_UNSPEC;
    connect(connection, &none, sizeof(none));
    ended_.fetch_add(1);
  });
}

// Without a descriptor left, takes the first of the backlog and closes it; or
// poll would report it for ever.
void ConnectionAcceptor::ShedOne(int listener) {
  close(spare_fd_);
  const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd >= 0) {
    refused_.fetch_add(1);
    close(fd);
  } else {
    // Another thread was faster.
    absl::SleepFor(absl::Milliseconds(10));
  }
  spare_fd_ = eventfd(0, EFD_CLOEXEC);
}

size_t ConnectionAcceptor::open_connections() {
  MutexLock lock(&mutex_);
  Sweep();
  return tracked_.size();
}

}  // namespace inkan
