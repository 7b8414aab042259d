// Bounds on everything a client can make the server do: name, default, least
// and greatest value, in one list that configuration, server and messages
// share. Units and meaning: inkan/config/v1/config.proto, message Limits.
#ifndef INKAN_SERVER_LIMITS_H_
#define INKAN_SERVER_LIMITS_H_

#include <cstdint>

namespace inkan {

// V(type, name, default, least, greatest). Where the numbers come from:
// batch: a batch of 1,000 takes a worker about 10 ms, past which larger batches
// gain nothing; 100,000 keeps one call below a second.
// message: gRPC takes an int. document: 16 MiB is above the 10 MB an e-Tax
// attachment may have. certificate: PKITS' largest is 2 KB; name constraints
// and bundled policies of real CAs stay below 64 KiB. intermediates: twice the
// depth of the longest path followed (crypto/path.h). queue: half a second of
// work for one core. worker batch: 512 filings fill the eight lanes of the RSA
// kernel 128 times, and take 5 ms, which bounds what a lone filing waits for.
// interactive: 40 ms of work for one core; beyond that a person is better
// served elsewhere. weights: people come first, and bulk keeps a quarter.
// stream calls: 16 KiB each in gRPC, 256 MiB in all. connections: a server of
// intake systems has hundreds; this is 10,000 with room to spare, 30 KiB each
// in gRPC. transport: 16 messages of the largest size on their way at once.
// metadata: twice gRPC's default, for tokens that proxies add. pings: clients
// behind NAT commonly ping every 30 s. keepalive: a dead peer is gone in 80 s.
// idle, age and grace: half an hour as gRPC's own default for clients, a day so
// that load spreads over new servers, an hour for the longest stream.
// handshake: several round trips on a bad line. client states: some hundred
// octets each. unread answer: the largest answer there is by default (1,000
// verdicts with every check listed, 2.2 MB) over a line of 256 kbit/s takes 70
// s; more than half as long again. queue wait: long enough for a burst of
// 25 batches on one core, short enough that a caller refused tries elsewhere
// before anybody notices. stream idle: longer than a client that has something
// to send is ever silent.
#define INKAN_LIMITS(V)                                                  \
  V(uint32_t, batch_filings_max, 1000U, 1U, 100000U)                     \
  V(uint32_t, message_bytes_max, 67108864U, 4096U, 2147483647U)          \
  V(uint32_t, document_bytes_max, 16777216U, 1U, 2147483647U)            \
  V(uint32_t, certificate_bytes_max, 65536U, 512U, 1048576U)             \
  V(uint32_t, intermediates_max, 16U, 1U, 1024U)                         \
  V(uint32_t, queue_filings_max, 65536U, 1U, 16777216U)                  \
  V(uint64_t, queue_bytes_max, uint64_t{1} << 30, uint64_t{1} << 12,     \
    uint64_t{1} << 40)                                                   \
  V(uint32_t, worker_batch_filings_max, 512U, 1U, 65536U)                \
  V(uint32_t, stream_requests_in_flight_max, 4U, 1U, 1024U)              \
  V(uint64_t, crl_bytes_max, uint64_t{1} << 31, uint64_t{1024},          \
    uint64_t{4294967295U})                                               \
  V(uint32_t, concurrent_streams_max, 64U, 1U, 1000000U)                 \
  V(uint32_t, path_signatures_max, 16U, 1U, 1000U)                       \
  V(uint32_t, interactive_filings_max, 4096U, 1U, 16777216U)             \
  V(uint32_t, interactive_weight, 3U, 1U, 1000U)                         \
  V(uint32_t, bulk_weight, 1U, 1U, 1000U)                                \
  V(uint32_t, stream_calls_max, 16384U, 1U, 1000000U)                    \
  V(uint32_t, connections_max, 16384U, 1U, 1000000U)                     \
  V(uint64_t, transport_bytes_max, uint64_t{1} << 30, uint64_t{1} << 22, \
    uint64_t{1} << 40)                                                   \
  V(uint32_t, metadata_bytes_max, 16384U, 1024U, 1048576U)               \
  V(uint32_t, ping_seconds_min, 20U, 1U, 86400U)                         \
  V(uint32_t, ping_strikes_max, 3U, 1U, 1000U)                           \
  V(uint32_t, keepalive_seconds, 60U, 1U, 86400U)                        \
  V(uint32_t, keepalive_timeout_seconds, 20U, 1U, 86400U)                \
  V(uint32_t, connection_idle_seconds_max, 1800U, 1U, 604800U)           \
  V(uint32_t, connection_age_seconds_max, 86400U, 1U, 604800U)           \
  V(uint32_t, connection_grace_seconds_max, 3600U, 1U, 604800U)          \
  V(uint32_t, handshake_seconds_max, 20U, 1U, 3600U)                     \
  V(uint32_t, client_states_max, 10000U, 1U, 1000000U)                   \
  V(uint32_t, unread_answer_seconds_max, 120U, 1U, 86400U)               \
  V(uint32_t, queue_wait_milliseconds_max, 100U, 1U, 3600000U)           \
  V(uint32_t, stream_idle_seconds_max, 60U, 1U, 86400U)

struct Limits {
#define INKAN_MEMBER(type, name, standard, least, greatest) \
  type name = standard;
  INKAN_LIMITS(INKAN_MEMBER)
#undef INKAN_MEMBER
};

// Octets of filing_id and request_id.
inline constexpr uint32_t kFilingIdBytesMax = 128;

}  // namespace inkan

#endif  // INKAN_SERVER_LIMITS_H_
