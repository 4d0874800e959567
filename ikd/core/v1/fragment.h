#pragma once
// IKE fragmentation as Cisco and Microsoft have it (MS-IKEE §2.2.1, racoon's isakmp_frag.c): a message in
// pieces, each the only payload of a datagram of its own, so that IP need not fragment it.

#include <vector>

#include "ike/v1/payload.h"

namespace ike::v1 {

/// The body of a fragment payload.
struct Fragment {
  std::uint16_t id = 1;     ///< of the message: everybody sends 1, always
  std::uint8_t number = 0;  ///< from 1
  bool last = false;
  ByteView data;
};
/// Refuses a number of 0 and an empty piece.
Decoded<Fragment> decode_fragment(ByteView body);

/// The datagrams that carry `message`, each of at most `most` bytes. Their headers have M-ID 0 and no
/// encryption flag like strongSwan's, which all clients are known to take. Empty when it would take more than
/// 255 of them.
std::vector<Bytes> split(ByteView message, std::size_t most);

}  // namespace ike::v1
