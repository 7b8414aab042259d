#include "tests/e2e/raw_http2.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace inkan {
namespace {

constexpr int kSendMilliseconds = 5'000;

void AppendHpackString(const std::string& text, std::string* out) {
  // A prefix of 7 bits, no Huffman coding.
  constexpr size_t kPrefixMax = 127;
  if (text.size() < kPrefixMax) {
    out->push_back(static_cast<char>(text.size()));
  } else {
    out->push_back(static_cast<char>(kPrefixMax));
    size_t rest = text.size() - kPrefixMax;
    for (; rest >= 128; rest /= 128) {
      out->push_back(static_cast<char>(rest % 128 + 128));
    }
    out->push_back(static_cast<char>(rest));
  }
  *out += text;
}

}  // namespace

RawConnection::RawConnection(int port) {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd_ >= 0 && connect(fd_, reinterpret_cast<const sockaddr*>(&address),
                          sizeof(address)) != 0) {
    close(fd_);
    fd_ = -1;
  }
}

RawConnection::~RawConnection() {
  if (fd_ >= 0) close(fd_);
}

void RawConnection::KeepLittleRoom() const {
  const int octets = 4096;
  setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets));
}

bool RawConnection::Send(const std::string& bytes) const {
  size_t sent = 0;
  while (fd_ >= 0 && sent < bytes.size()) {
    const ssize_t n = send(fd_, bytes.data() + sent, bytes.size() - sent,
                           MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
      sent += static_cast<size_t>(n);
      continue;
    }
    // What comes back is read, or both sides would wait for each other.
    Receive(0);
    pollfd ready = {fd_, POLLOUT, 0};
    if (errno != EAGAIN || poll(&ready, 1, kSendMilliseconds) != 1)
      return false;
  }
  return fd_ >= 0;
}

std::string RawConnection::Receive(int milliseconds) const {
  pollfd ready = {fd_, POLLIN, 0};
  if (fd_ < 0 || poll(&ready, 1, milliseconds) != 1) return "";
  std::string bytes(8192, '\0');
  const ssize_t n = recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT);
  bytes.resize(static_cast<size_t>(std::max<ssize_t>(n, 0)));
  return bytes;
}

bool RawConnection::AwaitClosed(int milliseconds) const {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::milliseconds(milliseconds);
  std::string bytes(65'536, '\0');
  while (fd_ >= 0 && Clock::now() < end) {
    pollfd ready = {fd_, POLLIN, 0};
    if (poll(&ready, 1, 100) != 1) continue;
    const ssize_t n = recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN)) return true;
  }
  return fd_ < 0;
}

void RawConnection::Reset() {
  const linger at_once = {1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  close(fd_);
  fd_ = -1;
}

std::string BigEndian32(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>(value >> static_cast<unsigned>(shift)));
  }
  return bytes;
}

std::string Frame(FrameType type, uint8_t flags, uint32_t stream,
                  const std::string& payload) {
  std::string frame =
      BigEndian32(static_cast<uint32_t>(payload.size())).substr(1);
  frame.push_back(static_cast<char>(type));
  frame.push_back(static_cast<char>(flags));
  return frame + BigEndian32(stream) + payload;
}

std::string Hpack(
    const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string block;
  for (const auto& [name, value] : fields) {
    block.push_back('\0');
    AppendHpackString(name, &block);
    AppendHpackString(value, &block);
  }
  return block;
}

std::string CallHeaders(
    const std::string& path,
    const std::vector<std::pair<std::string, std::string>>& more) {
  std::vector<std::pair<std::string, std::string>> fields = {
      {":method", "POST"}, {":scheme", "http"},
      {":path", path},     {":authority", "127.0.0.1"},
      {"te", "trailers"},  {"content-type", "application/grpc"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return Hpack(fields);
}

}  // namespace inkan
