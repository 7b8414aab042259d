#include "server/ops_http_connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "cache/steady_time.h"

namespace inkan {
namespace {

// What a client may still send after its request, and for how long we listen.
constexpr size_t kLingerBytesMax = 65536;
constexpr absl::Duration kLinger = absl::Milliseconds(500);

constexpr char kHeadEnd[] = "\r\n\r\n";

}  // namespace

OpsHttpConnection::~OpsHttpConnection() { close(fd_); }

bool OpsHttpConnection::WaitFor(short events, absl::Duration deadline) const {
  while (true) {
    const absl::Duration left = deadline - SteadyNow();
    if (left <= absl::ZeroDuration()) return false;
    pollfd ready = {fd_, events, 0};
    const int64_t ms =
        absl::ToInt64Milliseconds(std::min(left, absl::Minutes(1))) + 1;
    const int n = poll(&ready, 1, static_cast<int>(ms));
    if (n > 0) return true;
    if (n < 0 && errno != EINTR) return false;
  }
}

HeadResult OpsHttpConnection::ReadHead(size_t bytes_max,
                                       absl::Duration deadline) {
  char buffer[2048];
  while (true) {
    if (!WaitFor(POLLIN, deadline)) return HeadResult::kGone;
    const ssize_t got = recv(fd_, buffer, sizeof(buffer), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0) return HeadResult::kGone;
    // The end may have been cut in two.
    const size_t from = head_.size() > 3 ? head_.size() - 3 : 0;
    head_.append(buffer, static_cast<size_t>(got));
    const size_t end = head_.find(kHeadEnd, from);
    if (end != std::string::npos && end + 4 <= bytes_max) {
      head_.resize(end + 4);
      LeaveOutRanges();
      return HeadResult::kComplete;
    }
    if (head_.size() >= bytes_max) return HeadResult::kTooLarge;
  }
}

// The library would answer a header of a thousand ranges with a thousand copies
// of the page, and reads it with a recursive regular expression.
void OpsHttpConnection::LeaveOutRanges() {
  std::string kept;
  for (const absl::string_view line : absl::StrSplit(head_, "\r\n")) {
    if (absl::StartsWithIgnoreCase(line, "range:")) continue;
    kept.append(line.data(), line.size());
    kept += "\r\n";
  }
  kept.resize(kept.size() - 2);  // after the last line there was no end
  head_ = std::move(kept);
}

ssize_t OpsHttpConnection::read(char* out, size_t size) {
  const size_t count = std::min(size, head_.size() - at_);
  std::memcpy(out, head_.data() + at_, count);
  at_ += count;
  return static_cast<ssize_t>(count);
}

ssize_t OpsHttpConnection::write(const char* data, size_t size) {
  while (WaitFor(POLLOUT, write_deadline_)) {
    const ssize_t sent = send(fd_, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) return sent;
    if (errno != EAGAIN && errno != EINTR) return -1;
  }
  return -1;
}

void OpsHttpConnection::Finish() {
  shutdown(fd_, SHUT_WR);
  const absl::Duration deadline = SteadyNow() + kLinger;
  char buffer[4096];
  size_t total = 0;
  while (total < kLingerBytesMax && WaitFor(POLLIN, deadline)) {
    const ssize_t got = recv(fd_, buffer, sizeof(buffer), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0) return;
    total += static_cast<size_t>(got);
  }
}

void OpsHttpConnection::get_remote_ip_and_port(std::string& ip,
                                               int& port) const {
  ip.clear();
  port = 0;
}
void OpsHttpConnection::get_local_ip_and_port(std::string& ip,
                                              int& port) const {
  ip.clear();
  port = 0;
}

}  // namespace inkan
