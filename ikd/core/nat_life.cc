// A peer's NAT gives it another port or address, whenever it likes (RFC 3947 §7). An authentic IKE message
// or ESP packet from there moves the peer: what the kernel needs to reach it, and nothing else. The names of
// its SAs, its mark and its alias stay, so L2TP notices nothing (kernel.md §5).

#include "ike/engine.h"

namespace ike {
namespace {

using namespace std::chrono_literals;

/// Between two moves of a peer: one that sends from many ports at once must not keep us busy. The last
/// place it was seen at within this time is where it goes then.
constexpr auto between_moves = 1s;

/// After a first refusal; doubled up to about a minute.
constexpr auto move_again = 1s;
constexpr std::uint8_t most_doublings = 6;

/// RFC 3948 §4. UDP mappings of NATs live for 30 s and more.
constexpr auto keepalive_interval = 20s;
constexpr std::uint8_t keepalive = 0xff;

}  // namespace

void Engine::follow(const IsakmpSa& sa, base::Time now) {
  auto* peer = peers_.find(sa.state.get<Up>().peer);
  // What comes to port 500 tells nothing of where ESP in UDP goes, and another address of ours would need
  // other SAs.
  if (peer == nullptr || sa.local.port != natt_port || sa.local.address != peer->local.address) return;
  follow(*peer, sa.remote, now);
}

void Engine::mapped(const xfrm::Mapping& mapping, base::Time now) {
  // The reqid is the mark: the peer whose SA authenticated the packet, and no other.
  const auto number = settings_.numbering.number_of(base::Mark(mapping.reqid.value));
  auto* peer = number ? peers_.find(*number) : nullptr;
  if (peer == nullptr || peer->local.address != mapping.sa.destination ||
      peer->child_by_in(mapping.sa.spi) == nullptr)
    return;
  peer->last_heard = now;
  // After a change of address an SA's recorded source stays, so the same news comes again and again.
  follow(*peer, mapping.new_source, now);
}

void Engine::follow(Peer& peer, const base::Endpoint& to, base::Time now) {
  // RFC 3947 §7: whoever is behind no NAT does not move, so that nobody can be made to believe it does.
  if (!peer.nat || !peer.peer_behind_nat || settings_.numbering.alias.contains(to.address)) return;
  // An IPv6 peer is known by its address to everything here, L2TP included.
  if (!to.address.is_v4() && to.address != peer.remote.address) return;
  if (to == peer.remote) {
    peer.next_remote.reset();
    timers_.cancel({TimerKind::move, peer.number.value});
    if (peer.was_up && peer.place_asked == 0) ask_for_its_place(peer, now);
    return;
  }
  const bool waits = peer.next_remote.has_value();
  peer.next_remote = to;
  if (now - peer.moved >= between_moves) return move_due(peer, now);
  if (!waits) timers_.set({TimerKind::move, peer.number.value}, peer.moved + between_moves);
}

void Engine::move_due(Peer& peer, base::Time now) {
  if (!peer.next_remote) return;
  const auto to = *std::exchange(peer.next_remote, std::nullopt);
  const auto from = peer.remote;
  timers_.cancel({TimerKind::move, peer.number.value});
  peer.moved = now;
  peers_.move(peer.number, to);
  if (peer.was_up) admission_.established(peer.number, to.address);
  ++counters_.moves;
  auto sas = peer.isakmp_sas;
  sas.insert(peer.reaching);
  for (const auto number : sas) {
    auto* sa = find_sa(number);
    if (sa == nullptr || sa->local != base::Endpoint{peer.local.address, natt_port}) continue;
    sa->remote = to;
    sa->place_asked = 0;
    ask_claimant(*sa, now);
  }
  peer.place_asked = 0;
  ask_for_its_place(peer, now);
  move_in_kernel(peer, from.address);
  report(EventKind::peer_moved, peer, "its NAT had it at " + from.to_string());
}

void Engine::move_in_kernel(const Peer& peer, const base::Address& was) {
  if (peer.entry_presence == Presence::absent) return;
  MovePeer effect{.mark = peer.mark,
                  .alias = peer.alias,
                  .new_home = {},
                  .port = peer.remote.port,
                  .inbound = {},
                  .outbound = {}};
  // What was refused may have been this.
  if (peer.remote.address != was || (peer.moves_refused > 0 && peer.alias.is_v4()))
    effect.new_home = peer.remote.address;
  for (const auto& child : peer.children) {
    effect.inbound.push_back(peer.inbound_id(child.in));
    effect.outbound.push_back(peer.outbound_id(child));
  }
  effects_.emplace_back(std::move(effect));
}

// Until then what is sent to it goes where it was. Nothing is given up for that: IKE reaches it, and a tunnel
// that does not is ended by l2tpd.
void Engine::peer_moved(const PeerMoved& moved, base::Time now) {
  const auto number = settings_.numbering.number_of(moved.mark);
  auto* peer = number ? peers_.find(*number) : nullptr;
  if (peer == nullptr) return;
  const TimerKey again{TimerKind::move_again, peer->number.value};
  if (moved.done) {
    peer->moves_refused = 0;
    return timers_.cancel(again);
  }
  timers_.set(again, now + move_again * (1 << peer->moves_refused));
  if (peer->moves_refused < most_doublings) ++peer->moves_refused;
}

void Engine::proved_to_be_at(Peer& peer, const base::Endpoint& place) {
  peer.answered_from = place;
  peer.place_asked = 0;
  timers_.cancel({TimerKind::place, peer.number.value});
}

void Engine::was_answered(IsakmpSa& sa, Peer& peer, const base::Endpoint& asked_at) {
  if (asked_at != sa.remote) return;
  if (const auto claim = std::exchange(sa.claim, nullptr)) {
    timers_.cancel({TimerKind::claim, sa.number.value});
    peers_.prove(peer, std::move(*claim));
    tell_of_old_secret(peer);
  }
  proved_to_be_at(peer, asked_at);
}

// Until it answers from there it is not who comes from there (Peers::adopt_or_add), and its next Main Mode
// would make it somebody else. One that understands no R-U-THERE (Windows) is given new keys instead, once.
void Engine::ask_for_its_place(Peer& peer, base::Time now) {
  if (peer.known_to_be_there() || peer.place_asked == most_sent) return;
  timers_.set({TimerKind::place, peer.number.value}, now + first_resend * (1 << peer.place_asked));
  ++peer.place_asked;
  if (auto* sa = askable(peer); sa != nullptr) return ask_whether_it_is_there(*sa, peer);
  timers_.cancel({TimerKind::place, peer.number.value});
  auto* sa = newest_isakmp_sa(peer);
  const auto* child = peer.active();
  if (sa != nullptr && child != nullptr && !being_renewed(peer, child->service))
    open_quick_mode(*sa, child->service, now);
}

// Until it answers from there it may not speak for the peer, and nothing that the peer is asked suffers.
void Engine::ask_claimant(IsakmpSa& sa, base::Time now) {
  const auto* up = sa.state.get_if<Up>();
  const auto* peer = up == nullptr ? nullptr : peers_.find(up->peer);
  if (peer == nullptr || !sa.claims_peer() || !sa.dpd || sa.place_asked == most_sent) return;
  timers_.set({TimerKind::claim, sa.number.value}, now + first_resend * (1 << sa.place_asked));
  ++sa.place_asked;
  ask_whether_it_is_there(sa, *peer);
}

void Engine::nat_found(Peer& peer, const v1::NatFinding& found, base::Time now) {
  peer.nat = found.any();
  peer.peer_behind_nat = found.peer_behind_nat;
  peer.we_behind_nat = found.we_behind_nat;
  const TimerKey key{TimerKind::keepalive, peer.number.value};
  if (!peer.we_behind_nat) return timers_.cancel(key);
  if (!timers_.is_set(key)) timers_.set(key, now + keepalive_interval);
}

// Sent whether or not ESP went to the peer meanwhile: one byte costs less than asking the kernel.
void Engine::keepalive_due(const Peer& peer, base::Time now) {
  ++counters_.keepalives_sent;
  effects_.emplace_back(Send{{peer.local.address, natt_port}, peer.remote, {keepalive}});
  timers_.set({TimerKind::keepalive, peer.number.value}, now + keepalive_interval);
}

}  // namespace ike
