#pragma once
// ESP packets of a client that has no kernel (RFC 4303 §2), for AES-CBC with HMAC-SHA1-96: what goes into UDP
// port 4500, a UDP datagram from port 1701 to port 1701 in transport mode.

#include <optional>

#include "base/bytes.h"
#include "xfrm/types.h"

namespace crowd {

base::Bytes esp_packet(const xfrm::EspTransform& keys, xfrm::Spi spi, std::uint32_t sequence,
                       base::ByteView payload);
/// The payload of the datagram inside; none when the packet is of another SA, or no good.
std::optional<base::Bytes> open_esp(const xfrm::EspTransform& keys, xfrm::Spi spi, base::ByteView packet);

}  // namespace crowd
