#pragma once
// ISAKMP on the wire (RFC 2408 §3): the header, the payload chain and the payloads IKEv1 needs. Decoders
// judge shape, never policy; what they return borrows the datagram.

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/id.h"
#include "base/result.h"
#include "wire/writer.h"

namespace ike::v1 {

using base::Bytes;
using base::ByteView;

/// CKY-I or CKY-R.
using Cookie = std::array<std::uint8_t, 8>;
/// M-ID; zero in phase 1.
using MessageId = base::Id<struct MessageIdTag, std::uint32_t>;

/// Next Payload (RFC 2408 §3.1, RFC 3947 §3.2).
enum class PayloadType : std::uint8_t {
  none = 0,
  sa = 1,
  proposal = 2,
  transform = 3,
  key_exchange = 4,
  identification = 5,
  certificate = 6,
  certificate_request = 7,
  hash = 8,
  signature = 9,
  nonce = 10,
  notification = 11,
  delete_ = 12,
  vendor_id = 13,
  nat_d = 20,
  nat_oa = 21,
  nat_d_draft = 130,  ///< draft-ietf-ipsec-nat-t-ike-02 and -03, from the private range
  nat_oa_draft = 131,
  fragment = 132  ///< of Cisco and Microsoft
};

/// Exchange Type (RFC 2408 §3.1, RFC 2409 §5).
enum class Exchange : std::uint8_t { main_mode = 2, aggressive = 4, informational = 5, quick_mode = 32 };

inline constexpr std::uint8_t flag_encryption = 1;
inline constexpr std::uint8_t flag_commit = 2;
inline constexpr std::uint8_t flag_authentication_only = 4;
inline constexpr std::size_t header_size = 28;

struct Header {
  Cookie initiator{};
  Cookie responder{};
  PayloadType next = PayloadType::none;
  std::uint8_t version = 0x10;
  Exchange exchange = Exchange::main_mode;
  std::uint8_t flags = 0;
  MessageId message_id;
  std::uint32_t length = 0;  ///< of the whole message, header included

  bool encrypted() const { return (flags & flag_encryption) != 0; }
};

/// Why a message was not understood; the names are those of the counters.
enum class Malformed : std::uint8_t {
  short_header,
  bad_version,
  bad_length,
  bad_payload_length,
  reserved_not_zero,
  too_many_payloads,
  bad_sa,
  bad_attribute,
  bad_identification,
  bad_notification,
  bad_delete,
  bad_fragment
};

template <class T>
using Decoded = base::Result<T, Malformed>;

/// The header only; `datagram` may be longer than its length says (checked by the caller).
Decoded<Header> decode_header(ByteView datagram);
void put_header(wire::Writer& out, const Header& header);

/// One link of the chain: the body without its 4-byte generic header.
struct Payload {
  PayloadType type = PayloadType::none;
  ByteView body;
};

/// A chain and how many bytes of `in` it took: what follows in an encrypted message is padding.
struct Chain {
  std::vector<Payload> payloads;
  std::size_t size = 0;

  const Payload* find(PayloadType type) const;
  std::size_t count(PayloadType type) const;
};

inline constexpr std::size_t most_payloads = 128;
/// More than `most` payloads are refused.
Decoded<Chain> decode_chain(PayloadType first, ByteView in, std::size_t most = most_payloads);
/// Writes generic headers and bodies; the type of the first goes into the ISAKMP header.
void put_chain(wire::Writer& out, const std::vector<Payload>& payloads);

/// RFC 2408 §3.14.
struct Notification {
  std::uint32_t doi = 1;
  std::uint8_t protocol = 1;
  ByteView spi;
  std::uint16_t type = 0;
  ByteView data;
};
Decoded<Notification> decode_notification(ByteView body);
Bytes encode_notification(const Notification& notification);
/// RFC 2407 §4.6.3.3.
bool says_initial_contact(const Chain& chain);

/// RFC 2408 §3.15. `spis` is a whole number of SPIs of `spi_size` bytes.
struct Delete {
  std::uint32_t doi = 1;
  std::uint8_t protocol = 1;
  std::uint8_t spi_size = 0;
  ByteView spis;
};
Decoded<Delete> decode_delete(ByteView body);
Bytes encode_delete(const Delete& del);

inline constexpr std::uint8_t protocol_isakmp = 1;
inline constexpr std::uint8_t protocol_ipsec_esp = 3;

/// Notify message types (RFC 2408 §3.14.1, RFC 2407 §4.6.3, RFC 3706 §5.4).
namespace notify {
inline constexpr std::uint16_t payload_malformed = 16;
inline constexpr std::uint16_t no_proposal_chosen = 14;
inline constexpr std::uint16_t invalid_id_information = 18;
inline constexpr std::uint16_t invalid_key_information = 17;
inline constexpr std::uint16_t authentication_failed = 24;
inline constexpr std::uint16_t responder_lifetime = 24576;
inline constexpr std::uint16_t replay_status = 24577;
inline constexpr std::uint16_t initial_contact = 24578;
inline constexpr std::uint16_t r_u_there = 36136;
inline constexpr std::uint16_t r_u_there_ack = 36137;
}  // namespace notify

}  // namespace ike::v1
