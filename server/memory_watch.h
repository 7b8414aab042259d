// Keeps clients from taking the process's memory by ways that gRPC does not
// bound, and gives back to the system what the heap has over.
//
//   MemoryWatch watch({&intake->acceptor()}, limits.concurrent_streams_max,
//                     limits.transport_bytes_max, limits.stream_calls_max);
//
// gRPC holds a client to SETTINGS_MAX_CONCURRENT_STREAMS only once the client
// has acknowledged it, and what an open call takes (kCallBytes) is not counted
// in its resource quota. So a client that acknowledges nothing and opens calls
// without ever sending a request would take all memory there is. This looks at
// the calls each connection has open, and resets
//   - each connection with many times more of them than it may have (some more
//     are normal: a call counts here until its memory is free, in HTTP/2 only
//     until both sides have said their last word),
//   - while all calls together take more than they may: those of the machine
//     with the most calls first, since a client can have any number of
//     connections, but few addresses; of one machine, those with the most. That
//     a call has not said anything is seen only as a difference of sums over
//     the connection's life, which many messages on another call hide: it
//     decides between equals alone.
// Looking costs tens of microseconds a connection and is done only when the
// process has grown, by kGrowth, since it was done last: less cannot hurt. gRPC
// tells open calls by channelz (gRFC A14), which knows connections by their
// peer's address: those of a unix socket cannot be told apart, so they are left
// alone. (Who may open such a socket is the file system's to say.)
//
// glibc keeps what was freed, for each of its arenas the most there ever was of
// it; one burst after the other, on other threads, and the process only ever
// grows. Where it has grown by kFreeMax since that was last done, and as much
// is free for longer than a burst, that goes back.
//
// Thread safety: every method from any thread. Ownership: the acceptors must
// outlive it.
#ifndef INKAN_SERVER_MEMORY_WATCH_H_
#define INKAN_SERVER_MEMORY_WATCH_H_

#include <cstdint>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "cache/mutex.h"
#include "server/connection_acceptor.h"

namespace inkan {

// What gRPC knows of one connection with calls open.
struct OpenConnection {
  int local_port = 0;
  ConnectionAcceptor::Peer peer;
  uint64_t streams = 0;
  // Of them, those that have sent no message, at most: calls that ended without
  // one, as batches do that are refused before they are sent, count as well.
  uint64_t silent = 0;
};

class MemoryWatch {
 public:
  // What gRPC 1.51 holds for a call that has sent nothing but its headers: 11
  // KiB of arena, and lists.
  static constexpr uint64_t kCallBytes = uint64_t{16} << 10U;

  // Of `open`, those to be reset, the first ones first: each with more than
  // `streams_max` calls, and as many as it takes to have `all_streams_max`
  // left.
  static std::vector<OpenConnection> Greedy(std::vector<OpenConnection> open,
                                            uint64_t streams_max,
                                            uint64_t all_streams_max);
  // How many calls may take `bytes` together: never less than the streams that
  // may be open, and the other calls that fit what the process must have grown
  // by before anybody looks.
  static constexpr uint64_t CallsIn(uint64_t bytes, uint64_t stream_calls_max) {
    const uint64_t least = stream_calls_max + kGrowth / kCallBytes;
    return bytes / kCallBytes > least ? bytes / kCallBytes : least;
  }

  MemoryWatch(std::vector<ConnectionAcceptor*> acceptors, uint64_t streams_max,
              uint64_t all_bytes_max, uint64_t stream_calls_max);
  ~MemoryWatch();
  MemoryWatch(const MemoryWatch&) = delete;
  MemoryWatch& operator=(const MemoryWatch&) = delete;

 private:
  static constexpr uint64_t kGrowth = uint64_t{32} << 20U;
  static constexpr uint64_t kFreeMax = uint64_t{128} << 20U;
  // 4,096 calls by default, 48 MiB: calls that were refused at once, and whose
  // memory is not free yet, come to more than 4 times 128.
  static constexpr uint64_t kSlack = 32;

  void Run() ABSL_LOCKS_EXCLUDED(wake_mutex_);
  void EndGreedyConnections();

  const std::vector<ConnectionAcceptor*> acceptors_;
  const uint64_t streams_max_;  // of one connection, slack included
  const uint64_t all_streams_max_;

  Mutex wake_mutex_;
  CondVar wake_;
  bool ending_ ABSL_GUARDED_BY(wake_mutex_) = false;
  std::thread thread_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_MEMORY_WATCH_H_
