// Main Mode as initiator (RFC 2409 §5, RFC 3947 §3 and §4): for a peer whose
// ISAKMP SA has gone or is about to go, towards where it is now, and for a connection of our own.

#include <algorithm>
#include <iterator>
#include <utility>

#include "ike/engine.h"
#include "ike/v1/identification.h"
#include "ike/v1/vendor_ids.h"

namespace ike {
namespace {

using namespace std::chrono_literals;
using v1::Exchange;
using v1::Payload;
using v1::PayloadType;
using v1::Step;

Bytes offer(const IkeTerms& terms) {
  constexpr std::uint8_t key_ike = 1;  // RFC 2407 §4.4.2
  const auto attributes = v1::encode_attributes(terms.transform, terms.lifetime, terms.authentication);
  const v1::Transform transform{.number = 1, .id = key_ike, .attributes = {}, .raw_attributes = attributes};
  return v1::encode_sa(
      {.doi = 1,
       .situation = 1,
       .proposals = {{.number = 1, .protocol = v1::protocol_isakmp, .spi = {}, .transforms = {transform}}}});
}

}  // namespace

void Engine::connect(Connection connection, base::Time now) {
  const auto service = connection.esp.service;
  open_main_mode(std::move(connection), PeerNumber(0), service, now);
}

void Engine::open_main_mode(Connection connection, PeerNumber rekeys, std::optional<Service> then_quick_mode,
                            base::Time now) {
  const SaNumber number(++last_sa_);
  auto& sa = sas_[number];
  sa.number = number;
  sa.role = Role::initiator;
  sa.budget.lift();  // nobody but us has begun it
  do {
    random_(sa.initiator);
  } while (sa.initiator == Cookie{} || by_initiator_cookie_.contains(sa.initiator));
  by_initiator_cookie_.emplace(sa.initiator, number);
  sa.local = connection.local;
  sa.remote = connection.remote;
  sa.transform = connection.ike.transform;
  sa.authentication = connection.ike.authentication;
  sa.began = now;
  sa.lifetime = std::min(connection.ike.lifetime, settings_.ike_lifetime);
  sa.sa_body = offer(connection.ike);
  sa.rekeys = rekeys;
  sa.then_quick_mode = then_quick_mode;
  if (auto* peer = peers_.find(rekeys); peer != nullptr) {
    peer->reaching = number;
    sa.client = peer->client;
  }
  sa.state = SentSa{};
  std::vector<Payload> payloads{{PayloadType::sa, sa.sa_body}};
  std::ranges::copy(own_vendor_ids(connection.ike), std::back_inserter(payloads));
  sa.connection = std::make_unique<Connection>(std::move(connection));
  request(sa, v1::encode_clear(reply_header(sa, Exchange::main_mode, MessageId(0)), payloads), now);
}

void Engine::request(IsakmpSa& sa, Bytes message, base::Time now) {
  sa.last.response = std::move(message);
  sa.sent = 0;
  resend_request(sa, now);
}

void Engine::resend_request(IsakmpSa& sa, base::Time now) {
  if (sa.sent == most_sent) {
    if (auto* peer = peers_.find(sa.rekeys); peer != nullptr)
      report(EventKind::rekey_failed, *peer, "it does not answer our Main Mode");
    return forget_sa(sa.number, now);
  }
  send(sa, sa.last.response);
  timers_.set({TimerKind::main_resend, sa.number.value}, now + first_resend * (1 << sa.sent));
  ++sa.sent;
}

void Engine::give_up(const IsakmpSa& sa, std::string why, base::Time now) {
  auto* peer = peers_.find(sa.rekeys);
  if (peer != nullptr) {
    report(EventKind::rekey_failed, *peer, std::move(why));
  } else {
    report(EventKind::authentication_failed, sa, std::move(why));
  }
  forget_sa(sa.number, now);
}

void Engine::initiated_main_mode(IsakmpSa& sa, const v1::Header& header, ByteView datagram, base::Time now) {
  if (header.message_id.value != 0) return drop(DropReason::malformed);
  if (sa.state.is<SentId>()) return take_main_mode_6(sa, header, datagram, now);
  if (header.encrypted()) return drop(DropReason::wrong_state);
  if (sa.state.is<SentSa>()) return take_main_mode_2(sa, header, datagram);
  if (sa.state.is<SentKe>()) return take_main_mode_4(sa, header, datagram);
  drop(DropReason::wrong_state);  // repeated, as a rule
}

void Engine::take_main_mode_2(IsakmpSa& sa, const v1::Header& header, ByteView datagram) {
  const auto chain = v1::decode_chain(header.next, datagram.subspan(v1::header_size));
  if (!chain) return drop(DropReason::malformed);
  if (!v1::legal(Step::main_mode_2, *chain)) return drop(DropReason::unexpected_payload);
  const auto answered = v1::decode_sa(chain->find(PayloadType::sa)->body);
  const auto chosen = answered ? v1::choose(*answered, {sa.transform}, {sa.authentication}) : std::nullopt;
  if (!chosen || header.responder == Cookie{}) return drop(DropReason::malformed);
  sa.responder = header.responder;
  sa.lifetime = std::min(sa.lifetime, chosen->lifetime.value_or(sa.lifetime));
  const auto flavour = sa.connection->ike.nat_flavour;
  const bool taken = flavour != v1::NatFlavour::none && v1::has_vendor(*chain, v1::vendor_of(flavour));
  sa.nat_flavour = taken ? flavour : v1::NatFlavour::none;
  sa.fragments = v1::understands_fragments(*chain);
  sa.dpd = v1::has_vendor(*chain, v1::vendor_dpd);
  timers_.cancel({TimerKind::main_resend, sa.number.value});
  const auto ticket = new_ticket({.sa = sa.number, .exchange = {}});
  sa.state = MakingKeyPair{ticket};
  effects_.emplace_back(MakeKeyPair{ticket, sa.transform.group});
}

void Engine::send_main_mode_3(IsakmpSa& sa, KeyPairMade made, base::Time now) {
  const auto* state = sa.state.get_if<MakingKeyPair>();
  if (state == nullptr || state->ticket != made.ticket) return;
  if (!made.result) return forget_sa(sa.number, now);
  SentKe next{.own = std::move(*made.result), .ni = random_of(nonce_size)};
  std::vector<Payload> payloads{{PayloadType::key_exchange, next.own.public_value},
                                {PayloadType::nonce, next.ni}};
  auto about_peer = v1::nat_d(sa.transform.hash, sa.initiator, sa.responder, sa.remote);
  const auto about_us = v1::nat_d(sa.transform.hash, sa.initiator, sa.responder, sa.local);
  // What echo can do for an initiator: the peer takes UDP encapsulation in any case.
  if (settings_.nat_detection == v1::NatDetection::echo) about_peer = random_of(about_peer.size());
  if (sa.nat_flavour != v1::NatFlavour::none) {
    payloads.push_back({v1::nat_d_of(sa.nat_flavour), about_peer});
    payloads.push_back({v1::nat_d_of(sa.nat_flavour), about_us});
  }
  const auto requests = certificate_requests(sa);
  for (const auto& body : requests) payloads.push_back({PayloadType::certificate_request, body});
  auto message = v1::encode_clear(reply_header(sa, Exchange::main_mode, MessageId(0)), payloads);
  sa.state = std::move(next);
  request(sa, std::move(message), now);
}

void Engine::take_main_mode_4(IsakmpSa& sa, const v1::Header& header, ByteView datagram) {
  const auto chain = v1::decode_chain(header.next, datagram.subspan(v1::header_size));
  if (!chain) return drop(DropReason::malformed);
  if (!v1::legal(Step::main_mode_4, *chain)) return drop(DropReason::unexpected_payload);
  const auto ke = chain->find(PayloadType::key_exchange)->body;
  const auto nr = chain->find(PayloadType::nonce)->body;
  if (ke.size() != crypto::public_value_size(sa.transform.group) || nr.size() < smallest_nonce ||
      nr.size() > largest_nonce)
    return drop(DropReason::malformed);
  sa.nat = v1::find_nat(*chain, sa.nat_flavour, sa.transform.hash, sa.initiator, sa.responder, sa.local,
                        sa.remote);
  sa.nat.pretended = settings_.nat_detection == v1::NatDetection::echo && !sa.nat.about_us.empty();
  note_requests(sa, *chain);
  timers_.cancel({TimerKind::main_resend, sa.number.value});
  auto& state = sa.state.get<SentKe>();
  const auto ticket = new_ticket({.sa = sa.number, .exchange = {}});
  Deriving next{.ticket = ticket,
                .ni = std::move(state.ni),
                .nr = base::to_bytes(nr),
                .g_xi = state.own.public_value,
                .g_xr = base::to_bytes(ke),
                .g_xy = {}};
  effects_.emplace_back(ComputeDh{.ticket = ticket,
                                  .group = sa.transform.group,
                                  .peer_public_value = next.g_xr,
                                  .own = std::move(state.own)});
  sa.state = std::move(next);
}

void Engine::derive_skeyid(IsakmpSa& sa, DhDone done, base::Time now) {
  auto* state = sa.state.get_if<Deriving>();
  if (state == nullptr || state->ticket != done.ticket) return;
  if (!done.result) return give_up(sa, done.result.error().message, now);
  if (sa.authentication != AuthMethod::psk) return sign_main_mode_5(sa, std::move(done), now);
  state->g_xy = std::move(done.result->shared);
  state->ticket = new_ticket({.sa = sa.number, .exchange = {}});
  effects_.emplace_back(DeriveSkeyids{.ticket = state->ticket,
                                      .hash = sa.transform.hash,
                                      .ni = state->ni,
                                      .nr = state->nr,
                                      .peer = sa.remote.address,
                                      .names = {sa.connection->psk}});
}

void Engine::prove_psk(IsakmpSa& sa, SkeyidsDone done, base::Time now) {
  auto* state = sa.state.get_if<Deriving>();
  if (state == nullptr || state->ticket != done.ticket) return;
  if (done.candidates.empty()) return give_up(sa, "its pre-shared key is not configured any more", now);
  // While its secret is being changed, the one that the peer has used.
  const auto* peer = peers_.find(sa.rekeys);
  auto known = done.candidates.begin();
  if (peer != nullptr)
    known = std::ranges::find(done.candidates, peer->authentication.secret_id, &NamedSkeyid::id);
  if (known == done.candidates.end()) known = done.candidates.begin();
  auto keys = v1::derive_session_keys(sa.transform, known->skeyid, state->g_xy, sa.initiator, sa.responder);
  SentId next{.key = std::move(*known),
              .keys = std::move(keys),
              .g_xi = std::move(state->g_xi),
              .g_xr = std::move(state->g_xr),
              .iv = {}};
  const auto id_body = own_id(sa);
  const auto hash = v1::phase1_hash(sa.transform.hash, next.key.skeyid, next.g_xi, next.g_xr, sa.initiator,
                                    sa.responder, sa.sa_body, id_body);
  send_main_mode_5(sa, std::move(next),
                   {{PayloadType::identification, id_body}, {PayloadType::hash, hash.view()}}, now);
}

void Engine::send_main_mode_5(IsakmpSa& sa, SentId next, std::vector<Payload> payloads, base::Time now) {
  next.iv = v1::phase1_iv(sa.transform, next.g_xi, next.g_xr);
  // RFC 3947 §4: both ports change to 4500 when there is a NAT; a rekey is there already.
  if (sa.nat.any() && sa.local.port == ike_port) {
    sa.local.port = natt_port;
    if (sa.remote.port == ike_port) sa.remote.port = natt_port;
  }
  auto message = v1::encode_encrypted(reply_header(sa, Exchange::main_mode, MessageId(0)), payloads,
                                      sa.transform, next.keys.encryption_key, next.iv);
  sa.asked_at = sa.remote;
  sa.state = std::move(next);
  request(sa, std::move(message), now);
}

void Engine::note_lifetime(IsakmpSa& sa, const v1::Chain& chain) {
  for (const auto& payload : chain.payloads) {
    if (payload.type != PayloadType::notification) continue;
    const auto n = v1::decode_notification(payload.body);
    if (!n || n->type != v1::notify::responder_lifetime) continue;
    const auto theirs =
        v1::decode_lifetime(v1::ike_attribute::life_type, v1::ike_attribute::life_duration, n->data);
    if (theirs) sa.lifetime = std::min(sa.lifetime, *theirs);
  }
}

void Engine::take_main_mode_6(IsakmpSa& sa, const v1::Header& header, ByteView datagram, base::Time now) {
  if (!header.encrypted()) return drop(DropReason::not_encrypted);  // message 4 once more, as a rule
  auto& state = sa.state.get<SentId>();
  const auto clear = v1::decrypt(header, datagram, sa.transform, state.keys.encryption_key, state.iv);
  if (!clear) return drop(DropReason::undecryptable);
  const auto chain = v1::decode_chain(header.next, clear->body);
  const bool by_psk = sa.authentication == AuthMethod::psk;
  if (!chain || !v1::legal(by_psk ? Step::main_mode_6 : Step::main_mode_6_signature, *chain))
    return drop(DropReason::undecryptable);
  if (!by_psk) return verify_main_mode_6(sa, *chain, clear->next_iv);
  const auto id_body = chain->find(PayloadType::identification)->body;
  const auto expected = v1::phase1_hash(sa.transform.hash, state.key.skeyid, state.g_xr, state.g_xi,
                                        sa.responder, sa.initiator, sa.sa_body, id_body);
  if (!base::same_in_constant_time(chain->find(PayloadType::hash)->body, expected.view()))
    return drop(DropReason::hash_mismatch);
  note_lifetime(sa, *chain);
  main_mode_done(sa, id_body, psk_authentication(state.key), std::move(state.keys), clear->next_iv, now);
}

void Engine::main_mode_done(IsakmpSa& sa, ByteView id_body, Authentication proven, v1::SessionKeys keys,
                            Bytes last_block, base::Time now) {
  const auto number = sa.number;
  auto* peer = peer_reached(sa, id_body, std::move(proven), now);
  if (peer == nullptr) return forget_sa(number, now);
  timers_.cancel({TimerKind::main_resend, number.value});
  if (peer->reaching == number) peer->reaching = {};
  if (sa.rekeys.value == 0) peer->esp_terms.try_emplace(sa.connection->esp.service, sa.connection->esp);
  sa.connection.reset();
  phase1_done(sa, std::move(keys), std::move(last_block), *peer, now);
  auto* up = find_sa(number);
  if (up != nullptr && up->then_quick_mode) open_quick_mode(*up, *up->then_quick_mode, now);
}

Peer* Engine::peer_reached(IsakmpSa& sa, ByteView id_body, Authentication proven, base::Time now) {
  const auto id = v1::decode_identification(id_body);
  if (!id) return nullptr;
  if (sa.rekeys.value != 0) {
    auto* peer = peers_.find(sa.rekeys);
    if (peer == nullptr) return nullptr;
    // A certificate may have been renewed under the same subject; with a pre-shared key both are empty.
    if (peer->key.identity == v1::name_in(id_body) && peer->key.certificate == proven.certificate) {
      peers_.prove(*peer, std::move(proven));
      return peer;
    }
    const auto who = proven.certificate.empty() ? v1::describe(*id) : proven.certificate;
    report(EventKind::rekey_failed, *peer, "where it was answers " + who);
    return nullptr;
  }
  return authenticated(sa, id_body, std::move(proven), now);
}

}  // namespace ike
