#pragma once
// Control messages, RFC 2661 §3.1 (header) and §6 (contents). Decoded once, into one struct.

#include <optional>

#include "base/result.h"
#include "l2tp/types.h"

namespace l2tp {

inline constexpr std::size_t control_header_size = 12;

/// The header of a control message; `body` borrows the datagram and is empty in a ZLB.
struct Header {
  TunnelId tunnel;
  SessionId session;
  SeqNo ns;
  SeqNo nr;
  ByteView body;
};

/// Bytes beyond the header's length are padding and are left out. Reserved bits are ignored (§3.1).
base::Result<Header, DropReason> decode_header(ByteView datagram);
/// The whole datagram, flags T, L and S.
Bytes encode(const Header& header);

/// What a mandatory AVP got wrong, and which one it was.
struct Fault {
  GeneralError error = GeneralError::none;
  std::uint16_t vendor = 0;
  std::uint16_t attribute = 0;
  bool hidden = false;

  bool operator==(const Fault&) const = default;
  /// "AVP 5 has the wrong length"
  std::string sentence() const;
};

/// The body of a control message. A field is absent where its AVP was. Texts and challenges borrow the body.
struct Message {
  /// As received: may be a number that MessageType does not name.
  MessageType type = MessageType::none;
  /// §4.4.1: an unknown message type without M is ignored.
  bool type_is_mandatory = true;

  std::optional<Ending> result;
  std::optional<std::uint16_t> protocol_version;  ///< 0x0100 is 1.0
  std::optional<std::uint32_t> framing_capabilities;
  std::optional<std::uint32_t> bearer_capabilities;
  std::optional<std::uint64_t> tie_breaker;
  std::optional<std::uint16_t> firmware_revision;
  std::optional<ByteView> host_name;
  std::optional<ByteView> vendor_name;
  std::optional<TunnelId> assigned_tunnel_id;
  std::optional<std::uint16_t> receive_window_size;
  std::optional<ByteView> challenge;
  std::optional<ByteView> challenge_response;
  std::optional<SessionId> assigned_session_id;
  std::optional<std::uint32_t> call_serial_number;
  std::optional<std::uint32_t> framing_type;
  std::optional<ByteView> called_number;
  std::optional<ByteView> calling_number;
  std::optional<std::uint32_t> tx_connect_speed;
  bool sequencing_required = false;

  /// The first fault of a mandatory AVP; those of others are overlooked (§4.1).
  std::optional<Fault> fault;
};

/// Shape only: which AVPs a message needs, and what a fault means, is for its receiver to judge. Hidden AVPs
/// are not understood: reveal_all() comes first.
Message decode(ByteView body);
Bytes encode(const Message& message);

/// "SCCRQ", or "message 5" for a number RFC 2661 does not know.
std::string to_string(MessageType type);

}  // namespace l2tp
