// Dead peer detection (RFC 3706), as sparing as it can be: a peer whose packets still arrive is not asked,
// and one that never said it understands the question is neither asked nor given up.

#include "ike/engine.h"

namespace ike {
namespace {

/// Seconds for people.
std::string words(base::Duration d) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(d).count()) + " s";
}

}  // namespace

void Engine::heard(const IsakmpSa& sa, base::Time now) {
  if (auto* peer = peers_.find(std::get<Up>(sa.state).peer); peer != nullptr) peer->last_heard = now;
}

void Engine::watch_for_silence(Peer& peer, base::Time now) {
  peer.last_heard = now;
  if (settings_.dpd.count() > 0) timers_.set({TimerKind::dpd, peer.number.value}, now + settings_.dpd);
}

void Engine::dpd_due(Peer& peer) {
  CountInbound effect{.peer = peer.number, .sas = {}};
  for (const auto& child : peer.children) effect.sas.push_back(peer.inbound_id(child.in));
  effects_.emplace_back(std::move(effect));
}

IsakmpSa* Engine::askable(const Peer& peer) {
  for (auto number = peer.isakmp_sas.rbegin(); number != peer.isakmp_sas.rend(); ++number) {
    auto* sa = find_sa(*number);
    if (sa != nullptr && sa->dpd) return sa;
  }
  return nullptr;
}

void Engine::inbound_counted(const InboundCounted& counted, base::Time now) {
  auto* peer = peers_.find(counted.peer);
  if (peer == nullptr) return;
  if (counted.packets != peer->packets_seen) {
    peer->packets_seen = counted.packets;
    peer->last_heard = now;
  }
  const auto silence = now - peer->last_heard;
  auto* sa = askable(*peer);
  base::Duration next = settings_.dpd;
  if (silence < settings_.dpd) {
    next = settings_.dpd - silence;
  } else if (sa != nullptr && silence >= settings_.dpd_timeout) {
    report(EventKind::peer_silent, *peer, "nothing was heard of it for " + words(silence));
    return bury(*peer, now);
  } else if (sa != nullptr) {
    const auto spi = sa->spi();
    wire::Writer sequence;
    sequence.u32(++peer->dpd_sequence & 0x7fffffff);  // RFC 3706 §5.4: the high bit stays clear
    send_informational(*sa, v1::PayloadType::notification,
                       v1::encode_notification({.protocol = v1::protocol_isakmp,
                                                .spi = spi,
                                                .type = v1::notify::r_u_there,
                                                .data = sequence.view()}));
    next = std::min<base::Duration>(next, settings_.dpd_timeout - silence);
  }
  timers_.set({TimerKind::dpd, peer->number.value}, now + next);
}

}  // namespace ike
