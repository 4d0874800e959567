#include "l2tpd/tunnel_sockets.h"

namespace l2tpd {

TunnelSockets::TunnelSockets(os::Loop& loop) : timer_(loop.on_time([this] { close_retired(); })) {}

void TunnelSockets::open(l2tp::TunnelId tunnel, os::UdpSocket udp) {
  close(tunnel);
  tunnels_.emplace(tunnel, Sockets{base::Fd(), std::move(udp)});
}

void TunnelSockets::keep_in_kernel(l2tp::TunnelId tunnel, base::Fd management) {
  tunnels_.at(tunnel).management = std::move(management);
}

int TunnelSockets::udp(l2tp::TunnelId tunnel) const {
  const auto it = tunnels_.find(tunnel);
  return it == tunnels_.end() ? -1 : it->second.udp.fd();
}

bool TunnelSockets::in_kernel(l2tp::TunnelId tunnel) const {
  const auto it = tunnels_.find(tunnel);
  return it != tunnels_.end() && it->second.management;
}

void TunnelSockets::close(l2tp::TunnelId tunnel) {
  if (auto node = tunnels_.extract(tunnel)) retire(std::move(node.mapped().management));
}

void TunnelSockets::close_all() {
  while (!tunnels_.empty()) close(tunnels_.begin()->first);
}

void TunnelSockets::retire(base::Fd management) {
  if (!management) return;
  const auto when = base::Clock::now() + kernels_own_time;
  if (retired_.empty()) timer_.set_time(when);
  retired_.emplace_back(when, std::move(management));
}

void TunnelSockets::close_retired() {
  const auto now = base::Clock::now();
  while (!retired_.empty() && retired_.front().first <= now) retired_.pop_front();
  if (!retired_.empty()) timer_.set_time(retired_.front().first);
}

}  // namespace l2tpd
