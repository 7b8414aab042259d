// What a run of the load generator is asked to do.
#ifndef INKAN_BENCH_LOAD_OPTIONS_H_
#define INKAN_BENCH_LOAD_OPTIONS_H_

#include <chrono>
#include <cstdint>
#include <string>

namespace inkan::load {

using Clock = std::chrono::steady_clock;

// What gRPC takes as a deadline.
inline std::chrono::system_clock::time_point DeadlineAfter(
    std::chrono::duration<double> timeout) {
  return std::chrono::system_clock::now() +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(
             timeout);
}

enum class Mode : uint8_t { kUnary, kBatch, kStream };

struct LoadOptions {
  std::string target = "127.0.0.1:50051";
  Mode mode = Mode::kBatch;
  // Filings a message; 1 in unary mode.
  uint32_t batch_size = 64;
  uint32_t connections = 1;
  // Messages a connection has in flight: always so many when closed-loop, at
  // most so many when open-loop.
  uint32_t in_flight = 4;
  // Filings a second over all connections; 0: closed loop.
  double rate = 0;
  // No bound if zero; one of the two must be given.
  std::chrono::duration<double> duration{0};
  uint64_t count = 0;
  // How long one message may wait for its answer.
  std::chrono::duration<double> timeout{30};
  std::string tls_ca;    // PEM file; given: TLS
  std::string tls_cert;  // PEM files of the client's own, for mutual TLS
  std::string tls_key;
  bool own_target = false;
};

}  // namespace inkan::load

#endif  // INKAN_BENCH_LOAD_OPTIONS_H_
