// What a run of the load generator is asked to do.
#ifndef INKAN_BENCH_LOAD_OPTIONS_H_
#define INKAN_BENCH_LOAD_OPTIONS_H_

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace inkan::load {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

inline Clock::duration ToClock(Seconds seconds) {
  return std::chrono::duration_cast<Clock::duration>(seconds);
}

// What gRPC takes as a deadline.
inline std::chrono::system_clock::time_point DeadlineAfter(Seconds timeout) {
  return std::chrono::system_clock::now() +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(
             timeout);
}

// The calls; kHealth is grpc.health.v1.Health/Check, an empty call to compare
// with.
enum class Mode : uint8_t { kUnary, kBatch, kStream, kHealth };
inline constexpr size_t kModes = 4;

// Shares of filings by mode, indexed by Mode; they sum to 1.
using ModeShares = std::array<double, kModes>;

inline ModeShares OnlyMode(Mode mode) {
  ModeShares shares{};
  shares[static_cast<size_t>(mode)] = 1;
  return shares;
}

// How an open loop spaces messages: evenly, or as independent clients would.
enum class Arrivals : uint8_t { kConstant, kPoisson };

struct LoadOptions {
  std::string target = "127.0.0.1:50051";
  ModeShares mix = OnlyMode(Mode::kBatch);
  // Filings a message; 1 in modes kUnary and kHealth.
  uint32_t batch_size = 64;
  uint32_t connections = 1;
  // Messages a connection has in flight: always so many when closed-loop, at
  // most so many when open-loop.
  uint32_t in_flight = 4;
  // Filings a second over all connections; 0: closed loop.
  double rate = 0;
  Arrivals arrivals = Arrivals::kConstant;
  // Ask for answers again and again instead of sleeping (call_loop.h).
  bool busy_poll = false;
  // Decides mixes and Poisson arrivals.
  uint64_t seed = 1;
  // At the beginning of the run: checked, but in no figure.
  Seconds warm_up{0};
  // After the warm-up. No bound if zero; one of the two must be given.
  Seconds duration{0};
  uint64_t count = 0;
  // How long one message may wait for its answer.
  Seconds timeout{30};
  std::string tls_ca;           // PEM file; given: TLS
  std::string tls_certificate;  // PEM files of the client's own: mutual TLS
  std::string tls_key;
  std::string tls_server_name;  // the name to expect in the certificate
  bool own_target = false;
  // Process whose processor time and memory are reported; 0: none.
  int server_pid = 0;
};

}  // namespace inkan::load

#endif  // INKAN_BENCH_LOAD_OPTIONS_H_
