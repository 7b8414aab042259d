// Ending connections at the sockets, as a client sees it.
#include "server/connection_acceptor.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "tests/server/happens.h"

namespace inkan {
namespace {

using testing::Happens;

class ConnectionAcceptorTest : public ::testing::Test {
 protected:
  ConnectionAcceptorTest() {
    auto acceptor =
        ConnectionAcceptor::Listen("127.0.0.1:0", 10, std::chrono::seconds(60));
    EXPECT_TRUE(acceptor.ok()) << acceptor.status();
    acceptor_ = *std::move(acceptor);
    acceptor_->Start([this](int /*listener*/, int fd) { accepted_ = fd; });
    client_ = socket(AF_INET, SOCK_STREAM, 0);
    // Little room, so that a client that does not read is soon noticed.
    const int room = 4096;
    setsockopt(client_, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(acceptor_->port()));
    EXPECT_EQ(connect(client_, reinterpret_cast<const sockaddr*>(&address),
                      sizeof address),
              0);
    EXPECT_TRUE(Happens([this] { return accepted_ >= 0; }));
  }
  ~ConnectionAcceptorTest() override {
    acceptor_->Stop();
    close(client_);
    close(accepted_);
  }

  // Sends until the connection takes no more; how much that was.
  size_t FillUp() {
    const std::string octets(size_t{64} << 10U, 'x');
    size_t sent = 0;
    while (true) {
      const ssize_t took =
          send(accepted_, octets.data(), octets.size(), MSG_DONTWAIT);
      if (took < 0) return sent;
      sent += static_cast<size_t>(took);
    }
  }
  // Reads to the end of the connection; how much that was.
  size_t ReadAll() const {
    char octets[4096];
    size_t read = 0;
    ssize_t got = 0;
    while ((got = recv(client_, octets, sizeof octets, 0)) > 0) {
      read += static_cast<size_t>(got);
    }
    EXPECT_EQ(got, 0) << "the connection was reset";
    return read;
  }

  std::unique_ptr<ConnectionAcceptor> acceptor_;
  std::atomic<int> accepted_{-1};
  int client_ = -1;
};

TEST_F(ConnectionAcceptorTest, WhatIsOnItsWayIsDeliveredBeforeTheEnd) {
  const size_t sent = FillUp();
  ASSERT_GT(sent, 0U);
  acceptor_->Stop();
  EXPECT_EQ(acceptor_->HangUp({}, /*only_delivered=*/true), 1U);
  // Still open for writing: the client makes room, and more can be sent.
  std::string some(size_t{1} << 20U, '\0');
  size_t read = 0;
  size_t more = 0;
  EXPECT_TRUE(Happens([&] {
    const ssize_t got = recv(client_, some.data(), some.size(), MSG_DONTWAIT);
    if (got > 0) read += static_cast<size_t>(got);
    const ssize_t took = send(accepted_, "y", 1, MSG_DONTWAIT);
    if (took > 0) more += static_cast<size_t>(took);
    return took > 0;
  }));
  EXPECT_TRUE(Happens([&] {
    const ssize_t got = recv(client_, some.data(), some.size(), MSG_DONTWAIT);
    if (got > 0) read += static_cast<size_t>(got);
    return acceptor_->HangUp({}, /*only_delivered=*/true) == 0;
  }));
  EXPECT_LT(send(accepted_, "z", 1, MSG_DONTWAIT | MSG_NOSIGNAL), 0);
  EXPECT_EQ(read + ReadAll(), sent + more);
}

TEST_F(ConnectionAcceptorTest, WhoDoesNotReadIsHungUpOnInTheEnd) {
  const size_t sent = FillUp();
  acceptor_->Stop();
  EXPECT_EQ(acceptor_->HangUp({}, /*only_delivered=*/false), 0U);
  EXPECT_LT(send(accepted_, "z", 1, MSG_DONTWAIT | MSG_NOSIGNAL), 0);
  EXPECT_EQ(ReadAll(), sent);
}

}  // namespace
}  // namespace inkan
