#include "ike/v1/nat.h"

#include <utility>

#include "crypto/prf.h"
#include "ike/v1/identification.h"

namespace ike::v1 {
namespace {

struct Row {
  NatFlavour flavour;
  std::array<std::uint8_t, 16> vendor;
};
/// In our order of preference.
constexpr Row flavours[] = {{NatFlavour::rfc3947, vendor_rfc3947},
                            {NatFlavour::draft_03, vendor_natt_03},
                            {NatFlavour::draft_02, vendor_natt_02},
                            {NatFlavour::draft_02_newline, vendor_natt_02n}};

bool is_draft(NatFlavour flavour) { return flavour != NatFlavour::rfc3947 && flavour != NatFlavour::none; }

}  // namespace

NatFlavour choose_nat_flavour(const Chain& chain) {
  for (const auto& row : flavours) {
    if (has_vendor(chain, row.vendor)) return row.flavour;
  }
  return NatFlavour::none;
}

ByteView vendor_of(NatFlavour flavour) {
  const auto* row = std::ranges::find(flavours, flavour, &Row::flavour);
  return row == std::end(flavours) ? ByteView() : ByteView(row->vendor);
}

PayloadType nat_d_of(NatFlavour flavour) {
  return is_draft(flavour) ? PayloadType::nat_d_draft : PayloadType::nat_d;
}

PayloadType nat_oa_of(NatFlavour flavour) {
  return is_draft(flavour) ? PayloadType::nat_oa_draft : PayloadType::nat_oa;
}

EncapsulationMode udp_transport_of(NatFlavour flavour) {
  return is_draft(flavour) ? EncapsulationMode::udp_transport_draft : EncapsulationMode::udp_transport;
}

Bytes nat_d(crypto::Hash hash, const Cookie& initiator, const Cookie& responder,
            const base::Endpoint& endpoint) {
  const std::array<std::uint8_t, 2> port = {static_cast<std::uint8_t>(endpoint.port >> 8),
                                            static_cast<std::uint8_t>(endpoint.port)};
  return crypto::digest(hash, {initiator, responder, endpoint.address.bytes(), port});
}

NatFinding find_nat(const Chain& chain, NatFlavour flavour, crypto::Hash hash, const Cookie& initiator,
                    const Cookie& responder, const base::Endpoint& us, const base::Endpoint& peer) {
  const auto type = nat_d_of(flavour);
  if (flavour == NatFlavour::none || chain.count(type) < 2) return {};
  const auto ours = nat_d(hash, initiator, responder, us);
  const auto theirs = nat_d(hash, initiator, responder, peer);
  NatFinding out{.peer_behind_nat = true, .we_behind_nat = true, .pretended = false, .about_us = {}};
  bool first = true;
  for (const auto& p : chain.payloads) {
    if (p.type != type) continue;
    if (first) {
      out.about_us = base::to_bytes(p.body);
      out.we_behind_nat = out.about_us != ours;
    } else if (base::equal(p.body, theirs)) {
      out.peer_behind_nat = false;
    }
    first = false;
  }
  return out;
}

NatDPair nat_d_answer(NatDetection detection, NatDPair truth, const NatFinding& found, Bytes noise) {
  if (detection == NatDetection::truthful || found.about_us.empty()) return truth;
  return {.about_peer = std::move(noise), .about_us = found.about_us};
}

Bytes nat_oa(const base::Address& address) {
  // The same shape as an Identification payload: type, three reserved bytes, address.
  return encode_identification(identification_of(address));
}

std::vector<Bytes> nat_oa_answer(std::size_t received, const base::Address& initiator,
                                 const base::Address& responder) {
  if (received == 0) return {};
  if (received == 1) return {nat_oa(responder)};
  return {nat_oa(initiator), nat_oa(responder)};
}

}  // namespace ike::v1
