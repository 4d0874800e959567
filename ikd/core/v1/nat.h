#pragma once
// NAT traversal in IKE (RFC 3947): who sits behind a NAT, vendor IDs, NAT-OA.

#include "base/address.h"
#include "crypto/algorithms.h"
#include "ike/v1/payload.h"

namespace ike::v1 {

inline constexpr std::array<std::uint8_t, 16> vendor_rfc3947 = {
    0x4a, 0x13, 0x1c, 0x81, 0x07, 0x03, 0x58, 0x45, 0x5c, 0x57, 0x28, 0xf2, 0x0e, 0x95, 0x45, 0x2f};
/// RFC 3706 §5.1, version 1.0.
inline constexpr std::array<std::uint8_t, 16> vendor_dpd = {0xaf, 0xca, 0xd7, 0x13, 0x68, 0xa1, 0xf1, 0xc9,
                                                            0x6b, 0x86, 0x96, 0xfc, 0x77, 0x57, 0x01, 0x00};

/// The body of a NAT-D payload: hash(CKY-I | CKY-R | IP | port) (RFC 3947 §3.2).
Bytes nat_d(crypto::Hash hash, const Cookie& initiator, const Cookie& responder,
            const base::Endpoint& endpoint);

struct NatFinding {
  bool peer_behind_nat = false;
  bool we_behind_nat = false;
  bool any() const { return peer_behind_nat || we_behind_nat; }
};
/// From the NAT-D payloads of a message: the first is about us, the others about the sender. Fewer than
/// two say nothing.
NatFinding find_nat(const Chain& chain, crypto::Hash hash, const Cookie& initiator, const Cookie& responder,
                    const base::Endpoint& us, const base::Endpoint& peer);

/// The body of a NAT-OA payload (RFC 3947 §5.2).
Bytes nat_oa(const base::Address& address);

}  // namespace ike::v1
