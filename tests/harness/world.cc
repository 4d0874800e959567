#include "harness/world.h"

namespace harness {
namespace {

const auto public_address = base::Address::v4(0xcb007101);  // 203.0.113.1
const auto public_address_6 = *base::Address::parse("2001:db8::1");

bool same_keys(const xfrm::EspTransform& a, const xfrm::EspTransform& b) {
  return a.encryption == b.encryption && a.integrity == b.integrity &&
         base::equal(a.encryption_key.view(), b.encryption_key.view()) &&
         base::equal(a.integrity_key.view(), b.integrity_key.view());
}

}  // namespace

World::World(WorldSettings settings)
    : settings_(std::move(settings)),
      engine_(settings_.engine, seeded_random(settings_.seed + 1000)),
      kernel_(settings_.kernel),
      network_(settings_.seed) {}

Initiator& World::add(InitiatorSettings settings, NatBox* nat) {
  return hosts_.emplace_back(Host{Initiator(std::move(settings)), nat}).initiator;
}

void World::inject(const base::Endpoint& from, const base::Endpoint& to, ByteView bytes) {
  arrived_.push_back({from, to, base::to_bytes(bytes)});
  engine_.input(from, to, bytes, now_);
  pump();
}

void World::pump() {
  while (auto effect = engine_.next_effect()) {
    if (auto* send = std::get_if<ike::Send>(&*effect)) {
      left_.push_back({send->from, send->to, send->bytes});
      if (settings_.inside && send->from.address == *settings_.inside) send->from.address = public_address;
      network_.send({send->from, send->to, std::move(send->bytes)}, now_);
    } else {
      kernel_.execute(std::move(*effect), now_);
    }
  }
  for (auto& host : hosts_) {
    while (auto send = host.initiator.next_send()) {
      const auto from = host.nat == nullptr ? send->from : host.nat->outward(send->from);
      network_.send({from, send->to, std::move(send->bytes)}, now_);
    }
  }
}

void World::deliver(Datagram d) {
  for (auto& host : hosts_) {
    const auto& own = host.initiator.settings().local.address;
    if (host.nat == nullptr && own == d.to.address) return host.initiator.input(d.from, d.to, d.bytes, now_);
    if (host.nat == nullptr || host.nat->outside() != d.to.address) continue;
    const auto inside = host.nat->inward(d.to);
    if (inside && inside->address == own) return host.initiator.input(d.from, *inside, d.bytes, now_);
  }
  if (d.to.address != public_address && d.to.address != public_address_6)
    return;  // nobody's, or behind a NAT that forgot
  if (settings_.inside) d.to.address = *settings_.inside;
  arrived_.push_back(d);
  engine_.input(d.from, d.to, d.bytes, now_);
}

std::optional<base::Time> World::next_event() const {
  std::optional<base::Time> out;
  const auto consider = [&out](std::optional<base::Time> when) {
    if (when && (!out || *when < *out)) out = when;
  };
  consider(network_.next_arrival());
  consider(kernel_.next_completion());
  consider(engine_.next_timeout());
  for (const auto& host : hosts_) consider(host.initiator.next_timeout());
  return out;
}

void World::run(base::Duration span) {
  const auto end = now_ + span;
  pump();
  for (auto next = next_event(); next && *next <= end; next = next_event()) {
    now_ = std::max(now_, *next);
    if (auto datagram = network_.pop_arrival(now_)) {
      deliver(std::move(*datagram));
    } else if (auto completion = kernel_.pop_completion(now_)) {
      engine_.completed(std::move(*completion), now_);
    } else {
      engine_.timeout(now_);
      for (auto& host : hosts_) host.initiator.timeout(now_);
    }
    pump();
  }
  now_ = end;
}

const ike::Peer* World::peer_of(const Initiator& initiator, std::size_t child) const {
  if (child >= initiator.children().size()) return nullptr;
  for (const auto& [number, peer] : engine_.peers()) {
    for (const auto& c : peer.children) {
      if (c.in == initiator.children()[child].out) return &peer;
    }
  }
  return nullptr;
}

std::string World::disagreement(const Initiator& initiator, std::size_t child) const {
  if (child >= initiator.children().size()) return "the initiator has no such pair";
  const auto& theirs = initiator.children()[child];
  const auto* in = kernel_.inbound(theirs.out);
  if (in == nullptr || !in->set_mark) return "the gateway has no inbound SA of this SPI";
  const auto* out = kernel_.outbound(base::Mark(in->set_mark->value), theirs.in);
  if (out == nullptr) return "the gateway has no outbound SA of this SPI";
  if (!same_keys(in->transform, theirs.out_keys)) return "the inbound SA has other keys";
  if (!same_keys(out->transform, theirs.in_keys)) return "the outbound SA has other keys";
  const bool udp = theirs.mode != ike::v1::EncapsulationMode::transport;
  if (in->encap.has_value() != udp || out->encap.has_value() != udp) return "the encapsulation differs";
  return {};
}

std::vector<std::string> World::complaints() const {
  auto out = kernel_.complaints();
  for (const auto& host : hosts_) {
    const auto& more = host.initiator.complaints();
    out.insert(out.end(), more.begin(), more.end());
  }
  return out;
}

bool World::nothing_left() const {
  return kernel_.empty() && engine_.isakmp_sas() == 0 && engine_.peers().empty() &&
         engine_.half_open() == 0 && !engine_.next_timeout();
}

}  // namespace harness
