#include "ike/peers.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <utility>

namespace ike {
namespace {

/// Identities at one address and port. One is a client; others are ghosts whose port it has got, or invented.
constexpr std::size_t most_at_endpoint = 8;
/// Of all numbers, one address gets a quarter; where there are few, as many as a crowded NAT may need.
constexpr std::size_t least_at_address = 64;

/// A name for the device that was authenticated; empty where it may be one of many.
std::string device_of(const Authentication& a) {
  if (!a.device) return {};
  return a.method == AuthMethod::psk ? "PSK " + a.name : "certificate " + a.fingerprint;
}

}  // namespace

base::Mark Numbering::mark_of(PeerNumber number) const {
  return base::Mark(number.value << std::countr_zero(mask));
}

base::Address Numbering::alias_of(PeerNumber number, const base::Address& remote) const {
  if (!remote.is_v4()) return remote;
  return base::Address::v4(alias.network.v4_value() + number.value);
}

std::optional<PeerNumber> Numbering::number_of(base::Mark mark) const {
  const PeerNumber number(mark.value >> std::countr_zero(mask));
  if (number.value == 0 || number.value > capacity || mark_of(number) != mark) return std::nullopt;
  return number;
}

std::optional<PeerNumber> Numbering::number_at(const base::Address& address) const {
  if (!alias.contains(address)) return std::nullopt;
  const PeerNumber number(address.v4_value() - alias.network.v4_value());
  if (number.value == 0 || number.value > capacity) return std::nullopt;
  return number;
}

std::optional<xfrm::MaskedMark> Numbering::lookup_mark_of(PeerNumber number) const {
  if (lookup == OutboundLookup::alias) return std::nullopt;
  return xfrm::MaskedMark{mark_of(number).value, mask};
}

// A router that has no room for plain ESP names the SA, in a packet that bears no mark: the kernel would not
// find it, and learn nothing. Of ESP in UDP ikd's socket hears.
std::optional<xfrm::MaskedMark> Numbering::lookup_mark_of(PeerNumber number, const xfrm::Sa& outbound) const {
  if (!outbound.encap) return std::nullopt;
  return lookup_mark_of(number);
}

base::Address Numbering::our_end(const Service& service, const base::Address& alias_of_peer,
                                 const base::Address& dialled) const {
  if (near_bit == 0 || service != l2tp_service || !dialled.is_v4()) return dialled;
  return base::Address::v4(alias_of_peer.v4_value() | near_bit);
}

// The daemon's own socket is at the address that was dialled, that of a tunnel at the near end.
base::Prefix Numbering::our_ends(const Service& service, const base::Address& dialled) const {
  if (near_bit == 0 || service != l2tp_service || !dialled.is_v4()) return base::host(dialled);
  return {base::Address::v4(0), 0};
}

ChildSa* Peer::child_by_in(xfrm::Spi spi) {
  const auto it = std::ranges::find(children, spi, &ChildSa::in);
  return it == children.end() ? nullptr : &*it;
}

ChildSa* Peer::child_by_out(xfrm::Spi spi) {
  const auto it = std::ranges::find(children, spi, &ChildSa::out);
  return it == children.end() ? nullptr : &*it;
}

const ChildSa* Peer::active(const Service& service) const {
  const auto it = std::ranges::find_if(
      children, [&](const ChildSa& c) { return c.service == service && c.state == ChildState::active; });
  return it == children.end() ? nullptr : &*it;
}

bool Peer::has_policy() const {
  return std::ranges::any_of(policies, [](const auto& entry) { return entry.second == Presence::present; });
}

xfrm::SaId Peer::inbound_id(xfrm::Spi spi) const {
  return {.destination = local.address, .spi = spi, .mark = {}};
}

xfrm::SaId Peer::outbound_id(const ChildSa& child) const {
  return {.destination = alias, .spi = child.out, .mark = child.lookup_mark};
}

std::optional<PeerNumber> Peers::take_number(base::Time now) {
  // Numbers that were never used first: a fresh one cannot meet anything stale.
  if (!unused_.empty()) {
    const auto number = unused_.front();
    unused_.pop_front();
    return number;
  }
  if (given_out_ < numbering_.capacity) return PeerNumber((offset_ + given_out_++) % numbering_.capacity + 1);
  if (quarantine_.empty() || quarantine_.front().until > now) return std::nullopt;
  const auto number = quarantine_.front().number;
  quarantine_.pop_front();
  return number;
}

std::optional<PeerNumber> Peers::known(const PeerKey& key, const base::Address& proven, bool device) const {
  if (!device && proven != key.remote.address) return std::nullopt;
  const auto [first, last] = by_key_.equal_range(key);
  const auto it =
      std::find_if(first, last, [&](const Peer* peer) { return device || peer->known_to_be_there(); });
  return it == last ? std::nullopt : std::optional((*it)->number);
}

std::vector<const Peer*> Peers::at_endpoint(const PeerKey& key, const base::Address& proven) const {
  std::vector<const Peer*> out;
  const PeerKey first{.local = key.local, .remote = key.remote, .identity = {}, .psk = {}};
  for (auto it = by_key_.lower_bound(first);
       it != by_key_.end() && (*it)->key.local == key.local && (*it)->key.remote == key.remote; ++it) {
    const auto& peer = **it;
    if (peer.known_to_be_there() || (peer.admitted_at == proven && !peer.has_answered()))
      out.push_back(&peer);
  }
  return out;
}

// A neighbour behind the same NAT has proved its address, and no port: it may write another's on message 5.
// What it invents there has nothing to answer with; a client does so in its first Quick Mode.
std::optional<PeerNumber> Peers::in_the_way(const PeerKey& key, const base::Address& proven,
                                            bool device) const {
  if (known(key, proven, device)) return std::nullopt;
  const auto there = at_endpoint(key, proven);
  if (there.size() < most_at_endpoint) return std::nullopt;
  const Peer* oldest = nullptr;
  for (const auto* peer : there) {
    if (!peer->has_answered() && (oldest == nullptr || peer->authenticated < oldest->authenticated))
      oldest = peer;
  }
  return oldest == nullptr ? std::nullopt : std::optional(oldest->number);
}

base::Result<Peer*> Peers::adopt_or_add(const PeerKey& key, const base::Address& proven, bool device,
                                        base::Time now) {
  if (const auto there = known(key, proven, device)) return &peers_.at(*there);
  if (at_endpoint(key, proven).size() >= most_at_endpoint)
    return base::fail("too many identities at this address and port");
  const auto there = at_address_.find(proven);
  if (there != at_address_.end() &&
      there->second >= std::max<std::size_t>(numbering_.capacity / 4, least_at_address))
    return base::fail("its address has a quarter of all marks already");
  const auto number = take_number(now);
  if (!number) return base::fail("all marks are in use or in quarantine");
  auto& peer = peers_[*number];
  peer.number = *number;
  peer.key = key;
  by_key_.insert(&peer);
  peer.mark = numbering_.mark_of(*number);
  peer.alias = numbering_.alias_of(*number, key.remote.address);
  peer.lookup_mark = numbering_.lookup_mark_of(*number);
  peer.authenticated = now;
  peer.admitted_at = proven;
  ++at_address_[peer.admitted_at];
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
  by_key_.insert(&peer);
}

void Peers::forget_key(const Peer& peer) {
  const auto [first, last] = by_key_.equal_range(peer.key);
  by_key_.erase(std::find(first, last, &peer));
}

void Peers::prove(Peer& peer, Authentication authentication) {
  forget_device(peer);
  peer.authentication = std::move(authentication);
  if (const auto device = device_of(peer.authentication); !device.empty())
    by_device_[device].insert(peer.number);
}

void Peers::forget_device(const Peer& peer) {
  const auto it = by_device_.find(device_of(peer.authentication));
  if (it == by_device_.end()) return;
  it->second.erase(peer.number);
  if (it->second.empty()) by_device_.erase(it);
}

std::vector<PeerNumber> Peers::others_of_device(PeerNumber number) const {
  const auto peer = peers_.find(number);
  if (peer == peers_.end()) return {};
  const auto device = by_device_.find(device_of(peer->second.authentication));
  if (device == by_device_.end()) return {};
  std::vector<PeerNumber> out(device->second.begin(), device->second.end());
  std::erase(out, number);
  return out;
}

void Peers::claim(Peer& peer, xfrm::Spi in) {
  peer.number_used = true;
  // Of two with one SPI the kernel refuses the second.
  by_inbound_.try_emplace({peer.local.address, in}, peer.number);
}

void Peers::disclaim(const Peer& peer, xfrm::Spi in) {
  const auto it = by_inbound_.find({peer.local.address, in});
  if (it != by_inbound_.end() && it->second == peer.number) by_inbound_.erase(it);
}

Peer* Peers::by_inbound(const xfrm::SaId& sa) {
  const auto it = by_inbound_.find({sa.destination, sa.spi});
  return it == by_inbound_.end() ? nullptr : find(it->second);
}

Peer* Peers::by_outbound(const xfrm::SaId& sa) {
  const auto it = std::ranges::find_if(peers_, [&](auto& entry) {
    auto* child = entry.second.alias == sa.destination ? entry.second.child_by_out(sa.spi) : nullptr;
    // Of two at one address with one SPI the kernel has refused the second.
    return child != nullptr && child->lookup_mark == sa.mark &&
           (child->state == ChildState::active || child->state == ChildState::standby);
  });
  return it == peers_.end() ? nullptr : &it->second;
}

void Peers::remove(PeerNumber number, base::Time now) {
  const auto it = peers_.find(number);
  if (it == peers_.end()) return;
  forget_key(it->second);
  forget_device(it->second);
  const auto there = at_address_.find(it->second.admitted_at);
  if (--there->second == 0) at_address_.erase(there);
  const bool used = it->second.number_used;
  peers_.erase(it);
  if (used) {
    quarantine_.push_back({number, now + numbering_.quarantine});
  } else {
    unused_.push_back(number);
  }
}

}  // namespace ike
