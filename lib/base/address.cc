#include "base/address.h"

#include <charconv>
#include <cstring>

#include <arpa/inet.h>
#include <fmt/format.h>

#include "base/result.h"

namespace base {

tl::unexpected<Error> fail_errno(std::string_view what, int error_number) {
  return fail(fmt::format("{}: {}", what, std::strerror(error_number)));
}

std::optional<Address> Address::from_bytes(ByteView network_order) {
  if (network_order.size() != 4 && network_order.size() != 16) return std::nullopt;
  Address a;
  a.family_ = network_order.size() == 4 ? AF_INET : AF_INET6;
  std::ranges::copy(network_order, a.bytes_.begin());
  return a;
}

std::optional<Address> Address::parse(std::string_view text) {
  const std::string copy(text);
  Address a;
  a.family_ = text.find(':') == std::string_view::npos ? AF_INET : AF_INET6;
  if (inet_pton(a.family_, copy.c_str(), a.bytes_.data()) != 1) return std::nullopt;
  return a;
}

std::uint32_t Address::v4_value() const {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | bytes_[i];
  return value;
}

Address Address::source() const {
  auto out = *this;
  if (!is_v4()) std::ranges::fill(out.bytes_.begin() + 8, out.bytes_.end(), std::uint8_t{0});
  return out;
}

bool Address::is_unspecified() const {
  return std::ranges::all_of(bytes_, [](std::uint8_t b) { return b == 0; });
}

std::string Address::to_string() const {
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(family_, bytes_.data(), text, sizeof text);
}

std::string Endpoint::to_string() const {
  return fmt::format(fmt::runtime(address.is_v4() ? "{}:{}" : "[{}]:{}"), address.to_string(), port);
}

socklen_t Endpoint::to_sockaddr(sockaddr_storage& out) const {
  out = {};
  if (address.is_v4()) {
    auto& sin = reinterpret_cast<sockaddr_in&>(out);
    sin.sin_family = AF_INET;
    sin.sin_port = htons(port);
    std::memcpy(&sin.sin_addr, address.bytes().data(), 4);
    return sizeof sin;
  }
  auto& sin6 = reinterpret_cast<sockaddr_in6&>(out);
  sin6.sin6_family = AF_INET6;
  sin6.sin6_port = htons(port);
  std::memcpy(&sin6.sin6_addr, address.bytes().data(), 16);
  return sizeof sin6;
}

std::optional<Endpoint> Endpoint::from_sockaddr(const sockaddr_storage& in) {
  if (in.ss_family == AF_INET) {
    const auto& sin = reinterpret_cast<const sockaddr_in&>(in);
    return Endpoint{Address::from(sin.sin_addr), ntohs(sin.sin_port)};
  }
  if (in.ss_family == AF_INET6) {
    const auto& sin6 = reinterpret_cast<const sockaddr_in6&>(in);
    return Endpoint{*Address::from_bytes({sin6.sin6_addr.s6_addr, 16}), ntohs(sin6.sin6_port)};
  }
  return std::nullopt;
}

std::optional<Prefix> Prefix::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = Address::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  const std::size_t bits = address->bytes().size() * 8;
  std::size_t length = bits;
  if (slash != std::string_view::npos) {
    const auto digits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (error != std::errc{} || end != digits.data() + digits.size() || length > bits) return std::nullopt;
  }
  for (std::size_t bit = length; bit < bits; ++bit) {
    if (address->bytes()[bit / 8] >> (7 - bit % 8) & 1) return std::nullopt;
  }
  return Prefix{*address, static_cast<std::uint8_t>(length)};
}

bool Prefix::contains(const Address& address) const {
  if (address.family() != network.family()) return false;
  for (std::size_t bit = 0; bit < length; ++bit) {
    if ((address.bytes()[bit / 8] ^ network.bytes()[bit / 8]) >> (7 - bit % 8) & 1) return false;
  }
  return true;
}

std::string Prefix::to_string() const { return fmt::format("{}/{}", network.to_string(), length); }

}  // namespace base
