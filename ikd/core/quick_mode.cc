// Quick Mode (RFC 2409 §5.5) as responder, and what both roles share: one pair of ESP SAs in transport mode.
// The inbound SA stands before message 2 leaves, so that no ESP arrives unknown; the outbound one follows
// message 3.

#include <utility>

#include "ike/engine.h"
#include "ike/v1/identification.h"

namespace ike {
namespace {

using namespace std::chrono_literals;
using v1::Exchange;
using v1::Payload;
using v1::PayloadType;
using v1::Step;

constexpr std::size_t most_quick_modes = 4;
/// Through one ISAKMP SA: each costs the kernel two SAs, with PFS also Diffie-Hellman. Not of a peer, whose
/// share would be spent by who only claims to be it.
constexpr double quick_modes_a_second = 10, quick_modes_at_once = 50;

std::optional<xfrm::Spi> active_pair(const Peer* peer, const Service& service) {
  const auto* child = peer == nullptr ? nullptr : peer->active(service);
  return child == nullptr ? std::nullopt : std::optional(child->in);
}

}  // namespace

bool Engine::quick_mode(IsakmpSa& sa, const v1::Header& header, ByteView datagram, base::Time now) {
  const auto known = sa.quick_modes.find(header.message_id);
  if (known == sa.quick_modes.end()) return quick_mode_1(sa, header, datagram, now);
  auto& quick = known->second;
  if (answer_duplicate(sa, quick.last, datagram)) return false;
  if (quick.role == Role::initiator) return take_quick_mode_2(sa, quick, header, datagram, now);
  if (quick.stage != QuickMode::Stage::await_hash3) return not_taken(DropReason::wrong_state);
  return quick_mode_3(sa, quick, header, datagram, now);
}

bool Engine::quick_mode_1(IsakmpSa& sa, const v1::Header& header, ByteView datagram, base::Time now) {
  const auto& up = sa.state.get<Up>();
  const auto id = header.message_id;
  if (sa.used_ids.contains(id)) return not_taken(DropReason::message_id_used);
  const auto clear = v1::decrypt(header, datagram, sa.transform, up.keys.encryption_key,
                                 v1::phase2_iv(sa.transform, up.last_block, id));
  if (!clear) return not_taken(DropReason::undecryptable);
  const auto chain = v1::authenticated_chain(header, clear->body, sa.transform.hash, up.keys, {});
  if (!chain) return not_taken(DropReason::hash_mismatch);
  if (!v1::legal(Step::quick_mode_1, *chain)) return not_taken(DropReason::unexpected_payload);
  const auto ni = chain->find(PayloadType::nonce)->body;
  if (ni.size() < smallest_nonce || ni.size() > largest_nonce ||
      chain->count(PayloadType::identification) % 2 != 0)
    return not_taken(DropReason::malformed);
  const auto unfinished = std::ranges::count_if(
      sa.quick_modes, [](const auto& entry) { return entry.second.stage != QuickMode::Stage::done; });
  if (static_cast<std::size_t>(unfinished) >= (sa.claims_peer() ? 1 : most_quick_modes))
    return not_taken(DropReason::quick_mode_limit);
  if (!sa.may_begin.take(quick_modes_a_second, quick_modes_at_once, now))
    return not_taken(DropReason::quick_mode_limit);
  sa.used_ids.insert(id);
  heard(sa, now);  // and not before: what is dropped above can be played back for ever

  std::vector<ByteView> ids;
  for (const auto& p : chain->payloads) {
    if (p.type == PayloadType::identification) ids.push_back(p.body);
  }
  if (ids.size() != 2)
    return refuse_quick_mode(sa, v1::notify::invalid_id_information, "it names no traffic (IDci, IDcr)",
                             Refusal::traffic_not_served);
  const auto idci = v1::decode_identification(ids[0]);
  const auto idcr = v1::decode_identification(ids[1]);
  if (!idci || !idcr) return not_taken(DropReason::malformed);
  if (std::ranges::any_of(ids, [](ByteView body) { return body.size() > largest_identification; }))
    return refuse_quick_mode(
        sa, v1::notify::invalid_id_information,
        "it names its traffic in more than " + std::to_string(largest_identification) + " bytes",
        Refusal::traffic_not_served);
  const Ends ends{.client = sa.remote.address,
                  .ours = sa.local.address,
                  .our_address = sa.nat.we_behind_nat ? OurAddress::behind_nat : OurAddress::seen_by_all};
  const auto service = service_asked(*idci, *idcr, ends, settings_.inner_ids, settings_.services);
  if (!service)
    return refuse_quick_mode(sa, v1::notify::invalid_id_information, service.error().message,
                             Refusal::traffic_not_served);
  const auto mode = sa.nat.any() ? v1::udp_transport_of(sa.nat_flavour) : v1::EncapsulationMode::transport;
  const auto offer = choose_offer(sa, *chain, mode);
  if (!offer) return true;
  const auto* ke = chain->find(PayloadType::key_exchange);
  if (offer->group.has_value() != (ke != nullptr) ||
      (ke != nullptr && ke->body.size() != crypto::public_value_size(*offer->group)))
    return refuse_quick_mode(sa, v1::notify::invalid_key_information, "its KE payload does not fit the group",
                             Refusal::key_exchange_failed);

  auto& quick = sa.quick_modes[id];
  quick.began = now;
  quick.iv = clear->next_iv;
  quick.ni = base::to_bytes(ni);
  quick.nr = random_of(nonce_size);
  quick.idci = base::to_bytes(ids[0]);
  quick.idcr = base::to_bytes(ids[1]);
  quick.suite = offer->suite;
  quick.service = *service;
  quick.mode = offer->mode;
  quick.out = offer->spi;
  quick.in = new_spi(sa.local.address);
  const auto asked = offer->lifetime.value_or(default_lifetime);
  quick.lifetime = std::min(asked, settings_.esp_lifetime);
  quick.shorter_lifetime = asked > quick.lifetime;
  quick.kilobytes = offer->kilobytes;
  quick.pfs = offer->group;
  quick.replaces = active_pair(peers_.find(up.peer), quick.service);
  if (mode != v1::EncapsulationMode::transport) quick.nat_oas = chain->count(v1::nat_oa_of(sa.nat_flavour));
  auto proposal = offer->proposal;
  wire::Writer spi;
  spi.u32(quick.in.value);
  proposal.spi = spi.view();
  quick.sa_body = v1::encode_sa({.doi = 1, .situation = 1, .proposals = {proposal}});
  answer(sa, quick.last, datagram, {});
  if (ke == nullptr) {
    install_inbound(sa, id, quick, now);
  } else {
    quick.ticket = new_ticket({.sa = sa.number, .exchange = id});
    effects_.emplace_back(ComputeDh{quick.ticket, *offer->group, base::to_bytes(ke->body)});
  }
  return true;
}

std::optional<v1::EspOffer> Engine::choose_offer(IsakmpSa& sa, const v1::Chain& chain,
                                                 v1::EncapsulationMode mode) {
  const auto offered = v1::decode_sa(chain.find(PayloadType::sa)->body);
  if (!offered) {
    drop(DropReason::malformed);
    return std::nullopt;
  }
  auto offer = v1::choose(*offered, suites_for(sa.client, settings_.esp_suites), mode);
  // However weak for phase 1: with it the keys are no weaker than without PFS, which is taken, too.
  const bool group_known = !offer || !offer->group || crypto::public_value_size(*offer->group) != 0;
  if (offer && group_known) return offer;
  ++counters_.refused_proposals;
  const std::string_view how =
      mode == v1::EncapsulationMode::transport ? "transport mode" : "UDP transport mode";
  refuse_quick_mode(sa, v1::notify::no_proposal_chosen,
                    group_known
                        ? "ESP: it offers " + v1::describe(*offered) + ", wanted is " + std::string(how) +
                              (sa.client == Client::android ? ", and not sha256, which it truncates" : "")
                        : "its PFS group is unknown",
                    group_known ? Refusal::no_common_esp_proposal : Refusal::pfs_group_unknown);
  return std::nullopt;
}

bool Engine::refuse_quick_mode(IsakmpSa& sa, std::uint16_t notify_type, std::string why, Refusal refusal) {
  report(EventKind::quick_mode_refused, sa, std::move(why), refusal);
  send_informational(sa, PayloadType::notification,
                     v1::encode_notification(
                         {.protocol = v1::protocol_ipsec_esp, .spi = {}, .type = notify_type, .data = {}}));
  return true;
}

void Engine::quick_dh_done(IsakmpSa& sa, MessageId id, DhDone done, base::Time now) {
  const auto it = sa.quick_modes.find(id);
  if (it == sa.quick_modes.end() || it->second.stage != QuickMode::Stage::await_dh) return;
  if (!done.result) {
    refuse_quick_mode(sa, v1::notify::invalid_key_information, done.result.error().message,
                      Refusal::key_exchange_failed);
    sa.quick_modes.erase(it);
    return;
  }
  it->second.g_xr = std::move(done.result->public_value);
  it->second.g_xy = std::move(done.result->shared);
  install_inbound(sa, id, it->second, now);
}

void Engine::install_inbound(IsakmpSa& sa, MessageId id, QuickMode& quick, base::Time now) {
  const auto& up = sa.state.get<Up>();
  auto* peer = peers_.find(up.peer);
  if (peer == nullptr) return;
  // Another Quick Mode is bringing the map elements, and may fail: the peer's repetition comes in time.
  // Whose place is not proved makes nobody's pairs go.
  if (peer->entry_presence == Presence::installing || (sa.claims_peer() && crowded(*peer, quick.service))) {
    drop(DropReason::quick_mode_limit);
    if (quick.role == Role::responder) sa.used_ids.erase(id);
    sa.quick_modes.erase(id);
    return;
  }
  make_room(*peer, quick.service, now);
  const auto keys_for = [&](xfrm::Spi spi) {
    return v1::derive_keymat(sa.transform.hash, up.keys.skeyid_d, quick.g_xy.view(), spi, quick.ni, quick.nr,
                             quick.suite);
  };
  const bool ours = quick.role == Role::initiator;
  quick.outbound_keys = keys_for(quick.out);
  quick.stage = QuickMode::Stage::await_inbound;
  quick.ticket = new_ticket({.sa = sa.number,
                             .exchange = id,
                             .installs = xfrm::Direction::in,
                             .peer = peer->number,
                             .in = quick.in});
  peer->children.push_back({.in = quick.in,
                            .out = quick.out,
                            .suite = quick.suite,
                            .service = quick.service,
                            .state = ours ? ChildState::confirming : ChildState::answering,
                            .installed = now,
                            .began = quick.began,
                            .lifetime = quick.lifetime,
                            .kilobytes = quick.kilobytes,
                            .ours = ours,
                            .replaces = quick.replaces,
                            .least_nonce = std::min(quick.ni, quick.nr)});
  peers_.claim(*peer, quick.in);
  InstallInbound effect{
      .ticket = quick.ticket, .sa = inbound_sa(*peer, quick, keys_for(quick.in)), .new_entry = {}};
  if (peer->entry_presence == Presence::absent) {
    effect.new_entry = peer->entry();
    peer->entry_presence = Presence::installing;
  }
  timers_.cancel({TimerKind::peer_lost, peer->number.value});
  effects_.emplace_back(std::move(effect));
}

void Engine::inbound_installed(IsakmpSa& sa, MessageId id, DoneOrRefused result, base::Time now) {
  auto& quick = sa.quick_modes.at(id);
  auto* peer = peers_.find(sa.state.get<Up>().peer);
  const bool wanted = peer != nullptr && peer->child_by_in(quick.in) != nullptr;
  if (!result) {
    report(EventKind::kernel_refused, sa, result.error().message, result.error().refusal);
    // The kernel has no SA of ours by this name; somebody else's by the same must not be removed.
    if (wanted) forget_child(*peer, quick.in, now);
  }
  if (!result || !wanted) return abandon_quick_mode(sa, id, now);
  if (quick.role == Role::initiator) return send_quick_mode_3(sa, id, quick, now);
  quick.stage = QuickMode::Stage::await_hash3;
  send_quick_mode_2(sa, id, quick, now);
}

// Whoever shall see no NAT before us shall not read of another address either.
base::Address Engine::original_address(const IsakmpSa& sa, ByteView our_id) {
  const auto named = v1::decode_identification(our_id);
  return sa.nat.pretended && named ? named->address().value_or(sa.local.address) : sa.local.address;
}

void Engine::send_quick_mode_2(IsakmpSa& sa, MessageId id, QuickMode& quick, base::Time now) {
  if (quick.stage != QuickMode::Stage::await_hash3) return;
  if (quick.sent == most_sent) {
    report(EventKind::quick_mode_refused, sa, "it never answered message 2 of its Quick Mode",
           Refusal::quick_mode_unanswered);
    send_delete_esp(sa, quick.in);  // or its message 3 never came, and it sends into the void
    return abandon_quick_mode(sa, id, now);
  }
  if (quick.sent == 0) {
    quick.asked_at = sa.remote;
    const auto& up = sa.state.get<Up>();
    const auto nat_oas =
        v1::nat_oa_answer(quick.nat_oas, sa.remote.address, original_address(sa, quick.idcr));
    std::vector<Payload> payloads{{PayloadType::sa, quick.sa_body}, {PayloadType::nonce, quick.nr}};
    if (!quick.g_xr.empty()) payloads.push_back({PayloadType::key_exchange, quick.g_xr});
    // Byte for byte: several clients compare them with what they sent (clients.md §3).
    payloads.push_back({PayloadType::identification, quick.idci});
    payloads.push_back({PayloadType::identification, quick.idcr});
    for (const auto& body : nat_oas) payloads.push_back({v1::nat_oa_of(sa.nat_flavour), body});
    Bytes lifetime_body;
    if (quick.shorter_lifetime) {  // RFC 2407 §4.6.3.1
      wire::Writer spi;
      spi.u32(quick.in.value);
      const auto data =
          v1::encode_lifetime(v1::esp_attribute::life_type, v1::esp_attribute::life_duration, quick.lifetime);
      lifetime_body = v1::encode_notification({.protocol = v1::protocol_ipsec_esp,
                                               .spi = spi.view(),
                                               .type = v1::notify::responder_lifetime,
                                               .data = data});
      payloads.push_back({PayloadType::notification, lifetime_body});
    }
    quick.last.response = v1::encode_phase2(reply_header(sa, Exchange::quick_mode, id), payloads,
                                            sa.transform, up.keys, quick.ni, quick.iv);
  }
  send(sa, quick.last.response);
  timers_.set({TimerKind::quick_resend, sa.number.value, id.value}, now + first_resend * (1 << quick.sent));
  ++quick.sent;
}

bool Engine::quick_mode_3(IsakmpSa& sa, QuickMode& quick, const v1::Header& header, ByteView datagram,
                          base::Time now) {
  const auto& up = sa.state.get<Up>();
  const auto clear = v1::decrypt(header, datagram, sa.transform, up.keys.encryption_key, quick.iv);
  if (!clear) return not_taken(DropReason::undecryptable);
  const auto chain = v1::decode_chain(header.next, clear->body);
  const auto expected =
      v1::phase2_hash3(sa.transform.hash, up.keys.skeyid_a, header.message_id, quick.ni, quick.nr);
  if (!chain || !v1::legal(Step::quick_mode_3, *chain) ||
      !base::same_in_constant_time(chain->find(PayloadType::hash)->body, expected.view()))
    return not_taken(DropReason::hash_mismatch);
  auto* peer = peers_.find(up.peer);
  auto* child = peer == nullptr ? nullptr : peer->child_by_in(quick.in);
  if (child == nullptr) return not_taken(DropReason::wrong_state);
  // Another Quick Mode is bringing the policy, and may fail: message 2 and 3 will be repeated.
  if (peer->policies[quick.service] == Presence::installing) return not_taken(DropReason::quick_mode_limit);
  timers_.cancel({TimerKind::quick_resend, sa.number.value, header.message_id.value});
  was_answered(sa, *peer, quick.asked_at);
  heard(sa, now);
  peer->esp_terms.try_emplace(quick.service, quick.terms());
  install_outbound(sa, header.message_id, quick, *peer);
  sa.quick_modes.erase(header.message_id);  // a duplicate has a message ID that was used
  return true;
}

void Engine::install_outbound(IsakmpSa& sa, MessageId id, QuickMode& quick, Peer& peer) {
  auto& child = *peer.child_by_in(quick.in);
  child.state = ChildState::installing;
  const auto ticket = new_ticket({.sa = sa.number,
                                  .exchange = id,
                                  .installs = xfrm::Direction::out,
                                  .peer = peer.number,
                                  .in = quick.in,
                                  .service = quick.service});
  InstallOutbound effect{.ticket = ticket,
                         .sa = outbound_sa(peer, quick, std::exchange(quick.outbound_keys, {})),
                         .new_policy = {}};
  child.lookup_mark = effect.sa.mark;
  if (auto& policy = peer.policies[quick.service]; policy == Presence::absent) {
    effect.new_policy = outbound_policy(peer, quick.service);
    policy = Presence::installing;
  }
  effects_.emplace_back(std::move(effect));
}

void Engine::abandon_quick_mode(IsakmpSa& sa, MessageId id, base::Time now) {
  const auto it = sa.quick_modes.find(id);
  if (it == sa.quick_modes.end()) return;
  // The peer believes in the pair since our message 3.
  if (it->second.stage == QuickMode::Stage::confirming) confirm(sa, id, it->second, now);
  const bool finished = it->second.stage == QuickMode::Stage::done;
  const auto in = it->second.in;
  for (const auto kind : {TimerKind::quick_resend, TimerKind::quick_confirm, TimerKind::quick_forget})
    timers_.cancel({kind, sa.number.value, id.value});
  sa.quick_modes.erase(it);
  if (finished) return;
  auto* peer = peers_.find(sa.state.get<Up>().peer);
  if (peer != nullptr) remove_child(*peer, in, now);
}

}  // namespace ike
