#include "ike/engine.h"

#include <cstring>
#include <utility>

#include "crypto/prf.h"

namespace ike {
namespace {

constexpr std::size_t non_esp_marker = 4;
constexpr std::size_t digest_kept = 16;

Bytes digest_of(ByteView datagram) {
  auto out = crypto::digest(crypto::Hash::sha2_256, {datagram});
  out.resize(digest_kept);
  return out;
}

/// PeerMoved and InboundCounted carry none: their peer says it all.
Ticket ticket_of(const Completion& completion) {
  return std::visit(
      [](const auto& c) {
        if constexpr (requires { c.ticket; }) {
          return c.ticket;
        } else {
          return Ticket();
        }
      },
      completion);
}

constexpr std::string_view drop_names[] = {
    "malformed",         "unexpected_payload",   "unknown_cookies",
    "wrong_state",       "unproven_place",       "not_encrypted",
    "undecryptable",     "hash_mismatch",        "half_open_limit",
    "worker_queue_full", "answer_limit",         "quick_mode_limit",
    "message_id_used",   "unsupported_exchange", "unsupported_notification",
    "psk_trial_limit",   "fragment_limit",       "unknown_identity"};
static_assert(std::size(drop_names) == static_cast<std::size_t>(DropReason::count_));

/// By keys, certificates and trust that may be others now. A client that loses an Aggressive Mode, and
/// whatever we renew, begins anew.
bool proves_by_old_terms(const MainMode& state) {
  return state.is<AnsweringAggressive>() || state.is<AwaitHash>() || state.is<Deriving>() ||
         state.is<Signing>() || state.is<SentId>() || state.is<Verifying>();
}

}  // namespace

std::string_view name_of(DropReason reason) { return drop_names[static_cast<std::size_t>(reason)]; }

std::size_t Engine::CookieHash::operator()(const Cookie& c) const {
  std::size_t out = 0;  // these cookies are our own random bytes
  std::memcpy(&out, c.data(), std::min(sizeof out, c.size()));
  return out;
}

Engine::Engine(Settings settings, Random random)
    : settings_(std::move(settings)),
      random_(std::move(random)),
      peers_(settings_.numbering, settings_.numbering.from_anywhere ? random_number() : 0),
      admission_(settings_.max_half_open) {}

void Engine::reconfigure(Settings settings, base::Time now) {
  const bool other_limits =
      settings.dpd_timeout != settings_.dpd_timeout || settings.silence_timeout != settings_.silence_timeout;
  settings_ = std::move(settings);
  admission_.resize(settings_.max_half_open);
  if (const auto interval = watch_interval(); interval.count() > 0) {
    for (const auto& [number, peer] : peers_.all()) {
      // Who was not watched may be watched now, and the silence until now was allowed. Not all at one time.
      const auto spread = interval * (number.value % 16) / 32;
      const TimerKey watch{TimerKind::dpd, number.value};
      if (!other_limits && timers_.is_set(watch)) continue;
      peers_.find(number)->last_heard = now - spread;
      timers_.set(watch, now - spread + interval);
    }
  }
  std::vector<SaNumber> by_old_terms;
  struct Again {
    SaNumber sa;
    Bytes message_5;
    base::Endpoint from, to;
  };
  std::vector<Again> proving;
  const auto back = [&](IsakmpSa& sa, auto state) {
    proving.push_back({sa.number, std::move(state.request), state.remote, state.local});
    state.given.tried = {};
    sa.state = std::move(state.given);
  };
  for (auto& [number, sa] : sas_) {
    if (proves_by_old_terms(sa.state)) by_old_terms.push_back(number);
    if (auto* given = sa.state.get_if<AwaitId>()) {
      given->tried = {};
      given->resume.reset();
    }
    if (auto* trying = sa.state.get_if<TryingPsks>()) {
      trial_budget_.refund(trying->given.source, trying->tried);
      back(sa, std::move(*trying));
    }
    if (auto* verifying = sa.state.get_if<ProvingIdentity>()) back(sa, std::move(*verifying));
  }
  for (const auto number : by_old_terms) forget_sa(number, now);
  for (const auto& [number, message_5, from, to] : proving) {
    auto* sa = find_sa(number);
    if (const auto header = v1::decode_header(message_5); sa != nullptr && header)
      dispatch(*sa, *header, message_5, from, to, now);
  }
}

std::optional<Effect> Engine::next_effect() {
  if (effects_.empty()) return std::nullopt;
  auto effect = std::move(effects_.front());
  effects_.pop_front();
  return effect;
}

IsakmpSa* Engine::find_sa(SaNumber number) {
  const auto it = sas_.find(number);
  return it == sas_.end() ? nullptr : &it->second;
}

IsakmpSa* Engine::find_sa(const v1::Header& header) {
  if (const auto known = by_responder_cookie_.find(header.responder); known != by_responder_cookie_.end()) {
    auto* sa = find_sa(known->second);
    if (sa != nullptr && sa->initiator == header.initiator) return sa;
  }
  const auto ours = by_initiator_cookie_.find(header.initiator);
  auto* sa = ours == by_initiator_cookie_.end() ? nullptr : find_sa(ours->second);
  // The peer chooses its cookie with message 2.
  const bool fits = sa != nullptr && (sa->responder == header.responder || sa->responder == Cookie{});
  return fits ? sa : nullptr;
}

const IsakmpSa* Engine::isakmp_sa(SaNumber number) const {
  const auto it = sas_.find(number);
  return it == sas_.end() ? nullptr : &it->second;
}

void Engine::send(const base::Endpoint& from, const base::Endpoint& to, ByteView message) {
  Bytes out;
  out.reserve(message.size() + non_esp_marker);
  if (from.port == natt_port) out.resize(non_esp_marker);  // RFC 3948 §2.2
  base::append(out, message);
  effects_.emplace_back(Send{from, to, std::move(out)});
}

void Engine::report(EventKind kind, Peer& peer, std::string detail, Refusal refusal) {
  peer.refused = peer.refused || refusal != Refusal::none;
  effects_.emplace_back(
      Event{kind, peer.number, peer.mark, peer.remote, peer.identity, std::move(detail), refusal});
}

void Engine::report(EventKind kind, const IsakmpSa& sa, std::string detail, Refusal refusal) {
  const auto* up = sa.state.get_if<Up>();
  auto* peer = up == nullptr ? nullptr : peers_.find(up->peer);
  if (peer != nullptr) return report(kind, *peer, std::move(detail), refusal);
  effects_.emplace_back(
      Event{kind, PeerNumber(0), base::Mark(0), sa.remote, {}, std::move(detail), refusal, sa.number.value});
}

void Engine::report_after(base::Duration took, EventKind kind, const Peer& peer, SaNumber setup,
                          std::string detail) {
  effects_.emplace_back(Event{kind, peer.number, peer.mark, peer.remote, peer.identity, std::move(detail),
                              Refusal::none, setup.value, took});
}

Ticket Engine::new_ticket(Waiting waiting) {
  const Ticket ticket(++last_ticket_);
  waiting_.emplace(ticket, waiting);
  return ticket;
}

Bytes Engine::random_of(std::size_t size) {
  Bytes out(size);
  random_(out);
  return out;
}

std::uint32_t Engine::random_number() {
  std::uint32_t number = 0;
  random_({reinterpret_cast<std::uint8_t*>(&number), sizeof number});
  return number;
}

MessageId Engine::new_message_id() {
  std::uint32_t id = 0;
  while (id == 0) id = random_number();
  return MessageId(id);
}

xfrm::Spi Engine::new_spi(const base::Address& local) {
  // 1 to 255 are reserved (RFC 4303 §2.1). A clash with an SPI of another program's is refused by the kernel.
  xfrm::Spi spi;
  while (spi.value < 256 || peers_.by_inbound({.destination = local, .spi = spi, .mark = {}}) != nullptr)
    spi = xfrm::Spi(random_number());
  return spi;
}

v1::Header Engine::reply_header(const IsakmpSa& sa, v1::Exchange exchange, MessageId id) const {
  v1::Header h;
  h.initiator = sa.initiator;
  h.responder = sa.responder;
  h.exchange = exchange;
  h.message_id = id;
  return h;
}

void Engine::send_answer(IsakmpSa& sa, ByteView message) {
  if (!sa.budget.take(message.size())) return drop(DropReason::answer_limit);
  send(sa, message);
}

bool Engine::same_request(const LastExchange& last, ByteView datagram) {
  return !last.request_digest.empty() && base::equal(last.request_digest, digest_of(datagram));
}

bool Engine::answer_duplicate(IsakmpSa& sa, const LastExchange& last, ByteView datagram) {
  if (!same_request(last, datagram)) return false;
  ++counters_.duplicates;
  sa.budget.received(datagram.size());
  // Without an answer yet the work is still under way: the repetition is ignored.
  if (!last.response.empty()) send_answer(sa, last.response);
  return true;
}

void Engine::answer(IsakmpSa& sa, LastExchange& last, ByteView request, Bytes response) {
  if (!request.empty()) last.request_digest = digest_of(request);
  sa.budget.received(request.size());
  last.response = std::move(response);
  if (!last.response.empty()) send_answer(sa, last.response);
}

void Engine::input(const base::Endpoint& from, const base::Endpoint& to, ByteView bytes, base::Time now) {
  ++counters_.received;
  if (to.port == natt_port) {
    if (bytes.size() == 1 && bytes[0] == 0xff) {  // RFC 3948 §2.3
      ++counters_.keepalives;
      return;
    }
    static constexpr std::uint8_t marker[non_esp_marker] = {};
    if (bytes.size() < non_esp_marker || !base::equal(bytes.first(non_esp_marker), marker))
      return drop(DropReason::malformed);
    bytes = bytes.subspan(non_esp_marker);
  }
  const auto header = v1::decode_header(bytes);
  if (!header) return drop(DropReason::malformed);
  const auto datagram = bytes.first(header->length);
  if (header->responder == Cookie{}) {
    if (header->exchange == v1::Exchange::aggressive) return aggressive_1(*header, datagram, from, to, now);
    if (header->exchange != v1::Exchange::main_mode) return drop(DropReason::unsupported_exchange);
    return main_mode_1(*header, datagram, from, to, now);
  }
  // By cookies alone: a peer's address and port may change at any time (RFC 3947 §4).
  auto* sa = find_sa(*header);
  if (sa == nullptr) return drop(DropReason::unknown_cookies);
  if (header->next == v1::PayloadType::fragment) return fragment(*sa, datagram, from, to, now);
  dispatch(*sa, *header, datagram, from, to, now);
}

void Engine::dispatch(IsakmpSa& sa, const v1::Header& header, ByteView datagram, const base::Endpoint& from,
                      const base::Endpoint& to, base::Time now) {
  using v1::Exchange;
  if (datagram.size() > largest_message) return drop(DropReason::malformed);
  if (header.exchange == Exchange::main_mode) {
    if (sa.role == Role::initiator) return initiated_main_mode(sa, header, datagram, now);
    return main_mode(sa, header, datagram, from, to, now);
  }
  if (header.exchange == Exchange::aggressive && !settings_.aggressive.empty())
    return aggressive(sa, header, datagram, from, to, now);
  if (header.exchange != Exchange::quick_mode && header.exchange != Exchange::informational)
    return drop(DropReason::unsupported_exchange);
  // It has got message 2, and its message 3 was lost: it sends that again when it sees message 2 again.
  if (sa.state.is<AwaitHash>()) {
    ++counters_.duplicates;
    sa.budget.received(datagram.size());
    return send_answer(sa, sa.last.response);
  }
  if (!sa.state.is<Up>()) return drop(DropReason::wrong_state);
  if (!header.encrypted()) return drop(DropReason::not_encrypted);
  if (header.message_id.value == 0) return drop(DropReason::malformed);
  if (sa.claims_peer() && from != sa.remote) return drop(DropReason::unproven_place);
  const auto number = sa.number;
  const auto old_local = sa.local, old_remote = sa.remote;
  // The answer goes where the request came from. Only an authentic message taken for the first time moves
  // the SA and its peer there for good: a repeated one may be somebody else's recording.
  sa.local = to;
  sa.remote = from;
  const bool moves = header.exchange == Exchange::quick_mode ? quick_mode(sa, header, datagram, now)
                                                             : informational(sa, header, datagram, now);
  auto* still = find_sa(number);
  if (still == nullptr) return;
  if (moves) return follow(*still, now);
  still->local = old_local;
  still->remote = old_remote;
}

void Engine::completed(Completion completion, base::Time now) {
  if (const auto* counted = std::get_if<InboundCounted>(&completion)) return inbound_counted(*counted, now);
  if (const auto* moved = std::get_if<PeerMoved>(&completion)) return peer_moved(*moved, now);
  const auto it = waiting_.find(ticket_of(completion));
  if (it == waiting_.end()) return;
  const auto waiting = it->second;
  waiting_.erase(it);
  if (auto* result = std::get_if<Installed>(&completion)) {
    if (waiting.installs) installed(waiting, std::move(result->result), now);
    return;
  }
  auto* sa = find_sa(waiting.sa);
  if (sa == nullptr) return;
  const bool main_mode = waiting.exchange.value == 0, ours = sa->role == Role::initiator;
  if (auto* skeyids = std::get_if<SkeyidsDone>(&completion))
    return ours ? prove_psk(*sa, std::move(*skeyids), now) : skeyids_done(*sa, std::move(*skeyids), now);
  if (auto* tried = std::get_if<CandidatesTried>(&completion))
    return candidates_tried(*sa, std::move(*tried), now);
  if (const auto* seen = std::get_if<TrafficSeen>(&completion))
    return traffic_seen(*sa, waiting.exchange, *seen, now);
  if (auto* made = std::get_if<KeyPairMade>(&completion))
    return main_mode ? send_main_mode_3(*sa, std::move(*made), now)
                     : quick_key_pair_made(*sa, waiting.exchange, std::move(*made), now);
  if (auto* verified = std::get_if<CertificateVerified>(&completion))
    return ours ? responder_verified(*sa, std::move(*verified), now)
                : certificate_verified(*sa, std::move(*verified), now);
  if (auto* made = std::get_if<Signed>(&completion))
    return ours ? send_signed_main_mode_5(*sa, std::move(*made), now)
                : signature_made(*sa, std::move(*made), now);
  auto& dh = std::get<DhDone>(completion);
  if (!main_mode) return quick_dh_done(*sa, waiting.exchange, std::move(dh), now);
  return ours ? derive_skeyid(*sa, std::move(dh), now) : dh_done(*sa, std::move(dh), now);
}

void Engine::timeout(base::Time now) {
  while (const auto key = timers_.pop_due(now)) timer_due(*key, now);
}

void Engine::timer_due(const TimerKey& key, base::Time now) {
  const SaNumber sa_number(key.owner);
  const PeerNumber peer_number(static_cast<std::uint32_t>(key.owner));
  const MessageId exchange(key.part);
  auto* sa = find_sa(sa_number);
  auto* peer = peers_.find(peer_number);
  auto* quick = sa != nullptr && sa->quick_modes.contains(exchange) ? &sa->quick_modes.at(exchange) : nullptr;
  switch (key.kind) {
    case TimerKind::half_open:
      if (sa != nullptr) setup_timed_out(*sa);
      return forget_sa(sa_number, now);
    case TimerKind::main_resend:
      if (sa != nullptr) resend_request(*sa, now);
      return;
    case TimerKind::isakmp_renew:
      if (sa != nullptr) renew_isakmp_sa(*sa, now);
      return;
    case TimerKind::isakmp_end:
      if (sa != nullptr) {
        const auto cookies = sa->spi();
        send_informational(
            *sa, v1::PayloadType::delete_,
            v1::encode_delete({.protocol = v1::protocol_isakmp, .spi_size = 16, .spis = cookies}));
        forget_sa(sa_number, now);
      }
      return;
    case TimerKind::quick_resend:
      if (quick == nullptr) return;
      if (quick->role == Role::initiator) return resend_quick_mode_1(*sa, exchange, *quick, now);
      return send_quick_mode_2(*sa, exchange, *quick, now);
    case TimerKind::quick_confirm:
      if (quick != nullptr) look_for_traffic(*sa, exchange, *quick, now);
      return;
    case TimerKind::quick_forget:
      if (sa != nullptr) sa->quick_modes.erase(exchange);
      return;
    case TimerKind::child_renew:
      if (peer != nullptr) renew_child(*peer, xfrm::Spi(key.part), now);
      return;
    case TimerKind::child_retire:
      if (peer != nullptr) retire(*peer, xfrm::Spi(key.part), now);
      return;
    case TimerKind::child_end:
      if (peer != nullptr) end_child(*peer, xfrm::Spi(key.part), "its lifetime is over", now);
      return;
    case TimerKind::inbound_linger:
      if (peer != nullptr) linger_over(*peer, xfrm::Spi(key.part), now);
      return;
    case TimerKind::peer_lost:
      if (peer == nullptr || !peer->children.empty() || !std::exchange(peer->was_up, false)) return;
      return report(EventKind::peer_lost, *peer, "no IPsec SA is left");
    case TimerKind::keepalive:
      if (peer != nullptr) keepalive_due(*peer, now);
      return;
    case TimerKind::move:
      if (peer != nullptr) move_due(*peer, now);
      return;
    case TimerKind::move_again:
      if (peer != nullptr) move_in_kernel(*peer, peer->remote.address);
      return;
    case TimerKind::claim:
      if (sa != nullptr) ask_claimant(*sa, now);
      return;
    case TimerKind::place:
      if (peer != nullptr) ask_for_its_place(*peer, now);
      return;
    case TimerKind::fragments: fragments_.timeout(now); return watch_fragments();
    case TimerKind::dpd:
      if (peer != nullptr) dpd_due(*peer);
      return;
    case TimerKind::first_child:
      if (peer != nullptr) first_child_due(*peer, now);
      return;
  }
}

void Engine::forget_sa(SaNumber number, base::Time now) {
  auto* sa = find_sa(number);
  if (sa == nullptr) return;
  const auto* up = sa->state.get_if<Up>();
  const auto peer = up == nullptr ? PeerNumber(0) : up->peer;
  while (!sa->quick_modes.empty()) {
    const auto id = sa->quick_modes.begin()->first;
    abandon_quick_mode(*sa, id, now);
  }
  if (up == nullptr && sa->role == Role::responder) no_longer_half_open(*sa);
  for (const auto kind :
       {TimerKind::isakmp_end, TimerKind::isakmp_renew, TimerKind::main_resend, TimerKind::claim})
    timers_.cancel({kind, number.value});
  if (auto* reached = peers_.find(sa->rekeys); reached != nullptr && reached->reaching == number)
    reached->reaching = {};
  if (sa->role == Role::initiator) {
    by_initiator_cookie_.erase(sa->initiator);
  } else {
    by_responder_cookie_.erase(sa->responder);
  }
  fragments_.forget(number);
  watch_fragments();
  sas_.erase(number);
  if (auto* owner = peers_.find(peer); owner != nullptr) {
    owner->isakmp_sas.erase(number);
    peer_maybe_gone(peer, now);
  }
}

bool Engine::terminate(PeerNumber number, std::string_view why, base::Time now) {
  auto* peer = peers_.find(number);
  if (peer == nullptr) return false;
  report(EventKind::sa_deleted, *peer, std::string(why));
  if (auto* sa = newest_isakmp_sa(*peer); sa != nullptr) send_deletes(*sa, *peer);
  bury(*peer, now);
  return true;
}

void Engine::bury(const Peer& peer, base::Time now) {
  const auto number = peer.number;
  for (const auto sa : std::set(peer.isakmp_sas)) forget_sa(sa, now);
  for (auto* left = peers_.find(number); left != nullptr && !left->children.empty();
       left = peers_.find(number))
    remove_child(*left, left->children.front().in, now);
}

void Engine::shut_down(base::Time now) {
  std::vector<PeerNumber> numbers;
  for (const auto& [number, peer] : peers_.all()) numbers.push_back(number);
  for (const auto number : numbers) terminate(number, "the daemon stops", now);
  while (!sas_.empty()) forget_sa(sas_.begin()->first, now);
}

void Engine::expired(const xfrm::SaId& id, base::Time now) {
  const auto [peer, child] = find_child(id);
  if (child != nullptr) end_child(*peer, child->in, "the kernel's limit is reached", now);
}

}  // namespace ike
