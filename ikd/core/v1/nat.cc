#include "ike/v1/nat.h"

#include <utility>

#include "crypto/prf.h"
#include "ike/v1/identification.h"

namespace ike::v1 {
namespace {

using Vendor = std::array<std::uint8_t, 16>;

struct Row {
  NatFlavour flavour;
  Vendor vendor;
};
/// In our order of preference. MD5 of "RFC 3947" and of "draft-ietf-ipsec-nat-t-ike-03", "-02", "-02\n".
constexpr Row flavours[] = {
    {NatFlavour::rfc3947,
     {0x4a, 0x13, 0x1c, 0x81, 0x07, 0x03, 0x58, 0x45, 0x5c, 0x57, 0x28, 0xf2, 0x0e, 0x95, 0x45, 0x2f}},
    {NatFlavour::draft_03,
     {0x7d, 0x94, 0x19, 0xa6, 0x53, 0x10, 0xca, 0x6f, 0x2c, 0x17, 0x9d, 0x92, 0x15, 0x52, 0x9d, 0x56}},
    {NatFlavour::draft_02,
     {0xcd, 0x60, 0x46, 0x43, 0x35, 0xdf, 0x21, 0xf8, 0x7c, 0xfd, 0xb2, 0xfc, 0x68, 0xb6, 0xa4, 0x48}},
    {NatFlavour::draft_02_newline,
     {0x90, 0xcb, 0x80, 0x91, 0x3e, 0xbb, 0x69, 0x6e, 0x08, 0x63, 0x81, 0xb5, 0xec, 0x42, 0x7b, 0x1f}},
};

bool is_draft(NatFlavour flavour) { return flavour != NatFlavour::rfc3947 && flavour != NatFlavour::none; }

}  // namespace

NatFlavour choose_nat_flavour(const Chain& chain) {
  for (const auto& row : flavours) {
    const bool offered = std::ranges::any_of(chain.payloads, [&](const Payload& p) {
      return p.type == PayloadType::vendor_id && base::equal(p.body, row.vendor);
    });
    if (offered) return row.flavour;
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
