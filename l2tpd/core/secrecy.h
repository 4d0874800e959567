#pragma once
// What a secret shared with the peer is good for, RFC 2661: reading its hidden AVPs (§4.3; ours are not: H is
// optional, and what an LNS says is no secret), and proofs of having it (§5.1.1). MD5 protects neither well.

#include <array>
#include <functional>
#include <optional>
#include <vector>

#include "base/secret.h"
#include "l2tp/avp.h"
#include "l2tp/types.h"

namespace l2tp {

using Digest = std::array<std::uint8_t, 16>;

/// The bytes that a digest has before the secret and after it.
struct AroundSecret {
  Bytes before, after;
};
/// The MD5 digest of each, in this order; none where they cannot be had. That is all that anybody needs of a
/// secret, so that it may be kept elsewhere. Without a target: there is no secret.
using SharedSecret = std::function<std::vector<Digest>(const std::vector<AroundSecret>&)>;
/// One that is kept here; empty: none.
SharedSecret kept_here(base::Secret secret);

/// What those of one message may add up to: of more AVPs than can be meant seriously the rest stay hidden.
inline constexpr std::size_t most_around_secret = 32 * 1024;
inline constexpr std::size_t longest_before_secret = 2;

/// The value of AVP `type` as it travels with the H bit: its length and itself, `padding` more bytes, masked.
/// Nothing where this host's OpenSSL has no MD5.
std::optional<Bytes> hide(std::uint16_t type, ByteView value, std::size_t padding, const SharedSecret& secret,
                          ByteView random_vector);
/// The reverse. Nothing when the length inside cannot be: another secret, or no hidden value at all.
std::optional<Bytes> reveal(std::uint16_t type, ByteView hidden, const SharedSecret& secret,
                            ByteView random_vector);

/// A message body with its hidden AVPs in plain. Those that cannot be read stay as they are, and all of them
/// do without a secret.
Bytes reveal_all(ByteView body, const SharedSecret& secret);

inline constexpr std::size_t challenge_size = 16;  ///< of ours; any length is answered
/// What the Challenge Response AVP of `answer` (SCCRP or SCCCN) says to `challenge`.
std::optional<Bytes> challenge_response(MessageType answer, const SharedSecret& secret, ByteView challenge);

}  // namespace l2tp
