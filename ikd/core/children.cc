// The pairs of ESP SAs of a peer: how they look to the kernel, how they come to be and how they go
// (kernel.md §1). From message 3 on they belong to the peer, not to the ISAKMP SA that agreed on them.

#include <utility>

#include "ike/engine.h"
#include "ike/lifetimes.h"

namespace ike {
namespace {

using namespace std::chrono_literals;

constexpr auto lost_after = 5s;  // a peer that replaces its SAs by deleting first has done it by then
constexpr std::ptrdiff_t most_children = 8;  // of one service

/// Only one installation brings what the peer lacks; its outcome decides.
void settle(Presence& presence, bool installed) {
  if (presence == Presence::installing) presence = installed ? Presence::present : Presence::absent;
}

}  // namespace

xfrm::Sa Engine::inbound_sa(const Peer& peer, const QuickMode& quick, xfrm::EspTransform keys) const {
  xfrm::Sa sa;
  sa.source = peer.remote.address;
  sa.destination = peer.local.address;
  sa.spi = quick.in;
  sa.reqid = peer.reqid();
  // nft has turned the source into the alias by the time the selector is looked at (kernel.md §1).
  sa.selector = {.source = base::host(peer.alias),
                 .destination = settings_.numbering.our_ends(quick.service, peer.local.address),
                 .protocol = quick.service.protocol,
                 .source_port = std::nullopt,
                 .destination_port = quick.service.port};
  sa.transform = std::move(keys);
  if (peer.nat) sa.encap = xfrm::Encap{.source_port = peer.remote.port, .destination_port = natt_port};
  sa.set_mark = xfrm::MaskedMark{peer.mark.value, settings_.numbering.mask};
  sa.lifetimes = kernel_limits(quick.lifetime, quick.kilobytes, settings_.esp_kilobytes);
  if (peer.nat) sa.mapping_interval = 10s;
  return sa;
}

xfrm::Sa Engine::outbound_sa(const Peer& peer, const QuickMode& quick, xfrm::EspTransform keys) const {
  auto sa = inbound_sa(peer, quick, std::move(keys));
  sa.source = settings_.numbering.our_end(quick.service, peer.alias, peer.local.address);
  sa.destination = peer.alias;
  sa.spi = quick.out;
  sa.selector = outbound_policy(peer, quick.service).selector;
  if (peer.nat) sa.encap = xfrm::Encap{.source_port = natt_port, .destination_port = peer.remote.port};
  sa.mark = settings_.numbering.lookup_mark_of(peer.number, sa);
  sa.set_mark = std::nullopt;
  sa.mapping_interval = std::nullopt;
  return sa;
}

xfrm::Policy Engine::outbound_policy(const Peer& peer, const Service& service) const {
  xfrm::Policy policy;
  const auto source = settings_.numbering.our_end(service, peer.alias, peer.local.address);
  policy.selector = {.source = base::host(source),
                     .destination = base::host(peer.alias),
                     .protocol = service.protocol,
                     .source_port = service.port,
                     .destination_port = std::nullopt};
  policy.direction = xfrm::Direction::out;
  policy.mark = peer.lookup_mark;
  policy.reqid = peer.reqid();
  return policy;
}

bool Engine::crowded(const Peer& peer, const Service& service) {
  return std::ranges::count(peer.children, service, &ChildSa::service) >= most_children;
}

void Engine::make_room(Peer& peer, const Service& service, base::Time now) {
  const auto first = [&](auto... states) {
    return std::ranges::find_if(peer.children, [&](const ChildSa& c) {
      return c.service == service && (sizeof...(states) == 0 || ((c.state == states) || ...));
    });
  };
  while (crowded(peer, service)) {
    // The pair that carries what we send goes last, whatever its age.
    auto oldest = first(ChildState::superseded);
    if (oldest == peer.children.end()) oldest = first(ChildState::answering);
    if (oldest == peer.children.end()) oldest = first();
    remove_child(peer, oldest->in, now);
  }
}

void Engine::installed(const Waiting& waiting, DoneOrRefused result, base::Time now) {
  auto* peer = peers_.find(waiting.peer);
  if (peer == nullptr) return;
  if (*waiting.installs == xfrm::Direction::out) {
    settle(peer->policies[waiting.service], result.has_value());
    return outbound_installed(*peer, waiting.in, std::move(result), now);
  }
  settle(peer->entry_presence, result.has_value());
  auto* sa = find_sa(waiting.sa);
  if (sa != nullptr && sa->quick_modes.contains(waiting.exchange))
    inbound_installed(*sa, waiting.exchange, std::move(result), now);
}

void Engine::outbound_installed(Peer& peer, xfrm::Spi in, DoneOrRefused result, base::Time now) {
  auto* child = peer.child_by_in(in);
  if (child == nullptr || child->state != ChildState::installing) return;
  if (!result) {
    report(EventKind::kernel_refused, peer, result.error().message, result.error().refusal);
    // The peer believes in the pair since its message 3.
    if (auto* sa = newest_isakmp_sa(peer); sa != nullptr) send_delete_esp(*sa, in);
    effects_.emplace_back(RemoveSa{peer.inbound_id(in), peer.mark});
    return forget_child(peer, in, now);
  }
  ++counters_.quick_modes;
  became_active(peer, *child, now);
  const bool first = !std::exchange(peer.was_up, true);
  admission_.established(peer.number, peer.remote.address);
  report_after(now - child->began, first ? EventKind::peer_up : EventKind::rekeyed, peer, SaNumber(0),
               "ESP " + to_string(child->suite) + (first ? ", " + to_string(peer.authentication) : ""));
  if (first) only_self_of_device(peer.number, now);
}

void Engine::remove_child(Peer& peer, xfrm::Spi in, base::Time now) {
  const auto* child = peer.child_by_in(in);
  if (child == nullptr) return;
  effects_.emplace_back(RemoveSa{peer.inbound_id(in), peer.mark});
  if (child->state == ChildState::installing || child->state == ChildState::active ||
      child->state == ChildState::standby)
    effects_.emplace_back(RemoveSa{peer.outbound_id(*child), peer.mark});
  forget_child(peer, in, now);
}

void Engine::end_child(Peer& peer, xfrm::Spi in, std::string why, base::Time now) {
  report(EventKind::sa_expired, peer, std::move(why));
  if (auto* sa = newest_isakmp_sa(peer); sa != nullptr) send_delete_esp(*sa, in);
  remove_child(peer, in, now);
}

void Engine::forget_child(Peer& peer, xfrm::Spi in, base::Time now) {
  for (const auto kind :
       {TimerKind::child_renew, TimerKind::child_retire, TimerKind::child_end, TimerKind::inbound_linger})
    timers_.cancel({kind, peer.number.value, in.value});
  peers_.disclaim(peer, in);
  const auto gone = std::ranges::find(peer.children, in, &ChildSa::in);
  const auto service = gone->service;
  peer.children.erase(gone);
  promote(peer, service, now);
  if (peer.children.empty()) timers_.set({TimerKind::peer_lost, peer.number.value}, now + lost_after);
  peer_maybe_gone(peer.number, now);
}

void Engine::linger_over(Peer& peer, xfrm::Spi in, base::Time now) {
  const auto* child = peer.child_by_in(in);
  if (child != nullptr && child->state == ChildState::active)
    report(EventKind::sa_deleted, peer, "the peer deleted it");
  remove_child(peer, in, now);
}

void Engine::delete_by_peers_spi(Peer& peer, xfrm::Spi spi, base::Time now) {
  auto* child = peer.child_by_out(spi);
  if (child == nullptr || child->state == ChildState::answering) return;
  const auto in = child->in;
  const auto service = child->service;
  // A Delete of an old pair says that our message 3 for the new one has arrived.
  confirm_successors(peer, service, in, now);
  child = peer.child_by_in(in);
  const auto another = [&](auto... states) {
    return std::ranges::any_of(peer.children, [&](const ChildSa& c) {
      return c.in != in && c.service == service && ((c.state == states) || ...);
    });
  };
  const bool has_rival = child->state == ChildState::active && another(ChildState::standby);
  if (has_rival || child->state == ChildState::standby) {
    supersede(peer, *child);
    promote(peer, service, now);
  }
  // What was sent on an old pair before the Delete may still be on its way. An active one is old when its
  // successor is about to come: the Delete may overtake message 3, and is faster than the kernel.
  const bool has_successor = another(ChildState::answering, ChildState::confirming, ChildState::installing);
  if (child->state == ChildState::superseded || (child->state == ChildState::active && has_successor)) {
    timers_.set({TimerKind::inbound_linger, peer.number.value, in.value}, now + inbound_linger);
    return;
  }
  report(EventKind::sa_deleted, peer, "the peer deleted it");
  remove_child(peer, in, now);
}

void Engine::peer_maybe_gone(PeerNumber number, base::Time now) {
  auto* peer = peers_.find(number);
  if (peer == nullptr || !peer->isakmp_sas.empty() || !peer->children.empty()) return;
  timers_.cancel({TimerKind::peer_lost, number.value});
  timers_.cancel({TimerKind::dpd, number.value});
  timers_.cancel({TimerKind::move, number.value});
  timers_.cancel({TimerKind::move_again, number.value});
  timers_.cancel({TimerKind::place, number.value});
  timers_.cancel({TimerKind::keepalive, number.value});
  timers_.cancel({TimerKind::first_child, number.value});
  if (peer->reaching.value != 0) forget_sa(peer->reaching, now);
  if (peer->entry_presence != Presence::absent) effects_.emplace_back(RemovePeer{peer->entry()});
  report(EventKind::peer_gone, *peer, {});
  admission_.gone(number);
  peers_.remove(number, now);
}

}  // namespace ike
