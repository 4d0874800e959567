#pragma once
// The daemon's side of plugin/protocol.h: requests decoded and answers encoded. Pure.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "base/address.h"
#include "base/bytes.h"
#include "base/secret.h"

namespace l2tpd {

struct SecretWanted {
  std::string name;
};
struct ChapChecked {
  std::string name;
  bool right = false;
};
struct PapLogin {
  std::string name;
  base::Secret password;
};
/// RADIUS has judged the password.
struct Judged {
  std::string name;
  bool right = false;
  std::optional<base::Address> given;  ///< by RADIUS
};
/// Somebody has logged in; the interface is there, and not up.
struct LinkMade {
  std::string ifname;
  std::uint16_t mtu = 0;
};
struct LinkUp {
  std::string ifname;
  base::Address ours;
  base::Address theirs;
  std::uint16_t mtu = 0;  ///< of the interface, as negotiated
};
/// IPCP is down, and the interface about to go.
struct LinkDown {
  std::string ifname;
  std::uint8_t status = 0;  ///< pppd(8), EXIT STATUS; zero where pppd knows of no reason
};
/// IPV6CP is up.
struct Ipv6Up {
  std::string ifname;
  std::uint16_t mtu = 0;
};
struct Ipv6Down {
  std::string ifname;
};
using LinkRequest =
    std::variant<SecretWanted, ChapChecked, PapLogin, Judged, LinkMade, LinkUp, LinkDown, Ipv6Up, Ipv6Down>;

/// Nothing for what is no request: names are 1 to 255 octets, an interface name 1 to 15.
std::optional<LinkRequest> decode_link_request(base::ByteView packet);

/// At most 255 octets of `secret` are sent; config refuses longer ones.
base::Secret encode_secret(const base::Secret& secret);
/// A login is granted: with this address, and for so long at most (zero: for ever).
struct Lease {
  base::Address address;
  std::chrono::seconds session{0};
  std::chrono::seconds idle{0};
};
base::Bytes encode_lease(const Lease& lease);
base::Bytes encode_yes();
base::Bytes encode_no(std::string_view reason);

}  // namespace l2tpd
