#include "ike/peers.h"

#include <bit>

namespace ike {

base::Mark Numbering::mark_of(PeerNumber number) const {
  return base::Mark(number.value << std::countr_zero(mask));
}

base::Address Numbering::alias_of(PeerNumber number) const {
  return base::Address::v4(alias.network.v4_value() + number.value);
}

std::optional<PeerNumber> Numbering::number_of(base::Mark mark) const {
  const PeerNumber number(mark.value >> std::countr_zero(mask));
  if (number.value == 0 || number.value > capacity || mark_of(number) != mark) return std::nullopt;
  return number;
}

ChildSa* Peer::child_by_in(xfrm::Spi spi) {
  const auto it = std::ranges::find(children, spi, &ChildSa::in);
  return it == children.end() ? nullptr : &*it;
}

ChildSa* Peer::child_by_out(xfrm::Spi spi) {
  const auto it = std::ranges::find(children, spi, &ChildSa::out);
  return it == children.end() ? nullptr : &*it;
}

const ChildSa* Peer::active() const {
  const auto it = std::ranges::find(children, ChildState::active, &ChildSa::state);
  return it == children.end() ? nullptr : &*it;
}

xfrm::SaId Peer::inbound_id(xfrm::Spi spi) const {
  return {.destination = local.address, .spi = spi, .mark = {}};
}

xfrm::SaId Peer::outbound_id(xfrm::Spi spi, std::uint32_t mask) const {
  return {.destination = alias, .spi = spi, .mark = xfrm::MaskedMark{mark.value, mask}};
}

std::optional<PeerNumber> Peers::take_number(base::Time now) {
  // Numbers that were never used first: a fresh one cannot meet anything stale.
  if (never_used_ <= numbering_.capacity) return PeerNumber(never_used_++);
  if (quarantine_.empty() || quarantine_.front().until > now) return std::nullopt;
  const auto number = quarantine_.front().number;
  quarantine_.pop_front();
  return number;
}

Peer* Peers::adopt_or_add(const PeerKey& key, base::Time now) {
  const auto known = by_key_.find(key);
  if (known != by_key_.end()) return &peers_.at(known->second);
  const auto number = take_number(now);
  if (!number) return nullptr;
  by_key_.emplace(key, *number);
  auto& peer = peers_[*number];
  peer.number = *number;
  peer.key = key;
  peer.mark = numbering_.mark_of(*number);
  peer.alias = numbering_.alias_of(*number);
  peer.authenticated = now;
  return &peer;
}

Peer* Peers::find(PeerNumber number) {
  const auto it = peers_.find(number);
  return it == peers_.end() ? nullptr : &it->second;
}

void Peers::move(PeerNumber number, const base::Endpoint& remote) {
  auto& peer = peers_.at(number);
  forget_key(peer);
  peer.remote = peer.key.remote = remote;
  by_key_.insert_or_assign(peer.key, number);
}

void Peers::forget_key(const Peer& peer) {
  const auto it = by_key_.find(peer.key);
  if (it != by_key_.end() && it->second == peer.number) by_key_.erase(it);
}

void Peers::remove(PeerNumber number, base::Time now) {
  const auto it = peers_.find(number);
  if (it == peers_.end()) return;
  forget_key(it->second);
  peers_.erase(it);
  quarantine_.push_back({number, now + numbering_.quarantine});
}

}  // namespace ike
