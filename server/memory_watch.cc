#include "server/memory_watch.h"

#include <grpc/grpc.h>
#include <grpc/support/alloc.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "server/machine.h"

namespace inkan {
namespace {

using Json = nlohmann::json;

// A core of today opens a thousand calls in this time.
constexpr std::chrono::milliseconds kTick{20};

// Longer than a burst of large batches.
constexpr std::chrono::seconds kTrimPause{5};

// 0 if the system does not say.
uint64_t ResidentBytes() {
  static const auto kPageBytes = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  std::FILE* statm = std::fopen("/proc/self/statm", "re");
  if (statm == nullptr) return 0;
  char line[128] = {};
  const bool read = std::fgets(line, sizeof(line), statm) != nullptr;
  std::fclose(statm);
  unsigned long long size = 0;
  unsigned long long resident = 0;
  if (!read || std::sscanf(line, "%llu %llu", &size, &resident) != 2) return 0;
  return resident * kPageBytes;
}

// Takes the text, null if there is none.
Json Parse(char* text) {
  if (text == nullptr) return {};
  Json parsed = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  gpr_free(text);
  return parsed;
}

// The member at the end of a path of names; null if it is not there.
template <typename... Names>
Json At(const Json& object, const char* name, Names... more) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  if (!object.is_object() || found == object.end()) return {};
  if constexpr (sizeof...(more) == 0) {
    return *found;
  } else {
    return At(*found, more...);
  }
}

// JSON has 64-bit numbers as strings (the protobuf mapping); 0 is left out.
int64_t Number(const Json& value) {
  if (value.is_number_integer()) return value.get<int64_t>();
  int64_t number = 0;
  if (value.is_string()) {
    (void)absl::SimpleAtoi(value.get_ref<const std::string&>(), &number);
  }
  return number;
}

uint64_t FreeBytesOfHeap() { return mallinfo2().fordblks; }

// The connections of one server that have calls open.
void AddSockets(intptr_t server, std::vector<OpenConnection>* out) {
  intptr_t next = 0;
  while (true) {
    const Json page = Parse(grpc_channelz_get_server_sockets(server, next, 0));
    const Json refs = At(page, "socketRef");
    for (const Json& ref : refs) {
      const int64_t id = Number(At(ref, "socketId"));
      next = std::max(next, static_cast<intptr_t>(id + 1));
      const Json socket = At(Parse(grpc_channelz_get_socket(id)), "socket");
      const Json data = At(socket, "data");
      const int64_t started = Number(At(data, "streamsStarted"));
      const int64_t open = started - Number(At(data, "streamsSucceeded")) -
                           Number(At(data, "streamsFailed"));
      const int64_t silent = started - Number(At(data, "messagesReceived"));
      const Json remote = At(socket, "remote", "tcpip_address");
      const Json address = At(remote, "ip_address");
      OpenConnection connection;
      connection.local_port = static_cast<int>(
          Number(At(socket, "local", "tcpip_address", "port")));
      connection.peer.port = static_cast<int>(Number(At(remote, "port")));
      if (open > 0 && address.is_string() &&
          absl::Base64Unescape(address.get_ref<const std::string&>(),
                               &connection.peer.address)) {
        connection.streams = static_cast<uint64_t>(open);
        connection.silent =
            static_cast<uint64_t>(std::clamp<int64_t>(silent, 0, open));
        out->push_back(std::move(connection));
      }
    }
    const Json end = At(page, "end");
    if (refs.empty() || (end.is_boolean() && end.get<bool>())) return;
  }
}

std::vector<OpenConnection> OpenConnections() {
  std::vector<OpenConnection> all;
  intptr_t next = 0;
  while (true) {
    const Json page = Parse(grpc_channelz_get_servers(next));
    const Json servers = At(page, "server");
    for (const Json& server : servers) {
      const auto id =
          static_cast<intptr_t>(Number(At(server, "ref", "serverId")));
      next = std::max(next, id + 1);
      AddSockets(id, &all);
    }
    const Json end = At(page, "end");
    if (servers.empty() || (end.is_boolean() && end.get<bool>())) return all;
  }
}

}  // namespace

MemoryWatch::MemoryWatch(std::vector<ConnectionAcceptor*> acceptors,
                         uint64_t streams_max, uint64_t all_bytes_max,
                         uint64_t stream_calls_max)
    : acceptors_(std::move(acceptors)),
      streams_max_(kSlack * streams_max),
      all_streams_max_(CallsIn(all_bytes_max, stream_calls_max)) {
  thread_ = std::thread([this] { Run(); });
}

MemoryWatch::~MemoryWatch() {
  {
    MutexLock lock(&wake_mutex_);
    ending_ = true;
    wake_.SignalAll();
  }
  thread_.join();
}

void MemoryWatch::Run() {
  using Clock = std::chrono::steady_clock;
  uint64_t looked_at = ResidentBytes();
  uint64_t free_before = 0;
  uint64_t trimmed_at = looked_at;  // what was resident then
  Clock::time_point next_trim = Clock::now() + kTrimPause;
  while (true) {
    {
      MutexLock lock(&wake_mutex_);
      if (!ending_) wake_.WaitFor(&wake_mutex_, kTick);
      if (ending_) return;
    }
    const uint64_t resident = ResidentBytes();
    looked_at = std::min(looked_at, resident);
    if (resident - looked_at >= kGrowth) {
      EndGreedyConnections();
      looked_at = resident;
    }
    trimmed_at = std::min(trimmed_at, resident);
    if (Clock::now() < next_trim) continue;
    next_trim = Clock::now() + kTrimPause;
    // What was given back counts as free still: so by growth.
    if (resident < trimmed_at + kFreeMax) {
      free_before = 0;
      continue;
    }
    const uint64_t free_now = FreeBytesOfHeap();
    if (std::min(free_before, free_now) > kFreeMax) {
      malloc_trim(kFreeMax / 4);
      trimmed_at = ResidentBytes();
    }
    free_before = free_now;
  }
}

std::vector<OpenConnection> MemoryWatch::Greedy(
    std::vector<OpenConnection> open, uint64_t streams_max,
    uint64_t all_streams_max) {
  uint64_t all = 0;
  std::map<std::string, uint64_t> of_machine;
  for (const OpenConnection& connection : open) {
    all += connection.streams;
    of_machine[MachineOf(connection.peer.address)] += connection.streams;
  }
  using Rank = std::tuple<uint64_t, uint64_t, uint64_t>;
  std::vector<std::pair<Rank, OpenConnection*>> ranked;
  ranked.reserve(open.size());
  for (OpenConnection& connection : open) {
    ranked.emplace_back(Rank(of_machine[MachineOf(connection.peer.address)],
                             connection.streams, connection.silent),
                        &connection);
  }
  std::sort(ranked.begin(), ranked.end(),
            [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<OpenConnection> greedy;
  for (const auto& [rank, connection] : ranked) {
    if (connection->streams <= streams_max && all <= all_streams_max) continue;
    all -= connection->streams;
    greedy.push_back(std::move(*connection));
  }
  return greedy;
}

void MemoryWatch::EndGreedyConnections() {
  std::map<int, absl::flat_hash_set<ConnectionAcceptor::Peer>> greedy;
  for (const OpenConnection& connection :
       Greedy(OpenConnections(), streams_max_, all_streams_max_)) {
    greedy[connection.local_port].insert(connection.peer);
  }
  for (ConnectionAcceptor* acceptor : acceptors_) {
    const auto of_acceptor = greedy.find(acceptor->port());
    if (of_acceptor != greedy.end()) acceptor->End(of_acceptor->second);
  }
}

}  // namespace inkan
