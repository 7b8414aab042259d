// One connection to the operations port, with bounds on octets and time.
//
// Thread safety: one thread; Interrupt from any. The socket is closed with it.
#ifndef INKAN_SERVER_OPS_HTTP_CONNECTION_H_
#define INKAN_SERVER_OPS_HTTP_CONNECTION_H_

#include <httplib.h>

#include <string>

#include "absl/time/time.h"

namespace inkan {

enum class HeadResult { kComplete, kTooLarge, kGone };

class OpsHttpConnection final : public httplib::Stream {
 public:
  explicit OpsHttpConnection(int fd) : fd_(fd) {}
  ~OpsHttpConnection() override;

  // Takes in the request line and headers, `bytes_max` octets at most, and
  // leaves out what the server has no use for.
  // Deadlines are moments of SteadyNow.
  HeadResult ReadHead(size_t bytes_max, absl::Duration deadline);
  void set_write_deadline(absl::Duration deadline) {
    write_deadline_ = deadline;
  }
  // Ends the answer, and reads what the client is still sending for a moment,
  // so that it gets the answer rather than a reset.
  void Finish();

  // httplib::Stream: the head, and then nothing; a body is never read.
  bool is_readable() const override { return at_ < head_.size(); }
  bool is_writable() const override { return true; }
  ssize_t read(char* out, size_t size) override;
  ssize_t write(const char* data, size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return fd_; }

 private:
  bool WaitFor(short events, absl::Duration deadline) const;
  void LeaveOutRanges();

  const int fd_;
  std::string head_;
  size_t at_ = 0;
  absl::Duration write_deadline_ = absl::InfiniteDuration();
};

}  // namespace inkan

#endif  // INKAN_SERVER_OPS_HTTP_CONNECTION_H_
