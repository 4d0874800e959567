#pragma once
// ESP packets of a client that has no kernel (RFC 4303 §2), for AES-CBC with HMAC-SHA1-96.

#include "base/bytes.h"
#include "xfrm/types.h"

namespace crowd {

/// What goes into UDP port 4500: a UDP datagram from port 1701 to port 1701 with `size` bytes in it, in
/// transport mode.
base::Bytes esp_packet(const xfrm::EspTransform& keys, xfrm::Spi spi, std::uint32_t sequence,
                       std::size_t size);

}  // namespace crowd
