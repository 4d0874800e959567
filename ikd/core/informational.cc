// Informational exchanges (RFC 2409 §5.7): Deletes, dead peer detection, refusals.

#include "ike/engine.h"
#include "wire/reader.h"

namespace ike {
namespace {

using v1::Exchange;
using v1::Payload;
using v1::PayloadType;

}  // namespace

bool Engine::informational(IsakmpSa& sa, const v1::Header& header, ByteView datagram, base::Time now) {
  const auto& up = sa.state.get<Up>();
  if (sa.informational_ids.contains(header.message_id)) return not_taken(DropReason::message_id_used);
  const auto clear = v1::decrypt(header, datagram, sa.transform, up.keys.encryption_key,
                                 v1::phase2_iv(sa.transform, up.last_block, header.message_id));
  if (!clear) return not_taken(DropReason::undecryptable);
  const auto chain = v1::authenticated_chain(header, clear->body, sa.transform.hash, up.keys, {});
  if (!chain) return not_taken(DropReason::hash_mismatch);
  if (!v1::legal(v1::Step::informational, *chain)) return not_taken(DropReason::unexpected_payload);
  sa.informational_ids.insert(header.message_id);
  const auto number = sa.number;
  bool fresh = false;
  for (const auto& p : chain->payloads) {
    auto* still = find_sa(number);  // a Delete may have taken the ISAKMP SA away
    if (still == nullptr) return fresh;
    if (p.type == PayloadType::notification && notification(*still, p.body, now)) fresh = true;
    if (p.type == PayloadType::delete_ && delete_payload(*still, p.body, now)) fresh = true;
  }
  if (auto* still = find_sa(number); fresh && still != nullptr) heard(*still, now);
  return fresh;
}

bool Engine::notification(IsakmpSa& sa, ByteView body, base::Time now) {
  const auto n = v1::decode_notification(body);
  if (!n) return not_taken(DropReason::malformed);
  const auto sequence = [&] { return wire::Reader(n->data).u32(); };
  switch (n->type) {
    case v1::notify::r_u_there: {  // RFC 3706 §5.4: the same SPI and sequence number come back
      auto ack = *n;
      ack.type = v1::notify::r_u_there_ack;
      send_informational(sa, PayloadType::notification, v1::encode_notification(ack));
      return n->data.size() == 4 && is_there(sa, sequence());
    }
    case v1::notify::r_u_there_ack: return n->data.size() == 4 && answers_our_question(sa, sequence());
    case v1::notify::initial_contact:
      // Tells of one client only, never of its siblings behind the NAT (RFC 3947 §6), and Apple's rekey
      // sends it too: only another peer that is the same device for certain goes for it.
      only_self_of_device(sa.state.get<Up>().peer, now);
      return false;
    case v1::notify::replay_status:
    case v1::notify::responder_lifetime: return false;
    default: return not_taken(DropReason::unsupported_notification);
  }
}

bool Engine::delete_payload(IsakmpSa& sa, ByteView body, base::Time now) {
  const auto d = v1::decode_delete(body);
  if (!d) return not_taken(DropReason::malformed);
  bool deleted = false;
  const auto number = sa.number;
  const auto peer_number = sa.state.get<Up>().peer;
  wire::Reader in(d->spis);
  if (sa.claims_peer()) return not_taken(DropReason::unproven_place);
  if (d->protocol == v1::protocol_ipsec_esp && d->spi_size == 4) {
    while (in.left() > 0) {
      // The peer names its own inbound SPIs: our outbound ones.
      const xfrm::Spi spi(in.u32());
      auto* peer = peers_.find(peer_number);
      if (peer == nullptr) return deleted;
      deleted = deleted || peer->child_by_out(spi) != nullptr;
      delete_by_peers_spi(*peer, spi, now);
    }
  } else if (d->protocol == v1::protocol_isakmp && d->spi_size == 16) {
    while (in.left() > 0) {
      // An ISAKMP SA may delete itself and its peer's others, never a stranger's. ESP SAs live on.
      const auto initiator = in.bytes(8);
      const auto responder = in.bytes(8);
      const auto* peer = peers_.find(peer_number);
      if (peer == nullptr) return deleted;
      for (const auto candidate : std::set(peer->isakmp_sas)) {
        const auto* named = find_sa(candidate);
        if (named != nullptr && base::equal(named->initiator, initiator) &&
            base::equal(named->responder, responder)) {
          forget_sa(candidate, now);
          deleted = true;
        }
      }
      if (find_sa(number) == nullptr) return deleted;
    }
  } else {
    return not_taken(DropReason::malformed);
  }
  return deleted;
}

void Engine::send_informational(IsakmpSa& sa, v1::PayloadType type, ByteView body) {
  const auto* up = sa.state.get_if<Up>();
  if (up == nullptr) return;
  auto id = new_message_id();
  // Known from now on: what comes back to us would be as authentic as what the peer sends.
  while (!sa.informational_ids.insert(id)) id = new_message_id();
  auto iv = v1::phase2_iv(sa.transform, up->last_block, id);
  const auto message = v1::encode_phase2(reply_header(sa, Exchange::informational, id), {{type, body}},
                                         sa.transform, up->keys, {}, iv);
  send(sa, message);
}

void Engine::send_deletes(IsakmpSa& sa, const Peer& peer) {
  for (const auto& child : peer.children) send_delete_esp(sa, child.in);
  const auto cookies = sa.spi();
  send_informational(sa, PayloadType::delete_,
                     v1::encode_delete({.protocol = v1::protocol_isakmp, .spi_size = 16, .spis = cookies}));
}

void Engine::send_delete_esp(IsakmpSa& sa, xfrm::Spi in) {
  wire::Writer spi;
  spi.u32(in.value);
  send_informational(
      sa, PayloadType::delete_,
      v1::encode_delete({.protocol = v1::protocol_ipsec_esp, .spi_size = 4, .spis = spi.view()}));
}

void Engine::notify_in_clear(const v1::Header& request, const base::Endpoint& from, const base::Endpoint& to,
                             std::uint16_t type) {
  v1::Header header;
  header.initiator = request.initiator;
  header.responder = request.responder;
  header.exchange = Exchange::informational;
  header.message_id = new_message_id();
  const auto body =
      v1::encode_notification({.protocol = v1::protocol_isakmp, .spi = {}, .type = type, .data = {}});
  send(from, to, v1::encode_clear(header, {{PayloadType::notification, body}}));
}

}  // namespace ike
