// The plainest of HTTP clients, for what a good one would never send.
#ifndef INKAN_TESTS_SERVER_HTTP_CLIENT_H_
#define INKAN_TESTS_SERVER_HTTP_CLIENT_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>

namespace inkan::testing {

class OwnedSocket {
 public:
  explicit OwnedSocket(int fd) : fd_(fd) {}
  ~OwnedSocket() {
    if (fd_ >= 0) close(fd_);
  }
  OwnedSocket(OwnedSocket&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)) {}
  OwnedSocket& operator=(OwnedSocket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

inline OwnedSocket HttpConnect(int port) {
  OwnedSocket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket.fd(), reinterpret_cast<sockaddr*>(&address),
              sizeof(address)) != 0) {
    return OwnedSocket(-1);
  }
  return socket;
}

// Sends the octets and returns all that comes back until the end, or until
// nothing came for a minute. Empty if the connection was not answered.
inline std::string HttpExchange(int port, const std::string& request) {
  const OwnedSocket socket = HttpConnect(port);
  if (socket.fd() < 0) return "";
  size_t at = 0;
  while (at < request.size()) {
    const ssize_t sent = send(socket.fd(), request.data() + at,
                              request.size() - at, MSG_NOSIGNAL);
    if (sent <= 0) break;
    at += static_cast<size_t>(sent);
  }
  // A request that has no end ends here.
  shutdown(socket.fd(), SHUT_WR);
  std::string answer;
  char buffer[65536];
  while (true) {
    pollfd ready = {socket.fd(), POLLIN, 0};
    if (poll(&ready, 1, 60'000) <= 0) break;
    const ssize_t got = recv(socket.fd(), buffer, sizeof(buffer), 0);
    if (got <= 0) break;
    answer.append(buffer, static_cast<size_t>(got));
  }
  return answer;
}

inline std::string HttpGet(int port, const std::string& path) {
  return HttpExchange(port, "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
}

inline std::string HttpBody(const std::string& answer) {
  const size_t end = answer.find("\r\n\r\n");
  return end == std::string::npos ? "" : answer.substr(end + 4);
}

}  // namespace inkan::testing

#endif  // INKAN_TESTS_SERVER_HTTP_CLIENT_H_
