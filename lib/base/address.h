#pragma once
// IP addresses, endpoints and prefixes as values.

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/bytes.h"

namespace base {

/// An IPv4 or IPv6 address; default-constructed it is 0.0.0.0.
class Address {
 public:
  constexpr Address() = default;
  /// `host_order`: 0x7f000001 is 127.0.0.1.
  static constexpr Address v4(std::uint32_t host_order) {
    Address a;
    a.family_ = AF_INET;
    for (std::size_t i = 0; i < 4; ++i) a.bytes_[i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
    return a;
  }
  /// 4 bytes (IPv4) or 16 (IPv6) in network order; anything else is no address.
  static std::optional<Address> from_bytes(ByteView network_order);
  static std::optional<Address> parse(std::string_view text);
  static Address from(const in_addr& a) { return v4(ntohl(a.s_addr)); }

  bool is_v4() const { return family_ == AF_INET; }
  int family() const { return family_; }
  /// Network order, 4 or 16 bytes.
  ByteView bytes() const { return {bytes_.data(), is_v4() ? std::size_t{4} : std::size_t{16}}; }
  /// Host order; meaningful for IPv4 only.
  std::uint32_t v4_value() const;
  bool is_unspecified() const;
  /// Whom it counts as where a source has a share: an IPv4 address itself, an IPv6 one its /64, which is what
  /// one link has (RFC 4291 §2.5.4).
  Address source() const;
  std::string to_string() const;

  auto operator<=>(const Address&) const = default;

 private:
  int family_ = AF_INET;
  std::array<std::uint8_t, 16> bytes_{};
};

/// An address and a UDP or TCP port (host order).
struct Endpoint {
  Address address;
  std::uint16_t port = 0;

  auto operator<=>(const Endpoint&) const = default;
  std::string to_string() const;  ///< "192.0.2.1:500", "[2001:db8::1]:500"
  /// Fills `out` for the socket calls and returns its length.
  socklen_t to_sockaddr(sockaddr_storage& out) const;
  static std::optional<Endpoint> from_sockaddr(const sockaddr_storage& in);
};

/// "10.99.1.0/24". Host bits of `network` are zero.
struct Prefix {
  Address network;
  std::uint8_t length = 0;

  auto operator<=>(const Prefix&) const = default;
  /// Refuses host bits that are set and lengths beyond the family's.
  static std::optional<Prefix> parse(std::string_view text);
  bool contains(const Address& address) const;
  /// How many addresses an IPv4 prefix holds.
  std::uint64_t size() const { return std::uint64_t{1} << (network.is_v4() ? 32 - length : 0); }
  std::string to_string() const;
};

/// The prefix of this address alone.
inline Prefix host(const Address& address) {
  return {address, static_cast<std::uint8_t>(address.bytes().size() * 8)};
}

}  // namespace base
