#pragma once
// Building netlink messages. A request may hold keys: its bytes are wiped when it goes.

#include <cstdint>
#include <string_view>
#include <type_traits>

#include "base/bytes.h"
#include "base/secret.h"
#include "netlink/message.h"

namespace nl {

class Request {
 public:
  /// NLM_F_REQUEST is understood. With NLM_F_ACK the kernel says how it went.
  explicit Request(std::uint16_t type, std::uint16_t flags = NLM_F_ACK);
  /// A finished message of another builder.
  static Request copy_of(const nlmsghdr& message);

  /// The family's own header; before any attribute.
  template <class Pod>
  Request& header(const Pod& value) {
    static_assert(sizeof value <= initial_size / 2);
    std::memcpy(mnl_nlmsg_put_extra_header(message(), sizeof value), &value, sizeof value);
    return *this;
  }
  /// A number or structure of the kernel's.
  template <class Pod>
  Request& attr(std::uint16_t type, const Pod& value) {
    return attr_bytes(type, pod_bytes(value));
  }
  Request& attr_bytes(std::uint16_t type, ByteView value);
  /// A structure whose last member is an array of unknown size: `fixed`, then `tail`.
  template <class Pod>
  Request& attr_with_tail(std::uint16_t type, const Pod& fixed, ByteView tail) {
    auto value = base::Secret::of_size(sizeof fixed + tail.size());
    std::ranges::copy(tail, std::ranges::copy(pod_bytes(fixed), value.writable().begin()).out);
    return attr_bytes(type, value.view());
  }
  /// With the final NUL that the kernel's string attributes want.
  Request& attr_text(std::uint16_t type, std::string_view text);

  void set_sequence(std::uint32_t sequence) { message()->nlmsg_seq = sequence; }
  std::uint32_t sequence() const { return message()->nlmsg_seq; }
  bool wants_ack() const { return (message()->nlmsg_flags & NLM_F_ACK) != 0; }
  /// The message with its nlmsghdr.
  ByteView view() const { return buffer_.view().first(message()->nlmsg_len); }

 private:
  explicit Request(base::Secret buffer) : buffer_(std::move(buffer)) {}
  template <class Pod>
  static ByteView pod_bytes(const Pod& value) {
    static_assert(std::is_trivially_copyable_v<Pod>);
    return {reinterpret_cast<const std::uint8_t*>(&value), sizeof value};
  }
  nlmsghdr* message() { return reinterpret_cast<nlmsghdr*>(buffer_.writable().data()); }
  const nlmsghdr* message() const { return reinterpret_cast<const nlmsghdr*>(buffer_.view().data()); }
  void grow();

  static constexpr std::size_t initial_size = 1024;
  base::Secret buffer_;  ///< longer than the message
};

}  // namespace nl
