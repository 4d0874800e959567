#pragma once
// The largest packet that a PPP link should carry, so that what wraps it fits into one packet on the way
// (kernel.md §6). Pure.

#include <cstdint>
#include <string_view>

namespace l2tpd {

/// What carries a peer's L2TP.
struct Carrier {
  bool ipsec = true;
  bool udp_encapsulation = true;  ///< ESP in UDP (RFC 3948), for peers behind a NAT
  bool ipv6 = false;              ///< outside
  bool sequencing = false;        ///< data bear sequence numbers (RFC 2661 §5.4), as the LNS decides
  std::string_view
      transform;  ///< as ikd names it: "aes256-sha1"; the largest is assumed of one not known here
};

/// `path_mtu`: the largest IP packet that reaches the peer whole.
std::uint16_t largest_ppp_packet(std::uint16_t path_mtu, const Carrier& carrier);

}  // namespace l2tpd
