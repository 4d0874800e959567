// When new keys are due and the client has not asked for them, and which of several pairs carries what we
// send. Make before break: an old pair receives until its Delete or its end, whoever replaced it.

#include "ike/engine.h"
#include "ike/lifetimes.h"

namespace ike {
namespace {

using namespace std::chrono_literals;

constexpr auto try_again = 15s;          // an attempt that failed leaves the pair as it is
constexpr auto look_again = 5s;          // while the client's own renewal is under way
constexpr auto ike_try_again = 40s;      // after all repetitions of a Main Mode
constexpr auto retire_after = 10s;       // the peer sends on the new pair by then
constexpr auto rival_rest = 30s;         // the peer may decide otherwise, and has said so by then
constexpr base::Duration at_once = 60s;  // a first message that had to be repeated is not older

/// Both ends have renewed the same pair at once. Which of the two stays is not for one end to decide: both
/// stand until one of them is deleted. The peer may have begun before it knew of ours, however late its
/// message 1 came.
bool rivals(const ChildSa& old, const ChildSa& fresh) {
  if (old.ours == fresh.ours) return false;
  return fresh.replaces != old.in || (old.ours && fresh.installed - old.installed < at_once);
}

}  // namespace

std::pair<Peer*, ChildSa*> Engine::find_child(const xfrm::SaId& id) {
  auto number = settings_.numbering.number_at(id.destination);
  if (!number && id.mark) number = settings_.numbering.number_of(base::Mark(id.mark->value));
  if (number) {
    auto* peer = peers_.find(*number);
    auto* child = peer == nullptr || peer->alias != id.destination ? nullptr : peer->child_by_out(id.spi);
    if (child == nullptr || child->lookup_mark != id.mark) return {};
    return {peer, child};
  }
  if (auto* owner = peers_.by_inbound(id)) return {owner, owner->child_by_in(id.spi)};
  if (id.destination.is_v4()) return {};
  auto* owner = peers_.by_outbound(id);
  if (owner == nullptr) return {};
  return {owner, owner->child_by_out(id.spi)};
}

void Engine::nearly_expired(const xfrm::SaId& id, base::Time now) {
  const auto [peer, child] = find_child(id);
  if (child != nullptr) renew_child(*peer, child->in, now);
}

bool Engine::being_renewed(const Peer& peer, const Service& service) {
  const bool coming = std::ranges::any_of(peer.children, [&](const ChildSa& c) {
    return c.service == service && (c.state == ChildState::confirming || c.state == ChildState::installing);
  });
  if (coming || peer.reaching.value != 0) return true;
  const auto under_way = [&service](const auto& entry) {
    return entry.second.service == service && entry.second.stage != QuickMode::Stage::done;
  };
  return std::ranges::any_of(peer.isakmp_sas, [&](SaNumber number) {
    const auto* sa = find_sa(number);
    // What begins through one that only claims to be this peer's may never come to its end.
    return sa != nullptr && !sa->claims_peer() && std::ranges::any_of(sa->quick_modes, under_way);
  });
}

void Engine::renew_child(Peer& peer, xfrm::Spi in, base::Time now) {
  const auto* child = peer.child_by_in(in);
  if (child == nullptr || child->state != ChildState::active || !peer.esp_terms.contains(child->service))
    return;
  const TimerKey again{TimerKind::child_renew, peer.number.value, in.value};
  if (being_renewed(peer, child->service)) return timers_.set(again, now + look_again);
  timers_.set(again, now + try_again);
  if (auto* sa = newest_isakmp_sa(peer); sa != nullptr) return open_quick_mode(*sa, child->service, now);
  reach(peer, child->service, now);
}

void Engine::renew_isakmp_sa(const IsakmpSa& sa, base::Time now) {
  auto* peer = peers_.find(sa.state.get<Up>().peer);
  // The client's newer one replaces it already, or there is nothing that needs one.
  if (peer == nullptr || newest_isakmp_sa(*peer) != &sa || peer->children.empty()) return;
  timers_.set({TimerKind::isakmp_renew, sa.number.value}, now + ike_try_again);
  if (peer->reaching.value == 0) reach(*peer, std::nullopt, now);
}

void Engine::reach(Peer& peer, std::optional<Service> then_quick_mode, base::Time now) {
  if (!peer.ike_terms) return;
  open_main_mode(
      {.local = peer.local, .remote = peer.remote, .psk = peer.key.psk, .ike = *peer.ike_terms, .esp = {}},
      peer.number, then_quick_mode, now);
}

IsakmpSa* Engine::newest_that(const Peer& peer, bool (*fits)(const IsakmpSa&)) {
  for (auto number = peer.isakmp_sas.rbegin(); number != peer.isakmp_sas.rend(); ++number) {
    if (auto* sa = find_sa(*number); sa != nullptr && fits(*sa)) return sa;
  }
  return nullptr;
}

// One that only claims to be this peer's is nobody to talk to.
IsakmpSa* Engine::newest_isakmp_sa(const Peer& peer) {
  return newest_that(peer, [](const auto& sa) { return !sa.claims_peer(); });
}

void Engine::became_active(Peer& peer, ChildSa& child, base::Time now) {
  child.state = ChildState::active;
  for (auto& old : peer.children) {
    if (&old == &child || old.service != child.service) continue;
    if (old.state != ChildState::active && old.state != ChildState::standby) continue;
    if (!rivals(old, child)) {
      supersede(peer, old);
      // Whoever replaces a pair deletes it.
      if (child.ours)
        timers_.set({TimerKind::child_retire, peer.number.value, old.in.value}, now + retire_after);
    } else if (old.state == ChildState::active) {
      // As IKEv2 has it (RFC 7296 §2.8.1): the pair with the lowest nonce is redundant, and who began it
      // deletes it. A client that does not know this rule loses nothing: both pairs stand both ways.
      auto& redundant = old.least_nonce < child.least_nonce ? old : child;
      redundant.state = ChildState::standby;
      timers_.cancel({TimerKind::child_renew, peer.number.value, redundant.in.value});
      if (redundant.ours)
        timers_.set({TimerKind::child_retire, peer.number.value, redundant.in.value}, now + rival_rest);
    }
  }
  timers_.set({TimerKind::child_end, peer.number.value, child.in.value}, now + child.lifetime);
  if (child.state == ChildState::active)
    timers_.set({TimerKind::child_renew, peer.number.value, child.in.value},
                child.installed + soft_time(child.lifetime, random_number()));
}

void Engine::supersede(Peer& peer, ChildSa& old) {
  old.state = ChildState::superseded;
  timers_.cancel({TimerKind::child_renew, peer.number.value, old.in.value});
  effects_.emplace_back(RemoveSa{peer.outbound_id(old), peer.mark});
}

void Engine::promote(Peer& peer, const Service& service, base::Time now) {
  if (peer.active(service) != nullptr) return;
  const auto standby = std::find_if(peer.children.rbegin(), peer.children.rend(), [&](const ChildSa& c) {
    return c.service == service && c.state == ChildState::standby;
  });
  if (standby == peer.children.rend()) return;
  standby->state = ChildState::active;
  timers_.cancel({TimerKind::child_retire, peer.number.value, standby->in.value});
  timers_.set({TimerKind::child_renew, peer.number.value, standby->in.value},
              std::max(now, standby->installed + soft_time(standby->lifetime, random_number())));
}

void Engine::retire(Peer& peer, xfrm::Spi in, base::Time now) {
  auto* child = peer.child_by_in(in);
  auto* sa = newest_isakmp_sa(peer);
  if (child == nullptr || child->state == ChildState::active || sa == nullptr ||
      peer.active(child->service) == nullptr)
    return;
  const bool rival = child->state == ChildState::standby;
  if (rival) supersede(peer, *child);
  send_delete_esp(*sa, in);
  // Nothing acknowledges a Delete. Of two rivals the peer may send on this one, and does so to its end where
  // the Delete is lost; from a pair that has been replaced it has gone already.
  if (rival) return;
  const TimerKey lingering{TimerKind::inbound_linger, peer.number.value, in.value};
  if (!timers_.is_set(lingering)) timers_.set(lingering, now + inbound_linger);
}

void Engine::confirm_successors(Peer& peer, const Service& service, xfrm::Spi in, base::Time now) {
  for (const auto number : peer.isakmp_sas) {
    auto* sa = find_sa(number);
    if (sa == nullptr) continue;
    for (auto& [id, quick] : sa->quick_modes) {
      if (quick.stage == QuickMode::Stage::confirming && quick.service == service && quick.in != in)
        confirm(*sa, id, quick, now);
    }
  }
}

}  // namespace ike
