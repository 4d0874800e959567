// Quick Mode as initiator (RFC 2409 §5.5), which a rekey of ours needs: the IDs, the transform and the NAT
// habits are those of the client's own first Quick Mode, the roles reversed.

#include <utility>

#include "ike/engine.h"
#include "wire/reader.h"

namespace ike {
namespace {

using namespace std::chrono_literals;
using v1::Exchange;
using v1::Payload;
using v1::PayloadType;
using v1::Step;
using Stage = QuickMode::Stage;

constexpr auto remember_done = 60s;  // a late duplicate of message 2 is answered with message 3
constexpr auto between_looks = 1s;
constexpr std::uint8_t most_looks = 10;
/// Message 3 has no answer: while nothing comes through the new pair it may have been lost.
bool repeat_message_3(std::uint8_t looks) { return looks == 2 || looks == 6; }

}  // namespace

void Engine::open_quick_mode(IsakmpSa& sa, const Service& service, base::Time now) {
  const auto* peer = peers_.find(sa.state.get<Up>().peer);
  if (peer == nullptr || !peer->esp_terms.contains(service)) return;
  const auto& terms = peer->esp_terms.at(service);
  auto id = new_message_id();
  while (!sa.used_ids.insert(id)) id = new_message_id();
  auto& quick = sa.quick_modes[id];
  quick.role = Role::initiator;
  quick.began = now;
  quick.ni = random_of(nonce_size);
  quick.in = new_spi(peer->local.address);
  quick.idci = terms.our_id;
  quick.idcr = terms.their_id;
  quick.suite = terms.suite;
  quick.service = service;
  quick.mode = sa.nat.any() ? terms.udp.value_or(v1::udp_transport_of(sa.nat_flavour))
                            : v1::EncapsulationMode::transport;
  quick.lifetime = std::min(terms.lifetime, settings_.esp_lifetime);
  quick.kilobytes = terms.kilobytes;
  quick.pfs = terms.pfs;
  if (const auto* active = peer->active(service); active != nullptr) quick.replaces = active->in;
  if (sa.nat.any()) quick.nat_oas = terms.nat_oas;
  if (!quick.pfs) return send_quick_mode_1(sa, id, quick, now);
  quick.stage = Stage::await_key_pair;
  quick.ticket = new_ticket({.sa = sa.number, .exchange = id});
  effects_.emplace_back(MakeKeyPair{quick.ticket, *quick.pfs});
}

void Engine::quick_key_pair_made(IsakmpSa& sa, MessageId id, KeyPairMade made, base::Time now) {
  const auto it = sa.quick_modes.find(id);
  if (it == sa.quick_modes.end() || it->second.stage != Stage::await_key_pair) return;
  if (!made.result) {
    report(EventKind::rekey_failed, sa, made.result.error().message);
    return abandon_quick_mode(sa, id, now);
  }
  it->second.own = std::move(*made.result);
  send_quick_mode_1(sa, id, it->second, now);
}

void Engine::send_quick_mode_1(IsakmpSa& sa, MessageId id, QuickMode& quick, base::Time now) {
  const auto& up = sa.state.get<Up>();
  wire::Writer spi;
  spi.u32(quick.in.value);
  const auto attributes =
      v1::encode_attributes(quick.suite, quick.mode, quick.lifetime, quick.pfs, quick.kilobytes);
  const v1::Transform transform{
      .number = 1, .id = v1::esp_transform_id(quick.suite), .attributes = {}, .raw_attributes = attributes};
  const auto body = v1::encode_sa(
      {.doi = 1,
       .situation = 1,
       .proposals = {
           {.number = 1, .protocol = v1::protocol_ipsec_esp, .spi = spi.view(), .transforms = {transform}}}});
  std::vector<Payload> payloads{{PayloadType::sa, body}, {PayloadType::nonce, quick.ni}};
  if (quick.own) payloads.push_back({PayloadType::key_exchange, quick.own->public_value});
  payloads.push_back({PayloadType::identification, quick.idci});
  payloads.push_back({PayloadType::identification, quick.idcr});
  const auto oa_ours = v1::nat_oa(original_address(sa, quick.idci)),
             oa_theirs = v1::nat_oa(sa.remote.address);
  // RFC 3947 §5.2: the initiator's, then the responder's; the drafts have the sender's own alone.
  if (quick.nat_oas > 0) payloads.push_back({v1::nat_oa_of(sa.nat_flavour), oa_ours});
  if (quick.nat_oas > 1) payloads.push_back({v1::nat_oa_of(sa.nat_flavour), oa_theirs});
  quick.stage = Stage::await_message2;
  quick.iv = v1::phase2_iv(sa.transform, up.last_block, id);
  quick.last.response = v1::encode_phase2(reply_header(sa, Exchange::quick_mode, id), payloads, sa.transform,
                                          up.keys, {}, quick.iv);
  resend_quick_mode_1(sa, id, quick, now);
}

void Engine::resend_quick_mode_1(IsakmpSa& sa, MessageId id, QuickMode& quick, base::Time now) {
  if (quick.stage != Stage::await_message2) return;
  if (quick.sent == most_sent) {
    report(EventKind::rekey_failed, sa, "it does not answer our Quick Mode");
    return abandon_quick_mode(sa, id, now);
  }
  if (quick.sent == 0) quick.asked_at = sa.remote;
  send(sa, quick.last.response);
  timers_.set({TimerKind::quick_resend, sa.number.value, id.value}, now + first_resend * (1 << quick.sent));
  ++quick.sent;
}

bool Engine::take_quick_mode_2(IsakmpSa& sa, QuickMode& quick, const v1::Header& header, ByteView datagram,
                               base::Time now) {
  if (quick.stage != Stage::await_message2) return not_taken(DropReason::wrong_state);
  const auto& up = sa.state.get<Up>();
  auto* peer = peers_.find(up.peer);
  const auto clear = v1::decrypt(header, datagram, sa.transform, up.keys.encryption_key, quick.iv);
  if (!clear) return not_taken(DropReason::undecryptable);
  const auto chain = v1::authenticated_chain(header, clear->body, sa.transform.hash, up.keys, quick.ni);
  if (!chain) return not_taken(DropReason::hash_mismatch);
  if (!v1::legal(Step::quick_mode_2, *chain)) return not_taken(DropReason::unexpected_payload);
  // The IDs that come back are not compared: behind a NAT some clients put other addresses there
  // (clients.md §1), and our selectors do not depend on them.
  const auto nr = chain->find(PayloadType::nonce)->body;
  const auto* ke = chain->find(PayloadType::key_exchange);
  const auto answered = v1::decode_sa(chain->find(PayloadType::sa)->body);
  const auto chosen = answered ? v1::choose(*answered, {quick.suite}, quick.mode) : std::nullopt;
  if (!chosen || chosen->group != quick.pfs || nr.size() < smallest_nonce || nr.size() > largest_nonce ||
      (ke != nullptr) != quick.pfs.has_value() ||
      (ke != nullptr && ke->body.size() != crypto::public_value_size(*quick.pfs)))
    return not_taken(DropReason::malformed);
  // Only the installation that brings the map elements knows whether there will be any: message 2 comes
  // again.
  if (peer == nullptr || peer->entry_presence == Presence::installing)
    return not_taken(DropReason::quick_mode_limit);
  heard(sa, now);
  was_answered(sa, *peer, quick.asked_at);
  answer(sa, quick.last, datagram, {});
  timers_.cancel({TimerKind::quick_resend, sa.number.value, header.message_id.value});
  quick.iv = clear->next_iv;
  quick.nr = base::to_bytes(nr);
  quick.out = chosen->spi;
  quick.lifetime = std::min(quick.lifetime, chosen->lifetime.value_or(quick.lifetime));
  for (const auto& payload : chain->payloads) {
    if (payload.type != PayloadType::notification) continue;
    const auto n = v1::decode_notification(payload.body);
    if (!n || n->type != v1::notify::responder_lifetime) continue;
    const auto theirs =
        v1::decode_lifetime(v1::esp_attribute::life_type, v1::esp_attribute::life_duration, n->data);
    if (theirs) quick.lifetime = std::min(quick.lifetime, *theirs);
  }
  if (ke == nullptr) {
    install_inbound(sa, header.message_id, quick, now);
    return true;
  }
  quick.stage = Stage::await_dh;
  quick.ticket = new_ticket({.sa = sa.number, .exchange = header.message_id});
  effects_.emplace_back(ComputeDh{.ticket = quick.ticket,
                                  .group = *quick.pfs,
                                  .peer_public_value = base::to_bytes(ke->body),
                                  .own = std::exchange(quick.own, std::nullopt)});
  return true;
}

void Engine::send_quick_mode_3(IsakmpSa& sa, MessageId id, QuickMode& quick, base::Time now) {
  const auto& up = sa.state.get<Up>();
  const auto hash = v1::phase2_hash3(sa.transform.hash, up.keys.skeyid_a, id, quick.ni, quick.nr);
  quick.last.response =
      v1::encode_encrypted(reply_header(sa, Exchange::quick_mode, id), {{PayloadType::hash, hash.view()}},
                           sa.transform, up.keys.encryption_key, quick.iv);
  send(sa, quick.last.response);
  quick.stage = Stage::confirming;
  // The peer installs the pair when message 3 is there. Until then the old one carries what we send.
  const auto* peer = peers_.find(up.peer);
  if (peer->active(quick.service) == nullptr) return confirm(sa, id, quick, now);
  timers_.set({TimerKind::quick_confirm, sa.number.value, id.value}, now + between_looks);
}

void Engine::look_for_traffic(const IsakmpSa& sa, MessageId id, QuickMode& quick, base::Time) {
  if (quick.stage != Stage::confirming) return;
  const auto* peer = peers_.find(sa.state.get<Up>().peer);
  const auto ticket = new_ticket({.sa = sa.number, .exchange = id});
  effects_.emplace_back(LookForTraffic{ticket, peer->inbound_id(quick.in)});
}

void Engine::traffic_seen(IsakmpSa& sa, MessageId id, const TrafficSeen& seen, base::Time now) {
  const auto it = sa.quick_modes.find(id);
  if (it == sa.quick_modes.end() || it->second.stage != Stage::confirming) return;
  auto& quick = it->second;
  auto* peer = peers_.find(sa.state.get<Up>().peer);
  if (peer->child_by_in(quick.in) == nullptr) return abandon_quick_mode(sa, id, now);
  if (seen.packets > 0 || peer->active(quick.service) == nullptr || quick.looks == most_looks)
    return confirm(sa, id, quick, now);
  if (repeat_message_3(++quick.looks)) send(sa, quick.last.response);
  timers_.set({TimerKind::quick_confirm, sa.number.value, id.value}, now + between_looks);
}

void Engine::confirm(IsakmpSa& sa, MessageId id, QuickMode& quick, base::Time now) {
  auto* peer = peers_.find(sa.state.get<Up>().peer);
  timers_.cancel({TimerKind::quick_confirm, sa.number.value, id.value});
  if (peer == nullptr || peer->child_by_in(quick.in) == nullptr) {
    quick.stage = Stage::done;
    timers_.set({TimerKind::quick_forget, sa.number.value, id.value}, now);
    return;
  }
  if (peer->policies[quick.service] == Presence::installing) {
    timers_.set({TimerKind::quick_confirm, sa.number.value, id.value}, now + between_looks);
    return;
  }
  install_outbound(sa, id, quick, *peer);
  quick.g_xy = {};
  quick.stage = Stage::done;
  timers_.set({TimerKind::quick_forget, sa.number.value, id.value}, now + remember_done);
}

}  // namespace ike
