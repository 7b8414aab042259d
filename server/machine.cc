#include "server/machine.h"

#include <arpa/inet.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace inkan {
namespace {

constexpr size_t kIpv4Bytes = 4;
constexpr size_t kIpv6Bytes = 16;

// The octets of "192.0.2.1", "[2001:db8::1]" or "[fe80::1%2]"; empty for
// anything else.
std::string OctetsOf(std::string host) {
  char octets[kIpv6Bytes];
  if (inet_pton(AF_INET, host.c_str(), octets) == 1) {
    return std::string(octets, kIpv4Bytes);
  }
  if (host.size() < 2 || host.front() != '[' || host.back() != ']') return "";
  host = host.substr(1, host.size() - 2);
  host = host.substr(0, host.find('%'));  // without the zone (RFC 4007)
  if (inet_pton(AF_INET6, host.c_str(), octets) != 1) return "";
  return std::string(octets, kIpv6Bytes);
}

// Of an address of IPv4 in IPv6.
const std::string& MappedPrefix() {
  static const auto* const kPrefix =
      new std::string(std::string(10, '\0') + "\xff\xff");
  return *kPrefix;
}

}  // namespace

PeerAddress AddressOfPeer(const std::string& peer) {
  // A URI (RFC 3986): brackets are not of its path, and so escaped.
  const std::string plain = absl::StrReplaceAll(
      peer, {{"%5B", "["}, {"%5b", "["}, {"%5D", "]"}, {"%5d", "]"}});
  const size_t scheme = plain.find(':');
  const size_t port = plain.rfind(':');
  PeerAddress address;
  if (scheme == std::string::npos || scheme >= port) return address;
  address.octets = OctetsOf(plain.substr(scheme + 1, port - scheme - 1));
  if (absl::StartsWith(address.octets, MappedPrefix())) {
    address.octets.erase(0, MappedPrefix().size());
  }
  if (address.octets.empty() ||
      !absl::SimpleAtoi(plain.substr(port + 1), &address.port)) {
    return PeerAddress();
  }
  return address;
}

std::string MachineOf(const std::string& address) {
  constexpr size_t kNetworkBytes = 8;
  if (address.size() != kIpv6Bytes) return address;
  if (absl::StartsWith(address, MappedPrefix())) {
    return address.substr(MappedPrefix().size());
  }
  return address.substr(0, kNetworkBytes);
}

std::string MachineOfPeer(const std::string& peer) {
  const std::string octets = AddressOfPeer(peer).octets;
  return absl::StrCat("machine:", octets.empty() ? peer : MachineOf(octets));
}

}  // namespace inkan
