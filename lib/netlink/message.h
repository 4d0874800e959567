#pragma once
// Reading netlink: messages of a datagram and attributes of a message, as views. Netlink is in host
// byte order, aligned to 4; nothing here trusts a length.

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <type_traits>

#include <libmnl/libmnl.h>

#include "base/bytes.h"

namespace nl {

using base::ByteView;

/// A structure as the kernel wrote it; false when fewer bytes are there. Longer is fine: kernels append
/// members, and some structures end in an array of unknown size.
template <class Pod>
bool copy_head(ByteView bytes, Pod& out) {
  static_assert(std::is_trivially_copyable_v<Pod>);
  if (bytes.size() < sizeof(Pod)) return false;
  std::memcpy(&out, bytes.data(), sizeof(Pod));
  return true;
}

/// The same, as a value.
template <class Pod>
std::optional<Pod> pod(ByteView bytes) {
  Pod out;
  if (!copy_head(bytes, out)) return std::nullopt;
  return out;
}

/// One message, borrowed from its datagram. `header` is for libraries that parse whole messages.
struct Message {
  const nlmsghdr* header = nullptr;
  std::uint16_t type = 0;
  ByteView payload;
};

/// Takes the next message off `datagram`, which is aligned to 4. None at its end and where the bytes are no
/// message.
std::optional<Message> next_message(ByteView& datagram);

/// The attributes of one level by type, the last of equal ones winning. Types from 64 on are ignored;
/// every family spoken here stays below.
class Attributes {
 public:
  /// None when a length reaches outside.
  static std::optional<Attributes> parse(ByteView bytes);

  bool has(std::uint16_t type) const { return type <= max_type && found_[type] != nullptr; }
  /// The payload, empty when absent.
  ByteView get(std::uint16_t type) const;
  /// As a number or structure of the kernel's; none when absent or too short.
  template <class Pod>
  std::optional<Pod> get_as(std::uint16_t type) const {
    return pod<Pod>(get(type));
  }

 private:
  static constexpr std::uint16_t max_type = 63;
  std::array<const nlattr*, max_type + 1> found_{};
};

}  // namespace nl
