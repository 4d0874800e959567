// Aggressive Mode as responder, with pre-shared keys that are configured for it (RFC 2409 §5.4). Message 2
// lets whoever asks for a known identity guess its key at leisure, and message 1 costs Diffie-Hellman without
// proof of an address: so only named identities, only strong groups, only so many a second.

#include <algorithm>
#include <iterator>
#include <utility>

#include "crypto/dh.h"
#include "ike/engine.h"
#include "ike/v1/identification.h"

namespace ike {
namespace {

using v1::Exchange;
using v1::Payload;
using v1::PayloadType;
using v1::Step;

/// What [[ike.psk]] calls it: the text of a name or key ID, an address in its usual form.
std::string configured_form(const v1::Identification& id) {
  if (const auto address = id.address()) return address->to_string();
  return std::string(base::as_text(id.data));
}

/// Of ours, those with the group that message 1 already has a value of. Never MODP 1024 or 1536: what passes
/// in clear here must not be worth recording.
std::vector<IkeTransform> transforms_for(const std::vector<IkeTransform>& ours, std::size_t value_size) {
  auto out = ours;
  std::erase_if(out, [value_size](const IkeTransform& t) {
    return t.group == crypto::Group::modp1024 || t.group == crypto::Group::modp1536 ||
           crypto::public_value_size(t.group) != value_size;
  });
  return out;
}

/// Some hash the ports of message 1, others those they have moved to meanwhile: RFC 3947 §4 does not say.
v1::NatFinding nat_of_message_3(const IsakmpSa& sa, const v1::Chain& chain, const base::Endpoint& from,
                                const base::Endpoint& to) {
  const auto find = [&](const base::Endpoint& us, const base::Endpoint& peer) {
    return v1::find_nat(chain, sa.nat_flavour, sa.transform.hash, sa.initiator, sa.responder, us, peer);
  };
  auto out = find(to, from);
  const auto before = find(sa.local, sa.remote);
  out.peer_behind_nat = out.peer_behind_nat && before.peer_behind_nat;
  out.we_behind_nat = out.we_behind_nat && before.we_behind_nat;
  out.pretended = !out.any() && to.port == natt_port;  // it believes in a NAT, and so do its packets
  return out;
}

}  // namespace

void Engine::aggressive_1(const v1::Header& header, ByteView datagram, const base::Endpoint& from,
                          const base::Endpoint& to, base::Time now) {
  if (settings_.aggressive.empty()) return drop(DropReason::unsupported_exchange);
  if (header.initiator == Cookie{} || header.message_id.value != 0 || header.encrypted() ||
      datagram.size() > largest_message_1)
    return drop(DropReason::malformed);
  if (repeats_message_1(header, datagram, from)) return;
  const auto chain = v1::decode_chain(header.next, datagram.subspan(v1::header_size));
  if (!chain) return drop(DropReason::malformed);
  if (!v1::legal(Step::aggressive_1, *chain)) return drop(DropReason::unexpected_payload);
  const auto offered = v1::decode_sa(chain->find(PayloadType::sa)->body);
  const auto id_body = chain->find(PayloadType::identification)->body;
  const auto id = v1::decode_identification(id_body);
  const auto ke = chain->find(PayloadType::key_exchange)->body;
  const auto ni = chain->find(PayloadType::nonce)->body;
  if (!offered || !id || ni.size() < smallest_nonce || ni.size() > largest_nonce)
    return drop(DropReason::malformed);
  const auto psk = settings_.aggressive.find(configured_form(*id));
  if (psk == settings_.aggressive.end()) {
    drop(DropReason::unknown_identity);
    if (!admission_.may_refuse(now)) return;
    effects_.emplace_back(Event{EventKind::authentication_failed,
                                PeerNumber(0),
                                base::Mark(0),
                                from,
                                {},
                                "no pre-shared key with Aggressive Mode is called " + v1::describe(*id),
                                Refusal::unknown_identity});
    return;
  }
  const auto offer = v1::choose(*offered, transforms_for(settings_.ike_transforms, ke.size()));
  if (!offer) return refuse_offer(*offered, header, from, to, now);
  // In this order: what is not computed takes nothing from who else wants to begin.
  if (!admission_.may_compute_unproven(from.address, now) ||
      !admit(admission_.may_begin(from.address, now), now))
    return drop(DropReason::half_open_limit);
  auto& sa = begin_half_open(header, from, to, *chain, *offered, *offer, now);
  answer(sa, sa.last, datagram, {});
  const auto ticket = new_ticket({.sa = sa.number, .exchange = {}});
  sa.state = AnsweringAggressive{.ticket = ticket,
                                 .psk = psk->second,
                                 .id_body = base::to_bytes(id_body),
                                 .ni = base::to_bytes(ni),
                                 .nr = random_of(nonce_size),
                                 .g_xi = base::to_bytes(ke),
                                 .g_xr = {},
                                 .g_xy = {}};
  effects_.emplace_back(ComputeDh{.ticket = ticket,
                                  .group = sa.transform.group,
                                  .peer_public_value = base::to_bytes(ke),
                                  .of_stranger = true});
}

void Engine::aggressive_dh_done(IsakmpSa& sa, DhDone done, base::Time now) {
  auto& state = sa.state.get<AnsweringAggressive>();
  if (state.ticket != done.ticket) return;
  if (!done.result) {
    state.ticket = {};
    report(EventKind::authentication_failed, sa, done.result.error().message, Refusal::key_exchange_failed);
    if (done.put_off) forget_sa(sa.number, now);
    return;
  }
  state.g_xr = std::move(done.result->public_value);
  state.g_xy = std::move(done.result->shared);
  state.ticket = new_ticket({.sa = sa.number, .exchange = {}});
  effects_.emplace_back(DeriveSkeyids{.ticket = state.ticket,
                                      .hash = sa.transform.hash,
                                      .ni = state.ni,
                                      .nr = state.nr,
                                      .peer = sa.remote.address,
                                      .names = {state.psk},
                                      .from = 0});
}

void Engine::aggressive_2(IsakmpSa& sa, SkeyidsDone done, base::Time now) {
  auto& state = sa.state.get<AnsweringAggressive>();
  if (state.ticket != done.ticket) return;
  if (done.candidates.empty()) {  // the key is not for this address
    drop(DropReason::unknown_identity);
    return forget_sa(sa.number, now);
  }
  // One HASH_R can be for one secret only: the newest.
  auto key = std::move(done.candidates.front());
  auto keys = v1::derive_session_keys(sa.transform, key.skeyid, state.g_xy, sa.initiator, sa.responder);
  const auto our_id = own_id(sa);
  const auto hash = v1::phase1_hash(sa.transform.hash, key.skeyid, state.g_xr, state.g_xi, sa.responder,
                                    sa.initiator, sa.sa_body, our_id);
  const auto offered = v1::decode_sa(sa.sa_body);
  const auto offer =
      offered ? v1::choose(*offered, {sa.transform}) : std::nullopt;  // it was chosen from these bytes
  if (!offer) return forget_sa(sa.number, now);
  const auto sa_body = v1::encode_sa({.doi = 1, .situation = 1, .proposals = {offer->proposal}});
  std::vector<Payload> payloads{{PayloadType::sa, sa_body},
                                {PayloadType::key_exchange, state.g_xr},
                                {PayloadType::nonce, state.nr},
                                {PayloadType::identification, our_id},
                                {PayloadType::hash, hash.view()}};
  auto about_peer = v1::nat_d(sa.transform.hash, sa.initiator, sa.responder, sa.remote);
  const auto about_us = v1::nat_d(sa.transform.hash, sa.initiator, sa.responder, sa.local);
  std::ranges::copy(own_vendor_ids(sa.terms()), std::back_inserter(payloads));
  if (sa.nat_flavour != v1::NatFlavour::none) {
    // Nothing to echo: what the peer believes of us comes with message 3 only. Noise makes it take UDP
    // encapsulation in any case.
    if (settings_.nat_detection == v1::NatDetection::echo) about_peer = random_of(about_peer.size());
    payloads.push_back({v1::nat_d_of(sa.nat_flavour), about_peer});
    payloads.push_back({v1::nat_d_of(sa.nat_flavour), about_us});
  }
  AwaitHash next{.key = std::move(key),
                 .keys = std::move(keys),
                 .id_body = std::move(state.id_body),
                 .g_xi = std::move(state.g_xi),
                 .g_xr = state.g_xr,
                 .iv = {}};
  next.iv = v1::phase1_iv(sa.transform, next.g_xi, next.g_xr);
  sa.asked_at = sa.remote;
  answer(sa, sa.last, {}, v1::encode_clear(reply_header(sa, Exchange::aggressive, MessageId(0)), payloads));
  sa.state = std::move(next);
}

void Engine::aggressive(IsakmpSa& sa, const v1::Header& header, ByteView datagram, const base::Endpoint& from,
                        const base::Endpoint& to, base::Time now) {
  if (answer_duplicate(sa, sa.last, datagram)) return;
  if (header.message_id.value != 0) return drop(DropReason::malformed);
  auto* state = sa.state.get_if<AwaitHash>();
  if (state == nullptr) return drop(DropReason::wrong_state);
  if (sa.failures == most_failures) return drop(DropReason::undecryptable);
  // Message 3 may be in clear (RFC 2409 §5.4 leaves it open; racoon's is).
  v1::Decrypted clear{.body = base::to_bytes(datagram.subspan(v1::header_size)), .next_iv = state->iv};
  if (header.encrypted()) {
    auto decrypted = v1::decrypt(header, datagram, sa.transform, state->keys.encryption_key, state->iv);
    if (!decrypted) return drop(DropReason::undecryptable);
    clear = std::move(*decrypted);
  }
  const auto chain = v1::decode_chain(header.next, clear.body);
  const auto expected = v1::phase1_hash(sa.transform.hash, state->key.skeyid, state->g_xi, state->g_xr,
                                        sa.initiator, sa.responder, sa.sa_body, state->id_body);
  if (!chain || !v1::legal(Step::aggressive_3, *chain) ||
      !base::same_in_constant_time(chain->find(PayloadType::hash)->body, expected.view())) {
    drop(DropReason::undecryptable);
    ++counters_.authentication_failures;
    if (++sa.failures == 1)
      report(EventKind::authentication_failed, sa, "its pre-shared key is not that of its identity",
             Refusal::wrong_psk_for_identity);
    return;
  }
  auto proven = std::move(*state);
  sa.nat = nat_of_message_3(sa, *chain, from, to);
  sa.local = to;
  sa.remote = from;
  sa.budget.lift();
  answer(sa, sa.last, datagram, {});
  auto* peer = authenticated(sa, proven.id_body, psk_authentication(proven.key), now);
  if (peer == nullptr) return;
  const auto number = peer->number;
  phase1_done(sa, std::move(proven.keys), std::move(clear.next_iv), *peer, now);
  if (sa.shorter_lifetime)  // there is no message 4 to say so in
    send_informational(sa, PayloadType::notification, responder_lifetime(sa));
  if (v1::says_initial_contact(*chain)) only_self_of_device(number, now);
}

}  // namespace ike
