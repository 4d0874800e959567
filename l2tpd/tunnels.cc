#include "l2tpd/tunnels.h"

#include <algorithm>
#include <iterator>

namespace l2tpd {
namespace {

constexpr std::size_t orders_at_a_time = 100;

}  // namespace

const Tunnels::Tunnel* Tunnels::find(l2tp::TunnelId id) const {
  const auto it = tunnels_.find(id);
  return it == tunnels_.end() ? nullptr : &it->second;
}

const Tunnels::Session* Tunnels::find(l2tp::TunnelId id, l2tp::SessionId session) const {
  const auto* tunnel = find(id);
  if (tunnel == nullptr) return nullptr;
  const auto it = tunnel->sessions.find(session);
  return it == tunnel->sessions.end() ? nullptr : &it->second;
}

bool Tunnels::quiet() const {
  return std::ranges::none_of(tunnels_, [](const auto& entry) { return entry.second.stands(); });
}

void Tunnels::changed(const Changed& changed, base::Time now) {
  for (const auto& row : changed.rows) {
    const auto [it, is_new] = tunnels_.try_emplace(row.name.id);
    auto& tunnel = it->second;
    if (is_new) tunnel.since = now;
    tunnel.name = row.name;
    tunnel.host_name = row.host_name;
    tunnel.established = row.established;
    tunnel.lingering = row.lingering;
    std::map<l2tp::SessionId, Session> sessions;
    auto known = ended_.lower_bound({row.name.id, l2tp::SessionId()});
    const auto is_here = [&](l2tp::SessionId id) {
      return std::ranges::any_of(row.sessions, [id](const auto& session) { return session.name.id == id; });
    };
    while (known != ended_.end() && known->first == row.name.id)
      known = is_here(known->second) ? std::next(known) : ended_.erase(known);
    for (const auto& [name, sequencing] : row.sessions) {
      if (ended_.contains({row.name.id, name.id})) continue;
      const auto old = tunnel.sessions.find(name.id);
      sessions.emplace(name.id,
                       Session{name, sequencing, old == tunnel.sessions.end() ? now : old->second.since});
    }
    tunnel.sessions = std::move(sessions);
  }
  for (const auto id : changed.gone) {
    tunnels_.erase(id);
    ended_.erase(ended_.lower_bound({id, l2tp::SessionId()}),
                 ended_.upper_bound({id, l2tp::SessionId(0xffff)}));
  }
}

void Tunnels::ended(l2tp::TunnelId tunnel, l2tp::SessionId session, l2tp::Ending ending) {
  if (const auto it = tunnels_.find(tunnel); it != tunnels_.end() && it->second.sessions.erase(session) > 0)
    ended_.emplace(tunnel, session);
  order(l2tp::SessionEnded{tunnel, session, std::move(ending)});
}

void Tunnels::order(Order order) {
  orders_.push_back(std::move(order));
  if (!std::exchange(poked_, true)) poke_();
}

std::vector<Order> Tunnels::take_orders() {
  const auto count = std::min(orders_at_a_time, orders_.size());
  const auto end = orders_.begin() + static_cast<std::ptrdiff_t>(count);
  std::vector<Order> out(std::move_iterator(orders_.begin()), std::move_iterator(end));
  orders_.erase(orders_.begin(), end);
  if (out.empty()) poked_ = false;
  return out;
}

}  // namespace l2tpd
