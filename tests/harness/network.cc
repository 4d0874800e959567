#include "harness/network.h"

namespace harness {
namespace {

constexpr base::Duration long_after = std::chrono::seconds(7);
constexpr base::Duration a_little_after = std::chrono::milliseconds(2500);

}  // namespace

base::Endpoint NatBox::outward(const base::Endpoint& inside) {
  const auto [it, fresh] = ports_.try_emplace(inside, next_port_);
  if (fresh) insides_.emplace(next_port_++, inside);
  return {outside_, it->second};
}

std::optional<base::Endpoint> NatBox::inward(const base::Endpoint& at) const {
  const auto it = insides_.find(at.port);
  return it == insides_.end() ? std::nullopt : std::optional(it->second);
}

void NatBox::rebind() {
  ports_.clear();
  insides_.clear();
}

bool Network::happens(double chance) {
  return chance > 0 && std::uniform_real_distribution<double>(0, 1)(engine_) < chance;
}

base::Duration Network::travel_time() {
  auto out = conditions.delay;
  if (conditions.jitter.count() > 0)
    out += base::Duration(
        static_cast<base::Duration::rep>(engine_() % static_cast<std::uint64_t>(conditions.jitter.count())));
  return out;
}

void Network::send(Datagram datagram, base::Time now) {
  const auto fate = fates.find(sent_++);
  if (fate != fates.end()) {
    if (fate->second == Fate::doubled) under_way_.emplace(now + travel_time() + long_after, datagram);
    if (fate->second == Fate::late) now += a_little_after;
    if (fate->second != Fate::lost) under_way_.emplace(now + travel_time(), std::move(datagram));
    return;
  }
  if (happens(conditions.loss) || datagram.bytes.size() > conditions.largest) return;
  if (happens(conditions.duplicate)) under_way_.emplace(now + travel_time(), datagram);
  under_way_.emplace(now + travel_time(), std::move(datagram));
}

std::optional<base::Time> Network::next_arrival() const {
  return under_way_.empty() ? std::nullopt : std::optional(under_way_.begin()->first);
}

std::optional<Datagram> Network::pop_arrival(base::Time now) {
  if (under_way_.empty() || under_way_.begin()->first > now) return std::nullopt;
  auto out = std::move(under_way_.begin()->second);
  under_way_.erase(under_way_.begin());
  return out;
}

}  // namespace harness
