// Whose machine a client is on, where nothing better than its address tells
// clients apart.
//
//   ++calls_of[MachineOfPeer(context->peer())];
//
// A client of IPv6 has a whole network of addresses, so its network (64 bits,
// RFC 4291 section 2.5.4) stands for it; of IPv4 the address does, and IPv4 in
// IPv6 is IPv4.
//
// Thread safety: functions of their arguments alone.
#ifndef INKAN_SERVER_MACHINE_H_
#define INKAN_SERVER_MACHINE_H_

#include <string>

namespace inkan {

// Of an address of 4 octets or 16: what those of one machine share. An address
// of another size is a machine of its own.
std::string MachineOf(const std::string& address);

// Of a peer as gRPC names it: "ipv4:192.0.2.1:443",
// "ipv6:%5B2001:db8::1%5D:443". What is neither, such as "unix:", is a machine
// of its own. Never the name of a client (server/gate.h).
std::string MachineOfPeer(const std::string& peer);

// The address (4 or 16 octets, those of IPv4 in IPv6 are 4) and port of such a
// peer; no octets and 0 for what is neither.
struct PeerAddress {
  std::string octets;
  int port = 0;
};
PeerAddress AddressOfPeer(const std::string& peer);

}  // namespace inkan

#endif  // INKAN_SERVER_MACHINE_H_
