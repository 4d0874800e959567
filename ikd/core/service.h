#pragma once
// What a peer may speak to us inside its SAs.

#include <compare>
#include <cstdint>
#include <string>

namespace ike {

/// An IP protocol and a port of it at our end.
struct Service {
  std::uint8_t protocol = 17;
  std::uint16_t port = 1701;
  auto operator<=>(const Service&) const = default;
};
inline constexpr Service l2tp_service{};
/// "udp/1701".
std::string to_string(const Service& service);

}  // namespace ike
