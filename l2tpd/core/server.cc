#include "l2tp/server.h"

#include <algorithm>

#include "l2tp/secrecy.h"

namespace l2tp {
namespace {

using namespace std::chrono_literals;

/// An SCCRQ as old as this may still come out of the network after the SCCCN that followed it.
constexpr base::Duration late_SCCRQ = 5s;
/// A quarter of the ids, beside the half that may be in use.
constexpr std::size_t most_resting = 0x4000;
/// Half of the ids: chance finds a free one soon.
constexpr std::size_t most_tunnels = 0x8000;

const char* words_for(DropReason refusal) {
  switch (refusal) {
    case DropReason::too_often: return "too many tunnels in a short time";
    case DropReason::no_free_tunnel_id: return "the server has too many tunnels";
    default: return "too many tunnels of one peer";
  }
}

}  // namespace

Server::Server(Settings settings, Random random)
    : with_{.settings = std::move(settings), .random = std::move(random), .effects = {}, .counters = {}},
      openings_(with_.settings.limits.tunnels_at_once, 1s) {}

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
  const auto effects_before = with_.effects.size();
  const bool stood = tunnel.established_at().has_value();
  if (!stood && would_mix_with_IPsec(datagram)) {
    with_.counters.count(DropReason::peer_has_ipsec);
    return;
  }
  tunnel.receive(*header, now);
  if (!stood && tunnel.established_at()) stands(header->tunnel, effects_before, now);
  settle(header->tunnel);
}

void Server::input_SCCRQ(const Datagram& datagram, const Header& header, base::Time now) {
  const auto body = reveal_all(header.body, with_.settings.secret);
  const auto message = decode(body);
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
  if (auto* old = made_by(datagram, header, message, now)) {
    with_.counters.count(DropReason::duplicate);
    old->repeat_answer();
    settle(old->name().id);
    return;
  }
  if (const auto reason = refusal(datagram, now)) {
    refuse(datagram, header, message, *reason, now);
    return;
  }
  make_room(datagram);
  if (tunnels_.size() >= most_tunnels) {
    refuse(datagram, header, message, DropReason::no_free_tunnel_id, now);
    return;
  }
  const auto id = new_tunnel_id();
  const TunnelName name{id, *message.assigned_tunnel_id, datagram.mark, datagram.to, datagram.from};
  auto& tunnel = tunnels_.try_emplace(id, name, message, now, with_).first->second;
  by_endpoint_.emplace(name.mark, name.remote, id);
  by_mark_.emplace(name.mark, id);
  half_open_beside(name.mark).emplace(now, id);
  tunnel.accept(header, message, now);
  settle(id);
}

std::vector<Tunnel*> Server::tunnels_at(Mark mark, const Endpoint& remote) {
  std::vector<Tunnel*> out;
  for (auto it = by_endpoint_.lower_bound({mark, remote, TunnelId()}); it != by_endpoint_.end(); ++it) {
    const auto& [its_mark, its_remote, id] = *it;
    if (its_mark != mark || its_remote != remote) break;
    out.push_back(&tunnels_.at(id));
  }
  looked_at_ += out.size();
  return out;
}

bool Server::would_mix_with_IPsec(const Datagram& datagram) const {
  if (datagram.mark.value != 0) return false;
  const auto it = secure_over_ipv6_.lower_bound({datagram.from, TunnelId()});
  return it != secure_over_ipv6_.end() && it->first == datagram.from;
}

std::vector<Tunnel*> Server::tunnels_of(Mark mark) {
  std::vector<Tunnel*> out;
  for (auto it = by_endpoint_.lower_bound({mark, Endpoint(), TunnelId()}); it != by_endpoint_.end(); ++it) {
    if (std::get<Mark>(*it) != mark) break;
    out.push_back(&tunnels_.at(std::get<TunnelId>(*it)));
  }
  looked_at_ += out.size();
  return out;
}

Tunnel* Server::made_by(const Datagram& datagram, const Header& header, const Message& sccrq,
                        base::Time now) {
  for (auto* tunnel : tunnels_at(datagram.mark, datagram.from)) {
    if (tunnel->name().peer != *sccrq.assigned_tunnel_id) continue;
    // By its SHA-256: somebody who forges this address must not have the peer's own one answered as his is.
    if (tunnel->lingering() || !tunnel->is_of(header.body)) continue;
    // A peer that begins anew may choose the same id: what stands, or was refused, has late copies for a
    // while.
    const auto settled = tunnel->established_at().value_or(tunnel->since());
    if (tunnel->state() == TunnelState::wait_ctl_conn || now - settled < late_SCCRQ) return tunnel;
  }
  return nullptr;
}

void Server::stop_unanswered(const Datagram& datagram, const Message& message) {
  // §6.4: a peer that has not heard our tunnel id gives up with its own in the Assigned Tunnel ID. In clear
  // text anybody could say so; there a tunnel that nobody wants is forgotten soon enough.
  if (datagram.mark.value != 0) {
    for (auto* tunnel : tunnels_at(datagram.mark, datagram.from)) {
      const auto name = tunnel->name();
      if (tunnel->established_at() || message.assigned_tunnel_id != name.peer) continue;
      tunnel->abandon("the peer gave up");
      settle(name.id);
      return;
    }
  }
  with_.counters.count(DropReason::no_such_tunnel);
}

std::optional<DropReason> Server::refusal(const Datagram& datagram, base::Time now) {
  if (closing_) return DropReason::too_many_tunnels;
  const auto peer = peer_of(datagram.mark, datagram.from);
  const auto standing = standing_.find(peer);
  const auto& limits = with_.settings.limits;
  const bool clear_text = datagram.mark.value == 0;
  if (standing != standing_.end() &&
      standing->second >= (clear_text ? limits.tunnels_per_address : limits.tunnels_per_mark))
    return DropReason::too_many_tunnels;
  if (would_mix_with_IPsec(datagram)) return DropReason::peer_has_ipsec;
  if (clear_text && clear_text_tunnels_ >= limits.clear_text_tunnels) return DropReason::too_many_tunnels;
  // Counted at SCCCN, or a neighbour could use this peer's share up by forging its address.
  if (!openings_.allows(peer, now)) return DropReason::too_often;
  return std::nullopt;
}

void Server::refuse(const Datagram& datagram, const Header& header, const Message& sccrq, DropReason reason,
                    base::Time now) {
  with_.counters.count(reason);
  if (datagram.mark.value == 0) return;
  const auto ending =
      closing_ ? stop(StopResult::shutting_down, "the server is shutting down")
               : stop(StopResult::general_error, words_for(reason), GeneralError::insufficient_resources);
  // §4.4.3: the id in StopCCN is the one that would have been its.
  Tunnel({new_tunnel_id(), *sccrq.assigned_tunnel_id, datagram.mark, datagram.to, datagram.from}, sccrq, now,
         with_)
      .refuse(header, ending, now);
}

void Server::make_room(const Datagram& datagram) {
  // Not refused: whoever forges this address would have to be faster than the peer's SCCCN, again and again.
  auto others =
      datagram.mark.value == 0 ? tunnels_at(datagram.mark, datagram.from) : tunnels_of(datagram.mark);
  std::erase_if(others, [](const Tunnel* tunnel) { return tunnel->established_at().has_value(); });
  if (others.size() >= with_.settings.limits.half_open_per_peer)
    crowd_out((*std::ranges::min_element(others, {}, &Tunnel::since))->name().id);
  const auto& half_open = half_open_beside(datagram.mark);
  if (half_open.size() >= with_.settings.limits.half_open) crowd_out(half_open.begin()->second);
}

void Server::crowd_out(TunnelId id) {
  with_.counters.count(DropReason::crowded_out);
  tunnels_.at(id).forget();
  settle(id);
}

void Server::stands(TunnelId id, std::size_t effects_before, base::Time now) {
  const auto name = tunnels_.at(id).name();
  half_open_beside(name.mark).erase({tunnels_.at(id).since(), id});
  clear_text_tunnels_ += name.mark.value == 0;
  const auto peer = peer_of(name.mark, name.remote);
  ++standing_[peer];
  openings_.count(peer, now);
  // kernel.md §3: two sockets of one 4-tuple would take each other's datagrams; the peer has begun anew. Its
  // SCCCN says so, which only a reader of our SCCRP can send: an SCCRQ may be forged where it is not
  // encrypted.
  const auto own_effects = static_cast<std::ptrdiff_t>(with_.effects.size());
  const auto replace = [&](Mark mark, const char* why) {
    for (auto* older : tunnels_at(mark, name.remote)) {
      const auto other = older->name();
      if (other.id == id || !older->established_at()) continue;
      older->abandon(why);
      settle(other.id);
    }
  };
  replace(name.mark, "replaced by a new tunnel of the same peer");
  if (name.mark.value != 0 && !name.remote.address.is_v4()) {
    secure_over_ipv6_.emplace(name.remote, id);
    replace(Mark(), "its address and port are those of an IPsec peer");
  }
  // The old socket is closed before the new one is opened.
  std::rotate(with_.effects.begin() + static_cast<std::ptrdiff_t>(effects_before),
              with_.effects.begin() + own_effects, with_.effects.end());
}

TunnelId Server::new_tunnel_id() {
  TunnelId id(with_.random());
  // Chance may fail us a hundred times only when it is no chance; then the next free one will do.
  for (int tries = 0; tries < 100 && !is_free(id); ++tries) id = TunnelId(with_.random());
  while (!is_free(id)) id.value = static_cast<std::uint16_t>(id.value + 1);
  return id;
}

bool Server::is_free(TunnelId id) const {
  return id.value != 0 && !tunnels_.contains(id) && !rests_.test(id.value);
}

void Server::rest(TunnelId id) {
  resting_.push_back(id);
  rests_.set(id.value);
  if (resting_.size() <= most_resting) return;
  rests_.reset(resting_.front().value);
  resting_.pop_front();
}

void Server::settle(TunnelId id) {
  const auto it = tunnels_.find(id);
  if (it == tunnels_.end()) return;
  touched_.insert(id);
  const auto& tunnel = it->second;
  const auto& name = tunnel.name();
  const bool stood = tunnel.established_at().has_value();
  if (tunnel.over() || (tunnel.lingering() && stood)) {
    by_endpoint_.erase({name.mark, name.remote, id});
    secure_over_ipv6_.erase({name.remote, id});
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
  by_mark_.erase({name.mark, id});
  half_open_beside(name.mark).erase({tunnel.since(), id});
  if (stood) {
    rest(id);
    clear_text_tunnels_ -= name.mark.value == 0;
    const auto standing = standing_.find(peer_of(name.mark, name.remote));
    if (--standing->second == 0) standing_.erase(standing);
  }
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
  for (auto it = by_mark_.lower_bound({mark, TunnelId()}); it != by_mark_.end() && it->first == mark; ++it)
    gone.push_back(it->second);
  looked_at_ += gone.size();
  for (const auto id : gone) {
    tunnels_.at(id).abandon("the peer's IPsec is gone");
    settle(id);
  }
}

void Server::peers_gone(base::Time before) {
  std::set<Mark> gone;
  for (const auto& [id, tunnel] : tunnels_) {
    if (tunnel.name().mark.value != 0 && tunnel.since() < before) gone.insert(tunnel.name().mark);
  }
  for (const auto mark : gone) peer_gone(mark);
}

bool Server::close(TunnelId id, const Ending& ending, base::Time now) {
  const auto it = tunnels_.find(id);
  if (it == tunnels_.end()) return false;
  it->second.close(ending, now);
  settle(id);
  return true;
}

bool Server::close_idle(TunnelId id, const Ending& ending, base::Time now) {
  const auto it = tunnels_.find(id);
  return it != tunnels_.end() && it->second.sessions().empty() && close(id, ending, now);
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
  return std::ranges::all_of(
      tunnels_, [](const auto& entry) { return entry.second.lingering() || !entry.second.established_at(); });
}

}  // namespace l2tp
