#pragma once
// Building netlink messages. A request may hold keys: its bytes are wiped when it goes.

#include <cstdint>
#include <string_view>
#include <type_traits>

#include "base/bytes.h"
#include "netlink/message.h"

namespace nl {

class Request {
 public:
  /// NLM_F_REQUEST is understood. With NLM_F_ACK the kernel says how it went.
  explicit Request(std::uint16_t type, std::uint16_t flags = NLM_F_ACK);
  /// A finished message of another builder; `message` starts with its nlmsghdr.
  static Request copy_of(ByteView message);
  Request(Request&&) noexcept = default;
  Request& operator=(Request&& other) noexcept;
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  ~Request() { wipe(); }

  /// The family's own header; before any attribute.
  template <class Pod>
  Request& header(const Pod& value) {
    append(pod_bytes(value));
    return *this;
  }
  /// Headers and attributes that are encoded already.
  void append_payload(ByteView bytes) { append(bytes); }
  /// A number or structure of the kernel's.
  template <class Pod>
  Request& attr(std::uint16_t type, const Pod& value) {
    return attr_bytes(type, pod_bytes(value));
  }
  Request& attr_bytes(std::uint16_t type, ByteView value);
  /// A structure whose last member is an array of unknown size: `fixed`, then `tail`.
  template <class Pod>
  Request& attr_with_tail(std::uint16_t type, const Pod& fixed, ByteView tail) {
    const auto start = begin_nested(type, Nesting::plain);
    append_raw(pod_bytes(fixed));
    append_raw(tail);
    end_nested(start);
    return *this;
  }
  /// With the final NUL that the kernel's string attributes want.
  Request& attr_text(std::uint16_t type, std::string_view text);

  enum class Nesting { flagged, plain };
  /// Opens an attribute that holds attributes; end_nested(what this returned) closes it.
  std::size_t begin_nested(std::uint16_t type, Nesting nesting = Nesting::flagged);
  void end_nested(std::size_t start);

  void set_sequence(std::uint32_t sequence);
  std::uint32_t sequence() const;
  std::uint16_t type() const;
  bool wants_ack() const;
  /// The message with its nlmsghdr.
  ByteView view() const { return bytes_; }

 private:
  Request() = default;
  template <class Pod>
  static ByteView pod_bytes(const Pod& value) {
    static_assert(std::is_trivially_copyable_v<Pod>);
    return {reinterpret_cast<const std::uint8_t*>(&value), sizeof value};
  }
  void append(ByteView bytes);      ///< padded, and counted in nlmsg_len
  void append_raw(ByteView bytes);  ///< neither
  void wipe();

  base::Bytes bytes_;
};

}  // namespace nl
