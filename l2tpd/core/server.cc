#include "l2tp/server.h"

#include <algorithm>

namespace l2tp {
namespace {

using namespace std::chrono_literals;

/// An SCCRQ as old as this may still come out of the network after the SCCCN that followed it.
constexpr base::Duration late_SCCRQ = 5s;

}  // namespace

Server::Server(Settings settings, Random random)
    : with_{.settings = std::move(settings), .random = std::move(random), .effects = {}, .counters = {}} {}

std::optional<Effect> Server::next_effect() {
  if (with_.effects.empty()) return std::nullopt;
  auto effect = std::move(with_.effects.front());
  with_.effects.pop_front();
  return effect;
}

void Server::input(const Datagram& datagram, base::Time now) {
  const auto header = decode_header(datagram.bytes);
  if (!header) {
    with_.counters.count(header.error());
    return;
  }
  if (header->tunnel.value == 0) {
    input_SCCRQ(datagram, *header, now);
    return;
  }
  const auto it = tunnels_.find(header->tunnel);
  if (it == tunnels_.end()) {
    with_.counters.count(DropReason::no_such_tunnel);
    return;
  }
  auto& tunnel = it->second;
  if (tunnel.name().mark != datagram.mark) {
    // RFC 5660: what arrives through another peer's SA is not this tunnel's, whatever it says.
    with_.counters.count(DropReason::wrong_mark);
    return;
  }
  if (tunnel.name().remote != datagram.from) {
    with_.counters.count(DropReason::wrong_endpoint);
    return;
  }
  tunnel.receive(*header, now);
  settle(header->tunnel);
}

void Server::input_SCCRQ(const Datagram& datagram, const Header& header, base::Time now) {
  const auto message = decode(header.body);
  if (message.type == MessageType::StopCCN) {
    stop_unanswered(datagram, message);
    return;
  }
  if (message.type != MessageType::SCCRQ) {
    with_.counters.count(DropReason::not_sccrq);
    return;
  }
  if (header.ns != SeqNo(0) || header.nr != SeqNo(0) || !message.assigned_tunnel_id) {
    with_.counters.count(DropReason::malformed_sccrq);
    return;
  }
  const PeerKey peer{datagram.mark, datagram.from};
  if (const auto known = by_peer_.find(peer); known != by_peer_.end()) {
    const auto id = known->second;
    auto& old = tunnels_.at(id);
    if (is_repetition(old, message, now)) {
      with_.counters.count(DropReason::duplicate);
      old.repeat_answer();
      settle(id);
      return;
    }
    // kernel.md §3: two sockets of one 4-tuple would take each other's datagrams; the peer has begun anew.
    old.abandon("replaced by a new tunnel of the same peer");
    settle(id);
  }
  if (const auto reason = refusal(datagram)) {
    with_.counters.count(*reason);
    return;
  }
  const auto id = new_tunnel_id();
  if (!id) {
    with_.counters.count(DropReason::no_free_tunnel_id);
    return;
  }
  const TunnelName name{*id, *message.assigned_tunnel_id, datagram.mark, datagram.to, datagram.from};
  auto& tunnel = tunnels_.try_emplace(*id, name, message, now, with_).first->second;
  by_peer_.insert_or_assign(peer, *id);
  tunnel.accept(header, message, now);
  settle(*id);
}

bool Server::is_repetition(const Tunnel& tunnel, const Message& sccrq, base::Time now) const {
  if (tunnel.name().peer != *sccrq.assigned_tunnel_id) return false;
  switch (tunnel.state()) {
    case TunnelState::wait_ctl_conn: return true;
    case TunnelState::established: return now - *tunnel.established_at() < late_SCCRQ;
    case TunnelState::closing:
      return !tunnel.lingering() && !tunnel.established_at() && now - tunnel.since() < late_SCCRQ;
    case TunnelState::idle: break;
  }
  return false;
}

void Server::stop_unanswered(const Datagram& datagram, const Message& message) {
  // §6.4: a peer that has not heard our tunnel id gives up with its own in the Assigned Tunnel ID.
  const auto known = by_peer_.find({datagram.mark, datagram.from});
  if (known == by_peer_.end() || message.assigned_tunnel_id != tunnels_.at(known->second).name().peer) {
    with_.counters.count(DropReason::no_such_tunnel);
    return;
  }
  const auto id = known->second;
  tunnels_.at(id).abandon("the peer gave up");
  settle(id);
}

std::optional<DropReason> Server::refusal(const Datagram& datagram) const {
  const auto& limits = with_.settings.limits;
  if (closing_) return DropReason::too_many_tunnels;
  std::size_t of_mark = 0;
  std::size_t of_address = 0;
  // Those that are closing count too: each still has a socket or a latch.
  for (auto it = by_peer_.lower_bound({datagram.mark, Endpoint()});
       it != by_peer_.end() && it->first.first == datagram.mark; ++it) {
    ++of_mark;
    of_address += it->first.second.address == datagram.from.address;
  }
  const auto allowed = datagram.mark.value == 0 ? limits.clear_text_tunnels : limits.tunnels_per_mark;
  if (of_mark >= allowed || of_address >= limits.tunnels_per_mark) return DropReason::too_many_tunnels;
  if (half_open_.size() >= limits.half_open) return DropReason::too_many_half_open;
  return std::nullopt;
}

std::optional<TunnelId> Server::new_tunnel_id() {
  if (tunnels_.size() >= 0x8000) return std::nullopt;  // half of the ids: chance finds a free one soon
  TunnelId id(with_.random());
  // Chance may fail us a hundred times only when it is no chance; then the next free one will do.
  for (int tries = 0; tries < 100 && (id.value == 0 || tunnels_.contains(id)); ++tries)
    id = TunnelId(with_.random());
  while (id.value == 0 || tunnels_.contains(id)) id.value = static_cast<std::uint16_t>(id.value + 1);
  return id;
}

void Server::settle(TunnelId id) {
  const auto it = tunnels_.find(id);
  if (it == tunnels_.end()) return;
  const auto& tunnel = it->second;
  if (!tunnel.over() && tunnel.state() == TunnelState::wait_ctl_conn) {
    half_open_.insert(id);
  } else {
    half_open_.erase(id);
  }
  if (!tunnel.over()) {
    if (const auto when = tunnel.next_timeout()) {
      timers_.set(id, *when);
    } else {
      timers_.cancel(id);
    }
    return;
  }
  timers_.cancel(id);
  const auto peer = by_peer_.find({tunnel.name().mark, tunnel.name().remote});
  if (peer != by_peer_.end() && peer->second == id) by_peer_.erase(peer);
  tunnels_.erase(it);
}

void Server::timeout(base::Time now) {
  while (const auto id = timers_.pop_due(now)) {
    tunnels_.at(*id).timeout(now);
    settle(*id);
  }
}

void Server::completed(const Completion& completion, base::Time now) {
  if (const auto* failed = std::get_if<TunnelFailed>(&completion)) {
    const auto it = tunnels_.find(failed->tunnel);
    if (it == tunnels_.end()) return;
    it->second.close(stop(StopResult::general_error, failed->why, GeneralError::insufficient_resources), now);
    settle(failed->tunnel);
    return;
  }
  const auto& ended = std::get<SessionEnded>(completion);
  const auto it = tunnels_.find(ended.tunnel);
  if (it == tunnels_.end()) return;
  it->second.session_ended(ended.session, ended.ending, now);
  settle(ended.tunnel);
}

void Server::peer_gone(Mark mark) {
  std::vector<TunnelId> gone;
  for (const auto& [id, tunnel] : tunnels_) {
    if (tunnel.name().mark == mark) gone.push_back(id);
  }
  for (const auto id : gone) {
    tunnels_.at(id).abandon("the peer's IPsec is gone");
    settle(id);
  }
}

bool Server::close(TunnelId id, const Ending& ending, base::Time now) {
  const auto it = tunnels_.find(id);
  if (it == tunnels_.end()) return false;
  it->second.close(ending, now);
  settle(id);
  return true;
}

void Server::close_all(base::Time now) {
  closing_ = true;
  for (auto& [id, tunnel] : tunnels_) {
    tunnel.close(stop(StopResult::shutting_down, "the server is shutting down"), now);
    settle(id);  // sets a timer only: a tunnel that has just said StopCCN is not over
  }
}

void Server::abandon_all() {
  while (!tunnels_.empty()) {
    const auto id = tunnels_.begin()->first;
    tunnels_.begin()->second.abandon("the server is shutting down");
    settle(id);
  }
}

bool Server::quiet() const {
  return std::ranges::all_of(tunnels_, [](const auto& entry) { return entry.second.lingering(); });
}

}  // namespace l2tp
