#pragma once
// Attribute-value pairs, RFC 2661 §4.1.

#include <vector>

#include "base/result.h"
#include "l2tp/types.h"
#include "wire/reader.h"
#include "wire/writer.h"

namespace l2tp {

/// Attribute types of vendor 0 (RFC 2661 §4.4), as far as they have a meaning for an LNS.
enum class Attribute : std::uint16_t {
  message_type = 0,
  result_code = 1,
  protocol_version = 2,
  framing_capabilities = 3,
  bearer_capabilities = 4,
  tie_breaker = 5,
  firmware_revision = 6,
  host_name = 7,
  vendor_name = 8,
  assigned_tunnel_id = 9,
  receive_window_size = 10,
  challenge = 11,
  q931_cause_code = 12,
  challenge_response = 13,
  assigned_session_id = 14,
  call_serial_number = 15,
  framing_type = 19,
  called_number = 21,
  calling_number = 22,
  tx_connect_speed = 24,
  physical_channel_id = 25,
  random_vector = 36,
  rx_connect_speed = 38,
  sequencing_required = 39
};
/// The highest attribute type that RFC 2661 defines.
inline constexpr std::uint16_t last_attribute = 39;

/// One AVP as it stands on the wire; `value` borrows the message. `reserved` is kept, not judged: RFC 2661
/// §4.1 makes such an AVP "unrecognised", and what that means depends on `mandatory`.
struct Avp {
  bool mandatory = false;
  bool hidden = false;
  std::uint8_t reserved = 0;
  std::uint16_t vendor = 0;
  std::uint16_t type = 0;
  ByteView value;
};

enum class Malformed { short_header, bad_length };
template <class T>
using Decoded = base::Result<T, Malformed>;

Decoded<Avp> next_avp(wire::Reader& in);
/// All AVPs of a message body, in order.
Decoded<std::vector<Avp>> decode_avps(ByteView body);
/// `avp.value` is at most 1017 bytes long (the length field has ten bits).
void put_avp(wire::Writer& out, const Avp& avp);

inline constexpr std::size_t avp_header_size = 6;
inline constexpr std::size_t longest_avp_value = 0x3ff - avp_header_size;

}  // namespace l2tp
