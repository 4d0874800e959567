#pragma once
// Whole messages: a header over a chain of payloads, in clear or encrypted with a running IV
// (RFC 2409 Appendix B).

#include "ike/v1/keymat.h"
#include "ike/v1/payload.h"

namespace ike::v1 {

/// A datagram in clear.
Bytes encode_clear(Header header, const std::vector<Payload>& payloads);

/// An encrypted datagram; `iv` becomes its last block, the IV of the exchange's next message.
Bytes encode_encrypted(Header header, const std::vector<Payload>& payloads, const IkeTransform& transform,
                       const Secret& key, Bytes& iv);

/// The decrypted body of an encrypted datagram and the IV that follows it. None when the body is empty or
/// no whole number of blocks. Whether it makes sense only its payloads and its HASH tell.
struct Decrypted {
  Bytes body;
  Bytes next_iv;
};
std::optional<Decrypted> decrypt(const Header& header, ByteView datagram, const IkeTransform& transform,
                                 const Secret& key, ByteView iv);

/// A phase 2 message: HASH first, computed over what follows it. `nonce` as phase2_hash wants it.
Bytes encode_phase2(Header header, const std::vector<Payload>& after_hash, const IkeTransform& transform,
                    const SessionKeys& keys, ByteView nonce, Bytes& iv);

/// The chain of a decrypted phase 2 message when it begins with a HASH payload that fits; `nonce` as above.
/// The chain borrows `body`.
std::optional<Chain> authenticated_chain(const Header& header, ByteView body, crypto::Hash hash,
                                         const SessionKeys& keys, ByteView nonce);

}  // namespace ike::v1
