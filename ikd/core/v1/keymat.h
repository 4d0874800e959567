#pragma once
// Keys of IKEv1: SKEYID and its children, HASH_I and HASH_R, the hashes of phase 2, KEYMAT
// (RFC 2409 §5, §5.5, Appendix B). Pure functions; `g_xy` is the padded shared secret.

#include "base/secret.h"
#include "ike/proposal.h"
#include "ike/v1/payload.h"

namespace ike::v1 {

using base::Secret;

/// With a pre-shared key: prf(psk, Ni_b | Nr_b).
Secret skeyid_of_psk(crypto::Hash hash, ByteView psk, ByteView ni, ByteView nr);
/// With signatures: prf(Ni_b | Nr_b, g^xy).
Secret skeyid_of_signature(crypto::Hash hash, ByteView ni, ByteView nr, const Secret& g_xy);

/// What an ISAKMP SA keeps. `encryption_key` has the cipher's size already (Appendix B).
struct SessionKeys {
  Secret skeyid_d, skeyid_a, encryption_key;
};
SessionKeys derive_session_keys(const IkeTransform& transform, const Secret& skeyid, const Secret& g_xy,
                                const Cookie& initiator, const Cookie& responder);

/// HASH_I with `mine` = g^xi, HASH_R with `mine` = g^xr; cookies in the same order.
Secret phase1_hash(crypto::Hash hash, const Secret& skeyid, ByteView mine, ByteView other,
                   const Cookie& my_cookie, const Cookie& other_cookie, ByteView sa_body, ByteView id_body);

/// The first IV of phase 1: hash(g^xi | g^xr), cut to a block.
Bytes phase1_iv(const IkeTransform& transform, ByteView g_xi, ByteView g_xr);
/// The first IV of a phase 2 exchange: hash(last block of phase 1 | M-ID), cut to a block.
Bytes phase2_iv(const IkeTransform& transform, ByteView last_phase1_block, MessageId id);

/// HASH(1) and the Informational hash: prf(SKEYID_a, M-ID | rest); HASH(2) with `nonce` = Ni_b.
Secret phase2_hash(crypto::Hash hash, const Secret& skeyid_a, MessageId id, ByteView nonce, ByteView rest);
/// HASH(3): prf(SKEYID_a, 0 | M-ID | Ni_b | Nr_b).
Secret phase2_hash3(crypto::Hash hash, const Secret& skeyid_a, MessageId id, ByteView ni, ByteView nr);

/// KEYMAT of one direction, cut into the keys of an ESP transform. `g_xy` is empty without PFS.
xfrm::EspTransform derive_keymat(crypto::Hash hash, const Secret& skeyid_d, ByteView g_xy, xfrm::Spi spi,
                                 ByteView ni, ByteView nr, const EspSuite& suite);

}  // namespace ike::v1
