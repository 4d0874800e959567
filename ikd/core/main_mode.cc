// Main Mode as responder (RFC 2409 §5, RFC 3947 §3).

#include <algorithm>
#include <iterator>
#include <utility>

#include "crypto/cipher.h"
#include "ike/engine.h"
#include "ike/lifetimes.h"
#include "ike/v1/identification.h"

namespace ike {
namespace {

using namespace std::chrono_literals;
using v1::Exchange;
using v1::Payload;
using v1::PayloadType;
using v1::Step;

constexpr auto half_open_time = 30s;
constexpr std::size_t most_isakmp_sas = 4;  // of one peer, rekeys under way included

}  // namespace

void Engine::main_mode_1(const v1::Header& header, ByteView datagram, const base::Endpoint& from,
                         const base::Endpoint& to, base::Time now) {
  if (header.initiator == Cookie{} || header.message_id.value != 0 || header.encrypted() ||
      datagram.size() > largest_message_1)
    return drop(DropReason::malformed);
  if (repeats_message_1(header, datagram, from)) return;
  const auto chain = v1::decode_chain(header.next, datagram.subspan(v1::header_size));
  if (!chain) return drop(DropReason::malformed);
  if (!v1::legal(Step::main_mode_1, *chain)) return drop(DropReason::unexpected_payload);
  const auto sa_body = chain->find(PayloadType::sa)->body;
  const auto offered = v1::decode_sa(sa_body);
  if (!offered) return drop(DropReason::malformed);

  const auto offer = v1::choose(*offered, settings_.ike_transforms, acceptable_methods());
  if (!offer) return refuse_offer(*offered, header, from, to, now);
  if (!admit(admission_.may_begin(from.address, now), now)) return drop(DropReason::half_open_limit);
  auto& sa = begin_half_open(header, from, to, *chain, *offered, *offer, now);
  const auto answer_body = v1::encode_sa({.doi = 1, .situation = 1, .proposals = {offer->proposal}});
  std::vector<Payload> payloads{{PayloadType::sa, answer_body}};
  std::ranges::copy(own_vendor_ids(sa.terms()), std::back_inserter(payloads));
  answer(sa, sa.last, datagram,
         v1::encode_clear(reply_header(sa, Exchange::main_mode, MessageId(0)), payloads));
}

bool Engine::repeats_message_1(const v1::Header& header, ByteView datagram, const base::Endpoint& from) {
  const auto known = half_open_.find({header.initiator, from});
  if (known == half_open_.end()) return false;
  auto& sa = sas_.at(known->second);
  if (!answer_duplicate(sa, sa.last, datagram)) drop(DropReason::wrong_state);
  return true;
}

std::vector<Payload> Engine::own_vendor_ids(const IkeTerms& terms) const {
  const bool all = settings_.vendor_ids == VendorIds::all;
  std::vector<Payload> out;
  if (terms.nat_flavour != v1::NatFlavour::none)
    out.push_back({PayloadType::vendor_id, v1::vendor_of(terms.nat_flavour)});
  if (terms.fragments || all) out.push_back({PayloadType::vendor_id, v1::vendor_fragmentation_main});
  if (terms.dpd || all) out.push_back({PayloadType::vendor_id, v1::vendor_dpd});
  return out;
}

Bytes Engine::own_id(const IsakmpSa& sa) const {
  if (!settings_.identity.empty()) return settings_.identity;
  return v1::encode_identification(v1::identification_of(sa.local.address));
}

void Engine::refuse_offer(const v1::SaPayload& offered, const v1::Header& header, const base::Endpoint& from,
                          const base::Endpoint& to, base::Time now) {
  ++counters_.refused_proposals;
  if (!admission_.may_refuse(now)) return drop(DropReason::answer_limit);
  auto detail = "IKE: it offers " + v1::describe(offered);
  auto refusal = Refusal::no_common_ike_proposal;
  const auto in_main_mode = header.exchange == v1::Exchange::aggressive
                                ? v1::choose(offered, settings_.ike_transforms)
                                : std::nullopt;
  if (in_main_mode) {
    refusal = Refusal::not_in_aggressive_mode;
    detail += ", and Aggressive Mode does not take " + to_string(in_main_mode->transform) +
              ", which Main Mode would";
  } else {
    detail += ", and none of it is configured";
  }
  effects_.emplace_back(
      Event{EventKind::proposal_refused, PeerNumber(0), base::Mark(0), from, {}, std::move(detail), refusal});
  notify_in_clear(header, to, from, v1::notify::no_proposal_chosen);
}

IsakmpSa& Engine::begin_half_open(const v1::Header& header, const base::Endpoint& from,
                                  const base::Endpoint& to, const v1::Chain& chain,
                                  const v1::SaPayload& offered, const v1::IkeOffer& offer, base::Time now) {
  const SaNumber number(++last_sa_);
  auto& sa = sas_[number];
  sa.number = number;
  sa.began = now;
  sa.initiator = header.initiator;
  sa.client = recognise(chain, offered);
  do {
    sa.responder = responder_cookie(sa.client, sa.initiator, random_);
  } while (by_responder_cookie_.contains(sa.responder));
  sa.local = to;
  sa.remote = sa.first_remote = from;
  sa.transform = offer.transform;
  sa.authentication = offer.authentication;
  const auto asked = offer.lifetime.value_or(default_lifetime);
  sa.lifetime = std::min(asked, settings_.ike_lifetime);
  sa.shorter_lifetime = asked > sa.lifetime;
  sa.sa_body = base::to_bytes(chain.find(PayloadType::sa)->body);
  sa.fragments = v1::understands_fragments(chain);
  sa.nat_flavour = v1::choose_nat_flavour(chain);
  sa.dpd = v1::has_vendor(chain, v1::vendor_dpd);
  by_responder_cookie_.emplace(sa.responder, number);
  half_open_.emplace(std::pair(sa.initiator, from), number);
  admission_.begin(number, from.address);
  report(EventKind::setup_begun, sa,
         "it seems to be " + std::string(name_of(sa.client)) + ", and " + to_string(sa.transform) +
             " is chosen");
  timers_.set({TimerKind::half_open, number.value}, now + half_open_time);
  return sa;
}

bool Engine::admit(const Admission::Decision& decision, base::Time now) {
  if (!decision.admitted) return false;
  if (decision.instead_of) {
    drop(DropReason::half_open_limit);
    forget_sa(*decision.instead_of, now);
  }
  return true;
}

/// Main Mode is over, one way or the other.
void Engine::no_longer_half_open(const IsakmpSa& sa) {
  half_open_.erase({sa.initiator, sa.first_remote});
  admission_.end(sa.number);
  timers_.cancel({TimerKind::half_open, sa.number.value});
}

void Engine::setup_timed_out(const IsakmpSa& sa) {
  if (const auto* early = sa.state.get_if<AwaitKe>(); early != nullptr && early->put_off)
    return report(EventKind::setup_abandoned, sa, "too many key exchanges were waiting",
                  Refusal::key_exchange_failed);
  if (sa.state.is<AwaitKe>())
    return report(EventKind::setup_abandoned, sa, "its message 3 never came", Refusal::no_third_message);
  if (sa.failures > 0) return;  // that has been told
  // Behind a NAT message 5 goes to port 4500, the first one that does (RFC 3947 §4).
  const auto* waiting = sa.state.get_if<AwaitId>();
  const bool floats = waiting != nullptr && sa.nat.any() && sa.local.port == ike_port;
  if (waiting != nullptr || sa.state.is<AwaitHash>())
    report(EventKind::setup_abandoned, sa,
           floats ? "its message 5 never came to port 4500" : "what proves its identity never came",
           floats ? Refusal::port_4500_blocked : Refusal::no_proof_came);
}

void Engine::main_mode(IsakmpSa& sa, const v1::Header& header, ByteView datagram, const base::Endpoint& from,
                       const base::Endpoint& to, base::Time now) {
  if (answer_duplicate(sa, sa.last, datagram)) return;
  if (header.message_id.value != 0) return drop(DropReason::malformed);
  if (sa.state.is<AwaitKe>()) return main_mode_3(sa, header, datagram, from, to, now);
  if (sa.state.is<AwaitId>()) return main_mode_5(sa, header, datagram, from, to);
  if (const auto* trying = sa.state.get_if<TryingPsks>();
      trying != nullptr && answer_duplicate(sa, trying->given.tried, datagram))
    return;
  if (const auto* proving = sa.state.get_if<ProvingIdentity>();
      proving != nullptr && answer_duplicate(sa, proving->given.tried, datagram))
    return;
  drop(DropReason::wrong_state);
}

void Engine::main_mode_3(IsakmpSa& sa, const v1::Header& header, ByteView datagram,
                         const base::Endpoint& from, const base::Endpoint& to, base::Time now) {
  if (header.encrypted()) return drop(DropReason::wrong_state);
  const auto chain = v1::decode_chain(header.next, datagram.subspan(v1::header_size));
  if (!chain) return drop(DropReason::malformed);
  if (!v1::legal(Step::main_mode_3, *chain)) return drop(DropReason::unexpected_payload);
  const auto ke = chain->find(PayloadType::key_exchange)->body;
  const auto ni = chain->find(PayloadType::nonce)->body;
  if (ke.size() != crypto::public_value_size(sa.transform.group) || ni.size() < smallest_nonce ||
      ni.size() > largest_nonce)
    return drop(DropReason::malformed);
  // It has our cookie, so its address is no forgery: others get their share of the Diffie-Hellman, too.
  if (!admit(admission_.may_compute(sa.number, from.address, now), now))
    return drop(DropReason::half_open_limit);
  // Some float to 4500 here already (RFC 3947 §4 lets them, once the vendor IDs are exchanged).
  sa.local = to;
  sa.remote = from;
  sa.nat = v1::find_nat(*chain, sa.nat_flavour, sa.transform.hash, sa.initiator, sa.responder, sa.local,
                        sa.remote);
  sa.nat.pretended = settings_.nat_detection == v1::NatDetection::echo && !sa.nat.about_us.empty();
  note_requests(sa, *chain);
  answer(sa, sa.last, datagram, {});
  report(
      EventKind::setup_proven, sa,
      sa.nat.any() ? "there is a NAT on the way, so it goes on at port 4500" : "there is no NAT on the way");
  const auto ticket = new_ticket({.sa = sa.number, .exchange = {}});
  sa.state = AwaitDh{.ticket = ticket, .ni = base::to_bytes(ni), .g_xi = base::to_bytes(ke)};
  effects_.emplace_back(ComputeDh{.ticket = ticket,
                                  .group = sa.transform.group,
                                  .peer_public_value = base::to_bytes(ke),
                                  .of_stranger = true});
}

void Engine::dh_done(IsakmpSa& sa, DhDone done, base::Time now) {
  if (sa.state.is<AnsweringAggressive>()) return aggressive_dh_done(sa, std::move(done), now);
  auto* state = sa.state.get_if<AwaitDh>();
  if (state == nullptr || state->ticket != done.ticket) return;
  if (!done.result && done.put_off) {
    admission_.put_off(sa.number, now);
    sa.last.request_digest = {};
    sa.state = AwaitKe{.put_off = true};
    return drop(DropReason::worker_queue_full);
  }
  admission_.computed(sa.number, now);
  if (!done.result) {
    // It stays until its time is over, and keeps its place in its address's share: else a bad value would
    // buy the next computation.
    state->ticket = {};
    return report(EventKind::authentication_failed, sa, done.result.error().message,
                  Refusal::key_exchange_failed);
  }
  main_mode_4(sa, AwaitId{.source = sa.remote.address,
                          .ni = std::move(state->ni),
                          .nr = random_of(nonce_size),
                          .g_xi = std::move(state->g_xi),
                          .g_xr = std::move(done.result->public_value),
                          .iv = {},
                          .g_xy = std::move(done.result->shared),
                          .tried = {},
                          .resume = {}});
}

void Engine::main_mode_4(IsakmpSa& sa, AwaitId next) {
  next.iv = v1::phase1_iv(sa.transform, next.g_xi, next.g_xr);
  const auto hash_of = [&](const base::Endpoint& e) {
    return v1::nat_d(sa.transform.hash, sa.initiator, sa.responder, e);
  };
  v1::NatDPair truth{.about_peer = hash_of(sa.remote), .about_us = hash_of(sa.local)};
  auto noise = random_of(truth.about_peer.size());
  const auto nat_d = v1::nat_d_answer(settings_.nat_detection, std::move(truth), sa.nat, std::move(noise));
  std::vector<Payload> payloads{{PayloadType::key_exchange, next.g_xr}, {PayloadType::nonce, next.nr}};
  if (sa.nat_flavour != v1::NatFlavour::none) {
    payloads.push_back({v1::nat_d_of(sa.nat_flavour), nat_d.about_peer});
    payloads.push_back({v1::nat_d_of(sa.nat_flavour), nat_d.about_us});
  }
  const auto requests = certificate_requests(sa);
  for (const auto& body : requests) payloads.push_back({PayloadType::certificate_request, body});
  sa.asked_at = sa.remote;
  answer(sa, sa.last, {}, v1::encode_clear(reply_header(sa, Exchange::main_mode, MessageId(0)), payloads));
  sa.state = std::move(next);
}

void Engine::main_mode_5(IsakmpSa& sa, const v1::Header& header, ByteView datagram,
                         const base::Endpoint& from, const base::Endpoint& to) {
  if (!header.encrypted()) return drop(DropReason::not_encrypted);
  const auto size = datagram.size() - v1::header_size;
  if (size == 0 || size % crypto::block_size(sa.transform.cipher) != 0)
    return drop(DropReason::undecryptable);
  if (sa.authentication != AuthMethod::psk) return verify_signature(sa, header, datagram, from, to);
  try_psks(sa, datagram, from, to);
}

Peer* Engine::authenticated(IsakmpSa& sa, ByteView id_body, Authentication proven, base::Time now) {
  if (id_body.size() > largest_identification) {
    ++counters_.authentication_failures;
    report(EventKind::authentication_failed, sa,
           "its identity has " + std::to_string(id_body.size()) + " bytes, and " +
               std::to_string(largest_identification) + " are allowed");
    forget_sa(sa.number, now);
    return nullptr;
  }
  const PeerKey key{.local = sa.local.address,
                    .remote = sa.remote,
                    .identity = v1::name_in(id_body),
                    .psk = proven.method == AuthMethod::psk ? proven.name : std::string(),
                    .certificate = proven.certificate};
  if (const auto ghost = peers_.in_the_way(key, sa.asked_at.address, proven.device)) {
    report(EventKind::sa_deleted, *peers_.find(*ghost), "it never answered from where many say they are");
    bury(*peers_.find(*ghost), now);
  }
  const auto found = peers_.adopt_or_add(key, sa.asked_at.address, proven.device, now);
  if (!found) {
    report(EventKind::no_number_left, sa, found.error().message, Refusal::no_mark_left);
    forget_sa(sa.number, now);
    return nullptr;
  }
  auto* peer = *found;
  const auto id = v1::decode_identification(id_body);
  const bool known = !peer->isakmp_sas.empty() || !peer->children.empty();
  if (known && !proven.device && sa.asked_at != sa.remote) {
    sa.claim = std::make_unique<Authentication>(std::move(proven));
    return peer;
  }
  peer->identity = !proven.certificate.empty() ? proven.certificate : id ? v1::describe(*id) : std::string();
  peers_.prove(*peer, std::move(proven));
  return peer;
}

Bytes Engine::responder_lifetime(const IsakmpSa& sa) {
  const auto spi = sa.spi();
  const auto data =
      v1::encode_lifetime(v1::ike_attribute::life_type, v1::ike_attribute::life_duration, sa.lifetime);
  return v1::encode_notification(
      {.protocol = v1::protocol_isakmp, .spi = spi, .type = v1::notify::responder_lifetime, .data = data});
}

void Engine::main_mode_6(IsakmpSa& sa, std::vector<Payload> payloads, const v1::SessionKeys& keys, Bytes& iv,
                         ByteView request) {
  const auto lifetime = sa.shorter_lifetime ? responder_lifetime(sa) : Bytes();
  if (!lifetime.empty()) payloads.push_back({PayloadType::notification, lifetime});
  sa.budget.lift();
  answer(sa, sa.last, request,
         v1::encode_encrypted(reply_header(sa, Exchange::main_mode, MessageId(0)), payloads, sa.transform,
                              keys.encryption_key, iv));
}

void Engine::tell_of_old_secret(Peer& peer) {
  if (peer.authentication.secret > 0) report(EventKind::old_secret, peer, to_string(peer.authentication));
}

void Engine::phase1_done(IsakmpSa& sa, v1::SessionKeys keys, Bytes last_block, Peer& peer, base::Time now) {
  ++counters_.main_modes;
  const auto answered_from = sa.remote;
  if (sa.role == Role::responder) no_longer_half_open(sa);
  const bool says_what_it_is = sa.role == Role::responder ? !sa.claims_peer() : sa.rekeys.value == 0;
  if (says_what_it_is) {
    peer.local = sa.local;
    peer.remote = sa.remote;
    nat_found(peer, sa.nat, now);
    peer.client = sa.client;
  } else if (sa.local == peer.local) {
    sa.remote = peer.remote;  // it may have moved while we called it
  }
  const bool is_device = !sa.claims_peer() && peer.authentication.device;
  if (answered_from == peer.remote && (answered_from == sa.asked_at || is_device))
    proved_to_be_at(peer, answered_from);
  if (!peer.ike_terms) peer.ike_terms = sa.terms();
  const auto number = sa.number;
  sa.state = Up{.keys = std::move(keys), .last_block = std::move(last_block), .peer = peer.number};
  sa.sa_body = {};
  sa.requested = {};
  sa.nat.about_us = {};
  timers_.set({TimerKind::isakmp_renew, number.value}, now + soft_time(sa.lifetime, random_number()));
  timers_.set({TimerKind::isakmp_end, number.value}, now + sa.lifetime);
  const bool fresh = peer.isakmp_sas.empty() && peer.children.empty();
  peer.isakmp_sas.insert(number);
  if (!sa.claims_peer()) watch_for_silence(peer, now);
  if (fresh) {
    report_after(now - sa.began, EventKind::peer_authenticated, peer, number,
                 to_string(sa.transform) + ", " + to_string(peer.authentication));
  } else {
    report_after({}, EventKind::rekeyed, peer, number, "IKE " + to_string(sa.transform));
    if (!sa.claims_peer()) tell_of_old_secret(peer);
  }
  ask_claimant(sa, now);
  // Each of them may still carry a rekey; more than a few are a peer that forgets its own.
  // This one stays, though it may have begun before the others.
  const auto& all = peer.isakmp_sas;
  if (all.size() <= most_isakmp_sas) return;
  const auto is_other = [number](SaNumber n) { return n != number; };
  const auto goes =
      std::ranges::find_if(all, [&](SaNumber n) { return is_other(n) && sas_.at(n).claims_peer(); });
  forget_sa(goes != all.end() ? *goes : *std::ranges::find_if(all, is_other), now);
}

}  // namespace ike
