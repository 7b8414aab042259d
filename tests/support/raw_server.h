// A TCP server on loopback that does whatever a test tells it to, byte by byte.
//
//   RawServer server([](RawConnection& c) {
//     const std::string request = c.ReadHead();
//     c.Send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
//   });
//   server.port(), server.connections()
//
// One thread a connection. The destructor closes every connection, so that no
// handler is stuck in one.
#ifndef INKAN_TESTS_SUPPORT_RAW_SERVER_H_
#define INKAN_TESTS_SUPPORT_RAW_SERVER_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cache/mutex.h"
#include "gtest/gtest.h"

namespace inkan::testing_world {

class RawConnection {
 public:
  RawConnection(int fd, const std::atomic<bool>* ending)
      : fd_(fd), ending_(ending) {}

  // Up to and with the empty line; what there was if the peer went.
  std::string ReadHead() const {
    std::string head;
    char c = 0;
    while (head.find("\r\n\r\n") == std::string::npos &&
           recv(fd_, &c, 1, 0) == 1) {
      head.push_back(c);
    }
    return head;
  }
  // False if the peer is gone.
  bool Send(const std::string& bytes) const {
    size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t n =
          send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return false;
      sent += static_cast<size_t>(n);
    }
    return true;
  }
  // Until the peer goes, or the server ends.
  void Hold() const {
    char c = 0;
    while (!*ending_ && recv(fd_, &c, 1, 0) > 0) {
    }
  }
  // An octet every 20 ms until the peer goes or nothing is left.
  void Drip(const std::string& bytes) const {
    for (const char c : bytes) {
      if (*ending_ || !Send(std::string(1, c))) return;
      poll(nullptr, 0, 20);
    }
  }
  bool ending() const { return *ending_; }

 private:
  int fd_;
  const std::atomic<bool>* ending_;
};

class RawServer {
 public:
  using Handler = std::function<void(RawConnection&)>;

  explicit RawServer(Handler handler) : handler_(std::move(handler)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(
        bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)),
        0);
    EXPECT_EQ(listen(listener_, 64), 0);
    socklen_t size = sizeof(address);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Accept(); });
  }
  ~RawServer() {
    ending_ = true;
    thread_.join();
    {
      MutexLock lock(&mutex_);
      for (const int fd : open_) shutdown(fd, SHUT_RDWR);
    }
    for (std::thread& thread : handlers_) thread.join();
    close(listener_);
  }
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  int port() const { return port_; }
  std::string url(const std::string& path = "/a.crl") const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  int connections() const { return connections_; }
  void Handle(Handler handler) {
    MutexLock lock(&mutex_);
    handler_ = std::move(handler);
  }

 private:
  void Accept() {
    while (!ending_) {
      pollfd ready = {listener_, POLLIN, 0};
      if (poll(&ready, 1, 20) <= 0) continue;
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      ++connections_;
      MutexLock lock(&mutex_);
      open_.insert(fd);
      handlers_.emplace_back([this, fd, handler = handler_] {
        RawConnection connection(fd, &ending_);
        handler(connection);
        MutexLock inner(&mutex_);
        open_.erase(fd);
        shutdown(fd, SHUT_WR);
        close(fd);
      });
    }
  }

  Mutex mutex_;
  Handler handler_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> ending_{false};
  std::atomic<int> connections_{0};
  std::set<int> open_;
  std::vector<std::thread> handlers_;  // the accepting thread's
  std::thread thread_;
};

// A whole reply.
inline std::string HttpReplyText(const std::string& status,
                                 const std::string& body,
                                 const std::string& fields = "") {
  return "HTTP/1.1 " + status + "\r\nConnection: close\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n" + fields + "\r\n" + body;
}

}  // namespace inkan::testing_world

#endif  // INKAN_TESTS_SUPPORT_RAW_SERVER_H_
