#pragma once
// Which client speaks, told from its first message (clients.md), and the few things that are done
// differently for one. An unknown client gets what the RFCs say.

#include <functional>
#include <string_view>

#include "ike/proposal.h"
#include "ike/v1/sa_payload.h"

namespace ike {

enum class Client : std::uint8_t {
  unknown,
  windows,
  apple,
  android,
  chromeos,
  strongswan,
  libreswan,
  mikrotik,
  cisco
};
/// "windows"; what status and xfrmctl show.
std::string_view name_of(Client client);

/// From the vendor IDs and the proposals of message 1. A guess that its sender can steer as it likes:
/// nothing that protects anybody may depend on it.
Client recognise(const v1::Chain& message_1, const v1::SaPayload& offered);

/// The suites of `acceptable` that work with this client, in the same order. Android's kernels truncate
/// HMAC-SHA2-256 to 96 bits (clients.md §3): every packet would be dropped, so it is never chosen there.
std::vector<EspSuite> suites_for(Client client, const std::vector<EspSuite>& acceptable);

/// The largest message that goes to this client in one datagram, and the size of the pieces otherwise, in
/// bytes of ISAKMP. None has a limit of what it takes: racoon and pluto, whose own pieces have 552 bytes over
/// IPv4, put together any (isakmp_frag_extract; clients.md §2). So the path alone counts, and a packet of
/// 1280 bytes, Apple's own size, passes wherever IPv6 does. Android, on mobile networks, gets what it sends.
std::size_t largest_datagram(Client client);

/// CKY-R: random, never zero. For Apple below the initiator's, which then rekeys after 54 minutes instead of
/// 48 (clients.md §2), unless that would leave under 56 bits of randomness.
v1::Cookie responder_cookie(Client client, const v1::Cookie& initiator,
                            const std::function<void(std::span<std::uint8_t>)>& random);

}  // namespace ike
