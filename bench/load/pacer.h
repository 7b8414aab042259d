// The open loop: sends each message when it is due, on the next connection that
// has room, from one thread.
//
//   Pacer pacer(options, connections, &loop, &source, start);   // begins
//   while (!pacer.done()) ..
//   pacer.Join();                                 // after loop.Shutdown()
//
// The thread of a busy loop is the pacer's: it runs what completes while it
// waits for the next message, and after the last one until the loop is shut
// down.
//
// A message whose time has come while every connection is full waits and keeps
// its intended time, so the wait is part of its latency. What is due but not
// sent when the duration is over is counted as unsent and never goes out: the
// run stays bounded, and says that the rate was not reached.
#ifndef INKAN_BENCH_LOAD_PACER_H_
#define INKAN_BENCH_LOAD_PACER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "bench/load/connection.h"

namespace inkan::load {

using Connections = std::vector<std::unique_ptr<Connection>>;

class Pacer {
 public:
  // REQUIRES: options.rate > 0. `connections`, `loop` and `source` outlive the
  // pacer.
  Pacer(const LoadOptions& options, const Connections& connections,
        CallLoop* loop, JobSource* source, Clock::time_point start);
  ~Pacer() { Join(); }

  // Nothing is left to send.
  bool done() const { return done_.load(); }
  void Join();

  // Filings that were due and did not go out.
  uint64_t unsent() const { return unsent_.load(); }
  // Filings that were due when the run was stopped, and did not go out.
  uint64_t withdrawn() const { return withdrawn_.load(); }
  // How late the latest message went out.
  Clock::duration lag_max() const { return Clock::duration(lag_max_.load()); }

 private:
  void Run(const LoadOptions& options, Clock::time_point start);
  void WaitUntil(Clock::time_point time);
  bool SleepUntil(Clock::time_point due);
  bool Send(const Job& job);

  const Connections& connections_;
  CallLoop* const loop_;
  JobSource* const source_;
  size_t next_connection_ = 0;
  std::atomic<uint64_t> unsent_ = 0;
  std::atomic<uint64_t> withdrawn_ = 0;
  std::atomic<Clock::rep> lag_max_ = 0;
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

}  // namespace inkan::load

#endif  // INKAN_BENCH_LOAD_PACER_H_
