// A listener of our own, because gRPC's cannot be told how many connections it
// may have: accepts, counts, and hands what is within the bound to gRPC.
//
//   auto acceptor = ConnectionAcceptor::Listen("0.0.0.0:8443", 10000, 120s);
//   (*acceptor)->Start([](int listener, int connection) { ... });  // owns it
//   ... (*acceptor)->Stop();
//
// Past the bound a connection is closed at once, so that its client tries
// another server instead of waiting in a backlog. Who owns a connection closes
// it unseen; so when the bound is reached, the descriptors handed out are
// looked at, and those that are no longer the socket they were are forgotten.
//
// Thread safety: every method from any thread; the handler runs on the
// acceptor's own. Errors of Listen: kInvalidArgument for an address that is
// none, kUnavailable for one that cannot be listened on.
#ifndef INKAN_SERVER_CONNECTION_ACCEPTOR_H_
#define INKAN_SERVER_CONNECTION_ACCEPTOR_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "cache/mutex.h"

namespace inkan {

class ConnectionAcceptor {
 public:
  using Handler = std::function<void(int listener, int connection)>;
  // The other end of a TCP connection.
  struct Peer {
    std::string address;  // 4 or 16 octets; those of IPv4 in IPv6 are 4
    int port = 0;
    bool operator==(const Peer&) const = default;
    template <typename H>
    friend H AbslHashValue(H hash, const Peer& peer) {
      return H::combine(std::move(hash), peer.address, peer.port);
    }
  };

  // `unread_max`: how long a TCP peer may leave unread or unacknowledged what
  // it is sent before the system ends the connection (RFC 5482).
  static absl::StatusOr<std::unique_ptr<ConnectionAcceptor>> Listen(
      const std::string& address, size_t connections_max,
      std::chrono::milliseconds unread_max);
  // Stops.
  ~ConnectionAcceptor();
  ConnectionAcceptor(const ConnectionAcceptor&) = delete;
  ConnectionAcceptor& operator=(const ConnectionAcceptor&) = delete;

  // 0 for a unix socket.
  int port() const { return port_; }
  // Call once. The handler owns the connections it is given.
  void Start(Handler handler);
  // Takes no more connections; those handed out go on.
  void Stop() ABSL_LOCKS_EXCLUDED(stop_mutex_);
  // Closes the connections handed out for writing: clients read what is still
  // to be sent, and then that the connection is at its end, of which they make
  // UNAVAILABLE for whatever they have sent and got no answer to. Not those
  // with these peers; with `only_delivered`, not those either whose peer has
  // not acknowledged everything: once their owner has closed them, the next
  // octet the peer sends would let the system forget what is on its way.
  // Returns how many such there are. May be done again. After Stop.
  size_t HangUp(const absl::flat_hash_set<Peer>& but, bool only_delivered)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Resets the connections with these peers, as far as there are any; what they
  // sent and nobody has read yet is gone. Who owns them hears of that as of
  // clients that went away.
  void End(const absl::flat_hash_set<Peer>& peers) ABSL_LOCKS_EXCLUDED(mutex_);

  // Of those handed out, how many are open now.
  size_t open_connections() ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t accepted() const { return accepted_.load(); }
  // Closed at once because the bound was reached, or descriptors ran out.
  uint64_t refused() const { return refused_.load(); }
  // By End.
  uint64_t ended() const { return ended_.load(); }

 private:
  ConnectionAcceptor(size_t connections_max,
                     std::chrono::milliseconds unread_max)
      : connections_max_(connections_max), unread_max_(unread_max) {}

  absl::Status ListenUnix(const std::string& path);
  absl::Status ListenTcp(const std::string& host, const std::string& port);
  // Calls with a descriptor of each connection handed out that is open.
  void Visit(const std::function<void(int)>& visit) ABSL_LOCKS_EXCLUDED(mutex_);
  void Run();
  void AcceptAll(int listener);
  bool Track(int connection) ABSL_LOCKS_EXCLUDED(mutex_);
  void Sweep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ShedOne(int listener);

  const size_t connections_max_;
  const std::chrono::milliseconds unread_max_;
  int port_ = 0;
  std::string unix_path_;
  std::vector<int> listeners_;
  int stop_fd_ = -1;
  // Given up for a moment when descriptors run out, to refuse by.
  int spare_fd_ = -1;
  Handler handler_;

  std::atomic<uint64_t> accepted_{0};
  std::atomic<uint64_t> refused_{0};
  std::atomic<uint64_t> ended_{0};
  Mutex mutex_;
  // Descriptor of each connection handed out, and its socket's inode.
  absl::flat_hash_map<int, uint64_t> tracked_ ABSL_GUARDED_BY(mutex_);
  std::chrono::steady_clock::time_point last_sweep_ ABSL_GUARDED_BY(mutex_);

  Mutex stop_mutex_;
  std::thread thread_ ABSL_GUARDED_BY(stop_mutex_);
};

}  // namespace inkan

#endif  // INKAN_SERVER_CONNECTION_ACCEPTOR_H_
