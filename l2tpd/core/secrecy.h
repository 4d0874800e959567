#pragma once
// What a secret shared with the peer is good for, RFC 2661: hidden AVPs (§4.3), and each side's proof that it
// has the secret (§5.1.1). MD5 protects neither well; it is there for peers that ask for it.

#include <optional>

#include "l2tp/avp.h"
#include "l2tp/types.h"

namespace l2tp {

/// The value of AVP `type` as it travels with the H bit: its length and itself, `padding` more bytes, masked.
/// Nothing where this host's OpenSSL has no MD5.
std::optional<Bytes> hide(std::uint16_t type, ByteView value, std::size_t padding, ByteView secret,
                          ByteView random_vector);
/// The reverse. Nothing when the length inside cannot be: another secret, or no hidden value at all.
std::optional<Bytes> reveal(std::uint16_t type, ByteView hidden, ByteView secret, ByteView random_vector);

/// A message body with its hidden AVPs in plain. Those that cannot be read stay as they are, and all of them
/// do without a secret.
Bytes reveal_all(ByteView body, ByteView secret);

inline constexpr std::size_t challenge_size = 16;  ///< of ours; any length is answered
/// What the Challenge Response AVP of `answer` (SCCRP or SCCCN) says to `challenge`.
std::optional<Bytes> challenge_response(MessageType answer, ByteView secret, ByteView challenge);

}  // namespace l2tp
