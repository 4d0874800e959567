#pragma once
// The Identification payload (RFC 2407 §4.6.2) of both phases.

#include <string>

#include "base/address.h"
#include "ike/v1/payload.h"

namespace ike::v1 {

enum class IdType : std::uint8_t {
  ipv4_addr = 1,
  fqdn = 2,
  user_fqdn = 3,
  ipv4_addr_subnet = 4,
  ipv6_addr = 5,
  der_asn1_dn = 9,
  key_id = 11
};

struct Identification {
  IdType type = IdType::ipv4_addr;
  std::uint8_t protocol = 0;
  std::uint16_t port = 0;  ///< 0 is any
  ByteView data;

  /// The address of the address types.
  std::optional<base::Address> address() const;
};

/// Refuses only what is too short for the type it names.
Decoded<Identification> decode_identification(ByteView body);
Bytes encode_identification(const Identification& id);
/// Borrows `address`, hence never a temporary one.
Identification identification_of(const base::Address& address);
Identification identification_of(base::Address&&) = delete;

/// Type and data alone: clients differ in the protocol and port they put beside them from one exchange to the
/// next. `body`: at least the type.
Bytes name_in(ByteView body);

/// For people: "192.168.1.2", "laptop.example"; bytes that are no printable text in hexadecimal.
std::string describe(const Identification& id);

}  // namespace ike::v1
