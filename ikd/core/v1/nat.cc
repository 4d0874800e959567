#include "ike/v1/nat.h"

#include "crypto/prf.h"
#include "ike/v1/identification.h"

namespace ike::v1 {

Bytes nat_d(crypto::Hash hash, const Cookie& initiator, const Cookie& responder,
            const base::Endpoint& endpoint) {
  const std::array<std::uint8_t, 2> port = {static_cast<std::uint8_t>(endpoint.port >> 8),
                                            static_cast<std::uint8_t>(endpoint.port)};
  return crypto::digest(hash, {initiator, responder, endpoint.address.bytes(), port});
}

NatFinding find_nat(const Chain& chain, crypto::Hash hash, const Cookie& initiator, const Cookie& responder,
                    const base::Endpoint& us, const base::Endpoint& peer) {
  if (chain.count(PayloadType::nat_d) < 2) return {};
  const auto ours = nat_d(hash, initiator, responder, us);
  const auto theirs = nat_d(hash, initiator, responder, peer);
  NatFinding out{.peer_behind_nat = true, .we_behind_nat = true};
  bool first = true;
  for (const auto& p : chain.payloads) {
    if (p.type != PayloadType::nat_d) continue;
    if (first) {
      out.we_behind_nat = !base::equal(p.body, ours);
    } else if (base::equal(p.body, theirs)) {
      out.peer_behind_nat = false;
    }
    first = false;
  }
  return out;
}

Bytes nat_oa(const base::Address& address) {
  // The same shape as an Identification payload: type, three reserved bytes, address.
  return encode_identification(identification_of(address));
}

}  // namespace ike::v1
