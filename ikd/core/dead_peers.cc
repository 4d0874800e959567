// Dead peer detection (RFC 3706), as sparing as it can be: a peer whose packets still arrive is not asked.
// One that never said it understands the question (Windows), or has no ISAKMP SA left to ask it through, is
// not asked either; it has a longer time of its own, since its silence proves less.

#include "ike/engine.h"

namespace ike {
namespace {

using namespace std::chrono_literals;

/// Clients ask for their IPsec SA within seconds of Main Mode; who does not only holds a number.
constexpr auto first_child_within = 60s;
/// Of the time after which a peer is given up that cannot be asked.
constexpr int looks_in_a_silence = 4;
constexpr auto look_again = 1s;  ///< where the kernel has not told
constexpr std::uint32_t most_of_a_leap = 1 << 20;
constexpr std::uint8_t most_guesses = 8;  ///< of a sequence number that proves a place

/// Seconds for people.
std::string words(base::Duration d) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(d).count()) + " s";
}

}  // namespace

void Engine::heard(const IsakmpSa& sa, base::Time now) {
  if (sa.claims_peer()) return;
  if (auto* peer = peers_.find(sa.state.get<Up>().peer); peer != nullptr) peer->last_heard = now;
}

base::Duration Engine::watch_interval() const {
  return settings_.dpd.count() > 0 ? base::Duration(settings_.dpd)
                                   : base::Duration(settings_.silence_timeout) / looks_in_a_silence;
}

void Engine::watch_for_silence(Peer& peer, base::Time now) {
  peer.last_heard = now;
  if (watch_interval().count() > 0) timers_.set({TimerKind::dpd, peer.number.value}, now + watch_interval());
  if (const TimerKey first{TimerKind::first_child, peer.number.value};
      !peer.has_policy() && !timers_.is_set(first))
    timers_.set(first, now + first_child_within);
}

void Engine::first_child_due(Peer& peer, base::Time now) {
  // Its first policy came with its first pair, and stays.
  if (peer.has_policy()) return;
  if (!peer.children.empty())  // under way, and may come to nothing
    return timers_.set({TimerKind::first_child, peer.number.value}, now + first_child_within);
  if (!peer.refused) report(EventKind::quick_mode_refused, peer, "it asked for none", Refusal::no_quick_mode);
  terminate(peer.number, peer.refused ? "it got no IPsec SA" : "it asked for no IPsec SA", now);
}

void Engine::dpd_due(Peer& peer) {
  CountInbound effect{.peer = peer.number, .sas = {}};
  for (const auto& child : peer.children) effect.sas.push_back(peer.inbound_id(child.in));
  effects_.emplace_back(std::move(effect));
}

IsakmpSa* Engine::askable(const Peer& peer) {
  return newest_that(peer, [](const auto& sa) { return sa.dpd && !sa.claims_peer(); });
}

void Engine::inbound_counted(const InboundCounted& counted, base::Time now) {
  auto* peer = peers_.find(counted.peer);
  if (peer == nullptr) return;
  if (!counted.packets) return timers_.set({TimerKind::dpd, peer->number.value}, now + look_again);
  // Fewer than before: an SA has gone with its count, and nobody has spoken.
  if (*counted.packets > peer->packets_seen) peer->last_heard = now;
  peer->packets_seen = *counted.packets;
  const auto silence = now - peer->last_heard;
  auto* sa = settings_.dpd.count() == 0 ? nullptr : askable(*peer);
  const base::Duration limit = sa != nullptr ? settings_.dpd_timeout : settings_.silence_timeout;
  base::Duration next = watch_interval();
  if (limit.count() > 0 && silence >= limit) {
    report(EventKind::peer_silent, *peer, "nothing was heard of it for " + words(silence));
    return bury(*peer, now);
  }
  if (silence < next) {
    next -= silence;
  } else if (sa != nullptr) {
    ask_whether_it_is_there(*sa, *peer);
  }
  if (limit.count() > 0) next = std::min(next, limit - silence);
  // A configuration that was read meanwhile may want nobody watched.
  if (next.count() > 0) timers_.set({TimerKind::dpd, peer->number.value}, now + next);
}

void Engine::ask_whether_it_is_there(IsakmpSa& sa, const Peer& peer) {
  const auto spi = sa.spi();
  wire::Writer sequence;
  // RFC 3706 §5.4: by one. Not where the answer is to prove that the question has arrived.
  sa.dpd_sequence += peer.known_to_be_there() && !sa.claims_peer() ? 1 : 1 + random_number() % most_of_a_leap;
  sa.dpd_sequence &= 0x7fffffff;  // RFC 3706 §5.4: the high bit stays clear
  sa.dpd_asked = sa.dpd_sequence;
  sa.dpd_asked_at = sa.remote;
  sa.dpd_guesses = most_guesses;
  sequence.u32(sa.dpd_sequence);
  send_informational(sa, v1::PayloadType::notification,
                     v1::encode_notification({.protocol = v1::protocol_isakmp,
                                              .spi = spi,
                                              .type = v1::notify::r_u_there,
                                              .data = sequence.view()}));
}

// Its own numbers tell a recording from a new message, however old the recording (RFC 3706 §5.4, §6).
bool Engine::is_there(IsakmpSa& sa, std::uint32_t sequence) {
  const bool newer = !sa.dpd_heard || static_cast<std::int32_t>(sequence - *sa.dpd_heard) > 0;
  if (newer) sa.dpd_heard = sequence;
  return newer;
}

bool Engine::answers_our_question(IsakmpSa& sa, std::uint32_t sequence) {
  auto* peer = peers_.find(sa.state.get<Up>().peer);
  if (peer == nullptr) return false;
  if (sa.dpd_asked != sequence) {  // a late answer to an older question, or a guess
    if (sa.dpd_guesses > 0) --sa.dpd_guesses;
    return false;
  }
  sa.dpd_asked.reset();
  if (sa.dpd_guesses > 0) was_answered(sa, *peer, sa.dpd_asked_at);
  return true;
}

}  // namespace ike
