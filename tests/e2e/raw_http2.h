// A connection on which a test writes any bytes it likes, and HTTP/2 frames
// (RFC 9113) to write on it.
//
//   RawConnection connection(port);
//   connection.Send(kHttp2Preface + SettingsFrame());
//   connection.Send(HeadersFrame(1, "/inkan.v1.VerificationService/Verify"));
//   connection.AwaitClosed();
//
// One thread. Sending to a peer that has closed is no failure.
#ifndef INKAN_TESTS_E2E_RAW_HTTP2_H_
#define INKAN_TESTS_E2E_RAW_HTTP2_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace inkan {

class RawConnection {
 public:
  explicit RawConnection(int port);
  ~RawConnection();
  RawConnection(RawConnection&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)) {}
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;

  bool connected() const { return fd_ >= 0; }
  // Leaves the peer little room, for a client that does not read.
  void KeepLittleRoom() const;
  // False if the peer takes no more within a few seconds, or has closed.
  bool Send(const std::string& bytes) const;
  // What has come, up to a few KiB; waits at most `milliseconds` for something.
  std::string Receive(int milliseconds) const;
  // Reads and forgets until the peer closes; false if it does not within the
  // bound.
  bool AwaitClosed(int milliseconds) const;
  // Closes with a reset in place of an orderly end.
  void Reset();

 private:
  int fd_ = -1;
};

inline const std::string kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

enum class FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPushPromise = 5,
  kPing = 6,
  kGoaway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};
inline constexpr uint8_t kEndStream = 0x1;
inline constexpr uint8_t kAck = 0x1;
inline constexpr uint8_t kEndHeaders = 0x4;

std::string Frame(FrameType type, uint8_t flags, uint32_t stream,
                  const std::string& payload);
std::string BigEndian32(uint32_t value);
// Header fields as HPACK literals without indexing (RFC 7541 section 6.2.2).
std::string Hpack(
    const std::vector<std::pair<std::string, std::string>>& fields);
// The header block of a gRPC call, with more fields behind.
std::string CallHeaders(
    const std::string& path,
    const std::vector<std::pair<std::string, std::string>>& more = {});

}  // namespace inkan

#endif  // INKAN_TESTS_E2E_RAW_HTTP2_H_
